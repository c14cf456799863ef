"""Tables whose entries are one and the same, or claim more than they take: bounded all the same."""

from __future__ import annotations

import struct

import pytest

from cnninspect.checkpoints import gguf_header, litert_table, read_checkpoint
from cnninspect.errors import FileUnreadable


def litert(subgraphs=1, tensors=1, sizes=1, operators=1, name="n"):
    """A file in which all subgraphs are one, and so are all tensors and operators."""
    pytest.importorskip("ai_edge_litert")
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    made = flatbuffers.Builder(1024)

    def offsets(begin, count, offset):
        begin(made, count)
        for _ in range(count):
            made.PrependUOffsetTRelative(offset)
        return made.EndVector()

    title = made.CreateString(name)
    schema.TensorStartShapeVector(made, sizes)
    for _ in range(sizes):
        made.PrependInt32(1)
    shape = made.EndVector()
    schema.TensorStart(made)
    schema.TensorAddShape(made, shape)
    schema.TensorAddName(made, title)
    schema.TensorAddBuffer(made, 1)
    tensor = schema.TensorEnd(made)
    schema.OperatorStart(made)
    operator = schema.OperatorEnd(made)
    held = offsets(schema.SubGraphStartTensorsVector, tensors, tensor)
    work = offsets(schema.SubGraphStartOperatorsVector, operators, operator)
    schema.SubGraphStart(made)
    schema.SubGraphAddTensors(made, held)
    schema.SubGraphAddOperators(made, work)
    graph = schema.SubGraphEnd(made)
    graphs = offsets(schema.ModelStartSubgraphsVector, subgraphs, graph)
    numbers = made.CreateByteVector(bytes(4))
    schema.BufferStart(made)
    schema.BufferAddData(made, numbers)
    full = schema.BufferEnd(made)
    buffers = offsets(schema.ModelStartBuffersVector, 2, full)
    schema.OperatorCodeStart(made)
    code = schema.OperatorCodeEnd(made)
    codes = offsets(schema.ModelStartOperatorCodesVector, 1, code)
    schema.ModelStart(made)
    schema.ModelAddVersion(made, 3)
    schema.ModelAddSubgraphs(made, graphs)
    schema.ModelAddBuffers(made, buffers)
    schema.ModelAddOperatorCodes(made, codes)
    made.Finish(schema.ModelEnd(made), b"TFL3")
    return bytes(made.Output())


@pytest.mark.parametrize(
    "asked",
    [{"subgraphs": 60, "tensors": 60}, {"subgraphs": 60, "operators": 60},
     {"tensors": 2000, "sizes": 2}, {"sizes": 65}, {"name": "n" * 1001}],
    ids=lambda asked: " ".join(asked),
)  # fmt: skip
def test_entries_count_as_often_as_they_are_looked_at(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(litert_table, "MOST_ENTRIES", 3000)
    path = tmp_path / "a.tflite"
    path.write_bytes(litert(**asked))
    with pytest.raises(FileUnreadable, match=r"entries|dimensions|name of"):
        read_checkpoint(path)
    path.write_bytes(litert())
    assert len(read_checkpoint(path).tensors) == 1


def text(value, length=None):
    raw = value.encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw


def gguf(settings, count):
    return b"GGUF" + struct.pack("<IQQ", 3, 0, count) + settings


def test_of_a_long_text_no_more_is_read_than_is_shown(tmp_path, monkeypatch):
    pytest.importorskip("gguf")
    read, path = [], tmp_path / "a.gguf"
    real = gguf_header.Header._bytes
    monkeypatch.setattr(
        gguf_header.Header, "_bytes", lambda self, n: read.append(n) or real(self, n)
    )
    with path.open("wb") as file:  # with holes: it takes no room
        file.write(gguf(text("key") + struct.pack("<IQ", 8, 1 << 24), 1))
        file.seek(1 << 24, 1)
        file.truncate()
    assert read_checkpoint(path).metadata[1][0] == "key"
    assert max(read) <= gguf_header.MAX_NAME


def test_lists_of_very_many_texts_are_refused(tmp_path, monkeypatch):
    pytest.importorskip("gguf")
    monkeypatch.setattr(gguf_header, "MOST_TEXTS", 100)
    path = tmp_path / "a.gguf"
    path.write_bytes(gguf(text("key") + struct.pack("<IIQ", 9, 8, 101) + bytes(808), 1))
    with pytest.raises(FileUnreadable, match="list of 101"):
        read_checkpoint(path)
