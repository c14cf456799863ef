"""Traces that are remembered: the same answer, the date, and nothing that is out of date."""

import contextlib
import io
import json
import os
import sqlite3
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import cnninspect
from cnninspect.commands.application import run
from cnninspect.records.models import GivenValue, InputRequest
from cnninspect.sources import open as sources
from cnninspect.sources.open import trace, trace_step
from cnninspect.store import cache as caching
from cnninspect.store import traces as remembered_traces
from cnninspect.store.cache import FILE, Memory
from cnninspect.store.traces import SAID, remembering, without_memory
from cnninspect.store.written_traces import Unwritable, read, written
from cnninspect.zoo import catalogue

RUN = (
    "import sys; sys.argv[0] = 'cnninspect'\n"
    "from cnninspect.__main__ import main\n"
    "try: main()\n"
    "finally: print('torch' in sys.modules, file=sys.stderr)"
)


@pytest.fixture
def made(monkeypatch):
    """Names of the references that were really loaded."""
    names = []
    load = sources.load
    monkeypatch.setattr(sources, "load", lambda model: names.append(model) or load(model))
    return names


def one_of_some_families():
    names = {}
    for entry in sorted(catalogue.entries(), key=lambda entry: entry.parameters or 0):
        names.setdefault(entry.family, entry.name)
    return sorted(names.values())[::3]  # the benchmark does it with all


def unnoted(report):
    """JSON without the note on what was remembered."""
    data = json.loads(cnninspect.render(report, format="json"))
    data["engine"]["notes"] = list(without_memory(tuple(data["engine"]["notes"])))
    return json.dumps(data)


@pytest.mark.parametrize("name", one_of_some_families())
def test_what_comes_from_memory_is_the_same_to_the_byte(name, made):
    fresh = cnninspect.summarize(name)
    with remembering():
        first = cnninspect.summarize(name)
        second = cnninspect.summarize(name)
    assert made == [name, name]  # the third was not made
    assert cnninspect.render(first, format="json") == cnninspect.render(fresh, format="json")
    assert unnoted(second) == unnoted(fresh)
    (note,) = set(second.engine.notes) - set(fresh.engine.notes)
    assert note.startswith("traced 20")
    assert note.endswith(", remembered; remembering(fresh=True) traces again")


@pytest.mark.parametrize("name", ["lenet5_modern", "resnet20", "highway_mnist"])
def test_a_trace_and_a_step_are_read_as_they_were_written(name):
    for made in (trace(name), trace_step(name, batch=2)):
        assert read(written(made)) == made
    again = read(written(trace(name)))
    assert len({id(call.operation) for call in again.calls}) == len(again.operations)


def test_a_step_of_training_is_remembered_by_all_that_it_depends_on(made):
    with remembering():
        first = cnninspect.memory("mlp", batch=4)
        second = cnninspect.memory("mlp", batch=4)
        assert made == ["mlp"]
        cnninspect.memory("mlp", batch=4, inference=True)
        cnninspect.memory("mlp", batch=4, dtype="float16")
        cnninspect.memory("mlp", batch=5)
    assert made == ["mlp"] * 4
    assert second.totals == first.totals
    assert [note for note in second.notes if SAID in note]


@pytest.mark.parametrize(
    "other",
    [
        {"inputs": (1, 1, 16, 16), "mode": "train"},
        {"batch": 2},
        {"inputs": (3, 1, 16, 16)},
        {"inputs": [InputRequest((1, 1, 16, 16), "float32")]},
        {"inputs": (1, 1, 16, 16), "device": "cuda"},
        {},
    ],
)
def test_another_question_is_another_trace(other, made):
    with remembering():
        trace("mlp@num_classes=10", (1, 1, 16, 16))
        trace("mlp@num_classes=10", **other)
        trace("mlp", (1, 1, 16, 16))
    assert len(made) == 3


def test_values_that_are_given_tell_questions_apart():
    def key(*arguments):
        question = sources.Question("trace", sources_reference("mlp"), arguments, ())
        return remembered_traces.key_of(question)

    keys = [
        key(GivenValue(1)),
        key(GivenValue(True)),
        key(GivenValue("1")),
        key(GivenValue((1, 2))),
        key(GivenValue([1, 2])),
        key([InputRequest((1, 2))]),
        key((InputRequest((1, 2)),)),
        key({"x": InputRequest((1, 2))}),
        key(),
    ]
    assert None not in keys
    assert len(set(keys)) == len(keys)
    assert key(object()) is None


def sources_reference(text):
    from cnninspect.sources.registry import reference_of

    return reference_of(text)


