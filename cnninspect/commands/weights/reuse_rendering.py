"""How a `FeatureReuse` is written, and its heat maps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from cnninspect.commands.weights.report import FeatureReuse, ReuseBlock, ReusingLayer
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.page import Block, Cell, Column, Kind, Notice, Page, Style, Table
from cnninspect.page.plots import RAMP, in_style, literal_text, require_matplotlib, written
from cnninspect.page.quantities import plural

BARS = "▁▂▃▄▅▆▇█"
CSV_FIELDS = ("block", "layer", "source", "channels", "mean_weight", "relative", "of_layer")
REMARK = (
    "mean absolute weight on the channels of each source; a bar for each, in order, as high as its"
    " share of the layer's largest"
)


def page(report: FeatureReuse, view: View) -> Page:  # noqa: ARG001
    """A table for each block: its layers, and what each reads of the others."""
    blocks: list[Block] = [_table(block) for block in report.blocks]
    if not blocks:
        blocks.append(Notice("no layer reads channels of several others side by side"))
    blocks += [Notice(note) for note in report.notes]
    about = [plural(len(report.blocks), "block")]
    about += [f"weights of {report.weights}"] if report.weights else []
    return Page(f"feature reuse in {report.model.name}", " · ".join(about), tuple(blocks))


def _table(block: ReuseBlock) -> Table:
    first, *others = block.sources
    columns = (
        Column("layer", Kind.PATH),
        Column("sources", Kind.NUMBER, sacrifice=1),
        Column("block\ninput", Kind.NUMBER, name="block input"),
        Column("nearest", Kind.NUMBER),
        Column("block input … nearest", Kind.BAR, name="sources in order"),
    )
    rows = tuple(
        (
            Cell(_inside(layer.path, block.name), full=layer.path),
            Cell(f"{len(layer.reuses)}"),
            Cell(_weight(layer, first)),
            Cell(f"{layer.reuses[-1].mean_weight:.3g}"),
            Cell(_bars(layer), Style.ACCENT, full=" "),
        )
        for layer in block.layers
    )
    name = f"{block.name}: " if block.name else ""
    title = f"{name}{first} and {plural(len(others), 'source')} after it"
    return Table(columns, rows, title=title, remarks=(REMARK,))


def _inside(path: str, name: str) -> str:
    return path.removeprefix(f"{name}.") if name else path


def _weight(layer: ReusingLayer, source: str) -> str:
    found = [reuse.mean_weight for reuse in layer.reuses if reuse.source == source]
    return f"{found[0]:.3g}" if found else ""


def _bars(layer: ReusingLayer) -> str:
    """A character for each source, as high as its share of the layer's largest."""
    return "".join(
        BARS[max(math.ceil(reuse.of_layer * len(BARS)) - 1, 0)] for reuse in layer.reuses
    )


def rows(
    report: FeatureReuse,
    view: View,  # noqa: ARG001
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each source of each layer."""
    return CSV_FIELDS, (
        (block.name, layer.path, r.source, r.channels, r.mean_weight, r.relative, r.of_layer)
        for block in report.blocks
        for layer in block.layers
        for r in layer.reuses
    )


MOST_BLOCKS = 12
"""Blocks that are drawn, those with the most layers."""
ACROSS = 4
SIDE = 3.6
"""Inches of each."""


@in_style
def picture(report: FeatureReuse, format: str) -> bytes:  # noqa: A002
    """The content of a picture file: for each block a column for each layer, a row for each source.

    Raises:
        MissingLibrary: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    largest = sorted(report.blocks, key=lambda block: -len(block.layers))[:MOST_BLOCKS]
    drawn = [block for block in report.blocks if block in largest]
    across = min(len(drawn), ACROSS) or 1
    down = -(-len(drawn) // across) or 1
    figure = Figure(figsize=(SIDE * across + 0.9, (SIDE + 0.3) * down + 0.3), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False)
    image = None
    for axis, block in zip(axes.flat, drawn):
        image = _draw(axis, block)
    for axis in list(axes.flat)[len(drawn) :]:
        axis.set_axis_off()
    if image is not None:
        bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02, aspect=30)
        bar.set_label("mean |weight|, share of the layer's largest")
    left_out = len(report.blocks) - len(drawn)
    title = f"{report.model.name}: what layers read of those before them"
    title += f" · {plural(left_out, 'block')} left out" if left_out else ""
    figure.suptitle(literal_text(title), x=0.01, ha="left", fontsize=9, color="#555555")
    return written(figure, format)


def _draw(axis: Any, block: ReuseBlock) -> Any:
    """One heat map; where a layer does not read a source, it is empty."""
    place = {source: number for number, source in enumerate(block.sources)}
    grid = [[math.nan] * len(block.layers) for _ in block.sources]
    for column, layer in enumerate(block.layers):
        for reuse in layer.reuses:
            grid[place[reuse.source]][column] = reuse.of_layer
    image = axis.imshow(grid, cmap=RAMP, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    axis.grid(False)
    every = -(-len(block.sources) // 12)
    axis.set_yticks(range(0, len(block.sources), every), range(0, len(block.sources), every))
    axis.set_xticks(range(0, len(block.layers), every), range(1, len(block.layers) + 1, every))
    axis.set_xlabel("layer that reads")
    axis.set_ylabel("source (0: the block's input)")
    axis.set_title(literal_text(block.name or "network"), fontsize=9)
    return image


RENDERER = Renderer(
    view=View,
    page=page,
    rows=rows,
    picture="cnninspect.commands.weights.reuse_rendering:picture",
)
