"""Which layer takes how long: hooks under a clock that only moves when a layer says so."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from cnninspect.engine.module_tree import Structure
from cnninspect.engine.real_passes import stopwatch as stopwatches
from cnninspect.engine.real_passes.stopwatch import EventClock, ProcessorClock, clock_of, watching


class Hand(ProcessorClock):
    """A clock that somebody moves by hand."""

    def __init__(self):
        self.now = 0

    def mark(self):
        return self.now

    def seconds(self, start, end):
        return float(end - start)


class Slow(nn.Module):
    """Takes so long forward, and so long back."""

    def __init__(self, clock, forward, back=0):
        super().__init__()
        self.clock, self.forward_time, self.back = clock, forward, back
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        self.clock.now += self.forward_time
        return Taking.apply(x * self.weight, self.clock, self.back)


class Taking(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, clock, back):
        ctx.clock, ctx.back = clock, back
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        ctx.clock.now += ctx.back
        return gradient, None, None


class Outer(nn.Module):
    def __init__(self, clock, *inner, own=0):
        super().__init__()
        self.inner, self.clock, self.own = nn.Sequential(*inner), clock, own

    def forward(self, x):
        self.clock.now += self.own
        return self.inner(x)


def seconds_of(model, clock, x=None, *, backward=False):
    with watching(Structure(model), clock) as watch:
        loss = model(torch.ones(1) if x is None else x)
        if backward:
            watch.follow(loss)
            loss.backward()
    return watch


def test_own_time_is_what_is_left_of_a_layer_without_those_that_it_calls():
    clock = Hand()
    net = Outer(clock, Slow(clock, 3), Slow(clock, 5), own=2)
    own, under = seconds_of(net, clock).own_times()
    assert own == {"": 2, "inner": 0, "inner.0": 3, "inner.1": 5}
    assert under == {"": 1, "inner": 2}


def test_a_layer_that_runs_again_adds_up_and_a_shared_one_counts_where_it_is_called():
    clock = Hand()
    shared = Slow(clock, 4)
    net = nn.Sequential(Outer(clock, shared), Outer(clock, shared), Outer(clock, shared, shared))
    own, _ = seconds_of(net, clock).own_times()
    assert own["0.inner.0"] == 4
    assert own["1.inner.0"] == 4
    assert own["2.inner.0"] + own.get("2.inner.1", 0) == 8


def test_the_backward_pass_counts_for_the_layers_whose_gradients_it_computes():
    clock = Hand()
    net = nn.Sequential(Slow(clock, 3, back=30), Outer(clock, Slow(clock, 5, back=50), own=2))
    watch = seconds_of(net, clock, backward=True)
    own, _ = watch.own_times()
    assert {path: s for path, s in own.items() if s} == {"0": 33, "1": 2, "1.inner.0": 55}
    assert watch.forward_seconds() == 10


def test_a_layer_that_runs_again_going_back_counts_both_times_and_once_each():
    """As under checkpointing, whose own module takes seconds to import."""
    clock = Hand()

    class Kept(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = Slow(clock, 3, back=30)
            self.again = 0

        def forward(self, x):
            def unpack(saved):
                if not self.again:
                    self.again = 1
                    self.inside(x.detach())
                return saved

            with torch.autograd.graph.saved_tensors_hooks(lambda saved: saved, unpack):
                return self.inside(x)

    net = nn.Sequential(Slow(clock, 1, back=10), Kept())
    own, _ = seconds_of(net, clock, backward=True).own_times()
    assert own["1.inside"] == 3 + 3 + 30
    assert sum(own.values()) == clock.now


def test_hooks_are_gone_afterwards_also_after_an_error():
    clock = Hand()
    net = Outer(clock, Slow(clock, 1))
    with pytest.raises(ZeroDivisionError), watching(Structure(net), clock):
        1 / 0  # noqa: B018
    for module in net.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def test_an_accelerator_is_timed_by_events_in_its_queue():
    """With a stand-in for `torch.cuda`, since no test needs a GPU."""
    waited = []

    class Event:
        number = 0

        def __init__(self, *, enable_timing):
            assert enable_timing
            self.at = None

        def record(self):
            Event.number += 1
            self.at = Event.number * 250  # milliseconds

        def elapsed_time(self, end):
            return end.at - self.at

    queue = SimpleNamespace(Event=Event, synchronize=lambda: waited.append(1))
    clock = EventClock(queue)
    net = nn.Sequential(nn.Identity(), nn.Identity())
    with watching(Structure(net), clock) as watch:
        net(torch.ones(1))
    clock.wait()
    own, _ = watch.own_times()
    assert own == {"": 0.75, "0": 0.25, "1": 0.25}
    assert waited == [1]


def test_the_clock_is_that_of_the_device():
    assert type(clock_of("cpu")) is ProcessorClock
    clock = clock_of("cuda")
    assert isinstance(clock, EventClock)
    assert clock._backend is torch.cuda


def test_what_hooks_cost_is_the_difference_of_calls_with_and_without(monkeypatch):
    monkeypatch.setattr(stopwatches, "CALLS", 20)
    assert 0 <= stopwatches.cost_of_hooks(ProcessorClock()) < 1
