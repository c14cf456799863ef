"""What a gradient profile says in words, and what can be chosen for it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Union

from cnninspect.commands.gradients.report import (
    EXPLODING,
    HEALTHY,
    VANISHING,
    GradientProfile,
    LayerGradients,
    ModelGradients,
    Trend,
)
from cnninspect.errors import BadOption, UnknownChoice
from cnninspect.metrics.gradient_paths import PathLength
from cnninspect.page.formats import View
from cnninspect.page.page import Cell, Column, Kind, Notice, Style, Table
from cnninspect.page.quantities import plural, sizes

MEASURES = {
    "activation-gradient-rms": "gradient at each layer's output, root mean square",
    "activation-gradient-norm": "gradient at each layer's output, L2 norm",
    "activation-gradient-zeros": "share of zeros in the gradient at each layer's output",
    "gradient-norm": "gradient of each layer's parameters, L2 norm",
    "gradient-rms": "gradient of each layer's parameters, root mean square",
    "gradient-zeros": "share of zeros in the gradient of each layer's parameters",
    "activation-norm": "output of each layer, L2 norm",
    "activation-rms": "output of each layer, root mean square",
    "parameter-norm": "each layer's parameters, L2 norm",
}
"""What bars and curves can show, in words; each is a field of `Norms`."""
MOST_ROWS = 40
"""Rows of a table unless told otherwise; where there are more layers, neighbours share one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientView(View):
    """What to show of a gradient profile, and how.

    Raises:
        UnknownChoice: there is no such measure.
        BadOption: the number of rows cannot be used.
    """

    measure: str = "activation-gradient-rms"
    """What the bars show."""
    rows: Union[int, Literal["auto"], None] = "auto"
    """Rows of the profile at most; None: one for each layer; auto: 40."""

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise UnknownChoice("--measure", self.measure, MEASURES)
        if isinstance(self.rows, int) and self.rows < 1:
            raise BadOption("--rows", self.rows, "1 or more, or all")

    @property
    def field(self) -> str:
        """The field of `Norms` that is shown."""
        return self.measure.replace("-", "_")

    @property
    def most_rows(self) -> int | None:
        """Rows at most; None: as many as there are layers."""
        return MOST_ROWS if self.rows == "auto" else self.rows


SHOWN = 5
"""Layers that are named before the rest is only counted."""
NOTABLE = 0.5
"""Orders of magnitude from one layer to the next from which on they are named."""
EXACT = 10**6
"""Numbers of paths up to this one are written out."""


def about(report: GradientProfile) -> str:
    """How all models were run: loss, seeds, batches, data, mode, start."""
    settings = report.settings
    losses = dict.fromkeys(model.loss for model in report.models)
    inputs = dict.fromkeys(
        " and ".join(sizes(tensor.spec.shape) for tensor in model.inputs) for model in report.models
    )
    parts = [
        ", ".join(losses),
        f"{plural(settings.seeds, 'seed')} × {plural(settings.batches, 'batch')}"
        .replace("batchs", "batches"),
        f"{report.models[0].data.name} data of {' or '.join(inputs)}",
        "training mode" if settings.mode == "train" else "testing mode",
    ]  # fmt: skip
    if settings.weights:
        parts.append("weights from a file")
    elif settings.init != "default":
        parts.append(f"{settings.init} initialisation")
    if settings.freeze:
        but = f" but {', '.join(settings.unfreeze)}" if settings.unfreeze else ""
        parts.append(f"frozen: {', '.join(settings.freeze)}{but}")
    parts += [value for value in (settings.dtype, settings.device) if value]
    return " · ".join(parts)


def style_of(verdict: str) -> Style:
    """How something of a model with that verdict stands out."""
    return Style.ACCENT if verdict == HEALTHY else Style.WARNING


VERDICT_COLUMNS = (
    Column("model", Kind.PATH),
    Column("verdict", Kind.SHAPE),
    Column("orders of\nmagnitude", Kind.NUMBER, name="orders"),
    Column("and of\nL2 norm", Kind.NUMBER, name="norm orders", sacrifice=10),
    Column("largest\n/ least", Kind.NUMBER, name="range", sacrifice=5),
    Column("largest\ndrop", Kind.NUMBER, name="drop", sacrifice=8),
    Column("per layer", Kind.NUMBER, sacrifice=7),
    Column("predicted", Kind.NUMBER, sacrifice=6),
    Column("weighted\nlayers", Kind.NUMBER, name="weighted layers", sacrifice=3),
    Column("loss", Kind.NUMBER, sacrifice=2),
    Column("spread", Kind.NUMBER, sacrifice=4),
    Column("gradient\npaths", Kind.NUMBER, name="gradient paths", sacrifice=9),
    Column("their length\nin layers", Kind.NUMBER, name="their length", sacrifice=1),
)


