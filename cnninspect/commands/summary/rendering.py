"""How a `Summary` is written: the table of layers, as a tree or flat, and what stands around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from cnninspect.metrics.summary import (
    ConventionTotal,
    Counts,
    LayerSummary,
    MatrixForm,
    Roofline,
    Summary,
    Uncounted,
    limit_level,
)
from cnninspect.page.footers import about, footer, warnings
from cnninspect.page.formats import Field, Renderer
from cnninspect.page.layer_columns import (
    COLUMNS,
    SACRIFICES,
    Scale,
    Subject,
    default_columns,
    whole_of,
)
from cnninspect.page.layer_tree import SORT_KEYS, TABLE_LEVEL, Node, TreeView, flat, fold, tree_of
from cnninspect.page.page import Block, Cell, Column, Kind, Page, Style, Table, chooser
from cnninspect.page.quantities import ZERO, plural, short_name
from cnninspect.records.traces import parent_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryView(TreeView):
    """What to show of a summary, and how: rows are layers, the largest those with most MACs."""

    known_columns = COLUMNS
    known_orders = SORT_KEYS

    def limited(self, report: Summary, *, auto: int | None) -> Summary:
        """The report down to the level chosen, or to `auto`."""
        level = auto if self.level == "auto" else self.level
        return report if level is None else limit_level(report, level)


OWN = "(own)"
"""Name of the row for what a layer has besides its children."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row before it is cut into cells."""

    subject: Subject
    name: Cell
    style: Style = Style.PLAIN


def table_of(report: Summary, view: SummaryView) -> Table:
    """The table of layers."""
    limited = view.limited(report, auto=TABLE_LEVEL)
    make_rows = _flat_rows if view.is_flat else _tree_rows
    marks = _marks(report.uncounted, report.layers)
    rows = tuple(make_rows(limited, marks, view))
    names = view.columns or default_columns(report)
    if not view.columns and view.sort in COLUMNS and view.sort not in names:
        names = (*names, view.sort)
    names = names if "path" in names else ("path", *names)
    scale = Scale(whole_of(report.totals, report.convention), view.human)
    return Table(
        columns=tuple(_column(name, report.convention, view.columns) for name in names),
        rows=tuple(tuple(_cell(name, row, scale) for name in names) for row in rows),
        remarks=tuple(
            _remarks(
                view,
                hidden=len(report.layers) - len(limited.layers),
                is_folded=any(row.name.mark for row in rows),
            )
        ),
        chooser=chooser(view.columns),
    )


def _remarks(view: SummaryView, *, hidden: int, is_folded: bool) -> Iterator[str]:
    """What one must know to read the table."""
    if is_folded:
        yield "×n: n identical blocks in a row; that row and those under it count one of them"
    if view.is_flat:
        which = " that --level shows" if hidden else ""
        yield f"each layer counts by itself, without the layers under it{which}"
    if hidden:
        layers = plural(hidden, "deeper layer")
        yield f"{layers} counted with the layer that holds them; --level shows more"


def _column(name: str, convention: ConventionTotal, chosen: Sequence[str]) -> Column:
    header = COLUMNS[name].header.replace("{convention}", f"{convention.name}\n{convention.unit}")
    if chosen:  # the later ones go first
        sacrifice = 0 if name == "path" else len(chosen) - chosen.index(name)
    else:
        sacrifice = SACRIFICES.index(name) + 1 if name in SACRIFICES else 0
    return Column(header, COLUMNS[name].kind, name, sacrifice)


def _cell(name: str, row: Row, scale: Scale) -> Cell:
    if name == "path":
        return row.name
    text = COLUMNS[name].text(row.subject, scale)
    if text == ZERO:
        return Cell(text, Style.FAINT)
    if COLUMNS[name].kind == Kind.NUMBER and row.subject.is_lower_bound and text[:1] in "≥?":
        return Cell(text, Style.WARNING)
    return Cell(text, row.style)


# --- the tree ---


@dataclass(frozen=True, slots=True)
class Marks:
    """Paths of layers that are marked, in the whole report."""

    unknown: frozenset[str]
    """Something that they do themselves has no formula."""
    bounded: frozenset[str]
    """That, or something under them."""
    active: frozenset[str]
    """They or something under them was called."""


def _marks(uncounted: Sequence[Uncounted], layers: Sequence[LayerSummary]) -> Marks:
    unknown = frozenset(path for gap in uncounted for path in gap.layers)
    called = (layer.path for layer in layers if layer.calls)
    return Marks(unknown, _with_ancestors(unknown), _with_ancestors(called))


def _with_ancestors(paths: Iterable[str]) -> frozenset[str]:
    """The paths and those of every layer above, the model's own included."""
    known: set[str] = set()
    for path in paths:
        while path not in known:
            known.add(path)
            path = parent_of(path)
    return frozenset(known)


def _tree_rows(report: Summary, marks: Marks, view: SummaryView) -> Iterator[Row]:
    nodes = tree_of(report.layers)
    for node in fold(nodes) if view.fold else nodes:
        yield from _branch(node, marks, root=short_name(report.model.name))


