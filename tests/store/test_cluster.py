"""A Dask cluster in place of this machine's processes: a real scheduler and two workers."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cnninspect
from cnninspect.errors import BadOption, FileUnreadable, MissingLibrary
from cnninspect.store import cluster
from cnninspect.store.cluster import (
    ADDRESS,
    Cluster,
    ClusterDiffers,
    ClusterSilent,
    Code,
    CodeStays,
    answers,
    cluster_of,
    versions_here,
)
from cnninspect.store.tasks import PointTask, Task, read_outcome, written_task

pytest.importorskip("distributed")
CODE = """
import time
from torch import nn
def make(width=4):
    time.sleep(0.05)
    return nn.Linear(4, width)
"""
BOTH = """
import cnninspect, sys
cluster = sys.argv[1] if __name__ == "__main__" else "here"
models = ["mlp", "lenet5_modern"]
found = [
    cnninspect.render(report, format="json")
    for report in (
        cnninspect.gradients(models, batch=2, seeds=2, cluster=cluster),
        cnninspect.audit("mlp", counters=("fvcore",), cluster=cluster),
    )
]
if __name__ == "__main__":
    print(*found, sep="\\n")
"""
SPACE = "net.py:make@width=1..40"


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """A scheduler file and two workers, whose folder has nothing of ours in it."""
    folder = tmp_path_factory.mktemp("cluster")
    dask = str(Path(sys.executable).with_name("dask"))
    where = ["--scheduler-file", str(folder / "scheduler.json"), "--host", "127.0.0.1"]
    quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = [
        subprocess.Popen([dask, "scheduler", *where, "--port", "0", "--no-dashboard"], **quiet)
    ]
    worker = [dask, "worker", *where, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    started += [subprocess.Popen(worker, **quiet) for _ in range(2)]
    yield folder / "scheduler.json", started[1:]
    for process in started:
        process.kill()
        process.wait()


def command(*arguments, cwd, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "cnninspect", *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def test_a_cluster_answers_like_this_machine_also_when_it_loses_a_worker(
    workers, tmp_path, monkeypatch
):
    file, (first, _) = workers
    (tmp_path / "net.py").write_text(CODE)
    asked = ("sweep", SPACE, "--input", "4", "--axes", "macs", "--format", "json")
    running = command(*asked, "--cluster", str(file), "--rows", "rows.jsonl", cwd=tmp_path)
    rows = tmp_path / "rows.jsonl"
    while running.poll() is None and not (rows.exists() and rows.read_text()):
        time.sleep(0.02)
    assert first.poll() is None
    first.kill()
    there, err = running.communicate()
    assert running.returncode == 0, err
    monkeypatch.chdir(tmp_path)
    here = cnninspect.sweep(SPACE, inputs=(1, 4), axes=("macs",), remember=False)
    assert there == cnninspect.render(here, format="json")
    assert (here.measured, here.failed) == (40, ())
    models = ["mlp", "lenet5_modern", "net.py:make@width=3"]
    asked = ("compare", *models, "--no-cache", "--cluster", str(file), "--format", "json")
    there, _ = command(*asked, cwd=tmp_path).communicate()
    assert there == cnninspect.render(cnninspect.compare(models), format="json")
    done = subprocess.run([sys.executable, "-c", BOTH, str(file)], capture_output=True, text=True)
    asked = {}
    exec(BOTH, asked)  # without a cluster
    assert done.stdout == "".join(f"{text}\n" for text in asked["found"]), done.stderr
    address = json.loads(file.read_text())["address"]
    unasked = command("sweep", SPACE, "--input", "4", cwd=tmp_path, **{ADDRESS: address})
    out, _ = unasked.communicate()
    assert unasked.returncode == 1
    assert "net.py is not sent away" in out


def test_a_cluster_that_does_not_answer_is_an_error_that_says_what_was_tried():
    code = (
        "import cnninspect\n"
        "from cnninspect.store import cluster\n"
        "cluster.PATIENCE = 1\n"
        "for address in ('tcp://127.0.0.1:9', 'tcp://'):\n"
        "    try: cnninspect.sweep('mlp', cluster=address)\n"
        "    except cnninspect.CnnInspectError as problem: print(type(problem).__name__, problem)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    silent, none = done.stdout.splitlines()
    assert silent.startswith("ClusterSilent no answer from the cluster tcp://127.0.0.1:9 in 1 s")
    assert none.startswith("BadOption cluster= tcp:// is not possible")


def test_a_worker_with_other_versions_is_named_with_what_differs():
    ours = versions_here()

    class Client:
        def run(self, _):
            return {
                "tcp://a:1": ours,
                "tcp://b:2": [line.replace("torch ", "torch 0") for line in ours],
            }

    with pytest.raises(
        ClusterDiffers, match=r"tcp://b:2 differs: torch 0\S+ there, torch \S+ here"
    ):
        cluster._check_versions(Client())
    Client.run = lambda self, _: {"tcp://a:1": ours}
    cluster._check_versions(Client())


def test_code_travels_by_content_and_is_what_was_sent(tmp_path):
    task = PointTask("somewhere/else/net.py:make@width=3")
    code = Code("somewhere/else/net.py", CODE, cluster.hashlib.sha256(CODE.encode()).hexdigest())
    (line,) = answers([(0, written_task(task), code)])
    point = read_outcome(line)
    assert point.reference == task.reference
    assert point.totals.parameters == 15
    with pytest.raises(ValueError, match="not what was sent"):
        answers([(0, written_task(task), Code(code.path, CODE + "#", code.sha256))])


def test_only_a_cluster_that_was_named_gets_code(tmp_path, monkeypatch):
    path = tmp_path / "net.py"
    path.write_text(CODE)
    task = Task(f"{path}:make")
    assert cluster._code_of(task, Cluster("x", is_named=True)).text == CODE
    with pytest.raises(CodeStays):
        cluster._code_of(task, Cluster("x", is_named=False))
    assert cluster._code_of(Task("mlp"), Cluster("x", is_named=False)) is None
    monkeypatch.setenv(ADDRESS, "tcp://a:1")
    assert cluster_of(None) == Cluster("tcp://a:1", is_named=False)
    assert cluster_of("local") == Cluster("local", is_named=True)
    monkeypatch.delenv(ADDRESS)
    assert cluster_of(None) is None


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingLibrary, match="distributed"):
        cluster._connected("local")


@pytest.mark.parametrize("text", [
    "[" * 100_000, "9" * 5000, "NaN", "[]", '{"address": 1}', '{"address": "x"}', "{}",
])  # fmt: skip
def test_a_scheduler_file_that_names_no_address_is_one_clear_error(text, tmp_path):
    path = tmp_path / "scheduler.json"
    path.write_text(text)
    with pytest.raises(FileUnreadable):
        cluster._address_in(str(path))
    path.write_text('{"address": "tcp://127.0.0.1:1", "type": "Scheduler"}')
    assert cluster._address_in(str(path)) == "tcp://127.0.0.1:1"


@pytest.mark.parametrize("address", ["ucx://x", "tls://localhost:1", "evil://x", "inproc://x"])
def test_an_address_of_another_kind_is_one_clear_error(address, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(distributed, "Client", None)  # there must not be one that fails

    def refused(*_, **__):
        raise ConnectionRefusedError

    monkeypatch.setattr(cluster.socket, "create_connection", refused)
    with pytest.raises((BadOption, ClusterSilent)):
        cluster._connected(address)
