"""How files of weights fit networks, and why they do not."""

import pytest

import cnninspect
from cnninspect.commands.diff.analysis import match_files, match_network
from cnninspect.records.checkpoint import Checkpoint, StoredTensor
from cnninspect.records.operations import TensorSpec


@pytest.fixture(scope="module")
def trace():
    return cnninspect.trace("resnet20@num_classes=4")


def stored(tensors, dtype="float32"):
    return Checkpoint(
        "weights.pth",
        "pytorch zip",
        tuple(
            StoredTensor(name, TensorSpec(shape, dtype), 0, "", 0, ())
            for name, shape in tensors.items()
        ),
    )


@pytest.fixture(scope="module")
def state(trace):
    from cnninspect.commands.diff.analysis import network_tensors

    return network_tensors(trace)


def test_the_networks_own_weights_fit(trace, state):
    report = match_network(trace, stored(state))
    assert report.is_empty
    assert report.matched == len(state) > 60


def test_state_dicts_of_torch_have_the_same_names(state):
    import torch

    from cnninspect.sources import open as api

    torch.manual_seed(0)
    module = api.load("resnet20@num_classes=4").build()
    assert {k: tuple(v.shape) for k, v in module.state_dict().items()} == state


@pytest.mark.parametrize(
    ("prefix", "told"),
    [
        ("module.", "DataParallel"),
        ("_orig_mod.", "torch.compile"),
        ("module._orig_mod.", "torch.compile"),
        ("state_dict.model.", "more than the weights"),
        ("backbone.", "backbone"),
        ("something.", ""),
    ],
)
def test_a_prefix_is_found_and_explained(trace, state, prefix, told):
    report = match_network(trace, stored({f"{prefix}{k}": v for k, v in state.items()}))
    assert report.renaming.new == prefix
    assert told in report.renaming.reason
    assert not report.missing
    assert not report.unexpected
    assert not report.is_empty


def test_a_prefix_on_the_networks_side_is_found_too(state, trace):
    inner = {k.removeprefix("layer1."): v for k, v in state.items() if k.startswith("layer1.")}
    report = match_files(stored({f"layer1.{k}": v for k, v in inner.items()}), stored(inner))
    assert (report.renaming.old, report.renaming.new) == ("layer1.", "")


def test_weights_are_preferred_to_their_averages_which_are_named(trace, state):
    tensors = {f"ema.{k}": v for k, v in state.items()}
    tensors |= {f"net.module.{k}": v for k, v in state.items()}
    report = match_network(trace, stored(tensors))
    assert report.renaming.new == "net.module."
    assert {tensor.reason for tensor in report.unexpected} == {"an EMA copy of the weights"}
    assert {tensor.group for tensor in report.unexpected} == {"ema.*"}


def test_another_head_is_told_by_its_classes(trace, state):
    tensors = {**state, "fc.weight": (10, 64), "fc.bias": (10,)}
    report = match_network(trace, stored(tensors))
    assert [tensor.name for tensor in report.misshapen] == ["fc.weight", "fc.bias"]
    assert all("4 and 10" in tensor.reason for tensor in report.misshapen)


def test_a_renamed_tensor_is_guessed_by_name_and_shape(trace, state):
    tensors = {k.replace("fc.", "head_fc."): v for k, v in state.items()}
    report = match_network(trace, stored(tensors))
    assert [(t.name, t.reason) for t in report.missing] == [
        ("fc.weight", "is it head_fc.weight?"), ("fc.bias", "is it head_fc.bias?"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("optimizer.state.0.exp_avg", "optimizer"),
        ("conv1.total_ops", "thop"),
        ("conv1.lora_A.weight", "LoRA"),
        ("conv1.weight_g", "weight normalisation"),
        ("who.knows", ""),
    ],
)
def test_tensors_of_no_use_are_explained_where_their_name_tells(trace, state, name, told):
    report = match_network(trace, stored({**state, name: (1,)}))
    (tensor,) = report.unexpected
    assert told in tensor.reason
    assert bool(told) == bool(tensor.reason)


def test_old_files_without_counters_are_told(trace, state):
    old = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    report = match_network(trace, stored(old))
    assert report.missing
    assert {tensor.group for tensor in report.missing} == {"*.num_batches_tracked"}


def test_tied_weights_may_be_there_once():
    from torch import nn

    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
            self.two.weight = self.one.weight

        def forward(self, x):
            return self.two(self.one(x))

    found = match_network(cnninspect.trace(Tied(), inputs=[(1, 3)]), stored({"one.weight": (3, 3)}))
    (tensor,) = found.missing
    assert tensor.reason == "it is the same as one.weight, which is there"


def test_unrelated_names_are_not_forced_together(trace):
    report = match_network(trace, stored({f"a.b{i}.weight": (1,) for i in range(80)}))
    assert report.renaming is None
    assert report.matched == 0


def test_another_dtype_is_noted(trace, state):
    notes = match_network(trace, stored(state, "float16")).notes
    assert notes == ("the file stores float16, the network is built in float32",)
