"""Ways to make a network larger: each knows its own size, and runs the network at another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from cnninspect.commands.scale.report import CompoundGrid, GridPoint
from cnninspect.errors import BadOption, CannotScale, CnnInspectError
from cnninspect.metrics.figures import Figures, Unmeasured
from cnninspect.records.models import GraphFile, InputRequest, LoadedModel, ModelInfo, growing
from cnninspect.records.operations import NamedTensor
from cnninspect.records.traces import Trace
from cnninspect.sources import zoo
from cnninspect.sources.registry import reference_of, with_setting
from cnninspect.store.cache import Memory
from cnninspect.store.survey import Progress, survey
from cnninspect.store.tasks import Task

LETTERS = {
    "resolution": "r",
    "batch": "n",
    "width": "w",
    "depth": "d",
    "sequence": "t",
}
"""What can be scaled by name, with the letter for it; anything else is a setting, `s`."""
KEYS = {
    "resolution": ("resolution", "image_size", "img_size", "input_size"),
    "sequence": ("length",),
    "width": ("width", "width_mult", "width_per_group", "channel_multiplier", "base_width",
              "growth_rate", "hidden_size", "hidden", "channels"),
    "depth": ("depth", "depth_multiplier", "num_hidden_layers", "num_layers", "hidden_layers"),
}  # fmt: skip
"""Settings that stand for a size, by what is scaled, the likeliest first."""
USUAL = {"width_mult": 1, "width_per_group": 64, "channel_multiplier": 1.0, "depth_multiplier": 1.0}
"""What settings are in libraries that do not tell."""
IMAGE = 4
"""Dimensions of a batch of images."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way to run a network at other sizes."""

    how: str
    """What is changed: `the input`, `resolution=…`."""
    start: Fraction
    """The size that the network has by itself."""
    run: Callable[[Fraction], Trace]
    trial: Fraction
    """A size that tells whether the network goes along with it."""
    multiplies: bool = False
    """Whether sizes are multiples of the start, as for widths; else they differ by steps."""


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs one network as it is, or with something changed."""

    model: str | LoadedModel | GraphFile
    arguments: Sequence[Any] | None
    batch: int
    mode: str

    @property
    def name(self) -> str:
        """What the network is called."""
        return self.model if isinstance(self.model, str) else self.model.info.reference

    def run(self, model: Any = None, *, arguments: Any = None, batch: int | None = None) -> Trace:
        """A trace of it."""
        from cnninspect.sources.open import trace

        return trace(
            self.model if model is None else model,
            self.arguments if arguments is None else arguments,
            mode=self.mode,
            batch=batch or self.batch,
        )


def ways(over: str, runner: Runner, base: Trace) -> Iterator[Way]:
    """The ways to scale a network, the likeliest first; `base` is it as it is."""
    if over == "batch":
        grown = growing(runner.arguments)

        def run(size: Fraction) -> Trace:
            return runner.run(arguments=grown, batch=int(size))

        yield Way("the batch", Fraction(1), run, Fraction(2))
        return
    settings = list(_settings(over, runner, base))
    inputs = list(_inputs(over, runner, base))
    is_zoo = base.model.source == "zoo"  # whose settings set the input as well
    yield from (*settings, *inputs) if is_zoo or over not in KEYS else (*inputs, *settings)
    if over == "depth" and is_zoo:
        yield from _repeated_blocks(runner)


def _settings(over: str, runner: Runner, base: Trace) -> Iterator[Way]:
    """By a setting of the reference."""
    if not isinstance(runner.model, str):
        return
    from cnninspect.sources.registry import reference_of, with_setting

    reference = reference_of(runner.model)
    text = runner.model
    for key in KEYS.get(over, (over,)):
        start = _value_of(key, text)
        if start is None and over == "resolution":  # what the library does not tell, the input does
            start = _side(base.inputs)
        if start is None:
            continue
        is_float = isinstance(start, float)

        def run(size: Fraction, key: str = key, is_float: bool = is_float) -> Trace:
            return runner.run(with_setting(text, key, float(size) if is_float else int(size)))

        # Depths of the zoo are 6n + 2 and the like.
        has_steps = over in ("resolution", "sequence") or (
            over == "depth" and reference.source == "zoo" and not is_float
        )
        yield Way(f"{key}=…", Fraction(start), run, Fraction(start), not has_steps)


def _value_of(key: str, text: str) -> int | float | None:
    """What a setting is in a reference; None: it has no such setting, or does not tell."""
    from cnninspect.sources import hf, zoo
    from cnninspect.sources.hf_inputs import TOKENS
    from cnninspect.sources.literals import literal
    from cnninspect.sources.registry import reference_of

    reference = reference_of(text)
    typed = dict(reference.settings).get(key)
    value: Any = None
    if typed is not None:
        value = literal(typed)
    elif reference.source == "zoo":
        value = zoo.arguments_of(reference).get(key)
    elif reference.source == "hf":
        value = TOKENS if key == hf.LENGTH else hf.configured(reference).get(key)
    elif reference.source in ("torchvision", "timm"):
        value = USUAL.get(key)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number else None


def _repeated_blocks(runner: Runner) -> Iterator[Way]:
    """By more blocks in each stage of a network of the zoo."""
    from cnninspect.sources import zoo
    from cnninspect.sources.registry import reference_of

    assert isinstance(runner.model, str)
    reference = reference_of(runner.model)
    depths = zoo.arguments_of(reference).get("depths")
    if not isinstance(depths, tuple):
        return

    def run(size: Fraction) -> Trace:
        more = {"depths": tuple(int(size) * depth for depth in depths)}
        return runner.run(zoo.load(reference, more))

    yield Way("blocks of each stage", Fraction(1), run, Fraction(2), multiplies=True)


def _inputs(over: str, runner: Runner, base: Trace) -> Iterator[Way]:
    """By the shape of the input."""
    resize = {"resolution": _resized, "sequence": _lengthened}.get(over)
    start = _side(base.inputs) if over == "resolution" else _length(base.inputs)
    if resize is None or start is None:
        return

    def run(size: Fraction) -> Trace:
        requests = [
            InputRequest(
                resize(tensor.spec.shape, start, int(size)), tensor.spec.dtype, tensor.name
            )
            for tensor in base.inputs
        ]
        return runner.run(arguments=requests, batch=1)

    yield Way("the input", Fraction(start), run, Fraction(2 * start))


def _side(inputs: Sequence[NamedTensor]) -> int | None:
    """The height of the first image."""
    return next((t.spec.shape[-2] for t in inputs if len(t.spec.shape) >= IMAGE), None)


def _length(inputs: Sequence[NamedTensor]) -> int | None:
    """The steps of the first sequence: token ids, or features of one step after the other."""
    return next((t.spec.shape[1] for t in inputs if len(t.spec.shape) in (2, 3)), None)


def _resized(shape: tuple[int, ...], start: int, size: int) -> tuple[int, ...]:
    """The shape of an image with another height, and a width in proportion."""
    if len(shape) < IMAGE:
        return shape
    height, width = shape[-2:]
    return (*shape[:-2], height * size // start, width * size // start)


def _lengthened(shape: tuple[int, ...], start: int, size: int) -> tuple[int, ...]:
    """The shape of a sequence with another number of steps."""
    is_sequence = len(shape) > 1 and shape[1] == start
    return (shape[0], size, *shape[2:]) if is_sequence else shape


def first_working(over: str, runner: Runner, base: Trace, wanted: Fraction | None) -> Way:
    """The first way that the network goes along with, tried at the size wanted or at its own.

    Raises:
        CannotScale: it goes along with none.
    """
    reason, hint = "it has no such size", ""
    for way in ways(over, runner, base):
        try:
            way.run(way.trial if wanted is None else wanted)
        except CnnInspectError as problem:
            reason, hint = f"with {way.how} it fails: {problem}", problem.hint
            continue
        return way
    if reason == "it has no such size":
        names = ", ".join(LETTERS)
        hint = f"--over takes {names}, or a setting with a number in the reference: @width=16"
    raise CannotScale(runner.name, over, reason, hint)


TARGET = 2.0
PUBLISHED = (1.2, 1.1, 1.15)
"""α, β, γ that the authors chose by accuracy."""
SETTINGS = ("depth", "width", "resolution")
ALL = "depth, width and resolution"
"""The same in words."""
STEPS = 20
"""Steps of the grid in 1; of 0.05, as the published values have it."""


def compound_grid(
    model: str,
    *,
    tolerance: float = 0.1,
    jobs: int | None = None,
    memory: Memory | None = None,
    progress: Progress | None = None,
) -> CompoundGrid:
    """Every α, β, γ on the grid whose α·β²·γ² is within `tolerance` of 2, with its cost.

    Raises:
        CannotScale: the network has no settings for depth, width and resolution.
        BadOption: the tolerance is not above 0 and at most 1.
        Failure: the network itself cannot be measured.
    """
    if not 0 < tolerance <= 1:
        raise BadOption("--tolerance", tolerance, "above 0 and at most 1")
    depth, width, resolution = _own_sizes(model)
    grid = list(_grid(tolerance))
    sizes = [(depth * a, width * b, round(resolution * c)) for a, b, c in grid]
    tasks = [Task(model), *(Task(_scaled(model, size)) for size in sizes)]
    outcomes = survey(tasks, jobs=jobs, memory=memory, progress=progress)
    base, *others = outcomes
    if isinstance(base, Unmeasured):
        raise CannotScale(model, ALL, base.error, base.hint)
    points = [
        _point(abc, size, figures, base)
        for abc, size, figures in zip(grid, sizes, others)
        if isinstance(figures, Figures)
    ]
    points.sort(key=lambda p: (abs(p.ratio - TARGET), p.alpha, p.beta, p.gamma))
    return CompoundGrid(
        model=ModelInfo(base.model.reference, base.model.source, base.model.name),
        parameters=base.totals.parameters,
        macs=base.totals.macs,
        target=TARGET,
        tolerance=tolerance,
        points=tuple(points),
        notes=memory.told() if memory else (),
    )


def _own_sizes(model: str) -> tuple[float, float, int]:
    reference = reference_of(model)
    hint = "cnninspect scale efficientnet_b0 --grid"
    if reference.source != "zoo":
        raise CannotScale(model, ALL, "the grid is for networks of the zoo", hint)
    arguments: dict[str, Any] = dict(zoo.arguments_of(reference))
    depth, width, resolution = (arguments.get(name) for name in SETTINGS)
    if not isinstance(depth, float) or not isinstance(width, float) or resolution is None:
        # A depth of 40 layers is no multiplier.
        values = {"depth": isinstance(depth, float), "width": isinstance(width, float)}
        missing = [name for name, is_there in values.items() if not is_there]
        problem = f"it has no setting that multiplies its {' or its '.join(missing)}"
        raise CannotScale(model, ALL, problem if missing else "it has no resolution", hint)
    return depth, width, int(resolution)


def _grid(tolerance: float) -> Iterator[tuple[float, float, float]]:
    """α, β, γ from 1 on in steps of 0.05."""
    most = round(STEPS * (TARGET + tolerance)) + 1
    for i in range(STEPS, most):
        for j in range(STEPS, most):
            for k in range(STEPS, most):
                a, b, c = i / STEPS, j / STEPS, k / STEPS
                if abs(a * b * b * c * c - TARGET) <= tolerance:
                    yield a, b, c


def _scaled(model: str, size: tuple[float, float, int]) -> str:
    text = model
    for name, value in zip(SETTINGS, size):
        text = with_setting(text, name, f"{value:.6g}")
    return text


def _point(
    abc: tuple[float, float, float],
    size: tuple[float, float, int],
    figures: Figures,
    base: Figures,
) -> GridPoint:
    a, b, c = abc
    return GridPoint(
        alpha=a,
        beta=b,
        gamma=c,
        product=a * b * b * c * c,
        resolution=size[2],
        parameters=figures.totals.parameters,
        macs=figures.totals.macs,
        ratio=figures.totals.macs / base.totals.macs,
        published=abc == PUBLISHED,
    )
