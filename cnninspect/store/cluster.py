"""Sends tasks to a Dask cluster, in place of this machine's processes.

The same tasks, outcomes and order of arrival as `worker_pool.measure_side_by_side`; a task and its
outcome are one line of JSON each, so nothing is pickled but text.  A worker that is lost has its
tasks run elsewhere; a model that brings down three workers is a failed model.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import logging
import os
import socket
import stat
import tempfile
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cnninspect.errors import (
    BadOption,
    CnnInspectError,
    Failure,
    FileUnreadable,
    MissingLibrary,
    first_line,
)
from cnninspect.files import read_text
from cnninspect.metrics.figures import Unmeasured
from cnninspect.records.models import InputRequest
from cnninspect.sources.registry import reference_of
from cnninspect.store.cache import versions
from cnninspect.store.tasks import AnyTask, PointTask, read_outcome, read_task, written_task

ADDRESS = "DASK_SCHEDULER_ADDRESS"
"""The setting of the environment that names a scheduler, as for Dask itself."""
LOCAL, HERE = "local", "here"
"""Names for a cluster on this machine, and for no cluster, whatever the environment says."""
SCHEMES = ("tcp", "tls", "ws", "wss")
PORT = 8786
"""Where a scheduler listens that was told nothing else."""
PATIENCE = 10
"""Seconds in which a scheduler and a first worker have to answer."""
POINTS = 8
"""Points that travel together: the scheduler takes about a millisecond for each journey."""
WAITING = 3
"""Journeys for each thread of the cluster that are under way or wait there."""
SOURCES = ("zoo", "torchvision", "timm", "hf")
"""Whose versions must be the same everywhere."""


class ClusterSilent(Failure):
    """A cluster does not answer."""

    def __init__(self, tried: str, problem: str) -> None:
        super().__init__(
            f"no answer from the cluster {tried} in {PATIENCE} s: {problem}",
            "dask scheduler and dask worker start one; --cluster local uses this machine",
        )


class ClusterDiffers(Failure):
    """A worker has other versions, and would tell other numbers."""

    def __init__(self, worker: str, differences: Sequence[str]) -> None:
        super().__init__(
            f"the worker {worker} differs: {'; '.join(differences)}",
            "install the same versions there, with pip install -c constraints.txt",
        )


@dataclass(frozen=True, slots=True)
class Cluster:
    """Which cluster, and who named it."""

    address: str
    """`tcp://host:8786`, `local`, or a scheduler file that ends in .json."""
    is_named: bool
    """Whether it was named for this very question; only then code of one's own is sent to it."""


def cluster_of(typed: str | None) -> Cluster | None:
    """The cluster that was named, or that the environment names; None: this machine."""
    if typed == HERE:
        return None
    if typed:
        return Cluster(typed, is_named=True)
    address = os.environ.get(ADDRESS)
    return Cluster(address, is_named=False) if address else None


def travels(models: Iterable[Any], arguments: Iterable[Any]) -> bool:
    """Whether all of it can be told to a worker: references, and requests for tensors."""
    return all(isinstance(model, str) for model in models) and all(
        isinstance(argument, InputRequest) for argument in arguments
    )


def measure_on_cluster(
    tasks: Sequence[AnyTask], cluster: Cluster
) -> Generator[tuple[int, Any], None, None]:
    """The position of each task and what came of it, as they are done.

    Raises:
        MissingLibrary: dask.distributed is not installed.
        ClusterSilent: the cluster does not answer.
        ClusterDiffers: a worker has other versions.
    """
    with closing(_connected(cluster.address)) as client:
        _check_versions(client)
        yield from _measured(client, tasks, cluster)


