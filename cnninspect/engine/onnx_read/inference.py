"""What a node gives: shapes by rules of our own or by ONNX's, small values by computing them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from onnx import AttributeProto, NodeProto, TypeProto, defs, numpy_helper

from cnninspect.engine.onnx_read import inference_process
from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.evaluation import computed
from cnninspect.engine.onnx_read.inference_process import INFERRED, MOST_DEATHS, NoAnswer
from cnninspect.engine.onnx_read.operator_shapes import rule_for
from cnninspect.engine.onnx_read.operator_shapes.known_node import (
    NotKnown,
    attribute_value,
    known_node,
)
from cnninspect.engine.onnx_read.operator_shapes.microsoft import BLOCKED_INPUTS, INPUTS
from cnninspect.engine.onnx_read.protobuf import DTYPES
from cnninspect.engine.onnx_read.reading import STANDARD
from cnninspect.engine.onnx_read.values import Value, of_type
from cnninspect.records.operations import Argument, Operation, TensorSpec, UnknownTensor

Opsets = Mapping[str, int]
"""Version of each domain's operators."""
UNKNOWN = Value(0, None)
LARGEST_AXIS = 2**62
LONGEST_LIST = 256
"""Numbers in an attribute that become an argument; more of them are told by their number alone."""
RECURRENT = frozenset(("LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"))
MOST_CHECKED = 64
"""Inputs whose types are compared."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a node is and gives, wherever it occurs with the same inputs."""

    operation: Operation
    outputs: tuple[Value, ...]
    """In order, one for each output of the node."""
    notes: tuple[str, ...] = ()
    """What a reader should know of how that was found."""
    is_foreign: bool = False
    """Whether nobody here knows the operator."""


class Inference:
    """Remembers the outcome of each kind of node."""

    def __init__(self, ir_version: int) -> None:
        self.ir_version = ir_version
        self._known: dict[Hashable, Outcome] = {}
        self._operations: dict[Operation, Operation] = {}
        self._deaths = 0

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

    def interned(self, operation: Operation) -> Operation:
        """The one record of equal operations."""
        return self._operations.setdefault(operation, operation)

    def _worked_out(
        self, node: NodeProto, inputs: Sequence[Value | None], opsets: Opsets, *, domain: str
    ) -> Outcome:
        version = opsets.get(domain, 1)
        schema = schema_of(node.op_type, version, domain)
        if schema is not None:
            inputs = _typed(schema, inputs)
        outputs, cause, notes = self._given_by(node, inputs, opsets, schema=schema)
        inherited = next((v.cause for v in inputs if v is not None and v.cause), "")
        outputs = [
            value if value.spec is not None or value.items is not None
            else replace(value, cause=cause or inherited)
            for value in outputs
        ]  # fmt: skip
        added = _steps(node, inputs)
        operation = operation_of(node, inputs, outputs, schema=schema, domain=domain, added=added)
        is_foreign = schema is None and rule_for(node.op_type, domain) is None
        return Outcome(self.interned(operation), tuple(outputs), notes, is_foreign)

    def _given_by(
        self,
        node: NodeProto,
        inputs: Sequence[Value | None],
        opsets: Opsets,
        *,
        schema: Any,
    ) -> tuple[list[Value], str, tuple[str, ...]]:
        """The outputs, why one is not known, and what should be said of that."""
        domain = "" if node.domain in STANDARD else node.domain
        rule, name = rule_for(node.op_type, domain), f"{domain or 'onnx'}.{node.op_type}"
        if schema is not None:
            _check_inputs(schema, node, inputs)
        known = known_node(node, inputs, _version_of(schema, opsets.get(domain, 1)))
        if node.op_type == "ConstantOfShape":
            known.attributes = {**known.attributes, **_filling(node)}
        notes: tuple[str, ...] = ()
        cause = ""
        found: Sequence[Value] = ()
        try:
            if rule is not None:
                found = rule(known)
            elif schema is not None and not _is_unknown(inputs):
                found = self._asked(node, inputs, opsets)
            elif schema is None:
                cause = f"{name} is not known here"
        except NotKnown as reason:
            cause = str(reason) and f"for {name} {reason}"
        except NoAnswer as reason:
            cause = f"what {name} gives could not be worked out"
            notes = (f"what {name} gives is not known: {reason}",)
        outputs = [*found[: len(node.output)], *[UNKNOWN] * (len(node.output) - len(found))]
        _check_sizes(outputs)
        if not cause and not any(v is not None and v.cause for v in inputs):
            cause = f"what {name} gives depends on data"
        if domain == "" and rule is not None and found:
            try:
                outputs = computed(known, outputs) or outputs
            except (ArithmeticError, IndexError, TypeError, ValueError) as problem:
                said = str(problem).strip().partition("\n")[0]
                notes = (*notes, f"the values that {name} gives are not known: {said}")
            except NotKnown:
                pass  # its shape is known all the same
        return outputs, cause, notes

    def _asked(
        self, node: NodeProto, inputs: Sequence[Value | None], opsets: Opsets
    ) -> list[Value]:
        """What ONNX's own inference says.

        Raises:
            Malformed: it says that the node does not fit.
            NoAnswer: it crashed, or took too long.
        """
        if self._deaths >= MOST_DEATHS:
            raise NoAnswer(f"ONNX's own inference died {self._deaths} times before")
        # Values may have any names, and the same one may be given twice.
        renamed = NodeProto()
        renamed.CopyFrom(node)
        del renamed.input[:], renamed.output[:], renamed.metadata_props[:]
        renamed.input.extend(f"i{i}" if value is not None else "" for i, value in enumerate(inputs))
        renamed.output.extend(f"o{i}" if name else "" for i, name in enumerate(node.output))
        types = [b"" if v is None else v.written().SerializeToString() for v in inputs]
        data = [
            b"" if v is None or v.content is None
            else numpy_helper.from_array(v.content, f"i{i}").SerializeToString()
            for i, v in enumerate(inputs)
        ]  # fmt: skip
        domain = "" if node.domain in STANDARD else node.domain
        asked = inference_process.question(
            domain=domain, op=node.op_type, version=opsets.get(domain, 1),
            node=renamed.SerializeToString(), ir_version=self.ir_version,
            opsets=list(opsets.items()), types=types, data=data,
        )  # fmt: skip
        try:
            kind, *answer = inference_process.PROCESS.ask(asked)
        except NoAnswer:
            self._deaths += 1
            raise
        if kind != INFERRED:
            raise Malformed(_reason(answer[0].decode("utf-8", "replace")))
        found = {
            name.decode(): of_type(TypeProto.FromString(written))
            for name, written in zip(answer[::2], answer[1::2])
        }
        return [found.get(f"o{i}", UNKNOWN) for i in range(len(node.output))]


