"""The stages of a network: its layers by the size of the map that they work at.

A stage is named by the side of its map as a share of the input's: `1/4` for 56×56 positions of a
224×224 image.  That makes stages of different networks comparable, whatever their modules are
called.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from cnninspect.costs import cost_of
from cnninspect.records.comparison import StageFigures
from cnninspect.records.operations import Call, Operation
from cnninspect.records.summary import Counts
from cnninspect.records.traces import Trace

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
