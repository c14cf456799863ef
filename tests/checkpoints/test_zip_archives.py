"""Zip archives that are damaged, or made to do harm."""

import io
import pickle
import struct
import zipfile

import pytest
import torch

from cnninspect.checkpoints import kind_of, read_checkpoint
from cnninspect.checkpoints.zip_archive import Archive
from cnninspect.errors import FileUnreadable
from cnninspect.files import Malformed
from cnninspect.records.operations import TensorSpec

EMPTY = pickle.dumps({}, 2)


def archive(entries, *, compression=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as writer:
        for name, content in entries.items():
            writer.writestr(name, content)
    return stream.getvalue()


def opened(content):
    return Archive(io.BytesIO(content), len(content))


def write(tmp_path, content):
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "..\\x", "\\x", "c:/x", "c:x"])
def test_entries_that_leave_their_folder_are_refused(tmp_path, name):
    path = write(tmp_path, archive({"archive/data.pkl": EMPTY, name: b""}))
    with pytest.raises(FileUnreadable, match="unpacked somewhere else"):
        read_checkpoint(path)
    assert kind_of(path) == "unknown"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_entry_twice_is_refused():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as writer:
        writer.writestr("a/data.pkl", EMPTY)
        writer.writestr("a/data.pkl", EMPTY)
    with pytest.raises(Malformed, match="two entries"):
        opened(stream.getvalue())


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_compression_is_refused(compression):
    with pytest.raises(Malformed, match="unusual"):
        opened(archive({"a/data.pkl": EMPTY}, compression=compression))


def test_deflated_entries_can_be_read():
    content = archive({"a/data.pkl": EMPTY * 100}, compression=zipfile.ZIP_DEFLATED)
    assert opened(content).read("a/data.pkl", 10_000) == EMPTY * 100


def test_an_entry_over_the_limit_is_not_unpacked():
    bomb = archive({"a/data.pkl": bytes(10_000_000)}, compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 20_000
    with pytest.raises(Malformed, match="takes 10,000,000 bytes"):
        opened(bomb).read("a/data.pkl", 1_000_000)


def in_directory(content, offset, code, value):
    """The archive with a number in its first directory entry replaced."""
    content = bytearray(content)
    struct.pack_into(code, content, content.index(b"PK\x01\x02") + offset, value)
    return bytes(content)


@pytest.mark.parametrize(
    ("offset", "code", "value", "problem"),
    [
        pytest.param(24, "<I", 1 << 31, "claims 2,147,483,648 bytes", id="size"),
        pytest.param(20, "<I", 1 << 31, "beyond the end", id="compressed size"),
        pytest.param(42, "<I", 1 << 31, "beyond the end", id="offset"),
    ],
)
def test_sizes_that_cannot_be_are_refused(offset, code, value, problem):
    content = archive({"a/data.pkl": bytes(100), "a/b": b"1"})
    with pytest.raises(Malformed, match=problem):
        opened(in_directory(content, offset, code, value))


def test_entries_that_share_their_bytes_are_refused():
    content = archive({"a/data.pkl": bytes(100), "a/b": bytes(100)})
    second = struct.unpack_from("<I", content, content.rindex(b"PK\x01\x02") + 42)[0]
    with pytest.raises(Malformed, match="overlaps"):
        opened(in_directory(content, 42, "<I", second))


def test_a_directory_that_claims_gigabytes_is_not_read(tmp_path):
    path = tmp_path / "w.pth"
    size = 5 << 30
    with path.open("wb") as stream:
        stream.write(b"PK\x03\x04")
        stream.truncate(size)
        stream.seek(size)
        record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, size, 0)
        locator = struct.pack("<4sLQL", b"PK\6\7", 0, size, 1)
        end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 0xFFFFFFFF, 0xFFFFFFFF, 0)
        stream.write(record + locator + end)
    with pytest.raises(FileUnreadable, match="directory takes 5,368,709,120 bytes"):
        read_checkpoint(path)


