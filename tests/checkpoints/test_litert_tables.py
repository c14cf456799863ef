"""Tables of LiteRT files, built by the schema that its authors ship."""

import contextlib
import random

import numpy as np
import pytest

import cnninspect
from cnninspect.checkpoints import kind_of, read_checkpoint
from cnninspect.errors import BadReference, FileUnreadable, MissingLibrary

schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
TYPES = schema.TensorType


def tensor(name, shape, kind, buffer):
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name, shape, kind, buffer
    return made


def buffer(values=None):
    made = schema.BufferT()
    if values is not None:
        made.data = np.frombuffer(values.tobytes(), np.uint8)
    return made


def model(tensors, buffers):
    made, graph = schema.ModelT(), schema.SubGraphT()
    made.version, made.buffers, graph.tensors = 3, [buffer(), *buffers], tensors
    code, operator = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = schema.BuiltinOperator.CONV_2D
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 1], [2]
    graph.operators, graph.inputs, graph.outputs = [operator, operator], [0], [2]
    made.operatorCodes, made.subgraphs = [code], [graph]
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(made.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.fixture
def write(tmp_path):
    def run(content, name="model.tflite"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return run


@pytest.fixture
def content():
    weight = np.arange(2 * 3 * 3 * 4, dtype=np.int8).reshape(2, 3, 3, 4)
    return model(
        [
            tensor("x", [1, 8, 8, 4], TYPES.FLOAT32, 0),
            tensor("conv/weight", [2, 3, 3, 4], TYPES.INT8, 1),
            tensor("y", [1, 6, 6, 2], TYPES.FLOAT32, 0),
            tensor("conv/bias", [2], TYPES.INT32, 2),
            tensor("again", [2], TYPES.INT32, 2),
        ],
        [buffer(weight), buffer(np.array([1, 2], np.int32))],
    )


def test_constants_are_told_and_what_is_computed_is_not(write, content):
    table = read_checkpoint(write(content))
    assert table.format == "litert"
    assert [(t.name, t.spec.shape, t.spec.dtype, t.nbytes) for t in table.tensors] == [
        ("conv/weight", (2, 3, 3, 4), "int8", 72),
        ("conv/bias", (2,), "int32", 8),
        ("again", (2,), "int32", 8),
    ]
    assert table.tensors[2].shares_with == "conv/bias"
    assert table.elements == 74
    assert table.notes == ("its graph is not followed; operators: CONV_2D ×2",)
    place = table.tensors[0].offset
    assert content[place : place + 72] == bytes(range(72))


def test_it_is_a_reference_whatever_it_is_called(write, content):
    assert kind_of(write(content, "weights.bin")) == "litert"
    assert cnninspect.summarize(str(write(content))).elements == 74
    with pytest.raises(BadReference, match="weights and no network"):
        cnninspect.trace(str(write(content)))


@pytest.mark.parametrize(
    ("shape", "problem"), [([9, 9], "has 8 bytes, not 324"), ([-2], "negative size")]
)
def test_a_tensor_that_cannot_be_is_one_clear_error(write, shape, problem):
    spoilt = model([tensor("w", shape, TYPES.INT32, 1)], [buffer(np.array([1, 2], np.int32))])
    with pytest.raises(FileUnreadable, match=problem):
        read_checkpoint(write(spoilt))


def test_any_cut_and_any_changed_byte_is_a_table_or_a_clear_error(write, content):
    drawn = random.Random(0)
    for _ in range(300):
        spoilt = bytearray(content[: drawn.choice((len(content), drawn.randrange(9, 400)))])
        for _ in range(drawn.randrange(5)):
            spoilt[drawn.randrange(8, len(spoilt))] = drawn.randrange(256)
        with contextlib.suppress(FileUnreadable):
            read_checkpoint(write(bytes(spoilt), "spoilt.tflite"))


def test_without_the_package_the_error_says_what_to_install(write, content, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ai_edge_litert", None)
    with pytest.raises(MissingLibrary) as problem:
        read_checkpoint(write(content))
    assert "cnninspect[litert]" in problem.value.hint
