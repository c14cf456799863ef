"""The table of a summary: a tree with totals, or a flat list with own counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cnninspect.records.layers import parent_of
from cnninspect.records.summary import Counts, LayerSummary, Summary
from cnninspect.render.folding import fold
from cnninspect.render.layer_columns import (
    COLUMNS,
    SACRIFICES,
    Scale,
    Subject,
    default_columns,
    whole_of,
)
from cnninspect.render.layer_order import flat
from cnninspect.render.layer_tree import Node, tree_of
from cnninspect.render.pages import Cell, Column, Kind, Style, Table, chooser
from cnninspect.render.quantities import ZERO, plural
from cnninspect.render.summary_view import SummaryView
from cnninspect.render.tree_view import TABLE_LEVEL

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
    rows = tuple(make_rows(limited, _marks(report), view))
    names = view.columns or default_columns(report)
    if not view.columns and view.sort in COLUMNS and view.sort not in names:
        names = (*names, view.sort)
    names = names if "path" in names else ("path", *names)
    scale = Scale(whole_of(report.totals, report.convention), view.human)
    return Table(
        columns=tuple(_column(name, report, view) for name in names),
        rows=tuple(tuple(_cell(name, row, scale) for name in names) for row in rows),
        remarks=tuple(_remarks(report, view, len(limited.layers))),
        chooser=chooser(view.columns),
    )


def _remarks(report: Summary, view: SummaryView, shown: int) -> Iterator[str]:
    """What one must know to read the table."""
    if view.fold:
        yield "×n: n identical blocks in a row; that row and those under it count one of them"
    hidden = len(report.layers) - shown
    if view.is_flat:
        which = " that --level shows" if hidden else ""
        yield f"each layer counts by itself, without the layers under it{which}"
    if hidden:
        layers = plural(hidden, "deeper layer")
        yield f"{layers} counted with the layer that holds them; --level shows more"


def _column(name: str, report: Summary, view: SummaryView) -> Column:
    convention = report.convention
    header = COLUMNS[name].header.replace("{convention}", f"{convention.name}\n{convention.unit}")
    if view.columns:  # the later ones go first
        sacrifice = 0 if name == "path" else len(view.columns) - view.columns.index(name)
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


def _marks(report: Summary) -> Marks:
    unknown = frozenset(path for gap in report.uncounted for path in gap.layers)
    called = (layer.path for layer in report.layers if layer.calls)
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
        yield from _branch(node, report, marks, guide="", below="")


def _branch(node: Node, report: Summary, marks: Marks, *, guide: str, below: str) -> Iterator[Row]:
    """The node's row and those under it; `guide` leads to it, `below` past it."""
    layer = node.layer
    name = Cell(
        text=node.name or report.model.name,
        style=Style.STRONG if not layer.path else Style.PLAIN,
        guide=guide,
        mark=f"  ×{node.times}" if node.times > 1 else "",
        full=_full_path(node, report),
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
            yield from _branch(child, report, marks, guide=branch, below=past)
        else:
            subject = Subject(layer.own, is_lower_bound=layer.path in marks.unknown)
            full = f"{layer.path or report.model.name} {OWN}"
            yield Row(subject, Cell(OWN, Style.FAINT, branch, full=full))


def _full_path(node: Node, report: Summary) -> str:
    path = node.layer.path
    if node.times > 1:
        above = parent_of(path)
        return f"{above}.{node.name}" if above else node.name
    return path or report.model.name


# --- the list ---


def _flat_rows(report: Summary, marks: Marks, view: SummaryView) -> Iterator[Row]:
    shown = {layer.path for layer in report.layers}
    bounded = {_shown_ancestor(path, shown) for path in marks.unknown}
    layers = flat(report.layers, sort=view.sort or "macs", keep=bounded)
    listed = layers if view.top is None else layers[: view.top]
    for layer in listed:
        name = Cell(layer.path or f"{report.model.name} {OWN}")
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
