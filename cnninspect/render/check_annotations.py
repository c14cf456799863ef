"""A budget check as GitHub's workflow commands, which become annotations of a pull request.

Source: https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from cnninspect.records.budget_check import BudgetCheck
from cnninspect.render.check_words import sentence
from cnninspect.render.escaping import visible


def write(report: BudgetCheck) -> str:
    """One line for each limit that is not kept, else one that says that all are."""
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
