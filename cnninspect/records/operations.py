"""A kind of work, and one occurrence of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Union

from cnninspect.records.tensors import TensorSpec, UnknownTensor

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
