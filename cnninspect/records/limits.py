"""Limits that a person sets: what is limited, and by how much."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something of a network that can be limited."""

    name: str
    """As it is typed: `macs` in `--max-macs` and in `max_macs`."""
    field: str
    """The field of `Counts` that holds it; of `Figures` where there is none in `Counts`."""
    title: str
    """As a person reads it."""
    is_bytes: bool = False
    """Whether it is counted in bytes."""
    is_work: bool = False
    """Whether operations without a formula make it a lower bound."""


QUANTITIES = {
    quantity.name: quantity
    for quantity in (
        Quantity("params", "parameters", "parameters"),
        Quantity("trainable", "trainable_parameters", "trainable parameters"),
        Quantity("macs", "macs", "MACs", is_work=True),
        Quantity("activations", "activations", "activations", is_work=True),
        Quantity("bytes", "parameter_bytes", "parameter bytes", is_bytes=True),
        Quantity("depth", "depth", "depth"),
    )
}
"""What can be limited, by name."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A number that a person typed, or a share of another one."""

    text: str
    """As it was typed: `22M`, `95MiB`, `60%`."""
    value: Fraction
    """The number, exactly; of a share, 0.6 for `60%`."""
    is_share: bool = False
    """Whether it is a share of something that is known only later."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The most or the least that something may be."""

    quantity: str
    """A name of `QUANTITIES`."""
    is_max: bool
    """Whether it is the most; else the least."""
    bound: Bound
    line: int | None = None
    """The line of the budget file that sets it."""

    @property
    def name(self) -> str:
        """As it is typed in a budget file: `max_macs`."""
        return f"{'max' if self.is_max else 'min'}_{self.quantity}"

    def limit(self, whole: int = 0) -> int:
        """The largest whole number that keeps it, or the smallest; a share is one of `whole`."""
        value = self.bound.value * whole if self.bound.is_share else self.bound.value
        floor = value.numerator // value.denominator
        return floor if self.is_max or value.denominator == 1 else floor + 1

    def keeps(self, value: int, whole: int = 0) -> bool:
        """Whether a value is within it."""
        return value <= self.limit(whole) if self.is_max else value >= self.limit(whole)
