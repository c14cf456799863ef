"""The arguments of one call of an operator: as they were given, and with stand-ins."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from cnninspect.engine.kinds import NUMBERS
from cnninspect.engine.layouts import META, abstract, layout_of
from cnninspect.engine.operators import Operator
from cnninspect.engine.stand_ins import StandIns


class Arguments:
    """The arguments of one call: as they were given, and with stand-ins for their tensors."""

    __slots__ = (
        "_given_args", "_given_kwargs", "_seen", "args", "given", "has_abstract", "kwargs",
        "stand_ins",
    )  # fmt: skip

    def __init__(self, seen: StandIns, args: Any, kwargs: dict[str, Any]) -> None:
        self._seen = seen
        self._given_args, self._given_kwargs = args, kwargs
        self.given: list[Tensor] = []
        """Every tensor, as given, in schema order."""
        self.stand_ins: list[Tensor] = []
        """What stands in for each."""
        self.args: list[Any] = [self._replace(a) for a in args]
        self.kwargs: dict[str, Any] = {k: self._replace(a) for k, a in kwargs.items()}
        self.has_abstract = any(t.is_meta for t in self.stand_ins)

    def _replace(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            stand_in = self._seen.stand_in(value)
            self.given.append(value)
            self.stand_ins.append(stand_in)
            return stand_in
        if isinstance(value, (list, tuple)):
            return [self._replace(item) for item in value]
        return value

    def make_abstract(self) -> None:
        """Replace the real tensors that are left, and forget the device."""
        if any(not t.is_meta for t in self.stand_ins):
            self.args = [_abstracted(a) for a in self.args]
            self.kwargs = {k: _abstracted(a) for k, a in self.kwargs.items()}
        if "device" in self.kwargs:
            self.kwargs["device"] = META

    def key(self) -> Any:
        """What the layout of a result depends on, hashable."""
        key = [key_of(value) for value in self.args]
        key += [(name, key_of(value)) for name, value in self.kwargs.items()]
        return tuple(key)

    def given_arguments(self) -> tuple[Any, dict[str, Any]]:
        """The arguments as they were given."""
        return self._given_args, self._given_kwargs

    def may_not_fit(self) -> bool:
        """Whether some tensor has another shape or dtype than the first."""
        first, *others = self.stand_ins
        return any(t.shape != first.shape or t.dtype != first.dtype for t in others)

    def restore_targets(self, operator: Operator, result: Any) -> Any:
        """The result, with each tensor that was changed in place as it was given."""
        if not operator.writes:
            return result
        if not isinstance(result, (tuple, list)):
            target = operator.return_targets[0] if operator.return_targets else None
            return result if target is None else operator.given_at(target, *self.given_arguments())
        return tuple(
            item if target is None else operator.given_at(target, *self.given_arguments())
            for item, target in zip(result, operator.return_targets)
        )


def _abstracted(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value if value.is_meta else abstract(layout_of(value))
    if isinstance(value, list):
        return [_abstracted(item) for item in value]
    return value


def key_of(value: Any) -> Any:
    """What the layout of a result depends on in one argument, hashable."""
    if isinstance(value, Tensor):
        return layout_of(value)
    if isinstance(value, list):
        is_sizes = not value or value[0].__class__ is int
        return tuple(value) if is_sizes else tuple([key_of(item) for item in value])
    if value.__class__ in NUMBERS:
        return value.__class__, value  # 1, 1.0 and True are equal, and promote differently
    return value
