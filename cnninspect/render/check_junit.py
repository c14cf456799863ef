"""A budget check as JUnit XML, which test reports of continuous integration read.

One suite for each model, one test case for each limit.  Source: the schema of Jenkins' xUnit
plug-in, junit-10.xsd.
"""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from cnninspect.records.budget_check import BudgetCheck, CheckedLimit
from cnninspect.records.comparison import Unmeasured
from cnninspect.render.check_words import rule_of, sentence
from cnninspect.render.escaping import visible


def write(report: BudgetCheck) -> str:
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