def _branch(
    node: Node, marks: Marks, *, root: str, guide: str = "", below: str = ""
) -> Iterator[Row]:
    """The node's row and those under it; `guide` leads to it, `below` past it."""
    layer = node.layer
    name = Cell(
        text=node.name or root,
        style=Style.STRONG if not layer.path else Style.PLAIN,
        guide=guide,
        mark=f"  ×{node.times}" if node.times > 1 else "",
        full=_full_path(node) or root,
    )
    is_idle = layer.path not in marks.active
    style = Style.FAINT if (node.children and layer.path) or is_idle else Style.PLAIN
    is_bounded = layer.path in marks.bounded
    yield Row(Subject(layer.total, layer, node.last, is_bounded, is_idle), name, style)
    has_own = bool(node.children) and (layer.own != Counts() or layer.path in marks.unknown)
    under: tuple[LayerSummary | Node, ...] = (layer, *node.children) if has_own else node.children
    for child in under:
        is_last = child is under[-1]
        branch = below + ("└─ " if is_last else "├─ ")
        past = below + ("   " if is_last else "│  ")
        if isinstance(child, Node):
            yield from _branch(child, marks, root=root, guide=branch, below=past)
        else:
            subject = Subject(layer.own, is_lower_bound=layer.path in marks.unknown)
            full = f"{layer.path or root} {OWN}"
            yield Row(subject, Cell(OWN, Style.FAINT, branch, full=full))


def _full_path(node: Node) -> str:
    path = node.layer.path
    if node.times > 1:
        above = parent_of(path)
        return f"{above}.{node.name}" if above else node.name
    return path


# --- the list ---


def _flat_rows(report: Summary, marks: Marks, view: SummaryView) -> Iterator[Row]:
    shown = {layer.path for layer in report.layers}
    bounded = {_shown_ancestor(path, shown) for path in marks.unknown}
    layers = flat(report.layers, sort=view.sort or "macs", keep=bounded)
    listed = layers if view.top is None else layers[: view.top]
    for layer in listed:
        name = Cell(layer.path or f"{short_name(report.model.name)} {OWN}")
        is_idle = layer.path not in marks.active
        subject = Subject(layer.own, layer, None, layer.path in bounded, is_idle)
        yield Row(subject, name, Style.FAINT if is_idle else Style.PLAIN)
    rest = layers[len(listed) :]
    if rest:
        counts = sum((layer.own for layer in rest), Counts())
        is_bounded = any(layer.path in bounded for layer in rest)
        name = Cell(f"({plural(len(rest), 'other')})", Style.FAINT)
        yield Row(Subject(counts, is_lower_bound=is_bounded), name, Style.FAINT)


def _shown_ancestor(path: str, shown: set[str]) -> str:
    while path and path not in shown:
        path = parent_of(path)
    return path


COUNTS = tuple(f"{side}_{f.name}" for side in ("own", "total") for f in fields(Counts))
MATRIX = tuple(f"matrix_{f.name}" for f in fields(MatrixForm))
ROOFLINE = tuple(f"roofline_{side}_{f.name}" for side in ("own", "total") for f in fields(Roofline))
CSV_FIELDS = (
    "path", "type", "level", "calls", "input_shapes", "output_shapes", *COUNTS,
    "kernel", "stride", "receptive_field", *MATRIX,
)  # fmt: skip


def page(report: Summary, view: SummaryView) -> Page:
    """Title, table, warning, totals."""
    blocks: list[Block] = [table_of(report, view)]
    blocks += warnings(report.uncounted)
    blocks.append(footer(report, human=view.human))
    return Page(report.model.name, about(report), tuple(blocks))


def rows(report: Summary, view: SummaryView) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each layer, with the fields of the JSON form joined by `_`."""
    header = CSV_FIELDS
    if report.layers and report.layers[0].backward is not None:
        header = (*header, *COLUMNS["backward_macs"].fields)
    if report.device is not None:
        header = (*header, *ROOFLINE)
    if view.columns:
        chosen = (field for name in view.columns for field in COLUMNS[name].fields)
        header = tuple(dict.fromkeys(("path", *chosen)))
    layers = _chosen_layers(report, view)
    return header, (tuple(_field(layer, name) for name in header) for layer in layers)


def _field(layer: LayerSummary, name: str) -> Field:
    record: Any = layer
    roofline = layer.roofline
    parts: tuple[tuple[str, Any], ...] = (
        ("own_", layer.own),
        ("total_", layer.total),
        ("matrix_", layer.matrix),
        ("backward_", layer.backward),
        ("roofline_own_", roofline and roofline.own),
        ("roofline_total_", roofline and roofline.total),
    )
    for prefix, part in parts:
        if name.startswith(prefix):
            record, name = part, name.removeprefix(prefix)
            break
    value: Field = None if record is None else getattr(record, name)
    return value


def data(report: Summary, view: SummaryView) -> dict[str, Any]:
    """The report as plain data, with the layers chosen."""
    return replace(report, layers=_chosen_layers(report, view)).to_dict()


def _chosen_layers(report: Summary, view: SummaryView) -> tuple[LayerSummary, ...]:
    layers = view.limited(report, auto=None).layers
    if view.is_flat:
        layers = flat(layers, sort=view.sort or "macs")[: view.top]
    return layers


RENDERER = Renderer(view=SummaryView, page=page, rows=rows, data=data)
