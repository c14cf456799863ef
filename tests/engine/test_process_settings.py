"""Settings of the process come out of a trace as they went in, whichever way they stood."""

import gc
import os
import random
import sys

import numpy
import pytest
import torch
from torch import nn

import cnninspect


class Does(nn.Module):
    """Does something while it runs; with `looks` it asks for values, so that it really runs."""

    def __init__(self, what, *, looks=False):
        super().__init__()
        self.what, self.looks = what, looks
        self.linear = nn.Linear(3, 3)

    def forward(self, x):
        self.what()
        y = self.linear(x)
        return -y if self.looks and y.sum().item() > 0 else y


RUNS = pytest.mark.parametrize("looks", [False, True], ids=["abstract", "real"])


@pytest.fixture(params=[True, False], ids=["collecting", "not collecting"])
def collects(request):
    before = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield request.param
    (gc.enable if before else gc.disable)()


@RUNS
def test_garbage_is_collected_afterwards_if_it_was_before_and_never_meanwhile(collects, looks):
    seen = []
    cnninspect.trace(Does(lambda: seen.append(gc.isenabled()), looks=looks), (2, 3))
    assert seen == ([] if looks else [False])  # after a real run the list is as it was before
    assert gc.isenabled() is collects


def test_what_somebody_froze_stays_frozen(collects):
    gc.freeze()
    frozen = gc.get_freeze_count()
    try:
        cnninspect.trace(Does(lambda: None), (2, 3))
        assert gc.get_freeze_count() == pytest.approx(frozen, rel=0.01)
    finally:
        gc.unfreeze()


def test_nothing_is_frozen_afterwards_if_nothing_was(collects):
    gc.unfreeze()
    cnninspect.trace(Does(lambda: None), (2, 3))
    assert gc.get_freeze_count() == 0


DRAWS = {
    "numpy": (lambda: numpy.random.rand(), lambda: numpy.random.get_state()[1].tolist()),
    "python": (lambda: random.random(), random.getstate),
    "torch": (lambda: torch.rand(()), lambda: torch.get_rng_state().tolist()),
}  # fmt: skip


@RUNS
@pytest.mark.parametrize("name", DRAWS)
def test_a_generator_that_a_network_draws_from_is_put_back(name, looks):
    draw, state = DRAWS[name]
    module = Does(draw, looks=looks)
    before = state()
    cnninspect.trace(module, (2, 3))
    assert state() == before


@RUNS
def test_the_environment_is_put_back(monkeypatch, looks):
    monkeypatch.setenv("A_SETTING", "1")
    monkeypatch.setenv("ANOTHER_SETTING", "2")
    monkeypatch.delenv("NO_SETTING", raising=False)

    def change():
        os.environ["A_SETTING"] = "3"
        os.environ["NO_SETTING"] = "4"
        os.environ.pop("ANOTHER_SETTING", None)

    cnninspect.trace(Does(change, looks=looks), (2, 3))
    assert (os.environ["A_SETTING"], os.environ["ANOTHER_SETTING"]) == ("1", "2")
    assert "NO_SETTING" not in os.environ


@pytest.mark.parametrize("given", [torch.float32, torch.float64])
def test_the_default_dtype_is_put_back(given):
    before = torch.get_default_dtype()
    torch.set_default_dtype(given)
    try:
        module = Does(lambda: torch.set_default_dtype(torch.float16))
        cnninspect.trace(module, (2, 3))
        assert torch.get_default_dtype() is given
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize("is_on", [True, False])
def test_the_fast_path_of_attention_and_checks_for_anomalies_stay_switched_as_they_were(is_on):
    was_fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(is_on)
    seen = []
    try:
        with torch.autograd.set_detect_anomaly(is_on, check_nan=False):
            module = Does(lambda: seen.append(torch.is_anomaly_enabled()))
            cnninspect.trace(module, (2, 3))
            assert torch.is_anomaly_enabled() is is_on
            assert torch.is_anomaly_check_nan_enabled() is False
        assert torch.backends.mha.get_fastpath_enabled() is is_on
        assert seen == [False]
    finally:
        torch.backends.mha.set_fastpath_enabled(was_fast)


def test_what_a_network_prints_goes_to_stderr_and_stdout_is_put_back(capsys):
    before = sys.stdout
    cnninspect.trace(Does(lambda: print("spoken")), (2, 3))
    assert sys.stdout is before
    assert capsys.readouterr() == ("", "spoken\n")