@pytest.mark.parametrize("change", [1, 40])
def test_an_entry_whose_bytes_changed_is_refused(change):
    content = bytearray(archive({"a/data.pkl": bytes(100)}))
    content[30 + len("a/data.pkl") + change] ^= 1
    with pytest.raises(Malformed, match="broken"):
        opened(bytes(content)).read("a/data.pkl", 1000)


def test_an_encrypted_entry_is_refused():
    content = bytearray(archive({"a/data.pkl": EMPTY}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(Malformed, match="encrypted"):
        opened(bytes(content)).read("a/data.pkl", 1000)


def test_a_checkpoint_of_gigabytes_is_read_by_its_directory(tmp_path):
    path = tmp_path / "large.pth"
    size = 6 << 30
    with zipfile.ZipFile(path, "w") as writer:
        writer.writestr("large/data.pkl", pickle_of_one_tensor(size >> 2))
        entry = zipfile.ZipInfo("large/data/0")
        entry.file_size = entry.compress_size = size
        entry.CRC = 0
        entry.header_offset = writer.fp.tell()
        writer.fp.write(entry.FileHeader(zip64=True))
        writer.fp.seek(size, 1)  # sparse: takes no room
        writer.start_dir = writer.fp.tell()
        writer.filelist.append(entry)
        writer.NameToInfo[entry.filename] = entry
    checkpoint = read_checkpoint(path)
    (tensor,) = checkpoint.tensors
    assert (tensor.name, tensor.spec) == ("w", TensorSpec((size >> 2,), "float32"))
    assert checkpoint.file_bytes > size


def pickle_of_one_tensor(elements):
    """What torch.save would write for {"w": torch.zeros(elements)}."""
    number = b"\x8a\x08" + struct.pack("<q", elements)
    storage = (
        b"(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" + b"0X\3\0\0\0cpu" + number + b"tQ"
    )
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\0" + number + b"\x85K\1\x85"
    return b"\x80\2}X\1\0\0\0w" + tensor + b"\x89ccollections\nOrderedDict\n)RtRs."


def storages(tmp_path, change):
    """A checkpoint whose entry data/0 is changed."""
    torch.save({"w": torch.zeros(4)}, tmp_path / "good.pth")
    with zipfile.ZipFile(tmp_path / "good.pth") as reader:
        entries = {name: reader.read(name) for name in reader.namelist()}
    change(entries)
    return write(tmp_path, archive(entries))


def test_a_storage_that_is_missing_is_named(tmp_path):
    with pytest.raises(FileUnreadable, match="w: the file does not hold its data"):
        read_checkpoint(storages(tmp_path, lambda entries: entries.pop("good/data/0")))


def test_a_storage_that_is_too_short_is_named(tmp_path):
    def shorten(entries):
        entries["good/data/0"] = bytes(15)

    with pytest.raises(FileUnreadable, match="w: its data should take 16 bytes and takes 15"):
        read_checkpoint(storages(tmp_path, shorten))


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ({}, "zip archive"),
        ({"x.txt": b""}, "zip archive, but not one of torch.save"),
        ({"data.pkl": EMPTY}, "zip archive"),
        ({"a/data.pkl": EMPTY, "b/data.pkl": EMPTY}, "more than one data.pkl"),
    ],
)
def test_other_zip_archives_are_told_apart(tmp_path, entries, problem):
    with pytest.raises(FileUnreadable, match=problem):
        read_checkpoint(write(tmp_path, archive(entries)))


def test_the_bound_of_what_deflate_can_do_is_exact():
    content = archive({"a/data.pkl": bytes(5000)}, compression=zipfile.ZIP_DEFLATED)
    packed = opened(content).entries["a/data.pkl"].compress_size
    opened(in_directory(content, 24, "<I", packed * 1032))
    with pytest.raises(Malformed, match="which cannot be"):
        opened(in_directory(content, 24, "<I", packed * 1032 + 1))


