"""Many models: in order, side by side, remembered, and none of them the end of the others."""

import json
import sys

import pytest

from cnninspect.metrics.figures import Figures, Unmeasured
from cnninspect.store import cache as versions
from cnninspect.store import survey as surveying
from cnninspect.store.cache import Memory, has_formulas_of_this_process
from cnninspect.store.survey import survey, worthwhile_jobs
from cnninspect.store.tasks import Task, read_outcome, read_task, written_outcome, written_task

SMALL = [Task("mlp"), Task("lenet5_modern"), Task("nosuch"), Task("mlp")]
CODE = """
import os
from torch import nn
def killed(): os.kill(os.getpid(), 9)
def noisy():
    print("hello")
    os.write(1, b"hello again")
    return nn.Linear(4, 4)
"""


def test_outcomes_come_in_the_order_of_the_tasks():
    found = survey(SMALL, jobs=1)
    assert [type(outcome) for outcome in found] == [Figures, Figures, Unmeasured, Figures]
    assert found[0] is found[3]
    assert found[1].totals.parameters == 61_706
    assert found[2].kind == "UnknownModel"


def test_processes_find_the_same_and_outlive_crashes(tmp_path):
    file = tmp_path / "net.py"
    file.write_text(CODE)
    names = [f"{file}:{name}" for name in ("killed", "noisy")]
    tasks = [Task(names[0]), *SMALL, Task(names[1])]
    done = []
    assert not has_formulas_of_this_process()  # which would keep the crash in this process
    found = survey(tasks, jobs=2, progress=lambda n, total, name: done.append((n, total)))
    assert found[1:5] == survey(SMALL, jobs=1)
    assert "signal 9" in found[0].error
    assert found[5].totals.parameters == 20
    assert done == [(i, 5) for i in range(1, 6)]


def test_what_was_measured_is_not_measured_again(monkeypatch):
    first = survey(SMALL, jobs=1, memory=Memory())
    measured = []
    measure = surveying.measure
    monkeypatch.setattr(surveying, "measure", lambda task: measured.append(task) or measure(task))
    assert survey(SMALL, jobs=1, memory=Memory()) == first
    assert [task.reference for task in measured] == ["nosuch"]  # which may be there tomorrow
    survey([Task("mlp", batch=2)], jobs=1, memory=Memory())
    assert measured[-1].batch == 2


def test_peoples_own_code_is_not_remembered(tmp_path):
    file = tmp_path / "net.py"
    file.write_text("from torch import nn\ndef make(): return nn.Linear(4, 4)\n")
    task = Task(f"{file}:make")
    assert survey([task], jobs=1, memory=Memory())[0].totals.parameters == 20
    file.write_text("from torch import nn\ndef make(): return nn.Linear(4, 5)\n")
    assert survey([task], jobs=1, memory=Memory())[0].totals.parameters == 25


def test_what_cannot_be_read_is_measured_again(monkeypatch):
    survey([Task("mlp")], jobs=1, memory=Memory())
    kept = {}
    damaged = ('{"Figures": {}}', 0.0)
    monkeypatch.setattr(Memory, "recall_dated", lambda self, keys: dict.fromkeys(keys, damaged))
    monkeypatch.setattr(Memory, "keep", lambda self, texts: kept.update(texts))
    assert isinstance(survey([Task("mlp")], jobs=1, memory=Memory())[0], Figures)
    assert len(kept) == 1


def test_a_formula_of_this_process_is_used_and_nothing_remembered(monkeypatch):
    from cnninspect.costs import registry

    assert not has_formulas_of_this_process()
    monkeypatch.setitem(registry._counted, "mine.odd", lambda operation: 1)
    assert has_formulas_of_this_process()
    memory = Memory()
    survey([Task("mlp")], jobs=2, memory=memory)
    assert not memory.path.exists()


def test_a_defect_in_one_model_is_a_row(monkeypatch):
    def fail(*args, **kwargs):
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr("cnninspect.store.measuring.figures_of", fail)
    (outcome,) = survey([Task("mlp")], jobs=1)
    assert outcome.kind == "Defect"
    assert "by nought" in outcome.error


@pytest.mark.parametrize("outcome", [*survey(SMALL[:1], jobs=1), Unmeasured("a", "b", "c", "d")])
def test_outcomes_can_be_written_and_read(outcome):
    assert read_outcome(written_outcome(outcome)) == outcome
    damaged = json.loads(written_outcome(outcome))
    damaged[type(outcome).__name__].pop(next(iter(damaged[type(outcome).__name__])))
    with pytest.raises((TypeError, KeyError, ValueError)):
        read_outcome(json.dumps(damaged))


def test_tasks_can_be_written_and_read():
    from cnninspect.records.models import InputRequest

    request = InputRequest((1, 3, 8, 8), "float32", None, None, 5)
    task = Task("x", (request,), 2, "train", "fvcore")
    assert read_task(written_task(task)) == task


def test_few_models_are_not_worth_processes():
    assert worthwhile_jobs(1) == worthwhile_jobs(9) == 1
    assert worthwhile_jobs(10_000) >= 1


def test_the_remembered_is_told_without_torch(tmp_path):
    import subprocess

    versions._fingerprint.cache_clear()  # the files may have changed since this process began
    versions.versions.cache_clear()
    survey(SMALL[:2], jobs=1, memory=Memory())
    code = (
        "import sys\n"
        "from cnninspect.store.cache import Memory\n"
        "from cnninspect.store.survey import survey\n"
        "from cnninspect.store.tasks import Task\n"
        "print(survey([Task('mlp')], memory=Memory())[0].totals.parameters, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["28326", "False"], done.stderr
