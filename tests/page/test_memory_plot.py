"""What a picture of a memory report draws."""

from __future__ import annotations

import pytest
from torch import nn

import cnninspect
from cnninspect.commands.memory.plot import MOST_BARS, _rows, _together, _unit, picture
from cnninspect.metrics.training_memory import Needs


@pytest.mark.parametrize(("model", "level"), [("resnet20", 1), ("torchvision:vit_b_16", 3)])
def test_the_bars_together_are_the_whole(model: str, level: int) -> None:
    report = cnninspect.memory(model, optimizer="adam")
    rows = _rows(report, level)
    drawn = sum((needs for _, needs in rows), Needs())
    assert _together(drawn) == _together(report.layers[0].total)
    names = [name for name, _ in rows]
    assert ("encoder itself" in names) == (model != "resnet20")  # it owns the positions


def test_too_many_blocks_are_drawn_by_stage() -> None:
    report = cnninspect.memory("resnet20")
    names = [name for name, _ in _rows(report, 3)]
    assert names == [name for name, _ in _rows(report, 2)]
    assert {"layer1.0", "layer3.2"} <= set(names)
    assert len(names) <= MOST_BARS


def test_where_even_stages_are_too_many_the_small_ones_are_one_bar() -> None:
    layers = [nn.Linear(4 + i, 5 + i) for i in range(40)]
    report = cnninspect.memory(nn.Sequential(*layers), inputs=[(1, 4)])
    *rows, (name, _) = _rows(report, 2)
    assert len(rows) == MOST_BARS
    assert name == "(16 others)"


@pytest.mark.parametrize(
    ("largest", "name"),
    [(0, "bytes"), (999, "bytes"), (1000, "kB"), (3 * 10**6, "MB"), (10**12, "GB")],
)
def test_an_axis_counts_in_a_unit_of_which_there_is_one(largest: int, name: str) -> None:
    assert _unit(largest)[0].split()[0] == name


@pytest.mark.parametrize("is_inference", [False, True])
def test_a_small_peak_is_written_with_its_digits(*, is_inference: bool) -> None:
    report = cnninspect.memory("mlp", inference=is_inference)
    assert picture(report, "svg").startswith(b"<?xml")
