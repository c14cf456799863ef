"""A live module comes out of a trace bit for bit as it went in."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import numpy
import pytest
import torch
from problems import PROBLEMS, Problem
from torch import Tensor, nn

import cnninspect


def digest(tensor: Tensor) -> str:
    raw = tensor.detach().contiguous().flatten().view(torch.uint8)
    return hashlib.sha256(raw.numpy().tobytes()).hexdigest()


def fingerprint(module: nn.Module) -> dict[str, Any]:
    """Everything about a module that somebody could notice."""
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    modules = list(module.modules())
    return {
        "bytes": {name: digest(t) for name, t in tensors.items()},
        "states": {n: (id(t), t.requires_grad, t.grad, t._version) for n, t in tensors.items()},
        "storages": {name: t.untyped_storage().data_ptr() for name, t in tensors.items()},
        "training": [m.training for m in modules],
        "classes": [type(m) for m in modules],
        "attributes": [
            {
                name: (id(value), len(value) if isinstance(value, (list, dict, set)) else None)
                for name, value in vars(m).items()
            }
            for m in modules
        ],
        "marks": [sorted(vars(t)) for t in tensors.values()],
    }


def random_states() -> tuple[Any, ...]:
    kind, keys, *rest = numpy.random.get_state()
    return torch.get_rng_state().tolist(), random.getstate(), kind, keys.tolist(), rest


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_a_live_module_is_left_as_it_was(problem: Problem, mode: str) -> None:
    module = problem.build()
    for i, part in enumerate(module.modules()):
        part.training = i % 2 == 0
    before, states = fingerprint(module), random_states()
    cnninspect.trace(module, problem.inputs, mode=mode)
    assert fingerprint(module) == before
    assert random_states() == states


def test_a_lazy_module_stays_lazy() -> None:
    module = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(5))
    report = cnninspect.summarize(module, (torch.randn(2, 3, 6, 6),))
    assert report.totals.parameters == 4 * 3 * 9 + 4 + 64 * 5 + 5
    assert isinstance(module[0], nn.LazyConv2d)
    assert isinstance(module[0].weight, nn.parameter.UninitializedParameter)


def test_a_module_that_really_runs_keeps_its_statistics() -> None:
    class LooksAtData(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.norm(x)
            return y if y.sum().item() > 0 else -y

    module = LooksAtData().train()
    before = fingerprint(module)["bytes"]
    trace = cnninspect.trace(module, (torch.randn(5, 4),), mode="train")
    assert trace.how.run == "real"
    assert fingerprint(module)["bytes"] == before


def test_a_failing_module_is_left_as_it_was() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(5, 4)).train()
    before = fingerprint(module)
    with pytest.raises(cnninspect.CnnInspectError):
        cnninspect.trace(module, (torch.randn(2, 4),))
    assert fingerprint(module) == before


def test_inputs_are_left_as_they_were() -> None:
    x = torch.randn(2, 4, requires_grad=True)
    value = x.detach().clone()
    cnninspect.trace(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 2)), (x,))
    assert torch.equal(x, value)
    assert x.grad is None
    assert not vars(x)
