"""What is run when a network is timed, and what is said of it; never how long it takes."""

from __future__ import annotations

import json
import shutil

import jsonschema
import pytest
import torch
from torch import nn

import cnninspect
from cnninspect.commands.timing.analysis import (
    UNSTEADY_TEXT,
    VALUES,
    Traced,
    gains_of,
    layers_of,
    shares_of,
    timed_model,
)
from cnninspect.engine.real_passes import timing
from cnninspect.errors import (
    BadOption,
    CannotCompile,
    CannotTrain,
    NeedsModules,
    RunFailed,
    TooLarge,
    UnknownChoice,
)
from cnninspect.records.reports import schema_of
from cnninspect.records.timings import Spread, Timed, TimeSettings
from cnninspect.sources.input_text import parse_inputs

PICTURE = parse_inputs(["3x8x8"])
QUICK = {"seconds": 1e-4, "runs": 2, "device_spec": "cpu:100:10"}


RAN = []


class Seen(nn.Module):
    """Writes down how it is run."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        y = self.conv(x)
        RAN.append(
            {
                "batch": x.shape[0],
                "dtype": x.dtype,
                "training": self.training,
                "gradients": torch.is_grad_enabled(),
                "autocast": torch.is_autocast_enabled("cpu"),
                "threads": torch.get_num_threads(),
                "last": x.is_contiguous(memory_format=torch.channels_last)
                and self.conv.weight.is_contiguous(memory_format=torch.channels_last),
                "output": y.dtype,
            }
        )
        return y.mean((2, 3))


def how_it_ran(**options):
    report = cnninspect.time(Seen(), PICTURE, **{**QUICK, **options})
    return RAN[-1], report


def test_whole_runs_and_layers_are_told_and_layers_add_up_to_the_median():
    report = cnninspect.time("lenet5", **QUICK)
    (model,) = report.models
    root, *layers = model.layers
    assert root.path == ""
    assert root.total_s == pytest.approx(model.median_s)
    assert sum(layer.own_s for layer in model.layers) == pytest.approx(model.median_s)
    children = [layer for layer in layers if layer.level == 1]
    assert root.own_s + sum(layer.total_s for layer in children) == pytest.approx(root.total_s)
    assert model.samples_per_s == pytest.approx(1 / model.median_s)
    assert model.lower_s <= model.median_s <= model.upper_s
    assert model.iqr_s == pytest.approx(model.upper_s - model.lower_s)
    assert model.runs >= 2
    summary = cnninspect.summarize("lenet5", device_spec="cpu:100:10")
    assert model.bound_s == pytest.approx(summary.layers[0].roofline.total.seconds)
    assert model.macs == summary.totals.macs
    assert model.efficiency == pytest.approx(model.bound_s / model.median_s)
    jsonschema.validate(json.loads(json.dumps(report.to_dict())), schema_of(type(report)))


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ({"batch": 3}, {"batch": 3, "training": False, "gradients": False}),
        ({"mode": "train"}, {"training": True, "gradients": True}),
        ({"dtype": "bfloat16"}, {"dtype": torch.bfloat16, "output": torch.bfloat16}),
        ({"dtype": "float64"}, {"dtype": torch.float64}),
        ({"amp": True}, {"dtype": torch.float32, "autocast": True, "output": torch.bfloat16}),
        ({"channels_last": True}, {"last": True}),
        ({"threads": 2}, {"threads": 2}),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, dict) else "",
)
def test_a_network_runs_as_it_is_asked_to(options, seen):
    before = torch.get_num_threads()
    last, report = how_it_ran(**options)
    assert {name: last[name] for name in seen} == seen
    assert torch.get_num_threads() == before
    (model,) = report.models
    assert model.batch == options.get("batch", 1)
    assert model.mode == options.get("mode", "eval")
    assert model.dtype == ("bfloat16" if "amp" in options else options.get("dtype", "float32"))
    if "threads" in options:
        assert model.threads == report.machine.threads == 2


class Telling(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        RAN.append(float(self.weight))
        return x * self.weight


def test_weights_of_a_file_are_loaded(tmp_path):
    torch.save({"weight": torch.tensor([7.0])}, tmp_path / "w.pth")
    cnninspect.time(Telling(), [(1, 3)], weights=str(tmp_path / "w.pth"), **QUICK)
    assert RAN[-1] == 7.0


def test_a_step_of_training_has_its_parts_and_moves_the_weights_of_a_copy_alone():
    net = Seen()
    before = net.conv.weight.detach().clone()
    report = cnninspect.time(net, PICTURE, mode="train", optimizer="adam", **QUICK)
    (model,) = report.models
    parts = model.phases
    assert min(parts.forward_s, parts.backward_s, parts.optimizer_s) > 0
    together = parts.forward_s + parts.backward_s + parts.optimizer_s
    assert together == pytest.approx(model.median_s)
    assert model.layers[0].total_s == pytest.approx(model.median_s - parts.optimizer_s)
    assert model.options == ("adam",)
    forward = cnninspect.time(net, PICTURE, by_layer=False, **QUICK).models[0]
    assert model.bound_s > forward.bound_s  # the backward pass is work too
    assert torch.equal(net.conv.weight, before)
    assert net.conv.weight.grad is None


def test_a_live_module_comes_out_as_it_went_in():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5)).train()
    net[0].eval()
    tensors = {name: t.clone() for name, t in net.state_dict().items()}
    objects = [id(p) for p in net.parameters()]
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules()]
    state = torch.get_rng_state()
    for mode in ("eval", "train"):
        cnninspect.time(net, PICTURE, mode=mode, channels_last=True, by_operation=True, **QUICK)
    assert [m.training for m in net.modules()] == [True, False, True, True, True]
    assert all(torch.equal(t, net.state_dict()[name]) for name, t in tensors.items())
    assert [id(p) for p in net.parameters()] == objects
    assert [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules()] == hooks
    assert torch.equal(torch.get_rng_state(), state)


@pytest.fixture(scope="module")
def both():
    """One network in both backends."""
    return cnninspect.time(
        "lenet5_modern", batch=2, backend=("torch", "onnxruntime"), by_operation=True, **QUICK
    ).models


def test_each_batch_is_a_row():
    report = cnninspect.time(["mlp", "lenet5"], batch=(1, 2), by_layer=False, **QUICK)
    rows = [(model.model.name, model.batch) for model in report.models]
    assert rows == [("mlp", 1), ("mlp", 2), ("lenet5", 1), ("lenet5", 2)]
    assert all(model.layers[0].total_s is None for model in report.models)


def test_each_backend_is_a_row_and_the_least_time_is_that_of_the_work(both):
    assert [model.backend for model in both] == ["torch", "onnxruntime"]
    assert both[0].bound_s == both[1].bound_s
    assert [layer.path for layer in both[0].layers] == [layer.path for layer in both[1].layers]


def test_the_profile_of_onnxruntime_is_brought_back_to_the_layers(both):
    _, model = both
    layers = {layer.path: layer for layer in model.layers}
    assert sum(layer.own_s for layer in layers.values()) == pytest.approx(model.median_s)
    convolutions = [layer for layer in layers.values() if layer.type == "Conv2d"]
    assert any(layer.own_s > 0 for layer in convolutions)


def test_operators_are_told_by_the_time_that_they_take_themselves(both):
    for model, name in zip(both, ("aten.addmm", "onnx.Conv")):
        assert name in {each.name for each in model.operations}
        seconds = [each.seconds for each in model.operations]
        assert seconds == sorted(seconds, reverse=True)
        assert sum(seconds) == pytest.approx(model.median_s)


def conv_net():
    """A file as `export` writes it, by hand: a convolution, its ReLU, and a sum after another."""
    from onnx import TensorProto, helper

    def node(kind, takes, gives, layer):
        made = helper.make_node(kind, takes, [gives], name=f"node_{gives}")
        entry = made.metadata_props.add()
        entry.key, entry.value = "cnninspect.layer", layer
        return made

    nodes = [
        node("Conv", ["x", "w"], "a", "block.conv1"),
        node("Relu", ["a"], "b", "block.relu"),
        node("Conv", ["b", "w"], "c", "block.conv2"),
        node("Conv", ["x", "w"], "d", "block.shortcut"),
        node("Add", ["c", "d"], "e", "block"),
        node("Relu", ["e"], "f", "block.relu"),
    ]
    shape = [1, 1, 4, 4]
    x, f = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xf")
    weights = helper.make_tensor("w", TensorProto.FLOAT, [1, 1, 1, 1], [2.0])
    return helper.make_graph(nodes, "net", [x], [f], [weights])


def test_a_joined_node_of_onnxruntime_belongs_to_the_layer_that_does_its_work():
    from cnninspect.engine.onnx_timing import Origins

    origins = Origins(conv_net())
    assert origins.layer_of("node_b", "Relu") == "block.relu"
    assert origins.layer_of("b_nchwc", "Conv") == "block.conv1"
    assert origins.layer_of("node_d_nchwc", "Conv") == "block.shortcut"
    assert origins.layer_of("f_nchwc", "FusedConv") == "block.conv2"  # with the sum and its ReLU
    assert origins.layer_of("reorder", "ReorderOutput") == ""


def test_a_file_is_run_by_onnxruntime(tmp_path):
    import onnx
    from onnx import helper

    path = tmp_path / "net.onnx"
    made = helper.make_model(conv_net(), opset_imports=[helper.make_opsetid("", 18)])
    made.ir_version = 10
    onnx.save(made, path)
    (model,) = cnninspect.time(path, **QUICK).models
    assert model.backend == "onnxruntime"
    assert model.layers[0].total_s == pytest.approx(model.median_s)
    assert {layer.path for layer in model.layers} >= {"block.conv1", "block.shortcut"}
    with pytest.raises(BadOption, match="torch is not possible"):
        cnninspect.time(path, backend="torch", **QUICK)
    with pytest.raises(BadOption):
        cnninspect.time(path, mode="train", **QUICK)


def test_compiled_beside_eager_has_no_layers_to_watch(monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda module: compiled.append(module) or module)
    eager, other = cnninspect.time("mlp", backend=("torch", "torch.compile"), **QUICK).models
    assert len(compiled) == 1
    assert eager.layers[0].total_s is not None
    assert other.layers[0].total_s is None
    assert other.compile_s is not None
    assert other.shares is None
    assert other.bound_s == eager.bound_s


def test_compiling_without_a_compiler_is_said_at_once(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(CannotCompile, match=r"needs a C\+\+ compiler"):
        cnninspect.time("mlp", backend="torch.compile", **QUICK)


def test_what_a_compiler_says_becomes_one_error(monkeypatch):
    class Failed(RuntimeError):
        pass

    Failed.__module__ = "torch._inductor.exc"  # which takes seconds to import

    def failing(module):
        def run(*_, **__):
            raise Failed("no such instruction")

        return run

    monkeypatch.setattr(torch, "compile", failing)
    with pytest.raises(CannotCompile, match="no such instruction"):
        cnninspect.time("mlp", backend="torch.compile", **QUICK)


def test_a_model_too_large_for_the_memory_is_said_from_its_trace_and_never_built(monkeypatch):
    monkeypatch.setattr(timing, "free_bytes", lambda: 1000)
    monkeypatch.setattr(timing, "real_model", lambda *_, **__: pytest.fail("it was built"))
    with pytest.raises(
        TooLarge, match=r"mlp needs at least [\d,]+ bytes on this machine, and 1,000"
    ):
        cnninspect.time("mlp", **QUICK)


def test_training_needs_more_memory_than_a_forward_pass(monkeypatch):
    needed = []
    for options in ({}, {"mode": "train"}, {"mode": "train", "optimizer": "adam"}):
        monkeypatch.setattr(timing, "free_bytes", lambda: 1)
        with pytest.raises(TooLarge) as caught:
            cnninspect.time("mlp", **QUICK, **options)
        needed.append(int(str(caught.value).split(" bytes")[0].split()[-1].replace(",", "")))
    assert needed == sorted(needed)
    parameters = 4 * cnninspect.summarize("mlp").totals.parameters
    assert needed[1] - needed[0] == parameters
    assert needed[2] - needed[1] == 2 * parameters


class NoKernel(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x):
        if x.dtype == torch.float16 and not x.is_meta and type(x) is torch.Tensor:
            raise RuntimeError("\"addmm_impl_cpu_\" not implemented for 'Half'")
        return self.linear(x)


def test_a_dtype_without_kernels_is_one_clear_error():
    with pytest.raises(RunFailed, match="cpu has no kernels for it in float16") as caught:
        cnninspect.time(NoKernel(), [(3,)], dtype="float16", **QUICK)
    assert 'dtype="float32"' in caught.value.hint or "dtype=" in caught.value.hint


class Choosing(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x):
        return self.linear(x) if x.sum() > 1e9 else x * 2


def test_work_that_depends_on_values_is_said():
    (model,) = cnninspect.time(Choosing(), [(3,)], **QUICK).models
    assert VALUES in model.notes


class Raising(nn.Module):
    def forward(self, x):
        if type(x) is torch.Tensor and not x.is_meta:
            raise IndexError("that value is out of range")
        return x


def test_an_input_whose_values_do_not_do_is_one_clear_error():
    with pytest.raises(RunFailed, match="that value is out of range"):
        cnninspect.time(Raising(), [(3,)], **QUICK)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"device": "cuda"}, BadOption),
        ({"device": "tpu"}, UnknownChoice),
        ({"dtype": "int8"}, UnknownChoice),
        ({"mode": "test"}, UnknownChoice),
        ({"backend": "tensorrt"}, UnknownChoice),
        ({"optimizer": "lion"}, UnknownChoice),
        ({"batch": 0}, BadOption),
        ({"batch": ()}, BadOption),
        ({"threads": 0}, BadOption),
        ({"runs": 0}, BadOption),
        ({"seconds": 0}, BadOption),
        ({"seconds": float("nan")}, BadOption),
        ({"amp": True, "dtype": "bfloat16"}, BadOption),
        ({"backend": "onnxruntime", "mode": "train"}, BadOption),
        ({"backend": ("torch", "onnxruntime"), "amp": True}, BadOption),
        ({"backend": "onnxruntime", "channels_last": True}, BadOption),
        ({"device_spec": "b200"}, UnknownChoice),
        ({"speed": 3}, TypeError),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(options, error):
    assert not torch.cuda.is_available()
    with pytest.raises(error):
        cnninspect.time("mlp", **{**QUICK, **options})


def test_a_network_without_parameters_can_be_timed_and_not_trained():
    (model,) = cnninspect.time(nn.Flatten(), [(2, 3)], **QUICK).models
    assert model.bound_s == 0
    assert model.efficiency is None
    with pytest.raises(CannotTrain):
        cnninspect.time(nn.Flatten(), [(2, 3)], mode="train", **QUICK)


def test_a_trace_has_nothing_to_run():
    with pytest.raises(NeedsModules):
        cnninspect.time(cnninspect.trace("mlp"), **QUICK)


def test_of_several_one_that_fails_is_told_and_the_others_are_timed():
    report = cnninspect.time({"good": nn.Linear(3, 3), "bad": Raising()}, [(3,)], **QUICK)
    assert [model.model.name for model in report.models] == ["good"]
    (problem,) = report.failed
    assert problem.reference.startswith("bad (torch, batch 1)")


def test_a_batch_that_was_given_with_the_inputs_counts():
    (model,) = cnninspect.time(nn.Linear(3, 3), (torch.randn(6, 3),), **QUICK).models
    assert model.batch == 6
    assert model.samples_per_s == pytest.approx(6 / model.median_s)


# --- what is made of it, by hand ---


def hand_made(own, *, iqr=0.0, device_spec="cpu:1:1"):
    """A linear layer of 2 · 8 · 100 · 50 FLOPs, and a ReLU, at 1 GFLOP/s and 1 GB/s."""
    net = nn.Sequential(nn.Linear(100, 50, bias=False), nn.ReLU())
    trace = cnninspect.trace(net, (torch.randn(8, 100),))
    spec = cnninspect.summarize(trace, device_spec=device_spec).device
    whole = sum(own.values())
    spread = Spread(whole, whole - iqr / 2, whole + iqr / 2, whole, 9, 9)
    traced = Traced(forward=trace, calls=trace.calls)
    timed = Timed(spread=spread, own=own)
    return traced, timed_model(traced, timed, TimeSettings(batch=8), batch=8, spec=spec), spec


LINEAR = 2 * 8 * 100 * 50 / 1e9
RELU = 2 * 4 * 8 * 50 / 1e9


def test_efficiency_is_the_least_time_over_the_measured_one():
    _, model, _ = hand_made({"": 0.0, "0": 4 * LINEAR, "1": 2 * RELU})
    root, linear, relu = model.layers
    assert linear.own_bound_s == pytest.approx(LINEAR)
    assert (linear.bound, relu.bound) == ("compute", "memory")
    assert linear.efficiency == pytest.approx(0.25)
    assert relu.efficiency == pytest.approx(0.5)
    assert root.efficiency == pytest.approx((LINEAR + RELU) / (4 * LINEAR + 2 * RELU))


def test_shares_add_up_and_what_is_beyond_the_least_time_is_overhead():
    traced, model, spec = hand_made({"": LINEAR, "0": 4 * LINEAR, "1": 2 * RELU})
    whole = 5 * LINEAR + 2 * RELU
    shares = model.shares
    assert shares.compute == pytest.approx(LINEAR / whole)
    assert shares.memory == pytest.approx(RELU / whole)
    assert shares.compute + shares.memory + shares.overhead == pytest.approx(1)
    fast = shares_of(traced.calls, {"0": LINEAR / 2, "1": RELU / 2}, spec)
    assert fast.compute + fast.memory == pytest.approx(1)  # not more than there is
    assert shares_of(traced.calls, None, spec) is None
    assert shares_of(traced.calls, {"0": 1.0}, None) is None


def test_the_layers_that_would_gain_most_are_those_farthest_beyond_their_least_time():
    _, model, _ = hand_made({"": RELU, "0": LINEAR + 9 * RELU, "1": RELU})
    assert model.gains == ("0", "")
    many = [f"{number}" for number in range(9)]
    net = nn.Sequential(*[nn.Linear(2, 2) for _ in many])
    trace = cnninspect.trace(net, [(1, 2)])
    spec = cnninspect.summarize(trace, device_spec="cpu:1:1").device
    own = {path: float(path) + 1 for path in many}
    layers = layers_of(Traced(forward=trace, calls=trace.calls), own, spec)
    assert gains_of(layers) == ("8", "7", "6", "5", "4")


def test_a_layer_that_the_trace_has_not_counts_for_the_one_around_it():
    traced, _, spec = hand_made({"": 1.0})
    layers = layers_of(traced, {"1.inside.deep": 2.0, "elsewhere": 1.0}, spec)
    assert {layer.path: layer.own_s for layer in layers} == {"": 1.0, "0": 0.0, "1": 2.0}


def test_times_that_lie_far_apart_are_not_to_be_trusted():
    _, steady, _ = hand_made({"0": 1.0}, iqr=0.19)
    _, unsteady, _ = hand_made({"0": 1.0}, iqr=0.21)
    assert UNSTEADY_TEXT not in steady.notes
    assert UNSTEADY_TEXT in unsteady.notes


def test_a_layer_faster_than_its_least_time_is_explained():
    _, model, _ = hand_made({"0": LINEAR / 2, "1": RELU})
    assert any("less than their least time" in note for note in model.notes)
