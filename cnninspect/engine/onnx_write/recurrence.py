"""Exports a recurrent layer as one node, for sequences of any length.

torch's exporter takes such a layer apart into its time steps, which takes minutes and fixes their
number.  So while it looks at the network, `nn.RNN`, `nn.LSTM` and `nn.GRU` call operators of our
own, which it keeps whole, and which become nodes of ONNX's operators of the same names.

ONNX orders the gates of an LSTM as input, output, forget, cell (torch: input, forget, cell, output)
and those of a GRU as update, reset, new (torch: reset, update, new).
Source: onnx/docs/Operators.md; torch.nn.LSTM, torch.nn.GRU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.engine.torch_private import _VF


@dataclass(frozen=True, slots=True)
class Cell:
    """A kind of recurrent layer."""

    op_type: str
    """ONNX's operator."""
    order: tuple[int, ...]
    """For each of ONNX's gates, which of torch's it is."""
    states: int
    """Tensors of the state."""
    activation: str = ""
    """The function of an RNN."""


CELLS = {
    "lstm": Cell("LSTM", (0, 3, 1, 2), 2),
    "gru": Cell("GRU", (1, 0, 2), 1),
    "rnn_tanh": Cell("RNN", (0,), 1, "Tanh"),
    "rnn_relu": Cell("RNN", (0,), 1, "Relu"),
}
"""By the name of torch's function."""
NAMESPACE = "cnninspect"
SCHEMA = (
    "{name}(Tensor input, Tensor[] hx, Tensor[] params, bool has_biases, int num_layers, "
    "bool bidirectional, bool batch_first) -> ({results})"
)


@contextmanager
def whole_layers() -> Iterator[dict[Any, Any]]:
    """Let recurrent layers call operators of our own; gives what becomes of those in ONNX."""
    operators = _operators()
    kept = {name: vars(_VF).get(name) for name in CELLS}
    for name in CELLS:
        setattr(_VF, name, _calling(name, operators[name], getattr(_VF, name)))
    try:
        yield {operators[name]: _translation(cell) for name, cell in CELLS.items()}
    finally:
        for name, function in kept.items():
            if function is None:
                delattr(_VF, name)
            else:
                setattr(_VF, name, function)


def has_projections(module: nn.Module) -> bool:
    """Whether an LSTM projects its state, for which ONNX has no operator."""
    return any(getattr(part, "proj_size", 0) for part in module.modules())


@cache
def _operators() -> dict[str, Any]:
    """Our operators by the name of torch's function, defined when they are first needed."""
    library = torch.library.Library(NAMESPACE, "FRAGMENT")
    found = {}
    for name, cell in CELLS.items():
        results = ", ".join(["Tensor"] * (1 + cell.states))
        library.define(SCHEMA.format(name=name, results=results))
        library.impl(name, _running(name, cell), "CompositeExplicitAutograd")
        torch.library.register_fake(f"{NAMESPACE}::{name}", _shapes(cell), lib=library)
        found[name] = getattr(getattr(torch.ops, NAMESPACE), name).default
    found["library"] = library  # which must not be forgotten
    return found


