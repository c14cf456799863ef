"""What a node gives: types and shapes by ONNX's own rules, small values by computing them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onnx import NodeProto, TensorProto, checker, defs, helper, numpy_helper, shape_inference

from cnninspect.engine.onnx_read import microsoft_shapes as contributed
from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.folding import computed
from cnninspect.engine.onnx_read.operations import operation_of
from cnninspect.engine.onnx_read.reading import STANDARD
from cnninspect.engine.onnx_read.values import Value, of_type
from cnninspect.records.operations import Operation

Opsets = Mapping[str, int]
"""Version of each domain's operators."""
KNOWN_ERRORS = (
    shape_inference.InferenceError, checker.ValidationError, ValueError, TypeError, RuntimeError,
)  # fmt: skip
"""What ONNX's inference raises for nodes that do not fit."""
UNKNOWN = Value(0, None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a node is and gives, wherever it occurs with the same inputs."""

    operation: Operation
    outputs: tuple[Value, ...]
    """In order, one for each output of the node."""


class Inference:
    """Remembers the outcome of each kind of node."""

    def __init__(self, ir_version: int) -> None:
        self.ir_version = ir_version
        self._known: dict[Hashable, Outcome] = {}
        self._operations: dict[Operation, Operation] = {}

    def outcome(self, node: NodeProto, inputs: Sequence[Value | None], opsets: Opsets) -> Outcome:
        """What this node is and gives.

        Raises:
            Malformed: it does not fit its inputs.
        """
        domain = "" if node.domain in STANDARD else node.domain
        version = opsets.get(domain, 1)
        key = (
            domain, node.op_type, version, tuple(name == "" for name in node.output),
            tuple(None if value is None else value.key for value in inputs),
            tuple(attribute.SerializeToString() for attribute in node.attribute),
        )  # fmt: skip
        if key not in self._known:
            self._known[key] = self._worked_out(node, inputs, opsets, domain=domain)
        return self._known[key]

    def _worked_out(
        self, node: NodeProto, inputs: Sequence[Value | None], opsets: Opsets, *, domain: str
    ) -> Outcome:
        version = opsets.get(domain, 1)
        schema = schema_of(node.op_type, version, domain)
        if schema is None:
            outputs = contributed.outputs_of(node, inputs)
        else:
            outputs = self._inferred(schema, node, inputs, opsets)
            _check_sizes(outputs)
            _check_channels(node, inputs)
        known = computed(node, inputs, outputs, version) if not domain else None
        outputs = known or outputs
        operation = operation_of(node, inputs, outputs, schema=schema, domain=domain)
        return Outcome(self._operations.setdefault(operation, operation), tuple(outputs))

    def _inferred(
        self, schema: Any, node: NodeProto, inputs: Sequence[Value | None], opsets: Opsets
    ) -> list[Value]:
        # Values may have any names, and the same one may be given twice.
        renamed = NodeProto()
        renamed.CopyFrom(node)
        del renamed.input[:], renamed.output[:], renamed.metadata_props[:]
        names = [f"i{i}" if value is not None else "" for i, value in enumerate(inputs)]
        renamed.input.extend(names)
        renamed.output.extend(f"o{i}" if name else "" for i, name in enumerate(node.output))
        given = [(name, value) for name, value in zip(names, inputs) if value is not None]
        types = {name: value.written() for name, value in given}
        data = {
            name: stored(value, name)
            for name, value in given
            if value.content is not None
        }  # fmt: skip
        imports = [helper.make_opsetid(*opset) for opset in opsets.items()]
        try:
            found = shape_inference.infer_node_outputs(
                schema, renamed, types, data, opset_imports=imports, ir_version=self.ir_version
            )
        except KNOWN_ERRORS as problem:
            raise Malformed(_reason(problem)) from problem
        return [
            of_type(found[f"o{i}"]) if f"o{i}" in found else UNKNOWN
            for i in range(len(node.output))
        ]


def schema_of(op_type: str, version: int, domain: str) -> Any:
    """The schema of an operator; None where ONNX has none."""
    try:
        return defs.get_schema(op_type, version, domain)
    except defs.SchemaError:
        return None


def stored(value: Value, name: str) -> TensorProto:
    """A known value as ONNX stores it."""
    assert value.content is not None
    return numpy_helper.from_array(value.content, name)


def _reason(problem: Exception) -> str:
    """The first line of ONNX's complaint, without its labels."""
    lines = str(problem).strip().splitlines()
    text = lines[0] if lines else type(problem).__name__
    while text.startswith("[") and "]" in text:
        text = text.partition("]")[2].strip()
    return text.rstrip(".")


MEETING: Mapping[str, tuple[int, int]] = {
    "Conv": (1, 1), "ConvInteger": (1, 1), "ConvTranspose": (1, 0), "LSTM": (2, 2), "GRU": (2, 2),
    "RNN": (2, 2),
}  # fmt: skip
"""Operators whose inference leaves open whether input and weight fit, with the axes that meet."""


def _check_channels(node: NodeProto, inputs: Sequence[Value | None]) -> None:
    """See that a weight has as many channels as its input.

    Raises:
        Malformed: it does not.
    """
    specs = [value.spec for value in inputs[:2] if value is not None]
    if node.op_type not in MEETING or len(specs) < 2 or specs[0] is None or specs[1] is None:
        return
    given, weight = specs[0].shape, specs[1].shape
    mine, theirs = MEETING[node.op_type]
    if len(given) <= mine or len(weight) <= theirs:
        return
    groups = next((a.i for a in node.attribute if a.name == "group"), 1)
    wanted = weight[theirs] * (groups if node.op_type.startswith("Conv") and theirs else 1)
    if given[mine] != wanted:
        raise Malformed(f"its weight is for {wanted} channels, and its input has {given[mine]}")


def _check_sizes(outputs: Sequence[Value]) -> None:
    for output in outputs:
        if any(size is not None and not 0 <= size < 2**62 for size in output.dims or ()):
            raise Malformed("its output would have a negative size, or one beyond all memory")
