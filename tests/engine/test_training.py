"""A traced training step against a real one, to the byte."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.utils.checkpoint
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

import cnninspect
from cnninspect.engine.liveness import Liveness
from cnninspect.engine.recording import tensors_in
from cnninspect.engine.training import trace_training
from cnninspect.errors import BadInput, CannotTrain, UsageError
from cnninspect.metrics.training_memory import OPTIMIZERS, memory_of, peak_with
from cnninspect.records.traces import TrainingTrace
from cnninspect.sources import open as api
from cnninspect.sources.registry import load


def really_saved(model: nn.Module, x: Tensor) -> int:
    """Bytes of the storages that a real forward pass keeps, parameters and buffers left out."""
    apart = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        address = tensor.untyped_storage().data_ptr()
        if address not in apart and tensor.untyped_storage().nbytes():
            kept[address] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = model(x)
    assert output is not None
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def traced(reference: str, **options: Any) -> TrainingTrace:
    step = trace_training(load(reference), **options)
    assert step.forward.how.run == "abstract"
    return step


FAMILIES = [  # one of each convolutional family, at a size that is quick to compute
    "shallow_cnn", "lenet5", "lenet5_modern", "alexnet@resolution=64",
    "vgg11_bn@resolution=32,num_classes=10", "googlenet@resolution=64", "inception_reduced",
    "highway_mnist", "resnet18@resolution=64", "resnet50@resolution=64", "plain18@resolution=64",
    "resnet20", "resnet20@norm=none,activation=tanh", "preresnet18@resolution=64",
    "wrn16_8@width=2",
    "densenet121@resolution=64", "densenet40_k12", "resnext50_32x4d@resolution=64",
    "se_resnet18@resolution=64", "efficientnet_b0@resolution=64",
]  # fmt: skip


@pytest.mark.parametrize("reference", FAMILIES)
def test_saved_bytes_are_those_of_a_real_run(reference: str) -> None:
    torch.manual_seed(0)
    loaded = load(reference)
    shape = (2, *loaded.inputs[0].shape[1:])
    real = really_saved(loaded.build().train(), torch.randn(shape))
    assert sum(storage.nbytes for storage in traced(reference, batch=2).saved) == real


@pytest.mark.parametrize(
    ("reference", "size"), [("torchvision:vit_b_16@image_size=32", 32), ("torchvision:swin_t", 64)]
)
def test_saved_bytes_of_transformers_are_those_of_a_real_run(reference: str, size: int) -> None:
    loaded = load(reference)
    real = really_saved(loaded.build().eval(), torch.randn(1, 3, size, size))
    shape = api.as_arguments((1, 3, size, size))
    step = trace_training(loaded, shape, mode="eval")
    assert step.forward.how.run == "abstract"
    assert sum(storage.nbytes for storage in step.saved) == real


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_backward_macs_are_those_of_the_flop_counter(mode: str) -> None:
    step = traced("resnet18@resolution=64", mode=mode)
    model = load("resnet18@resolution=64").build().train(mode == "train")
    with FlopCounterMode(display=False) as counter:
        model(torch.randn(2, 3, 64, 64)).sum().backward()
    totals = memory_of(step).totals
    assert 2 * 2 * (totals.forward_macs + totals.backward_macs) == counter.get_total_flops()


def test_the_figures_of_the_design() -> None:
    totals = memory_of(traced("resnet34", batch=8)).totals
    assert totals.saved_bytes == 257_788_416
    assert round(totals.backward_macs / totals.forward_macs, 3) == 1.968
    totals = memory_of(traced("torchvision:vit_b_16", batch=8)).totals
    assert totals.saved_bytes == 945_285_440
    assert round(totals.backward_macs / totals.forward_macs, 3) == 1.993


def test_backward_calls_have_the_layers_of_their_forward_calls() -> None:
    layers = memory_of(traced("resnet18@resolution=64")).layers
    by_path = {layer.path: layer for layer in layers}
    for path in ("layer1.0.conv1", "layer4.1.conv2", "fc"):
        assert by_path[path].own.backward_macs == 2 * by_path[path].own.forward_macs
    assert by_path["conv1"].own.backward_macs == by_path["conv1"].own.forward_macs
    assert sum(layer.own.backward_macs for layer in layers) == by_path[""].total.backward_macs


def test_a_frozen_backbone_costs_next_to_nothing_backward() -> None:
    full = memory_of(traced("resnet18", batch=2)).totals
    head = cnninspect.memory("resnet18", batch=2, freeze=("conv1", "bn1", "layer*")).totals
    assert head.backward_macs == 2 * 512 * 1000
    assert head.gradient_bytes == 4 * (512 * 1000 + 1000)
    assert head.saved_bytes < full.saved_bytes / 1000


class Checkpointed(nn.Module):
    def __init__(self, *, is_checkpointed: bool) -> None:
        super().__init__()
        self.is_checkpointed = is_checkpointed
        self.parts = nn.ModuleList(
            nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Linear(64, 16), nn.Tanh())
            for _ in range(3)
        )

    def forward(self, x: Tensor) -> Tensor:
        for part in self.parts:
            if self.is_checkpointed:
                x = torch.utils.checkpoint.checkpoint(part, x, use_reentrant=False)
            else:
                x = part(x)
        return x


def test_checkpointing_saves_less_and_computes_more() -> None:
    plain, checkpointed = (
        memory_of(
            trace_training(api.load(Checkpointed(is_checkpointed=flag)), (torch.randn(4, 16),))
        )
        for flag in (False, True)
    )
    assert checkpointed.totals.saved_bytes < plain.totals.saved_bytes
    assert checkpointed.totals.forward_macs == plain.totals.forward_macs
    again = checkpointed.totals.backward_macs - plain.totals.backward_macs
    assert again == plain.totals.forward_macs


REAL_OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "momentum": partial(torch.optim.SGD, momentum=0.9),
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}


def state_of(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    values = [value for state in optimizer.state.values() for value in state.values()]
    return [value for value in values if isinstance(value, Tensor)]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_state_is_that_of_the_real_optimizer_after_a_step(name: str) -> None:
    model = nn.Sequential(nn.Linear(7, 5), nn.BatchNorm1d(5), nn.Linear(5, 3, bias=False))
    optimizer = REAL_OPTIMIZERS[name](model.parameters(), lr=0.1)
    model(torch.randn(4, 7)).sum().backward()
    optimizer.step()
    step = trace_training(api.load(model), (torch.randn(4, 7),))
    real = sum(tensor.nbytes for tensor in state_of(optimizer))
    assert memory_of(step, optimizer=name).totals.optimizer_bytes == real


class Follow(TorchDispatchMode):
    """Notes what is alive after each operator."""

    def __init__(self, liveness: Liveness) -> None:
        super().__init__()
        self.liveness = liveness

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tensors_in(result):
            self.liveness.watch(tensor)
        self.liveness.note_calls(len(self.liveness.history) + 1)
        return result


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_an_update_needs_is_what_the_real_optimizer_makes(name: str) -> None:
    model = nn.Sequential(nn.Linear(7, 5), nn.Linear(5, 3, bias=False))
    optimizer = REAL_OPTIMIZERS[name](model.parameters(), lr=0.1, foreach=True)  # as on a GPU
    for _ in range(2):  # the first one makes the state
        optimizer.zero_grad()
        model(torch.randn(4, 7)).sum().backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        there = [*model.parameters(), *gradients, *state_of(optimizer)]
        follow = Follow(Liveness(there))
        with follow:
            optimizer.step()
    totals = memory_of(trace_training(api.load(model), (torch.randn(4, 7),)), optimizer=name).totals
    held = 2 * totals.parameter_bytes + totals.optimizer_bytes + 4 * (4 * 7 + 4 * 3)
    assert totals.update_bytes == held + max(follow.liveness.history)


def test_the_peak_of_a_large_layer_is_in_the_optimizers_update() -> None:
    report = cnninspect.memory(nn.Linear(1000, 1000, bias=False), [(1, 1000)], optimizer="adam")
    # parameters, gradients, two averages, the square root of one of them; input and output
    assert report.totals.peak_bytes == 5 * 4_000_000 + 4 + 2 * 4000
    assert report.timeline[-1] == report.totals.update_bytes == report.totals.peak_bytes
    assert peak_with(report, "sgd") == 2 * 4_000_000 + 3 * 4000
    for name in OPTIMIZERS:
        other = cnninspect.memory(nn.Linear(1000, 1000, bias=False), [(1, 1000)], optimizer=name)
        assert peak_with(report, name) == other.totals.peak_bytes


def test_what_is_alive_at_the_end_is_inputs_and_gradients_and_little_else() -> None:
    step = traced("resnet18@resolution=64", batch=2)
    assert step.gradient_bytes == 4 * 11_689_512
    assert step.live_bytes[-1] >= step.gradient_bytes + step.input_bytes
    assert step.live_bytes[-1] < step.gradient_bytes + step.input_bytes + 100_000
    assert max(step.live_bytes) > sum(storage.nbytes for storage in step.saved)


def test_inference_keeps_nothing() -> None:
    step = traced("resnet18@resolution=64", inference=True, mode="eval")
    report = memory_of(step, purpose="inference")
    assert (step.saved, step.backward, step.gradient_bytes) == ((), (), 0)
    assert report.totals.optimizer_bytes == report.totals.gradient_bytes == 0
    # the largest moment: the first convolution's output beside that of its batch norm
    assert max(step.live_bytes) == 2 * 4 * 64 * 32 * 32 + step.input_bytes


def test_mixed_precision_saves_less() -> None:
    full, mixed = traced("resnet20", batch=16), traced("resnet20", batch=16, amp="bfloat16")
    assert sum(s.nbytes for s in mixed.saved) < sum(s.nbytes for s in full.saved)
    assert mixed.gradient_bytes == full.gradient_bytes  # the weights stay float32


def test_narrow_copies_of_weights_live_as_long_as_autocast_keeps_them() -> None:
    layer, x = nn.Linear(1000, 1000, bias=False), [(1, 1000)]
    totals = cnninspect.memory(layer, x, amp="bfloat16").totals
    assert totals.update_bytes == 4_000_000 + 4_000_000 + 4000 + 2000  # no copy is left
    frozen = nn.Sequential(layer, nn.Linear(1000, 1000, bias=False)).requires_grad_(
        requires_grad=False
    )
    report = cnninspect.memory(frozen, x, amp="bfloat16", inference=True)
    assert report.totals.peak_bytes == 8_000_000 + 2_000_000 + 4000 + 2 * 2000  # one at a time


@pytest.mark.parametrize(
    "wrong", [{"dtype": "int8"}, {"amp": "float64"}, {"mode": "test"}, {"batch": 0}]
)
def test_what_cannot_be_is_a_plain_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        cnninspect.memory("lenet5", **wrong)


def test_no_batch_is_looked_for_where_tensors_hold_it() -> None:
    assert cnninspect.fit_batch(nn.Linear(4, 3), 10_000, inputs=[(1, 4)]).batch > 1
    with pytest.raises(BadInput, match="holds its batch already"):
        cnninspect.fit_batch(nn.Linear(4, 3), 10_000, inputs=(torch.randn(1, 4),))


def test_autocast_leaves_bilinear_layers_wide() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.both = nn.Bilinear(4, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.both(x, x)

    step = trace_training(api.load(Both()), (torch.randn(2, 4),), amp="bfloat16")
    assert step.forward.outputs[0].spec.dtype == "float32"


def test_a_live_module_is_not_touched_by_training() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2)
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trace_training(api.load(model.eval()), (torch.randn(2, 3, 4, 4),), frozen=("0.0.weight",))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad and not p.is_meta for p in model.parameters())
    assert not model.training


def test_a_model_without_trainable_parameters_is_an_error() -> None:
    with pytest.raises(CannotTrain, match="no output depends on a trainable parameter"):
        trace_training(api.load(nn.ReLU()), (torch.randn(2, 3),))


class LooksAtData(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.tanh(self.first(x))
        return self.second(y if y.sum().item() > 1e9 else y * 2)


def test_a_model_that_looks_at_its_data_is_really_run_and_says_so() -> None:
    model = LooksAtData()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    step = trace_training(api.load(model), (torch.randn(4, 6),), batch=1)
    assert step.forward.how.run == "real"
    assert "run for real, because" in step.forward.how.notes[-1]
    # tanh keeps its output, the second layer its input, the first the network's input
    assert sum(storage.nbytes for storage in step.saved) == 4 * (4 * 6 + 2 * 4 * 8)
    totals = memory_of(step).totals
    assert totals.backward_macs == 4 * (6 * 8) + 2 * 4 * (8 * 3)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_the_first_step_in_a_process_lives_as_the_second_does():
    code = """
