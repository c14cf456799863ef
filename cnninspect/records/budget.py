"""A budget: what a person allows a network."""

from __future__ import annotations

from dataclasses import dataclass

from cnninspect.records.limits import Bound, Limit


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that a budget says, and where."""

    text: str
    """As it was written: a layer type, a model, a share."""
    line: int | None = None
    """The line of the budget file."""


@dataclass(frozen=True, slots=True)
class LayerRule:
    """Limits on the layers that a pattern fits."""

    pattern: str
    """As in a shell, for paths: `layer4.*`."""
    limits: tuple[Limit, ...]
    each: bool = False
    """Whether each of them must keep the limits by itself; else all of them together."""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Growth:
    """How much more than the baseline something may be."""

    quantity: str
    """A name of `QUANTITIES`."""
    bound: Bound
    """A share of the baseline's."""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """What one model is allowed."""

    limits: tuple[Limit, ...] = ()
    layers: tuple[LayerRule, ...] = ()
    forbidden: tuple[Rule, ...] = ()
    """Patterns for the types of layers that must not occur."""
    coverage: Bound | None = None
    """The least share of calls whose cost is known; None: all, where work is limited."""
    coverage_line: int | None = None
    baseline: Rule | None = None
    """A reference, or a file that `check --write-lock` wrote."""
    growth: tuple[Growth, ...] = ()
    inputs: tuple[str, ...] = ()
    """Shapes as after `--input`; empty: the model's own."""
    batch: int | None = None
    """None: 1."""
    mode: str | None = None
    """None: `eval`."""
    dtype: str | None = None
    """That bytes are counted in; None: as built."""

    @property
    def checks_something(self) -> bool:
        """Whether there is anything that could fail."""
        return bool(self.limits or self.layers or self.forbidden or self.coverage or self.growth)


@dataclass(frozen=True, slots=True)
class BudgetFile:
    """The content of a budget file."""

    path: str
    general: Budget
    """What holds for every model."""
    models: tuple[tuple[str, Budget], ...]
    """Reference and budget of each model named, with what holds for every one put in."""
