"""Which layers ran, under which names."""

import torch
from torch import nn

import cnninspect


class CallsItself(nn.Sequential):
    """Goes past PyTorch's hooks."""

    def __call__(self, x):
        return self.forward(x)


class Borrows(nn.Module):
    """Runs a module that is not its own."""

    def __init__(self, stranger):
        super().__init__()
        self.strangers = [stranger]  # a list, so that it is not registered
        self.own = nn.Linear(4, 4)

    def forward(self, x):
        return self.own(self.strangers[0](x))


def ran(net):
    """Path, calls and shape of the first output of each layer; and the layer of each call."""
    trace = cnninspect.trace(net, inputs=(torch.zeros(2, 4),))
    layers = [(r.path, r.calls, r.outputs[0].shape if r.outputs else None) for r in trace.layers]
    return layers, {call.layer for call in trace.calls}


def test_a_model_with_a_call_of_its_own_ran_once_and_its_layers_under_their_names():
    layers, callers = ran(CallsItself(nn.Linear(4, 5), nn.Linear(5, 3)))
    assert layers == [("", 1, (2, 3)), ("0", 1, (2, 5)), ("1", 1, (2, 3))]
    assert callers == {"0", "1"}


def test_a_shared_module_has_the_name_it_was_called_through():
    shared = nn.Linear(4, 4)
    layers, callers = ran(nn.Sequential(nn.Sequential(shared), nn.Sequential(shared)))
    assert [path for path, calls, _ in layers if calls] == ["", "0", "0.0", "1", "1.0"]
    assert callers == {"0.0", "1.0"}


def test_a_module_of_somebody_else_works_for_its_caller():
    layers, callers = ran(nn.Sequential(Borrows(nn.Sequential(nn.Linear(4, 4), nn.ReLU()))))
    assert layers == [("", 1, (2, 4)), ("0", 1, (2, 4)), ("0.own", 1, (2, 4))]
    assert callers == {"0", "0.own"}


class Swaps(nn.Sequential):
    """Has its weights change places."""

    def forward(self, x):
        self[0].weight, self[1].weight = self[1].weight, self[0].weight
        return super().forward(x)


def test_weights_that_change_places_still_belong_to_somebody():
    net = Swaps(nn.Linear(4, 4), nn.Linear(4, 4))
    assert cnninspect.summarize(net, (torch.zeros(2, 4),)).totals.parameters == 40
