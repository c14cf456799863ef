"""A budget check for CI: sentences, annotations, SARIF and JUnit."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from cnninspect.commands.check.report import BudgetCheck, CheckedLimit
from cnninspect.metrics.figures import Unmeasured
from cnninspect.page.escaping import visible
from cnninspect.page.formats import write_json
from cnninspect.page.quantities import count, scaled_time, share
from cnninspect.records.reports import installed_version

SIGNS = {"max": "≤", "min": "≥"}
"""By the first word of a limit's name."""


def subject_text(limit: CheckedLimit) -> str:
    """What is limited: `MACs of layer4.*`; a share with what was written: `parameters, 60%`."""
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
    """One line for each limit that is exceeded, else one that says that all are."""
    lines = [
        _line("error", f"{limit.model}: {sentence(limit)}", report.budget, limit.line)
        for limit in report.limits
        if not limit.ok
    ]
    lines += [
        _line("error", f"{problem.reference}: {problem.error}", report.budget, None)
        for problem in report.failed
    ]
    if not lines:
        text = f"all {len(report.limits):,} limits are kept"
        lines = [_line("notice", text, report.budget, None)]
    return "".join(f"{line}\n" for line in lines)


def _line(kind: str, text: str, file: str | None, line: int | None) -> str:
    properties = {"title": "cnninspect check"}
    if file is not None:
        properties = {"file": file, "line": str(line or 1), **properties}
    written = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{kind} {written}::{_data(text)}"


def _data(text: str) -> str:
    """Text that a command takes as it stands: a line break would begin another command."""
    return visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def write_junit(report: BudgetCheck) -> str:
    """The report as a document with one suite for each model."""
    failures = sum(1 for limit in report.limits if not limit.ok)
    tests = len(report.limits) + len(report.failed)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="cnninspect check" tests="{tests}" failures="{failures}" '
        f'errors="{len(report.failed)}">',
    ]
    for model in report.models:
        limits = [x for x in report.limits if x.model == model.model.reference]
        lines += _suite(model.model.reference, limits)
    for problem in report.failed:
        lines += _error(problem)
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _suite(name: str, limits: list[CheckedLimit]) -> list[str]:
    failures = sum(1 for limit in limits if not limit.ok)
    lines = [f'  <testsuite name={_quoted(name)} tests="{len(limits)}" failures="{failures}">']
    for limit in limits:
        case = f"    <testcase classname={_quoted(name)} name={_quoted(rule_of(limit))}"
        if limit.ok:
            lines.append(f"{case}/>")
            continue
        text = sentence(limit)
        failure = f'<failure type="{limit.name}" message={_quoted(text)}>{_text(text)}</failure>'
        lines += [f"{case}>", f"      {failure}", "    </testcase>"]
    return [*lines, "  </testsuite>"]


def _error(problem: Unmeasured) -> list[str]:
    name = _quoted(problem.reference)
    error = f'<error type="{_text(problem.kind)}" message={_quoted(problem.error)}/>'
    return [
        f'  <testsuite name={name} tests="1" errors="1">',
        f'    <testcase classname={name} name="measured">',
        f"      {error}",
        "    </testcase>",
        "  </testsuite>",
    ]


def _quoted(text: str) -> str:
    return quoteattr(visible(text))


def _text(text: str) -> str:
    return escape(visible(text))


SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
VERSION = "2.1.0"
UNMEASURED = "unmeasured"


def write_sarif(report: BudgetCheck) -> str:
    """The report as a log with one run."""
    broken = [limit for limit in report.limits if not limit.ok]
    ids = list(dict.fromkeys(rule_of(limit) for limit in report.limits))
    if report.failed:
        ids.append(UNMEASURED)
    results = [_result(limit, ids, report.budget) for limit in broken]
    results += [_failure(problem, ids, report.budget) for problem in report.failed]
    driver = {
        "name": "cnninspect",
        "version": installed_version("cnninspect") or "0",
        "rules": [_rule(name, report) for name in ids],
    }
    run = {"tool": {"driver": driver}, "columnKind": "utf16CodeUnits", "results": results}
    return write_json({"$schema": SCHEMA, "version": VERSION, "runs": [run]})


def _rule(name: str, report: BudgetCheck) -> dict[str, Any]:
    texts = (x.subject for x in report.limits if rule_of(x) == name)
    text = next(texts, "the model could not be measured")
    return {"id": name, "shortDescription": {"text": text}}


def _result(limit: CheckedLimit, ids: list[str], budget: str | None) -> dict[str, Any]:
    rule = rule_of(limit)
    return {
        "ruleId": rule,
        "ruleIndex": ids.index(rule),
        "level": "error",
        "message": {"text": f"{limit.model}: {sentence(limit)}"},
        "locations": _locations(limit.model, budget, limit.line),
        "partialFingerprints": {"limit/v1": f"{limit.model} {rule}"},
    }


def _failure(problem: Unmeasured, ids: list[str], budget: str | None) -> dict[str, Any]:
    return {
        "ruleId": UNMEASURED,
        "ruleIndex": ids.index(UNMEASURED),
        "level": "error",
        "message": {"text": f"{problem.reference}: {problem.error}"},
        "locations": _locations(problem.reference, budget, None),
        "partialFingerprints": {"limit/v1": f"{problem.reference} {UNMEASURED}"},
    }


def _locations(model: str, budget: str | None, line: int | None) -> list[dict[str, Any]]:
    """The budget file's line and the model; without a file, the model alone."""
    where: dict[str, Any] = {
        "logicalLocations": [{"fullyQualifiedName": model, "kind": "module"}],
    }
    if budget is not None:
        artifact = {"uri": PurePath(budget).as_posix()}
        region = {"startLine": line or 1}
        where["physicalLocation"] = {"artifactLocation": artifact, "region": region}
    return [where]
