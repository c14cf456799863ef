"""The figures of a whole network, by which models are compared, and how they stand to limits."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cnninspect.costs import cost_of
from cnninspect.errors import BadOption, BadQuantity
from cnninspect.metrics.depth import depth_of, weighted_layers
from cnninspect.metrics.gradient_paths import gradient_paths
from cnninspect.metrics.limits import QUANTITIES, Limit
from cnninspect.metrics.receptive_field import receptive_fields
from cnninspect.metrics.summarizing import summarize_trace
from cnninspect.metrics.summary import (
    BytesAs,
    ConventionTotal,
    Counts,
    Coverage,
    EngineInfo,
    Published,
    StageFigures,
    Summary,
    Totals,
    Uncounted,
    Whole,
)
from cnninspect.records.models import Accuracy, ModelInfo
from cnninspect.records.operations import BITS, Call, NamedTensor, Operation, TensorSpec
from cnninspect.records.passes import WeightedLayer
from cnninspect.records.timings import Latency
from cnninspect.records.traces import Layer, Trace

WEIGHTS_ONLY = "none"
"""How a file of weights was run: not at all, so that nothing is known of its work."""
DTYPES = ("float32", "float16", "bfloat16", "int8", "int4")
"""Dtypes that weights are commonly stored in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredAccuracy:
    """How well a network with weights did on data, here and now."""

    accuracy: float
    """Share of the examples whose label was found."""
    low: float
    """Of 95 of 100 samples drawn from the examples, the least accuracy."""
    high: float
    """And the greatest."""
    loss: float | None
    data: str
    part: str
    """`held-out` or `all`."""
    examples: int
    weights: str | None
    """The file of weights; None: its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One model: what a summary holds, without its layers, and what is told of it as a whole."""

    model: ModelInfo
    inputs: tuple[NamedTensor, ...]
    outputs: tuple[NamedTensor, ...]
    engine: EngineInfo
    mode: str
    """`eval` or `train`."""
    totals: Totals
    convention: ConventionTotal
    coverage: Coverage
    uncounted: tuple[Uncounted, ...]
    published: tuple[Published, ...]
    depth: int
    """Weighted layers on the longest way from an input to an output."""
    weighted_layers: int
    """Weighted layers in all."""
    receptive_field: tuple[int, ...] | None
    """Of the last layer for which it can be told, by dimension."""
    gradient_paths: int
    """Ways that a gradient can take from the outputs to the inputs."""
    bytes_as: tuple[BytesAs, ...]
    """Bytes of the parameters in common dtypes; those that are not floating-point stay."""
    stages: tuple[StageFigures, ...]
    """By size of map, in the order in which the network first reaches each."""
    accuracy: Accuracy | None = None
    latency: Latency | None = None
    """How long it takes on this machine, where that was measured."""
    bound_s: float | None = None
    """The least time on the device that was named, call by call; None: none was."""
    measured: MeasuredAccuracy | None = None
    """How well it did on data, where that was measured."""

    @property
    def latency_ns(self) -> int | None:
        """The median latency in nanoseconds."""
        return None if self.latency is None else round(self.latency.median_s * 1e9)

    @property
    def bound_ns(self) -> int | None:
        """The least time in nanoseconds."""
        return None if self.bound_s is None else round(self.bound_s * 1e9)

    @property
    def has_work(self) -> bool:
        """Whether anything was run: a file of weights has parameters, and no MACs to be told."""
        return self.engine.run != WEIGHTS_ONLY


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A model that failed, with the reason."""

    reference: str
    error: str
    """What went wrong, in a sentence."""
    hint: str
    kind: str
    """Class of the error."""


def figures_of(trace: Trace, convention: str = "macs", accuracy: Accuracy | None = None) -> Figures:
    """What a network has and does as a whole.

    Raises:
        UnknownChoice: there is no convention of that name.
    """
    return figures_in(with_whole(summarize_trace(trace, convention), trace), accuracy)


def with_whole(summary: Summary, trace: Trace) -> Summary:
    """The summary with what is told of the network as a whole; `trace` is that of the same."""
    weighted = weighted_layers(trace)
    whole = Whole(
        depth=depth_of(trace, (layer.path for layer in weighted)),
        weighted_layers=len(weighted),
        receptive_field=last_field(trace, weighted),
        gradient_paths=gradient_paths(trace, weighted).count,
        bytes_as=tuple(BytesAs(dtype, bytes_as(trace, dtype)) for dtype in DTYPES),
        stages=stages_of(trace, {layer.path: layer.own for layer in summary.layers}),
    )
    return replace(summary, whole=whole)


def figures_in(summary: Summary, accuracy: Accuracy | None = None) -> Figures:
    """The figures of a summary that has them.

    Raises:
        ValueError: it has them not.
    """
    whole = summary.whole
    if whole is None:
        raise ValueError(f"the summary of {summary.model.reference} has no figures of the whole")
    return Figures(
        model=summary.model,
        inputs=summary.inputs,
        outputs=summary.outputs,
        engine=summary.engine,
        mode=summary.mode,
        totals=summary.totals,
        convention=summary.convention,
        coverage=summary.coverage,
        uncounted=summary.uncounted,
        published=summary.published,
        depth=whole.depth,
        weighted_layers=whole.weighted_layers,
        receptive_field=whole.receptive_field,
        gradient_paths=whole.gradient_paths,
        bytes_as=whole.bytes_as,
        stages=whole.stages,
        accuracy=accuracy,
    )


def bytes_as(trace: Trace, dtype: str) -> int:
    """What the parameters take if those of floating point are stored in another dtype."""
    return bytes_of(trace.layers, dtype)


def bytes_of(layers: Iterable[Layer], dtype: str) -> int:
    """What the layers' own parameters take if they are stored in another dtype."""
    return sum(
        _stored(parameter.spec, dtype).nbytes
        for layer in layers
        for parameter in layer.parameters
        if parameter.shared_with is None
    )


