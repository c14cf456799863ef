"""Each rule finds the fault that is planted for it, and leaves alone what only looks like it."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path

import planted_faults
import pytest
import torch
from planted_faults import FAULTS, NEAR_MISSES, SHAPE
from torch import nn

import cnninspect
from cnninspect.commands.lint.deploy_rules import FLOAT_BETWEEN, NOT_EXPORTED
from cnninspect.commands.lint.registry import all_rules

FILE = Path(planted_faults.__file__)


def found_in(model, inputs=SHAPE, **options):
    """The findings by rule."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's on padding="same" of even kernels
        report = cnninspect.lint(model, inputs, **options)
    return {finding.rule: finding for finding in report.findings}


@pytest.mark.parametrize("rule", FAULTS)
def test_a_planted_fault_is_found(rule):
    finding = found_in(FAULTS[rule](), select=[rule])[rule]
    assert finding.message
    assert finding.mend


@pytest.mark.parametrize("rule", NEAR_MISSES)
def test_what_only_looks_like_it_is_left_alone(rule):
    assert rule not in found_in(NEAR_MISSES[rule]())


def test_every_rule_has_a_fault_and_a_near_miss():
    by_weights = {"F002", "F003"}  # they need a file of weights, and have tests of their own
    assert set(FAULTS) == set(NEAR_MISSES) == {rule.id for rule in all_rules()} - by_weights


def test_the_faults_of_one_file_are_found_beside_each_other():
    found = found_in(f"{FILE}:Net")
    assert set(FAULTS) - set(planted_faults.ALONE) <= set(found)
    assert len(set(FAULTS) - set(planted_faults.ALONE)) >= 30
    assert "S008" in found


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.id)
def test_every_rule_is_documented(rule):
    card = rule.card()
    for part in (card.what, card.why, card.source, card.example, card.mend):
        assert part
    assert card.what.endswith(".")
    assert inspect.getdoc(rule.check)


# --- what is saved is computed ---


def totals(model, inputs=SHAPE):
    return cnninspect.summarize(model, inputs).totals


def test_what_a_bias_saves_is_what_the_network_without_it_lacks():
    net = FAULTS["W001"]()
    saved = found_in(net)["W001"].saving
    before = totals(net)
    net[0].bias = None
    after = totals(net)
    assert saved.parameters == before.parameters - after.parameters == 8
    assert saved.bytes == before.parameter_bytes - after.parameter_bytes
    assert saved.macs == before.macs - after.macs == 0


def test_what_two_linear_maps_save_is_the_difference_to_one():
    saved = found_in(FAULTS["W005"]())["W005"].saving
    before, after = (
        totals(FAULTS["W005"]()),
        totals(nn.Sequential(planted_faults.Mean(), nn.Linear(3, 10))),
    )
    assert (saved.parameters, saved.macs) == (
        before.parameters - after.parameters,
        before.macs - after.macs,
    )


def test_what_a_head_saves_is_the_difference_to_one_on_averages():
    before, after = totals(FAULTS["W010"]()), totals(NEAR_MISSES["W010"]())
    saved = found_in(FAULTS["W010"]())["W010"].saving
    assert saved.parameters == before.parameters - after.parameters
    assert saved.macs == before.macs - after.macs
    assert saved.bytes == before.parameter_bytes - after.parameter_bytes


def test_what_a_kernel_larger_than_its_map_saves_is_the_difference_to_one_of_1x1():
    before = totals(FAULTS["S010"]())
    small = nn.Sequential(planted_faults.on_map(1), nn.Conv2d(16, 8, 1), planted_faults.Mean())
    after = totals(small)
    saved = found_in(FAULTS["S010"]())["S010"].saving
    assert saved.parameters == before.parameters - after.parameters == 8 * 16 * 8
    assert saved.macs == before.macs - after.macs


def test_what_a_layer_that_never_runs_saves_is_all_of_it():
    saved = found_in(FAULTS["W003"]())["W003"].saving
    assert (saved.parameters, saved.bytes) == (72, 288)
    assert found_in(FAULTS["W002"]())["W002"].saving.parameters == 8
    assert found_in(FAULTS["W004"]())["W004"].saving.macs == 64


def test_shares_are_counted_position_by_position():
    message = found_in(FAULTS["S001"]())["S001"].message
    assert "75 % of its map of 64×64" in message.replace("74 %", "75 %")
    assert "the last 4 rows and the last 4 columns" in found_in(FAULTS["S002"]())["S002"].message
    assert "56 % of the taps" in found_in(FAULTS["S009"]())["S009"].message
    assert "8 of 9 weights" in found_in(FAULTS["S010"]())["S010"].message


# --- kinds of the same fault ---


class Written(nn.Module):
    """Attention that is written out."""

    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(32, 96)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        return (q @ k.transpose(1, 2)).softmax(-1) @ v


def net_of(*layers):
    return nn.Sequential(*layers, planted_faults.Mean())


