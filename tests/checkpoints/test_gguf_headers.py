"""Tables of GGUF files, against the reader of the package that its authors keep."""

import contextlib
import random
import struct

import gguf
import numpy as np
import pytest

import cnninspect
from cnninspect.checkpoints import kind_of, read_checkpoint
from cnninspect.errors import BadReference, FileUnreadable, MissingLibrary

F32, F16, Q4, Q8, Q6K = (
    gguf.GGMLQuantizationType[name] for name in ("F32", "F16", "Q4_0", "Q8_0", "Q6_K")
)


def text(value):
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def header(*settings, tensors=(), version=3, counts=None):
    """A file by hand; tensors are (name, sizes, type, offset)."""
    found = b"GGUF" + struct.pack("<I", version)
    found += struct.pack("<QQ", *(counts or (len(tensors), len(settings))))
    found += b"".join(settings)
    for name, sizes, kind, offset in tensors:
        found += text(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, kind, offset)
    return found + bytes(-len(found) % 32)


@pytest.fixture
def write(tmp_path):
    def run(content, name="model.gguf"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return run


@pytest.fixture
def made(tmp_path):
    """A small file of the package's own writer, with settings of each kind."""
    path = tmp_path / "made.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_token_list([f"token{i}" for i in range(500)])
    writer.add_array("list.few", [1, 2, 3])
    writer.add_float32("a.float", 0.5)
    writer.add_bool("a.bool", True)
    values = np.linspace(-1, 1, 4 * 256, dtype=np.float32).reshape(4, 256)
    for kind, name in ((Q4, "ffn_up"), (Q8, "attn_q"), (Q6K, "attn_v")):
        packed = np.zeros(gguf.quant_shape_to_byte_shape((4, 256), kind), np.uint8)
        writer.add_tensor(f"blk.0.{name}.weight", packed, raw_dtype=kind)
    writer.add_tensor("blk.0.attn_norm.weight", values[0])
    writer.add_tensor("output.weight", values.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_the_table_is_that_of_the_authors_reader(made):
    table = read_checkpoint(made)
    theirs = gguf.GGUFReader(made)
    assert table.format == "gguf"
    assert [t.name for t in table.tensors] == [t.name for t in theirs.tensors]
    start = theirs.data_offset
    for ours, other in zip(table.tensors, theirs.tensors):
        assert ours.spec.shape == tuple(map(int, reversed(other.shape)))
        assert ours.spec.numel == other.n_elements
        assert ours.nbytes == other.n_bytes
        assert ours.offset == other.data_offset - start


def test_elements_are_logical_and_bytes_are_those_stored(made):
    table = read_checkpoint(made)
    by_name = {t.name.split(".")[-2]: t for t in table.tensors}
    assert by_name["ffn_up"].spec.dtype == "Q4_0"
    assert by_name["ffn_up"].nbytes == 4 * 256 // 32 * 18  # 32 numbers of 4 bits and a float16
    assert by_name["attn_q"].nbytes == 4 * 256 // 32 * 34
    assert by_name["attn_v"].nbytes == 4 * 210
    assert by_name["attn_norm"].spec.dtype == "float32"
    assert by_name["output"].spec.dtype == "float16"
    assert table.elements == 4 * 4 * 256 + 256
    assert any("3,072 of the elements are quantised" in note for note in table.notes)


def test_settings_are_told_and_long_lists_counted(made):
    settings = dict(read_checkpoint(made).metadata)
    assert settings["general.architecture"] == "llama"
    assert settings["llama.block_count"] == "2"
    assert settings["tokenizer.ggml.tokens"] == "500 values"
    assert settings["list.few"] == "1, 2, 3"
    assert settings["a.bool"] == "True"


def test_it_is_a_reference_like_other_weights(made, tmp_path):
    assert cnninspect.summarize(str(made)).format == "gguf"
    assert "Q4_0" in cnninspect.render(cnninspect.summarize(str(made)))
    with pytest.raises(BadReference, match="weights and no network"):
        cnninspect.export_onnx(str(made), tmp_path / "x.onnx")


def test_its_content_tells_whatever_it_is_called(made):
    other = made.with_name("weights.bin")
    made.rename(other)
    assert kind_of(other) == "gguf"
    assert read_checkpoint(other).format == "gguf"


def test_a_machine_that_puts_the_high_bytes_first(tmp_path):
    path = tmp_path / "big.gguf"
    writer = gguf.GGUFWriter(path, "llama", endianess=gguf.GGUFEndian.BIG)
    writer.add_tensor("w", np.ones((2, 3), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    (tensor,) = read_checkpoint(path).tensors
    assert (tensor.name, tensor.spec.shape) == ("w", (2, 3))


SETTING = text("k") + struct.pack("<IB", 0, 1)
DEEP = text("k") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 20


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"GGUF", "its header does not end"),
        (header(version=1), "version 1"),
        (header(version=9), "version 9"),
        (header(counts=(1 << 60, 0)), "claims 1,152,921,504,606,846,976 tensors"),
        (header(counts=(0, 1 << 50)), "settings"),
        (header(struct.pack("<Q", 1 << 62) + bytes(64)), "a text of"),
        (header(text("k") + struct.pack("<I", 99)), "type 99"),
        (header(DEEP), "nests lists"),
        (header(text("k") + struct.pack("<IIQ", 9, 8, 1 << 40)), "a list of"),
        (header(text("k") + struct.pack("<IIQ", 9, 4, 1 << 61)), "does not end"),
        (header(text("general.alignment") + struct.pack("<II", 4, 3)), "no power of two"),
        (header(tensors=[("w", (32,), 99, 0)]) + bytes(64), "type 99"),
        (header(tensors=[("w", (1,) * 9, F32, 0)]) + bytes(64), "9 dimensions"),
        (header(tensors=[("w", (33, 2), Q4, 0)]) + bytes(640), "no whole blocks of 32"),
        (header(tensors=[("w", (8,), F32, 4)]) + bytes(64), "multiple of 32"),
        (header(tensors=[("w", (8,), F32, 0)] * 2) + bytes(64), "names a tensor twice"),
        (header(tensors=[("v", (8,), F32, 0), ("w", (8,), F32, 0)]) + bytes(64), "overlaps"),
        (header(tensors=[("w", (64,), F32, 0)]) + bytes(64), "take 256 bytes"),
        (header(tensors=[("w", (1 << 40, 1 << 40), F32, 0)]) + bytes(64), "its tensors take"),
        (header(tensors=[("x" * 2000, (8,), F32, 0)]) + bytes(64), "a text of 2,000 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_is_one_clear_error(write, content, problem):
    with pytest.raises(FileUnreadable, match=problem):
        read_checkpoint(write(content))


def test_any_cut_and_any_changed_byte_is_a_table_or_a_clear_error(made, write):
    content = made.read_bytes()
    drawn = random.Random(0)
    for _ in range(150):
        spoilt = bytearray(content[: drawn.choice((len(content), drawn.randrange(2000)))])
        for _ in range(drawn.randrange(4) if spoilt else 0):
            spoilt[drawn.randrange(min(len(spoilt), 1500))] = drawn.randrange(256)
        with contextlib.suppress(FileUnreadable):
            read_checkpoint(write(bytes(spoilt), "spoilt.gguf"))


def test_without_the_package_the_error_says_what_to_install(made, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gguf.constants", None)
    with pytest.raises(MissingLibrary) as problem:
        read_checkpoint(made)
    assert "cnninspect[gguf]" in problem.value.hint
