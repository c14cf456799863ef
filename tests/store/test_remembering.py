"""The file of results."""

import contextlib
import sqlite3
import subprocess
import sys

import pytest

import cnninspect
from cnninspect.store import cache as remembering
from cnninspect.store.cache import FILE, Memory, cache_folder
from cnninspect.store.survey import survey
from cnninspect.store.tasks import Task, read_outcome


def test_what_is_kept_is_recalled():
    Memory().keep({"a": "1", "b": "2"})
    assert Memory().recall(["a", "c"]) == {"a": "1"}


def test_many_keys_are_asked_for_in_parts():
    texts = {str(i): str(i) for i in range(1200)}
    Memory().keep(texts)
    assert Memory().recall(list(texts)) == texts


def test_nothing_is_made_by_asking(cache):
    assert Memory().recall(["a"]) == {}
    assert not cache.exists()


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough to be one" * 99, b"x"]
)
def test_a_damaged_file_is_made_anew(cache, content):
    Memory().keep({"a": "1"})
    (cache / FILE).write_bytes(content)
    memory = Memory()
    assert memory.recall(["a"]) == {}
    memory.keep({"b": "2"})
    assert memory.recall(["b"]) == {"b": "2"}
    assert memory.notes == []


def test_a_file_that_is_cut_off_is_made_anew(cache):
    Memory().keep({str(i): "x" * 3000 for i in range(50)})
    path = cache / FILE
    path.write_bytes(path.read_bytes()[:9000])
    memory = Memory()
    memory.keep({"b": "2"})
    assert Memory().recall(["b"]) == {"b": "2"}


def test_a_place_that_cannot_be_written_to_is_noted_and_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    memory = Memory(tmp_path / "file" / "folder")
    assert memory.recall(["a"]) == {}
    memory.keep({"a": "1"})
    assert memory.recall(["a"]) == {}
    (note,) = memory.notes
    assert note.startswith("results are not remembered")


def test_others_may_write_at_the_same_time(cache):
    code = (
        "import sys\n"
        "from cnninspect.store.cache import Memory\n"
        "for i in range(20): Memory().keep({f'{sys.argv[1]}-{i}': 'x' * 500})\n"
        "assert not Memory().notes"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(n)]) for n in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    keys = [f"{n}-{i}" for n in range(3) for i in range(20)]
    assert len(Memory().recall(keys)) == 60


def test_a_file_in_use_is_waited_for_and_then_done_without(cache, monkeypatch):
    monkeypatch.setattr(remembering, "PATIENCE", 0.05)
    Memory().keep({"a": "1"})
    other = sqlite3.connect(cache / FILE)
    other.execute("BEGIN EXCLUSIVE")
    memory = Memory()
    memory.keep({"b": "2"})
    other.close()
    assert "locked" in memory.notes[0]
    assert Memory().recall(["a"]) == {"a": "1"}


def test_the_oldest_go_when_there_are_too_many(monkeypatch):
    monkeypatch.setitem(remembering.MOST_ROWS, "results", 3)
    for key in "abcde":
        Memory().keep({key: key})
    assert sorted(Memory().recall(list("abcde"))) == ["c", "d", "e"]


def test_the_folder_is_the_systems_unless_chosen(monkeypatch, tmp_path):
    monkeypatch.delenv("CNNINSPECT_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "cnninspect"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # which the specification has ignored
    assert cache_folder().is_absolute()


def test_without_a_home_folder_nothing_is_remembered_and_a_note_says_so(monkeypatch):
    monkeypatch.setenv("CNNINSPECT_CACHE", "~nosuchuser_zz/x")
    memory = Memory()
    memory.keep({"a": "1"})
    assert memory.recall(["a"]) == {}
    (note,) = memory.notes
    assert note.startswith("results are not remembered")


@pytest.mark.parametrize("folder", ["a" * 300, "a\0b"])
def test_a_folder_that_cannot_be_is_noted(tmp_path, folder):
    memory = Memory(tmp_path / folder)
    assert memory.recall(["a"]) == {}
    memory.keep({"a": "1"})
    assert memory.notes


def test_rows_that_are_no_text_are_not_recalled(cache):
    Memory().keep({"a": "1", "b": "2"})
    with contextlib.closing(sqlite3.connect(cache / FILE)) as connection, connection:
        connection.execute("UPDATE results SET value = x'00ff' WHERE key = 'a'")
    assert Memory().recall(["a", "b"]) == {"b": "2"}


@pytest.mark.parametrize(
    "row",
    ["[]", "3", "null", "{}", '{"Figures": 3}', '{"Figures": {}, "b": 1}', '{"os.system": {}}',
     '{"Figures": []}', '"x"', "[" * 100_000, '{"Unmeasured": {"reference": 3}}', "", "{"],
)  # fmt: skip
def test_a_row_that_is_no_record_is_measured_again_and_written_over(cache, row):
    task = Task("lenet5")
    (before,) = survey([task], memory=Memory())
    with contextlib.closing(sqlite3.connect(cache / FILE)) as connection, connection:
        connection.execute("UPDATE results SET value = ?", (row,))
    assert survey([task], memory=Memory()) == (before,)
    with contextlib.closing(sqlite3.connect(cache / FILE)) as connection:
        ((kept,),) = connection.execute("SELECT value FROM results").fetchall()
    assert read_outcome(kept) == before


def test_calibrations_are_listed_and_forgotten_too():
    from cnninspect.records.machine import Calibration, Rate
    from cnninspect.store import this_machine

    found = Calibration(
        device="cpu", processor="a chip", threads=2, rates=(Rate("float32", 1.0),), gb_per_s=1.0,
        measured="2026-11-28",
    )  # fmt: skip
    assert this_machine.remember(found) == ""
    report = cnninspect.cache()
    (machine,) = report.machines
    assert (machine.device, machine.processor, machine.threads) == ("cpu", "a chip", 2)
    assert "calibrated 2026-11-28 (cpu, 2 threads)" in cnninspect.render(report)
    assert cnninspect.cache(clear=True).machines == report.machines
    assert cnninspect.cache().machines == ()