from cnninspect.sources.open import load
from cnninspect.engine.training import trace_training
for name in ("resnet20@depth=8", "lstm@length=3", "torchvision:swin_t"):
    first, second = (trace_training(load(name), batch=2).live_bytes for _ in range(2))
    assert first == second, name
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class Unused(nn.Module):
    """A layer that nothing comes of, and one whose parameter is shared."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(10, 10), nn.Linear(10, 100)
        self.c = nn.Linear(10, 10, bias=False)
        self.c.weight = self.a.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.c(self.a(x))


class Reentrant(nn.Module):
    """Reentrant checkpointing of what no gradient comes into."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(10, 10), nn.Linear(10, 4)

    def forward(self, x: Tensor) -> Tensor:
        from torch.utils.checkpoint import checkpoint

        return self.b(checkpoint(self.a, x, use_reentrant=True))


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("kind", [Unused, Reentrant])
@pytest.mark.parametrize("name", ["adam", "momentum"])
def test_only_what_the_backward_pass_reaches_has_a_gradient_and_a_state(kind, name) -> None:
    model, x = kind(), torch.randn(4, 10)
    found = cnninspect.memory(model, (x,), optimizer=name)
    real = {"adam": torch.optim.Adam, "momentum": torch.optim.SGD}[name]
    options = {"momentum": 0.9} if name == "momentum" else {}
    optimizer = real(model.parameters(), lr=0.1, **options)
    model(x).sum().backward()
    optimizer.step()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert found.totals.gradient_bytes == sum(g.nbytes for g in gradients)
    assert found.totals.optimizer_bytes == sum(t.nbytes for t in state_of(optimizer))
    assert found.totals.trained_tensors == len(gradients)
    assert any("no gradient reaches 2 trainable parameters" in note for note in found.notes)


