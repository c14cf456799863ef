"""A budget check for CI: sentences, annotations, SARIF and JUnit."""

from __future__ import annotations

from cnninspect.commands.check.report import BudgetCheck, CheckedLimit
from cnninspect.page import ci_formats
from cnninspect.page.ci_formats import Case, Problem, SarifRule, annotation
from cnninspect.page.quantities import count, scaled_time, share

TITLE = "cnninspect check"
UNMEASURED = "unmeasured"
"""The rule of models that could not be measured."""
SIGNS = {"max": "≤", "min": "≥"}
"""By the first word of a limit's name."""


def subject_text(limit: CheckedLimit) -> str:
    """What is limited: `MACs of layer4.*`, with the share that was written: `parameters, 60%`.

    Of growth, how much: `parameters +2%`.
    """
    if limit.text.startswith("+"):
        return f"{limit.subject.partition(',')[0]} {limit.text}"
    of_layers = f" of {limit.layers}" if limit.layers else ""
    share = f", {limit.text}" if limit.text.endswith("%") and limit.unit != "%" else ""
    return f"{limit.subject}{of_layers}{share}"


def limit_text(limit: CheckedLimit, *, human: bool = False) -> str:
    """What is allowed: `≤ 4,000,000,000`, `none`."""
    if limit.name in ("forbid", "locked"):
        return limit.text
    return f"{SIGNS[limit.name[:3]]} {number_text(limit.limit, limit, human=human)}"


def value_text(limit: CheckedLimit, *, human: bool = False) -> str:
    """What there is: `3,663,761,408`."""
    if limit.name == "locked":
        return "as locked" if limit.ok else "moved"
    return number_text(limit.value, limit, human=human)


def used_text(limit: CheckedLimit) -> str:
    """How much of what is allowed at most is used: `99.1 %`."""
    if not limit.name.startswith("max") or limit.limit <= 0:
        return ""
    return f"{share(limit.value, limit.limit) or '0'} %"


def number_text(value: float, limit: CheckedLimit, *, human: bool = False) -> str:
    """A number in the limit's unit."""
    if limit.unit == "%":
        return f"{value:.1f} %" if value in (0, 100) or 0.05 <= value < 99.95 else f"{value:.4f} %"
    if limit.unit == "s":
        return scaled_time(value)
    return count(int(value), human=human, unit="B" if limit.unit == "bytes" else "")


def sentence(limit: CheckedLimit) -> str:
    """The limit as one sentence: `MACs: 3,663,761,408, allowed ≤ 3,000,000,000 (3G)`."""
    is_told = limit.text in limit_text(limit) + subject_text(limit)
    typed = "" if is_told else f" ({limit.text})"
    why = f"; {limit.reason}" if limit.reason else ""
    return f"{subject_text(limit)}: {value_text(limit)}, allowed {limit_text(limit)}{typed}{why}"


def rule_of(limit: CheckedLimit) -> str:
    """A name that no other limit of the model has.

    `max_macs`, `max_macs:layer4.*`, `forbid:Dropout*`, `max_growth:parameters`.
    """
    of_what = limit.layers
    if limit.name == "forbid":
        of_what = limit.subject.removeprefix("layers of type ")
    elif limit.name == "max_growth":
        of_what = limit.subject.removesuffix(", growth")
    return f"{limit.name}:{of_what}" if of_what else limit.name


def write_annotations(report: BudgetCheck) -> str:
    """One line for each limit that is not kept, else one that says that all are."""
    broken = [(x.line, f"{x.model}: {sentence(x)}") for x in report.limits if not x.ok]
    failed = [(None, f"{problem.reference}: {problem.error}") for problem in report.failed]
    lines = [
        annotation("error", text, title=TITLE, file=report.budget, line=line)
        for line, text in (*broken, *failed)
    ]
    if not lines:
        text = f"all {len(report.limits):,} limits are kept"
        lines = [annotation("notice", text, title=TITLE, file=report.budget)]
    return "".join(f"{line}\n" for line in lines)


def write_junit(report: BudgetCheck) -> str:
    """The report as a document with one suite for each model."""
    suites = [
        (
            model.model.reference,
            [_case(x) for x in report.limits if x.model == model.model.reference],
        )
        for model in report.models
    ]
    failed = [
        (x.reference, [Case("measured", x.kind, x.error, is_error=True)]) for x in report.failed
    ]
    return ci_formats.write_junit(TITLE, [*suites, *failed])


def _case(limit: CheckedLimit) -> Case:
    if limit.ok:
        return Case(rule_of(limit))
    return Case(rule_of(limit), limit.name, sentence(limit))


def write_sarif(report: BudgetCheck) -> str:
    """The report as a log with one run."""
    texts: dict[str, str] = {}
    for limit in report.limits:
        texts.setdefault(rule_of(limit), limit.subject)
    if report.failed:
        texts[UNMEASURED] = "the model could not be measured"
    broken = [
        Problem(
            rule=rule_of(limit),
            text=f"{limit.model}: {sentence(limit)}",
            model=limit.model,
            fingerprint=f"{limit.model} {rule_of(limit)}",
            file=report.budget,
            line=limit.line,
        )
        for limit in report.limits
        if not limit.ok
    ]
    failed = [
        Problem(
            rule=UNMEASURED,
            text=f"{problem.reference}: {problem.error}",
            model=problem.reference,
            fingerprint=f"{problem.reference} {UNMEASURED}",
            file=report.budget,
        )
        for problem in report.failed
    ]
    rules = [SarifRule(name, text) for name, text in texts.items()]
    return ci_formats.write_sarif(rules, [*broken, *failed], fingerprints="limit/v1")
