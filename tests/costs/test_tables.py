"""The tables: every name exists, and every operator of PyTorch is in one of them."""

import pytest
import torch
from op_recording import record
from torch import nn

from cnninspect.costs import cost_of, registered
from cnninspect.costs.registry import names_of
from cnninspect.records.operations import CostState, Operation

SCHEMAS = torch._C._jit_get_all_schemas()
EXISTING = {schema.name.replace("::", ".", 1) for schema in SCHEMAS}
CHECKED = ("aten.", "prims.", "prim.", "quantized.", "onednn.", "profiler.")
"""Namespaces that PyTorch defines without loading anything else."""
TABLES_ARE_FOR = "2.13"
"""In other versions of PyTorch some names may be missing, and no operator may be unlisted."""


def test_every_name_in_the_tables_exists():
    listed = [name for name in registered() if name.startswith(CHECKED)]
    gone = [name for name in listed if name not in EXISTING]
    most = 0 if torch.__version__.startswith(TABLES_ARE_FOR) else len(listed) // 20
    assert len(gone) <= most, gone
    assert len(listed) > 1500


def test_every_operator_of_pytorch_on_tensors_is_in_a_table():
    on_tensors = {
        schema.name.replace("::", ".", 1)
        for schema in SCHEMAS
        if any("Tensor" in str(a.type) for a in (*schema.arguments, *schema.returns))
    }
    missing = [
        name
        for name in sorted(on_tensors)
        if name.startswith("aten.")
        and not name.startswith(("aten._test_", "aten._foobar"))
        and not registered().keys() & set(names_of(Operation(name, (), ())))
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("aten.add", CostState.FREE),
        ("aten.add_", CostState.FREE),
        ("aten.__iand__", CostState.FREE),
        ("aten.sym_size", CostState.FREE),
        ("aten.grid_sampler_2d", CostState.FREE),
        ("aten.outer", CostState.FREE),
        ("aten._fft_r2c", CostState.UNKNOWN),
        ("aten.linalg_svd", CostState.UNKNOWN),
        ("aten._cdist_forward", CostState.UNKNOWN),
        ("torchvision.nms", CostState.FREE),
        ("torchvision.roi_align", CostState.FREE),
        ("mamba.selective_scan", CostState.UNKNOWN),
        ("aten.no_such_operator", CostState.UNKNOWN),
    ],
)
def test_an_operation_is_in_the_state_that_its_table_says(name, state):
    costed = cost_of(Operation(name, (), ()))
    assert costed.state is state
    assert costed.reason
    assert costed.cost.macs == 0


def train_step(network, *inputs):
    output = network(*inputs)
    (output[0] if isinstance(output, tuple) else output).sum().backward()
    torch.optim.AdamW(network.parameters()).step()


CONVOLUTIONAL = nn.Sequential(
    nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.SiLU(), nn.MaxPool2d(2), nn.Dropout(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4), nn.LogSoftmax(-1),
)  # fmt: skip
UP_AND_DOWN = nn.Sequential(
    nn.ConvTranspose2d(3, 4, 3), nn.GroupNorm(2, 4), nn.PixelShuffle(2), nn.GELU(),
    nn.Upsample(scale_factor=2, mode="bilinear"), nn.ReflectionPad2d(2), nn.AvgPool2d(2),
)  # fmt: skip
NETWORKS = {
    "convolutional": (CONVOLUTIONAL, (2, 3, 12, 12)),
    "up and down": (UP_AND_DOWN, (1, 3, 8, 8)),
    "attention": (nn.TransformerEncoderLayer(16, 2, 32, norm_first=True), (5, 2, 16)),
    "recurrent": (nn.GRU(4, 5), (3, 2, 4)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_in_training_an_ordinary_network_is_unknown(name):
    network, shape = NETWORKS[name]
    operations = record(lambda: train_step(network, torch.randn(shape)))
    states = {o.name: cost_of(o).state for o in operations}
    assert [n for n, state in states.items() if state is CostState.UNKNOWN] == []