def verdicts(report: GradientProfile, *, human: bool) -> Table:
    """A row for each model: what its verdict comes from, and its gradient paths."""
    over_time = report.settings.over == "time"
    rows = [_verdict_row(model, human=human) for model in report.models]
    is_single = report.settings.seeds * report.settings.batches == 1
    hidden = {"spread"} if is_single else set()
    if over_time:
        hidden |= {"gradient paths", "their length", "weighted layers", "norm orders"}
    if over_time or not any(model.predicted_slope is not None for model in report.models):
        hidden |= {"predicted"}
    columns = [
        Column("per step", c.kind, sacrifice=c.sacrifice)
        if c.header == "per layer" and over_time
        else Column("orders of\nmagnitude", c.kind, name=c.name)
        if c.name == "orders" and over_time
        else c
        for c in VERDICT_COLUMNS
    ]
    shown = [i for i, c in enumerate(columns) if (c.name or c.header) not in hidden]
    way = "from the last time step to the first" if over_time else "from top to bottom"
    remark = f"orders of magnitude: powers of ten {way}"
    remark += "" if over_time else ", without the last layer"
    return Table(
        tuple(columns[i] for i in shown),
        tuple(tuple(row[i] for i in shown) for row in rows),
        remarks=(remark,),
    )


def _verdict_row(model: ModelGradients, *, human: bool) -> tuple[Cell, ...]:
    trend = model.trend
    style = style_of(trend.verdict)
    return (
        Cell(model.model.name),
        Cell(verdict_text(trend), Style.GOOD if style == Style.ACCENT else style),
        Cell(_signed(trend.orders, 1)),
        Cell(_signed(trend.norm_orders, 1)),
        Cell("" if trend.range_orders is None else f"{_rounded(trend.range_orders, 1):.1f}"),
        Cell(
            "" if trend.drop is None or trend.drop.orders > -0.05 else _signed(trend.drop.orders, 1)
        ),
        Cell("" if trend.slope is None else _signed(-trend.slope, 3)),
        Cell("" if model.predicted_slope is None else _signed(-model.predicted_slope, 3)),
        Cell(f"{len(model.layers):,}"),
        Cell(f"{model.loss_value:.2f}"),
        Cell(_spread(model.layers)),
        Cell(paths_text(model.paths, human=human)),
        Cell(lengths_text(model.path_lengths)),
    )


def verdict_text(trend: Trend) -> str:
    """The verdict, and whether it is near the threshold."""
    return f"{trend.verdict}, borderline" if trend.is_borderline else trend.verdict


def _signed(value: float | None, digits: int) -> str:
    return "" if value is None else f"{_rounded(value, digits):+.{digits}f}"


def _rounded(value: float, digits: int) -> float:
    return round(value, digits) + 0.0  # no minus sign before a zero


def _spread(layers: tuple[LayerGradients, ...]) -> str:
    """How far the quartiles lie apart in a typical layer, as a factor: `×1.3`."""
    pairs = [
        (layer.low.activation_gradient_rms, layer.high.activation_gradient_rms) for layer in layers
    ]
    factors = [high / low for low, high in pairs if low and high and high - high == 0]
    return f"×{statistics.median(factors):.2f}" if factors else ""


def paths_text(count: int, *, human: bool) -> str:
    """How many paths there are: exact while short, as a power of two if they are one.

    >>> paths_text(65536, human=False), paths_text(1, human=False), paths_text(2**54, human=False)
    ('2^16 = 65,536', '1', '2^54')
    """
    power = count.bit_length() - 1 if count > 2 and count & (count - 1) == 0 else 0
    if count < EXACT and not (human and power):
        return f"2^{power} = {count:,}" if power > 3 else f"{count:,}"
    return f"2^{power}" if power else rounded(count)


