"""Whatever a network keeps while it runs, wherever it keeps it, a run takes away again."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy
import pytest
from hiding_places import PLACES, Keeps, X, everywhere, forget, is_as_it_was
from torch import Tensor, nn

import cnninspect
from cnninspect.errors import RunFailed


@pytest.fixture(autouse=True)
def _nothing_is_kept_before() -> None:
    forget()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """With data to learn from, in one batch: what is kept holds a graph that is gone after it."""
    folder = tmp_path_factory.mktemp("live")
    draws = numpy.random.default_rng(0).random((40, 4), "float32")
    numpy.savez(folder / "data.npz", x=draws, y=[0, 1, 2, 3] * 10)
    return folder


def compared(module: nn.Module, _: pathlib.Path) -> None:
    """Compare a module with itself; one that cannot be measured is a failure here."""
    if cnninspect.compare([module, module], inputs=(X,)).failed:
        raise RunFailed("compare has it in its table of failures")


def timed(module: nn.Module, _: pathlib.Path) -> None:
    cnninspect.time(module, (X,), seconds=1e-4, runs=2, device_spec="a100")


def trained(module: nn.Module, folder: pathlib.Path) -> None:
    cnninspect.train(module, (1, 4), data=str(folder / "data.npz"), epochs=1, batch=32)


def evaluated(module: nn.Module, folder: pathlib.Path) -> None:
    cnninspect.evaluate(module, (1, 4), data=str(folder / "data.npz"), part="all")


Ask = Callable[[nn.Module, pathlib.Path], Any]
ASK: dict[str, Ask] = {
    "trace": lambda module, _: cnninspect.trace(module, (X,)),
    "memory": lambda module, _: cnninspect.memory(module, (X,)),
    "gradients": lambda module, _: cnninspect.gradients(module, (X,)),
}
"""Each kind of run: with fake tensors, with a backward pass, and for real."""
MORE: dict[str, Ask] = {
    "summarize": lambda module, _: cnninspect.summarize(module, (X,), backward=True),
    "summarize, frozen": lambda module, _: cnninspect.summarize(module, (X,), freeze=["f"]),
    "compare": compared,
    "check": lambda module, _: cnninspect.check(module, (X,), max_macs=10**9),
    "explain": lambda module, _: cnninspect.explain(module, "f", (X,)),
    "diff": lambda module, _: cnninspect.diff(module, module, (X,)),
    "fit_batch": lambda module, _: cnninspect.fit_batch(module, 10**6, mode="eval"),
    "scale": lambda module, _: cnninspect.scale(module, over="batch", sizes=(1, 2)),
    "gradient_paths": lambda module, _: cnninspect.gradient_paths(module, (X,)),
    "activations": lambda module, _: cnninspect.activations(module, (X,)),
    "feature_reuse": lambda module, _: cnninspect.feature_reuse(module, (X,)),
    "graph": lambda module, _: cnninspect.graph(module, (X,)),
    "lint": lambda module, _: cnninspect.lint(module, (X,)),
    "report": lambda module, _: cnninspect.report(module, (X,), parts=["memory"]),
    "time": timed,
    "train": trained,
    "evaluate": evaluated,
    "audit": lambda module, _: cnninspect.audit(module, (X,), run=False),
    "memory with autocast": lambda module, _: cnninspect.memory(module, (X,), amp="bfloat16"),
    "memory of another dtype": lambda module, _: cnninspect.memory(module, (X,), dtype="float64"),
    "gradients of another dtype": lambda module, _: cnninspect.gradients(
        module, (X,), dtype="float64"
    ),
    "gradients of other weights": lambda module, _: cnninspect.gradients(
        module, (X,), init="kaiming"
    ),
}
SLOW: dict[str, Ask] = {
    "export_onnx": lambda module, folder: cnninspect.export_onnx(
        module, folder / "x.onnx", (X,), force=True
    ),
}
RUN_NOTHING = {"weights": lambda module, _: cnninspect.weights(module)}
"""Questions for which a network need not run, so that it cannot fail."""
TAKE_NONE = {
    "CnnInspectError", "__version__", "cache", "calibrate", "explain_rules", "find", "models",
    "register_cost", "remembering", "render", "scale_grid", "sweep",
}  # fmt: skip
"""What takes no live module."""
MOODS = ("", "fails", "interrupted")


def test_every_question_is_asked_here() -> None:
    asked = {name.partition(" ")[0].rstrip(",") for name in {**ASK, **MORE, **SLOW, **RUN_NOTHING}}
    assert asked | TAKE_NONE == set(cnninspect.__all__)
    assert not asked & TAKE_NONE


@pytest.mark.parametrize("name", sorted({*ASK, *MORE, *RUN_NOTHING} - {"fit_batch"}))  # asks often
def test_no_question_leaves_anything_anywhere(name: str, folder: pathlib.Path) -> None:
    ask = {**ASK, **MORE, **RUN_NOTHING}[name]
    for mood in MOODS if name not in RUN_NOTHING else MOODS[:1]:
        is_left_alone(ask, folder, "everywhere", mood)


@pytest.mark.parametrize("name", MORE)
def test_no_question_leaves_anything_behind(
    name: str, folder: pathlib.Path, pytestconfig: pytest.Config
) -> None:
    step = 1 if pytestconfig.getoption("--every-place") else 7
    some = list(PLACES)[list(MORE).index(name) % step :: step]
    for place, mood in [(p, m) for m in MOODS for p in some]:
        is_left_alone(MORE[name], folder, place, mood)


@pytest.mark.parametrize("name", SLOW)
def test_no_slow_question_does_either(
    name: str, folder: pathlib.Path, pytestconfig: pytest.Config
) -> None:
    some = list(PLACES) if pytestconfig.getoption("--every-place") else ["a variable of a closure"]
    for place, mood in [(p, m) for m in MOODS for p in some]:
        is_left_alone(SLOW[name], folder, place, mood)


@pytest.mark.parametrize("mood", [*MOODS, "asks"])
@pytest.mark.parametrize("place", PLACES)
def test_nothing_fake_stays_in(place: str, mood: str, folder: pathlib.Path) -> None:
    for name, ask in ASK.items():
        if name == "trace" or mood in ("", "interrupted"):
            is_left_alone(ask, folder, place, mood)


def is_left_alone(ask: Ask, folder: pathlib.Path, place: str, mood: str) -> None:
    forget()
    module = Keeps(PLACES.get(place, everywhere), mood).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    raises = mood in ("fails", "interrupted")
    try:
        ask(module, folder)
        assert not raises, place
    except (cnninspect.CnnInspectError, KeyboardInterrupt):
        assert raises, place
    assert all(value.equal(before[name]) for name, value in module.state_dict().items()), place
    assert all(parameter.grad is None for parameter in module.parameters()), place
    assert all(part.training for part in module.modules()), place
    assert is_as_it_was(module), place
    forget()


def test_a_closure_over_a_weight_keeps_that_weight(folder: pathlib.Path) -> None:
    net = nn.Linear(4, 4)
    weight = net.weight
    net.register_forward_hook(lambda _, __, y: y @ weight)
    for ask in ASK.values():
        ask(net, folder)
        cell = net._forward_hooks[next(iter(net._forward_hooks))].__closure__[0]
        assert cell.cell_contents is weight is net.weight


class Refuses(nn.Module):
    """Lets nobody set or delete an attribute, once it is made."""

    def __init__(self) -> None:
        super().__init__()
        self.f, self.norm = nn.Linear(4, 4), nn.BatchNorm1d(4)
        self.__dict__["is_made"] = True

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.f(x))

    def __setattr__(self, name: str, value: Any) -> None:
        if vars(self).get("is_made"):
            raise AttributeError(f"{name} is not to be set")
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name} is not to be deleted")


@pytest.mark.parametrize("name", sorted({*ASK, *MORE, *SLOW, *RUN_NOTHING}))
def test_a_network_that_refuses_to_be_changed_is_answered(name: str, folder: pathlib.Path) -> None:
    module = Refuses()
    before = {key: (id(value), value.clone()) for key, value in module.state_dict().items()}
    {**ASK, **MORE, **SLOW, **RUN_NOTHING}[name](module, folder)
    assert all(part.training for part in module.modules())
    for key, value in module.state_dict().items():
        assert value.equal(before[key][1]), key


@pytest.mark.parametrize("name", ASK)
def test_what_a_network_or_pytorch_puts_into_the_environment_is_taken_out(
    name: str, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sets(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = "/somewhere"
            os.environ.pop("CNNINSPECT_TEST_KEPT", None)
            return super().forward(x)

    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    monkeypatch.setenv("CNNINSPECT_TEST_KEPT", "1")
    ASK[name](Sets(4, 4), folder)
    assert "TORCHINDUCTOR_CACHE_DIR" not in os.environ
    assert os.environ["CNNINSPECT_TEST_KEPT"] == "1"
