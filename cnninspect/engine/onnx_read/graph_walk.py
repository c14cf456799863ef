"""The walk through a graph: each node becomes a call, with its layer and its inputs' origins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, helper

from cnninspect.costs import cost_of
from cnninspect.engine.onnx_read import control_flow
from cnninspect.engine.onnx_read import node_layers as scopes
from cnninspect.engine.onnx_read.errors import Malformed, NodeFails, TooMuch
from cnninspect.engine.onnx_read.functions import enter_function
from cnninspect.engine.onnx_read.inference import Inference, Outcome
from cnninspect.engine.onnx_read.reading import STANDARD
from cnninspect.engine.onnx_read.scope import Frame
from cnninspect.engine.onnx_read.values import Value, of_array, of_tensor
from cnninspect.records.operations import Call
from cnninspect.records.tensors import TensorSpec

NUMBERS = {
    "value_int": (7, np.int64),
    "value_ints": (7, np.int64),
    "value_float": (1, np.float32),
    "value_floats": (1, np.float32),
}
"""Attributes of a constant that are numbers: the type of their elements, for ONNX and NumPy."""
MOST_STEPS = 100_000
"""Nodes that are followed, those of functions and loops each time that they run."""


@dataclass(slots=True)
class Weight:
    """A tensor that is stored in the file."""

    name: str
    """Full name."""
    spec: TensorSpec
    """Shape and type."""
    uses: dict[tuple[str, int, str], None] = field(default_factory=dict)
    """Operator, position among its inputs, and layer of the nodes that take it, each once."""


@dataclass(slots=True)
class Step:
    """A call, and what layers need to know of it."""

    call: Call
    given: tuple[tuple[int, TensorSpec | None], ...]
    """Where each tensor that is not stored comes from, and what it is."""
    is_data: bool
    """Whether it works on the inputs' values, not on shapes or weights alone."""


