"""`cnninspect train` and `cnninspect evaluate`, as they are typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

NETWORKS = """
import torch
from torch import nn

def tiny(classes: int = 10):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))

def huge():
    net = tiny()
    nn.init.constant_(net[1].weight, 1e38)
    return net
"""
TINY = ("net.py:tiny", "--input", "1x8x8", "--epochs", "2", "--batch", "256")


@pytest.fixture(autouse=True)
def _in_a_folder_with_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.py").write_text(NETWORKS)
    monkeypatch.chdir(tmp_path)


def test_trained_weights_are_evaluated(cnninspect_: Callable[..., object]) -> None:
    done = cnninspect_("train", *TINY, "-o", "w.safetensors", "--report", "r.json", "-f", "json")
    assert (done.code, done.out) == (0, "")
    report = json.loads(Path("r.json").read_text())
    assert report["schema"] == "cnninspect.train/1"
    (model,) = report["models"]
    assert [each["epoch"] for each in model["epochs"]] == [1, 2]
    assert set(model["epochs"][0]) >= {
        "epoch", "loss", "accuracy", "held_out_loss", "held_out_accuracy", "gradient_norm",
    }  # fmt: skip
    assert set(model["fit"]) >= {"verdict", "since_epoch", "gap"}
    assert model["weights"] == "w.safetensors"
    done = cnninspect_(
        "evaluate", "net.py:tiny", "--input", "1x8x8", "--weights", "w.safetensors", "-f", "json"
    )
    found = json.loads(done.out)
    assert found["accuracy"] == pytest.approx(model["epochs"][-1]["held_out_accuracy"])
    assert {
        "accuracy",
        "loss",
        "beta",
        "classes",
        "confusion",
        "macro",
        "micro",
        "weighted",
    } <= set(found)
    assert set(found["classes"][0]) >= {"name", "precision", "recall", "f_beta", "support"}


def test_a_file_that_is_there_is_not_overwritten(cnninspect_: Callable[..., object]) -> None:
    Path("w.safetensors").write_text("mine")
    done = cnninspect_("train", *TINY, "-o", "w.safetensors")
    assert done.code == 2
    assert "exists already" in done.err
    assert Path("w.safetensors").read_text() == "mine"
    assert cnninspect_("train", *TINY, "-o", "w.safetensors", "--force", "-q").code == 0
    done = cnninspect_("train", *TINY, "--checkpoint", "c", "-q")
    assert done.code == 0
    assert cnninspect_("train", *TINY, "--checkpoint", "c").code == 2
    assert cnninspect_("train", *TINY, "--checkpoint", "c", "--resume", "-q").code == 0
    assert cnninspect_("train", *TINY, "--checkpoint", "c", "--force", "-q").code == 0
    assert cnninspect_("train", *TINY, "--resume").code == 2


def test_a_loss_that_is_no_number_fails_with_its_place(cnninspect_: Callable[..., object]) -> None:
    done = cnninspect_("train", "net.py:huge", *TINY[1:])
    assert done.code == 1
    assert "its loss is not finite at step 0 (epoch 1), first in the output of 1" in done.err
    assert "stopped: the loss is not finite" in done.out


@pytest.mark.parametrize(
    ("wanted", "code"),
    [("accuracy=0.5", 0), ("accuracy=0.8", 3), ("accuracy=0.1,recall=0.9", 3),
     ("top_k_accuracy=0.1", 3), ("speed=1", 2), ("accuracy=high", 2)],
)  # fmt: skip
def test_fail_under(cnninspect_: Callable[..., object], wanted: str, code: int) -> None:
    Path("p.csv").write_text("label,prediction\na,a\nb,b\na,b\n")
    done = cnninspect_("evaluate", "--predictions", "p.csv", "--fail-under", wanted)
    assert done.code == code
    if code == 3:
        assert "below what was asked for" in done.err


def test_pictures_are_drawn(cnninspect_: Callable[..., object]) -> None:
    done = cnninspect_("train", *TINY, "--plot", "t.png", "-q")
    assert done.code == 0
    assert Path("t.png").read_bytes().startswith(b"\x89PNG")
    Path("p.csv").write_text("label,prediction\n$a$,$a$\nb,b\n")
    done = cnninspect_("evaluate", "--predictions", "p.csv", "--plot", "c.svg")
    assert done.code == 0
    assert "wrote c.svg" in done.err
    assert Path("c.svg").read_text().lstrip().startswith("<?xml")