INPUTS_BY_DOMAIN = {"com.microsoft": INPUTS, "com.microsoft.nchwc": BLOCKED_INPUTS}


def operation_of(
    node: NodeProto,
    inputs: Sequence[Value | None],
    outputs: Sequence[Value],
    *,
    schema: Any,
    domain: str,
    added: tuple[tuple[str, Argument], ...] = (),
) -> Operation:
    """What a node does, with what is known of each tensor, and `added` arguments behind its own.

    Operators of ONNX's own domain are called `onnx.Conv`, others `domain.Name`.
    """
    specs = [_told(value) for value in inputs]
    arguments = [*_arguments(node, specs, schema), *map(_attribute, node.attribute), *added]
    return Operation(
        name=f"{domain or 'onnx'}.{node.op_type}",
        arguments=tuple(argument for argument in arguments if argument is not None),
        outputs=tuple(value.spec for value in outputs if value.spec is not None),
    )


def _arguments(
    node: NodeProto, specs: Sequence[Argument], schema: Any
) -> list[tuple[str, Argument] | None]:
    """The inputs by name; a variadic one is a tuple of all that is left."""
    if schema is None:
        names = INPUTS_BY_DOMAIN.get(node.domain, {}).get(node.op_type, ())
        return [(names[i] if i < len(names) else f"input{i}", spec) for i, spec in enumerate(specs)]
    named: list[tuple[str, Argument] | None] = []
    for i, formal in enumerate(schema.inputs):
        if formal.option == formal.option.Variadic:
            named.append((formal.name, tuple(specs[i:])))
        elif i < len(specs):
            named.append((formal.name, specs[i]))
    return named


def _told(value: Value | None) -> Argument:
    if value is None:
        return None
    if value.spec is not None:
        return value.spec
    return UnknownTensor(DTYPES.get(value.element, ""), value.cause)


def _attribute(attribute: AttributeProto) -> tuple[str, Argument] | None:
    if attribute.type == AttributeProto.TENSOR:
        tensor = attribute.t
        known = tensor.data_type in DTYPES
        spec = TensorSpec(tuple(tensor.dims), DTYPES[tensor.data_type]) if known else None
        return attribute.name, spec
    value = attribute_value(attribute)
    if isinstance(value, tuple) and len(value) > LONGEST_LIST:
        kinds = {int: "int64", float: "float32", str: "string"}
        value_or_spec: Argument = TensorSpec((len(value),), kinds[type(value[0])])
        return attribute.name, value_or_spec
    return None if value is None else (attribute.name, value)