def _connected(address: str) -> Any:
    try:
        from distributed import Client, LocalCluster
    except ImportError as problem:
        raise MissingLibrary("distributed", "cluster", "--cluster") from problem
    try:
        if address == LOCAL:
            # Workers that are slow to leave are of no interest to anybody.
            here = LocalCluster(
                threads_per_worker=1, dashboard_address=None, silence_logs=logging.ERROR
            )
            return _Owning(Client(here), here)
        if address.endswith(".json"):
            address = _address_in(address)
        _look_for(address)
        client = Client(address, timeout=PATIENCE)
    except CnnInspectError:
        raise
    except ValueError as problem:
        expected = f"tcp://host:8786, {LOCAL}, {HERE}, or a scheduler file: {first_line(problem)}"
        raise BadOption("--cluster", address, expected) from problem
    except Exception as problem:  # whatever a library of this address's kind raises
        raise ClusterSilent(address, first_line(problem)) from problem
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as problem:
        client.close()
        raise ClusterSilent(address, "its scheduler has no workers") from problem
    return client


def _look_for(address: str) -> None:
    """See that something listens there, before there is a client.

    One that fails as it connects is left in part, and waits for a lock for ever if Python finds it
    while another is made.

    Raises:
        ValueError: it is no address of a scheduler.
        OSError: nothing listens there.
    """
    from distributed.comm.addressing import parse_address, parse_host_port

    scheme, place = parse_address(address)
    if scheme not in SCHEMES:
        raise ValueError(f"{scheme}:// is none of {', '.join(SCHEMES)}")
    host, port = parse_host_port(place, PORT)
    if not host:
        raise ValueError("it names no host")
    socket.create_connection((host, port), timeout=PATIENCE).close()


def _address_in(path: str) -> str:
    """The address in a file that a scheduler wrote.

    Raises:
        FileMissing, FileUnreadable: there is no such file, or it names none.
    """
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as problem:
        raise FileUnreadable(path, f"it is not JSON: {first_line(problem)}") from problem
    address = content.get("address") if isinstance(content, dict) else None
    if not isinstance(address, str) or "://" not in address:
        raise FileUnreadable(
            path, "it names no address", "dask scheduler --scheduler-file writes one"
        )
    return address


class _Owning:
    """A client with the cluster that was started for it, and ends with it."""

    def __init__(self, client: Any, cluster: Any) -> None:
        self._client = client
        self._cluster = cluster

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def close(self) -> None:
        """Let both go."""
        self._client.close()
        self._cluster.close()


def versions_here() -> list[str]:
    """Names and versions of what has a part in any figure, in this process."""
    return list(dict.fromkeys(line for source in SOURCES for line in versions(source)))


def _check_versions(client: Any) -> None:
    ours = versions_here()
    try:
        found: dict[str, list[str]] = client.run(versions_here)
    except Exception as problem:  # what a worker says that lacks the package, or has an older one
        raise ClusterDiffers("that was asked", [first_line(problem)]) from problem
    for worker, theirs in sorted(found.items()):
        if theirs != ours:
            missing = [line for line in ours if line not in theirs]
            other = [line for line in theirs if line not in ours]
            pairs = [f"{b or 'nothing'} there, {a} here" for a, b in _aligned(missing, other)]
            raise ClusterDiffers(worker, pairs or [f"{line} there alone" for line in other])


def _aligned(ours: Sequence[str], theirs: Sequence[str]) -> list[tuple[str, str]]:
    by_name = {line.partition(" ")[0]: line for line in theirs}
    return [(line, by_name.get(line.partition(" ")[0], "")) for line in ours]


Journey = list[tuple[int, str, "Code | None"]]


@dataclass(frozen=True, slots=True)
class Code:
    """A file of somebody's own code that travels with a task."""

    path: str
    """As the reference names it."""
    text: str
    sha256: str


