"""What lies around a command and is read unasked: defaults, caches, repositories, file names."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import cnninspect
from cnninspect.commands import completion
from cnninspect.commands.defaults import read_defaults
from cnninspect.errors import BadConfiguration, BadReference, FileUnreadable
from cnninspect.files import MOST_ARRAYS, MOST_PARTS, parse_toml, read_arrays
from cnninspect.store import cache as caching
from cnninspect.store import this_machine
from cnninspect.store.cache import FILE, Memory
from cnninspect.store.cluster import Code, _laid_down, hashlib
from cnninspect.store.traces import remembering
from cnninspect.store.written_traces import MOST_BYTES, read

DEEP = "a = " + "[" * 100_000


# --- TOML ---


@pytest.mark.parametrize(
    "text",
    [
        DEEP,
        "a = " + "9" * 5000,
        ".".join("a" * 50_000) + " = 1",
        f"[{'.'.join('a' * 50_000)}]",
        "x = {" + " . ".join(['"a"'] * 50_000) + " = 1}",
        "#" * (5 << 20),
    ],
    ids=["deep", "digits", "dotted", "header", "quoted", "large"],
)
def test_no_file_of_toml_takes_long_or_breaks_out(text, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"."):
        parse_toml(text)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cnninspect.toml").write_text(text)
    with pytest.raises(BadConfiguration):
        read_defaults()
    with pytest.raises(FileUnreadable):
        cnninspect.check("mlp", budget="cnninspect.toml")
    with pytest.raises(FileUnreadable):
        cnninspect.sweep(space_file="cnninspect.toml")


def test_keys_of_some_parts_are_read():
    assert parse_toml('a.b."c.d" = 1') == {"a": {"b": {"c.d": 1}}}
    assert parse_toml(".".join("a" * MOST_PARTS) + " = 1")
    assert parse_toml(f"a = [{', '.join('1.5' * 1 for _ in range(200))}]")


@pytest.mark.parametrize("text", ["tool = 3", 'tool = "cnninspect"', "[[tool]]\ncnninspect = 1"])
def test_a_tool_that_is_no_table_sets_nothing(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(f"{text} # cnninspect\n")
    assert read_defaults() == ()


# --- what the shell offers ---


def test_nothing_that_a_shell_acts_on_is_offered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["\\$(touch PWN).onnx", "`touch PWN`.onnx", "a;touch.onnx", "a'b.onnx", 'a"b.onnx',
             "a\nb.onnx", "good one.onnx", "größe.onnx", "a|b.onnx",
             "a&b.onnx", "a<b.onnx"]  # fmt: skip
    for name in names:
        (tmp_path / name).write_text("")
    (tmp_path / "net.py").write_text("def make(a='\\\\$(touch PWN)', b=3): ...\n")
    complete = completion._harmless(completion.references)
    assert [w for w in complete("") if w.endswith(".onnx")] == ["good one.onnx", "größe.onnx"]
    assert complete("net.py:make@") == ["net.py:make@b=3"]


def test_a_pipe_that_is_called_like_code_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("net.py")
    Path("deep.py").write_text("-" * 200_000 + "1")
    for name in ("net.py:", "net.py:Net@", "deep.py:"):
        assert completion.references(name) == []


# --- repositories ---


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository whose settings and hooks all write a file, with a checkpoint in it."""
    import torch

    folder, marker = tmp_path / "repository", tmp_path / "written"
    folder.mkdir()

    def git(*arguments):
        author = ("-c", "user.name=n", "-c", "user.email=n@example.org")
        done = subprocess.run(
            ["git", "-C", folder, *author, *arguments], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q")
    torch.save({"w": torch.zeros(3, 2)}, folder / "w.pth")
    (folder / ".gitattributes").write_text("* filter=evil\n")
    git("add", ".")
    git("commit", "-qm", "one")
    with (folder / ".git" / "config").open("a") as config:
        config.write(
            f'[filter "evil"]\n\tsmudge = touch {marker}; cat\n\trequired = true\n'
            f"[core]\n\tfsmonitor = touch {marker}\n\tsshCommand = touch {marker}\n"
            f"\tpager = touch {marker}\n"
        )
    hooks = folder / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-index-change", "post-checkout", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {marker}\n")
        (hooks / name).chmod(0o755)
    monkeypatch.chdir(folder)
    yield folder, marker, git
    assert not marker.exists()


def test_a_repository_starts_no_program(repository):
    assert len(cnninspect.summarize("w.pth@{HEAD}").tensors) == 1


