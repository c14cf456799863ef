"""Reports for continuous integration: GitHub's workflow commands, JUnit XML, SARIF 2.1.0.

A command says what there is in `Problem`, `Case` and `SarifRule`; how it is written stands here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from cnninspect.page.escaping import visible
from cnninspect.page.formats import write_json
from cnninspect.records.reports import installed_version

# --- GitHub ---


def annotation(
    kind: str, text: str, *, title: str, file: str | None = None, line: int | None = None
) -> str:
    """A workflow command of that kind: `error`, `warning` or `notice`."""
    properties = {"title": title}
    if file is not None:
        properties = {"file": file, "line": str(line or 1), **properties}
    written = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{kind} {written}::{_data(text)}"


def _data(text: str) -> str:
    """Text that a command takes as it stands: a line break would begin another command."""
    return visible(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


# --- JUnit ---


@dataclass(frozen=True, slots=True)
class Case:
    """Something that was tested, and how it went wrong if it did."""

    name: str
    kind: str = ""
    """What sort of failure it is; empty: it went well."""
    message: str = ""
    is_error: bool = False
    """Whether it could not be tested at all."""


def write_junit(title: str, suites: Sequence[tuple[str, Sequence[Case]]]) -> str:
    """A document with these suites of cases."""
    cases = [case for _, cases in suites for case in cases]
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="{title}" tests="{len(cases)}" '
        f'failures="{sum(bool(case.kind) and not case.is_error for case in cases)}" '
        f'errors="{sum(case.is_error for case in cases)}">',
    ]
    for name, members in suites:
        lines += _suite(name, members)
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _suite(name: str, cases: Sequence[Case]) -> list[str]:
    errors = sum(case.is_error for case in cases)
    failures = sum(bool(case.kind) and not case.is_error for case in cases)
    counted = f'errors="{errors}"' if errors else f'failures="{failures}"'
    lines = [f'  <testsuite name={_quoted(name)} tests="{len(cases)}" {counted}>']
    for case in cases:
        opening = f"    <testcase classname={_quoted(name)} name={_quoted(case.name)}"
        if not case.kind:
            lines.append(f"{opening}/>")
            continue
        about = f"type={_quoted(case.kind)} message={_quoted(case.message)}"
        outcome = (
            f"<error {about}/>"
            if case.is_error
            else f"<failure {about}>{_text(case.message)}</failure>"
        )
        lines += [f"{opening}>", f"      {outcome}", "    </testcase>"]
    return [*lines, "  </testsuite>"]


def _quoted(text: str) -> str:
    return quoteattr(visible(text))


def _text(text: str) -> str:
    return escape(visible(text))


# --- SARIF ---

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
VERSION = "2.1.0"


@dataclass(frozen=True, slots=True)
class SarifRule:
    """What a result may be about."""

    id: str
    text: str
    """In a sentence."""
    name: str = ""
    full: str = ""
    """At length."""
    help: str = ""
    """What to do about it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong."""

    rule: str
    """Id of its rule."""
    text: str
    model: str
    fingerprint: str
    """What tells it from others, and stays from run to run."""
    level: str = "error"
    """`error`, `warning` or `note`."""
    layers: tuple[str, ...] = ()
    file: str | None = None
    """The file in which to show it."""
    line: int | None = None


def write_sarif(
    rules: Sequence[SarifRule], problems: Sequence[Problem], *, fingerprints: str
) -> str:
    """A log with one run; `fingerprints` names what they are made of, as in `limit/v1`."""
    ids = [rule.id for rule in rules]
    driver = {
        "name": "cnninspect",
        "version": installed_version("cnninspect") or "0",
        "rules": [_rule(rule) for rule in rules],
    }
    results = [
        {
            "ruleId": problem.rule,
            "ruleIndex": ids.index(problem.rule),
            "level": problem.level,
            "message": {"text": problem.text},
            "locations": _locations(problem),
            "partialFingerprints": {fingerprints: problem.fingerprint},
        }
        for problem in problems
    ]
    run = {"tool": {"driver": driver}, "columnKind": "utf16CodeUnits", "results": results}
    return write_json({"$schema": SCHEMA, "version": VERSION, "runs": [run]})


def _rule(rule: SarifRule) -> dict[str, Any]:
    written: dict[str, Any] = {"id": rule.id, "shortDescription": {"text": rule.text}}
    if rule.name:
        written["name"] = rule.name
    if rule.full:
        written["fullDescription"] = {"text": rule.full}
    if rule.help:
        written["help"] = {"text": rule.help}
    return written


def _locations(problem: Problem) -> list[dict[str, Any]]:
    """The line of a file, and the model or those of its layers; without a file, these alone."""
    names = [f"{problem.model}/{layer}" for layer in problem.layers] or [problem.model]
    where: dict[str, Any] = {
        "logicalLocations": [{"fullyQualifiedName": name, "kind": "module"} for name in names],
    }
    if problem.file is not None:
        artifact = {"uri": PurePath(problem.file).as_posix()}
        region = {"startLine": problem.line or 1}
        where["physicalLocation"] = {"artifactLocation": artifact, "region": region}
    return [where]
