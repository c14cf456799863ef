"""What an operation costs, as plain integers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


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
    """An operation's cost with what it rests on."""

    state: CostState
    """Counted, free or unknown."""
    cost: Cost
    """Zero unless counted."""
    reason: str = ""
    """Why it is free, the formula that counted it, or why nothing is known of it."""
    lacks_shape: bool = False
    """Whether it has a formula, and only the shape of an input is not known."""
