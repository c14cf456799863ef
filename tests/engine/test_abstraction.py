"""Abstract runs against real ones: the same calls, layers and shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from problems import PROBLEMS, Problem
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

import cnninspect
from cnninspect.engine import tracing
from cnninspect.engine.fake_tensors import Arguments, StandIns
from cnninspect.engine.layouts import layout_of
from cnninspect.engine.module_tree import Structure
from cnninspect.engine.operators import OPERATORS
from cnninspect.engine.shape_rules import ARITHMETIC
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


def test_a_list_of_tensors_is_not_taken_for_a_longer_one() -> None:
    x = torch.empty(3, 4, device="meta")
    number = layout_of(x)
    keys = [Arguments(StandIns(), args, {}).key() for args in (([x, x], number), ([x, x, x],))]
    assert keys[0] != keys[1]


def test_a_number_is_not_taken_for_the_layout_of_that_number() -> None:
    x, y = torch.randn(5), torch.randn(7, 5)
    number = layout_of(y)
    shapes = [shape for shape, _ in given_back(lambda x, y: (x * y, x * number), x, y)]
    assert shapes == [(7, 5), (5,)]


class Applies(nn.Module):
    def __init__(self, function: Callable[..., tuple[Tensor, ...]]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return self.function(*inputs)


def given_back(
    function: Callable[..., tuple[Tensor, ...]], *inputs: Tensor
) -> list[tuple[tuple[int, ...], str]]:
    """Shape and dtype of what a function returns, traced a second time."""
    module = Applies(function)
    for _ in range(2):
        trace = cnninspect.trace(module, inputs)
    assert trace.how.run == "abstract"
    assert trace.layers[0].outputs == tuple(output.spec for output in trace.outputs)
    return [(output.spec.shape, output.spec.dtype) for output in trace.outputs]


def times_one(x: Tensor) -> tuple[Tensor, ...]:
    return (
        x * 1,
        x * (1 + 0j),
        x * 1.0,
        *torch._foreach_mul([x], [1]),
        *torch._foreach_mul([x], [1j]),
    )


def filled_with_one(_: Tensor) -> tuple[Tensor, ...]:
    return tuple(torch.full((2, 5), value) for value in (1, 1 + 0j, 1.0, True))


def with_keywords(x: Tensor) -> tuple[Tensor, ...]:
    sums = [x.sum(1, dtype=dtype) for dtype in (None, torch.float64, torch.complex64)]
    return *sums, torch.add(x, x, alpha=2), torch.div(x, 3, rounding_mode="floor"), torch.div(x, 3)


def data_replaced(x: Tensor) -> tuple[Tensor, ...]:
    y = x + 1
    z = y * 2
    y.data = y.data.double()
    return y, y * 2, z


@pytest.mark.parametrize("function", [times_one, filled_with_one, with_keywords, data_replaced])
def test_what_was_met_before_is_told_apart(function: Callable[..., tuple[Tensor, ...]]) -> None:
    x = torch.randn(2, 5)
    wanted = [(tuple(t.shape), str(t.dtype).removeprefix("torch.")) for t in function(x)]
    assert given_back(function, x) == wanted


def attention(*shapes: tuple[int, ...], mask: tuple[int, ...] | None = None, grouped: bool = False):
    """A function that has attention over tensors of these shapes, and those tensors."""

    def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> tuple[Tensor, ...]:
        return (F.scaled_dot_product_attention(q, k, v, bias, enable_gqa=grouped),)

    return attend, [torch.randn(shape) for shape in (*shapes, *([mask] if mask else []))]


Q, K, V = (2, 6, 4, 8), (2, 6, 5, 8), (2, 6, 5, 3)


@pytest.mark.parametrize(
    "case",
    [
        attention(Q, K, V),
        attention(Q[1:], K[1:], V[1:]),
        attention(Q[2:], K[2:], V[2:]),
        attention((2, *Q), (2, *K), (2, *V)),
        attention(Q, (1, 6, 5, 8), (2, 1, 5, 3)),
        attention((1, 1, 4, 8), K, V),
        attention(Q, K, V, mask=(4, 5)),
        attention(Q, K, V, mask=(2, 1, 1, 5)),
        attention(Q, (2, 3, 5, 8), (2, 3, 5, 3), grouped=True),
        attention(Q, (2, 3, 5, 8), (2, 2, 5, 3), grouped=True),
        attention((1, 6, 4, 8), (2, 3, 5, 8), (2, 3, 5, 3), grouped=True),
    ],
)
def test_attention_has_the_shape_that_pytorch_gives_it(case) -> None:
    attend, tensors = case
    assert given_back(attend, *tensors) == [(tuple(attend(*tensors)[0].shape), "float32")]


@pytest.mark.parametrize(
    "case",
    [
        attention(Q, (2, 3, 5, 8), V),
        attention(Q, (2, 6, 5, 7), V),
        attention(Q, K, (2, 6, 4, 3)),
        attention(Q, K, V, mask=(5, 5)),
        attention(Q, K, V, mask=(3, 1, 4, 5)),
        attention(Q, (2, 4, 5, 8), (2, 4, 5, 3), grouped=True),
        attention(Q[2:], K[2:], V[2:], grouped=True),
    ],
)
def test_attention_refuses_what_pytorch_refuses(case) -> None:
    attend, tensors = case
    with pytest.raises((RuntimeError, IndexError)):
        attend(*tensors)
    with pytest.raises(cnninspect.CnnInspectError):
        cnninspect.trace(Applies(attend), tensors)


class Sees(TorchFunctionMode):
    """Notes the names of the functions that it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.append(func.__name__)
        return func(*args, **(kwargs or {}))


def test_function_modes_of_a_model_see_what_they_would_without_a_trace() -> None:
    def forward(x: Tensor) -> tuple[Tensor, ...]:
        with Sees() as mode:
            y = F.dropout(F.relu(F.silu(x)), training=False)
        seen.append(mode.seen)
        return (y,)

    seen: list[list[str]] = []
    forward(torch.randn(2, 3))
    cnninspect.trace(Applies(forward), (torch.randn(2, 3),))
    assert seen[0] == seen[1] == ["silu", "relu", "dropout"]
    assert F.handle_torch_function is torch.overrides.handle_torch_function


def test_a_layer_that_is_called_twice_shows_what_its_first_call_got_and_gave() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x).sum() + self.linear(x[:1, None]).sum()

    layer = cnninspect.trace(Twice(), (2, 3)).layers[1]
    assert (layer.path, layer.calls) == ("linear", 2)
    assert [spec.shape for spec in layer.inputs] == [(2, 3)]
    assert [spec.shape for spec in layer.outputs] == [(2, 5)]
