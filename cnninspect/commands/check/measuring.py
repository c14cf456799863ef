"""A gate: models held against their budgets and against what was written down of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

from cnninspect.commands.check import budget_file
from cnninspect.commands.check import lock_file as locking
from cnninspect.commands.check.analysis import (
    Baseline,
    baseline_of,
    check_peak,
    check_sense,
    check_trace,
)
from cnninspect.commands.check.report import (
    Budget,
    BudgetCheck,
    CheckedLimit,
    CheckedModel,
    LockedModel,
    PeakLimit,
)
from cnninspect.errors import (
    BadBudget,
    BadOption,
    CnnInspectError,
    NeedsModules,
    NothingToCheck,
    did_you_mean,
)
from cnninspect.files import exists, read_text
from cnninspect.metrics.difference import Difference
from cnninspect.metrics.figures import Unmeasured, check_dtype, figures_in, with_whole
from cnninspect.metrics.roofline import parse_device
from cnninspect.metrics.saved import SavedReport, is_saved_report, read_report
from cnninspect.metrics.summarizing import summarize_trace
from cnninspect.records.models import GraphFile, LoadedModel
from cnninspect.records.timings import TimeSettings
from cnninspect.records.traces import Trace
from cnninspect.sources.input_text import parse_inputs
from cnninspect.store.measuring import latency_of, least_seconds, unmeasured
from cnninspect.store.this_machine import datasheet

Subject = Union[str, LoadedModel, GraphFile, Trace]
LOCK_SUFFIX = ".lock"
"""Files that hold baselines."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What models are held against."""

    typed: Budget
    """What was typed; replaces what the file says of the same."""
    file: Path | None = None
    """The budget file."""
    lock: Path | None = None
    """The lock file that models must not have moved from."""
    arguments: Sequence[Any] | None = None
    """Positional arguments of `forward`; None: what the budget says, or the model's own."""
    kwargs: Mapping[str, Any] | None = None
    seconds: float = 1.0
    """How long a model is timed whose latency is limited."""
    threads: int | None = None
    """On how many threads."""

    def check(self, model: Subject | None) -> BudgetCheck:
        """Hold a model, or every one that the files name, against what is asked.

        Raises:
            NothingToCheck: there is no model, or no limit.
            PatternMatchesNothing: a pattern for layers fits none.
            FileMissing, FileUnreadable, UnknownKey, BadBudget, BadQuantity: a file cannot be used.
        """
        locked = read_lock(self.lock) if self.lock is not None else None
        collected = _Collected(str(self.file) if self.file else None)
        for subject, budget in self.subjects(model, locked):
            check_dtype(budget.dtype)
            check_device(budget)
            if locked is None or budget.checks_something or budget.baseline:
                check_sense(budget, _name(subject))
            self._hold(subject, budget, locked, collected)
        return collected.report()

    def subjects(
        self,
        model: Subject | None,
        locked: Mapping[str, LockedModel] | None = None,
        *,
        is_to_lock: bool = False,
    ) -> list[tuple[Subject, Budget]]:
        """The models with what each is allowed, which may be nothing where they are to be locked.

        Raises:
            NothingToCheck: there is no model, or the budget file has no limit for it.
        """
        if self.file is not None:
            may_be_free = is_to_lock or self.lock is not None
            return self._subjects_of_file(model, self.file, may_be_free=may_be_free)
        if model is not None:
            return [(model, self.typed)]
        if locked:
            return [(reference, self.typed) for reference in locked]
        raise NothingToCheck(
            "without a model", "name a MODEL, or a --budget file that names models"
        )

    def _subjects_of_file(
        self, model: Subject | None, path: Path, *, may_be_free: bool
    ) -> list[tuple[Subject, Budget]]:
        content = budget_file.parse_budget(read_text(path), str(path))
        named = {name: self._with_typed(budget, name) for name, budget in content.models}
        if model is None:
            if not named:
                hint = 'add [models."resnet34"] to it, or name a MODEL'
                raise NothingToCheck(f"in {path}, which names no model", hint)
            return list(named.items())
        if isinstance(model, str) and model in named:
            return [(model, named[model])]
        general = self._with_typed(content.general, _name(model))
        if not general.checks_something and not may_be_free:
            hint = did_you_mean(_name(model), named) or f"it names: {', '.join(named) or 'none'}"
            raise NothingToCheck(f"of {_name(model)}: {path} has no limits for it", hint)
        return [(model, general)]

    def _with_typed(self, budget: Budget, name: str) -> Budget:
        return budget_file.combined(budget, self.typed, name)

    def trace(self, subject: Subject, budget: Budget, before: LockedModel | None = None) -> Trace:
        """Run a model with the inputs that its budget names, else with those it was locked with."""
        if isinstance(subject, Trace):
            return subject
        from cnninspect.sources.open import trace

        arguments = self.arguments
        if arguments is None and budget.inputs:
            arguments = parse_inputs(list(budget.inputs))
        elif arguments is None and before is not None and not (self.kwargs or budget.batch):
            arguments = locking.inputs_of(before)
        return trace(
            subject,
            arguments,
            kwargs=self.kwargs,
            mode=budget.mode or (before.mode if before is not None else "eval"),
            batch=budget.batch or 1,
        )

    def measured(
        self, subject: Subject, budget: Budget, before: LockedModel | None = None
    ) -> SavedReport:
        """A model's summary and figures, of a file that holds them or of a run."""
        if isinstance(subject, str) and is_saved_report(subject):
            return read_report(subject)
        traced = self.trace(subject, budget, before)
        summary = with_whole(summarize_trace(traced, "macs"), traced)
        return SavedReport(summary, figures_in(summary), traced)

    def lock_of(self, subject: Subject, budget: Budget) -> LockedModel:
        """What is to be written down of a model."""
        measured = self.measured(subject, budget)
        return locking.locked(measured.network, measured.summary)

    def _hold(
        self,
        subject: Subject,
        budget: Budget,
        locked: Mapping[str, LockedModel] | None,
        collected: _Collected,
    ) -> None:
        """Put into `collected` what comes of one model."""
        before = None if locked is None else locked.get(_name(subject))
        try:
            measured = self.measured(subject, budget, before)
        except CnnInspectError as problem:
            collected.failed.append(unmeasured(_name(subject), problem))
            collected.problems.append(problem)
            return
        traced, summary = measured.network, measured.summary
        limits: list[CheckedLimit] = []
        if budget.checks_something:
            baseline = self._baseline(budget, traced, before)
            try:
                times = self._times(subject, traced, budget)
            except CnnInspectError as problem:
                collected.failed.append(unmeasured(_name(subject), problem))
                collected.problems.append(problem)
                return
            limits += check_trace(
                traced, summary, budget, baseline, figures=measured.figures, **times
            )
        if budget.memory is not None:
            try:
                limits.append(self._peak(subject, budget, budget.memory))
            except CnnInspectError as problem:
                collected.failed.append(unmeasured(_name(subject), problem))
                collected.problems.append(problem)
                return
        now = locking.locked(traced, summary)
        if locked is not None:
            if before is None:
                hint = f"it has: {', '.join(locked)}; --write-lock adds it"
                raise BadBudget(str(self.lock), f"it has no model {_name(subject)!r}", hint)
            limit, found = locking.moved(before, now)
            limits.append(limit)
            collected.differences += [found] if found else []
        collected.limits += limits
        collected.notes += [f"{_name(subject)}: {note}" for note in traced.how.notes]
        collected.models.append(
            CheckedModel(now.model, now.inputs, now.mode, now.totals, now.structure,
                         all(limit.ok for limit in limits))
        )  # fmt: skip

    def _peak(self, subject: Subject, budget: Budget, limit: PeakLimit) -> CheckedLimit:
        """The peak of a step held against its limit, run with what the budget names."""
        from cnninspect.metrics.training_memory import memory_of
        from cnninspect.sources.open import trace_step

        if isinstance(subject, str) and is_saved_report(subject):
            raise NeedsModules(str(subject), "a saved report", "the memory of a step")
        purpose, optimizer = budget.memory_of or "training", budget.optimizer or "sgd"
        inference = purpose == "inference"
        arguments = self.arguments
        if arguments is None and budget.inputs:
            arguments = parse_inputs(list(budget.inputs))
        step = trace_step(
            subject,
            arguments,
            kwargs=self.kwargs,
            mode=budget.mode or ("eval" if inference else "train"),
            batch=budget.batch or 1,
            inference=inference,
        )
        peak = memory_of(step, optimizer=optimizer, purpose=purpose).totals.peak_bytes
        what = "inference" if inference else f"training with {optimizer}"
        return check_peak(_name(subject), limit, peak, f"{what}, batch {budget.batch or 1:,}")

    def _times(self, subject: Subject, traced: Trace, budget: Budget) -> dict[str, Any]:
        """What the budget limits of the times of a model, as `check_trace` takes it."""
        limited = {limit.quantity for limit in budget.limits}
        times: dict[str, Any] = {}
        if limited & {"bound", "latency"} and isinstance(subject, str) and is_saved_report(subject):
            raise NeedsModules(str(subject), "a saved report", "a time")
        if "bound" in limited and budget.device_spec is not None:
            times["bound_s"] = least_seconds(traced, budget.device_spec)
        if "latency" in limited:
            settings = TimeSettings(
                batch=budget.batch or 1, mode=traced.mode, seconds=self.seconds,
                threads=self.threads,
            )  # fmt: skip
            arguments = self.arguments
            if arguments is None and budget.inputs:
                arguments = parse_inputs(list(budget.inputs))
            times["latency"] = latency_of(
                subject, traced, arguments, kwargs=self.kwargs, settings=settings
            )
        return times

    def _baseline(
        self, budget: Budget, traced: Trace, before: LockedModel | None
    ) -> Baseline | None:
        if budget.baseline is None:
            return None
        reference, line = budget.baseline.text, budget.baseline.line
        try:
            if reference.endswith(LOCK_SUFFIX):
                models = read_lock(Path(reference))
                return locking.baseline_in(models, traced.model.reference, reference)
            figures = self.measured(reference, budget, before).figures
        except CnnInspectError as problem:
            if line is None:  # it was typed
                raise
            raise BadBudget(
                f"{self.file}:{line}", f"baseline: {problem}", problem.hint
            ) from problem
        return baseline_of(figures, budget.dtype)