def _steps(node: NodeProto, inputs: Sequence[Value | None]) -> tuple[tuple[str, Argument], ...]:
    """How many steps a recurrent layer takes, where the lengths of its sequences are known."""
    lengths = inputs[4] if node.op_type in RECURRENT and len(inputs) > 4 else None
    sequences = None if not inputs or inputs[0] is None else inputs[0].spec
    if lengths is None or lengths.content is None or sequences is None:
        return ()
    is_batch_first = any(a.name == "layout" and a.i for a in node.attribute)
    longest = sequences.shape[1 if is_batch_first else 0]
    return (("steps", int(np.clip(lengths.content, 0, longest).sum())),)


def schema_of(op_type: str, version: int, domain: str) -> Any:
    """The schema of an operator; None where ONNX has none."""
    try:
        return defs.get_schema(op_type, version, domain)
    except defs.SchemaError:
        return None


def _typed(schema: Any, inputs: Sequence[Value | None]) -> Sequence[Value | None]:
    """The inputs; one of unknown type has that of another that must be of the same."""
    if not any(v is not None and not v.element and v.dims is not None for v in inputs):
        return inputs
    formals = list(schema.inputs)
    names = [formals[min(i, len(formals) - 1)].type_str for i in range(len(inputs))]
    known = {n: v.element for n, v in zip(names, inputs) if v is not None and v.element}
    return [
        replace(v, element=known[n]) if v is not None and not v.element and n in known else v
        for n, v in zip(names, inputs)
    ]


def _check_inputs(schema: Any, node: NodeProto, inputs: Sequence[Value | None]) -> None:
    """See that there are as many inputs and outputs as may be, and that types agree.

    Raises:
        Malformed: there are not, or they do not.
    """
    for given, least, most, what in (
        (len(node.input), schema.min_input, schema.max_input, "inputs"),
        (len(node.output), schema.min_output, schema.max_output, "outputs"),
    ):
        if not least <= given <= most:
            wanted = f"{least}" if least == most else f"{least} to {most}"
            raise Malformed(f"it takes {wanted} {what}, and has {given}")
    elements: dict[str, int] = {}
    variables = {constraint.type_param_str for constraint in schema.type_constraints}
    formals = list(schema.inputs)
    for i, value in enumerate(inputs[:MOST_CHECKED]):
        formal = formals[min(i, len(formals) - 1)]
        if value is None or not value.element or not formal.is_homogeneous:
            continue
        if formal.type_str in variables:
            first = elements.setdefault(formal.type_str, value.element)
            if first != value.element:
                types = " and ".join(DTYPES.get(e, str(e)) for e in (first, value.element))
                raise Malformed(f"its inputs are of one type, and it is given {types}")


def _version_of(schema: Any, opset: int) -> int:
    """The opset in which this form of the operator was defined."""
    return opset if schema is None else int(schema.since_version)


def _is_unknown(inputs: Sequence[Value | None]) -> bool:
    """Whether one of them is of a type that nobody knows, which ONNX takes for a mistake."""
    return any(v is not None and not v.element and not v.other for v in inputs)


def _filling(node: NodeProto) -> dict[str, float | int]:
    """The number that `ConstantOfShape` fills its tensor with, if there is one."""
    value = next((a.t for a in node.attribute if a.name == "value"), None)
    if value is None:
        return {"value number": 0.0}
    found: dict[str, float | int] = {}
    try:
        array = np.asarray(numpy_helper.to_array(value)).reshape(-1)
    except Exception as problem:  # numpy's and onnx's own
        raise Malformed("its value cannot be read") from problem
    if array.size == 1 and array.dtype.kind in "fiub":
        found["value number"] = array[0].item()
    return found


def _reason(text: str) -> str:
    """The first line of ONNX's complaint, without its labels."""
    kind, _, rest = text.partition(": ")
    lines = rest.strip().splitlines()
    text = lines[0] if lines else kind
    while text.startswith("[") and "]" in text:
        text = text.partition("]")[2].strip()
    return text.rstrip(".")


def _check_sizes(outputs: Sequence[Value]) -> None:
    for output in outputs:
        if any(size is not None and not 0 <= size < LARGEST_AXIS for size in output.dims or ()):
            raise Malformed("its output would have a negative size, or one beyond all memory")
