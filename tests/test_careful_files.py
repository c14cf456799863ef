"""Files that others name: what is read without waiting, and what writing leaves as it was."""

from __future__ import annotations

import os
import stat
import threading
import zipfile
from pathlib import Path

import pytest

from cnninspect.errors import CnnInspectError, FileExists, FileMissing, FileUnreadable
from cnninspect.errors import FileUnwritable as Unwritable
from cnninspect.files import (
    check_output,
    exists,
    move_into_place,
    opened,
    read_arrays,
    read_text,
    write_whole,
)

LONG = "a" * 300


@pytest.fixture
def odd(tmp_path: Path) -> dict[str, Path]:
    """Names that are no files, or lead to none."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("text")
    return {
        "pipe": tmp_path / "pipe",
        "device": tmp_path / "zero",
        "loop": tmp_path / "loop",
        "folder": tmp_path / "folder",
        "under a file": tmp_path / "file" / "x",
        "too long": tmp_path / LONG,
        "null": tmp_path / "a\0b",
        "missing": tmp_path / "missing",
    }


@pytest.mark.parametrize(
    "kind", ["pipe", "device", "loop", "folder", "under a file", "too long", "null", "missing"]
)
def test_what_is_no_file_is_refused_without_waiting(odd: dict[str, Path], kind: str) -> None:
    wanted = FileMissing if kind in ("missing", "under a file") else FileUnreadable
    with pytest.raises(wanted):
        read_text(odd[kind])


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, pipe = tmp_path / "file", tmp_path / "pipe"
    file.write_text("text")
    os.mkfifo(pipe)
    status = os.stat(file)
    monkeypatch.setattr(os, "stat", lambda path: status)
    with pytest.raises(FileUnreadable, match="not a regular file"), opened(pipe):
        pass


def test_text_is_read_up_to_a_bound(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfabcde")
    assert read_text(tmp_path / "a", most=8) == "abcde"
    with pytest.raises(FileUnreadable, match="more than the 7 bytes"):
        read_text(tmp_path / "a", most=7)
    (tmp_path / "b").write_bytes(b"\xff\xfe")
    with pytest.raises(FileUnreadable, match="UTF-8"):
        read_text(tmp_path / "b")


def test_whether_there_is_a_file_is_told_or_refused(odd: dict[str, Path]) -> None:
    assert exists(odd["pipe"])
    assert not exists(odd["missing"])
    assert not exists(odd["under a file"])
    for kind in ("too long", "null", "loop"):
        with pytest.raises(FileUnreadable):
            exists(odd[kind])


def test_a_new_file_gets_the_mode_that_the_system_gives(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "new", "x", force=False)
        assert os.umask(0o027) == 0o027, "the process has another mask now"
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


@pytest.mark.parametrize("mode", [0o600, 0o755, 0o444])
def test_a_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(mode)
    write_whole(path, "new", force=True)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", mode)


def test_a_link_stays_a_link_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to("folder/target")
    with pytest.raises(FileExists):
        write_whole(link, "new", force=False)
    write_whole(link, "new", force=True)
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_link_to_nothing_is_something_that_exists(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("nothing")
    with pytest.raises(FileExists):
        write_whole(link, "new", force=False)
    assert link.is_symlink()
    assert not exists(tmp_path / "nothing")
    write_whole(link, "new", force=True)
    assert link.is_symlink()
    assert (tmp_path / "nothing").read_text() == "new"


def test_a_pipe_gets_the_bytes_and_stays_one(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    # Both ends open at once, so that neither waits for the other.
    end = os.open(pipe, os.O_RDWR)
    reader = threading.Thread(target=lambda: got.append(os.read(end, 100)))
    reader.start()
    write_whole(pipe, "through", force=True)
    reader.join()
    os.close(end)
    assert got == [b"through"]
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_pipe_that_nobody_reads_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Unwritable, match="nobody reads"):
        write_whole(tmp_path / "pipe", "x", force=True)
    with pytest.raises(FileExists):
        write_whole(tmp_path / "pipe", "x", force=False)


def test_a_device_stays_a_device(tmp_path: Path) -> None:
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    before = os.stat("/dev/null")
    write_whole(link, "x", force=True)
    made = tmp_path / "made"
    made.write_text("x")
    move_into_place(made, link)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert os.stat("/dev/null").st_ino == before.st_ino
    assert os.readlink(link) == "/dev/null"


@pytest.mark.parametrize("kind", ["folder", "under a file", "too long", "null", "loop"])
@pytest.mark.parametrize("force", [False, True])
def test_where_nothing_can_be_written_is_told_early(
    odd: dict[str, Path], kind: str, force: bool
) -> None:
    before = sorted(odd["pipe"].parent.iterdir())
    for refuse in (
        lambda: check_output(odd[kind], force=force),
        lambda: write_whole(odd[kind], "x", force=force),
    ):
        with pytest.raises(CnnInspectError):
            refuse()
    assert sorted(odd["pipe"].parent.iterdir()) == before


def test_a_name_as_long_as_the_system_allows_can_be_written(tmp_path: Path) -> None:
    write_whole(tmp_path / ("a" * 255), "x", force=False)
    write_whole(tmp_path / ("é" * 127), "x", force=False)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_failed_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("old")

    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(Unwritable, match="No space left"):
        write_whole(tmp_path / "a", "new", force=True)
    assert (tmp_path / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_entries_of_npz_that_are_no_arrays_are_left_out(tmp_path: Path) -> None:
    import numpy as np

    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(3))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("y", b"text")
    assert list(read_arrays(path, most=1000)) == ["x"]
    np.savez_compressed(path, x=np.zeros(10_000))
    with pytest.raises(FileUnreadable, match="unpacks to"):
        read_arrays(path, most=5000)