def test_a_repository_fetches_nothing(repository):
    folder, marker, git = repository
    blob = git("rev-parse", "HEAD:w.pth")
    (folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    config = folder / ".git" / "config"
    before = config.read_text()
    for address in (f"ext::sh -c touch% {marker}", f"file://{folder}"):
        config.write_text(
            f'{before}[extensions]\n\tpartialClone = origin\n[remote "origin"]\n'
            f'\tpromisor = true\n\turl = "{address}"\n\tuploadpack = touch {marker};\n'
            '[protocol "ext"]\n\tallow = always\n[core]\n\trepositoryformatversion = 1\n'
        )
        with pytest.raises(BadReference):
            cnninspect.summarize("w.pth@{HEAD}")


# --- the cache ---


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of a cache that holds a trace."""
    monkeypatch.setenv("CNNINSPECT_CACHE", str(tmp_path))
    monkeypatch.delenv("CNNINSPECT_FRESH", raising=False)
    with remembering():
        cnninspect.summarize("mlp")
    return tmp_path


def test_a_trace_that_unpacks_to_much_is_no_trace():
    packing = zlib.compressobj()
    parts = [packing.compress(bytes(1 << 20)) for _ in range((MOST_BYTES >> 20) + 1)]
    with pytest.raises(ValueError, match="bytes"):
        read(b"".join(parts) + packing.flush())
    with pytest.raises(ValueError, match="bytes"):
        read(zlib.compress(b'{"trace":1}')[:-1])


def test_a_view_in_the_place_of_a_table_is_not_asked(cache):
    with sqlite3.connect(cache / FILE) as connection:
        connection.execute("DROP TABLE traces")
        connection.execute(
            "CREATE VIEW traces(key, title, content, kept) AS WITH RECURSIVE c(x) AS "
            "(SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x, x, x, x FROM c WHERE x < 0"
        )
    with remembering():
        assert cnninspect.summarize("mlp").totals.parameters
    assert Memory().contents().traces == ()


def test_odd_rows_are_passed_over(cache):
    odd = [("k", "t", b"x", 1e300), ("l", None, None, 1.0), ("m", b"\xff", 3, "x"),
           ("n", "t", b"", -1e18), ("o", "t\n::error::", b"x", 2.0)]  # fmt: skip
    with sqlite3.connect(cache / FILE) as connection:
        connection.execute("DROP TABLE traces")
        connection.execute("CREATE TABLE traces (key, title, content, kept)")
        connection.executemany("INSERT INTO traces VALUES (?, ?, ?, ?)", odd)
    found = Memory().contents()
    assert found.traces == (("t\n::error::", 1, 2.0),)
    assert found.oldest == 1.0
    Memory().clear()


def test_what_takes_too_long_to_look_up_is_given_up(cache, monkeypatch):
    monkeypatch.setattr(caching, "PATIENCE", 0.0)
    monkeypatch.setattr(caching, "STEPS", 1)
    memory = Memory()
    assert memory.recall_trace("x") is None
    assert "not remembered" in memory.notes[0]


def test_a_pipe_in_the_place_of_the_cache_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("CNNINSPECT_CACHE", str(tmp_path))
    monkeypatch.delenv("CNNINSPECT_FRESH", raising=False)
    os.mkfifo(tmp_path / FILE)
    os.mkfifo(tmp_path / this_machine.FILE)
    with remembering():
        report = cnninspect.summarize("mlp")
    assert "not remembered" in " ".join(report.engine.notes)
    assert this_machine.recalled() is None
    assert (tmp_path / FILE).is_fifo()


@pytest.mark.parametrize("text", ["[" * 100_000, "[1]", "{}", "[{}]", "9" * 5000, '{"a": [1]}'])
def test_a_damaged_file_of_this_machine_counts_as_nothing(text, tmp_path, monkeypatch):
    monkeypatch.setenv("CNNINSPECT_CACHE", str(tmp_path))
    monkeypatch.delenv("CNNINSPECT_FRESH", raising=False)
    (tmp_path / this_machine.FILE).write_text(text)
    assert this_machine.recalled() is None


# --- the folder in which a worker of a cluster lays code down ---


@pytest.mark.skipif(sys.platform == "win32", reason="others' rights are told otherwise there")
def test_code_is_not_laid_down_where_others_may_write(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = Code("net.py", "x = 1", hashlib.sha256(b"x = 1").hexdigest())
    path = Path(_laid_down(code))
    assert path.read_text() == "x = 1"
    path.parent.chmod(0o777)
    with pytest.raises(ValueError, match="others may write"):
        _laid_down(code)
    moved = path.parent.rename(tmp_path / "elsewhere")
    path.parent.symlink_to(moved)
    with pytest.raises(ValueError, match="somebody else's"):
        _laid_down(code)


# --- arrays ---


def test_a_file_of_very_many_arrays_is_refused(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for i in range(MOST_ARRAYS + 1):
            archive.writestr(f"a{i}.npy", b"")
    with pytest.raises(FileUnreadable, match="entries"):
        read_arrays(tmp_path / "a.npz", most=1 << 30)
