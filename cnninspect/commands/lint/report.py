"""What is wrong with a network, and the answer of `cnninspect lint`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnninspect.metrics.figures import Unmeasured
from cnninspect.records.models import ModelInfo
from cnninspect.records.operations import NamedTensor
from cnninspect.records.reports import Report

SEVERITIES = ("error", "warning", "info")
"""How bad something is: it cannot be right; it costs or harms; something to know."""
CERTAINTIES = ("certain", "likely", "possible")
"""How sure a finding is: it follows from the trace; it is seldom meant; it depends on what the
trace does not show."""


@dataclass(frozen=True, slots=True)
class Saving:
    """What mending saves, computed from the trace; 0 where it saves nothing of a kind."""

    parameters: int = 0
    macs: int = 0
    """Multiply-accumulates of one pass with the traced inputs."""
    bytes: int = 0
    """Bytes of parameters and buffers."""
    seconds: float = 0.0
    """Of the least time of one pass on the device."""

    def __bool__(self) -> bool:
        return bool(self.parameters or self.macs or self.bytes or self.seconds)


@dataclass(frozen=True, slots=True)
class LintFinding:
    """Something that a rule has found."""

    rule: str
    """The rule's id: `W001`."""
    name: str
    """The rule's name: `bias-before-norm`."""
    severity: str
    """One of `SEVERITIES`."""
    certainty: str
    """One of `CERTAINTIES`."""
    model: str
    """Reference of the model."""
    layers: tuple[str, ...]
    """Paths of the layers that it is about."""
    message: str
    """What is wrong, with the figures."""
    mend: str
    """What to do about it."""
    saving: Saving


@dataclass(frozen=True, slots=True)
class LintedModel:
    """A model that was looked at."""

    model: ModelInfo
    inputs: tuple[NamedTensor, ...]
    mode: str
    parameters: int
    macs: int
    notes: tuple[str, ...] = ()
    """What a reader should know, such as which rules could not be asked."""
    file: str | None = None
    """The file of Python code that holds it, where a reference names one."""
    line: int | None = None
    """The line of that file where it begins."""


@dataclass(frozen=True, slots=True)
class LintReport(Report):
    """What is wrong with some networks."""

    schema: ClassVar[str] = "cnninspect.lint/1"
    rendering: ClassVar[str] = "cnninspect.commands.lint.rendering"

    findings: tuple[LintFinding, ...]
    """By model, the worst first."""
    models: tuple[LintedModel, ...]
    failed: tuple[Unmeasured, ...]
    """Models that could not be traced."""
    rules: tuple[str, ...]
    """Ids of the rules that were asked."""
    device: str
    """What least times are on, and who says what that can do."""
    budget: str | None = None
    """The file whose `[lint]` was read."""
    budget_line: int | None = None
    """Where in it that stands."""

    def counted(self) -> dict[str, int]:
        """How many findings there are of each severity."""
        found = [finding.severity for finding in self.findings]
        return {severity: found.count(severity) for severity in SEVERITIES}


@dataclass(frozen=True, slots=True)
class RuleCard:
    """What a rule looks for, in words."""

    rule: str
    """Its id."""
    name: str
    group: str
    severity: str
    certainty: str
    preview: bool
    """Whether it is off unless it is selected, since it errs too often."""
    what: str
    """What it finds, in a sentence."""
    why: str
    source: str
    example: str
    mend: str


@dataclass(frozen=True, slots=True)
class RuleExplanation(Report):
    """What `--explain` says of rules."""

    schema: ClassVar[str] = "cnninspect.lint-rules/1"
    rendering: ClassVar[str] = "cnninspect.commands.lint.rule_rendering"

    rules: tuple[RuleCard, ...]
