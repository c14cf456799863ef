"""What is left of a file without the values of its large tensors."""

from contextlib import suppress

import numpy as np
import onnx
import pytest
from graphs import convolution, model, node, value, weight
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from cnninspect.engine.onnx_read import protobuf
from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.protobuf import LARGE, MARK, without_values


def large(name="w", elements=LARGE):
    return weight(name, elements)


def test_small_models_stay_as_they_are():
    content = convolution().SerializeToString()
    assert without_values(content) == content


def test_large_values_are_left_out_and_all_else_stays():
    made = model([node("Add", "x w", "y")], [value("x", LARGE)], [value("y", LARGE)], [large()])
    shell = onnx.ModelProto.FromString(without_values(made.SerializeToString()))
    tensor = shell.graph.initializer[0]
    assert (list(tensor.dims), tensor.data_type, tensor.name) == ([LARGE], 1, "w")
    assert not tensor.HasField("raw_data")
    assert tensor.doc_string.startswith(MARK)
    made.graph.initializer[0].ClearField("raw_data")
    tensor.ClearField("doc_string")
    assert shell == made


def test_the_rest_does_not_grow_with_the_weights():
    def shell_of(elements):
        made = model([node("Relu", "x", "y")], [value("x", 1)], [value("y", 1)],
                     [large(elements=elements)])  # fmt: skip
        return len(without_values(made.SerializeToString()))

    assert abs(shell_of(10**6) - shell_of(10**4)) < 20


def test_values_in_constants_and_in_graphs_within_nodes_are_left_out_too():
    constant = node("Constant", "", "c", value=large("c"))
    branch = helper.make_graph([constant], "branch", [], [value("c", LARGE)], [large("held")])
    made = model(
        [node("If", "b", "y", then_branch=branch, else_branch=branch)],
        [value("b", dtype=TensorProto.BOOL)], [value("y", LARGE)],
    )  # fmt: skip
    assert len(without_values(made.SerializeToString())) < 3000 < LARGE * 4


@pytest.mark.parametrize("field", ["float_data", "double_data", "int64_data", "int32_data"])
def test_values_in_fields_of_their_type_are_left_out(field):
    data_type = {"float": 1, "doubl": 11, "int64": 7, "int32": 6}[field[:5]]
    tensor = TensorProto(name="w", dims=[3 * LARGE], data_type=data_type)
    getattr(tensor, field).extend([1] * 3 * LARGE)
    made = model([node("Relu", "x", "y")], [value("x", 1)], [value("y", 1)], [tensor])
    assert len(without_values(made.SerializeToString())) < LARGE


def test_values_that_do_not_fill_the_shape_are_noticed():
    made = model([node("Relu", "x", "y")], [value("x", 1)], [value("y", 1)], [large()])
    made.graph.initializer[0].dims[0] = 10**12
    with pytest.raises(Malformed, match=r"'w' of 1000000000000 needs 4,000,000,000,000 bytes"):
        without_values(made.SerializeToString())


def test_a_file_that_ends_too_early_is_noticed():
    made = model([node("Relu", "x", "y")], [value("x", 1)], [value("y", 1)], [large()])
    content = made.SerializeToString()
    for end in (LARGE, len(content) // 2, len(content) - 1):
        with pytest.raises(Malformed, match="bytes too early"):
            without_values(content[:end])


def field(number, content):
    size, written = len(content), bytearray()
    while size >= 128:
        written.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2, *written, size]) + content


def test_graphs_within_graphs_without_end_are_refused():
    # ONNX's own helpers cannot build it: graph (7), node (1), attribute (5), graph (6), node, …
    content = field(1, field(5, field(6, field(5, large().SerializeToString()))))
    for _ in range(400):
        content = field(1, field(5, field(6, content)))
    with pytest.raises(Malformed, match="nested deeper"):
        without_values(field(7, content))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content):
    with suppress(Malformed):
        without_values(content)


@given(st.integers(1, 5), st.sampled_from([np.float32, np.int64, np.float16]))
def test_what_is_kept_is_what_onnx_reads(copies, dtype):
    tensors = [weight(f"w{i}", 5000 + i, dtype=dtype) for i in range(copies)]
    made = model([node("Relu", "x", "y")], [value("x", 1)], [value("y", 1)], tensors)
    shell = onnx.ModelProto.FromString(without_values(made.SerializeToString()))
    assert [(t.name, list(t.dims)) for t in shell.graph.initializer] == [
        (t.name, list(t.dims)) for t in tensors
    ]
    assert shell.graph.node == made.graph.node


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (b"\x2a\x00", "tensors"),  # empty initializers
        (b"\x6a\x02\x12\x00", "parts"),  # inner values without a shape
        (b"\x0a\x04\x0a\x00\x12\x00", "parts"),  # nodes of two empty names
    ],
)
def test_more_parts_than_memory_bears_are_refused(field, said, monkeypatch):
    monkeypatch.setattr(protobuf, "MOST_PARTS", 300_000)
    graph = field * 600_000
    model = b"\x3a" + protobuf._varint(len(graph)) + graph
    with pytest.raises(Malformed, match=f"more than .* {said}"):
        protobuf.check_parts(model)


def test_as_many_parts_as_a_large_network_has_are_read():
    graph = b"\x0a\x04\x0a\x00\x12\x00" * 200_000
    protobuf.check_parts(b"\x3a" + protobuf._varint(len(graph)) + graph)
