"""A live module comes out of a trace bit for bit as it went in."""

from __future__ import annotations

import copy
import gc
import hashlib
import random
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy
import pytest
import torch
from problems import PROBLEMS, Problem
from torch import Tensor, nn

import cnninspect
from cnninspect.engine import layouts as kinds


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


def test_a_lazy_layer_that_never_runs_owns_nothing_yet() -> None:
    module = nn.Sequential(nn.LazyLinear(5))
    module[0].unused = nn.LazyConv2d(4, 3)
    report = cnninspect.summarize(module, (torch.randn(2, 3),))
    assert report.totals.parameters == 3 * 5 + 5


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


class Touches(nn.Module):
    """Changes itself in one way; with `looks`, it asks for values, so that it really runs."""

    def __init__(self, touch: Callable[[nn.Module], None], *, looks: bool) -> None:
        super().__init__()
        self.touch, self.looks = touch, looks
        self.linear, self.norm = nn.Linear(4, 4), nn.BatchNorm1d(4)
        self.register_buffer("step", torch.zeros(()))
        self.recent: deque[int] = deque([1, 2])
        self.table = torch.ones(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.touch(self)
        y: torch.Tensor = self.norm(self.linear(x))
        return -y if self.looks and y.sum().item() > 0 else y


def _replaces_data(module: Any) -> None:
    module.linear.weight.data = torch.renorm(module.linear.weight.data, 2, 0, 0.01)
    module.linear.bias.data = torch.zeros(4)


def _writes(module: Any) -> None:
    module.linear.weight.data.mul_(2)
    module.linear.bias.add_(1)
    module.table.add_(1)
    module.step.add_(1)


def _freezes(module: Any) -> None:
    module.linear.requires_grad_(False)


def _remembers(module: Any) -> None:
    module.recent.popleft()
    module.recent.append(3)


@pytest.mark.parametrize("looks", [False, True], ids=["abstract", "real"])
@pytest.mark.parametrize("touch", [_replaces_data, _writes, _freezes, _remembers])
def test_a_module_that_changes_itself_is_left_as_it_was(
    touch: Callable[[nn.Module], None], looks: bool
) -> None:
    module = Touches(touch, looks=looks)
    before = fingerprint(module)
    for _ in range(2):  # the first could leave something that leads the second astray
        trace = cnninspect.trace(module, (torch.randn(5, 4),), mode="train")
        assert trace.how.run == ("real" if looks else "abstract")
        assert fingerprint(module) == before
        assert list(module.recent) == [1, 2]
        assert module.table.tolist() == [1, 1, 1]


class Deep(dict[str, Any]):
    """Copies what it holds as well."""

    def copy(self) -> Any:
        return copy.deepcopy(self)


class Ring(deque[int]):
    """Is not made from what it holds."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__((first, second))


def test_containers_with_ways_of_their_own_are_left_as_they_were() -> None:
    module = nn.Linear(4, 4)
    module.settings, module.ring = Deep(inner=[1]), Ring(1, 2)
    inner = module.settings["inner"]
    module.register_forward_pre_hook(lambda module, _: module.ring.append(3))
    cnninspect.trace(module, (torch.randn(2, 4),))
    assert module.settings["inner"] is inner
    assert list(module.ring) == [1, 2]


@pytest.mark.parametrize("looks", [False, True], ids=["abstract", "real"])
def test_a_module_whose_owner_is_gone_is_traced(looks: bool) -> None:
    module, owner = Touches(_remembers, looks=looks), Deep()
    module.owner = weakref.proxy(owner)
    del owner
    assert cnninspect.trace(module, (torch.randn(2, 4),)).layers[0].calls == 1


def test_classes_of_models_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "MOST_CLASSES", 10)
    classes = []
    for _ in range(12):
        kind: Any = type("Own", (nn.Linear,), {})
        cnninspect.trace(kind(4, 4), (torch.randn(2, 4),))
        classes.append(weakref.ref(kind))
    del kind
    gc.collect()
    assert classes[0]() is None


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_a_scripted_module_keeps_its_training_flags() -> None:
    module = torch.jit.script(nn.Sequential(nn.Linear(4, 4), nn.ReLU())).train()
    cnninspect.trace(module, (torch.randn(2, 4),))
    assert all(part.training for part in module.modules())


def test_weights_made_in_inference_mode_fail_like_others() -> None:
    with torch.inference_mode():
        module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    with pytest.raises(cnninspect.CnnInspectError, match="inference tensor"):
        cnninspect.trace(module, (torch.randn(2, 4),), mode="train")
    assert module[1].num_batches_tracked == 0


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


@pytest.mark.parametrize("is_on", [True, False])
@pytest.mark.parametrize("name", ["train", "evaluate", "activations"])
def test_whether_gradients_are_kept_is_as_it_was(name, is_on, tmp_path):
    draws = numpy.random.default_rng(0)
    numpy.savez(tmp_path / "data.npz", x=draws.random((40, 1, 4, 4), "float32"), y=[0, 1] * 20)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    asked = {
        "train": lambda: cnninspect.train(
            network, (1, 1, 4, 4), data=str(tmp_path / "data.npz"), epochs=1, batch=8
        ),
        "evaluate": lambda: cnninspect.evaluate(
            network, (1, 1, 4, 4), data=str(tmp_path / "data.npz")
        ),
        "activations": lambda: cnninspect.activations(network, (1, 1, 4, 4)),
    }
    with torch.set_grad_enabled(is_on):
        asked[name]()
        assert torch.is_grad_enabled() is is_on
