"""The tensors that are stored in a file, and what becomes of each on its way through the graph.

Whether a tensor of bytes is a quantised weight shows only further on: in a product, in what scales
it back, or in a cast to floating numbers.  So each value remembers what it is made of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from onnx import NodeProto, TensorProto

from cnninspect.costs.microsoft import unfilled
from cnninspect.engine.onnx_read.operator_shapes.known_node import attributes_of
from cnninspect.engine.onnx_read.operator_shapes.microsoft import BLOCKED
from cnninspect.engine.onnx_read.protobuf import BITS_OF, DTYPES, FLOATS
from cnninspect.engine.onnx_read.stored_values import StoredValues
from cnninspect.engine.onnx_read.values import Value
from cnninspect.records.operations import TensorSpec

MOVING = frozenset(
    ("Cast", "Concat", "Expand", "Flatten", "Identity", "Pad", "Reshape", "Slice", "Split",
     "Squeeze", "Transpose", "Unsqueeze")
)  # fmt: skip
"""What only moves weights about on their way to an operator that uses them."""
LOOKING_UP = frozenset(("Gather", "GatherElements", "GatherND", "DequantizeLinear"))
"""What gives some of its first input's elements, or all of them scaled."""
SCALING = frozenset(("Add", "Sub", "Mul", "Div"))
"""Arithmetic by which quantised weights are scaled back."""
MAKING = frozenset(
    ("ConstantOfShape", "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike")
)
"""Nodes that make weights in files that were stripped of them."""
COEFFICIENTS: Mapping[str, tuple[str, ...]] = {
    "LinearClassifier": ("coefficients", "intercepts"),
    "LinearRegressor": ("coefficients", "intercepts"),
    "SVMClassifier": ("coefficients", "support_vectors", "rho", "prob_a", "prob_b"),
    "SVMRegressor": ("coefficients", "support_vectors", "rho"),
    "Scaler": ("offset", "scale"),
    "TreeEnsembleClassifier": ("nodes_values", "class_weights"),
    "TreeEnsembleRegressor": ("nodes_values", "target_weights"),
    "TreeEnsemble": ("nodes_splits", "leaf_weights"),
}
"""Attributes of `ai.onnx.ml` that hold what was learned."""
STATES: Mapping[str, tuple[int, ...]] = {
    "LSTM": (5, 6), "GRU": (5,), "RNN": (5,), "DynamicQuantizeLSTM": (5, 6),
}  # fmt: skip
"""Positions of the state from which a recurrent layer begins."""
Use = tuple[str, int]
"""Operator, and position among its inputs."""


@dataclass(slots=True)
class Weight:
    """A tensor that is stored in the file, or that a node makes of nothing."""

    name: str
    """Full name."""
    spec: TensorSpec
    """Shape and type; logical ones where several numbers are packed into a byte."""
    uses: dict[tuple[str, int, str], None] = field(default_factory=dict)
    """Operator, position among its inputs, and layer of the nodes that take it, each once."""
    reached: dict[tuple[str, int, bool], None] = field(default_factory=dict)
    """Operator, position, and whether it came there as floating numbers, of the nodes that take
    what is made of it."""
    is_constant: bool = False
    """Whether it is the value of a node, not an entry of its own."""
    is_made: bool = False
    """Whether a node makes it of nothing."""
    unknown: bool = False
    """Whether an operator that nobody knows takes it."""
    is_first_state: bool = False
    """Whether it is the state from which a recurrent layer begins, and all 0."""


