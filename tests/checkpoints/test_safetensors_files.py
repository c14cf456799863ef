import json
import struct

import pytest
import torch
from safetensors.torch import load_file, save_file

from cnninspect.checkpoints import read_checkpoint
from cnninspect.errors import FileUnreadable
from cnninspect.records.operations import TensorSpec

DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64,
    torch.int64, torch.int32, torch.int16, torch.int8, torch.bool,
    torch.uint8, torch.uint16, torch.uint32, torch.uint64,
    torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e8m0fnu,
]  # fmt: skip


def entry(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def write(path, header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_a_file_reads_as_the_library_loads_it(tmp_path):
    path = tmp_path / "w.safetensors"
    saved = {str(dtype): torch.zeros(2, 3).to(dtype) for dtype in DTYPES}
    saved |= {"scalar": torch.zeros(()), "none": torch.zeros(0, 4), "deep": torch.zeros(2, 3, 4)}
    save_file(saved, path, {"format": "pt", "note": "é"})
    checkpoint = read_checkpoint(path)
    loaded = load_file(path)
    assert {t.name: (t.spec.shape, t.spec.dtype, t.stride) for t in checkpoint.tensors} == {
        name: (tuple(t.shape), str(t.dtype).removeprefix("torch."), t.contiguous().stride())
        for name, t in loaded.items()
    }
    assert {t.name: t.nbytes for t in checkpoint.tensors} == {
        n: t.nbytes for n, t in loaded.items()
    }
    assert dict(checkpoint.metadata) == {"format": "pt", "note": "é"}
    assert checkpoint.format == "safetensors"
    assert checkpoint.globals == ()


def test_offsets_point_at_the_bytes(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file({"a": torch.full((3,), 1.5), "b": torch.tensor([7, 8])}, path)
    content = path.read_bytes()
    data = content[8 + struct.unpack("<Q", content[:8])[0] :]
    tensors = {t.name: t for t in read_checkpoint(path).tensors}
    a, b = tensors["a"], tensors["b"]
    assert struct.unpack("<3f", data[a.offset : a.offset + a.nbytes]) == (1.5, 1.5, 1.5)
    assert struct.unpack("<2q", data[b.offset : b.offset + b.nbytes]) == (7, 8)


def test_numbers_of_four_bits_are_counted_in_bytes_as_pytorch_does(tmp_path):
    path = write(tmp_path / "w.safetensors", {"a": entry([2, 6], 0, 6, "F4")}, bytes(6))
    assert read_checkpoint(path).tensors[0].spec == TensorSpec((2, 3), "float4_e2m1fn_x2")


def test_a_file_of_gigabytes_is_read_by_its_header(tmp_path):
    path = tmp_path / "large.safetensors"
    size = 40 << 30
    write(path, {"a": entry([size], 0, size, "U8")})
    with path.open("r+b") as stream:
        stream.truncate(path.stat().st_size + size)  # sparse: takes no room
    checkpoint = read_checkpoint(path)
    assert checkpoint.tensors[0].spec == TensorSpec((size,), "uint8")
    assert checkpoint.file_bytes > size


GOOD = {"a": entry([2], 0, 8), "b": entry([1], 8, 12)}


@pytest.mark.parametrize(
    ("header", "data_bytes", "problem"),
    [
        pytest.param(GOOD, 11, "take 12 bytes and the file has 11", id="cut off"),
        pytest.param(GOOD, 13, "1 bytes belong to no tensor", id="too long"),
        pytest.param({"a": entry([2], 0, 7)}, 7, "has 7 bytes, not 8", id="size"),
        pytest.param({"a": entry([2], 8, 0)}, 0, "has -8 bytes", id="end before begin"),
        pytest.param(
            {"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, 12, "b overlaps", id="overlap"
        ),
        pytest.param({"a": entry([2], 4, 12)}, 12, "a leaves a gap", id="gap"),
        pytest.param({"a": entry([2], 0, 8, "F7")}, 8, "dtype 'F7'", id="dtype"),
        pytest.param({"a": entry([2], 0, 8, ["F32"])}, 8, "lacks a dtype", id="dtype a list"),
        pytest.param({"a": entry([1] * 65, 0, 4)}, 4, "lacks a shape", id="too many dimensions"),
        pytest.param({"a": entry([-2], 0, 8)}, 8, "lacks a shape", id="negative"),
        pytest.param({"a": entry([2.0], 0, 8)}, 8, "lacks a shape", id="not whole"),
        pytest.param({"a": entry([True, 2], 0, 8)}, 8, "lacks a shape", id="truth value"),
        pytest.param({"a": entry([1 << 62] * 9, 0, 8)}, 8, "has 8 bytes, not", id="huge"),
        pytest.param({"a": entry([3], 0, 2, "F4")}, 2, "odd count", id="odd 4-bit count"),
        pytest.param({"a": {"dtype": "F32"}}, 0, "lacks a shape", id="no shape"),
        pytest.param({"a": [1]}, 0, "not described", id="entry is a list"),
        pytest.param({"__metadata__": {"a": 1}}, 0, "__metadata__", id="metadata is not text"),
        pytest.param({"__metadata__": "x"}, 0, "__metadata__", id="metadata is no object"),
        pytest.param(b'{"a": 1, "a": 2}', 0, "twice", id="a name twice"),
        pytest.param(b"{", 0, "not JSON", id="not JSON"),
        pytest.param(b'{"\xff": 1}', 0, "not JSON", id="not UTF-8"),
        pytest.param(b'{"a":' + b"[" * 100_000, 0, "not JSON", id="nested deeply"),
        pytest.param(b"{" + b" " * 8 + b"}x", 0, "not JSON", id="more behind it"),
        pytest.param({"a." * 100 + "w": entry([], 0, 4)}, 4, "201 characters", id="deep name"),
        pytest.param({"a" * 1001: entry([], 0, 4)}, 4, "1,001 characters", id="long name"),
        pytest.param(b'{"a":[' + b"[]," * 2_500_000 + b"0]}", 0, "values", id="too many values"),
    ],
)
def test_a_header_that_cannot_be_right_is_named(tmp_path, header, data_bytes, problem):
    path = write(tmp_path / "w.safetensors", header, bytes(data_bytes))
    with pytest.raises(FileUnreadable, match=problem):
        read_checkpoint(path)


def test_a_good_header_is_not_refused(tmp_path):
    path = write(tmp_path / "w.safetensors", GOOD, bytes(12))
    assert [t.name for t in read_checkpoint(path).tensors] == ["a", "b"]


def test_a_header_longer_than_the_file_is_an_error(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(struct.pack("<Q", 1000) + b'{"a":')
    with pytest.raises(FileUnreadable, match="should take 1,000 bytes and the file has 5 more"):
        read_checkpoint(path)