def _calling(name: str, operator: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    def call(x: Tensor, hx: Any, *rest: Any) -> Any:
        states = tuple(hx) if isinstance(hx, (tuple, list)) else (hx,)
        if len(rest) != 7 or isinstance(rest[0], Tensor):
            return original(x, hx, *rest)  # packed sequences
        params, has_biases, layers, _, _, bidirectional, batch_first = rest
        return operator(x, states, params, has_biases, layers, bidirectional, batch_first)

    call.__name__ = name
    return call


def _running(name: str, cell: Cell) -> Callable[..., Any]:
    original = getattr(torch, name)

    def run(
        x: Tensor, hx: Sequence[Tensor], params: Sequence[Tensor], has_biases: bool,
        layers: int, bidirectional: bool, batch_first: bool,
    ) -> Any:  # fmt: skip
        states = hx if cell.states > 1 else hx[0]
        return original(
            x, states, params, has_biases, layers, 0.0, False, bidirectional, batch_first
        )

    return run


def _shapes(cell: Cell) -> Callable[..., Any]:
    def layout(
        x: Tensor, hx: Sequence[Tensor], params: Any, has_biases: bool,  # noqa: ARG001
        layers: int, bidirectional: bool, batch_first: bool,  # noqa: ARG001
    ) -> Any:  # fmt: skip
        width = hx[0].shape[-1] * (2 if bidirectional else 1)
        return (
            x.new_empty((*x.shape[:-1], width)),
            *(torch.empty_like(state) for state in hx[: cell.states]),
        )

    return layout


def _translation(cell: Cell) -> Callable[..., Any]:
    """What torch's exporter calls for one of our operators."""

    def translate(
        input: Any, hx: Sequence[Any], params: Sequence[Any], has_biases: bool,  # noqa: A002
        num_layers: int, bidirectional: bool, batch_first: bool,
    ) -> Any:  # fmt: skip
        directions = 2 if bidirectional else 1
        layers = Layers(cell, directions, hx, params, 4 if has_biases else 2)
        return layers.translated(input, num_layers, batch_first=batch_first)

    # Attributes and tensors are told apart by annotations, which must be types.
    translate.__annotations__ = {
        "hx": Sequence[Any], "params": Sequence[Any], "has_biases": bool, "num_layers": int,
        "bidirectional": bool, "batch_first": bool,
    }  # fmt: skip
    return translate


@dataclass(slots=True)
class Layers:
    """The layers of one recurrent network, on their way to nodes."""

    cell: Cell
    directions: int
    hx: Sequence[Any]
    """First states, (layers · directions, batch, hidden) each."""
    params: Sequence[Any]
    """Weights as torch has them, flat."""
    each: int
    """Weights of one layer in one direction: two matrices, and two biases if there are any."""

    def translated(self, x: Any, layers: int, *, batch_first: bool) -> tuple[Any, ...]:
        """The output, (length, batch, width) or the batch first, and the last states."""
        op = _opset()
        if batch_first:
            x = op.Transpose(x, perm=[1, 0, 2])
        last: list[list[Any]] = [[] for _ in range(self.cell.states)]
        for layer in range(layers):
            y, *states = self._node(op, x, layer)  # (length, directions, batch, hidden)
            for kept, state in zip(last, states):
                kept.append(state)
            # (length, batch, directions · hidden)
            x = op.Squeeze(y, [1])
            if self.directions == 2:
                x = op.Reshape(op.Transpose(y, perm=[0, 2, 1, 3]), [0, 0, -1])
        if batch_first:
            x = op.Transpose(x, perm=[1, 0, 2])
        return (x, *(s[0] if layers == 1 else op.Concat(*s, axis=0) for s in last))

    def _node(self, op: Any, x: Any, layer: int) -> Any:
        start, end = layer * self.directions, (layer + 1) * self.directions
        states = [
            state if len(self.params) == self.each * self.directions
            else op.Slice(state, [start], [end], [0])
            for state in self.hx
        ]  # fmt: skip
        kinds = [
            [self.params[d * self.each + i] for d in range(start, end)] for i in range(self.each)
        ]
        weight, state_weight = (self._stacked(op, kind) for kind in kinds[:2])
        bias = None
        if self.each == 4:
            pairs = [
                op.Concat(self._ordered(op, w), self._ordered(op, r), axis=0)
                for w, r in zip(*kinds[2:])
            ]
            bias = _rows(op, pairs)
        options: dict[str, Any] = {
            "hidden_size": int(self.hx[0].shape[-1]),
            "direction": "bidirectional" if self.directions == 2 else "forward",
        }
        if self.cell.activation:
            options["activations"] = [self.cell.activation] * self.directions
        if self.cell.op_type == "GRU":
            options["linear_before_reset"] = 1
        node = getattr(op, self.cell.op_type)
        return node(x, weight, state_weight, bias, None, *states, **options)

    def _stacked(self, op: Any, matrices: Sequence[Any]) -> Any:
        return _rows(op, [self._ordered(op, matrix) for matrix in matrices])

    def _ordered(self, op: Any, weight: Any) -> Any:
        """The weight with its gates, blocks of rows, in ONNX's order."""
        order = self.cell.order
        if order == (0,):
            return weight
        gates = op.Split(weight, num_outputs=len(order), axis=0)
        return op.Concat(*(gates[i] for i in order), axis=0)


def _rows(op: Any, values: Sequence[Any]) -> Any:
    """Values on top of each other along a new first axis."""
    raised = [op.Unsqueeze(value, [0]) for value in values]
    return raised[0] if len(raised) == 1 else op.Concat(*raised, axis=0)


def _opset() -> Any:
    from onnxscript import opset18  # noqa: PLC0415 - slow

    return opset18