class WeightUses:
    """All stored tensors by full name, and what takes them; `stored` looks at their values."""

    def __init__(self, stored: StoredValues) -> None:
        self.by_name: dict[str, Weight] = {}
        self._stored = stored
        self._tensors: dict[str, TensorProto] = {}
        self._times: dict[str, int] = {}
        """How often each name was met that was met again."""

    def keep(
        self,
        name: str,
        value: Value,
        *,
        tensor: TensorProto | None = None,
        is_constant: bool = False,
    ) -> Value:
        """Note a stored tensor; a name that was there already gets a number."""
        if value.spec is None or value.element not in BITS_OF:
            return value
        full = name
        while full in self.by_name:
            self._times[name] = self._times.get(name, 1) + 1
            full = f"{name}#{self._times[name]}"
        self.by_name[full] = Weight(full, value.spec, is_constant=is_constant)
        if tensor is not None:
            self._tensors[full] = tensor
        value.weight = full
        value.made_of = (full,)
        return value

    def is_setting(self, name: str) -> bool:
        """Whether a stored tensor is too small to make its operator a layer."""
        weight = self.by_name[name]
        last = name.rpartition(".")[2]
        return weight.spec.numel <= 1 and (weight.is_constant or last.isdigit())

    def has_several(self, names: Sequence[str]) -> bool:
        """Whether one of these has more than one element."""
        return any(self.by_name[name].spec.numel > 1 for name in names)

    def note(
        self, node: NodeProto, inputs: Sequence[Value | None], *, layer: str
    ) -> tuple[str, ...]:
        """Note what a node takes; returns the full names of the stored tensors among it."""
        op, taken = _labelled(node, inputs), []
        for position, value in enumerate(inputs):
            if value is None:
                continue
            if value.weight:
                self.by_name[value.weight].uses[op, position, layer] = None
                taken.append(value.weight)
            is_float = DTYPES.get(value.element) in FLOATS
            for name in value.made_of:
                if name != value.weight:
                    self.by_name[name].reached[op, position, is_float] = None
        if node.op_type in PACKED:
            self._unpack(node, inputs)
        if node.op_type in STATES:
            self._note_states([inputs[i] for i in STATES[node.op_type] if i < len(inputs)])
        if node.op_type == "Conv" and node.domain == BLOCKED:
            self._cut(inputs, attributes_of(node))
        if node.domain == "ai.onnx.ml" and node.op_type in COEFFICIENTS:
            taken += self._coefficients(node, layer)
        return tuple(taken)

    def note_unknown(self, inputs: Sequence[Value | None]) -> None:
        """Note what an operator takes that nobody knows."""
        for value in inputs:
            if value is not None and value.weight:
                self.by_name[value.weight].unknown = True

    def followed(
        self, node: NodeProto, inputs: Sequence[Value | None], outputs: list[Value]
    ) -> list[Value]:
        """The outputs of a node, each with what it is made of."""
        if node.op_type == "DynamicQuantizeLinear" and len(outputs) > 1:
            outputs[1].is_scale = True
        if node.op_type in MAKING and self._is_made(inputs, outputs):
            name = self.keep(node.output[0], replace(outputs[0], content=None)).weight
            self.by_name[name].is_made = True
            outputs[0].made_of = (name,)
        made_of = _made_of(node, inputs)
        if made_of:
            for output in outputs:
                output.made_of = made_of
        if node.op_type == "Mul" and any(v is not None and v.is_scale for v in inputs):
            outputs[0].is_scale = all(
                v is not None and (v.is_scale or not v.is_data) for v in inputs
            )
        return outputs

    def _is_made(self, inputs: Sequence[Value | None], outputs: Sequence[Value]) -> bool:
        is_fixed = all(v is None or v.weight or v.origin is None for v in inputs)
        spec = outputs[0].spec if outputs else None
        return is_fixed and spec is not None and spec.numel > 1 and spec.dtype in FLOATS

    def _unpack(self, node: NodeProto, inputs: Sequence[Value | None]) -> None:
        """Give a packed weight the shape that it stands for."""
        position, logical = PACKED[node.op_type](node, inputs)
        value = inputs[position] if position < len(inputs) else None
        if value is not None and value.weight and logical is not None:
            self.by_name[value.weight].spec = logical

    def _note_states(self, states: Sequence[Value | None]) -> None:
        for value in states:
            tensor = None if value is None else self._tensors.get(value.weight)
            if value is not None and tensor is not None:
                self.by_name[value.weight].is_first_state = self._stored.is_zero(tensor)

    def _cut(self, inputs: Sequence[Value | None], numbers: Mapping[str, object]) -> None:
        """Leave out of the weight and bias of a blocked convolution what only fills up blocks."""
        x = None if inputs[0] is None else inputs[0].spec
        for value in inputs[1:3]:
            if x is not None and value is not None and value.weight:
                weight = self.by_name[value.weight]
                weight.spec = unfilled(
                    weight.spec, x, channels=numbers.get("channels"), groups=numbers.get("group")
                )

    def _coefficients(self, node: NodeProto, layer: str) -> list[str]:
        """Note the attributes of a node that hold what was learned; returns their full names."""
        found = []
        for attribute in node.attribute:
            if attribute.name.removesuffix("_as_tensor") not in COEFFICIENTS[node.op_type]:
                continue
            count = len(attribute.floats)
            if attribute.HasField("t"):
                count = 1
                for size in attribute.t.dims:
                    count *= size
            full = f"{node.name or node.output[0]}/{attribute.name}"
            if count and full not in self.by_name:
                self.by_name[full] = Weight(full, TensorSpec((count,), "float32"))
            if full in self.by_name:
                self.by_name[full].uses[node.op_type, -1, layer] = None
                found.append(full)
        return found


