"""`compare`, `find`, `check`, `diff`, `scale` and transfer learning, as they are typed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

import cnninspect
from cnninspect.commands.check.plot import BROKEN
from cnninspect.commands.check.report import BudgetCheck
from cnninspect.commands.compare.report import Comparison
from cnninspect.commands.find.report import Finding
from cnninspect.commands.scale.report import Scaling
from cnninspect.metrics.difference import Difference
from cnninspect.records.reports import schema_of


@pytest.fixture(autouse=True)
def _in_a_place_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CNNINSPECT_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("typed", "kind"),
    [
        (("compare", "mlp", "lenet5"), Comparison),
        (("find", "lenet*", "--max-params", "1M"), Finding),
        (("check", "mlp", "--max-params", "1M"), BudgetCheck),
        (("diff", "mlp", "mlp@hidden=7"), Difference),
        (("scale", "mlp", "--over", "hidden"), Scaling),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_json_follows_its_schema(cnninspect_: Callable, typed: tuple[str, ...], kind: type) -> None:
    code, out, err = cnninspect_(*typed, "--format", "json")
    assert (code, err) == (0, "")
    jsonschema.validate(json.loads(out), schema_of(kind))


def test_models_of_a_comparison_are_summaries_without_layers(cnninspect_: Callable) -> None:
    compared = json.loads(cnninspect_("compare", "mlp", "--format", "json").out)["models"][0]
    summary = json.loads(cnninspect_("summary", "mlp", "--format", "json").out)
    common = {"model", "inputs", "outputs", "totals", "convention", "engine", "uncounted"}
    assert {key: compared[key] for key in common} == {key: summary[key] for key in common}
    assert "layers" not in compared
    assert compared["fits"] is None


def test_a_model_that_fails_is_a_row_and_the_code_is_1(cnninspect_: Callable) -> None:
    code, out, err = cnninspect_("compare", "mlp", "mlpp")
    assert code == 1
    assert "28,326" in out
    assert "mlpp: there is no model called 'mlpp' in the zoo (did you mean mlp?)" in out
    assert "1 of 2 models" in err
    rows = list(csv.DictReader(io.StringIO(cnninspect_("compare", "mlp", "mlpp", "-f", "csv").out)))
    assert [row["model"] for row in rows] == ["mlp", "mlpp"]
    assert rows[1]["error"].startswith("there is no model")


def test_a_check_can_be_drawn_whether_it_holds_or_not(cnninspect_: Callable) -> None:
    to_hex = pytest.importorskip("matplotlib.colors").to_hex
    typed = ("check", "mlp", "--max-params", "20k", "--min-macs", "10k", "--max-bytes", "1MB")
    code, _, err = cnninspect_(*typed, "--plot", "limits.svg")
    assert code == 3
    assert "wrote limits.svg" in err
    assert Path("limits.svg").read_text().startswith("<?xml")
    figure = cnninspect.check("mlp", max_params="20k", min_macs="10k", max_bytes="1MB").plot()
    (axes,) = figure.axes
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == pytest.approx([141.63, 282.0, 11.3304])
    reds = [to_hex(bar.get_facecolor()) == BROKEN for bar in axes.patches]
    assert reds == [True, False, False]
    code, _, err = cnninspect_("check", "mlp", "--forbid", "Dropout", "--plot", "none.svg")
    assert code == 2
    assert "has no picture" in err


def test_a_comparison_can_be_drawn(cnninspect_: Callable) -> None:
    pytest.importorskip("matplotlib")
    code, _, err = cnninspect_("compare", "mlp", "lenet5", "--plot", "models.svg")
    assert (code, err) == (0, "wrote models.svg\n")
    assert Path("models.svg").read_text().startswith("<?xml")
    code, _, err = cnninspect_("compare", "mlp", "--plot", "models.svg")
    assert code == 2
    assert "--force" in err
    assert cnninspect_("compare", "mlp", "--plot", "models.gif").code == 2


def test_what_is_found_is_remembered(
    cnninspect_: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CNNINSPECT_CACHE", str(tmp_path))
    monkeypatch.delenv("CNNINSPECT_FRESH")
    first = cnninspect_("find", "lenet*")
    monkeypatch.setattr("cnninspect.store.survey.measure", None)
    second = cnninspect_("find", "lenet*")
    assert second.code == first.code == 0
    assert second.out.startswith(first.out)
    assert second.out.count("remembered; --fresh measures again") == 1


def test_a_search_that_could_measure_nothing_failed(cnninspect_: Callable) -> None:
    code, out, err = cnninspect_("find", "vgg11", "--input", "3x2x2")
    assert code == 1
    assert "nothing could be measured" in out
    assert "2 of 2 models could not be measured" in err
    code, out, _ = cnninspect_("find", "vgg11", "--max-params", "1M")
    assert code == 0
    assert "nothing fits" in out


def test_without_a_place_to_remember_it_works_with_a_note(
    cnninspect_: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CNNINSPECT_CACHE", str(tmp_path / "file"))
    code, out, _ = cnninspect_("find", "lenet5")
    assert code == 0
    assert "results are not remembered" in out
    assert "not remembered" not in cnninspect_("find", "lenet5", "--no-cache").out


def test_a_budget_that_is_kept_is_0_and_one_that_is_not_is_3(cnninspect_: Callable) -> None:
    assert cnninspect_("check", "mlp", "--max-params", "28326").code == 0
    code, out, err = cnninspect_("check", "mlp", "--max-params", "28325", "--max-macs", "1M")
    assert code == 3
    assert out.startswith("over budget: 1 of 2 limits")
    assert err == "error: 1 of 2 limits exceeded\n"
    assert cnninspect_("check", "mlp", "--max-params", "1", "--quiet").out == ""


@pytest.mark.parametrize("format", ["table", "json", "csv", "markdown", "junit", "sarif", "github"])
def test_a_check_is_written_in_every_format(cnninspect_: Callable, format: str) -> None:  # noqa: A002
    code, out, _ = cnninspect_("check", "mlp", "--max-params", "1k", "--format", format)
    assert code == 3
    assert "28,326" in out or "28326" in out


def test_a_budget_file_names_models(cnninspect_: Callable) -> None:
    Path("budget.toml").write_text(
        '[models.mlp]\nmax_params = "1M"\n[models.lenet5]\nforbid = "Tanh"\n'
    )
    code, out, _ = cnninspect_("check", "--budget", "budget.toml", "--format", "json")
    assert code == 0
    assert [limit["model"] for limit in json.loads(out)["limits"]] == ["mlp", "lenet5"]
    assert cnninspect_("check", "mlp", "--budget", "budget.toml", "--max-params", "1k").code == 3


def test_locking_from_the_first_to_the_moved(cnninspect_: Callable) -> None:
    Path("net.py").write_text("from torch import nn\ndef make(): return nn.Linear(4, 4)\n")
    typed = ("check", "net.py:make", "--input", "4")
    assert cnninspect_(*typed, "--locked").code == 2  # there is no lock file
    assert cnninspect_(*typed, "--write-lock").err == "wrote cnninspect.lock\n"
    assert cnninspect_(*typed, "--locked").code == 0
    Path("net.py").write_text("from torch import nn\ndef make(): return nn.Linear(4, 5)\n")
    code, out, _ = cnninspect_(*typed, "--locked")
    assert code == 3
    assert "20 → 25 (+5, +25.0 %)" in out
    before = Path("cnninspect.lock").read_text()
    assert cnninspect_(*typed, "--write-lock").code == 3
    assert Path("cnninspect.lock").read_text() == before
    assert cnninspect_(*typed, "--write-lock", "--force").code == 0
    assert cnninspect_(*typed, "--locked").code == 0


def test_differences_exit_as_those_of_git(cnninspect_: Callable) -> None:
    assert cnninspect_("diff", "mlp", "mlp", "--exit-code").code == 0
    assert cnninspect_("diff", "mlp", "lenet5").code == 0
    assert cnninspect_("diff", "mlp", "lenet5", "--exit-code").code == 1


def test_a_model_is_held_against_a_file_of_weights(cnninspect_: Callable) -> None:
    import torch

    from cnninspect.sources.open import load

    weights = load("mlp").build().state_dict()
    torch.save({f"module.{name}": tensor for name, tensor in weights.items()}, "weights.pth")
    code, out, _ = cnninspect_("diff", "mlp", "weights.pth", "--exit-code")
    assert code == 1
    assert "DataParallel" in out
    torch.save(weights, "same.pth")
    assert cnninspect_("diff", "mlp", "same.pth", "--exit-code").code == 0
    assert cnninspect_("diff", "same.pth", "weights.pth").code == 0


def test_a_law_is_written_as_a_formula(cnninspect_: Callable) -> None:
    out = cnninspect_("scale", "resnet20").out
    assert "39,600·r² + 640" in out
    assert "holds for" in out


def test_a_new_head_with_the_rest_frozen(cnninspect_: Callable) -> None:
    typed = ("summary", "resnet20", "--set-head", "7", "--freeze", "*", "--unfreeze", "fc")
    out = cnninspect_(*typed, "--format", "json").out
    assert json.loads(out)["totals"]["trainable_parameters"] == 64 * 7 + 7
    table = cnninspect_(*typed).out
    assert "trainable" in table
    assert "frozen" in table


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("compare mlp --max-params 1M --min-params 2M", "contradict each other"),
        ("compare mlp --max-params 6X", "no unit 'X'"),
        ("compare mlp --max-params 60%", ""),
        ("compare mlp --columns mac", "did you mean macs"),
        ("compare mlp --sort beauty", "--sort takes"),
        ("compare mlp --count-as fvcor", "fvcore"),
        ("find --source zooo", "zoo"),
        ("find nosuch", "no model called"),
        ("find --axes beauty", "--axes takes"),
        ("find --max-macs 50%", "--baseline"),
        ("find --top many", "--top"),
        ("check mlp", "nothing to check of mlp"),
        ("check mlp --budget none.toml", "no file none.toml"),
        ("check mlp --max-growth 2%", "--baseline"),
        ("check mlp --baseline lenet5 --max-params 1M", "nothing to check against"),
        ("check mlp --locked --write-lock", "--locked"),
        ("diff mlp nosuch", "no model called"),
        ("diff mlp none.pth", "no file none.pth"),
        ("scale mlp --over nosuch", "cannot be scaled"),
        ("scale mlp --sizes 1,x", "--sizes"),
        ("scale mlp --grid", "cannot be scaled"),
        ("scale mlp --grid --over width", "--grid"),
        ("scale mlp --top 3", "--grid"),
        ("check mlp --max-params 1M --lock other.lock", "--lock other.lock by itself"),
        ("check", "nothing to check without a model"),
        ("summary mlp --freeze nosuch", "nosuch"),
        ("summary mlp@num_classes=3 --set-head 4", "num_classes=3"),
    ],
)
def test_what_is_typed_wrongly_is_said(cnninspect_: Callable, typed: str, told: str) -> None:
    code, out, err = cnninspect_(*typed.split())
    if not told:  # a share of the baseline, which is the model itself
        assert code == 0
        return
    assert (code, out) == (2, "")
    assert told in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[models.mlp]\nmax_prams = "1M"', "did you mean max_params"),
        (
            '[models.mlp.layers]\n"hiden.*" = { max_params = "1M" }',
            "no layer of mlp fits 'hiden.*'",
        ),
        ("[models.mlp", "not TOML"),
        ('[models.mlp]\nmax_params = "much"', "budget.toml:2"),
    ],
)
def test_a_wrong_budget_file_says_where(cnninspect_: Callable, text: str, told: str) -> None:
    Path("budget.toml").write_text(text)
    code, out, err = cnninspect_("check", "--budget", "budget.toml")
    assert code in (1, 2)
    assert out == ""
    assert told in err


UNKNOWN = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
    def forward(self, x):
        return torch.fft.fft2(self.conv(x)).real
"""


def test_what_has_no_formula_is_a_lower_bound_everywhere(cnninspect_: Callable) -> None:
    Path("net.py").write_text(UNKNOWN)
    told = "1 model has operations without a formula; ≥ is a lower bound:\n  net.py:Net: aten._fft"
    out = cnninspect_("scale", "net.py:Net").out
    assert told in out
    assert "MACs         ≥ 216·r²" in out
    assert "MACs         ≥ 10,838,016\n" in cnninspect_("explain", "net.py:Net", "").out
    out = cnninspect_("explain", "net.py:Net", "conv").out
    assert "MACs             10,838,016 · 100.0 % of the model's ≥ 10,838,016\n" in out
    out = cnninspect_("diff", "net.py:Net", "mlp").out
    assert told in out
    assert "≥ 10,838,016 → 28,200\n" in out
    report = json.loads(cnninspect_("diff", "mlp", "net.py:Net", "--format", "json").out)
    assert report["old"]["uncounted"] == []
    assert report["new"]["uncounted"][0]["calls"] == 1