def _stored(spec: TensorSpec, dtype: str) -> TensorSpec:
    is_floating = "float" in spec.dtype and BITS[spec.dtype] > 4
    return TensorSpec(spec.shape, dtype) if is_floating else spec


def last_field(
    trace: Trace, weighted: tuple[WeightedLayer, ...] | None = None
) -> tuple[int, ...] | None:
    """The receptive field of the output, or else of the last weighted layer."""
    if weighted is None:
        weighted = weighted_layers(trace)
    paths = ["", *(layer.path for layer in weighted[-1:])]
    fields = receptive_fields(trace, paths)
    return next((fields[path] for path in paths if path in fields), None)


HEAD, NOT_RUN = "head", "not run"
SPATIAL = 4
"""Dimensions of a batch of images; a batch of clips has one more."""


def stages_of(trace: Trace, own: Mapping[str, Counts]) -> tuple[StageFigures, ...]:
    """The stages in the order in which the network first reaches each; `own` is by layer path.

    A layer belongs to the stage of its output, and where that is no map, as in squeeze and
    excitation, to the stage that is running.  What works after the last map is the head.
    """
    stage_of = _stage_by_layer(trace)
    found: dict[str, list[Counts]] = {name: [] for name in stage_of.values() if name != HEAD}
    for path, counts in own.items():
        if counts != Counts():
            found.setdefault(stage_of.get(path, NOT_RUN), []).append(counts)
    return tuple(
        StageFigures(name, sum(1 for c in counts if c.macs), sum(counts, Counts()))
        for name, counts in found.items()
        if counts
    )


def _stage_by_layer(trace: Trace) -> dict[str, str]:
    """By path of every layer that did something or whose parameters were used, its stage.

    Its multiply-accumulates decide; before a layer's own, it may rearrange its input.
    """
    measure = _Positions(trace)
    here = [measure.of(call) for call in trace.calls]
    maps = [i for i, call in enumerate(trace.calls) if here[i] > 1 or measure.is_map(call)]
    names = _stage_by_call(here, measure.input, max(maps, default=-1))
    working: dict[str, str] = {}
    other: dict[str, str] = {}
    for call, positions, name in zip(trace.calls, here, names):
        stages = working if positions else other
        stages.setdefault(call.layer, name)
        for parameter in call.parameters:
            other.setdefault(parameter.rpartition(".")[0], name)
    order = dict.fromkeys((*other, *working))
    return {path: working.get(path, other.get(path, "")) for path in order}


def _stage_by_call(here: list[int], whole: int, last_map: int) -> list[str]:
    """The stage that each call belongs to.

    `here` are its positions, `whole` the input's; `last_map` is the last call that writes a map.
    """
    if whole <= 1:
        return ["1"] * len(here)
    head = next((i for i, n in enumerate(here) if i > last_map and n), len(here))
    names: list[str] = []
    for i, positions in enumerate(here):
        if positions > 1:
            names.append(_name(whole / positions))
        elif i >= head:
            names.append(HEAD)
        else:
            names.append(names[-1] if names else "1")
    return names


class _Positions:
    """Counts the positions that one image has in what an operation writes."""

    def __init__(self, trace: Trace) -> None:
        shapes = [tensor.spec.shape for tensor in trace.inputs]
        image = next((shape for shape in shapes if len(shape) >= SPATIAL), ())
        self.input = math.prod(image[-2:])
        """Those of the first input that is an image or a clip; 1 where there is none."""
        self.batch = max(image[0], 1) if image else 1
        self._known: dict[int, int] = {}

    def of(self, call: Call) -> int:
        """For a counted operation; 0: it is no such one, or it does not say."""
        key = id(call.operation)
        if key not in self._known:
            self._known[key] = self._count(call.operation)
        return self._known[key]

    def is_map(self, call: Call) -> bool:
        """Whether it writes a map, as the product with the weights of squeeze and excitation."""
        outputs = call.operation.outputs
        shape = outputs[0].shape if outputs else ()
        return len(shape) >= SPATIAL and math.prod(shape[-2:]) > 1

    def _count(self, operation: Operation) -> int:
        if not operation.outputs or not cost_of(operation).cost.macs:
            return 0
        shape = operation.output.shape
        if "conv" in operation.name.lower():  # channels come second
            return math.prod(shape[-2:]) if len(shape) >= SPATIAL else 0
        if len(shape) < 2 or any(word in operation.name for word in ("attention", "bmm")):
            return 0
        return math.prod(shape[:-1]) // self.batch  # channels come last


