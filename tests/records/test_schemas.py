"""The published JSON Schemas: they are those of the code, and reports follow them."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from report_types import report_types

import cnninspect
from cnninspect.records.reports import DRAFT, Report, schema_of

PUBLISHED = Path(__file__).parents[2] / "docs" / "schemas"


@pytest.mark.parametrize("kind", report_types(), ids=lambda kind: kind.__name__)
def test_the_published_schema_is_that_of_the_code(kind: type[Report], rewrite_golden: bool) -> None:
    file = PUBLISHED / f"{kind.schema.removeprefix('cnninspect.').replace('/', '-')}.json"
    text = json.dumps(schema_of(kind), indent=2, ensure_ascii=False) + "\n"
    if rewrite_golden:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text


def reports() -> list[Report]:
    return [
        cnninspect.summarize("lenet5"),
        cnninspect.summarize("resnet18@num_classes=3", convention="fvcore"),
        cnninspect.explain("resnet18", "layer1.0"),
        cnninspect.models("resnet1*"),
    ]


@pytest.mark.parametrize("report", reports(), ids=lambda report: type(report).__name__)
def test_a_report_follows_its_schema(report: Report) -> None:
    written = json.loads(cnninspect.render(report, format="json"))
    jsonschema.validate(written, schema_of(type(report)))


def test_the_schemas_are_valid_schemas() -> None:
    for kind in report_types():
        jsonschema.Draft202012Validator.check_schema(schema_of(kind))
        assert schema_of(kind)["$schema"] == DRAFT


def test_what_does_not_follow_is_refused() -> None:
    report = cnninspect.summarize("mlp").to_dict()
    report["totals"]["macs"] = "many"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, schema_of(type(cnninspect.summarize("mlp"))))
