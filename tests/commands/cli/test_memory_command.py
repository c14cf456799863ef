"""`cnninspect memory`, as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from cnninspect.commands.memory.report import BatchFit
from cnninspect.metrics.training_memory import Memory
from cnninspect.records.reports import schema_of


def test_the_table_says_what_is_needed(cnninspect_: Callable) -> None:
    code, out, err = cnninspect_("memory", "resnet34", "--batch", "8", "--optimizer", "adam")
    assert (code, err) == (0, "")
    for expected in ("257,788,416 bytes", "174,381,816 bytes", "1.968 ×", "layer4"):
        assert expected in out


def test_json_follows_its_schema(cnninspect_: Callable) -> None:
    report = json.loads(cnninspect_("memory", "resnet20", "--format", "json").out)
    jsonschema.validate(report, schema_of(Memory))
    fields = {"parameter_bytes", "gradient_bytes", "optimizer_bytes", "saved_bytes", "peak_bytes"}
    assert fields | {"forward_macs", "backward_macs"} <= set(report["totals"])
    assert len(report["timeline"]) > report["backward_from"] > 0


def test_fit_finds_the_largest_batch(cnninspect_: Callable) -> None:
    typed = ("memory", "resnet20", "--fit", "100MB", "--optimizer", "adam")
    report = json.loads(cnninspect_(*typed, "--format", "json").out)
    jsonschema.validate(report, schema_of(BatchFit))
    assert report["memory"]["totals"]["peak_bytes"] <= 100_000_000 < report["next_peak_bytes"]
    code, out, _ = cnninspect_(*typed)
    assert code == 0
    assert f"largest batch  {report['batch']:,}" in out


def test_what_does_not_fit_says_by_how_much_and_what_helps(cnninspect_: Callable) -> None:
    code, out, err = cnninspect_("memory", "resnet20", "--fit", "2MB", "--optimizer", "adam")
    assert (code, out) == (3, "")
    assert "more than the 2,000,000 there are" in err
    assert "--optimizer sgd takes" in err
    assert "--freeze" in err


def test_only_what_makes_it_smaller_is_said_to_help(cnninspect_: Callable) -> None:
    err = cnninspect_("memory", "mlp", "--fit", "1kB").err
    assert "--dtype bfloat16 takes" in err
    assert "--amp" not in err  # with so few activations, the narrow copies of weights cost more
    err = cnninspect_("memory", "resnet20", "--fit", "1MB", "--inference").err
    assert "--dtype bfloat16 takes" in err
    assert "checkpointing" not in err
    assert "--freeze" not in err


def test_a_limit_that_every_batch_meets_is_no_found_batch(cnninspect_: Callable) -> None:
    out = cnninspect_("memory", "mlp", "--fit", "9000TB").out
    assert "largest batch  16,777,216 or more" in out
    assert "too much" not in out


def test_a_picture_is_drawn(cnninspect_: Callable, tmp_path: Path) -> None:
    file = tmp_path / "memory.svg"
    assert cnninspect_("memory", "resnet20", "--plot", str(file), "-q").code == 0
    drawn = file.read_text()
    assert drawn.startswith("<?xml")
    assert "<svg" in drawn


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["resnet20", "--optimizer", "adm"], 2, "'adm' is not known"),
        (["resnet20", "--dtype", "int8"], 2, "'int8' is not known"),
        (["resnet20", "--amp", "half"], 2, "'half' is not known"),
        (["resnet20", "--amp", "float64"], 2, "'float64' is not known"),
        (["resnet20", "--freeze", "layer9"], 2, "layer9"),
        (["resnet20", "--freeze", "*"], 2, "cannot be trained"),
        (["resnet20", "--fit", "much"], 2, "much"),
        (["resnet20", "--fit", "40"], 2, "those are bytes: write 40GB"),
        (["resnet20", "--fit", "1GB", "--batch", "4"], 2, "--batch 4 is not possible"),
        (["resnet20", "--plot", "memory.gif"], 2, "memory.gif"),
        (["resnet21"], 2, "no model called"),
    ],
)
def test_what_is_typed_wrongly_is_one_error(
    cnninspect_: Callable, arguments: list[str], code: int, error: str
) -> None:
    outcome = cnninspect_("memory", *arguments)
    assert (outcome.code, outcome.out) == (code, "")
    assert error in outcome.err
    assert outcome.err.count("error:") == 1
