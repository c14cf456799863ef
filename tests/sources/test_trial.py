"""A program with loops is tried in a process with limits, and one without loops is not."""

import warnings

import pytest
import torch
from torch import Tensor, nn

import cnninspect
from cnninspect.errors import RunFailed
from cnninspect.sources import trial


class Straight(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: Tensor):
        return self.fc(x)


class Bounded(Straight):
    def forward(self, x: Tensor):
        for _ in range(3):
            x = self.fc(x)
        return x


class Endless(Straight):
    def forward(self, x: Tensor):
        i = 0
        while i >= 0:
            i = (i + 1) % 1000
        return self.fc(x)


class LoadsEndlessly(Straight):
    @torch.jit.export
    def __getstate__(self) -> tuple[int, bool]:
        return (1, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[int, bool]) -> None:
        self.training = state[1]
        i = 0
        while i >= 0:
            i = (i + 1) % 1000


class LoadsMuch(Straight):
    @torch.jit.export
    def __getstate__(self) -> tuple[int, bool]:
        return (1, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[int, bool]) -> None:
        self.training = bool(torch.ones([60000, 60000]).sum() > 0)


CALLS = "".join(
    f"    def f{i}(self, x):\n        return self.f{i - 1}(self.f{i - 1}(x))\n"
    for i in range(1, 12)
)
TWICE = f"""
import torch
from torch import nn
class Twice(nn.Module):
    def f0(self, x):
        return torch.relu(x)
{CALLS}
    def forward(self, x):
        return self.f11(x)
"""


@pytest.fixture
def save(tmp_path):
    def run(kind):
        path = tmp_path / "net.pt"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.save(torch.jit.script(kind().eval()), path)
        return str(path)

    return run


@pytest.mark.parametrize("kind", [Endless, LoadsEndlessly])
def test_a_loop_without_end_is_one_clear_error(save, monkeypatch, kind):
    path = save(kind)
    monkeypatch.setattr(trial, "PROGRAM", trial.PROGRAM.replace(
        "from cnninspect.sources.trial import serve",
        "import cnninspect.sources.trial as trial; trial.CPU_SECONDS = 1; serve = trial.serve",
    ))  # fmt: skip
    with pytest.raises(RunFailed, match="may never end") as caught:
        cnninspect.trace(path, (1, 4))
    assert "hand the module to cnninspect" in caught.value.hint


@pytest.mark.parametrize(("kind", "trials"), [(Straight, 0), (Bounded, 1)])
def test_only_loops_are_tried(save, monkeypatch, kind, trials):
    asked = []
    monkeypatch.setattr("cnninspect.sources.pt.try_out", lambda *question: asked.append(question))
    cnninspect.trace(save(kind), (1, 4))
    assert len(asked) == trials


def test_a_loop_with_an_end_is_traced_and_errors_stay_what_they_are(save):
    path = save(Bounded)
    assert cnninspect.summarize(path, (1, 4)).totals.macs == 3 * 16
    with pytest.raises(cnninspect.CnnInspectError) as caught:
        cnninspect.summarize(path, (1, 5))
    assert "process of its own" not in str(caught.value)


def test_what_loading_takes_is_bounded_without_loops_too(save):
    with pytest.raises(RunFailed, match="bytes of memory"):
        cnninspect.trace(save(LoadsMuch), (1, 4))


def test_calls_that_double_at_each_level_are_tried(tmp_path, monkeypatch):
    """Eleven functions that call the one before twice are 2,048 calls; forty would never end."""
    (tmp_path / "twice.py").write_text(TWICE)
    monkeypatch.syspath_prepend(tmp_path)
    from twice import Twice

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(Twice().eval()), tmp_path / "net.pt")
    asked = []
    monkeypatch.setattr("cnninspect.sources.pt.try_out", lambda *question: asked.append(question))
    monkeypatch.setattr("cnninspect.sources.pt.MOST_CALLS", 20)
    assert len(cnninspect.trace(str(tmp_path / "net.pt"), (1, 4)).calls) == 2**11
    assert len(asked) == 1
    monkeypatch.setattr("cnninspect.sources.pt.MOST_CALLS", 30)
    cnninspect.trace(str(tmp_path / "net.pt"), (1, 4))
    assert len(asked) == 1
