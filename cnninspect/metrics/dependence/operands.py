"""The tensors that an operation is given, each with what its elements depend on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from cnninspect.metrics.dependence.places import Shape
from cnninspect.metrics.dependence.reach import Untold
from cnninspect.metrics.dependence.states import Dependence
from cnninspect.records.operations import Argument, Operation
from cnninspect.records.tensors import TensorSpec


class Operand(NamedTuple):
    """A tensor argument of an operation."""

    name: str
    """The argument it is, or is in a list of."""
    shape: Shape
    given: Dependence | None
    """What its elements depend on; None: cannot be told."""

    @property
    def state(self) -> Dependence:
        """What its elements depend on.

        Raises:
            Untold: cannot be told.
        """
        if self.given is None:
            raise Untold
        return self.given


class Operands:
    """The tensors that an operation is given, and its plain arguments."""

    __slots__ = ("constant", "is_certain", "operation", "tensors")

    def __init__(
        self,
        operation: Operation,
        tensors: Sequence[Operand],
        *,
        constant: Dependence,
        is_certain: bool,
    ) -> None:
        self.operation = operation
        self.tensors = tensors
        self.constant = constant
        """The state of a tensor that does not depend on the input."""
        self.is_certain = is_certain
        """Whether it is known which tensor is which; else some of one shape may change places."""

    @property
    def first(self) -> Operand:
        """The first tensor."""
        return self.tensors[0]

    @property
    def out(self) -> Shape:
        """Shape of the first result."""
        return self.operation.outputs[0].shape

    def named(self, *names: str) -> Operand:
        """The tensor argument that goes by one of these names.

        Raises:
            Untold: there is none.
        """
        for operand in self.tensors:
            if operand.name in names:
                return operand
        raise Untold

    def integers(self, name: str) -> tuple[int, ...]:
        """An argument as a tuple of integers: empty for None or where it was not given."""
        value = self.operation.argument(name)
        if isinstance(value, int):
            return (value,)
        if value is None:
            return ()
        if not isinstance(value, tuple) or not all(isinstance(v, int) for v in value):
            raise Untold
        return tuple(v for v in value if isinstance(v, int))

    def integer(self, name: str, default: int) -> int:
        """An argument as an integer."""
        value = self.operation.argument(name)
        if value is None:
            return default
        if not isinstance(value, int):
            raise Untold
        return value

    def dim(self, name: str = "dim", default: int = 0) -> int:
        """A dimension of the first tensor, counted from the front."""
        return self.integer(name, default) % max(len(self.first.shape), 1)


def match(
    shapes: Sequence[Shape], made: Sequence[Sequence[Shape]]
) -> tuple[list[int | None], bool]:
    """For each tensor argument, which of a call's recorded inputs it is, and if that is certain.

    A call records where its tensors come from, in order, and leaves out parameters and constants,
    for which the answer is None.  `shapes` are those of the arguments, `made` those that each
    recorded input may have.

    Raises:
        Untold: they do not fit, as where a tensor was changed through a view of another shape.
    """
    places = range(len(shapes))
    if len(made) == len(shapes):
        return list(places), True
    numbered = list(enumerate(made))
    forward = _greedy(places, shapes, numbered)
    found: list[int | None] = [None] * len(shapes)
    for number, place in forward.items():
        found[place] = number
    return found, forward == _greedy(reversed(places), shapes, numbered[::-1])


def _greedy(
    places: Iterable[int],
    shapes: Sequence[Shape],
    made: Sequence[tuple[int, Sequence[Shape]]],
) -> dict[int, int]:
    """Each recorded input at the first place that fits, going on from the one before."""
    going_on = iter(places)
    found = {}
    for number, possible in made:
        place = next((p for p in going_on if shapes[p] in possible), None)
        if place is None:
            raise Untold
        found[number] = place
    return found


def tensor_arguments(operation: Operation) -> tuple[tuple[str, Shape], ...]:
    """Name and shape of every tensor among the arguments, in order, those in lists included."""
    return tuple(
        (name, shape) for name, value in operation.arguments for shape in _shapes_in(value)
    )


def _shapes_in(value: Argument) -> Iterator[Shape]:
    if isinstance(value, TensorSpec):
        yield value.shape
    elif isinstance(value, tuple):
        for item in value:
            yield from _shapes_in(item)