class Walk:
    """What was met on the way through a model."""

    def __init__(self, model: ModelProto) -> None:
        self.inference = Inference(model.ir_version)
        self.functions: dict[tuple[str, str, str], FunctionProto] = {
            (f.domain, f.name, f.overload): f for f in model.functions
        }
        self.steps: list[Step] = []
        self.types: dict[str, str] = {}
        """Class of a layer, by path, as far as it is known."""
        self.weights: dict[str, Weight] = {}
        """By full name."""
        self.notes: dict[str, None] = {}
        """What a reader should know, in order, each once."""
        self._stored: dict[int, tuple[GraphProto, dict[str, Value]]] = {}
        """Each graph with its stored tensors: that of a loop is walked many times.  By `id`, which
        means the graph as long as it is kept here."""
        self._macs: dict[int, int] = {}
        self.endless: dict[int, NodeProto] = {}
        """Loops that turned out to run too often, by `id`."""
        self._left = MOST_STEPS

    def graph(self, graph: GraphProto, frame: Frame) -> list[Value]:
        """Walk through a graph; returns its outputs.

        Raises:
            Malformed: it makes no sense.
        """
        for name, value in self._stored_in(graph).items():
            if name not in frame.names:
                frame.bind(name, value)
        for node in graph.node:
            self.node(node, frame)
        return [frame.look_up(output.name) for output in graph.output]

    def macs_of(self, steps: Sequence[Step]) -> int:
        """Multiply-accumulates of some calls."""
        total = 0
        for step in steps:
            operation = step.call.operation
            if id(operation) not in self._macs:
                self._macs[id(operation)] = cost_of(operation).cost.macs
            total += self._macs[id(operation)]
        return total

    def _stored_in(self, graph: GraphProto) -> dict[str, Value]:
        if id(graph) not in self._stored:
            found = {t.name: self.keep(t.name, of_tensor(t)) for t in graph.initializer}
            for sparse in graph.sparse_initializer:
                name = sparse.values.name
                found[name] = self.keep(name, _of_sparse(sparse))
            self._stored[id(graph)] = (graph, found)
        return self._stored[id(graph)][1]

    def keep(self, name: str, value: Value) -> Value:
        """Note a stored tensor; a name that was there already gets a number."""
        if value.spec is None:
            return value
        full, count = name, 1
        while full in self.weights:
            count += 1
            full = f"{name}#{count}"
        self.weights[full] = Weight(full, value.spec)
        value.weight = full
        return value

    def node(self, node: NodeProto, frame: Frame) -> None:
        """Follow one node.

        Raises:
            NodeFails: it does not fit its inputs.
            Malformed: something that it takes is not there.
            TooMuch: there are too many nodes.
        """
        self._left -= 1
        if self._left < 0:
            raise TooMuch(f"it runs more than {MOST_STEPS:,} nodes")
        node = frame.resolved(node)
        if node.op_type == "Constant" and node.domain in STANDARD:
            self._constant(node, frame)
            return
        inputs = [frame.look_up(name) if name else None for name in node.input]
        layer = self._layer(node, inputs, frame)
        try:
            if (node.domain, node.op_type, node.overload) in self.functions:
                outputs = enter_function(self, node, inputs, frame, layer=layer)
            elif node.domain in STANDARD and node.op_type in control_flow.RULES:
                outputs = control_flow.RULES[node.op_type](self, node, inputs, frame, layer=layer)
            else:
                outputs = self.call(node, inputs, frame, layer=layer)
        except (NodeFails, TooMuch):
            raise
        except Malformed as problem:
            raise _failed(problem, node, inputs, layer) from problem
        for name, value in zip(node.output, outputs):
            if name:
                frame.bind(name, value)

    def call(
        self, node: NodeProto, inputs: Sequence[Value | None], frame: Frame, *, layer: str
    ) -> list[Value]:
        """Write down a call; returns what it gives."""
        outcome = self.inference.outcome(node, inputs, frame.opsets)
        return self.write(node, inputs, outcome, layer=layer)

    def write(
        self, node: NodeProto, inputs: Sequence[Value | None], outcome: Outcome, *, layer: str
    ) -> list[Value]:
        """Write down a call whose outcome is known; returns what it gives."""
        index, parameters, given = len(self.steps), [], []
        for position, value in enumerate(inputs):
            if value is None:
                continue
            if value.weight:
                self.weights[value.weight].uses[node.op_type, position, layer] = None
                parameters.append(value.weight)
            elif value.origin is not None:
                given.append((value.origin, value.spec))
        origins = tuple(origin for origin, _ in given)
        call = Call(index, layer, outcome.operation, origins, tuple(parameters))
        is_known = all(value.content is not None for value in outcome.outputs)
        is_data = not is_known and any(v is not None and v.is_data for v in inputs)
        self.steps.append(Step(call, tuple(given), is_data))
        return [
            Value(v.element, v.dims, v.other, v.content, index, is_data=is_data)
            for v in outcome.outputs
        ]

    def _layer(self, node: NodeProto, inputs: Sequence[Value | None], frame: Frame) -> str:
        weights = [value.weight for value in inputs if value is not None and value.weight]
        place = scopes.place_of(node, weights, by_names=frame.by_names)
        if place is None and not frame.is_told and self._has_weights(weights):
            name = node.name or next(filter(None, node.output), node.op_type)
            place = scopes.Place(scopes.tidy([*frame.place.split("."), name.replace(".", "_")]))
        if place is None:
            return frame.place
        for path, kind in place.types:
            if kind:
                self.types.setdefault(path, kind)
        return place.path

    def _has_weights(self, names: Sequence[str]) -> bool:
        return any(self.weights[name].spec.numel > 1 for name in names)

    def _constant(self, node: NodeProto, frame: Frame) -> None:
        attribute = next(iter(node.attribute), None)
        if attribute is None or len(node.output) != 1:
            raise Malformed(f"the constant {node.name!r} has no value")
        if attribute.name == "value":
            value = self.keep(node.output[0], of_tensor(attribute.t))
        elif attribute.name == "sparse_value":
            value = self.keep(node.output[0], _of_sparse(attribute.sparse_tensor))
        elif attribute.name in NUMBERS:
            element, dtype = NUMBERS[attribute.name]
            value = of_array(np.array(helper.get_attribute_value(attribute), dtype), element)
        else:  # text
            value = Value(0, None)
        frame.bind(node.output[0], value)


def _of_sparse(sparse: SparseTensorProto) -> Value:
    return Value(sparse.values.data_type, tuple(sparse.dims))


def _failed(
    problem: Malformed, node: NodeProto, inputs: Sequence[Value | None], layer: str
) -> NodeFails:
    name = f"{node.name!r} ({node.op_type})" if node.name else f"{node.op_type}"
    specs = [value.spec for value in inputs if value is not None]
    got = ", ".join("×".join(map(str, s.shape)) or "a scalar" for s in specs if s is not None)
    return NodeFails(
        f"the node {name} does not fit: {problem}", layer=layer, op=node.op_type, got=got
    )
