"""Files that are not what they should be: one clear error each, whatever is wrong with them."""

import os

import numpy as np
import onnx
import pytest
from graphs import (
    convolution,
    externally,
    model,
    node,
    unshaped,
    value,
    weight,
)
from onnx import TensorProto, helper

from cnninspect.engine.onnx_read.reading import read
from cnninspect.engine.onnx_read.tracing import trace
from cnninspect.errors import FileMissing, FileUnreadable
from cnninspect.records.models import GraphFile, ModelInfo


@pytest.fixture
def problem_with(tmp_path):
    """What is said of a model or of bytes when they are traced."""

    def run(content, hint=None):
        path = tmp_path / "model.onnx"
        if not isinstance(content, bytes):
            content = content.SerializeToString()
        path.write_bytes(content)
        file = GraphFile(ModelInfo("model.onnx", "onnx", "model.onnx"), path)
        with pytest.raises(FileUnreadable) as problem:
            trace(file)
        said = str(problem.value)
        assert said.startswith(f"cannot read {path}: ")
        assert "\n" not in said
        if hint is not None:
            assert hint in problem.value.hint
        return said.removeprefix(f"cannot read {path}: ")

    return run


def changed(**fields):
    made = convolution()
    for name, content in fields.items():
        setattr(made, name, content)
    return made


def test_an_empty_file(problem_with):
    assert problem_with(b"") == "it is empty"


def test_random_bytes_and_text(problem_with):
    for content in (bytes(range(256)) * 9, b"\xff" * 5000, b"hello, world\n" * 100, b"\0" * 10_000):
        assert problem_with(content)


def test_a_pointer_of_git_lfs(problem_with):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"
    assert problem_with(pointer, hint="git lfs pull") == (
        "it is a pointer of Git LFS, not the file"
    )


def test_another_protobuf_message(problem_with):
    assert "not an ONNX file" in problem_with(weight("w", 3))
    assert "holds no graph" in problem_with(onnx.ModelProto(ir_version=10))