def _made_of(node: NodeProto, inputs: Sequence[Value | None]) -> tuple[str, ...]:
    """What the outputs are made of: of stored tensors that are moved about or scaled."""
    op = node.op_type
    if op in LOOKING_UP or (op in MOVING and op != "Concat"):
        first = inputs[0] if inputs else None
        return () if first is None else first.made_of
    if op == "Concat":
        return tuple(dict.fromkeys(n for v in inputs if v is not None for n in v.made_of))[:16]
    if op in SCALING and len(inputs) == 2 and None not in inputs:
        left, right = inputs
        assert left is not None
        assert right is not None
        if right.made_of and left.made_of:
            return left.made_of if _numel(left) >= _numel(right) else right.made_of
        other = right if left.made_of else left
        return () if other.is_data and not other.is_scale else left.made_of or right.made_of
    return ()


def _numel(value: Value) -> int:
    return 0 if value.spec is None else value.spec.numel


def _labelled(node: NodeProto, inputs: Sequence[Value | None]) -> str:
    """The operator, told apart where its inputs mean something else."""
    if node.op_type == "DequantizeLinear" and any(
        a.name == "block_size" and a.i for a in node.attribute
    ):
        return "DequantizeLinear by blocks"
    if node.op_type == "Mul" and any(v is not None and v.is_scale for v in inputs):
        return "Mul by a scale"
    return node.op_type


def _matrix(node: NodeProto, _: Sequence[Value | None]) -> tuple[int, TensorSpec | None]:
    """A packed matrix of `N` × `K` numbers of a few bits."""
    numbers = attributes_of(node)
    rows, inner = numbers.get("N"), numbers.get("K")
    bits = numbers.get("bits", 4)
    if not isinstance(rows, int) or not isinstance(inner, int) or bits not in (1, 2, 4, 8):
        return 1, None
    return 1, TensorSpec((rows, inner), f"uint{bits}")


def _table(node: NodeProto, inputs: Sequence[Value | None]) -> tuple[int, TensorSpec | None]:
    """A packed table, whose last axis holds several numbers in a byte."""
    bits = attributes_of(node).get("bits", 4)
    spec = None if not inputs or inputs[0] is None else inputs[0].spec
    if spec is None or spec.dtype != "uint8" or bits not in (1, 2, 4) or not spec.shape:
        return 0, None
    assert isinstance(bits, int)
    return 0, TensorSpec((*spec.shape[:-1], spec.shape[-1] * (8 // bits)), f"uint{bits}")


PACKED = {"MatMulNBits": _matrix, "MatMulBnb4": _matrix, "GatherBlockQuantized": _table}
"""Where a packed weight is among the inputs, and what it stands for, by operator."""
