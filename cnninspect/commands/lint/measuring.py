"""Traces the networks that are to be looked at, in training mode too where rules ask for it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Union

from cnninspect.commands.lint.analysis import findings_of, linted, mismatch_found
from cnninspect.commands.lint.network import TracedNetwork
from cnninspect.commands.lint.registry import LintRule
from cnninspect.commands.lint.report import LintedModel, LintFinding
from cnninspect.errors import (
    CnnInspectError,
    FileMissing,
    FileUnreadable,
    RunFailed,
    ShapeMismatch,
)
from cnninspect.files import read_text
from cnninspect.metrics.freezing import frozen
from cnninspect.metrics.roofline import Datasheet, device_for
from cnninspect.records.checkpoint import WeightsReport
from cnninspect.records.models import GraphFile, LoadedModel
from cnninspect.records.traces import Trace
from cnninspect.sources.open import network, surroundings_of, trace

Subject = Union[str, LoadedModel, GraphFile, Trace]

ONE_VALUE = "more than 1 value per channel"
"""What PyTorch says where the rule T001 knows why."""
HEAD = "F002"
"""The rule that speaks where a linear layer does not take the features that it gets."""


@dataclass(frozen=True, slots=True)
class Lint:
    """What is asked of every network, and how each is run."""

    rules: tuple[LintRule, ...]
    inputs: Any = None
    kwargs: Mapping[str, Any] | None = None
    mode: str = "eval"
    batch: int = 1
    weights: Path | None = None
    freeze: Sequence[str] = ()
    unfreeze: Sequence[str] = ()
    device_spec: str = "a100"
    this: Datasheet | None = None
    """What was measured of this machine, where the device is this one."""

    def look_at(self, subject: Subject) -> tuple[LintedModel, tuple[LintFinding, ...]]:
        """A network and what is wrong with it.

        Raises:
            CnnInspectError: it cannot be traced.
        """
        notes: list[str] = []
        try:
            traced = self._trace(subject, self.mode, self.batch)
        except ShapeMismatch as problem:
            return self._of_mismatch(problem)
        except RunFailed as problem:
            if ONE_VALUE not in str(problem):
                raise
            traced = self._trace(subject, "eval", self.batch)
            notes.append(f"looked at in testing mode, since in training {problem}")
        fit = self._fit(subject)
        training = None
        if traced.mode == "eval" and _has_idle_layers(traced) and not isinstance(subject, Trace):
            training, why_not = self._in_training(subject)
            notes += [why_not] if why_not else []
        net = TracedNetwork(
            frozen(traced, self.freeze, self.unfreeze),
            device=device_for(traced, self.device_spec, this=self.this),
            training=training,
            weights=fit,
        )
        model = linted(net, notes)
        file, line = place_of(traced.model.reference, traced.model.source)
        return replace(model, file=file, line=line), findings_of(net, self.rules)

    def _trace(self, subject: Subject, mode: str, batch: int) -> Trace:
        return trace(subject, self.inputs, kwargs=self.kwargs, mode=mode, batch=batch)

    def _in_training(self, subject: Subject) -> tuple[Trace | None, str]:
        """The same network in training mode, or why it does not run there."""
        batch = self.batch if self.inputs is not None else max(self.batch, 2)
        try:
            return self._trace(subject, "train", batch), ""
        except CnnInspectError as problem:
            return None, f"whether layers run in training alone is not known: {problem}"

    def _fit(self, subject: Subject) -> WeightsReport | None:
        """How the file of weights fits, if one was given."""
        if self.weights is None:
            return None
        from cnninspect.engine.building import build
        from cnninspect.engine.weights import fitted, tensors_of

        loaded = network(subject, "a file of weights")
        with surroundings_of(loaded):
            module = build(loaded).structure.model
        _, report = fitted(tensors_of(module), self.weights)
        return report

    def _of_mismatch(self, problem: ShapeMismatch) -> tuple[LintedModel, tuple[LintFinding, ...]]:
        """A network whose head gets other features than it takes.

        Raises:
            ShapeMismatch: another layer does, or nobody asks for heads.
        """
        rule = next((rule for rule in self.rules if rule.id == HEAD), None)
        traced = problem.trace
        if rule is None or not isinstance(traced, Trace) or "Linear" not in problem.layer_type:
            raise problem
        count = sum(
            p.spec.numel
            for layer in traced.layers
            for p in layer.parameters
            if p.shared_with is None
        )
        note = "it was followed up to there only, and other rules were not asked"
        model = LintedModel(traced.model, traced.inputs, self.mode, count, 0, (note,))
        file, line = place_of(traced.model.reference, traced.model.source)
        finding = mismatch_found(problem, rule, traced.model)
        return replace(model, file=file, line=line), (finding,)


def _has_idle_layers(traced: Trace) -> bool:
    """Whether some parameters are read by no call."""
    read = {name for call in traced.calls for name in call.parameters}
    return traced.how.run != "graph" and any(
        p.shared_with is None and (f"{layer.path}.{p.name}" if layer.path else p.name) not in read
        for layer in traced.layers
        for p in layer.parameters
    )


def place_of(reference: str, source: str) -> tuple[str | None, int | None]:
    """The file that a reference names, and the line where what it names begins."""
    file, colon, name = reference.partition("@")[0].rpartition(":")
    if source != "python" or not colon or not file.endswith(".py"):
        return None, None
    try:
        text = read_text(Path(file))
    except (FileMissing, FileUnreadable):
        return None, None
    begins = re.compile(rf"(?:class|def)\s+{re.escape(name)}\b|{re.escape(name)}\s*=")
    lines = enumerate(text.splitlines(), start=1)
    return Path(file).as_posix(), next((n for n, line in lines if begins.match(line)), 1)