def test_a_file_that_was_cut_off(problem_with):
    made = model(
        [node("Add", "x w", "y")], [value("x", 9000)], [unshaped("y")], [weight("w", 9000)]
    )
    content = made.SerializeToString()
    assert "bytes too early" in problem_with(content[: len(content) // 2])


def test_versions_of_the_future(problem_with):
    assert "IR version 999" in problem_with(changed(ir_version=999), hint="pip install --upgrade")
    made = convolution()
    made.opset_import[0].version = 9999
    assert "opset 9999" in problem_with(made, hint="pip install --upgrade")


def test_a_version_of_the_past_that_never_was(problem_with):
    made = convolution()
    made.opset_import[0].version = 0
    assert "opset 0" in problem_with(made)


def test_a_cycle(problem_with):
    made = model(
        [node("Add", "x b", "a"), node("Relu", "a", "b")], [value("x", 2)], [unshaped("b")]
    )
    assert problem_with(made) == "nothing has made 'b' by then: the graph is cyclic or incomplete"


def test_an_input_that_nothing_makes(problem_with):
    made = model([node("Relu", "nowhere", "y")], [value("x", 2)], [unshaped("y")])
    assert "nothing has made 'nowhere'" in problem_with(made)


def test_an_output_that_nothing_makes(problem_with):
    made = model([node("Relu", "x", "y")], [value("x", 2)], [unshaped("z")])
    assert "nothing has made 'z'" in problem_with(made)


def test_two_nodes_that_make_the_same(problem_with):
    made = model([node("Relu", "x", "y"), node("Relu", "x", "y")], [value("x", 2)], [unshaped("y")])
    assert problem_with(made) == "two nodes make 'y'"


@pytest.mark.parametrize(
    ("wrong", "stored", "said"),
    [
        (node("Conv", "x w", "y", name="c"), weight("w", 4, 3, 3), "'c' (Conv) does not fit"),
        (node("Conv", "x w", "y", strides=[0, 0]), weight("w", 4, 3, 3, 3), "positive"),
        (node("Conv", "x w", "y", kernel_shape="abc"), weight("w", 4, 3, 3, 3), "kernel_shape"),
        (node("Conv", "x w", "y", group=5), weight("w", 4, 3, 3, 3), "channels"),
        (node("Conv", "x", "y"), weight("w", 4, 3, 3, 3), "takes 2 to 3 inputs, and has 1"),
        (node("Conv", "", "y"), weight("w", 4, 3, 3, 3), "takes 2 to 3 inputs, and has 0"),
        (node("Relu", "x", "y z"), weight("w", 1), "takes 1 outputs, and has 2"),
        (node("MatMul", "x w", "y"), weight("w", 7, 7), "does not fit"),
        (node("Add", "x w", "y"), weight("w", 7), "does not fit"),
        (node("Add", "x w", "y"), weight("w", 8, dtype=np.int64), "type"),
        (node("Transpose", "x", "y", perm=[0, 9, 1, 2]), weight("w", 1), "perm"),
        (node("Concat", "x x", "y", axis=77), weight("w", 1), "axis"),
        (node("Reshape", "x w", "y"), weight("w", 3, dtype=np.float32), "whole numbers"),
        (node("If", "x", "y"), weight("w", 1), "two branches"),
        (node("Loop", "x", "y"), weight("w", 1), "a body"),
        (node("Scan", "x", "y"), weight("w", 1), "sequences"),
        (node("Constant", "", "y"), weight("w", 1), "has no value"),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_nodes_that_do_not_fit(problem_with, wrong, stored, said):
    made = model([wrong], [value("x", 1, 3, 8, 8)], [unshaped("y")], [stored])
    assert said in problem_with(made)


def test_sizes_beyond_all_memory(problem_with):
    shape = helper.make_tensor("s", TensorProto.INT64, [2], [2**62, 2**62])
    made = model([node("ConstantOfShape", "s", "y")], [], [unshaped("y")], [shape])
    assert "beyond all memory" in problem_with(made)


@pytest.mark.parametrize("size", [-5, 2**62])
def test_inputs_of_impossible_sizes(problem_with, size):
    made = model([node("Relu", "x", "y")], [value("x", size)], [unshaped("y")])
    assert f"size {size}" in problem_with(made)


def test_tensors_with_fewer_or_more_values_than_their_shape(problem_with):
    for dims, data in (([4], b"abc"), ([10**12], b""), ([2], b"\0" * 40), ([-1], b"")):
        tensor = TensorProto(name="w", dims=dims, data_type=1, raw_data=data)
        made = model([node("Relu", "x", "y")], [value("x", 2)], [unshaped("y")], [tensor])
        assert "'w'" in problem_with(made)


def test_a_large_tensor_with_fewer_values_than_its_shape(problem_with):
    tensor = weight("w", 9000)
    tensor.dims[0] = 9001
    made = model([node("Relu", "x", "y")], [value("x", 2)], [unshaped("y")], [tensor])
    assert "needs 36,004 bytes and has 36,000" in problem_with(made)


def test_a_mark_of_a_tensor_that_was_left_out_cannot_be_forged(problem_with):
    tensor = TensorProto(name="w", dims=[10**12], data_type=1, doc_string="left out")
    made = model([node("Relu", "x", "y")], [value("x", 2)], [unshaped("y")], [tensor])
    assert "needs 4,000,000,000,000 bytes" in problem_with(made)


def test_names_that_are_no_text(problem_with):
    content = (
        convolution().SerializeToString().replace(b"net.conv.weight", b"\xff\xfe\xfd.conv.weigh")
    )
    assert problem_with(content)


# --- weights in other files ---------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """A folder with weights, and what lies outside of it."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "weights.bin").write_bytes(b"\0" * 432)
    (tmp_path / "secret.bin").write_bytes(b"\0" * 10_000)
    (inside / "link.bin").symlink_to(tmp_path / "secret.bin")
    (inside / "loop.bin").symlink_to(inside / "loop.bin")
    (inside / "sub").symlink_to(tmp_path)
    (inside / "here.bin").symlink_to(inside / "weights.bin")
    return inside


def reads(folder, **entries):
    path = folder / "model.onnx"
    path.write_bytes(externally(convolution(), path, **entries).SerializeToString())
    return read(path)


@pytest.mark.parametrize("location", ["weights.bin", "./weights.bin", "here.bin"])
def test_weights_beside_the_file_are_looked_at_and_not_read(folder, location):
    reads(folder, location=location)
    reads(folder, location=location, offset=0, length=432)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"location": "../secret.bin"}, "lie outside its folder"),
        ({"location": "sub/../../secret.bin"}, "lie outside its folder"),
        ({"location": "..\\secret.bin"}, "lie outside its folder"),
        ({"location": "/etc/passwd"}, "lie outside its folder"),
        ({"location": "C:\\weights.bin"}, "lie outside its folder"),
        ({"location": "\\\\host\\share\\weights.bin"}, "lie outside its folder"),
        ({"location": "link.bin"}, "a link that leaves its folder"),
        ({"location": "sub/secret.bin"}, "a link that leaves its folder"),
        ({"location": "loop.bin"}, "cannot be opened"),
        ({"location": "sub"}, "a link that leaves its folder"),
        ({"location": "x" * 5000}, "cannot be opened"),
        ({"location": "a\0b"}, "lie outside its folder"),
        ({}, "lie outside its folder"),
        ({"location": "."}, "is no file"),
        ({"location": "weights.bin", "offset": 100}, "ends at byte 532 of weights.bin"),
        ({"location": "weights.bin", "length": 10}, "needs 432 bytes and has 10"),
        ({"location": "weights.bin", "offset": -5}, "has the offset '-5'"),
        ({"location": "weights.bin", "offset": "1e9"}, "has the offset '1e9'"),
        ({"location": "weights.bin", "offset": "9" * 400}, "has the offset"),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_weights_that_are_elsewhere_or_too_short(folder, entries, said):
    with pytest.raises(FileUnreadable) as problem:
        reads(folder, **entries)
    assert said in str(problem.value)


def test_a_missing_file_of_weights_is_a_note_since_counting_needs_none(follow, tmp_path):
    made = externally(convolution(), tmp_path / "model.onnx", location="gone.bin")
    trace = follow(made)
    assert trace.layers[0].outputs[0].shape == (1, 10)
    assert any("gone.bin, which is missing" in note for note in trace.how.notes)


def test_a_pipe_is_no_file(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no pipes with names")
    os.mkfifo(tmp_path / "model.onnx")
    with pytest.raises(FileUnreadable, match="not a regular file"):
        read(tmp_path / "model.onnx")


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(FileMissing):
        read(tmp_path / "model.onnx")
    with pytest.raises(FileUnreadable, match="it is a folder"):
        read(tmp_path)


def test_a_file_without_its_weights_is_not_opened_by_onnx(folder, monkeypatch):
    def never(*_, **__):
        raise AssertionError("weights were loaded")

    monkeypatch.setattr(onnx.external_data_helper, "load_external_data_for_model", never)
    assert reads(folder, location="weights.bin")[0].graph.node
