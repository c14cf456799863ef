"""A person's own operators, from PyTorch's registry to the summary."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import cnninspect
from cnninspect.costs import registry

PACKAGE = """
import torch
from torch import nn

@torch.library.custom_op("packaged::scan", mutates_args=())
def scan(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return x @ weight

@scan.register_fake
def _(x, weight):
    return torch.empty_like(x)

class Scanner(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, 4))
    def forward(self, x):
        return scan(x, self.weight)
"""
COSTS = """
def scan_cost(operation):
    rows, width = operation.tensor("x").shape
    return rows * width * width
"""


@pytest.fixture(autouse=True)
def _tables_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_counted", dict(registry._counted))


@torch.library.custom_op("ownoperators::mix", mutates_args=())
def mix(x: Tensor, weight: Tensor) -> Tensor:
    return x @ weight


@mix.register_fake
def _(x: Tensor, weight: Tensor) -> Tensor:
    return torch.empty_like(x)


class Mixer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.weight = nn.Parameter(torch.zeros(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        return mix(self.linear(x), self.weight)


def test_an_operator_of_ones_own_is_reported_until_it_has_a_formula() -> None:
    before = cnninspect.summarize(Mixer(), (3, 4))
    assert before.totals.macs == 3 * 4 * 4
    assert [(gap.op, gap.calls, gap.layers) for gap in before.uncounted] == [
        ("ownoperators.mix", 1, ("",))
    ]
    cnninspect.register_cost("ownoperators.mix", lambda o: o.tensor("x").numel * 4)
    after = cnninspect.summarize(Mixer(), (3, 4))
    assert after.totals.macs == 2 * 3 * 4 * 4
    assert after.uncounted == ()


def test_an_installed_package_brings_its_formulas_along(tmp_path: Path) -> None:
    (tmp_path / "packaged.py").write_text(PACKAGE)
    (tmp_path / "packaged_costs.py").write_text(COSTS)
    info = tmp_path / "packaged-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: packaged\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[cnninspect.costs]\npackaged.scan = packaged_costs:scan_cost\n"
    )
    code = (
        "import sys, cnninspect\n"
        "plain = cnninspect.summarize('mlp')\n"
        "print('packaged_costs' in sys.modules)\n"
        "report = cnninspect.summarize('packaged:Scanner', (3, 4))\n"
        "print(report.totals.macs, report.uncounted, 'packaged_costs' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["False", f"{3 * 4 * 4} () True"], done.stderr


def test_an_operator_that_pytorch_does_not_train_through_is_refused_as_there() -> None:
    with pytest.raises(cnninspect.CnnInspectError, match="no autograd formula was registered"):
        cnninspect.memory(Mixer(), (3, 4))


LIBRARY = torch.library.Library("oldoperators", "DEF")
LIBRARY.define("scale(Tensor x, Tensor w) -> Tensor")
LIBRARY.impl("scale", lambda x, w: x * w, "CPU")
LIBRARY.impl("scale", lambda x, _: torch.empty_like(x), "Meta")


class Scales(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 3)
        self.weight = nn.Parameter(torch.ones(6))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.ops.oldoperators.scale(self.a(x), self.weight))


@pytest.mark.filterwarnings("ignore:oldoperators")
def test_the_backward_pass_of_an_operator_without_one_is_unknown() -> None:
    summary = cnninspect.summarize(Scales(), (2, 4), backward=True)
    assert {gap.op for gap in summary.uncounted} == {
        "oldoperators.scale", "oldoperators.scale_backward",
    }  # fmt: skip
    memory = cnninspect.memory(Scales(), (2, 4))
    assert memory.totals.backward_macs == 2 * 6 * 3 * 2
    assert memory.uncounted == summary.uncounted
    assert "oldoperators.scale_backward" in cnninspect.render(memory)


def test_the_backward_pass_of_an_operator_that_has_one_is_followed() -> None:
    @torch.library.custom_op("ownoperators::double", mutates_args=())
    def double(x: Tensor) -> Tensor:
        return x * 2

    @double.register_fake
    def _(x: Tensor) -> Tensor:
        return torch.empty_like(x)

    double.register_autograd(lambda _, gradient: gradient * 2)

    class Doubles(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return double(super().forward(x))

    assert cnninspect.memory(Doubles(4, 5), (3, 4)).totals.backward_macs == 3 * 4 * 5
