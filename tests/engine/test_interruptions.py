"""Ctrl-C at any line of a run, and runs in several threads, leave modules and process alone."""

from __future__ import annotations

import faulthandler
import gc
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks

import cnninspect
from cnninspect.engine.devices import CUDA
from cnninspect.engine.process_state import RUNS

SAMPLES = 40


class Counts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.f, self.norm = nn.Linear(4, 4), nn.BatchNorm1d(4)
        self.calls, self.past = 0, {"outputs": []}

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        y: Tensor = self.norm(self.f(x))
        self.past["outputs"].append(y)
        return y


ASK: dict[str, Callable[[nn.Module], Any]] = {
    "trace": lambda module: cnninspect.trace(module, (2, 4)),
    "memory": lambda module: cnninspect.memory(module, (2, 4)),
    "gradients": lambda module: cnninspect.gradients(module, (2, 4)),
}


def state_of(module: Counts) -> Any:
    return (
        {name: id(value) for name, value in vars(module).items()},
        module.calls,
        len(module.past["outputs"]),
        [part.training for part in module.modules()],
        {name: value.tolist() for name, value in module.state_dict().items()},
        [parameter.grad for parameter in module.parameters()],
    )


def lines_run(
    ask: Callable[[nn.Module], Any], module: nn.Module, at: int, functions: tuple[str, ...] = ()
) -> int:
    """Lines of the package, or of some of its functions, that are run; at number `at`, Ctrl-C."""
    count = 0

    def enter(frame: Any, _: str, __: Any) -> Any:
        code = frame.f_code
        is_ours = "/cnninspect/" in code.co_filename
        return line if is_ours and (not functions or code.co_name in functions) else None

    def line(_: Any, event: str, __: Any) -> Any:
        nonlocal count
        if event == "line":
            count += 1
            if count == at:
                raise KeyboardInterrupt
        return line

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        ask(module)
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return count


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", ASK)
def test_an_interruption_leaves_everything_as_it_was(
    name: str, pytestconfig: pytest.Config
) -> None:
    ask = ASK[name]
    ask(Counts())
    total = lines_run(ask, Counts(), at=-1)
    step = 1 if pytestconfig.getoption("--every-line") else max(total // SAMPLES, 1)
    around = process_state()
    for at in range(1, total, step):
        module = Counts().train()
        before = state_of(module)
        lines_run(ask, module, at=at)
        assert state_of(module) == before, at
        assert process_state() == around, at


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_leaves_no_lock_held() -> None:
    """Else whoever wants it next would wait for ever; the end of a `with` is a line as well."""
    locking = ("pretended", "_go_back", "keep_answers", "close", "__exit__")
    ask = ASK["memory"]
    total = lines_run(ask, Counts(), at=-1, functions=locking)
    around = process_state()
    for at in range(1, total):
        module = Counts().train()
        before = state_of(module)
        faulthandler.dump_traceback_later(60, exit=True)
        lines_run(ask, module, at=at, functions=locking)
        faulthandler.cancel_dump_traceback_later()
        assert state_of(module) == before, at
        assert process_state() == around, at


def process_state() -> Any:
    return (
        [len(vars(hooks)[n]) for n in sorted(vars(hooks)) if n.startswith("_global_forward")],
        torch._C._len_torch_function_stack(),
        torch._C._len_torch_dispatch_stack(),
        (gc.isenabled(), gc.get_freeze_count()),
        sys.stdout,
        torch.is_grad_enabled(),
        [getattr(torch.cuda, name) for name in CUDA],
        torch.FloatTensor,
        torch.backends.mha.get_fastpath_enabled(),
        is_free(),
    )


def is_free() -> bool:
    """Whether another thread could run something now."""
    answers: list[bool] = []

    def try_it() -> None:
        answers.append(RUNS.acquire(timeout=1))
        if answers[0]:
            RUNS.release()

    other = threading.Thread(target=try_it)
    other.start()
    other.join()
    return answers[0]


def test_traces_in_several_threads_beside_one_that_trains_are_right() -> None:
    def network() -> nn.Sequential:
        parts = [nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU()) for _ in range(3)]
        return nn.Sequential(*parts)

    shared, found, is_over, stdout = network().train(), [], threading.Event(), sys.stdout
    wanted = cnninspect.trace(network(), (2, 4))

    def train() -> None:
        own = network()
        while not is_over.is_set():
            own(torch.ones(2, 4)).sum().backward()

    def trace() -> None:
        found.extend(cnninspect.trace(module, (2, 4)) for module in [shared, network()] * 5)

    trainer = threading.Thread(target=train)
    trainer.start()
    tracers = [threading.Thread(target=trace) for _ in range(4)]
    for thread in tracers:
        thread.start()
    for thread in tracers:
        thread.join()
    is_over.set()
    trainer.join()
    assert len(found) == 40
    assert all(each.layers == wanted.layers and each.calls == wanted.calls for each in found)
    assert all(part.training for part in shared.modules())
    assert sys.stdout is stdout


def test_what_a_network_runs_in_its_own_threads_is_counted() -> None:
    class Threaded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.f = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            made: list[Tensor] = []
            thread = threading.Thread(target=lambda: made.append(self.f(x)))
            thread.start()
            thread.join()
            return made[0]

    report = cnninspect.summarize(Threaded(), (2, 4))
    assert report.totals.macs == 2 * 4 * 4
    assert [(layer.path, layer.calls) for layer in report.layers] == [("", 1), ("f", 1)]


def test_layers_that_are_registered_nowhere_are_named() -> None:
    class Hides(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = [nn.Linear(4, 4)]

        def forward(self, x: Tensor) -> Tensor:
            return self.hidden[0](x)

    report = cnninspect.summarize(Hides(), (2, 4))
    assert report.totals.macs == 2 * 4 * 4
    assert any("20 parameters" in note for note in report.engine.notes)
