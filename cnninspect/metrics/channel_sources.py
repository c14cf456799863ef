"""Which layers made the channels that a layer reads, followed through joins by the dataflow."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from cnninspect.metrics.field_rules import copy, elementwise, first_alone, padding, pooling, rule_of
from cnninspect.records.operations import Call, Operation, TensorSpec
from cnninspect.records.traces import Trace

CONVOLUTIONS = ("aten.convolution", "aten._convolution")
PRODUCTS = ("aten.addmm", "aten.mm", "aten.linear")
KEEPING = frozenset({elementwise, first_alone, copy, padding, pooling})
"""Rules of operations that work in each channel by itself, whose number stays."""
VIEWS = ("view", "reshape", "_unsafe_view", "flatten", "unsqueeze", "squeeze")
REDUCTIONS = ("mean", "sum", "amax")


@dataclass(frozen=True, slots=True)
class Part:
    """Channels side by side that one operation made."""

    call: int
    """Which, or `-1 - i` for the network's input number `i`."""
    source: str
    """Path of the layer that it ran in; with the operator's name where that is no layer with
    weights, as for a sum."""
    channels: int


@dataclass(frozen=True, slots=True)
class Reader:
    """A layer that multiplies channels by weights."""

    path: str
    weight: str
    """Full name of the weights."""
    parts: tuple[Part, ...]
    """What it reads, in the order of the channels."""
    groups: int = 1
    positions: int = 1
    """Weights that it has for each channel side by side: of a flattened map, its positions."""
    inputs_first: bool = False
    """Whether the first dimension of the weights is the input's, as in transposed convolutions."""


def readers(trace: Trace) -> tuple[Reader, ...]:
    """Every convolution and linear layer whose input's channels can be told apart, in order."""
    return tuple(_readers(trace, _parts_by_call(trace)))


def _readers(trace: Trace, known: dict[int, tuple[Part, ...]]) -> Iterator[Reader]:
    weights = {
        layer.path: [p.name for p in layer.parameters if len(p.spec.shape) > 1]
        for layer in trace.layers
    }
    for call in trace.calls:
        operation, owned = call.operation, weights.get(call.layer, [])
        is_convolution = operation.name in CONVOLUTIONS
        if not (is_convolution or operation.name in PRODUCTS) or len(owned) != 1:
            continue
        parts = known.get(call.inputs[0]) if call.inputs else None
        if parts is None:
            continue
        given = next((s for s in _data(operation) if len(s.shape) > 1), None)
        channels = sum(part.channels for part in parts)
        if given is None or channels == 0 or given.shape[1] % channels:
            continue
        groups = operation.argument("groups", 1)
        yield Reader(
            path=call.layer,
            weight=f"{call.layer}.{owned[0]}" if call.layer else owned[0],
            parts=parts,
            groups=groups if isinstance(groups, int) else 1,
            positions=given.shape[1] // channels,
            inputs_first=operation.argument("transposed") is True,
        )


def _data(operation: Operation) -> tuple[TensorSpec, ...]:
    """The tensors that may be what is read: of `addmm` what follows the bias."""
    return operation.inputs[1:] if operation.name == "aten.addmm" else operation.inputs


def _parts_by_call(trace: Trace) -> dict[int, tuple[Part, ...]]:
    """What each call's first output is made of, along its second dimension."""
    known: dict[int, tuple[Part, ...]] = {}
    for i, tensor in enumerate(trace.inputs):
        if len(tensor.spec.shape) > 1:
            known[-1 - i] = (Part(-1 - i, tensor.name or "input", tensor.spec.shape[1]),)
    weighted = {layer.path for layer in trace.layers if layer.parameters}
    for call in trace.calls:
        if not call.operation.outputs or len(call.operation.output.shape) < 2:
            continue
        parts = _followed(call, known)
        known[call.index] = parts if parts is not None else (_made_by(call, weighted),)
    return known


def _made_by(call: Call, weighted: set[str]) -> Part:
    """A part of its own: what this call makes."""
    name = call.operation.name.partition(".")[2].strip("_")
    source = call.layer if call.layer in weighted else f"{call.layer} ({name})".strip()
    return Part(call.index, source, call.operation.output.shape[1])


def _followed(call: Call, known: dict[int, tuple[Part, ...]]) -> tuple[Part, ...] | None:
    """The parts that go through a call; None where it makes something new of them."""
    operation = call.operation
    shape = operation.output.shape
    name = operation.name.removeprefix("aten.").rstrip("_")
    origins = tuple(dict.fromkeys(call.inputs))
    if name == "cat":
        dim = operation.argument("dim", 0)
        along = isinstance(dim, int) and dim % len(shape) == 1
        if not along or len(call.inputs) != len(operation.inputs):
            return None
        found = [known.get(origin) for origin in call.inputs]
        if any(parts is None for parts in found):
            return None
        return tuple(part for parts in found if parts is not None for part in parts)
    if not origins:
        return None
    if len(origins) > 1:  # a gate, or a sum
        if name != "mul" or len(operation.inputs) != 2:
            return None
        whole = [o for o, spec in zip(call.inputs, operation.inputs) if spec.shape == shape]
        return known.get(whole[0]) if len(whole) == 1 else None
    parts = known.get(origins[0])
    given = next((s.shape for s in operation.inputs if len(s.shape) > 1), ())
    if parts is None or not given or sum(p.channels for p in parts) != given[1]:
        return _unflattened(parts, given, shape, name)
    if name == "slice":
        return _sliced(parts, operation, len(shape))
    if name in VIEWS:
        rest = math.prod(given[2:])
        is_kept = shape[0] == given[0] and shape[1] in (given[1], given[1] * rest)
        return parts if is_kept and len(shape) <= len(given) else None
    if name in REDUCTIONS:
        return parts if len(given) > 2 and shape[:2] == given[:2] else None
    is_pooling = "pool" in name or "upsample" in name
    if rule_of(operation) in KEEPING or is_pooling or "batch_norm" in name:
        return parts if shape[1] == given[1] else None
    return None


def _unflattened(
    parts: tuple[Part, ...] | None, given: tuple[int, ...], shape: tuple[int, ...], name: str
) -> tuple[Part, ...] | None:
    """The parts of a flattened map, which work element by element leaves as they are."""
    is_flat = parts is not None and len(given) == len(shape) == 2 and given == shape
    return parts if is_flat and name in ("relu", "mul", "clone", "dropout", "hardtanh") else None


def _sliced(parts: tuple[Part, ...], operation: Operation, rank: int) -> tuple[Part, ...] | None:
    """The parts from one channel to another."""
    dim, step = operation.argument("dim", 0), operation.argument("step", 1)
    start, end = operation.argument("start", 0), operation.argument("end")
    if not isinstance(dim, int) or step != 1:
        return None
    if dim % rank != 1:
        return parts if dim % rank != 0 else None
    channels = sum(part.channels for part in parts)
    first = start if isinstance(start, int) else 0
    last = end if isinstance(end, int) else channels
    first, last = (min(max(n + channels if n < 0 else n, 0), channels) for n in (first, last))
    found, place = [], 0
    for part in parts:
        kept = min(last, place + part.channels) - max(first, place)
        if kept > 0:
            found.append(Part(part.call, part.source, kept))
        place += part.channels
    return tuple(found) or None
