import os
import pickle
import subprocess
import sys
import zipfile

import onnx
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from cnninspect.checkpoints import kind_of, read_checkpoint
from cnninspect.errors import FileMissing, FileUnreadable


def zip_file(path):
    torch.save({"w": torch.zeros(2)}, path)


def legacy(path):
    torch.save({"w": torch.zeros(2)}, path, _use_new_zipfile_serialization=False)


def legacy_protocol_4(path):
    torch.save({"w": torch.zeros(2)}, path, _use_new_zipfile_serialization=False, pickle_protocol=4)


def safetensors(path):
    save_file({"w": torch.zeros(2)}, path)


def torchscript(path):
    torch.jit.script(nn.Linear(2, 3)).save(str(path))


def exported(path):
    program = torch.export.export(nn.Linear(2, 3), (torch.zeros(1, 2),))
    with path.open("wb") as stream:
        torch.export.save(program, stream)


def onnx_model(path):
    info = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "g", [info("x", 1, [2])], [info("y", 1, [2])])
    onnx.save(onnx.helper.make_model(graph), path)


def other_zip(path):
    with zipfile.ZipFile(path, "w") as writer:
        writer.writestr("a.txt", "a")


WRITERS = {
    zip_file: "checkpoint",
    legacy: "legacy pickle",
    legacy_protocol_4: "legacy pickle",
    safetensors: "safetensors",
    torchscript: "torchscript",
    exported: "pt2",
    onnx_model: "onnx",
    other_zip: "unknown",
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_the_kind_is_told_from_the_content(tmp_path, write):
    path = tmp_path / "no_suffix"
    write(path)
    assert kind_of(path) == WRITERS[write]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("write", "suffix"),
    [(torchscript, ".pt"), (exported, ".pt2"), (onnx_model, ".onnx")],
    ids=lambda value: getattr(value, "__name__", value),
)
@pytest.mark.parametrize("name", ["w.pth", "w.bin", "w.ckpt", "w.safetensors", "w"])
def test_a_program_is_never_read_as_one_under_the_name_of_weights(tmp_path, write, suffix, name):
    path = tmp_path / name
    write(path)
    with pytest.raises(FileUnreadable, match="not a checkpoint") as caught:
        read_checkpoint(path)
    assert caught.value.hint.endswith(f"if you trust it, give it a name in {suffix}")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is empty"),
        (b"\x00", "neither"),
        (b"hello world, this is text", "neither"),
        (bytes(range(256)), "neither"),
        (pickle.dumps({"w": [1, 2]}, 2), "pickle, but not one of torch.save"),
        (b"PK\x03\x04", "its end is missing"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
    ],
)
def test_what_is_no_checkpoint_is_named(tmp_path, content, problem):
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    assert kind_of(path) == "unknown"
    with pytest.raises(FileUnreadable, match=problem) as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("function", [kind_of, read_checkpoint])
class TestPaths:
    def test_a_missing_file(self, tmp_path, function):
        with pytest.raises(FileMissing):
            function(tmp_path / "nothing.pth")

    def test_a_file_used_as_a_folder(self, tmp_path, function):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(FileMissing):
            function(tmp_path / "file" / "x.pth")

    def test_a_folder(self, tmp_path, function):
        with pytest.raises(FileUnreadable, match="it is a folder"):
            function(tmp_path)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes have no names here")
    def test_a_pipe_is_not_waited_for(self, tmp_path, function):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(FileUnreadable, match="not a regular file"):
            function(tmp_path / "pipe")

    def test_a_path_that_no_file_can_have(self, function):
        with pytest.raises(FileUnreadable):
            function("w\0.pth")


def test_nothing_but_the_standard_library_is_imported():
    code = (
        "import sys, cnninspect.checkpoints\n"
        "print(sorted({'torch', 'numpy', 'safetensors', 'onnx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