def test_tensors_of_ones_own_and_kwargs_are_always_run(made):
    import torch

    with remembering():
        for _ in range(2):
            trace("mlp", torch.zeros(1, 1, 16, 16))
            trace("mlp", kwargs={"x": torch.zeros(1, 1, 16, 16)})
    assert made == ["mlp"] * 4


def test_ones_own_code_is_always_run(tmp_path, made):
    file = tmp_path / "net.py"
    with remembering():
        for width in (4, 5):
            file.write_text(f"from torch import nn\ndef make(): return nn.Linear(4, {width})\n")
            report = cnninspect.summarize(f"{file}:make")
            assert report.totals.parameters == 5 * width
            assert without_memory(report.engine.notes) == report.engine.notes


def test_a_configuration_is_remembered_by_what_it_says(tmp_path, made):
    pytest.importorskip("transformers")
    said = {
        "architectures": ["BertModel"], "model_type": "bert", "hidden_size": 8, "vocab_size": 11,
        "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
    }  # fmt: skip
    here, there = tmp_path / "a.json", tmp_path / "b.json"
    here.write_text(json.dumps(said))
    there.write_text(json.dumps(dict(reversed(said.items()))))
    with remembering():
        first = cnninspect.summarize(f"hf:{here}")
        second = cnninspect.summarize(f"hf:{there}")
        assert made == [f"hf:{here}"]
        assert second.model.reference == second.model.name == f"hf:{there}"
        assert second.totals == first.totals
        there.write_text(json.dumps({**said, "intermediate_size": 16}))
        assert cnninspect.summarize(f"hf:{there}").totals != first.totals


def test_fresh_traces_again_and_keeps_the_new_trace(made):
    with remembering():
        trace("mlp")
    with remembering(fresh=True):
        assert not [note for note in trace("mlp").how.notes if SAID in note]
    with remembering():
        assert [note for note in trace("mlp").how.notes if SAID in note]
    assert made == ["mlp"] * 2


def test_the_environment_can_ask_for_fresh_traces(monkeypatch, made):
    monkeypatch.setenv("CNNINSPECT_FRESH", "1")
    with remembering():
        trace("mlp")
        trace("mlp")
    assert made == ["mlp"] * 2


def test_nothing_is_remembered_unless_somebody_asks_for_it(cache):
    cnninspect.summarize("mlp")
    assert not cache.exists()


@pytest.mark.parametrize("content", [b"", b"x", zlib.compress(b"{}"), zlib.compress(b"[" * 9999)])
def test_a_damaged_trace_is_made_anew(cache, content, made):
    with remembering():
        trace("mlp")
        with contextlib.closing(sqlite3.connect(cache / FILE)) as connection, connection:
            connection.execute("UPDATE traces SET content = ?", (content,))
        assert trace("mlp").how.notes == ()
        assert trace("mlp").how.notes != ()
    assert made == ["mlp"] * 2


@pytest.mark.parametrize("kept", [1e300, float("inf"), None, "yesterday"])
def test_a_date_that_cannot_be_is_damage_too(cache, kept):
    with remembering():
        trace("mlp")
        with contextlib.closing(sqlite3.connect(cache / FILE)) as connection, connection:
            connection.execute("UPDATE traces SET kept = ?", (kept,))
        cnninspect.cache()
        assert trace("mlp").how.notes == ()


