"""What is wrong with the design of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

from cnninspect.sources.open import Model, as_arguments, as_subject, several

if TYPE_CHECKING:
    from os import PathLike

    from cnninspect.commands.lint.report import LintReport, RuleExplanation


def lint(
    models: Union[Model, Sequence[Model], Mapping[str, Model], None] = None,
    inputs: Any = None,
    *,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    preview: bool = False,
    budget: str | PathLike[str] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "eval",
    batch: int = 1,
    weights: str | PathLike[str] | None = None,
    freeze: Sequence[str] = (),
    unfreeze: Sequence[str] = (),
    device_spec: str | None = None,
) -> LintReport:
    """What is wrong with one network or several, found in their traces by rules.

    `select` and `ignore` take ids of rules (`W001`), beginnings of such (`W`), names, patterns for
    names and groups (`waste`); `preview` adds the rules that are off by themselves.  `budget` is a
    file whose `[lint]` says the same, and which names the models where none is given.  `weights` is
    a file that need not fit: what does not is a finding.  `device_spec` is what least times are
    on, as for `summarize`.  The other arguments are those of `trace`.

    Raises:
        UnknownChoice, BadOption, NotCalibrated: there is no such rule or device.
        NothingToCheck: there is no model.
        PatternMatchesNothing: nothing is called as `freeze` or `unfreeze` says.
        CnnInspectError: no model at all could be traced.
    """
    from cnninspect.commands.lint.gate import Settings, lint_all, settings_of

    file = settings_of(budget) if budget is not None else Settings()
    subjects = file.models if models is None else tuple(as_subject(m) for m in several(models))
    return lint_all(
        subjects,
        file.with_typed(select=select, ignore=ignore, preview=preview, device_spec=device_spec),
        inputs=as_arguments(inputs),
        kwargs=kwargs,
        mode=mode,
        batch=batch,
        weights=weights,
        freeze=freeze,
        unfreeze=unfreeze,
    )


def explain_rules(name: str = "all") -> RuleExplanation:
    """What the rules of that name, id, beginning of an id or group find, why, and who says so.

    Raises:
        UnknownChoice: there is no such rule.
    """
    from cnninspect.commands.lint.registry import rules_called
    from cnninspect.commands.lint.report import RuleExplanation

    return RuleExplanation(tuple(rule.card() for rule in rules_called(name)))
