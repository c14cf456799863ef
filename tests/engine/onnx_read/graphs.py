"""Small ONNX models made by hand."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def node(op_type, inputs, outputs, **attributes):
    """A node; inputs and outputs are names with spaces between."""
    domain = attributes.pop("domain", "")
    name = attributes.pop("name", "")
    notes = attributes.pop("notes", {})
    made = helper.make_node(
        op_type, names(inputs), names(outputs), name=name, domain=domain, **attributes
    )
    for key, value in notes.items():
        made.metadata_props.add(key=key, value=value)
    return made


def names(text):
    return [name if name != "_" else "" for name in text.split()]


def value(name, *shape, dtype=FLOAT):
    """An input or output; a size may be a name, None leaves it open without one."""
    return helper.make_tensor_value_info(name, dtype, list(shape))


def unshaped(name, dtype=FLOAT):
    return helper.make_tensor_value_info(name, dtype, None)


def weight(name, *shape, dtype=np.float32):
    """A stored tensor of ones."""
    return numpy_helper.from_array(np.ones(shape, dtype), name)


def ints(name, *values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def scalar(name, number, dtype=np.int64):
    return numpy_helper.from_array(np.array(number, dtype), name)


def graph(nodes, inputs, outputs, stored=(), name="graph"):
    return helper.make_graph(nodes, name, inputs, outputs, list(stored))


def model(nodes, inputs, outputs, stored=(), *, opset=20, functions=(), domains=(), ir=10):
    return helper.make_model(
        graph(nodes, inputs, outputs, stored),
        opset_imports=[
            helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)
        ],
        functions=list(functions),
        ir_version=ir,
    )  # fmt: skip


def function(domain, name, inputs, outputs, nodes, attributes=()):
    return helper.make_function(
        domain, name, names(inputs), names(outputs), nodes,
        [helper.make_opsetid("", 20), helper.make_opsetid(domain, 1)], list(attributes),
    )  # fmt: skip


def convolution(channels=3, size=8, batch=1):
    """A convolution, its activation and a linear layer."""
    return model(
        [
            node("Conv", "x net.conv.weight net.conv.bias", "a", pads=[1, 1, 1, 1]),
            node("Relu", "a", "b"),
            node("GlobalAveragePool", "b", "c"),
            node("Flatten", "c", "d"),
            node("Gemm", "d net.fc.weight net.fc.bias", "y", transB=1),
        ],
        [value("x", batch, channels, size, size)],
        [value("y", batch, 10)],
        [
            weight("net.conv.weight", 4, channels, 3, 3),
            weight("net.conv.bias", 4),
            weight("net.fc.weight", 10, 4),
            weight("net.fc.bias", 10),
        ],
    )


def externally(made, path, **entries):
    """The model with its first stored tensor in another file, as `entries` say."""
    copy = onnx.ModelProto()
    copy.CopyFrom(made)
    tensor = copy.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in entries.items():
        tensor.external_data.add(key=key, value=str(text))
    return copy
