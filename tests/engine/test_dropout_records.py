"""A trace knows where dropout is, in testing too, and which layers are kept in testing mode."""

from __future__ import annotations

import pytest
import torch.nn.functional as F
from torch import nn

import cnninspect
from cnninspect.store.written_traces import read, written


class Dropping(nn.Module):
    """Dropout as a module, as a function, and on an input."""

    def __init__(self):
        super().__init__()
        self.conv, self.drop, self.norm = nn.Conv2d(3, 4, 3), nn.Dropout2d(0.3), nn.BatchNorm2d(4)

    def forward(self, x):
        x = self.conv(F.dropout(x, 0.1, self.training))
        return F.alpha_dropout(self.norm(self.drop(x)), p=0.0, training=self.training)


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_every_call_of_dropout_is_noted_with_what_it_is_given(mode):
    trace = cnninspect.trace(Dropping(), (2, 3, 8, 8), mode=mode)
    names = [call.operation.name for call in trace.calls]
    first, second, third = trace.dropouts
    assert [d.p for d in trace.dropouts] == [0.1, 0.3, 0.0]
    assert [d.layer for d in trace.dropouts] == ["", "drop", ""]
    assert (first.origin, first.next_call) == (-1, 0)
    assert names[second.origin] == "aten.convolution"
    assert names[third.origin] == "aten.native_batch_norm"


def test_in_testing_dropout_is_still_no_call():
    names = [c.operation.name for c in cnninspect.trace(Dropping(), (2, 3, 8, 8)).calls]
    assert not [name for name in names if "dropout" in name or "bernoulli" in name]


def test_what_rests_while_the_model_trains_is_known_and_stays_as_it_was():
    model = Dropping()
    model.norm.eval()
    for mode in ("eval", "train"):
        layers = cnninspect.trace(model, (2, 3, 8, 8), mode=mode).layers
        assert [layer.path for layer in layers if layer.rests] == ["norm"]
    assert model.training
    assert not model.norm.training
    model.eval()
    assert not any(layer.rests for layer in cnninspect.trace(model, (2, 3, 8, 8)).layers)


def test_both_are_remembered_with_a_trace():
    model = Dropping()
    model.norm.eval()
    trace = cnninspect.trace(model, (2, 3, 8, 8))
    assert read(written(trace)) == trace