def test_a_place_that_cannot_be_written_to_is_a_note(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CNNINSPECT_CACHE", str(tmp_path / "file"))
    with remembering():
        (note,) = trace("mlp").how.notes
    assert note.startswith("results are not remembered")


def test_a_changed_file_of_the_package_changes_every_key(tmp_path, monkeypatch):
    package = tmp_path / "cnninspect"
    (package / "store").mkdir(parents=True)
    monkeypatch.setattr(caching, "__file__", str(package / "store" / "cache.py"))
    hashes = set()
    for text in ("a = 1", "a = 2", "a = 1 "):
        (package / "x.py").write_text(text)
        os.utime(package / "x.py", (0, 0))  # its time and size may be the same
        hashes.add(caching._fingerprint.__wrapped__())
    assert len(hashes) == 3


def test_other_versions_and_settings_of_libraries_are_other_traces(monkeypatch, made):
    with remembering():
        trace("mlp")
        monkeypatch.setenv("TIMM_FUSED_ATTN", "0")
        trace("mlp")
        monkeypatch.setattr(remembered_traces, "versions", lambda source: ("torch 0.1",))
        trace("mlp")
    assert made == ["mlp"] * 3


def test_a_process_with_another_default_dtype_neither_reads_nor_writes(cache, made):
    import torch

    with remembering():
        trace("mlp")
        torch.set_default_dtype(torch.float64)
        try:
            assert trace("mlp").inputs[0].spec.dtype == "float64"
        finally:
            torch.set_default_dtype(torch.float32)
        assert trace("mlp").inputs[0].spec.dtype == "float32"
    assert made == ["mlp"] * 2


@pytest.mark.usefixtures("image_libraries")
def test_a_model_that_a_program_registers_under_a_library_is_run(made):
    import timm
    from torch import nn

    def cnninspect_test_net(pretrained=False, **kwargs):
        return nn.Linear(4, 4)

    cnninspect_test_net.__module__ = "someones.models"
    registry = timm.models._registry
    registry._model_entrypoints["cnninspect_test_net"] = cnninspect_test_net
    try:
        with remembering():
            for _ in range(2):
                trace("timm:cnninspect_test_net", (1, 4))
    finally:
        del registry._model_entrypoints["cnninspect_test_net"]
    assert made == ["timm:cnninspect_test_net"] * 2


def test_what_json_lacks_is_not_written():
    made = trace("mlp")
    call = made.calls[0]
    operation = type(call.operation)("a.b", (("x", 1j),), call.operation.outputs)
    odd = type(call)(0, "", operation, ())
    with pytest.raises(Unwritable):
        written(type(made)(**{**fields_of(made), "calls": (odd,)}))


def fields_of(record):
    return {name: getattr(record, name) for name in type(record).__dataclass_fields__}


def test_the_oldest_go_when_the_file_is_too_large(monkeypatch):
    monkeypatch.setattr(caching, "MOST_BYTES", 200_000)
    memory = Memory()
    for i in range(60):
        memory.keep_trace(f"key {i}", f"title {i}", os.urandom(10_000))
    assert memory.path.stat().st_size < 300_000
    assert memory.recall_trace("key 0") is None
    assert memory.recall_trace("key 59") is not None


def command(*arguments, cache):
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "CNNINSPECT_CACHE": str(cache)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr.split()[-1] == "True"


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A folder in which the traces and figures of a few questions are kept."""
    folder = tmp_path_factory.mktemp("filled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNINSPECT_CACHE", str(folder))
        patch.delenv("CNNINSPECT_FRESH", raising=False)
        patch.setattr(sys, "stdout", io.StringIO())
        caching._fingerprint.cache_clear()  # files may have changed since this process began
        caching.versions.cache_clear()
        for arguments in QUESTIONS:
            with pytest.raises(SystemExit) as left:
                run(list(arguments))
            assert left.value.code == 0, arguments
    return folder


QUESTIONS = [
    ("summary", "lenet5_modern"),
    ("explain", "mlp", "hidden.0.linear"),
    ("check", "lenet5_modern", "--max-params", "1M"),
    ("diff", "lenet5_modern", "mlp"),
    ("memory", "mlp"),
    ("compare", "lenet5_modern", "mlp"),
    ("find", "lenet5*"),
    ("scale", "mlp", "--over", "batch"),
]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question[0])
def test_a_remembered_answer_needs_no_torch_and_says_since_when(question, filled):
    out, has_torch = command(*question, cache=filled)
    assert not has_torch
    assert "remembered; --fresh " in " ".join(out.split())


def test_fresh_is_an_option_and_imports_torch(filled):
    out, has_torch = command("summary", "mlp", "--fresh", cache=filled)
    assert has_torch
    assert "remembered" not in out


def test_what_is_remembered_is_listed_and_can_be_forgotten(cache, tmp_path):
    with remembering():
        trace("mlp")
        trace_step("mlp", batch=3)
    found = cnninspect.cache()
    assert [item.title for item in found.traces] == ["mlp, training, batch 3", "mlp"]
    assert found.path == str(cache / FILE)
    assert found.bytes == Path(found.path).stat().st_size
    assert "mlp, training, batch 3" in cnninspect.render(found)
    assert cnninspect.cache(clear=True).cleared
    assert cnninspect.cache().traces == ()
    with remembering():
        assert trace("mlp").how.notes == ()


def test_a_damaged_file_can_be_forgotten_too(cache):
    cache.mkdir()
    (cache / FILE).write_bytes(b"no database, and long enough to be taken for one" * 50)
    with pytest.raises(cnninspect.CnnInspectError, match="cannot read"):
        cnninspect.cache()
    cnninspect.cache(clear=True)
    assert cnninspect.cache().bytes == 0