def rounded(count: int) -> str:
    """Two digits and the power of ten of a number that may be beyond what floats hold.

    >>> rounded(2519424), rounded(2**1200)
    ('2.5e+6', '1.7e+361')
    """
    power = len(str(count)) - 2
    head = (2 * count + 10**power) // (2 * 10**power)  # two digits, rounded
    if head == 100:
        head, power = 10, power + 1
    return f"{head // 10}.{head % 10}e+{power + 1}"


def lengths_text(lengths: Sequence[PathLength]) -> str:
    """Shortest to longest, and the mean: `5–34, mean 19.5`.

    >>> lengths_text([PathLength(2, 1), PathLength(4, 1)]), lengths_text([PathLength(8, 5)])
    ('2–4, mean 3.0', '8')
    """
    if not lengths:
        return ""
    first, last = lengths[0].length, lengths[-1].length
    mean = sum(item.length * item.paths for item in lengths) / sum(item.paths for item in lengths)
    return f"{first}" if first == last else f"{first}–{last}, mean {mean:.1f}"


def notices(report: GradientProfile) -> Iterator[Notice]:
    """Warnings, and what else must be known, for each model."""
    several = len(report.models) > 1
    for model in report.models:
        name = f"{model.model.name}: " if several else ""
        yield from _warnings(model, name)
    for note in dict.fromkeys(note for model in report.models for note in model.notes):
        yield Notice(note)


def _warnings(model: ModelGradients, name: str) -> Iterator[Notice]:
    broken = model.not_finite
    if broken:
        yield Notice(
            f"{name}numbers that are infinite or none, first in the {broken.where} of "
            f"{broken.path}, in {broken.passes} of {plural(model.passes, 'pass')}"
            .replace("passs", "passes"),
            style=Style.WARNING,
        )  # fmt: skip
    if over := _because(model.trend, of_time=bool(model.states)):
        yield Notice(f"{name}{over}", style=Style.WARNING)
    if model.asleep:
        yield Notice(
            f"{name}{plural(len(model.asleep), 'layer')} asleep: a gradient of exactly 0 at the "
            f"start, and none that is 0 after an update or two, as in branches that start at 0: "
            f"{_listed(model.asleep)}"
        )
    if model.dead:
        yield Notice(
            f"{name}{plural(len(model.dead), 'layer')} with a gradient of exactly 0: "
            f"{_listed(model.dead)}",
            style=Style.WARNING,
        )
    if model.frozen:
        yield Notice(f"{name}{plural(len(model.frozen), 'frozen layer')}: {_listed(model.frozen)}")
    data = model.data
    if data.images is not None:
        text = f"{name}{plural(data.images, 'image')} in {plural(len(data.classes), 'class')}"
        text = text.replace("classs", "classes")
        if data.skipped:
            text += f"; {data.skipped} could not be read and were skipped"
        yield Notice(text, style=Style.WARNING if data.skipped else Style.FAINT)


WAYS = {
    "ends": "{size} orders of magnitude {done} from {top} to {bottom}",
    "fit": "{size} orders of magnitude {done} from {top} to {bottom}, by a robust fit",
    "fall": "{size} orders of magnitude {done} between two {places} on the way",
    "rise": "{size} orders of magnitude {done} between two {places} on the way",
}
"""What a verdict comes from, by its name in the trend."""


def _because(trend: Trend, *, of_time: bool) -> str:
    """What made the verdict; empty where all is well."""
    change = trend.decisive_orders
    if trend.verdict not in (VANISHING, EXPLODING) or change is None:
        return ""
    lost = change < 0
    top, bottom = ("the last step", "the first") if of_time else ("top", "bottom")
    text = f"{trend.verdict}: " + WAYS[trend.reason].format(
        size=f"{abs(change):.1f}",
        done="are lost" if lost else "are gained",
        top=top,
        bottom=bottom,
        places="time steps" if of_time else "layers",
    )
    jump = trend.drop if lost else trend.rise
    if jump is not None and abs(jump.orders) >= NOTABLE:
        word = "drop" if lost else "rise"
        where = "from step {} to step {}" if of_time else "from {} to {} below it"
        text += f"; largest single {word} {abs(jump.orders):.1f}, " + where.format(
            jump.above, jump.below
        )
    return text


def _listed(paths: tuple[str, ...]) -> str:
    more = len(paths) - SHOWN
    return ", ".join(paths[:SHOWN]) + (f" and {more} more" if more > 0 else "")
