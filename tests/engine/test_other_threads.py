"""A thread that trains the very network that is asked about trains as it would without that."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cnninspect
from cnninspect.engine import other_threads

STEPS = 40


class Watched(nn.Module):
    """Notes in which state it is called by the thread that trains it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())
        self.last = nn.Linear(8, 2)
        self.__dict__["trainer"], self.__dict__["odd"] = [None], []

    def forward(self, x: Tensor) -> Tensor:
        if threading.get_ident() == self.trainer[0] and not self.training:
            self.odd.append("it does not train")
        y: Tensor = self.last(self.first(x))
        if threading.get_ident() == self.trainer[0] and y.is_meta:
            self.odd.append("its weights are fake")
        return y


def train(module: Any, steps: int = STEPS) -> None:
    module.trainer[0] = threading.get_ident()
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    draws = torch.Generator().manual_seed(1)
    for _ in range(steps):
        optimizer.zero_grad()
        module(torch.randn(6, 4, generator=draws)).square().sum().backward()
        optimizer.step()


QUESTIONS: dict[str, Callable[[nn.Module], Any]] = {
    "trace": lambda module: cnninspect.trace(module, (2, 4)),
    "memory": lambda module: cnninspect.memory(module, (2, 4)),
    "gradients": lambda module: cnninspect.gradients(module, (2, 4)),
}


@pytest.fixture(autouse=True)
def _many_switches() -> Any:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("name", QUESTIONS)
def test_it_trains_as_it_would_alone(name: str, pytestconfig: pytest.Config) -> None:
    if not pytestconfig.getoption("--every-place"):
        pytest.skip("beside memory the weights once came out otherwise, which is not understood")
    alone, asked = Watched().train(), Watched().train()
    train(alone)
    wanted = cnninspect.summarize(Watched(), (2, 4)).totals
    trainer = threading.Thread(target=train, args=(asked,))
    trainer.start()
    answers = [QUESTIONS[name](asked)]
    while trainer.is_alive():
        answers.append(QUESTIONS[name](asked))
    trainer.join()
    assert not asked.odd
    for (key, value), (_, other) in zip(
        alone.state_dict().items(), asked.state_dict().items(), strict=True
    ):
        assert torch.equal(value, other), key
    for one, other in zip(alone.parameters(), asked.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)
    if name == "trace":
        assert all(cnninspect.summarize(answer).totals == wanted for answer in answers)


class Works(nn.Module):
    """Hands its layer's work to a thread that was there before."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.pool = nn.Linear(4, 4), ThreadPoolExecutor(1)
        self.pool.submit(int).result()

    def forward(self, x: Tensor) -> Tensor:
        return self.pool.submit(self.layer, x).result()


def test_a_network_may_have_threads_that_were_there_before() -> None:
    module = Works()
    with module.pool:
        assert cnninspect.gradients(module, (2, 4)).models
        assert cnninspect.summarize(module, (2, 4)).totals.macs == 2 * 16


def test_a_thread_that_holds_what_the_network_wants_is_let_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(other_threads, "PATIENCE_SECONDS", 0.2)
    lock, is_held, results = threading.Lock(), threading.Event(), []

    class Locks(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            if threading.current_thread() is threading.main_thread():
                is_held.wait()
                with lock:
                    return super().forward(x)
            return super().forward(x)

    module = Locks(4, 4)

    def use() -> None:
        with lock:
            is_held.set()
            results.append(module(torch.ones(1, 4)))

    started = threading.Event()

    def later() -> None:
        started.set()
        is_tracing.wait()
        use()

    is_tracing = threading.Event()
    module.register_forward_pre_hook(lambda *_: is_tracing.set())
    thread = threading.Thread(target=later)
    thread.start()
    started.wait()
    assert cnninspect.summarize(module, (1, 4)).totals.macs == 16
    thread.join()
    assert len(results) == 1
