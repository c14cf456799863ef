"""From a node to an operation, its arguments called as ONNX's schemas call them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onnx import AttributeProto, NodeProto, TensorProto

from cnninspect.engine.onnx_read.dtypes import DTYPES
from cnninspect.engine.onnx_read.microsoft_shapes import INPUTS
from cnninspect.engine.onnx_read.values import Value
from cnninspect.records.operations import Argument, Operation
from cnninspect.records.tensors import TensorSpec


def operation_of(
    node: NodeProto,
    inputs: Sequence[Value | None],
    outputs: Sequence[Value],
    *,
    schema: Any,
    domain: str,
) -> Operation:
    """What a node does, with a spec for each tensor; None for one whose shape is not known.

    Operators of ONNX's own domain are called `onnx.Conv`, others `domain.Name`.
    """
    specs = [None if value is None else value.spec for value in inputs]
    arguments = [*_named(node, specs, schema), *map(_attribute, node.attribute)]
    return Operation(
        name=f"{domain or 'onnx'}.{node.op_type}",
        arguments=tuple(argument for argument in arguments if argument is not None),
        outputs=tuple(value.spec for value in outputs if value.spec is not None),
    )


def _named(
    node: NodeProto, specs: Sequence[TensorSpec | None], schema: Any
) -> list[tuple[str, Argument] | None]:
    """The inputs by name; a variadic one is a tuple of all that is left."""
    if schema is None:
        names = INPUTS.get(node.op_type, ())
        return [(names[i] if i < len(names) else f"input{i}", spec) for i, spec in enumerate(specs)]
    named: list[tuple[str, Argument] | None] = []
    for i, formal in enumerate(schema.inputs):
        if formal.option == formal.option.Variadic:
            named.append((formal.name, tuple(specs[i:])))
        elif i < len(specs):
            named.append((formal.name, specs[i]))
    return named


def _attribute(attribute: AttributeProto) -> tuple[str, Argument] | None:
    kind = attribute.type
    value: Argument
    if kind == AttributeProto.INT:
        value = attribute.i
    elif kind == AttributeProto.FLOAT:
        value = attribute.f
    elif kind == AttributeProto.STRING:
        value = attribute.s.decode("utf-8", "replace")
    elif kind == AttributeProto.INTS:
        value = tuple(attribute.ints)
    elif kind == AttributeProto.FLOATS:
        value = tuple(attribute.floats)
    elif kind == AttributeProto.STRINGS:
        value = tuple(text.decode("utf-8", "replace") for text in attribute.strings)
    elif kind == AttributeProto.TENSOR:
        value = _spec(attribute.t)
    else:  # graphs and types are no arguments
        return None
    return attribute.name, value


def _spec(tensor: TensorProto) -> TensorSpec | None:
    if tensor.data_type not in DTYPES:
        return None
    return TensorSpec(tuple(tensor.dims), DTYPES[tensor.data_type])
