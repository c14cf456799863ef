"""Other people's counters, run on models of our making."""

from __future__ import annotations

import logging
import sys
import warnings
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

import cnninspect
from cnninspect.commands.audit.measuring import run_tools, silence
from cnninspect.commands.audit.measuring.subjects import Subjects
from cnninspect.commands.audit.measuring.tools import TOOLS, look_alikes, own_parts
from cnninspect.commands.audit.report import ToolPart, ToolRun
from cnninspect.costs.conventions import CONVENTIONS
from cnninspect.sources import open as api
from cnninspect.sources.torchvision_schemas import with_operators_defined


class Net(nn.Module):
    """A bit of everything, with a keyword argument and a dictionary as its result."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor, *, scale: float) -> dict[str, Tensor]:
        return {"logits": self.head(self.body(x)) * scale}


def import_library(name: str) -> Any:
    return with_operators_defined(lambda: import_module(name))


def run(model: Any, inputs: Any, name: str, **options: Any) -> ToolRun:
    kwargs = options.pop("kwargs", None)
    traced = cnninspect.trace(model, inputs, kwargs=kwargs)
    loaded = api.load(model)
    subjects = Subjects(loaded, traced, api.as_arguments(inputs), kwargs, batch=1)  # type: ignore[arg-type]
    options = {"macs": 0, "import_library": import_library, **options}
    (found,) = run_tools(subjects, (name,), **options)
    return found


def needs(name: str) -> None:
    package = TOOLS[name].package
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import_library(package)
        except ImportError:
            pytest.skip(f"{package} is not installed")


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_counts_a_module_by_the_rules_that_are_written_down_for_it(name: str) -> None:
    needs(name)
    model, kwargs = Net().eval(), {"scale": 2.0}
    traced = cnninspect.trace(model, (2, 3, 10, 10), kwargs=kwargs)
    found = run(model, (2, 3, 10, 10), name, kwargs=kwargs)
    assert found.problem == ""
    assert found.total == CONVENTIONS.get(name, CONVENTIONS["macs"]).total(traced)
    assert found.version
    assert found.device in TOOLS[name].devices


ODD = {
    "no batch": (lambda: nn.Conv1d(4, 6, 3), (4, 9)),
    "no batch, transposed": (lambda: nn.ConvTranspose2d(4, 6, 3, groups=2), (4, 9, 8)),
    "spectral norm": (lambda: nn.utils.spectral_norm(nn.Conv2d(3, 4, 3)), (2, 3, 8, 8)),
    "weight norm": (
        lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3)), (2, 3, 8, 8),
    ),
    "pruned": (
        lambda: prune.identity(nn.Conv2d(3, 4, 3), "weight"), (2, 3, 8, 8),
    ),
    "local response": (lambda: nn.LocalResponseNorm(2), (2, 4, 6, 6)),
    "interpolation": (lambda: nn.Upsample(scale_factor=2, mode="bicubic"), (1, 4, 6, 6)),
    "encoder": (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 5, 8)),
    "encoder with gelu": (
        lambda: nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True),
        (2, 5, 8),
    ),
    "lazy": (
        lambda: nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(5)), (2, 3, 8, 8),
    ),
}  # fmt: skip


@pytest.mark.parametrize("net", ODD)
@pytest.mark.parametrize("name", ["fvcore", "thop", "ptflops", "torchinfo"])
def test_a_tool_counts_an_odd_layer_by_the_rules_that_are_written_down_for_it(
    name: str, net: str
) -> None:
    needs(name)
    build, shape = ODD[net]
    module = nn.Sequential(build()).eval()
    traced = cnninspect.trace(module, shape)
    found = run(module, shape, name)
    assert found.problem == ""
    assert found.total == CONVENTIONS[name].total(traced)


def test_what_ptflops_makes_of_a_batch_that_is_interpolated_is_explained() -> None:
    needs("ptflops")
    report = cnninspect.audit(nn.Upsample(scale_factor=2), (3, 4, 6, 6))
    counter = next(c for c in report.counters if c.name == "ptflops" and c.kind.value == "tool")
    assert counter.total == 3 * 4 * 144 + 4 * 144
    assert counter.unexplained == 0


@pytest.mark.parametrize("name", TOOLS)
def test_a_module_that_belongs_to_somebody_stays_as_it_was(name: str) -> None:
    needs(name)
    model = Net().train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    attributes = [dict(vars(module)) for module in model.modules()]
    state = torch.get_rng_state()
    run(model, (2, 3, 10, 10), name, kwargs={"scale": 2.0})
    assert [dict(vars(module)) for module in model.modules()] == attributes
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(not module._forward_hooks for module in model.modules())
    assert torch.equal(torch.get_rng_state(), state)


def test_a_tool_by_operators_tells_the_layers_that_it_counted() -> None:
    found = run(Net().eval(), (1, 3, 10, 10), "flop_counter", kwargs={"scale": 1.0})
    assert found.parts == (
        ToolPart("body.0", "aten.convolution", 8 * 8 * 8 * 27),
        ToolPart("head", "aten.addmm", 8 * 5),
    )
    found = run(Net().eval(), (1, 3, 10, 10), "fvcore", kwargs={"scale": 1.0})
    assert {part.path for part in found.parts} == {"body.0", "body.1", "body.3", "head"}
    assert sum(part.count for part in found.parts) == found.total


def test_what_the_flop_counter_has_no_rule_for_is_watched() -> None:
    attention = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True).eval()
    found = run(attention, (2, 7, 16), "flop_counter_cpu")
    whole = cnninspect.summarize(attention, (2, 7, 16)).totals.macs
    assert found.total == 0
    assert [(o.op, o.calls, o.macs) for o in found.overlooked] == [
        ("aten._transformer_encoder_layer_fwd", 1, whole)
    ]
    on_meta = run(attention, (2, 7, 16), "flop_counter")
    assert (on_meta.total, on_meta.overlooked) == (whole, ())


def test_a_model_that_needs_values_is_run_with_those_of_the_trace() -> None:
    class Chooses(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            y = self.linear(x)
            return self.linear(y) if y.sum().item() > 0 else y

    torch.manual_seed(0)
    model, x = Chooses(), torch.randn(3, 4)
    found = run(model, (x,), "flop_counter_cpu")
    assert found.total == cnninspect.summarize(model, (x,)).totals.macs
    assert "Tensor.item() cannot be called" in run(model, (x,), "flop_counter").problem


def test_a_tool_that_raises_or_is_missing_gives_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> Any:
        raise RuntimeError("no such luck. Try again.")

    found = run(nn.Linear(3, 2), (1, 3), "fvcore", import_library=refuse)
    assert (found.total, found.problem) == (None, "RuntimeError: no such luck. Try again.")
    monkeypatch.setattr("cnninspect.commands.audit.measuring.installed_version", lambda _: None)
    found = run(nn.Linear(3, 2), (1, 3), "thop")
    assert (found.total, found.problem) == (None, "not installed: pip install thop")


@pytest.mark.parametrize(
    ("installed", "imported", "problem"),
    [
        ({"thop": "0.1.1.post2", "ultralytics-thop": "2.0.18"}, "2.0.18", "installed over it"),
        ({"ultralytics-thop": "2.0.18"}, "2.0.18", "not installed: pip install thop where there"),
        ({"thop": "0.1.1.post2", "ultralytics-thop": "2.0.18"}, "0.1.1", ""),
        ({"thop": "0.1.1.post2"}, "2.0.18", ""),
    ],
)
def test_a_counter_whose_import_name_another_package_took_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, installed: Any, imported: str, problem: str
) -> None:
    where = "cnninspect.commands.audit.measuring.installed_version"
    monkeypatch.setattr(where, installed.get)
    library = SimpleNamespace(__version__=imported, profile=lambda *_, **__: (123, 0))
    found = run(nn.Linear(3, 2), (1, 3), "thop", import_library=lambda _: library)
    assert found.total == (None if problem else 123)
    assert problem in found.problem
    assert ("ultralytics-thop 2.0.18" in found.problem) is bool(problem)


def test_a_large_model_is_not_run_for_real_unless_asked() -> None:
    found = run(nn.Linear(3, 2), (1, 3), "fvcore", macs=10**15)
    assert found.total is None
    assert "--counter" in found.problem
    assert run(nn.Linear(3, 2), (1, 3), "fvcore", macs=10**15, limit=None).total == 6
    assert run(nn.Linear(3, 2), (1, 3), "flop_counter", macs=10**15).total == 6


def test_a_module_that_cannot_be_copied_is_counted() -> None:
    class Stubborn(nn.Linear):
        def __deepcopy__(self, memo: Any) -> Any:
            raise TypeError("mine")

    assert run(Stubborn(3, 2), (1, 3), "flop_counter").total == 6


def test_classes_that_only_have_the_name_of_a_known_one_are_told() -> None:
    other = type("Linear", (nn.Linear,), {})
    net = nn.Sequential(nn.Linear(3, 3), other(3, 3), nn.Sequential(other(3, 3)), Net())
    assert look_alikes(net) == ("1", "2.0")


def test_own_counts_are_what_the_layers_below_leave() -> None:
    counts = {
        "": {"mm": 10, "conv": 4},
        "inner": {"mm": 10, "conv": 4},
        "inner.a": {"mm": 7, "conv": 4},
        "inner.a.b": {"mm": 5},
    }
    assert list(own_parts(counts)) == [
        ToolPart("", "mm", 3),
        ToolPart("a", "mm", 2),
        ToolPart("a", "conv", 4),
        ToolPart("a.b", "mm", 5),
    ]


def test_nothing_is_said_meanwhile_and_logging_comes_back(capsys: pytest.CaptureFixture) -> None:
    before = logging.root.manager.disable
    said = None

    def speak() -> None:
        nonlocal said
        with silence() as said:
            print("loud")
            print("louder", file=sys.stderr)
            warnings.warn("loudest", stacklevel=1)
            raise KeyError

    with pytest.raises(KeyError):
        speak()
    assert said.getvalue() == "loud\nlouder\n"
    assert logging.root.manager.disable == before
    assert capsys.readouterr() == ("", "")
