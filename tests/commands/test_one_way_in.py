"""What `sources.open` sees to holds for every question that takes a reference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import cnninspect
from cnninspect.errors import CnnInspectError

REACHING = """
import socket

from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x):
        socket.create_connection(("127.0.0.1", 9), timeout=1).close()
        return self.linear(x)
"""

QUESTIONS: dict[str, Callable[[str, Path], object]] = {
    "summarize": lambda model, _: cnninspect.summarize(model),
    "trace": lambda model, _: cnninspect.trace(model),
    "explain": lambda model, _: cnninspect.explain(model, "linear"),
    "graph": lambda model, _: cnninspect.graph(model),
    "check": lambda model, _: cnninspect.check(model, max_params="1M"),
    "diff": lambda model, _: cnninspect.diff("mlp", model),
    "scale": lambda model, _: cnninspect.scale(model, over="batch"),
    "memory": lambda model, _: cnninspect.memory(model),
    "gradients": lambda model, _: cnninspect.gradients(model, seeds=1),
    "gradient_paths": lambda model, _: cnninspect.gradient_paths(model),
    "audit": lambda model, _: cnninspect.audit(model, run=False),
    "export_onnx": lambda model, folder: cnninspect.export_onnx(
        model, folder / "net.onnx", verify=False
    ),
}


@pytest.fixture
def reaching(tmp_path):
    """A reference to a model whose `forward` opens a connection; `conftest.py` refuses it, too, in
    other words, should the guard be missing."""
    path = tmp_path / "reaching.py"
    path.write_text(REACHING)
    return f"{path}:Net"


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_lets_a_model_reach_the_network(question, reaching, tmp_path):
    with pytest.raises(CnnInspectError, match="reaches for the network"):
        QUESTIONS[question](reaching, tmp_path)


def test_a_comparison_says_so_of_the_model(reaching):
    (failed,) = cnninspect.compare([reaching, "mlp"]).failed
    assert "reaches for the network" in failed.error
