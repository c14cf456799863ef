"""Passes and counters that are spread over a cluster: the same answers, part by part.

The way there and back is that of a worker, without the cluster: tasks and outcomes as lines.
"""

import pytest

import cnninspect
from cnninspect.commands.audit.measuring import spreading as counters
from cnninspect.commands.gradients import spreading as passes
from cnninspect.errors import BadOption, Failure, FileMissing, UnknownModel
from cnninspect.metrics.figures import Unmeasured
from cnninspect.records.passes import GradientSettings
from cnninspect.store.cluster import ADDRESS, answers
from cnninspect.store.measuring import error_of, unmeasured
from cnninspect.store.tasks import PartTask, read_outcome, read_task, written_outcome, written_task

CODE = """
from torch import nn
def make():
    return nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
"""


@pytest.fixture
def sent(monkeypatch):
    """Tasks that went to a cluster, which answers from the last one to the first."""
    tasks = []

    def measure_on_cluster(asked, cluster):
        tasks.extend(asked)
        for position, task in reversed(list(enumerate(asked))):
            (line,) = answers([(position, written_task(task), None)])
            yield position, read_outcome(line)

    for module in (passes, counters):
        monkeypatch.setattr(module, "measure_on_cluster", measure_on_cluster)
    return tasks


def as_json(report):
    return cnninspect.render(report, format="json")


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"seeds": 2, "batches": 2}, 8),
        ({"seeds": 2, "steps": 2}, 4),
        ({"seeds": 2, "freeze": ("*",), "unfreeze": ("*weight",)}, 4),
        ({"data": "digits", "batches": 2}, 2),
    ],
    ids=["batches", "steps", "frozen", "images"],
)
def test_passes_there_are_those_here(sent, options, parts):
    models = ["mlp", "lenet5_modern"]
    here = cnninspect.gradients(models, batch=2, **options)
    assert not sent
    told = []
    there = cnninspect.gradients(
        models, batch=2, cluster="tcp://a:1", progress=lambda *at: told.append(at), **options
    )
    assert len(sent) == parts
    assert as_json(there) == as_json(here)
    assert told[-1][0] == told[-1][1]


def test_batches_that_depend_on_those_before_them_stay_together():
    batch_norm, plain = cnninspect.trace("resnet20"), cnninspect.trace("mlp")
    assert passes.is_told_apart(batch_norm, GradientSettings())
    assert passes.is_told_apart(plain, GradientSettings())
    assert not passes.is_told_apart(plain, GradientSettings(steps=1))
    assert not passes.is_told_apart(plain, GradientSettings(data="digits"))


def test_code_of_ones_own_may_count_its_calls(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(CODE)
    traced = cnninspect.trace(f"{path}:make", (1, 4))
    assert not passes.is_told_apart(traced, GradientSettings())


def test_what_fails_there_fails_as_it_would_here(sent, tmp_path):
    said = []
    for where in (None, "tcp://a:1"):
        with pytest.raises(FileMissing) as caught:
            cnninspect.gradients("mlp", data=str(tmp_path / "nosuch"), cluster=where)
        said.append((str(caught.value), caught.value.hint, caught.value.exit_code))
    assert said[0] == said[1]
    assert sent


def test_an_outcome_is_the_error_that_it_was():
    error = UnknownModel("nosuch", ["such"])
    again = error_of(unmeasured("nosuch", error))
    assert (type(again), str(again), again.hint) == (UnknownModel, str(error), error.hint)
    again = error_of(Unmeasured("a", "its process ended", "", "ProcessEnded"))
    assert (type(again), str(again)) == (Failure, "its process ended")


@pytest.mark.parametrize("name", ["mlp", "lenet5_modern"])
def test_counters_there_are_those_here(sent, name):
    options = {"counters": ("fvcore", "torchinfo", "flop_counter", "published"), "batch": 2}
    here = cnninspect.audit(name, **options)
    there = cnninspect.audit(name, cluster="tcp://a:1", **options)
    assert as_json(there) == as_json(here)
    assert len(sent) == 3


def test_the_graph_of_an_export_is_counted_there(sent):
    here = cnninspect.audit("mlp", counters=("onnx",))
    there = cnninspect.audit("mlp", counters=("onnx",), cluster="tcp://a:1")
    assert as_json(there) == as_json(here)
    assert [task.function for task in sent] == [counters.GRAPH]
    assert there.counters[0].total == here.macs


def test_a_tool_that_brings_its_worker_down_gave_no_number(monkeypatch):
    ended = Unmeasured("mlp", "its process was ended by signal 11", "", "ProcessEnded")
    monkeypatch.setattr(counters, "measure_on_cluster", lambda *_: (each for each in [(0, ended)]))
    counter = cnninspect.audit("mlp", counters=("fvcore",), cluster="tcp://a:1").counters[0]
    assert (counter.total, counter.problem) == (None, ended.error)


def test_only_what_can_be_told_is_sent(sent, monkeypatch):
    import torch

    module, x = torch.nn.Linear(4, 2), torch.ones(2, 4)
    for ask in (cnninspect.gradients, cnninspect.audit):
        with pytest.raises(BadOption, match="tcp://a:1 is not possible"):
            ask(module, (2, 4), cluster="tcp://a:1")
    with pytest.raises(BadOption, match="tcp://a:1 is not possible"):
        cnninspect.gradients("mlp", targets=x, cluster="tcp://a:1")
    monkeypatch.setenv(ADDRESS, "tcp://a:1")
    cnninspect.gradients(module, x)  # stays here
    cnninspect.gradients("mlp", cluster="here")
    assert not sent
    cnninspect.gradients("mlp")
    assert sent


def test_a_part_is_a_function_of_this_package(tmp_path):
    task = PartTask("mlp", "os:system", {"command": f"touch {tmp_path / 'x'}"})
    assert read_task(written_task(task)) == task
    (line,) = answers([(0, written_task(task), None)])
    outcome = read_outcome(line)
    assert "not of this package" in outcome.error
    assert written_outcome(outcome) == line
    assert not list(tmp_path.glob("x"))
