"""`--weights FILE` on `cnninspect summary`: whether a file fits a network."""

import json

import pytest
import torch
from safetensors.torch import save_file


@pytest.fixture
def state():
    """The weights of `lenet5_modern`."""
    return {
        "features.0.conv.weight": torch.zeros(6, 1, 5, 5),
        "features.0.conv.bias": torch.zeros(6),
        "features.1.conv.weight": torch.zeros(16, 6, 5, 5),
        "features.1.conv.bias": torch.zeros(16),
        "classifier.0.weight": torch.zeros(120, 400),
        "classifier.0.bias": torch.zeros(120),
        "classifier.2.weight": torch.zeros(84, 120),
        "classifier.2.bias": torch.zeros(84),
        "classifier.4.weight": torch.zeros(10, 84),
        "classifier.4.bias": torch.zeros(10),
    }


@pytest.fixture(params=[torch.save, save_file], ids=["torch.save", "safetensors"])
def weights(request, state, tmp_path):
    path = tmp_path / "weights"
    request.param(state, path)
    return str(path)


def test_weights_that_fit_are_a_note(cnninspect_, weights):
    code, out, err = cnninspect_("summary", "lenet5_modern", "--weights", weights, "-f", "json")
    assert (code, err) == (0, "")
    notes = json.loads(out)["engine"]["notes"]
    assert f"weights fit: 10 tensors of {weights}" in notes


def test_weights_of_another_number_of_classes_are_refused(cnninspect_, weights):
    reference = "lenet5_modern@num_classes=26"
    code, out, err = cnninspect_("summary", reference, "--weights", weights)
    assert (code, out) == (1, "")
    assert "classifier.4.weight: 10x84, not 26x84" in err
    assert "does its last layer have 10 outputs? as in @num_classes=…" in err


def test_weights_of_another_network_are_refused(cnninspect_, weights):
    code, out, err = cnninspect_("summary", "lenet5", "--weights", weights)
    assert (code, out) == (1, "")
    assert "not in the file (c1.weight" in err
    assert "only in the file (classifier.0.bias" in err or "only in the file (features" in err


def test_a_file_that_is_not_there_was_typed_wrongly(cnninspect_):
    code, _, err = cnninspect_("summary", "lenet5", "--weights", "nosuch.pth")
    assert code == 2
    assert "there is no file nosuch.pth" in err
