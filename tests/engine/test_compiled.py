"""Compiled modules and functions run as the Python that they were compiled from."""

import subprocess
import sys

import pytest
import torch
from torch import nn

import cnninspect
from cnninspect.engine.process_state import Ledger, set_apart

# of PyTorch itself, when its compiler is imported
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_nothing_is_compiled_meanwhile():
    compiled = []

    def backend(module, _inputs):
        compiled.append(module)
        return module.forward

    function = torch.compile(lambda x: x + 1, backend=backend)
    with Ledger() as ledger, ledger:
        set_apart(ledger)
        assert function(torch.zeros(2)).tolist() == [1, 1]
    assert compiled == []
    function(torch.zeros(2))
    assert len(compiled) == 1


def test_a_compiled_layer_costs_what_it_costs_and_is_seen_under_its_name():
    net = nn.Sequential(torch.compile(nn.Linear(6, 5)), nn.Linear(5, 4))
    report = cnninspect.summarize(net, (3, 6))  # without the warning that hooks see it twice
    assert report.totals.macs == 3 * (6 * 5 + 5 * 4)
    assert {layer.path: layer.total.macs for layer in report.layers}["0"] == 3 * 6 * 5


def test_a_step_of_training_takes_compiled_layers_too():
    net = nn.Sequential(torch.compile(nn.Linear(6, 5)), nn.Linear(5, 4))
    assert cnninspect.memory(net, (3, 6)).totals.forward_macs == 3 * (6 * 5 + 5 * 4)


def test_without_compiled_parts_the_compiler_is_not_imported():
    code = (
        "import sys, cnninspect\ncnninspect.summarize('mlp')\nprint('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n"