def check_device(budget: Budget) -> None:
    """See that a least time is limited on a device that there is.

    Raises:
        BadOption: a least time is limited, and no device is named.
        UnknownChoice, NotCalibrated: see `parse_device`.
    """
    if budget.device_spec is not None:
        parse_device(budget.device_spec, "float32", datasheet(budget.device_spec))
    elif any(limit.quantity == "bound" for limit in budget.limits):
        raise BadOption("--max-bound", "without --device-spec", "of a device: --device-spec a100")


class _Collected:
    """What comes of all models."""

    def __init__(self, budget: str | None) -> None:
        self.budget = budget
        self.limits: list[CheckedLimit] = []
        self.models: list[CheckedModel] = []
        self.failed: list[Unmeasured] = []
        self.problems: list[CnnInspectError] = []
        self.differences: list[Difference] = []
        self.notes: list[str] = []

    def report(self) -> BudgetCheck:
        """All of it.

        Raises:
            CnnInspectError: no model at all could be measured.
        """
        if self.problems and not self.models:
            raise self.problems[0]
        return BudgetCheck(
            ok=all(model.ok for model in self.models) and not self.failed,
            limits=tuple(self.limits),
            models=tuple(self.models),
            failed=tuple(self.failed),
            differences=tuple(self.differences),
            budget=self.budget,
            notes=tuple(dict.fromkeys(self.notes)),
        )


def read_lock(path: Path) -> dict[str, LockedModel]:
    """The models of a lock file.

    Raises:
        FileMissing, FileUnreadable: there is none, or it is damaged.
    """
    return locking.read(read_text(path), str(path))


def merged_lock(path: Path, models: Sequence[LockedModel]) -> tuple[str, tuple[Difference, ...]]:
    """The text of a lock file with these models put in, and where they moved from what it said."""
    known = read_lock(path) if exists(path) else {}
    differences = []
    for model in models:
        before = known.get(model.model.reference)
        if before is not None:
            _, found = locking.moved(before, model)
            differences += [found] if found else []
        known[model.model.reference] = model
    return locking.written(known), tuple(differences)


def _name(subject: Subject) -> str:
    if isinstance(subject, str):
        return subject
    return subject.model.reference if isinstance(subject, Trace) else subject.info.reference
