"""Where a file is made, what a killed export leaves, and how it gets into place."""

import os
import subprocess
import sys

import pytest

from cnninspect.engine.onnx_write import writing
from cnninspect.engine.onnx_write.writing import (
    LEAVINGS,
    clear_leavings,
    data_beside,
    is_running,
    put_into_place,
    workshop,
)
from cnninspect.errors import FileExists


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A folder for temporary files of this test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(writing.tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def dead():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return process.pid


def test_nothing_is_in_the_targets_folder_until_the_end(tmp_path, temporary):
    target = tmp_path / "out" / "model.onnx"
    target.parent.mkdir()
    with workshop(target, 0) as folder:
        assert folder.parent == temporary
        assert str(os.getpid()) in folder.name
        (folder / "model.onnx").write_bytes(b"graph")
        assert list(target.parent.iterdir()) == []
        put_into_place(folder, target, force=False)
    assert [p.name for p in target.parent.iterdir()] == ["model.onnx"]
    assert target.read_bytes() == b"graph"
    assert list(temporary.iterdir()) == []


def test_it_is_made_beside_the_target_where_there_is_more_room(tmp_path, temporary, monkeypatch):
    usage = writing.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(
        writing.shutil, "disk_usage",
        lambda path: usage._replace(free=10 if path == temporary else 1000),
    )  # fmt: skip
    with workshop(tmp_path / "model.onnx", 100) as folder:
        assert folder.parent == tmp_path
    with workshop(tmp_path / "model.onnx", 5) as folder:
        assert folder.parent == temporary


def test_what_dead_exports_left_is_taken_away_and_nothing_else(tmp_path, temporary, dead):
    left = temporary / f"{LEAVINGS}{dead}-abc"
    left.mkdir()
    (left / "model.onnx").write_bytes(b"half")
    beside = tmp_path / f"{LEAVINGS}{dead}-model.onnx"
    beside.write_bytes(b"half")
    living = temporary / f"{LEAVINGS}{os.getpid()}-abc"
    living.mkdir()
    strange = [temporary / f"{LEAVINGS}notes", temporary / f".model.onnx.{dead}"]
    for folder in strange:
        folder.mkdir()
    with workshop(tmp_path / "model.onnx", 0):
        pass
    assert not left.exists()
    assert not beside.exists()
    assert living.exists()
    assert all(folder.exists() for folder in strange)


def test_a_link_to_elsewhere_is_not_followed(tmp_path, dead):
    elsewhere = tmp_path / "mine"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("keep")
    (tmp_path / f"{LEAVINGS}{dead}-x").symlink_to(elsewhere)
    clear_leavings(tmp_path)
    assert (elsewhere / "file").read_text() == "keep"


def test_a_process_is_known_to_run(dead):
    assert is_running(os.getpid())
    assert not is_running(dead)


def test_the_old_files_mode_stays_and_weights_go_beside_it(tmp_path, temporary):
    target = tmp_path / "model.onnx"
    target.write_bytes(b"old")
    target.chmod(0o600)
    with workshop(target, 0) as folder:
        (folder / "model.onnx").write_bytes(b"new")
        (folder / data_beside(target).name).write_bytes(b"weights")
        with pytest.raises(FileExists):
            put_into_place(folder, target, force=False)
        put_into_place(folder, target, force=True)
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o600
    assert data_beside(target).read_bytes() == b"weights"
