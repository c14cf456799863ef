"""Abstract runs against real ones: the same calls, layers and shapes."""

from __future__ import annotations

import pytest
import torch
from problems import PROBLEMS, Problem
from torch import nn

from cnninspect.engine import tracing
from cnninspect.engine.arithmetic import ARITHMETIC
from cnninspect.engine.operators import OPERATORS
from cnninspect.engine.structure import Structure
from cnninspect.engine.tracing import Given, Run
from cnninspect.records.models import LoadedModel, ModelInfo
from cnninspect.records.traces import HowTraced, Trace


def both_ways(module: nn.Module, inputs: tuple[object, ...]) -> tuple[Trace, Trace]:
    """A trace without computing, and one of a real run."""
    loaded = LoadedModel(ModelInfo("m", "module", "m"), lambda: module, live=True)
    module.eval()
    traces = []
    for rung in (Run.abstractly, Run.really):
        run = Run(loaded, Structure(module), Given(inputs, {}), mode="eval")
        traces.append(rung(run, HowTraced("real", "", ())))
    return traces[0], traces[1]


@pytest.mark.parametrize(
    "problem", [p for p in PROBLEMS if p.name != "caches"], ids=lambda problem: problem.name
)
@pytest.mark.filterwarnings("ignore:LSTM with projections", "ignore:Using padding='same'")
def test_an_abstract_run_sees_the_layers_and_shapes_of_a_real_one(problem: Problem) -> None:
    abstract, real = both_ways(problem.build(), problem.inputs)
    assert abstract.layers == real.layers
    assert abstract.outputs == real.outputs
    assert abstract.inputs == real.inputs


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_a_second_trace_from_memory_equals_the_first(problem: Problem) -> None:
    module = problem.build()
    for operator in OPERATORS.values():
        operator.memory.clear()
    first = tracing.trace(
        LoadedModel(ModelInfo("m", "module", "m"), lambda: module, live=True), problem.inputs
    )
    second = tracing.trace(
        LoadedModel(ModelInfo("m", "module", "m"), lambda: module, live=True), problem.inputs
    )
    assert first == second


def layouts(result: object) -> list[tuple[tuple[int, ...], tuple[int, ...], torch.dtype]]:
    tensors = result if isinstance(result, tuple) else (result,)
    return [(tuple(t.shape), t.stride(), t.dtype) for t in tensors]


X, W = torch.randn(2, 6, 9, 8), torch.randn(4, 3, 3, 2)
C = torch.ones(6)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("convolution", (X, W, None, [2, 1], [1, 0], [1, 2], False, [0, 0], 2)),
        ("convolution", (X, W, torch.ones(4), [1, 1], [0, 3], [2, 1], False, [0, 0], 2)),
        (
            "convolution",
            (X[:, :, 0].contiguous(), W[:, :, 0].contiguous(), None, [3], [2], [1], False, [0], 2),
        ),
        ("native_batch_norm", (X, C, C, C, C, False, 0.1, 1e-5)),
        ("native_batch_norm", (X, C, C, C, C, True, 0.1, 1e-5)),
        ("native_batch_norm", (X, None, None, None, None, True, 0.1, 1e-5)),
        ("_native_batch_norm_legit_no_training", (X, C, C, C, C, 0.1, 1e-5)),
        ("addmm", (torch.ones(5), torch.randn(3, 4), torch.randn(4, 5))),
        ("addmm", (torch.ones(5), torch.randn(3, 4), torch.randn(5, 4).t())),
    ],
)
def test_arithmetic_gives_what_the_kernel_gives(name: str, arguments: tuple[object, ...]) -> None:
    kernel = getattr(torch.ops.aten, name)
    assert list(ARITHMETIC[f"aten.{name}"](*arguments)) == layouts(kernel(*arguments))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("convolution", (X, W, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1)),  # channels
        ("convolution", (X, W, None, [1, 1], [0, 0], [9, 9], False, [0, 0], 2)),  # too wide
        ("convolution", (X, W, C, [1, 1], [0, 0], [1, 1], False, [0, 0], 2)),  # bias
        ("addmm", (torch.ones(5), torch.randn(3, 4), torch.randn(3, 5))),
    ],
)
def test_arithmetic_leaves_what_does_not_fit_to_the_kernel(
    name: str, arguments: tuple[object, ...]
) -> None:
    assert ARITHMETIC[f"aten.{name}"](*arguments) is None
    with pytest.raises(RuntimeError):
        getattr(torch.ops.aten, name)(*arguments)
