"""A budget check as SARIF 2.1.0, which code scanning reads.

Every limit that is not kept is a result.  Source: OASIS, Static Analysis Results Interchange
Format Version 2.1.0, https://docs.oasis-open.org/sarif/sarif/v2.1.0.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from cnninspect.records.budget_check import BudgetCheck, CheckedLimit
from cnninspect.records.comparison import Unmeasured
from cnninspect.records.reports import installed_version
from cnninspect.render.check_words import rule_of, sentence
from cnninspect.render.plain_data import write_json

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
VERSION = "2.1.0"
UNMEASURED = "unmeasured"


def write(report: BudgetCheck) -> str:
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