def _measured(
    client: Any, tasks: Sequence[AnyTask], cluster: Cluster
) -> Generator[tuple[int, Any], None, None]:
    """Keeps a few journeys for each thread under way, and takes apart those that failed."""
    from distributed import as_completed

    waiting: list[Journey] = []
    for position, task in enumerate(tasks):
        try:
            code = _code_of(task, cluster)
        except CnnInspectError as problem:
            kind = type(problem).__name__
            yield position, Unmeasured(task.reference, str(problem), problem.hint, kind)
            continue
        item = (position, written_task(task), code)
        if isinstance(task, PointTask) and waiting and len(waiting[-1]) < POINTS:
            waiting[-1].append(item)
        else:
            waiting.append([item])
    waiting.reverse()
    under_way: dict[Any, Journey] = {}

    def send() -> Any:
        journey = waiting.pop()
        future = client.submit(answers, journey, pure=False)
        under_way[future] = journey
        return future

    threads = sum(client.nthreads().values()) or 1
    first = [send() for _ in range(min(len(waiting), WAITING * threads))]
    arriving = as_completed(first)
    for future in arriving:
        journey = under_way.pop(future)
        if future.status == "finished":
            for (position, _, _), line in zip(journey, future.result()):
                yield position, read_outcome(line)
        elif len(journey) > 1:  # one of them brought its workers down: each by itself
            waiting += [[item] for item in reversed(journey)]
        else:
            position = journey[0][0]
            said = first_line(future.exception() or RuntimeError(future.status))
            hint = "cnninspect summary shows more"
            yield position, Unmeasured(tasks[position].reference, said, hint, "ProcessEnded")
        while waiting and len(under_way) < WAITING * threads:
            arriving.add(send())


def _code_of(task: AnyTask, cluster: Cluster) -> Code | None:
    """The file of code that a task needs; None: it needs none.

    Raises:
        CodeStays: the cluster was not named for this question, or it is no file.
    """
    reference = reference_of(task.reference)
    if reference.source != "python":
        return None
    path = reference.name.rpartition(":")[0] or reference.name
    if not cluster.is_named:
        raise CodeStays(path)
    if not path.endswith(".py"):
        raise CodeStays(path, "only a file travels, not a package")
    text = read_text(path)
    return Code(path, text, hashlib.sha256(text.encode()).hexdigest())


class CodeStays(Failure):
    """Code of one's own is not sent anywhere unasked."""

    def __init__(self, path: str, problem: str = "the cluster is that of the environment") -> None:
        super().__init__(f"{path} is not sent away: {problem}", "name the cluster with --cluster")


def answers(journey: Journey) -> list[str]:
    """What comes of each task, as lines of JSON: what a worker runs."""
    from cnninspect.store.points import outcome_of
    from cnninspect.store.tasks import written_outcome

    lines = []
    for _, line, code in journey:
        task = read_task(line)
        if code is None:
            lines.append(written_outcome(outcome_of(task)))
            continue
        path = _laid_down(code)
        here = replace(task, reference=task.reference.replace(code.path, path, 1))
        answer = written_outcome(outcome_of(here))
        lines.append(answer.replace(json.dumps(path)[1:-1], json.dumps(code.path)[1:-1]))
    return lines


def _laid_down(code: Code) -> str:
    """Where the file is now, in a folder of its own by its hash.

    Raises:
        ValueError: it is not what was sent, or others could change it.
    """
    if hashlib.sha256(code.text.encode()).hexdigest() != code.sha256:
        raise ValueError(f"{code.path} is not what was sent")
    folder = Path(tempfile.gettempdir()) / f"cnninspect-{getpass.getuser()}-{code.sha256[:24]}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or (
        os.name == "posix" and (found.st_uid != os.geteuid() or found.st_mode & 0o022)
    ):
        raise ValueError(f"{folder} is somebody else's, or others may write into it")
    path = folder / Path(code.path).name
    if not path.exists() or path.read_text(encoding="utf-8") != code.text:
        forerunner = folder / f".{path.name}.{os.getpid()}"
        forerunner.write_text(code.text, encoding="utf-8")
        forerunner.replace(path)
    return str(path)
