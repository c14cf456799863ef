"""`cnninspect gradients`, as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

NETWORKS = """
import torch
from torch import nn

class Argmax(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)
    def forward(self, x):
        return self.linear(x).argmax(-1)

def deep(activation: str = "sigmoid", layers: int = 12):
    parts = []
    for _ in range(layers):
        parts += [nn.Linear(4, 4), nn.Sigmoid() if activation == "sigmoid" else nn.Tanh()]
    return nn.Sequential(*parts, nn.Linear(4, 3))

def logarithm():
    class Logarithm(nn.Module):
        def forward(self, x):
            return torch.log(x)
    return nn.Sequential(nn.Linear(4, 4), Logarithm(), nn.Linear(4, 3))

def tiny():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(True), nn.Flatten(), nn.Linear(72, 10))
"""


@pytest.fixture(autouse=True)
def _in_a_folder_with_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.py").write_text(NETWORKS)
    monkeypatch.chdir(tmp_path)


def typed(cnninspect_: Callable, line: str):
    return cnninspect_("gradients", *line.split())


def test_two_models_side_by_side(cnninspect_: Callable) -> None:
    code, out, err = typed(cnninspect_, "resnet20 plain20 --batch 2")
    assert (code, err) == (0, "")
    for expected in ("resnet20", "plain20", "2^9 = 512", "healthy", "layer3.2.conv2", "█"):
        assert expected in out


def test_the_contract_of_the_json_form(cnninspect_: Callable) -> None:
    _, out, _ = typed(cnninspect_, "resnet20 lenet5 --batch 2 --seeds 2 --format json")
    report = json.loads(out)
    assert report["schema"] == "cnninspect.gradients/1"
    first, second = report["models"]
    assert (first["model"]["reference"], second["model"]["source"]) == ("resnet20", "zoo")
    assert (first["paths"], first["seeds"], first["loss"]) == (512, 2, "cross-entropy")
    assert first["verdict"] == "healthy"
    assert [layer["depth"] for layer in first["layers"]] == list(range(1, 21))


def test_the_same_line_prints_the_same(cnninspect_: Callable) -> None:
    line = "net.py:tiny --input 1x8x8 --seeds 2 --batches 2 --format json"
    assert typed(cnninspect_, line) == typed(cnninspect_, line)


@pytest.mark.parametrize(
    ("line", "batch"),
    [("--input 1x8x8", 8), ("--input 1x8x8 --batch 3", 3), ("--input 5x1x8x8", 5)],
)
def test_a_batch_is_8_unless_something_says_otherwise(line, batch, cnninspect_) -> None:
    _, out, _ = typed(cnninspect_, f"net.py:tiny {line} --format json")
    assert json.loads(out)["models"][0]["inputs"][0]["shape"] == [batch, 1, 8, 8]


def test_a_verdict_can_fail_a_command(cnninspect_: Callable) -> None:
    code, out, err = typed(cnninspect_, "net.py:deep --input 4 --fail-on exploding,vanishing")
    assert code == 3
    assert "vanishing" in out  # the report is there all the same
    assert "net.py:deep: vanishing" in err
    assert typed(cnninspect_, "net.py:deep --input 4 --fail-on exploding")[0] == 0
    line = "net.py:deep@activation=tanh --input 4 --init orthogonal --fail-on vanishing"
    assert typed(cnninspect_, line)[0] == 0
    assert typed(cnninspect_, "net.py:logarithm --input 4 --fail-on not-finite -q")[0] == 3
    line = "rnn --over time --steps 1 --batch 2 --format json"
    model = json.loads(typed(cnninspect_, line).out)["models"][0]
    assert model["training"][0]["trend"]["orders"] == model["orders"]  # over time, not depth
    assert (model["decades"], model["norm_decades"]) == (model["orders"], model["norm_orders"])
    line = "mlp --steps 2 --every 1 --lr 1e30 --fail-on not-finite,vanishing -q"
    code, _, err = typed(cnninspect_, line)
    assert code == 3
    assert "(mlp: not-finite at step " in err
    assert "a smaller --lr" in err


def test_real_digits_and_training(cnninspect_: Callable) -> None:
    code, out, _ = typed(
        cnninspect_,
        "net.py:tiny --input 1x8x8 --data digits --steps 6 --every 3 --optimizer adam --batch 16",
    )
    assert code == 0
    for expected in ("digits data", "step 0", "step 6", "6 steps of adam", "1,797 images in 10"):
        assert expected in out


def test_time_steps(cnninspect_: Callable) -> None:
    code, out, _ = typed(cnninspect_, "rnn lstm --over time --input 12x28 --batch 2")
    assert code == 0
    for expected in ("time step", "lstm hidden", "lstm cell", "vanishing"):
        assert expected in out


def test_paths_alone_run_nothing(cnninspect_: Callable) -> None:
    code, out, _ = typed(cnninspect_, "resnet34 plain34 --paths")
    assert code == 0
    assert "2^16 = 65,536" in out
    _, out, _ = typed(cnninspect_, "resnet34 --paths --format json")
    assert json.loads(out)["models"][0]["paths"] == 65536


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_picture_is_written_beside_the_table(kind, cnninspect_, tmp_path) -> None:
    line = f"net.py:tiny --input 1x8x8 --plot curves.{kind}"
    code, out, err = typed(cnninspect_, line)
    assert code == 0
    assert "healthy" in out
    assert err == f"wrote curves.{kind}\n"
    assert (tmp_path / f"curves.{kind}").stat().st_size > 1000
    code, _, err = typed(cnninspect_, line)
    assert code == 2
    assert "exists already" in err
    assert typed(cnninspect_, f"{line} --force --quiet") == (0, "", "")
    assert not list(tmp_path.glob(".curves*"))


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("net.py:Argmax --input 4", 2, "its output (int64) does not depend on its parameters"),
        ("net.py:tiny --input 1x8x8 --freeze *", 2, "all its 4 parameters are frozen"),
        ("net.py:tiny --input 1x8x8 --freeze layer9", 2, "'layer9'"),
        ("mlp@num_classes=3 --data digits", 2, "is out of range: the model has 3 classes"),
        ("mlp --data nosuch", 2, "nosuch"),
        ("mlp --device mps", 2, "--device must be one that is here: cpu"),
        ("mlp --loss cross", 2, "cross"),
        ("mlp --init kaming", 2, "did you mean kaiming?"),
        ("mlp --init normal:-1", 2, "normal:STD with a number above 0"),
        ("mlp --steps 2 --lr 0", 2, "--lr must be above 0"),
        ("mlp --over time", 2, "it has no nn.RNN, nn.LSTM or nn.GRU"),
        ("mlp --measure gradients", 2, "did you mean"),
        ("mlp --rows few", 2, "--rows must be a whole number, or all"),
        ("mlp@num_classes=3 --data digits", 2, "MODEL@num_classes=10"),
        ("mlp --data net.py", 2, "--data must be random, digits or a folder of class folders"),
        ("mlp --data nowhere", 2, "there is no file nowhere"),
        ("mlp --fail-on vanish", 2, "did you mean vanishing?"),
        ("mlp --fail-on healthy", 2, "--fail-on takes: vanishing, exploding, dead, not-finite"),
        ("mlp --plot curves.gif", 2, "ends in .png, .svg or .pdf"),
        ("mlp --plot no/such/curves.png", 1, "its folder does not exist"),
        ("mlp --paths --fail-on dead", 2, "--paths with --fail-on"),
        ("lstm --paths --over time", 2, "--paths with --over"),
        ("mlp --every 2", 2, "--every must be used with --steps"),
        ("mlp --lr 0.5", 2, "--lr must be used with --steps"),
        ("mlp --weights nosuch.pth", 2, "there is no file nosuch.pth"),
        ("mlp --seeds 0", 2, "--seeds"),
        ("mpl", 2, "did you mean mlp"),
        ("resnet20 --input 1x3x1x1", 1, "batch norm needs several values: a larger --batch"),
        ("resnet20 --input 4x8x8", 1, "conv1"),
    ],
)  # fmt: skip
def test_bad_input_is_answered_with_what_to_do(line, code, said, cnninspect_) -> None:
    left = typed(cnninspect_, line)
    assert left.code == code, left
    assert said in left.err
    assert "Traceback" not in left.err


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize("name", ["weights.pth", "graph.onnx", "scripted.pt"])
def test_files_that_hold_no_network_to_train_are_refused(name, cnninspect_, tmp_path) -> None:
    import torch
    from torch import nn

    if name == "weights.pth":
        torch.save(nn.Linear(4, 3).state_dict(), name)
    elif name == "scripted.pt":
        torch.jit.trace(nn.Linear(4, 3), torch.zeros(1, 4)).save(name)
    else:
        import onnx
        from onnx import TensorProto, helper

        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            [helper.make_node("Relu", ["x"], ["y"])], "g",
            [value("x", TensorProto.FLOAT, [1, 4])], [value("y", TensorProto.FLOAT, [1, 4])],
        )  # fmt: skip
        onnx.save(helper.make_model(graph), name)
    code, _, err = typed(cnninspect_, f"{name} --input 4")
    assert code == 2
    assert "hint:" in err


def test_notes_on_how_the_input_was_found_are_kept(cnninspect_: Callable) -> None:
    _, out, _ = typed(cnninspect_, "net.py:deep --batch 2")
    assert "worked out from the first layers" in out


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="it is here")
def test_an_absent_gpu_is_told(cnninspect_: Callable) -> None:
    code, _, err = typed(cnninspect_, "mlp --device cuda")
    assert code == 2
    assert "--device cuda is not possible" in err
