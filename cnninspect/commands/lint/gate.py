"""What is asked of which networks: from options and the `[lint]` of a budget file to a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from cnninspect.commands.lint.measuring import Lint, Subject
from cnninspect.commands.lint.registry import chosen_rules
from cnninspect.commands.lint.report import LintedModel, LintFinding, LintReport
from cnninspect.errors import BadBudget, CnnInspectError, NothingToCheck, UnknownKey
from cnninspect.files import read_text
from cnninspect.metrics.budget_tables import Values, lines_of, parse_tables
from cnninspect.metrics.figures import Unmeasured
from cnninspect.metrics.roofline import parse_device
from cnninspect.records.models import GraphFile, LoadedModel
from cnninspect.records.traces import Trace
from cnninspect.store.measuring import unmeasured
from cnninspect.store.this_machine import datasheet

KEYS = ("select", "ignore", "preview", "fail_on", "device_spec")
FAIL_ON = ("error", "warning")
DEVICE = "a100"
"""What least times are on unless somebody says otherwise."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What is asked of every network."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    preview: bool = False
    device_spec: str = DEVICE
    fail_on: str | None = None
    """The least severity that makes the command say no; None: none does."""
    models: tuple[str, ...] = ()
    """The references that a budget file names."""
    path: str | None = None
    """The budget file."""
    line: int | None = None
    """Where its `[lint]` stands."""

    def with_typed(
        self,
        *,
        select: Sequence[str] = (),
        ignore: Sequence[str] = (),
        preview: bool = False,
        device_spec: str | None = None,
    ) -> Settings:
        """These with what was typed: it replaces a selection, and adds to what is ignored."""
        select, ignore = _listed(select), _listed(ignore)
        return replace(
            self,
            select=select or self.select,
            ignore=(*self.ignore, *ignore),
            preview=preview or self.preview,
            device_spec=device_spec or self.device_spec,
        )


def _listed(names: Sequence[str]) -> tuple[str, ...]:
    """Names, also where several stand in one text with commas between."""
    given = (names,) if isinstance(names, str) else names
    return tuple(name.strip() for text in given for name in text.split(",") if name.strip())


def settings_of(budget: str | PathLike[str]) -> Settings:
    """What the `[lint]` of a budget file says, and the models that the file names.

    Raises:
        FileMissing, FileUnreadable: there is no such file, or it is not TOML.
        UnknownKey, BadBudget: a key means nothing, or a value is not what it should be.
    """
    path = str(budget)
    text = read_text(Path(path))
    tables = parse_tables(text, path)
    values = Values(path, lines_of(text))
    table, models = tables.get("lint", {}), tables.get("models", {})
    for name, value in (("lint", table), ("models", models)):
        if not isinstance(value, Mapping):
            raise BadBudget(values.place((name,)), f"{name} is no table", f"write [{name}]")
    for key in table:
        if key not in KEYS:
            raise UnknownKey(values.place(("lint", key)), key, KEYS)
    preview = table.get("preview", False)
    if not isinstance(preview, bool):
        raise values.wrong(("lint", "preview"), preview, "true or false")
    return Settings(
        select=_listed(values.texts(table, "select", ("lint",))),
        ignore=_listed(values.texts(table, "ignore", ("lint",))),
        preview=preview,
        device_spec=values.text(table, "device_spec", ("lint",)) or DEVICE,
        fail_on=values.text(table, "fail_on", ("lint",), FAIL_ON),
        models=tuple(models),
        path=path,
        line=values.line(("lint",)),
    )


def lint_all(
    subjects: Sequence[Subject],
    settings: Settings,
    *,
    inputs: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "eval",
    batch: int = 1,
    weights: str | PathLike[str] | None = None,
    freeze: Sequence[str] = (),
    unfreeze: Sequence[str] = (),
) -> LintReport:
    """Look at several networks.

    Raises:
        NothingToCheck: there is none.
        UnknownChoice, BadOption, NotCalibrated: there is no such rule or device.
        CnnInspectError: none could be traced.
    """
    if not subjects:
        where = f"in {settings.path}, which names no model" if settings.path else "without a model"
        raise NothingToCheck(where, "name a MODEL, or a --budget file that names models")
    this = datasheet(settings.device_spec)
    device = parse_device(settings.device_spec, "float32", this)
    rules = chosen_rules(settings.select, settings.ignore, preview=settings.preview)
    if not rules:
        raise NothingToCheck("with no rule", "leave something of --ignore out")
    lint = Lint(
        rules=rules,
        inputs=inputs,
        kwargs=kwargs,
        mode=mode,
        batch=batch,
        weights=None if weights is None else Path(weights),
        freeze=tuple(freeze),
        unfreeze=tuple(unfreeze),
        device_spec=settings.device_spec,
        this=this,
    )
    findings: list[LintFinding] = []
    models: list[LintedModel] = []
    failed: list[Unmeasured] = []
    problems: list[CnnInspectError] = []
    for subject in subjects:
        try:
            model, found = lint.look_at(subject)
        except CnnInspectError as problem:
            if len(subjects) == 1:
                raise
            problems.append(problem)
            failed.append(unmeasured(name_of(subject), problem))
            continue
        models.append(model)
        findings += found
    if problems and not models:
        raise problems[0]
    return LintReport(
        findings=tuple(findings),
        models=tuple(models),
        failed=tuple(failed),
        rules=tuple(rule.id for rule in rules),
        device=f"{settings.device_spec}: {device.source}",
        budget=settings.path,
        budget_line=settings.line,
    )


def name_of(subject: Subject) -> str:
    """What a model is called."""
    if isinstance(subject, str):
        return subject
    if isinstance(subject, Trace):
        return subject.model.reference
    assert isinstance(subject, (LoadedModel, GraphFile))
    return subject.info.reference
