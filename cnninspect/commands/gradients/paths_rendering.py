"""How a `PathProfile` is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import comb

from cnninspect.commands.gradients.facts import EXACT, MOST_ROWS, lengths_text, paths_text, rounded
from cnninspect.commands.gradients.report import ModelPaths, PathProfile
from cnninspect.metrics.gradient_paths import PathLength
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.page import Block, Cell, Column, Kind, Page, Style, Table
from cnninspect.page.quantities import plural
from cnninspect.records.passes import PathGradient

CSV_FIELDS = ("model", "length", "paths")
COLUMNS = (
    Column("model", Kind.PATH),
    Column("weighted layers", Kind.NUMBER, sacrifice=1),
    Column("gradient paths", Kind.NUMBER),
    Column("their length in layers", Kind.NUMBER),
)
BAR = 32
"""Characters of the longest bar."""


def page(report: PathProfile, view: View) -> Page:
    """How many paths each model has, and how many there are of each length."""
    rows = tuple(
        (
            Cell(model.model.name),
            Cell(f"{model.weighted_layers:,}"),
            Cell(paths_text(model.paths, human=view.human)),
            Cell(lengths_text(model.path_lengths)),
        )
        for model in report.models
    )
    blocks: list[Block] = [Table(COLUMNS, rows)]
    for model in report.models:
        if len(model.path_lengths) > 1:
            blocks.append(_lengths(model, view))
        if model.gradients:
            blocks.append(_gradients(model))
    return Page("gradient paths", "from the output to the input", tuple(blocks))


def _lengths(model: ModelPaths, view: View) -> Table:
    """A row for each length, or for neighbouring ones, with a bar for its share."""
    groups = _groups(model.path_lengths)
    most = max(sum(item.paths for item in group) for group in groups)
    rows = []
    for group in groups:
        paths = sum(item.paths for item in group)
        first, last = group[0].length, group[-1].length
        written = f"{paths:,}" if paths < EXACT or view.width is None else rounded(paths)
        rows.append(
            (
                Cell(f"{first}" if first == last else f"{first}–{last}", Style.FAINT),
                Cell(written, full=f"{paths:,}"),
                Cell(_share(paths, model.paths)),
                Cell("█" * (BAR * paths // most), Style.ACCENT, full=" "),
            )
        )
    columns = (
        Column("layers", Kind.NUMBER),
        Column("paths", Kind.NUMBER),
        Column("%", Kind.NUMBER),
        Column("", Kind.BAR, name="bar", sacrifice=1),
    )
    count = plural(len(model.path_lengths), "length")
    return Table(columns, tuple(rows), title=f"{model.model.name}: paths of {count}")


def _gradients(model: ModelPaths) -> Table:
    """A row for each number of branches: how many such paths, and what comes along them."""
    columns = (
        Column("branches\non the path", Kind.NUMBER, name="branches"),
        Column("paths", Kind.NUMBER),
        Column("measured", Kind.NUMBER, sacrifice=1),
        Column("gradient\nof one", Kind.NUMBER, name="gradient of one"),
        Column("of all of\nthat length", Kind.NUMBER, name="of all"),
        Column("", Kind.BAR, name="bar", sacrifice=2),
    )
    totals = [total_of(each) for each in model.gradients]
    most = max(totals, default=0.0)
    rows = tuple(
        (
            Cell(f"{each.branches}", Style.FAINT),
            Cell(rounded(paths) if (paths := comb(each.blocks, each.branches)) >= EXACT
                 else f"{paths:,}"),
            Cell(f"{each.sampled}"),
            Cell(f"{each.norm:.2e}"),
            Cell(f"{total:.2e}"),
            Cell("█" * round(BAR * total / most) if most else "", Style.ACCENT, full=" "),
        )
        for each, total in zip(model.gradients, totals)
    )  # fmt: skip
    return Table(
        columns,
        rows,
        title=f"{model.model.name}: gradient along paths, at the first residual block",
        remarks=("L2 norms; of all of that length: times how many there are, as if they added up",),
    )


def total_of(each: PathGradient) -> float:
    """What all paths with so many branches would come to, if their gradients added up."""
    return each.norm * comb(each.blocks, each.branches)


def _share(part: int, whole: int) -> str:
    per_mille = 1000 * part // whole  # whole numbers, since these are beyond what floats hold
    return f"{per_mille / 10:.1f}" if per_mille else "<0.1"


def _groups(lengths: Sequence[PathLength]) -> list[Sequence[PathLength]]:
    size = -(-len(lengths) // MOST_ROWS)
    return [lengths[i : i + size] for i in range(0, len(lengths), size)]


def rows(
    report: PathProfile,
    view: View,  # noqa: ARG001
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each length of each model."""
    return CSV_FIELDS, (
        (model.model.name, item.length, item.paths)
        for model in report.models
        for item in model.path_lengths
    )


RENDERER = Renderer(
    view=View, page=page, rows=rows, picture="cnninspect.commands.gradients.paths_plot:picture"
)
