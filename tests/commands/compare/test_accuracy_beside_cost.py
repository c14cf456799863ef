"""`compare` with data: the accuracy that `evaluate` measures, beside what each costs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import cnninspect
from cnninspect.errors import BadOption, FileMissing, WeightsMismatch


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network that has learnt digits a little."""
    path = tmp_path_factory.mktemp("weights") / "mlp.safetensors"
    cnninspect.train("mlp@hidden=16", epochs=2, output=path)
    return path


def test_accuracy_is_that_of_evaluate(weights: Path) -> None:
    report = cnninspect.compare(
        ["mlp@hidden=16", "mlp@hidden=8"], data="digits", weights=[weights, None]
    )
    with_weights, without = report.models
    found = cnninspect.evaluate("mlp@hidden=16", weights=weights, data="digits")
    assert with_weights.measured is not None
    assert with_weights.measured.accuracy == found.accuracy
    assert with_weights.measured.low < found.accuracy < with_weights.measured.high
    assert (with_weights.measured.part, with_weights.measured.examples) == ("held-out", 360)
    assert without.measured is None
    assert any("mlp@hidden=8" in note for note in report.notes)
    text = cnninspect.render(report, format="table")
    assert f"{100 * found.accuracy:.2f}" in text
    assert "on digits, 360 examples held out" in text
    assert report.to_dict()["models"][0]["measured"]["accuracy"] == found.accuracy


def test_the_columns_come_only_where_something_was_measured() -> None:
    report = cnninspect.compare(["mlp", "mlp@hidden=8"])
    assert "measured" not in cnninspect.render(report, format="table")


def test_a_baseline_that_is_not_among_them_shifts_nothing(weights: Path) -> None:
    report = cnninspect.compare(
        ["mlp@hidden=16"], baseline="mlp", data="digits", weights={"mlp@hidden=16": weights}
    )
    assert [model.measured is not None for model in report.models] == [False, True]


class Fixed(nn.Module):
    """Calls everything a zero."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        scores = torch.zeros(len(x), 10)
        scores[:, 0] = 1
        return scores * self.scale


def test_a_live_module_is_judged_as_it_is() -> None:
    report = cnninspect.compare({"zeros": Fixed()}, inputs=(1, 1, 8, 8), data="digits")
    assert report.models[0].measured is not None
    assert report.models[0].measured.accuracy == pytest.approx(178 / 1797)


def test_weights_that_cannot_be_used_are_errors(weights: Path, tmp_path: Path) -> None:
    for models, options, hint in (
        (["mlp@hidden=16"], {"weights": [weights]}, "data"),
        (["mlp", "mlp@hidden=16"], {"data": "digits", "weights": [weights]}, "each of the 2"),
        (["mlp"], {"data": "digits", "weights": {"other": weights}}, "of the models"),
    ):
        with pytest.raises(BadOption) as error:
            cnninspect.compare(models, **options)
        assert hint in str(error.value.hint)
    with pytest.raises(WeightsMismatch):
        cnninspect.compare(["mlp"], data="digits", weights=[weights])
    with pytest.raises(FileMissing):
        cnninspect.compare(["mlp"], data="digits", weights=[tmp_path / "none.safetensors"])
