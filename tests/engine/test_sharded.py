"""Networks spread over a mesh of devices: what DTensor runs to learn a shape is not counted."""

import pytest
import torch
from torch import distributed, nn

import cnninspect

pytestmark = pytest.mark.skipif(not distributed.is_available(), reason="PyTorch without it")


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    from torch.distributed.device_mesh import init_device_mesh

    meeting = tmp_path_factory.mktemp("mesh") / "meeting"
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,))
    distributed.destroy_process_group()


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.o = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x):
        q, k, v = self.q(x).chunk(3, -1)
        return self.o((q @ k.transpose(-1, -2)).softmax(-1) @ v)


MACS = 10 * 8 * 24 + 2 * 2 * 25 * 8 + 10 * 64


def test_a_spread_input_is_traced_without_computing(mesh):
    from torch.distributed.tensor import Replicate, distribute_module, distribute_tensor

    net = distribute_module(Attending(), mesh)
    x = distribute_tensor(torch.randn(2, 5, 8), mesh, [Replicate()])
    for _ in range(2):
        report = cnninspect.summarize(net, [x])
        assert (report.totals.macs, report.engine.run) == (MACS, "abstract")
    x.sum()  # its values are still there


def test_a_real_run_of_a_spread_network_counts_once(mesh):
    from torch.distributed.tensor import Replicate, distribute_module, distribute_tensor

    class Asking(Attending):
        def forward(self, x):
            return super().forward(x) * (2 if x.to_local().norm().item() > 0 else 1)

    net = distribute_module(Asking(), mesh)
    x = distribute_tensor(torch.randn(2, 5, 8), mesh, [Replicate()])
    report = cnninspect.summarize(net, [x])
    assert (report.totals.macs, report.engine.run) == (MACS, "real")


def test_a_training_step_of_spread_layers(mesh):
    from torch.distributed.tensor.parallel import (
        ColwiseParallel,
        RowwiseParallel,
        parallelize_module,
    )

    net = nn.Sequential(nn.Linear(28, 18), nn.Linear(18, 6))
    net = parallelize_module(net, mesh, {"0": ColwiseParallel(), "1": RowwiseParallel()})
    totals = cnninspect.memory(net, [(3, 28)]).totals
    assert totals.forward_macs == 3 * (28 * 18 + 18 * 6)
    assert totals.backward_macs == 3 * (28 * 18 + 2 * 18 * 6)


def test_gradients_of_what_fully_shard_gathers_and_lets_go(mesh):
    from torch.distributed.fsdp import fully_shard

    net = nn.Sequential(nn.Sequential(nn.Linear(20, 16), nn.ReLU()), nn.Linear(16, 4))
    x = torch.ones(3, 20)
    plain = cnninspect.gradients(net, [x])
    fully_shard(net[0], mesh=mesh)
    fully_shard(net, mesh=mesh)
    before = net(x)
    report = cnninspect.gradients(net, [x])
    assert report.models[0].slope == pytest.approx(plain.models[0].slope)
    assert torch.equal(net(x), before)
