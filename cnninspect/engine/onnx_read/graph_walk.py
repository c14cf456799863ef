"""The walk through a graph: each node becomes a call, with its layer and its inputs' origins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from onnx import (
    AttributeProto,
    FunctionProto,
    GraphProto,
    ModelProto,
    NodeProto,
    SparseTensorProto,
)

from cnninspect.costs import cost_of
from cnninspect.engine.onnx_read import node_layers
from cnninspect.engine.onnx_read.errors import Malformed, NodeFails, TooMuch
from cnninspect.engine.onnx_read.inference import Inference, Outcome
from cnninspect.engine.onnx_read.operator_shapes.known_node import attribute_value
from cnninspect.engine.onnx_read.operator_shapes.microsoft import (
    BLOCKED,
    channels_in_truth,
    is_normalisation,
)
from cnninspect.engine.onnx_read.reading import STANDARD
from cnninspect.engine.onnx_read.scope import Frame
from cnninspect.engine.onnx_read.stored_values import StoredValues
from cnninspect.engine.onnx_read.values import StatedShapes, Value, of_array, of_tensor
from cnninspect.engine.onnx_read.weights import WeightUses
from cnninspect.records.operations import Call, Costed, CostState, TensorSpec, shape_text

Handler = Callable[..., list[Value]]
"""Follows a node that holds graphs: `(walk, node, inputs, frame, layer=…)` gives its outputs."""
NUMBERS: Mapping[str, tuple[int, type[np.generic]]] = {
    "value_int": (7, np.int64),
    "value_ints": (7, np.int64),
    "value_float": (1, np.float32),
    "value_floats": (1, np.float32),
}
"""Attributes of a constant that are numbers: the type of their elements, for ONNX and NumPy."""
TEXTS = ("value_string", "value_strings")
MOST_STEPS = 100_000
"""Nodes that are followed, those of functions and loops each time that they run."""
MOST_ROUNDS, MOST_WASTED = 100_000, 200_000
"""Rounds of all loops, and nodes followed in vain, after which loops are only looked into."""


@dataclass(slots=True)
class Step:
    """A call, and what layers need to know of it."""

    call: Call
    given: tuple[tuple[int, TensorSpec | None], ...]
    """Where each tensor that is not stored comes from, and what it is."""
    is_data: bool
    """Whether it works on the inputs' values, not on shapes or weights alone."""


@dataclass(slots=True)
class Work:
    """What some calls do together."""

    macs: int = 0
    activations: int = 0
    unknown: tuple[str, ...] = ()
    """Operations of which nothing is known, each once."""


