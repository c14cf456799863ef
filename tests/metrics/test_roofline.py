"""The least time on a device, against sums by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import cnninspect
from cnninspect.errors import BadOption, UnknownChoice
from cnninspect.metrics.roofline import DEVICES, parse_device
from cnninspect.metrics.summary import Roofline


def test_a_linear_layer_by_hand() -> None:
    report = cnninspect.summarize(
        nn.Linear(100, 50, bias=False), (torch.randn(8, 100),), device_spec="cpu:1:1"
    )
    roofline = report.layers[0].roofline
    assert roofline is not None
    flops = 2 * 8 * 100 * 50
    moved = 4 * (8 * 100 + 100 * 50 + 8 * 50)
    assert (roofline.own.flops, roofline.own.moved_bytes) == (flops, moved)
    assert roofline.own.seconds == pytest.approx(max(flops, moved) / 1e9)
    assert roofline.own.intensity == flops / moved
    assert roofline.own.bound == "compute"


@pytest.mark.parametrize(("spec", "bound"), [("cpu:1:1000", "compute"), ("cpu:1000:1", "memory")])
def test_the_bound_is_the_slower_side(spec: str, bound: str) -> None:
    report = cnninspect.summarize("resnet20", device_spec=spec)
    assert report.layers[0].roofline is not None
    assert report.layers[0].roofline.total.bound == bound


def test_views_move_nothing_and_own_adds_up_to_the_total() -> None:
    report = cnninspect.summarize("resnet20", device_spec="a100")
    rooflines = [layer.roofline for layer in report.layers if layer.roofline]
    together = sum((roofline.own for roofline in rooflines), Roofline())
    assert together.flops == rooflines[0].total.flops == report.totals.flops
    assert together.moved_bytes == rooflines[0].total.moved_bytes
    flat = cnninspect.summarize(nn.Flatten(), (torch.randn(2, 3, 4),), device_spec="a100")
    assert flat.layers[0].roofline is not None
    assert flat.layers[0].roofline.own == Roofline()


@pytest.mark.parametrize("name", DEVICES)
def test_every_device_names_its_source(name: str) -> None:
    device = parse_device(name, "bfloat16")
    assert device.source
    assert device.flops_per_second > parse_device(name, "float32").flops_per_second


def test_another_dtype_moves_other_bytes_at_another_rate() -> None:
    net, x = nn.Linear(100, 50, bias=False), (torch.randn(8, 100),)
    half = cnninspect.summarize(net, x, device_spec="cpu:1:1:bfloat16")
    assert half.layers[0].roofline is not None
    assert half.layers[0].roofline.own.moved_bytes == 2 * (8 * 100 + 100 * 50 + 8 * 50)
    assert "call by call, were all floats bfloat16" in cnninspect.render(half)
    same = cnninspect.summarize(net, x, device_spec="cpu:1:1:float32")
    assert same == cnninspect.summarize(net, x, device_spec="cpu:1:1")
    real = cnninspect.summarize(net.half(), (x[0].half(),), device_spec="a100")
    asked = cnninspect.summarize(nn.Linear(100, 50, bias=False), x, device_spec="a100:float16")
    assert real.layers[0].roofline == asked.layers[0].roofline


def test_a_network_of_token_ids_computes_in_the_dtype_of_its_weights() -> None:
    net = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 4, bias=False)).bfloat16()
    ids = (torch.zeros(3, dtype=torch.int64),)
    own = cnninspect.summarize(net, ids, device_spec="a100").device
    assert own == parse_device("a100", "bfloat16")
    asked = cnninspect.summarize(net, ids, device_spec="a100:float32").layers[2].roofline
    assert asked is not None
    assert asked.own.moved_bytes == 4 * (3 * 4 + 4 * 4 + 3 * 4)


def test_embeddings_move_their_whole_numbers_as_they_are() -> None:
    report = cnninspect.summarize(
        nn.Embedding(10, 4), (torch.zeros(3, dtype=torch.int64),), device_spec="h100:float16"
    )
    assert report.layers[0].roofline is not None
    assert report.layers[0].roofline.own.moved_bytes == 8 * 3 + 2 * (10 * 4 + 3 * 4)


def test_without_a_device_or_backward_nothing_is_made_up() -> None:
    report = cnninspect.summarize("mlp")
    assert report.device is None
    assert all(layer.roofline is None and layer.backward is None for layer in report.layers)


def test_backward_macs_stand_beside_the_forward_ones() -> None:
    report = cnninspect.summarize("resnet20", backward=True)
    convolution = next(layer for layer in report.layers if layer.path == "layer1.0.conv1")
    assert convolution.backward is not None
    assert convolution.backward.own == 2 * convolution.own.macs


@pytest.mark.parametrize(
    "spec", ["b200", "a100:1:2", "a100:float8", "rtx4090:float64", "cpu:1:1:x", "cpu:1:1:int8:2"]
)
def test_an_unknown_device_is_an_error(spec: str) -> None:
    with pytest.raises(UnknownChoice):
        parse_device(spec, "float32")


@pytest.mark.parametrize("spec", ["cpu", "cpu:1", "cpu:x:1", "cpu:0:1", "cpu:1:-1", "cpu:nan:1"])
def test_a_cpu_needs_two_numbers(spec: str) -> None:
    with pytest.raises(BadOption):
        parse_device(spec, "float32")
