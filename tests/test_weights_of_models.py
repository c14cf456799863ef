"""`weights=` in Python: torchvision's files fit the zoo, and a live module stays as it is."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

import cnninspect
from cnninspect.engine.weights import load_weights
from cnninspect.errors import MissingLibrary, WeightsMismatch
from cnninspect.sources.registry import load
from cnninspect.sources.torchvision_schemas import import_torchvision
from cnninspect.zoo import catalogue

ROWS = json.loads((Path(__file__).parent / "data" / "torchvision.json").read_text())["torchvision"]
SHARED = sorted(
    {row["model"] for row in ROWS if row["task"] == "classification"} & set(catalogue.names())
)


@pytest.fixture(scope="module")
def get_model():
    """torchvision's function of that name."""
    try:
        return import_torchvision()[0].models.get_model
    except MissingLibrary:
        pytest.skip("torchvision is not installed")


def options_of(name):
    """What torchvision builds GoogLeNet's file with; its default initialisation is deprecated."""
    return {"aux_logits": True, "init_weights": False} if name == "googlenet" else {}


def state_of(name, get_model):
    """What torchvision's file for that network has, with one element for each tensor."""
    with torch.device("meta"):
        model = get_model(name, weights=None, **options_of(name))
    return {
        key: torch.zeros((), dtype=tensor.dtype).expand(tensor.shape)
        for key, tensor in model.state_dict().items()
    }


def reference(name):
    return "googlenet@aux=true" if name == "googlenet" else name


def test_the_zoo_shares_these_families_with_torchvision():
    shared = {catalogue.find(name)[0].name for name in SHARED}
    families = {"alexnet", "vgg", "googlenet", "resnet", "resnext", "densenet", "efficientnet"}
    assert shared == families


@pytest.mark.parametrize("name", SHARED)
def test_weights_of_torchvision_fit_the_zoo(name, tmp_path, get_model):
    path = tmp_path / "weights.pth"
    state = state_of(name, get_model)
    torch.save(state, path)
    summary = cnninspect.summarize(reference(name), weights=path)
    assert f"weights fit: {len(state)} tensors of {path}" in summary.engine.notes


def settle(model):
    """Give batch normalisation the statistics of a random batch, so that no signal dies out."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.rand(8, 3, 64, 64))
    model.eval()


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "efficientnet_b0", "googlenet"])
def test_weights_of_torchvision_give_its_outputs(name, tmp_path, get_model):
    torch.manual_seed(0)
    theirs = get_model(name, weights=None, num_classes=7, **options_of(name)).eval()
    settle(theirs)
    path = tmp_path / "weights.pth"
    torch.save(theirs.state_dict(), path)
    separator = "," if "@" in reference(name) else "@"
    ours = load(f"{reference(name)}{separator}num_classes=7").build().eval()
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = ours(x)
        report = load_weights(ours, path)
        after, wanted = ours(x), theirs(x)
    assert report.fits
    assert wanted.abs().max() > 0.01
    assert not torch.allclose(before, wanted, atol=1e-5)
    torch.testing.assert_close(after, wanted, atol=1e-5, rtol=1e-5)


def test_a_live_module_is_compared_and_not_filled(tmp_path):
    path = tmp_path / "weights.pth"
    model = nn.Linear(3, 2)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.save({name: torch.ones_like(tensor) for name, tensor in before.items()}, path)
    summary = cnninspect.summarize(model, inputs=[(1, 3)], weights=path)
    assert any(note.startswith("weights fit: 2 tensors") for note in summary.engine.notes)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
    with pytest.raises(WeightsMismatch):
        cnninspect.summarize(nn.Linear(3, 4), inputs=[(1, 3)], weights=path)


NETWORK = """
import torch
from torch import nn

class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate, self.branch = nn.Linear(2, 1), nn.Linear(2, 9)
    def forward(self, x):
        return self.branch(x) if self.gate(x).sum() > 0 else x
"""


def test_a_model_that_is_really_run_has_its_weights(tmp_path):
    (tmp_path / "gated.py").write_text(NETWORK)
    calls = {}
    for bias in (-1000.0, 1000.0):
        path = tmp_path / "weights.pth"
        state = {"gate.weight": torch.zeros(1, 2), "gate.bias": torch.tensor([bias])}
        state |= {"branch.weight": torch.zeros(9, 2), "branch.bias": torch.zeros(9)}
        torch.save(state, path)
        summary = cnninspect.summarize(f"{tmp_path}/gated.py:Gate", inputs=[(1, 2)], weights=path)
        calls[bias] = {layer.path: layer.calls for layer in summary.layers}["branch"]
    assert calls == {-1000.0: 0, 1000.0: 1}