def _name(share: float) -> str:
    """`1/4` for a map of a sixteenth of the positions; sides are halved, so powers of two."""
    halvings = round(math.log2(share) / 2)
    return "1" if halvings == 0 else f"1/{2**halvings}" if halvings > 0 else f"{2**-halvings}"


def stored_as(figures: Figures, dtype: str) -> Figures:
    """The same model with the bytes of its parameters as they are in that dtype."""
    size = next(item.bytes for item in figures.bytes_as if item.dtype == dtype)
    return replace(figures, totals=replace(figures.totals, parameter_bytes=size))


def check_dtype(dtype: str | None) -> None:
    """See that figures know the bytes in that dtype.

    Raises:
        BadOption: they do not.
    """
    if dtype is not None and dtype not in DTYPES:
        raise BadOption("--dtype", dtype, f"one of {', '.join(DTYPES)}")


def is_known(figures: Figures, quantity: str) -> bool:
    """Whether anything is known of a quantity that can be limited: times have to be measured."""
    return (
        not QUANTITIES[quantity].is_time or getattr(figures, QUANTITIES[quantity].field) is not None
    )


def figure(figures: Figures, quantity: str) -> int:
    """The value of a quantity that can be limited; 0 where nothing is known of it."""
    field = QUANTITIES[quantity].field
    holder = figures.totals if hasattr(figures.totals, field) else figures
    value: int | None = getattr(holder, field)
    return value or 0


def ratio(value: int, whole: int) -> float | None:
    """One number divided by another; None where that is 0."""
    return value / whole if whole else None


@dataclass(frozen=True, slots=True)
class Ratios:
    """A model's figures divided by those of the baseline; None where that has 0."""

    parameters: float | None
    macs: float | None
    activations: float | None
    parameter_bytes: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedModel(Figures):
    """A model with how it stands to the baseline and to the limits."""

    ratios: Ratios | None
    """None where the baseline is not known."""
    fits: bool | None
    """Whether it keeps every limit; None where there is none, or where operations without a
    formula leave it open."""
    exceeded: tuple[str, ...] = ()
    """The limits that it does not keep: `max_macs`."""


@dataclass(frozen=True, slots=True)
class LimitText:
    """A limit as it was typed, and what it comes to."""

    name: str
    """`max_macs`."""
    text: str
    """As it was typed: `4G`."""
    limit: int
    """The number; a share is one of the baseline's."""


def limit_texts(limits: Iterable[Limit], baseline: Figures | None) -> tuple[LimitText, ...]:
    """The limits as they were typed, with what they come to.

    Raises:
        BadQuantity: one is a share, and there is nothing that it could be a share of.
    """
    return tuple(
        LimitText(limit.name, limit.bound.text, limit.limit(_baseline_figure(limit, baseline)))
        for limit in limits
    )


def _baseline_figure(limit: Limit, baseline: Figures | None) -> int:
    if not limit.bound.is_share:
        return 0
    if baseline is None:
        option = f"--{limit.name.replace('_', '-')}"
        raise BadQuantity(option, limit.bound.text, "a share needs --baseline MODEL to be one of")
    return figure(baseline, limit.quantity)


def compared(figures: Figures, baseline: Figures | None, limits: Sequence[Limit]) -> dict[str, Any]:
    """The fields of a model that is compared."""
    broken, is_open = [], False
    for limit in limits:
        if not is_known(figures, limit.quantity):
            is_open = True
            continue
        value, whole = figure(figures, limit.quantity), _baseline_figure(limit, baseline)
        is_bound = QUANTITIES[limit.quantity].is_work and (
            bool(figures.uncounted) or not figures.has_work
        )
        if not limit.keeps(value, whole):
            if limit.is_max or not is_bound:
                broken.append(limit.name)
            else:
                is_open = True  # it may be as much, with what has no formula
        elif is_bound and limit.is_max:
            is_open = True
    fits = None if not limits or (is_open and not broken) else not broken
    fields = {f.name: getattr(figures, f.name) for f in dataclasses.fields(Figures)}
    return {
        **fields,
        "ratios": _ratios(figures, baseline) if baseline else None,
        "fits": fits,
        "exceeded": tuple(broken),
    }


def _ratios(figures: Figures, baseline: Figures) -> Ratios:
    ours, theirs, runs = figures.totals, baseline.totals, figures.has_work
    return Ratios(
        parameters=ratio(ours.parameters, theirs.parameters),
        macs=ratio(ours.macs, theirs.macs) if runs else None,
        activations=ratio(ours.activations, theirs.activations) if runs else None,
        parameter_bytes=ratio(ours.parameter_bytes, theirs.parameter_bytes),
    )
