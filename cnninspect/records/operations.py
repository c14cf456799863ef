"""Tensors, operations on them, calls of operations, and what an operation costs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Union

BITS = {
    "float64": 64, "float32": 32, "float16": 16, "bfloat16": 16,
    "float8_e4m3fn": 8, "float8_e4m3fnuz": 8, "float8_e5m2": 8, "float8_e5m2fnuz": 8,
    "float8_e8m0fnu": 8, "float4_e2m1fn_x2": 8,
    "float4_e2m1fn": 4, "float6_e2m3fn": 6, "float6_e3m2fn": 6,
    "complex32": 32, "bcomplex32": 32, "complex64": 64, "complex128": 128,
    "int64": 64, "int32": 32, "int16": 16, "int8": 8, "int4": 4, "int2": 2, "int1": 1,
    "uint64": 64, "uint32": 32, "uint16": 16, "uint8": 8, "uint4": 4, "uint2": 2, "uint1": 1,
    "qint8": 8, "quint8": 8, "qint32": 32, "quint4x2": 4, "quint2x4": 2,
    "bool": 8, "string": 0,
}  # fmt: skip
"""Bits that one element takes in memory, by dtype name (PyTorch's names, without `torch.`).

Those of a number of bits that is no power of two, 4-bit floats by themselves, and text, whose
length its shape does not tell, are ONNX's."""


def shape_text(sizes: Iterable[object]) -> str:
    """Sizes as read by people: `3×224×224`; `?` for one that is not known, `a scalar` for none."""
    return "×".join("?" if size in (None, "") else str(size) for size in sizes) or "a scalar"


def typed_shape(sizes: Iterable[object]) -> str:
    """Sizes as one types them after `--input`: `3x224x224`."""
    return "x".join(map(str, sizes))


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """The shape and dtype of a tensor."""

    shape: tuple[int, ...]
    """Sizes, outermost first; `()` for a scalar."""
    dtype: str = "float32"
    """PyTorch's name without the prefix, as in `float32`."""

    @property
    def numel(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that the elements take, packed where a byte holds several."""
        return -(-self.numel * BITS[self.dtype] // 8)


@dataclass(frozen=True, slots=True)
class UnknownTensor:
    """A tensor whose shape is not known."""

    dtype: str
    """As in `TensorSpec`; empty where that is not known either."""
    because: str = ""
    """Why its shape is not known."""


@dataclass(frozen=True, slots=True)
class NamedTensor:
    """A tensor that enters or leaves a network, with the name it goes by."""

    name: str
    """The argument of `forward`, or the key or position in the result."""
    spec: TensorSpec
    """Its shape and dtype."""

    def as_plain(self) -> dict[str, object]:
        """Name, shape and dtype side by side: what a report writes."""
        return {"name": self.name, "shape": list(self.spec.shape), "dtype": self.spec.dtype}


@dataclass(frozen=True, slots=True)
class Cost:
    """The work of one operation, or of many added up."""

    macs: int = 0
    """Multiply-accumulates of convolutions, matrix products, attention and recurrent gates."""
    activations: int = 0
    """Elements that such an operation writes."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.macs + other.macs, self.activations + other.activations)

    def __mul__(self, times: int) -> Cost:
        return Cost(self.macs * times, self.activations * times)

    @property
    def flops(self) -> int:
        """Two for each multiply-accumulate."""
        return 2 * self.macs


class CostState(Enum):
    """What is known of an operation's cost."""

    COUNTED = "counted"
    """It has a formula."""
    FREE = "free"
    """It does no multiply-accumulates, for a reason that is written down."""
    UNKNOWN = "unknown"
    """Nothing is known of it: reported, never taken for zero."""


@dataclass(frozen=True, slots=True)
class Costed:
    """An operation's cost with source."""

    state: CostState
    """Counted, free or unknown."""
    cost: Cost
    """Zero unless counted."""
    reason: str = ""
    """Why it is free, the formula that counted it, or why nothing is known of it."""
    lacks_shape: bool = False
    """Whether it has a formula, and only the shape of an input is not known."""


Argument = Union[
    None, bool, int, float, str, TensorSpec, UnknownTensor, tuple["Argument", ...]
]  # fmt: skip
"""What an operation may be called with: plain values, with a TensorSpec for each tensor, or an
UnknownTensor where its shape is not known."""


class ShapeNotKnown(LookupError):
    """The shape of an operation's input is not known.  Says which, and why."""

    def __init__(self, name: str, because: str) -> None:
        why = f", because {because}" if because else ""
        super().__init__(f"the shape of its input {name} is not known{why}")


@dataclass(frozen=True, slots=True)
class Operation:
    """A kind of work: an operator with its arguments.  Equal operations cost the same.

    A trace holds each distinct operation once, so that it is costed once however often it occurs.
    """

    name: str
    """Namespace and operator without the overload: `aten.convolution`, `onnx.Conv`."""
    arguments: tuple[tuple[str, Argument], ...]
    """Name (from the operator's schema) and value of every argument, in schema order."""
    outputs: tuple[TensorSpec, ...]
    """The tensors that it returns, in order."""

    def argument(self, name: str, default: Argument = None) -> Argument:
        """The value of the argument called `name`, or `default` where it was not given."""
        for key, value in self.arguments:
            if key == name:
                return value
        return default

    def tensor(self, name: str) -> TensorSpec:
        """The tensor argument called `name`.

        Raises:
            ShapeNotKnown: its shape is not known.
            KeyError: there is no such argument, or it is not a tensor.
        """
        value = self.argument(name)
        if isinstance(value, UnknownTensor):
            raise ShapeNotKnown(name, value.because)
        if not isinstance(value, TensorSpec):
            raise KeyError(name)
        return value

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Every tensor among the arguments, in schema order, those in lists included."""
        return tuple(spec for _, value in self.arguments for spec in _tensors_in(value))

    @property
    def unknown_inputs(self) -> tuple[tuple[str, UnknownTensor], ...]:
        """Name and cause of every tensor among the arguments whose shape is not known."""
        return tuple(
            (name, item)
            for name, value in self.arguments
            for item in (value if isinstance(value, tuple) else (value,))
            if isinstance(item, UnknownTensor)
        )

    @property
    def output(self) -> TensorSpec:
        """The first tensor that it returns."""
        return self.outputs[0]


def _tensors_in(value: Argument) -> Iterator[TensorSpec]:
    if isinstance(value, TensorSpec):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _tensors_in(item)


@dataclass(frozen=True, slots=True)
class Call:
    """One occurrence of an operation: a node of the dataflow graph."""

    index: int
    """Position in the trace, from 0, in the order of execution."""
    layer: str
    """Path of the innermost module that was running; `""` is the model itself."""
    operation: Operation
    """What was done."""
    inputs: tuple[int, ...]
    """Where its tensor arguments come from, in schema order: the index of an earlier call, or
    `-1 - i` for the model's input number `i`.  Parameters, buffers and constants are left out."""
    parameters: tuple[str, ...] = ()
    """Full names of the parameters and buffers among its arguments, in schema order."""
