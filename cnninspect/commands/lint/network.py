"""A trace as rules look at it: what feeds what, which weights a call reads, what is what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from cnninspect.commands.lint.operators import SAME_SHAPE, Window, kind_of, window_of
from cnninspect.costs import cost_of
from cnninspect.metrics.receptive_field import receptive_fields
from cnninspect.metrics.roofline import least_time_of
from cnninspect.metrics.summary import Device, Roofline
from cnninspect.records.checkpoint import WeightsReport
from cnninspect.records.operations import Call, Costed, TensorSpec
from cnninspect.records.traces import Layer, Parameter, Trace, parent_of

ITSELF = "the network itself"
"""What the layer is called that has no path."""
MAPS = frozenset(
    (
        *("convolution", "max pool", "average pool", "adaptive average pool", "adaptive max pool"),
        *("batch norm", "instance norm", "group norm", "add", "join", "multiply"),
    )
)
"""Kinds whose results are maps, where the last dimensions are positions."""


class TracedNetwork:
    """One trace, with what several rules ask of it worked out once.

    Calls go by their index; `-1 - i` stands for input number i, as in `Call.inputs`.
    """

    def __init__(
        self,
        trace: Trace,
        *,
        device: Device,
        training: Trace | None = None,
        weights: WeightsReport | None = None,
    ) -> None:
        self.trace = trace
        self.calls: Sequence[Call] = trace.calls
        self.device = device
        """What least times are on."""
        self.training = training
        """The same network in training mode, where it was asked; None: nobody knows."""
        self.weights = weights
        """How a file of weights fits; None: none was given."""
        self._windows: dict[int, Window | None] = {}
        known: dict[int, tuple[str, Costed]] = {}
        kinds, costs = [], []
        for call in trace.calls:
            found = known.get(id(call.operation))
            if found is None:
                found = known[id(call.operation)] = (
                    kind_of(call.operation),
                    cost_of(call.operation),
                )
            kinds.append(found[0])
            costs.append(found[1])
        self.kinds: Sequence[str] = kinds
        """What each call is, see `operators.KINDS`."""
        self.costs: Sequence[Costed] = costs
        self.consumers: list[list[int]] = [[] for _ in trace.calls]
        """The calls that take what a call gave."""
        self.read_by_input: dict[int, list[int]] = {}
        """The calls that take an input of the network."""
        self.is_data = [False] * len(trace.calls)
        """Whether a call's result depends on an input, not on weights and constants alone."""
        self.weight_names: list[tuple[str, ...]] = []
        """The parameters and buffers that a call reads, also through calls on weights alone."""
        for call in trace.calls:
            names = call.parameters
            for source in call.inputs:
                if source < 0:
                    self.is_data[call.index] = True
                    self.read_by_input.setdefault(source, []).append(call.index)
                    continue
                self.consumers[source].append(call.index)
                if self.is_data[source]:
                    self.is_data[call.index] = True
                else:
                    names = (*names, *self.weight_names[source])
            self.weight_names.append(names)

    # --- what there is ---

    @cached_property
    def layers(self) -> dict[str, Layer]:
        """Layers by path."""
        return {layer.path: layer for layer in self.trace.layers}

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """Every parameter once, by its full name, which is what `Call.parameters` calls it."""
        return {name: parameter for name, (_, parameter) in self._owned.items()}

    @cached_property
    def _owned(self) -> dict[str, tuple[str, Parameter]]:
        """By full name of each parameter, the layer that owns it, and itself."""
        owned = {}
        for layer in self.trace.layers:
            for parameter in layer.parameters:
                if parameter.shared_with is None:
                    name = f"{layer.path}.{parameter.name}" if layer.path else parameter.name
                    if self.is_graph and name not in self.read and parameter.name in self.read:
                        name = parameter.name  # files name weights as they like
                    owned[name] = (layer.path, parameter)
        return owned

    def owner(self, name: str) -> str:
        """Path of the layer that owns a parameter or buffer."""
        return self._owned[name][0] if name in self._owned else parent_of(name)

    def owners(self, names: Iterable[str]) -> tuple[str, ...]:
        """The layers that own these, each once, as they are shown."""
        return tuple(dict.fromkeys(self.owner(name) or ITSELF for name in names))

    @cached_property
    def parameter_count(self) -> int:
        """Elements of all parameters."""
        return sum(parameter.spec.numel for parameter in self.parameters.values())

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of all calls."""
        return sum(cost.cost.macs for cost in self.costs)

    @cached_property
    def read(self) -> frozenset[str]:
        """Full names of the parameters that some call reads."""
        return frozenset(name for call in self.calls for name in call.parameters)

    @property
    def is_graph(self) -> bool:
        """Whether it was read from a file that holds a graph: it is deployed, not trained."""
        return self.trace.how.run == "graph"

    @property
    def batch(self) -> int:
        """The first size of the first input."""
        return next((x.spec.shape[0] for x in self.trace.inputs if x.spec.shape), 1)

    def of_kind(self, *kinds: str) -> Iterator[int]:
        """The calls of these kinds that work on data."""
        wanted = frozenset(kinds)
        return (i for i, kind in enumerate(self.kinds) if kind in wanted and self.is_data[i])

    # --- one call ---

    def layer(self, call: int) -> str:
        """The layer that makes a call, as it is shown: its path, or else its node."""
        made = self.calls[call]
        if made.layer or not self.is_graph:
            return made.layer or ITSELF
        return f"node {call} ({made.operation.name.removeprefix('onnx.')})"

    def paths(self, calls: Iterable[int]) -> tuple[str, ...]:
        """The layers of several calls, each once."""
        return tuple(dict.fromkeys(self.layer(call) for call in calls))

    def window(self, call: int) -> Window | None:
        """The window of a convolution or pooling."""
        operation = self.calls[call].operation
        if id(operation) not in self._windows:
            self._windows[id(operation)] = window_of(operation)
        return self._windows[id(operation)]

    def sources(self, call: int) -> list[int]:
        """Where the data that a call is given come from, weights left out."""
        return [s for s in self.calls[call].inputs if s < 0 or self.is_data[s]]

    def weight(self, call: int) -> TensorSpec | None:
        """The weight of a convolution or of a product with a matrix that does not depend on data.

        It is that tensor of the call which has two dimensions or more and comes from parameters.
        """
        operation = self.calls[call].operation
        if self.kinds[call] == "convolution":
            found = operation.argument("weight", operation.argument("W"))
        elif self.kinds[call] == "linear":
            if len(self.sources(call)) != 1 or not self.weight_names[call]:
                return None
            found = operation.argument(
                "mat2", operation.argument("B", operation.argument("weight"))
            )
        else:
            return None
        return found if isinstance(found, TensorSpec) else None

    def bias(self, call: int) -> Parameter | None:
        """The parameter that a convolution or linear map adds to its product, if it adds one."""
        operation, names = self.calls[call].operation, self.calls[call].parameters
        spec = operation.argument("bias", operation.argument("C"))
        if spec is None and operation.name == "onnx.Conv":
            spec = operation.argument("B")
        if spec is None and operation.name == "aten.addmm":
            spec = operation.argument("self")
        if not isinstance(spec, TensorSpec) or len(spec.shape) != 1:
            return None
        own = [self.parameters[n] for n in names if n in self.parameters]
        return next((p for p in own if p.spec.shape == spec.shape), None)

    def out_shape(self, source: int) -> tuple[int, ...]:
        """The shape of what a call gave, or of an input."""
        if source < 0:
            return self.trace.inputs[-1 - source].spec.shape
        outputs = self.calls[source].operation.outputs
        return outputs[0].shape if outputs else ()

    def given_shape(self, call: int) -> tuple[int, ...]:
        """The shape of the first tensor that a call takes."""
        inputs = self.calls[call].operation.inputs
        return inputs[0].shape if inputs else ()

    def flattened_from(self, source: int) -> tuple[int, ...] | None:
        """The shape of the map that a row of features was made of; None: it was made of none."""
        while source >= 0:
            is_passed = self.kinds[source] in SAME_SHAPE
            if not is_passed and not self.is_activation(source):
                return None
            shape, sources = self.out_shape(source), self.sources(source)
            if len(sources) != 1 or (len(shape) >= 3 and not is_passed):
                return None
            source = sources[0]
            given = self.out_shape(source)
            if len(given) in (4, 5) and len(shape) == 2:
                is_made = source >= 0  # an image has no channels to average over
                is_map = is_made and (self.kinds[source] in MAPS or self.is_activation(source))
                return given if is_map and given[0] == shape[0] else None
        return None

    def is_activation(self, call: int) -> bool:
        """Whether a call is a function of each element, such as ReLU, or dropout."""
        return self.costs[call].reason in ("an activation", "dropout")

    def macs_of(self, call: int) -> int:
        """Multiply-accumulates of a call."""
        return self.costs[call].cost.macs

    # --- ways ---

    def before(self, call: int, through: frozenset[str] = SAME_SHAPE) -> int | None:
        """What a call is given, seen through calls of these kinds; None: several things."""
        sources = self.sources(call)
        while len(sources) == 1:
            source = sources[0]
            if source < 0 or self.kinds[source] not in through:
                return source
            sources = self.sources(source)
        return None

    def after(self, call: int, through: frozenset[str] = SAME_SHAPE) -> list[int]:
        """The calls that take what a call gave, seen through calls of these kinds."""
        found, pending = [], list(self.consumers[call])
        while pending:
            taker = pending.pop()
            if self.kinds[taker] in through and self.is_data[taker]:
                pending += self.consumers[taker]
            else:
                found.append(taker)
        return sorted(set(found))

    def is_output(self, call: int) -> bool:
        """Whether the network returns what a call gave."""
        return call in self._returned

    @cached_property
    def _returned(self) -> frozenset[int]:
        found, pending = set(), [origin for origin in self.trace.origins if origin >= 0]
        while pending:
            origin = pending.pop()
            if origin in found:
                continue
            found.add(origin)
            if self.kinds[origin] in SAME_SHAPE:
                pending += [s for s in self.calls[origin].inputs if s >= 0]
        return frozenset(found)

    @cached_property
    def used(self) -> frozenset[int]:
        """The calls that an output depends on; all, where the outputs cannot be followed."""
        if not self.trace.origins or len(self.trace.origins) < len(self.trace.outputs):
            return frozenset(range(len(self.calls)))
        needed = [False] * len(self.calls)
        for origin in self.trace.origins:
            if origin >= 0:
                needed[origin] = True
        for i in range(len(self.calls) - 1, -1, -1):
            if needed[i]:
                for source in self.calls[i].inputs:
                    if source >= 0:
                        needed[source] = True
        return frozenset(i for i, is_needed in enumerate(needed) if is_needed)

    # --- figures that take longer ---

    def field(self, layer: str) -> tuple[int, ...] | None:
        """The receptive field of a layer, by dimension; None where it cannot be told."""
        return receptive_fields(self.trace, (layer,)).get(layer)

    @cached_property
    def rooflines(self) -> Sequence[Roofline]:
        """By call, the least time that it takes on the device."""
        known: dict[int, Roofline] = {}
        found = []
        for call in self.calls:
            key = id(call.operation)
            if key not in known:
                known[key] = least_time_of(call.operation, self.device)
            found.append(known[key])
        return found

    @cached_property
    def least_seconds(self) -> Sequence[float]:
        """By call, those seconds."""
        return [roofline.seconds for roofline in self.rooflines]

    def intensity(self, call: int) -> float:
        """FLOPs for each byte that has to be moved."""
        roofline = self.rooflines[call]
        return roofline.flops / roofline.moved_bytes if roofline.moved_bytes else 0.0
