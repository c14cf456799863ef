"""A trace as data: compressed JSON, in which each shape and each operation stands once.

Never pickle: whoever can write the file of what is remembered must not be able to run code.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any, Union

from cnninspect.records.models import ModelInfo
from cnninspect.records.operations import (
    Argument,
    Call,
    NamedTensor,
    Operation,
    TensorSpec,
    UnknownTensor,
)
from cnninspect.records.traces import (
    Buffer,
    Dropout,
    HowTraced,
    Layer,
    Parameter,
    Routing,
    SavedStorage,
    Trace,
    TrainingTrace,
)

Kept = Union[Trace, TrainingTrace]
"""What is remembered: a run, or a step of training."""

FAST = 1
"""Level of compression: the next ones take three times as long and save a tenth."""
MOST_BYTES = 256 << 20
"""Bytes of a trace, unpacked."""
PLAIN = (type(None), bool, int, float, str)
"""Arguments that JSON has as they are."""
SPEC, UNKNOWN = "t", "u"
"""Keys that mark a tensor, by its number, and one whose shape is not known."""


class Unwritable(TypeError):
    """A trace holds something that JSON does not give back as it was."""


def written(kept: Kept) -> bytes:
    """A trace, or a step of training, as compressed JSON.

    Raises:
        Unwritable: an argument in it is of a type that JSON lacks.
    """
    tables = _Tables()
    if isinstance(kept, TrainingTrace):
        data: dict[str, Any] = {
            "forward": _trace_data(kept.forward, tables),
            "backward": [tables.call(call) for call in kept.backward],
            "saved": [[s.layer, s.nbytes, s.is_input] for s in kept.saved],
            "live": kept.live_bytes,
            "bytes": [kept.input_bytes, kept.left_bytes, kept.gradient_bytes],
            "reached": sorted(kept.reached),
        }
    else:
        data = {"trace": _trace_data(kept, tables)}
    data["shapes"], data["operations"] = list(tables.specs), tables.operations
    return zlib.compress(json.dumps(data, separators=(",", ":")).encode("ascii"), FAST)


def read(content: bytes) -> Kept:
    """The trace, or the step of training, that was written.

    Raises:
        ValueError: it is damaged, or from another version.
    """
    try:
        data = json.loads(_unpacked(content))
        specs = [TensorSpec(tuple(shape), dtype) for shape, dtype in data["shapes"]]
        reader = _Reader(specs, data["operations"])
        if "trace" in data:
            return reader.trace(data["trace"])
        return TrainingTrace(
            forward=reader.trace(data["forward"]),
            backward=tuple(map(reader.call, data["backward"])),
            saved=tuple(SavedStorage(*item) for item in data["saved"]),
            live_bytes=tuple(data["live"]),
            input_bytes=data["bytes"][0],
            left_bytes=data["bytes"][1],
            gradient_bytes=data["bytes"][2],
            reached=frozenset(data["reached"]),
        )
    except (zlib.error, ValueError, TypeError, KeyError, IndexError, RecursionError) as problem:
        raise ValueError(f"it is no trace: {problem}") from problem


def _unpacked(content: bytes) -> bytes:
    """The content, whose size has a bound whatever it was packed from.

    Raises:
        ValueError: it is larger, or not whole.
    """
    unpacking = zlib.decompressobj()
    data = unpacking.decompress(content, MOST_BYTES)
    if not unpacking.eof:
        raise ValueError(f"it has more than {MOST_BYTES:,} bytes, or too few")
    return data


class _Tables:
    """Numbers shapes and operations in the order in which they are met."""

    def __init__(self) -> None:
        self.specs: dict[tuple[tuple[int, ...], str], int] = {}
        self.operations: list[Any] = []
        self._numbers: dict[int, int] = {}

    def spec(self, spec: TensorSpec) -> int:
        return self.specs.setdefault((tuple(spec.shape), spec.dtype), len(self.specs))

    def all(self, specs: Sequence[TensorSpec]) -> list[int]:
        return [self.spec(spec) for spec in specs]

    def operation(self, operation: Operation) -> int:
        """Its number: a trace holds each distinct one once, and so does what is written."""
        number = self._numbers.get(id(operation))
        if number is None:
            number = self._numbers[id(operation)] = len(self.operations)
            arguments = [[name, self.argument(value)] for name, value in operation.arguments]
            self.operations.append([operation.name, arguments, self.all(operation.outputs)])
        return number

    def argument(self, value: Argument) -> Any:
        if isinstance(value, TensorSpec):
            return {SPEC: self.spec(value)}
        if isinstance(value, UnknownTensor):
            return {UNKNOWN: [value.dtype, value.because]}
        if isinstance(value, tuple):
            return [self.argument(item) for item in value]
        if type(value) not in PLAIN:
            raise Unwritable(f"{value!r} is a {type(value).__name__}")
        return value

    def call(self, call: Call) -> list[Any]:
        number = self.operation(call.operation)
        return [call.index, call.layer, number, call.inputs, call.parameters]

    def named(self, tensors: Sequence[NamedTensor]) -> list[Any]:
        return [[tensor.name, self.spec(tensor.spec)] for tensor in tensors]

    def layer(self, layer: Layer) -> list[Any]:
        return [
            layer.path,
            layer.type,
            layer.calls,
            self.all(layer.inputs),
            self.all(layer.outputs),
            [
                [p.name, self.spec(p.spec), p.trainable, p.shared_with, p.stored_bytes]
                for p in layer.parameters
            ],
            [
                [b.name, self.spec(b.spec), b.persistent, b.shared_with, b.stored_bytes]
                for b in layer.buffers
            ],
            layer.rests,
        ]


def _trace_data(trace: Trace, tables: _Tables) -> dict[str, Any]:
    info, how = trace.model, trace.how
    return {
        "model": [info.reference, info.source, info.name],
        "inputs": tables.named(trace.inputs),
        "outputs": tables.named(trace.outputs),
        "layers": [tables.layer(layer) for layer in trace.layers],
        "calls": [tables.call(call) for call in trace.calls],
        "how": [how.build, how.run, how.notes],
        "mode": trace.mode,
        "origins": trace.origins,
        "routings": [[r.layer, r.experts, r.chosen] for r in trace.routings],
        "dropouts": [[d.layer, d.next_call, d.origin, d.p] for d in trace.dropouts],
    }


class _Reader:
    """Makes records of what was written, each shape and each operation once."""

    def __init__(self, specs: list[TensorSpec], operations: list[Any]) -> None:
        self.specs = specs
        self.operations = [
            Operation(
                name,
                tuple((key, self.argument(value)) for key, value in arguments),
                self.all(outputs),
            )
            for name, arguments, outputs in operations
        ]

    def all(self, numbers: list[int]) -> tuple[TensorSpec, ...]:
        return tuple([self.specs[number] for number in numbers])

    def argument(self, value: Any) -> Argument:
        if isinstance(value, list):
            return tuple([self.argument(item) for item in value])
        if isinstance(value, dict):
            return self.specs[value[SPEC]] if SPEC in value else UnknownTensor(*value[UNKNOWN])
        plain: Argument = value
        return plain

    def call(self, data: list[Any]) -> Call:
        index, layer, operation, inputs, parameters = data
        return Call(index, layer, self.operations[operation], tuple(inputs), tuple(parameters))

    def named(self, data: list[Any]) -> tuple[NamedTensor, ...]:
        return tuple(NamedTensor(name, self.specs[spec]) for name, spec in data)

    def layer(self, data: list[Any]) -> Layer:
        path, kind, calls, inputs, outputs, parameters, buffers, rests = data
        return Layer(
            path,
            kind,
            calls,
            self.all(inputs),
            self.all(outputs),
            tuple([Parameter(name, self.specs[spec], *rest) for name, spec, *rest in parameters]),
            tuple([Buffer(name, self.specs[spec], *rest) for name, spec, *rest in buffers]),
            rests,
        )

    def trace(self, data: dict[str, Any]) -> Trace:
        build, run, notes = data["how"]
        return Trace(
            model=ModelInfo(*data["model"]),
            inputs=self.named(data["inputs"]),
            outputs=self.named(data["outputs"]),
            layers=tuple(map(self.layer, data["layers"])),
            calls=tuple(map(self.call, data["calls"])),
            how=HowTraced(build, run, tuple(notes)),
            mode=data["mode"],
            origins=tuple(data["origins"]),
            routings=tuple(Routing(*item) for item in data["routings"]),
            dropouts=tuple(Dropout(*item) for item in data["dropouts"]),
        )
