"""How a `Weights` report is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from cnninspect.commands.weights.report import TensorFigures, Weights, WeightsFigures
from cnninspect.errors import BadOption
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.page import Block, Cell, Column, Fact, Facts, Kind, Notice, Page, Style, Table
from cnninspect.page.quantities import plural, sizes

BARS = "·▁▂▃▄▅▆▇█"
CSV_FIELDS = tuple(f.name for f in fields(TensorFigures) if f.name not in ("shape", "histogram"))
COLUMNS = (
    Column("tensor", Kind.PATH),
    Column("shape", Kind.SHAPE, sacrifice=3),
    Column("L1", Kind.NUMBER, sacrifice=4),
    Column("L2", Kind.NUMBER),
    Column("largest", Kind.NUMBER, sacrifice=5),
    Column("deviation", Kind.NUMBER, sacrifice=1),
    Column("spectral\nnorm", Kind.NUMBER, name="spectral norm", sacrifice=6),
    Column("zeros\n%", Kind.NUMBER, name="zeros"),
    Column("small\n%", Kind.NUMBER, name="small", sacrifice=2),
    Column("from −largest\nto largest", Kind.SHAPE, name="histogram"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsView(View):
    """What to show of weights.

    Raises:
        BadOption: the number of rows cannot be used.
    """

    rows: int | None = 40
    """Tensors of each file at most, in their order; None: all."""

    def __post_init__(self) -> None:
        if self.rows is not None and self.rows < 1:
            raise BadOption("--rows", self.rows, "1 or more, or all")


def page(report: Weights, view: WeightsView) -> Page:
    """The totals of each file side by side, then its tensors."""
    blocks: list[Block] = []
    if len(report.files) > 1:
        blocks.append(_side_by_side(report))
    for file in report.files:
        blocks.append(_tensors(file, view, is_alone=len(report.files) == 1))
        if len(report.files) == 1:
            blocks.append(_facts(file.total))
        blocks += _warnings(file)
    names = " · ".join(file.name for file in report.files)
    count = sum(len(file.tensors) for file in report.files)
    return Page(f"weights of {names}", plural(count, "tensor"), tuple(blocks))


def _side_by_side(report: Weights) -> Table:
    columns = (
        Column("weights", Kind.PATH),
        Column("elements", Kind.NUMBER),
        Column("L1", Kind.NUMBER),
        Column("L2", Kind.NUMBER),
        Column("largest", Kind.NUMBER),
        Column("zeros %", Kind.NUMBER),
        Column("small %", Kind.NUMBER),
    )
    rows = tuple(
        (
            Cell(file.name),
            Cell(f"{file.total.elements:,}"),
            Cell(f"{file.total.l1:,.4g}"),
            Cell(f"{file.total.l2:,.4g}"),
            Cell(f"{file.total.largest:.4g}"),
            Cell(_share(file.total.zeros, file.total)),
            Cell(_share(file.total.small, file.total)),
        )
        for file in report.files
    )
    return Table(columns, rows)


def _tensors(file: WeightsFigures, view: WeightsView, *, is_alone: bool) -> Table:
    shown = file.tensors if view.rows is None else file.tensors[: view.rows]
    rows = tuple(
        (
            Cell(each.name),
            Cell(sizes(each.shape) if each.shape else "scalar"),
            Cell(f"{each.l1:,.4g}"),
            Cell(f"{each.l2:,.4g}"),
            Cell(f"{each.largest:.3g}"),
            Cell(f"{each.deviation:.3g}"),
            Cell("" if each.spectral_norm is None else f"{each.spectral_norm:.4g}"),
            Cell(_share(each.zeros, each)),
            Cell(_share(each.small, each)),
            Cell(bars(each.histogram), Style.ACCENT, full=" "),
        )
        for each in shown
    )
    left_out = len(file.tensors) - len(shown)
    remarks = ["small: below a thousandth of the tensor's root mean square"]
    if left_out:
        remarks.append(f"{plural(left_out, 'more tensor')}; --rows all shows each")
    return Table(COLUMNS, rows, title="" if is_alone else file.name, remarks=tuple(remarks))


def bars(counts: Sequence[int]) -> str:
    """A character for each bin, as high as its share of the fullest.

    >>> bars([0, 1, 4, 8])
    '·▁▄█'
    """
    most = max(counts, default=0)
    return "".join(BARS[-(-count * (len(BARS) - 1) // most)] for count in counts) if most else ""


def _share(part: int, whole: TensorFigures) -> str:
    return f"{100 * part / whole.elements:.1f}" if whole.elements else ""


def _facts(total: TensorFigures) -> Facts:
    return Facts(
        (
            Fact("elements", f"{total.elements:,}"),
            Fact("L1", f"{total.l1:,.6g}"),
            Fact("L2", f"{total.l2:,.6g}"),
            Fact("largest", f"{total.largest:.6g}"),
            Fact("zeros", f"{total.zeros:,} · {_share(total.zeros, total)} %"),
        )
    )


def _warnings(file: WeightsFigures) -> Iterator[Notice]:
    for each in file.tensors:
        found = [
            f"{count:,} {what}"
            for count, what in ((each.not_a_number, "NaN"), (each.infinite, "infinite"))
            if count
        ]
        if found:
            yield Notice(
                f"{file.name}: {each.name} has {' and '.join(found)} of {each.elements:,}",
                style=Style.BAD,
            )


def rows(
    report: Weights,
    view: WeightsView,  # noqa: ARG001
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each tensor of each file."""
    return ("file", "shape", *CSV_FIELDS), (
        (file.name, sizes(each.shape), *(getattr(each, name) for name in CSV_FIELDS))
        for file in report.files
        for each in file.tensors
    )


RENDERER = Renderer(view=WeightsView, page=page, rows=rows)