class Reader(nn.Module):
    def __init__(self, *sizes: int, **options: Any) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(*sizes, **options)
        self.is_first = bool(options.get("batch_first"))
        self.last = nn.Linear(sizes[1] * (2 if options.get("bidirectional") else 1), 5)

    def forward(self, x: Tensor) -> Tensor:
        found = self.recurrent(x)[0]
        return self.last(found[:, -1] if self.is_first else found[-1])


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="no oneDNN here")
@pytest.mark.parametrize(
    ("sizes", "shape", "options"),
    [
        ((32, 64, 2), (4, 20, 32), {"batch_first": True}),
        ((32, 64, 1), (4, 20, 32), {}),
        ((28, 50, 3), (7, 13, 28), {"batch_first": True, "bidirectional": True}),
        ((28, 64, 2), (3, 30, 28), {"bias": False}),
        ((28, 64, 2), (3, 30, 28), {"dropout": 0.5}),
        ((28, 37, 2), (3, 30, 28), {"dropout": 0.3, "bidirectional": True, "batch_first": True}),
        ((300, 16, 1), (5, 9, 300), {}),
    ],
)
def test_an_lstm_keeps_what_it_keeps_on_a_cpu(sizes, shape, options) -> None:
    torch.manual_seed(0)
    model, x = Reader(*sizes, **options), torch.randn(shape)
    found = cnninspect.memory(model, (x,))
    assert found.totals.saved_bytes == pytest.approx(really_saved(model, x), rel=0.01)
    assert any("oneDNN" in note for note in found.notes)
    assert found.totals.peak_bytes > found.totals.saved_bytes


def test_what_is_kept_of_an_input_is_told_from_what_is_made() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(3, 5), nn.Linear(5, 7)

        def forward(self, x: Tensor) -> Tensor:
            made: Tensor = self.second(torch.tanh(self.first(x)))
            return made

    step = trace_training(api.load(Net()), (torch.zeros(2, 3),))
    assert {(s.layer, s.nbytes, s.is_input) for s in step.saved} == {
        ("first", 2 * 3 * 4, True), ("", 2 * 5 * 4, False),
    }  # fmt: skip