def end_of(content):
    return content.rindex(b"PK\5\6")


def patched(content, offset, code, *values):
    """The archive with numbers in its end record replaced."""
    content = bytearray(content)
    struct.pack_into(code, content, end_of(content) + offset, *values)
    return bytes(content)


GOOD = archive({"a/data.pkl": EMPTY, "a/b": b"1"})
LONG_END = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 2, 2, 0, 0)


def with_long_end(*, size=None, entries=2, where=0, length=44, short=(0xFFFF, 0xFFFFFFFF)):
    """The archive with an end record for long ones."""
    at = end_of(GOOD)
    (true_size, offset) = struct.unpack_from("<2I", GOOD, at + 12)
    size = true_size if size is None else size
    record = struct.pack(
        "<4sQ2H2L4Q", b"PK\6\6", length, 45, 45, 0, 0, entries, entries, size, offset
    )
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at + where, 1)
    few, many = short
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, few, few, many, many, 0)
    return GOOD[:at] + record + locator + end


def test_an_archive_with_a_long_end_record_is_read():
    assert set(opened(with_long_end()).entries) == {"a/data.pkl", "a/b"}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(patched(GOOD, 20, "<H", 3) + b"abc", id="a comment"),
        pytest.param(GOOD + b"PK", id="something behind"),
        pytest.param(b"PK\3\4" + GOOD, id="something before"),
        pytest.param(patched(GOOD, 8, "<2H", 1, 1), id="too small a count"),
        pytest.param(patched(GOOD, 8, "<2H", 3, 3), id="too large a count"),
        pytest.param(patched(GOOD, 8, "<2H", 0xFFFF, 0xFFFF), id="a long end that is missing"),
        pytest.param(patched(GOOD, 16, "<I", 0), id="another place"),
        pytest.param(patched(GOOD, 12, "<I", 46), id="another size"),
        pytest.param(with_long_end(where=-56), id="two long ends"),
        pytest.param(with_long_end(length=45), id="a long end that is longer"),
        pytest.param(with_long_end(short=(1, 0xFFFFFFFF)), id="ends that disagree on the count"),
        pytest.param(with_long_end(short=(0xFFFF, 7)), id="ends that disagree on the place"),
        pytest.param(archive({"a/data.pkl": EMPTY, "a/DATA.PKL": EMPTY}), id="capitals"),
        pytest.param(archive({"a/data.pkl": EMPTY, "A/data.pkl": EMPTY}), id="folder in capitals"),
        pytest.param(
            in_directory(archive({"a/data.pkl": EMPTY}), 20, "<I", 1), id="stored, smaller"
        ),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(tmp_path, content):
    with pytest.raises(Malformed, match="two readers could read it differently"):
        opened(content)
    with pytest.raises(FileUnreadable):
        read_checkpoint(write(tmp_path, content))


def test_an_entry_with_a_second_name_is_refused():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as writer:
        entry = zipfile.ZipInfo("a/data.pkl")
        entry.extra = struct.pack("<2H", 0x7075, 6) + b"\1\0\0\0\0x"
        writer.writestr(entry, EMPTY)
    with pytest.raises(Malformed, match=r"second name|broken"):
        opened(stream.getvalue())


def test_the_pickle_lies_where_the_first_entry_does(tmp_path):
    content = archive({"b/version": b"3", "a/data.pkl": EMPTY})
    with pytest.raises(FileUnreadable, match="first entry is not in the folder"):
        read_checkpoint(write(tmp_path, content))


def test_names_that_any_pickle_of_an_archive_asks_for_are_listed(tmp_path):
    other = b"\x80\x02cos\nsystem\n."
    path = write(tmp_path, archive({"a/data.pkl": EMPTY, "a/more.PKL": other}))
    assert [item.name for item in read_checkpoint(path).globals] == ["os.system"]
