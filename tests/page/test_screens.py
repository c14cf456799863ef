"""What commands print at 80 columns, whole: a run each, of networks that take no time.

Reports that other files of this folder build by hand (`*_at_80.txt`) are not run again; `time` and
`cache` print what differs from machine to machine.
"""

import pytest

from cnninspect.commands.application import run
from cnninspect.commands.help.topics import TOPICS

NET = """
from torch import nn


class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
        )
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        return self.head(self.body(x).flatten(1))
"""
SCREENS = {
    "activations": "activations lenet5_modern --batch 4 --dtype float64",
    "compare_budget": "compare lenet5 lenet5_modern --max-flops 700k --no-cache",
    "config": "config",
    "evaluate": "evaluate --predictions predictions.csv",
    "explain": "explain lenet5_modern features.1.conv --fresh",
    "explain_backward": "explain resnet18 layer1.0 --backward --fresh",
    "feature_reuse": "weights densenet_bc100_k12@depth=22,resolution=8 --feature-reuse",
    "accuracy": "compare net.py:Net --input 3x8x8 --data digits --weights net.pth --no-cache",
    "depth_and_width": "scale wrn28_10@resolution=8 --grid --depths 10,16 --widths 1,2 --no-cache",
    "shift": "activations shallow_cnn@resolution=8 --data digits --batch 4 --shift 2",
    "steps": "train mlp --epochs 1 --batch 512 --optimizer adagrad --by-parameter --dtype float64",
    "find": "find lenet* --max-params 100k --no-cache",
    "fit": "memory net.py:Net --input 3x32x32 --fit 1MB",
    "graph": "graph lenet5_modern",
    "help": "help",
    **{f"help_{topic}": f"help {topic}" for topic in TOPICS},
    "lint": "lint net.py:Net --input 3x32x32",
    "memory": "memory net.py:Net --input 3x32x32 --optimizer adamw --batch 4",
    "peak": "check net.py:Net --input 3x32x32 --max-memory 1MB --max-params 100",
    "summary": "summary net.py:Net --input 3x32x32 --level all",
    "sweep": "sweep mlp@num_classes=2..6:2 --no-cache --jobs 1",
    "train": "train mlp --epochs 2 --batch 256 --dtype float64",
    "whole_help": "--help",
}


def save_weights(path):
    """Weights for that network, which are the same everywhere."""
    import torch

    shapes = {
        "body.0.weight": (8, 3, 3, 3), "body.0.bias": (8,), "body.1.weight": (8,),
        "body.1.bias": (8,), "body.1.running_mean": (8,), "body.1.running_var": (8,),
        "head.weight": (10, 8), "head.bias": (10,),
    }  # fmt: skip
    state = {name: torch.ones(shape) for name, shape in shapes.items()}
    state["head.bias"] = torch.arange(10.0)
    torch.save(state, path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A network of one's own, and predictions."""
    folder = tmp_path_factory.mktemp("screens")
    (folder / "net.py").write_text(NET)
    save_weights(folder / "net.pth")
    (folder / "predictions.csv").write_text("label,prediction\na,a\na,b\nb,b\nb,b\n")
    return folder


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_is_the_one_on_file(name, folder, monkeypatch, capsys, check_golden):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        run(SCREENS[name].split())
    printed = capsys.readouterr()
    text = "".join(f"{line.rstrip()}\n" for line in (printed.out + printed.err).splitlines())
    assert max(map(len, text.splitlines())) <= 80
    check_golden(text, f"screen_{name}.txt")
