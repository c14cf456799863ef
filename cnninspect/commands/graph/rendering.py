"""How a `Graph` is written: a table of its nodes, or the picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cnninspect.metrics.dataflow import Graph, Node
from cnninspect.page.drawings.boxes import SHARES
from cnninspect.page.drawings.drawing import drawn
from cnninspect.page.drawings.svg import write_svg
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.page import Block, Cell, Column, Kind, Notice, Page, Style, Table
from cnninspect.page.quantities import ZERO, count, scaled_time, shapes_text, share, sizes

CSV_FIELDS = (
    "path", "type", "kind", "level", "times", "parameters", "macs", "written_bytes", "seconds",
    "share", "output_shapes", "from",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphView(View):
    """What to show of a graph."""


def page(report: Graph, view: View) -> Page:
    """A row for each node, with the nodes that feed it."""
    where = f"inside {report.layer} ({report.type})" if report.layer else report.type
    about = f"{where} · level {report.level} · the picture: -o FILE.svg, .png, .pdf or .html"
    has_fields = any(node.receptive_field for node in report.nodes)
    columns = [
        Column("node", Kind.PATH),
        Column("type", sacrifice=3),
        Column("from", Kind.PATH, sacrifice=1),
        Column("output", Kind.SHAPE),
        Column("parameters", Kind.NUMBER),
        Column("MACs", Kind.NUMBER),
        Column(f"% of {SHARES[report.color_by]}", Kind.NUMBER, sacrifice=2),
    ]
    if has_fields:
        columns.append(Column("field", Kind.SHAPE, name="receptive field"))
    if report.device:
        columns.append(Column("least time", Kind.NUMBER))
    feeds = _sources(report)
    rows = []
    for node in report.nodes:
        row = list(_cells(report, node, feeds, human=view.human))
        if has_fields:
            row.append(Cell(sizes(node.receptive_field)))
        if report.device:
            row.append(Cell(scaled_time(node.seconds) if node.seconds else ZERO))
        rows.append(tuple(row))
    remarks = []
    if any(node.times > 1 for node in report.nodes):
        remarks.append("×n: n equal ones in a row; the numbers are those of one")
    remarks += [
        f"{_nodes_text([_shown(report, path) for path in frame.nodes])}: ×{frame.times:,}"
        for frame in report.frames
        if frame.times > 1
    ]
    blocks: list[Block] = [Table(tuple(columns), tuple(rows), remarks=tuple(remarks))]
    blocks += [Notice(note) for note in (*report.engine.notes, *report.notes)]
    if report.uncounted:
        ops = ", ".join(gap.op for gap in report.uncounted)
        blocks.append(Notice(f"not counted: {ops}; MACs are a lower bound", style=Style.WARNING))
    return Page(report.model.reference, about, tuple(blocks))


def _nodes_text(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{paths[0]} to {paths[-1]}"


def _sources(report: Graph) -> dict[str, list[str]]:
    """The nodes that feed each node."""
    feeds: dict[str, list[str]] = {node.path: [] for node in report.nodes}
    for edge in report.edges:
        if edge.source not in feeds[edge.target]:
            feeds[edge.target].append(edge.source)
    return feeds


def _shown(report: Graph, path: str) -> str:
    """A path from the module on whose inside is shown."""
    return path.removeprefix(f"{report.layer}.") if report.layer else path


def _cells(
    report: Graph, node: Node, feeds: dict[str, list[str]], *, human: bool
) -> Iterator[Cell]:
    is_end = node.kind in ("input", "output")
    mark = f" ×{node.times:,}" if node.times > 1 else ""
    yield Cell(_shown(report, node.path), mark=mark, full=node.path)
    yield Cell(node.type, Style.FAINT if is_end else Style.PLAIN)
    yield Cell(", ".join(_shown(report, path) for path in feeds[node.path]))
    yield Cell(shapes_text(node.output_shapes))
    for value in (node.parameters, node.macs):
        yield Cell(count(value, human=human) if value else ZERO)
    yield Cell(share(node.share, 1))


def rows(report: Graph, view: View) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:  # noqa: ARG001
    """A row for each node."""
    feeds = _sources(report)
    return CSV_FIELDS, (_row(node, feeds) for node in report.nodes)


def _row(node: Node, feeds: dict[str, list[str]]) -> Sequence[Field]:
    return (
        node.path, node.type, node.kind, node.level, node.times, node.parameters, node.macs,
        node.written_bytes, node.seconds, node.share,
        " ".join(sizes(shape) for shape in node.output_shapes), " ".join(feeds[node.path]),
    )  # fmt: skip


def svg(report: Graph, view: View) -> str:
    """The picture."""
    return write_svg(drawn(report, human=view.human))


RENDERER = Renderer(
    view=GraphView,
    page=page,
    rows=rows,
    writers={"svg": svg, "html": svg},
    picture="cnninspect.page.drawings.bitmap:picture",
)  # the picture is its form in a notebook, too