@pytest.mark.parametrize(
    ("rule", "model", "shape"),
    [
        ("W001", nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8)), (2, 4)),
        ("W001", nn.Sequential(nn.Conv1d(4, 8, 3), nn.BatchNorm1d(8)), (1, 4, 9)),
        ("W001", nn.Sequential(nn.Conv3d(1, 8, 3), nn.BatchNorm3d(8)), (1, 1, 9, 9, 9)),
        ("W001", nn.Sequential(nn.ConvTranspose2d(4, 8, 2, 2), nn.BatchNorm2d(8)), (1, 4, 9, 9)),
        ("W001", nn.Sequential(nn.Conv2d(4, 8, 3), nn.InstanceNorm2d(8)), (1, 4, 9, 9)),
        ("W005", nn.Sequential(nn.Conv2d(4, 16, 1), nn.Conv2d(16, 8, 1)), (1, 4, 9, 9)),
        ("W005", nn.Sequential(nn.Linear(8, 64), nn.Linear(64, 8)), (2, 5, 8)),
        ("W007", nn.MaxPool2d(1), (1, 4, 9, 9)),
        ("W008", nn.Sequential(nn.ReLU(), nn.LeakyReLU(), nn.Linear(4, 4)), (1, 4)),
        ("W010", nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 64, 8)), (1, 3, 10, 10)),
        ("P005", Written(), (1, 1024, 32)),
        ("W008", nn.Sequential(nn.Softmax(1), nn.Sigmoid(), nn.Linear(4, 4)), (1, 4)),
        ("W008", nn.Sequential(nn.ReLU(), nn.MaxPool2d(2), nn.ReLU()), (1, 4, 8, 8)),
        ("W011", nn.Linear(8, 8).double(), (1, 8)),
        ("S002", nn.Conv1d(4, 4, 3, 2), (1, 4, 10)),
        ("S002", nn.Sequential(nn.ReLU(), nn.BatchNorm2d(4), nn.MaxPool2d(2)), (1, 4, 13, 13)),
        ("S004", nn.ConvTranspose1d(4, 4, 5, 2), (1, 4, 9)),
        ("T001", nn.Sequential(nn.Linear(4, 8, bias=False), nn.BatchNorm1d(8)), (1, 4)),
        ("T001", nn.Sequential(nn.Linear(4, 1), nn.LayerNorm(1)), (1, 4)),
        ("T001", net_of(planted_faults.on_map(1), nn.GroupNorm(16, 16)), (2, 3, 64, 64)),
        ("T006", nn.Sequential(*(nn.Linear(8, 8) for _ in range(21))), (1, 8)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_fault_is_found_in_other_forms(rule, model, shape):
    assert rule in found_in(model, [shape])


@pytest.mark.parametrize(
    ("rule", "model", "shape"),
    [
        ("W001", nn.Sequential(nn.Conv2d(4, 8, 3), nn.GroupNorm(2, 8)), (1, 4, 9, 9)),
        ("W001", nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8)), (2, 4)),
        ("W001", nn.Sequential(nn.Conv2d(4, 8, 3, bias=False), nn.BatchNorm2d(8)), (1, 4, 9, 9)),
        ("W005", nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 1)), (1, 8, 9, 9)),
        ("W005", nn.Sequential(nn.Linear(8, 64), nn.Dropout(), nn.Linear(64, 8)), (2, 8)),
        ("W008", nn.Sequential(nn.ReLU(), nn.Linear(4, 4), nn.ReLU()), (1, 4)),
        ("W010", nn.MultiheadAttention(16, 4), (3, 1, 16)),
        ("W010", nn.Sequential(nn.Flatten(), nn.Linear(192, 8)), (1, 3, 8, 8)),
        ("S001", nn.Sequential(nn.Conv2d(4, 4, 2, 2), nn.ReLU()), (1, 4, 8, 8)),
        ("S002", nn.Conv2d(4, 4, 3, 2, 1), (1, 4, 8, 8)),
        ("S002", nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(4, 4, 3, 2)), (1, 4, 8, 8)),
        ("S002", nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(4, 4, 3, 2)), (1, 4, 8, 8)),
        ("S004", nn.ConvTranspose2d(4, 4, 3, 1), (1, 4, 8, 8)),
        ("T001", nn.Sequential(nn.Flatten(0, 1), nn.BatchNorm1d(8)), (1, 5, 8)),
        ("T003", nn.Sequential(*(m for _ in range(5) for m in (
            nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Tanh()))), (1, 8)),
        ("T005", nn.Sequential(*(nn.Linear(8, 8) for _ in range(10))), (1, 8)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_right_is_left_alone(rule, model, shape):
    kwargs = {}
    if isinstance(model, nn.MultiheadAttention):
        shape = [shape, shape, shape]
    else:
        shape = [shape]
    assert rule not in found_in(model, shape, kwargs=kwargs)


def test_a_layer_that_runs_in_training_alone_is_no_waste():
    class Auxiliary(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.aux = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x):
            return (self.fc(x), self.aux(x)) if self.training else self.fc(x)

    assert "W003" not in found_in(Auxiliary(), (1, 8))


def test_where_training_cannot_be_tried_the_report_says_so():
    class Fragile(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.aux = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x):
            if self.training:
                raise RuntimeError("targets are missing")
            return self.fc(x)

    report = cnninspect.lint(Fragile(), (1, 8))
    assert [f.rule for f in report.findings] == ["W003"]
    assert "targets are missing" in report.models[0].notes[-1]


def test_batch_norm_that_drifts_while_its_weights_are_frozen_is_found():
    net = net_of(planted_faults.on_map(8), nn.BatchNorm2d(16))
    assert "T007" not in found_in(net)
    net[1].requires_grad_(False)
    assert "statistics that still move" in found_in(net)["T007"].message


class KeptFrozen(nn.Module):
    """Normalisation whose statistics the network's own `train` leaves alone."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8)

    def train(self, mode=True):
        super().train(mode)
        self.bn.eval()
        return self

    def forward(self, x):
        return self.bn(self.conv(x))


def test_a_network_that_keeps_its_normalisation_frozen_is_found():
    assert "T007" in found_in(f"{__file__}:KeptFrozen")


def test_where_training_raises_on_one_value_the_rule_says_why():
    report = cnninspect.lint(FAULTS["T001"](), SHAPE, mode="train")
    assert "T001" in [finding.rule for finding in report.findings]
    assert "in testing mode, since in training" in report.models[0].notes[-1]


def test_layers_are_frozen_for_the_question_alone():
    net = net_of(planted_faults.stem(8), nn.Conv2d(8, 8, 3))
    assert "F001" not in found_in(net)
    assert "F001" in found_in(net, freeze=["1"])
    assert all(p.requires_grad for p in net.parameters())


# --- weights ---


def test_a_head_that_does_not_fit_its_file_is_found(tmp_path):
    file = tmp_path / "weights.pth"
    torch.save({**nn.Linear(8, 4).state_dict(), "odd": torch.zeros(3)}, file)
    found = found_in(nn.Linear(8, 10), (1, 8), weights=file)
    assert "weight is 10×8 and in the file 4×8" in found["F002"].message
    assert "odd" in found["F003"].message


def test_weights_that_are_loaded_and_never_read_are_found(tmp_path):
    net = FAULTS["W003"]()
    torch.save(net.state_dict(), tmp_path / "weights.pth")
    found = found_in(net, weights=tmp_path / "weights.pth")
    assert "no call reads them" in found["F003"].message
    assert "F003" not in found_in(NEAR_MISSES["W003"](), weights=tmp_path / "weights.pth")


def test_a_head_for_other_features_is_a_finding_and_no_failure():
    found = found_in(f"{FILE}:Misfit")
    assert list(found) == ["F002"]
    assert found["F002"].severity == "error"
    assert found["F002"].layers == ("fc",)
    with pytest.raises(cnninspect.CnnInspectError, match="fc"):
        cnninspect.lint(f"{FILE}:Misfit", SHAPE, ignore=["F002"])


# --- networks that are as they should be, but for what docs/lint.md describes ---

TRUE_OF = {
    "lenet5": {"T003", "W010", "S005", "D006"},
    "alexnet": {"W010", "W007", "S005", "P004"},
    "vgg16": {"W010", "W007", "S005", "P004", "T005"},
    "resnet50": set(),
    "preresnet18": set(),
    "densenet121": set(),
    "googlenet": set(),
    "wrn16_8": set(),
    "efficientnet_b0": set(),
    "plain34": {"T006"},
}


@pytest.mark.parametrize("name", TRUE_OF)
def test_reference_networks_have_what_is_known_of_them(name):
    assert set(found_in(name, None)) == TRUE_OF[name]


def test_the_quantisers_still_lack_what_the_table_says():
    registry = pytest.importorskip("onnxruntime.quantization").registry
    known = {*registry.QDQRegistry, *registry.QLinearOpsRegistry, *registry.IntegerOpsRegistry}
    assert not {name for name in FLOAT_BETWEEN if name.removeprefix("onnx.") in known}
    assert {"Sigmoid", "Mul"} <= known
    assert "LSTM" not in {*registry.QDQRegistry, *registry.QLinearOpsRegistry}


def test_the_exporter_still_lacks_what_the_table_says():
    registration = pytest.importorskip("torch.onnx._internal.exporter._registration")
    decomp = pytest.importorskip("torch.onnx._internal.exporter._decomp")
    pytest.importorskip("onnxscript")
    known = registration.ONNXRegistry.from_torchlib().functions
    taken_apart = decomp.create_onnx_friendly_decomposition_table(set(known))
    overloads = [each for each in (*known, *taken_apart) if callable(getattr(each, "name", None))]
    names = {overload.name().split(".")[0] for overload in overloads}
    assert "aten::relu" in names
    assert not {name.replace("aten.", "aten::") for name in NOT_EXPORTED} & names
