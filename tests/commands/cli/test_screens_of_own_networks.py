"""What tables say of networks that a user brings: names, outputs, shared weights, folded rows."""

from collections.abc import Callable
from pathlib import Path

import pytest

CODE = """
from torch import nn

class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Linear(8, 8)
        self.box = nn.Linear(8, 4)

    def forward(self, x):
        hidden = self.features(x)
        return {"hidden": hidden, "box": self.box(hidden)}

class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 4)
        self.lm_head = nn.Linear(4, 20, bias=False)
        self.lm_head.weight = self.embedding.weight

    def forward(self, x):
        return self.lm_head(self.embedding(x))

def stack(activation="ReLU", width=4):
    block = lambda: nn.Sequential(nn.Linear(width, width), getattr(nn, activation)())
    return nn.Sequential(*(block() for _ in range(6)), nn.Linear(width, 3))
"""


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "nets.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def test_the_first_row_has_a_short_name_and_the_title_the_whole_reference(
    cnninspect_: Callable, nets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    out = cnninspect_("summary", f"{nets}/nets.py:Heads", "--input", "8").out
    assert out.startswith(f"{nets}/nets.py:Heads  ")
    assert "\nHeads " in out


def test_outputs_have_names_where_there_are_several(cnninspect_: Callable, nets: Path) -> None:
    out = cnninspect_("summary", "nets.py:Heads", "--input", "8").out
    assert "outputs      hidden 1×8 float32, box 1×4 float32" in out
    assert "outputs" not in cnninspect_("summary", "nets.py:stack", "--input", "4").out


def test_shared_weights_are_named(cnninspect_: Callable, nets: Path) -> None:
    out = cnninspect_("summary", "nets.py:Tied").out
    assert "shared       lm_head.weight is embedding.weight, counted once" in out


def test_folding_is_explained_only_where_something_is_folded(
    cnninspect_: Callable, nets: Path
) -> None:
    folded = cnninspect_("summary", "nets.py:stack", "--input", "4", "--fold").out
    assert "×6" in folded
    assert "×n: n identical blocks" in folded
    plain = cnninspect_("summary", "nets.py:Heads", "--input", "8", "--fold").out
    assert "×n" not in plain


def test_layers_that_changed_alike_are_one_row(cnninspect_: Callable, nets: Path) -> None:
    typed = ("diff", "nets.py:stack", "nets.py:stack@activation=GELU", "--input", "4")
    out = cnninspect_(*typed).out
    assert "-  0.1  ×6  ReLU" in out
    assert "+  0.1  ×6  GELU" in out
    assert "5.1" not in out
    each = cnninspect_(*typed, "--all").out
    assert "-  5.1" in each
    assert "×6" not in each


def test_folded_changes_add_up(cnninspect_: Callable, nets: Path) -> None:
    """Six layers of 4·4 + 4 parameters go."""
    (nets / "shorter.py").write_text(
        "from nets import *\ndef short(): return nn.Sequential(nn.Linear(4, 3))"
    )
    out = cnninspect_("diff", "nets.py:stack", "shorter.py:short", "--input", "4").out
    assert "×" in out
    assert "-120" in out


def test_explain_hides_what_is_free(cnninspect_: Callable, nets: Path) -> None:
    out = cnninspect_("explain", "nets.py:stack", "0", "--input", "4").out
    assert "aten.addmm" in out
    assert "aten.relu" not in out
    assert "hidden; --all shows them" in out
    every = cnninspect_("explain", "nets.py:stack", "0", "--input", "4", "--all").out
    assert "aten.relu" in every
    free = cnninspect_("explain", "nets.py:stack", "0.1", "--input", "4").out
    assert "aten.relu" in free


def test_the_layer_of_the_peak_is_named(cnninspect_: Callable, nets: Path) -> None:
    out = cnninspect_("memory", "nets.py:stack", "--input", "4", "--batch", "1000").out
    assert "in the backward pass of 5.1" in out
