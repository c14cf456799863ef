"""Fake tensors are where somebody asked for; code that names a GPU needs none."""

import pytest
import torch
from torch import nn

import cnninspect
from cnninspect.errors import UnknownChoice
from cnninspect.records.models import LoadedModel, ModelInfo


class Branching(nn.Module):
    """8 × 8 if its answer is as on a real device, else 8 × 16."""

    def __init__(self, question):
        super().__init__()
        self.right, self.wrong, self.question = nn.Linear(8, 8), nn.Linear(8, 16), question

    def forward(self, x):
        return self.right(x) if self.question(self, x) else self.wrong(x)


def is_same_type(net, x):
    return torch.arange(8).type(x.type()).dtype == x.dtype


ON_CPU = {
    "device": lambda net, x: x.device == torch.device("cpu"),
    "type": lambda net, x: x.device.type in ("cpu", "cuda"),
    "is_cpu": lambda net, x: x.is_cpu,
    "not is_meta": lambda net, x: not x.is_meta,
    "not is_cuda": lambda net, x: not x.is_cuda,
    "get_device": lambda net, x: x.get_device() == -1,
    "data_ptr": lambda net, x: x.data_ptr() != 0,
    "same data_ptr": lambda net, x: x.data_ptr() == x.view(-1).data_ptr(),
    "of a weight": lambda net, x: x.device == net.right.weight.device,
    "of a result": lambda net, x: net.right(x).device.type == "cpu",
    "type()": lambda net, x: x.type() == "torch.FloatTensor",
    "type(x.type())": is_same_type,
    "FloatTensor": lambda net, x: isinstance(x, torch.FloatTensor),
    "not DoubleTensor": lambda net, x: not isinstance(x, torch.DoubleTensor),
    "to returns itself": lambda net, x: x.to("cpu") is x and x.cpu() is x,
    "no cuda": lambda net, x: not torch.cuda.is_available(),
}


@pytest.mark.parametrize("question", ON_CPU.values(), ids=ON_CPU)
def test_a_fake_tensor_is_on_the_cpu_by_default(question):
    with torch.device("meta"):
        net = Branching(question)
    report = cnninspect.summarize(net, [(1, 8)])
    assert (report.engine.run, report.outputs[0].spec.shape) == ("abstract", (1, 8))
    assert cnninspect.memory(net, [(1, 8)]).totals.forward_macs in (64, 2 * 64)


ON_CUDA = {
    "device": lambda net, x: x.device == torch.device("cuda:0"),
    "is_cuda": lambda net, x: x.is_cuda and net.right.weight.is_cuda,
    "get_device": lambda net, x: x.get_device() == 0,
    "type()": lambda net, x: x.type() == "torch.cuda.FloatTensor",
    "FloatTensor": lambda net, x: isinstance(x, torch.cuda.FloatTensor),
    "available": lambda net, x: torch.cuda.is_available() and torch.cuda.device_count() == 1,
    "cpu is another": lambda net, x: x.cpu().is_cpu and x.is_cuda,
}


@pytest.mark.parametrize("question", ON_CUDA.values(), ids=ON_CUDA)
def test_a_fake_tensor_is_on_the_gpu_if_that_is_asked_for(question):
    report = cnninspect.summarize(Branching(question), [(1, 8)], device="cuda")
    assert report.outputs[0].spec.shape == (1, 8)
    assert not torch.cuda.is_available()
    assert not isinstance(torch.zeros(1), torch.cuda.FloatTensor)


class Hard(nn.Module):
    """Names CUDA without asking whether there is one."""

    def __init__(self):
        super().__init__()
        self.l = nn.Linear(8, 8).cuda()
        self.register_buffer("b", torch.zeros(8, device="cuda"))

    def forward(self, x):
        torch.cuda.synchronize()
        with torch.cuda.stream(torch.cuda.Stream()):
            x = x.cuda(non_blocking=True).to("cuda:0") + torch.arange(8, device="cuda")
        assert x.is_cuda
        return self.l(x + torch.zeros(8).pin_memory().cuda()) + self.b


def test_code_that_names_a_gpu_needs_none():
    loaded = LoadedModel(ModelInfo("Hard", "file", "Hard"), Hard, live=False)
    found = cnninspect.trace(loaded, [(2, 8)])
    assert (found.how.build, found.how.run) == ("meta", "abstract")
    assert cnninspect.summarize(found).totals.macs == 128


def test_a_real_run_of_it_needs_none_either():
    class Asks(Hard):
        def forward(self, x):
            return super().forward(x) if x.sum() < 1e9 else x

    loaded = LoadedModel(ModelInfo("Asks", "file", "Asks"), Asks, live=False)
    assert cnninspect.summarize(cnninspect.trace(loaded, [(2, 8)])).totals.macs == 128


def test_a_device_that_nobody_has_is_refused():
    with pytest.raises(UnknownChoice, match="quda"):
        cnninspect.trace(nn.Linear(2, 2), [(1, 2)], device="quda")


@pytest.mark.parametrize("enabled", [True, False])
def test_autocast_on_the_device_of_a_tensor_is_that_of_the_cpu(enabled):
    class Cast(nn.Module):
        def __init__(self):
            super().__init__()
            self.l = nn.Linear(8, 8)

        def forward(self, x):
            with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=enabled):
                y = self.l(x)
            return torch.cat([y, torch.softmax(y, -1)], -1)

    net = Cast()
    real = net(torch.zeros(2, 8))
    report = cnninspect.summarize(net, [(2, 8)])
    assert report.engine.run == "abstract"
    assert report.outputs[0].spec.dtype == str(real.dtype).removeprefix("torch.")