class Walk:
    """What was met on the way through a model.

    `handlers` follow the operators that hold graphs, by name; `enter_function` follows a node that
    calls a function of the model; `stored` looks at the values of large tensors.
    """

    def __init__(
        self,
        model: ModelProto,
        handlers: Mapping[str, Handler],
        *,
        enter_function: Handler,
        stored: StoredValues,
    ) -> None:
        self.inference = Inference(model.ir_version)
        self.functions: dict[tuple[str, str, str], FunctionProto] = {
            (f.domain, f.name, f.overload): f for f in model.functions
        }
        self.steps: list[Step] = []
        self.types: dict[str, str] = {}
        """Class of a layer, by path, as far as it is known."""
        self.weights = WeightUses(stored)
        """The stored tensors, and what takes them."""
        self.stated = StatedShapes()
        """What the file itself says of shapes."""
        self.notes: dict[str, None] = {}
        """What a reader should know, in order, each once."""
        self.rounds = 0
        """Rounds of loops so far."""
        self.endless: dict[int, NodeProto] = {}
        """Loops that turned out to run too often, by `id`."""
        self._handlers, self._enter_function = handlers, enter_function
        self._stored: dict[int, tuple[GraphProto, dict[str, Value]]] = {}
        """Each graph with its stored tensors: that of a loop is walked many times.  By `id`, which
        means the graph as long as it is kept here."""
        self._layers_ahead: dict[int, tuple[GraphProto, Mapping[str, str]]] = {}
        self._stored_values = stored
        self._channels: dict[str, int] = {}
        """How many channels blocked convolutions give in truth, by the name of their result."""
        self.wasted = 0
        """Nodes that were followed in loops that turned out to run too often."""
        self._left = MOST_STEPS

    def graph(self, graph: GraphProto, frame: Frame) -> list[Value]:
        """Walk through a graph; returns its outputs.

        Raises:
            Malformed: it makes no sense.
        """
        for name, value in self._stored_in(graph).items():
            if name not in frame.names:
                frame.bind(name, value)
        self.stated.note(graph)
        ahead = self._ahead_in(graph)
        for node in graph.node:
            self.node(node, frame, graph=graph, ahead=ahead)
        return [frame.look_up(output.name) for output in graph.output]

    @property
    def followed(self) -> int:
        """Nodes that were followed so far."""
        return MOST_STEPS - self._left

    @property
    def effort(self) -> int:
        """Nodes that were followed so far, those that were left out again as well."""
        return self.followed + self.wasted

    @property
    def is_tired(self) -> bool:
        """Whether so much was followed that loops are only looked into from here on."""
        return self.rounds > MOST_ROUNDS or self.wasted > MOST_WASTED

    def forget(self, step: int, followed: int) -> None:
        """Leave out the calls since that step, and the nodes since so many were followed."""
        del self.steps[step:]
        self.wasted += self.followed - followed
        self._left = MOST_STEPS - followed

    def work_of(self, steps: Sequence[Step]) -> Work:
        """What some calls do together."""
        work = Work()
        seen: dict[int, Costed] = {}
        for step in steps:
            operation = step.call.operation
            costed = seen.get(id(operation))
            if costed is None:
                costed = seen[id(operation)] = cost_of(operation)
            work.macs += costed.cost.macs
            work.activations += costed.cost.activations
            if costed.state is CostState.UNKNOWN:
                work.unknown = tuple(dict.fromkeys((*work.unknown, operation.name)))
        return work

    def _stored_in(self, graph: GraphProto) -> dict[str, Value]:
        if id(graph) not in self._stored:
            tensors = {t.name: t for t in graph.initializer}
            found = {n: self.weights.keep(n, of_tensor(t), tensor=t) for n, t in tensors.items()}
            for sparse in graph.sparse_initializer:
                name = sparse.values.name
                found[name] = self.weights.keep(name, _of_sparse(sparse))
            self._stored[id(graph)] = (graph, found)
        return self._stored[id(graph)][1]

    def _ahead_in(self, graph: GraphProto) -> Mapping[str, str]:
        if id(graph) not in self._layers_ahead:
            found = node_layers.layers_ahead(graph)
            channels, notes = channels_in_truth(graph, self._stored_values.filling)
            self._channels.update(channels)
            self.notes.update(dict.fromkeys(notes))
            self._layers_ahead[id(graph)] = (graph, found)
        return self._layers_ahead[id(graph)][1]

    def node(
        self,
        node: NodeProto,
        frame: Frame,
        *,
        graph: GraphProto | None = None,
        ahead: Mapping[str, str] | None = None,
    ) -> None:
        """Follow one node, of that graph; `ahead` are layers that later nodes tell.

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
        layer = self._layer(node, inputs, frame, ahead=ahead or {})
        try:
            if (node.domain, node.op_type, node.overload) in self.functions:
                outputs = self._enter_function(self, node, inputs, frame, layer=layer)
            elif node.domain in STANDARD and node.op_type in self._handlers:
                handler = self._handlers[node.op_type]
                outputs = handler(self, node, inputs, frame, layer=layer)
            else:
                outputs = self.call(node, inputs, frame, layer=layer)
        except (NodeFails, TooMuch):
            raise
        except Malformed as problem:
            raise _failed(problem, node, inputs, layer) from problem
        for name, value in zip(node.output, outputs):
            if name:
                told = value if graph is None else self.stated.complete(graph, name, value)
                frame.bind(name, told)

    def call(
        self, node: NodeProto, inputs: Sequence[Value | None], frame: Frame, *, layer: str
    ) -> list[Value]:
        """Write down a call; returns what it gives."""
        if node.domain == BLOCKED and node.op_type == "Conv":
            if node.output[0] in self._channels:
                node = _with(node, "channels", self._channels[node.output[0]])
            if is_normalisation(node):
                node = _with(node, "normalizes", 1)
        outcome = self.inference.outcome(node, inputs, frame.opsets)
        self.notes.update(dict.fromkeys(outcome.notes))
        if outcome.is_foreign:
            self.weights.note_unknown(inputs)
        return self.write(node, inputs, outcome, layer=layer)

    def write(
        self, node: NodeProto, inputs: Sequence[Value | None], outcome: Outcome, *, layer: str
    ) -> list[Value]:
        """Write down a call whose outcome is known; returns what it gives."""
        index = len(self.steps)
        given = [
            (value.origin, value.spec)
            for value in inputs
            if value is not None and not value.weight and value.origin is not None
        ]
        parameters = self.weights.note(node, inputs, layer=layer)
        origins = tuple(origin for origin, _ in given)
        call = Call(index, layer, outcome.operation, origins, parameters)
        is_known = all(value.content is not None for value in outcome.outputs)
        is_data = not is_known and any(v is not None and v.is_data for v in inputs)
        self.steps.append(Step(call, tuple(given), is_data))
        outputs = [replace(v, origin=index, is_data=is_data) for v in outcome.outputs]
        return self.weights.followed(node, inputs, outputs)

    def _layer(
        self,
        node: NodeProto,
        inputs: Sequence[Value | None],
        frame: Frame,
        *,
        ahead: Mapping[str, str],
    ) -> str:
        weights = [value.weight for value in inputs if value is not None and value.weight]
        owning = [name for name in weights if not self.weights.is_setting(name)]
        place = node_layers.place_of(node, owning, by_names=frame.by_names)
        if place is None and owning:
            found = next((ahead[name] for name in node.output if name in ahead), None)
            place = None if found is None else node_layers.Place(found)
        is_own = not frame.is_told or (frame.by_names and bool(node.name))
        if place is None and is_own and self.weights.has_several(owning):
            name = node.name or next(filter(None, node.output), node.op_type)
            names = [*frame.place.split("."), name.replace(".", "_")]
            place = node_layers.Place(node_layers.tidy(names))
        if place is None:
            return frame.place
        for path, kind in place.types:
            if kind:
                self.types.setdefault(path, kind)
        return place.path

    def inside(self, node: NodeProto, frame: Frame, layer: str, *names: str) -> Frame:
        """A frame for a graph inside a node, which is a layer called after it and these names."""
        name = (node.name or node.op_type).strip("/").rpartition("/")[2].replace(".", "_")
        inner = Frame(
            opsets=frame.opsets, place=layer, by_names=frame.by_names, is_told=frame.is_told,
            outer=frame, attributes=frame.attributes, calling=frame.calling,
        ).within(name, *names)  # fmt: skip
        self.types.setdefault(inner.place, names[0] if names else node.op_type)
        return inner

    def _constant(self, node: NodeProto, frame: Frame) -> None:
        attribute = next(iter(node.attribute), None)
        if attribute is None or len(node.output) != 1:
            raise Malformed(f"the constant {node.name!r} has no value")
        name = attribute.name
        if name == "value" and attribute.HasField("t"):
            value = self.weights.keep(
                node.output[0], of_tensor(attribute.t), tensor=attribute.t, is_constant=True
            )
        elif name == "sparse_value" and attribute.HasField("sparse_tensor"):
            value = self.weights.keep(node.output[0], _of_sparse(attribute.sparse_tensor))
        elif name in NUMBERS:
            element, dtype = NUMBERS[name]
            number = attribute_value(attribute)
            try:
                value = of_array(np.array(number, dtype), element)
            except (TypeError, ValueError, OverflowError) as problem:
                raise Malformed(f"the constant {node.name!r} is no {name}") from problem
        elif name in TEXTS:
            value = Value(8, () if name == "value_string" else (len(attribute.strings),))
        else:
            raise Malformed(f"the constant {node.name!r} has no value")
        frame.bind(node.output[0], value)


def graphs_of(node: NodeProto) -> dict[str, GraphProto]:
    """The graphs that a node holds, by the names of its attributes."""
    return {a.name: a.g for a in node.attribute if a.HasField("g")}


def _with(node: NodeProto, name: str, number: int) -> NodeProto:
    """The node with a further attribute."""
    found = NodeProto()
    found.CopyFrom(node)
    found.attribute.add(name=name, i=number, type=AttributeProto.INT)
    return found


def _of_sparse(sparse: SparseTensorProto) -> Value:
    return Value(sparse.values.data_type, tuple(sparse.dims))


def _failed(
    problem: Malformed, node: NodeProto, inputs: Sequence[Value | None], layer: str
) -> NodeFails:
    name = f"{node.name!r} ({node.op_type})" if node.name else f"{node.op_type}"
    specs = [value.spec for value in inputs[:8] if value is not None]
    got = ", ".join(shape_text(s.shape) for s in specs if s is not None)
    return NodeFails(
        f"the node {name} does not fit: {problem}", layer=layer, op=node.op_type, got=got
    )
