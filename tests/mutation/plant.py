"""Plants faults, one at a time, and tells which the tests let pass: `plant.py --help`.

Each fault is planted in a copy of the checkout in a temporary folder.  The tests that reach it run
there, the nearest first, until one fails.  A process that has imported torch is forked for each
fault.  What is known (which tests reach what, which faults are killed) is kept in a cache folder
outside the checkout, so that a run can be interrupted and goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mutants import Mutant, is_valid, mutants_of
from outcomes import Explained, Outcome, table
from reach import STARTUP, ReachMap, Recorder, Statements, chosen_for, key_of

ROOT = Path(__file__).parents[2]
EXPLAINED = Path(__file__).with_name("explained.json")
PACKAGES = (
    "costs", "records", "metrics", "engine", "checkpoints", "sources", "page", "store", "commands",
)  # fmt: skip
TOO_FAR = ("docs", "fuzz", "browser", "benchmarks", "mutation", "zoo")
"""Folders of tests that are not asked: they run whole commands or many networks."""
PRELOADED = ("torch", "numpy", "onnx", "typer.testing", "rich")


def main() -> None:
    """Draws faults, plants them, and prints what became of them."""
    global ROOT
    options = arguments()
    cache = options.cache.expanduser()
    if options.root == ROOT:
        for name in PRELOADED:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    ROOT = options.root.resolve()
    drawn = draw(options.package or PACKAGES, options.seed, options.sample)
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        told, reach = reached(Path(folder) / "telling", cache, options.tests)
        copies = [copy_of_checkout(Path(folder) / str(i)) for i in range(options.jobs)]
        outcomes = []
        explained = Explained.read(EXPLAINED)
        # All that depends on the files is worked out first: they may change while this runs.
        places = {mutant: _place(mutant, cache) for mutant in drawn}
        keys = {mutant: _key(mutant) for mutant in drawn}
        work = [(m, None if options.afresh else known(m, places[m])) for m in drawn]
        for outcome in ran(work, keys, copies, told, reach, options, explained):
            outcomes.append(outcome)
            remember(outcome, places[outcome.mutant])
            if outcome.state != "killed":
                print(outcome.text(), flush=True)
    text = table(outcomes, seed=options.seed)
    print(text)
    if reach.broken:
        print(f"{len(reach.broken)} tests do not pass on a copy, so were not asked, such as")
        print(*reach.broken[:5], sep="\n")
    if options.write:
        write(text)
    sys.exit(3 if any(outcome.state == "survived" for outcome in outcomes) else 0)


def arguments() -> argparse.Namespace:
    """What was typed."""
    parser = argparse.ArgumentParser(description="Plants faults, and tells which the tests miss.")
    parser.add_argument("--sample", type=int, default=300, help="how many faults")
    parser.add_argument("--seed", type=int, default=1, help="which ones; a larger sample adds some")
    parser.add_argument("--package", choices=PACKAGES, action="append", help="all by default")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--seconds", type=float, default=60, help="of tests for a fault, at most")
    parser.add_argument(
        "--tests", action="append", help="a folder or a file below tests/ to ask; all by default"
    )
    parser.add_argument("--afresh", action="store_true", help="also those known to be killed")
    parser.add_argument("--write", action="store_true", help="the table into docs/contributing.md")
    parser.add_argument("--root", type=Path, default=ROOT, help="of another checkout")
    parser.add_argument("--cache", type=Path, default=Path("~/.cache/cnninspect-mutation"))
    return parser.parse_args()


def write(text: str) -> None:
    """Puts the table between its markers on the page."""
    start, end = (
        "<!-- mutation: written by tests/mutation/plant.py -->\n",
        "<!-- end of mutation -->",
    )
    page = ROOT / "docs" / "contributing.md"
    head, _, rest = page.read_text().partition(start)
    page.write_text(f"{head}{start}\n{text}\n\n{end}{rest.partition(end)[2]}")


# --- which faults ---


def draw(packages: Sequence[str], seed: int, count: int) -> list[Mutant]:
    """So many faults by a seed: lines are drawn, and of each one fault, so no line weighs more."""
    best: dict[tuple[str, int], Mutant] = {}
    for package in packages:
        for file in sorted((ROOT / "cnninspect" / package).rglob("*.py")):
            path = str(file.relative_to(ROOT))
            for mutant in mutants_of(file.read_bytes(), path):
                place = (path, mutant.line)
                if place not in best or mutant.rank(seed) < best[place].rank(seed):
                    best[place] = mutant
    drawn: list[Mutant] = []
    for mutant in sorted(best.values(), key=lambda mutant: mutant.rank(seed)):
        if len(drawn) == count:
            break
        if is_valid(mutant, (ROOT / mutant.path).read_bytes()):
            drawn.append(mutant)
    return drawn


# --- which tests ---


def copy_of_checkout(folder: Path) -> Path:
    """A copy of what git knows and does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def reached(folder: Path, cache: Path, tests: Sequence[str] | None) -> tuple[set[str], ReachMap]:
    """Every statement that can tell, and which tests reach it; what is not known yet is found."""
    copy, statements = copy_of_checkout(folder), Statements()
    for file in sorted((copy / "cnninspect").rglob("*.py")):
        path = str(file.relative_to(copy))
        file.write_bytes(statements.instrument(file.read_bytes(), path))
    (copy / "sitecustomize.py").write_text(STARTUP)
    reach = ReachMap(cache / "reach")
    for test_file in sorted((copy / "tests").rglob("test_*.py")):
        inside = test_file.relative_to(copy / "tests")
        if inside.parts[0] in TOO_FAR:
            continue
        if tests and not {str(inside.parent), str(inside)} & set(tests):
            continue
        place = reach.file_of(test_file, copy)
        if not place.exists():
            print(f"… {test_file.relative_to(copy)}", file=sys.stderr, flush=True)
            name = str(test_file.relative_to(copy))
            tell = partial(_tell, name, place, reach, statements.keys)
            if in_fork(copy, tell, limit=3600) not in (0, 1):
                output = Path(f"{copy}.out").read_text(errors="replace")
                print("\n".join(output.splitlines()[-20:]), file=sys.stderr, flush=True)
        if place.exists():
            reach.read(place)
            reach.imports[str(test_file.relative_to(copy))] = test_file.read_text()
    return set(statements.keys), reach


def _tell(test_file: str, place: Path, reach: ReachMap, keys: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder))
        code = run_pytest([test_file], recorder)
        reach.write(place, recorder, keys)
    return code


def run_pytest(arguments: list[str], *plugins: object) -> int:
    """Runs tests in this process, away from caches and from plugins that change their order."""
    quiet = ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly", "-q", "--no-header"]
    return int(pytest.main([*quiet, "--tb=line", *arguments], plugins=list(plugins)))


# --- planting them ---


@dataclass(eq=False)  # pytest puts its plugins into sets
class Chosen:
    """A plugin of pytest that runs these tests, in this order, and notes which one fails first."""

    names: list[str]
    found: Path

    def pytest_collection_modifyitems(self, items: list[Any], config: Any) -> None:
        order = {name: i for i, name in enumerate(self.names)}
        items[:] = sorted((i for i in items if i.nodeid in order), key=lambda i: order[i.nodeid])

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.found.exists():
            self.found.write_text(report.nodeid)


def _key(mutant: Mutant) -> str:
    """What the statement around a fault is known by among those that are reached."""
    lines = (ROOT / mutant.path).read_text().splitlines()
    return key_of(mutant.path, mutant.function, lines[mutant.statement - 1])


def ran(
    work: list[tuple[Mutant, Outcome | None]], keys: dict[Mutant, str], copies: list[Path],
    told: set[str], reach: ReachMap, options: argparse.Namespace, explained: Explained,
) -> Iterator[Outcome]:  # fmt: skip
    """What becomes of each fault, with as many at a time as there are copies."""
    running: dict[int, tuple[Path, Mutant, Callable[[], Outcome]]] = {}
    waiting, free = list(work), list(copies)
    while waiting or running:
        while waiting and free:
            mutant, outcome = waiting.pop(0)
            if outcome is None and (reason := explained.reason(mutant)):
                outcome = Outcome(mutant, "explained", reason)
            if outcome is None:
                key = keys[mutant]
                tests = chosen_for(reach, key, is_told=key in told, seconds=options.seconds)
                if tests:
                    copy = free.pop()
                    pid, finish = plant(mutant, copy, tests)
                    running[pid] = copy, mutant, finish
                    continue
                outcome = Outcome(mutant, "survived", "no test reaches it")
            yield outcome
        if running:
            pid = wait_for_one(list(running))
            copy, mutant, finish = running.pop(pid)
            free.append(copy)
            yield finish()


def plant(mutant: Mutant, copy: Path, tests: Sequence[Any]) -> tuple[int, Callable[[], Outcome]]:
    """Starts the tests on a copy with the fault; what is returned mends the copy and tells."""
    file = copy / mutant.path
    whole = file.read_bytes()
    write_source(file, mutant.apply(whole))
    names = [test.name for test in tests]
    found = Path(f"{copy}.found")
    found.unlink(missing_ok=True)
    files = list(dict.fromkeys(name.split("::")[0] for name in names))
    limit = 60 + 10 * sum(test.seconds for test in tests)
    start = time.monotonic()
    pid = fork(copy, lambda: run_pytest(["-x", *files], Chosen(names, found)), limit=limit)

    def finish() -> Outcome:
        write_source(file, whole)
        code, seconds = STATUS.pop(pid), time.monotonic() - start
        by = found.read_text() if found.exists() else ENDS.get(code, "")
        if not by:
            how = f"{len(names)} tests" if code == 0 else f"the tests did not run: exit {code}"
            return Outcome(mutant, "survived", how, seconds)
        return Outcome(mutant, "killed", by, seconds)

    return pid, finish


ENDS = {
    int(pytest.ExitCode.INTERRUPTED): "a file of tests cannot be imported",
    int(pytest.ExitCode.USAGE_ERROR): "a conftest.py cannot be imported",
    -signal.SIGALRM: "it takes too long",
    -signal.SIGSEGV: "the process dies",
}
STATUS: dict[int, int] = {}
_WRITTEN = 0


def write_source(file: Path, source: bytes) -> None:
    """Writes a module with a time of its own, so that no compiled form of another is taken."""
    global _WRITTEN
    _WRITTEN += 1
    file.write_bytes(source)
    os.utime(file, (10**9 + _WRITTEN, 10**9 + _WRITTEN))


def fork(copy: Path, work: Callable[[], int], *, limit: float) -> int:
    """A child that does the work on a copy, in a group of processes of its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.setsid()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(int(limit))
        with Path(f"{copy}.out").open("wb") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(copy)
        os.environ["PYTHONPATH"] = str(copy)
        os.environ.pop("PYTEST_ADDOPTS", None)
        sys.path[:] = [
            str(copy),
            *(p for p in sys.path if p not in (str(ROOT), str(Path(__file__).parent))),
        ]
        code = work()
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def in_fork(copy: Path, work: Callable[[], int], *, limit: float) -> int:
    """What the work gives, done in a child on a copy."""
    pid = fork(copy, work, limit=limit)
    wait_for_one([pid])
    return STATUS.pop(pid)


def wait_for_one(pids: list[int]) -> int:
    """Waits until one of the children ends, and ends what it has started."""
    while True:
        pid, status = os.wait()
        if pid in pids:
            STATUS[pid] = os.waitstatus_to_exitcode(status)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)  # the group of this child alone
            return pid


# --- what is remembered ---


def _place(mutant: Mutant, cache: Path) -> Path:
    """A killed fault is known as long as its file stays as it is."""
    source = (ROOT / mutant.path).read_bytes()
    digest = hashlib.sha256(mutant.name.encode() + source).hexdigest()[:24]
    return cache / "killed" / digest


def known(mutant: Mutant, place: Path) -> Outcome | None:
    """That it was killed, if an earlier run has seen that; survivors are tried again."""
    if not place.exists():
        return None
    return Outcome(mutant, "killed", *json.loads(place.read_text()))


def remember(outcome: Outcome, place: Path) -> None:
    """Keeps that a fault was killed, by which test and in what time."""
    if outcome.state == "killed":
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps([outcome.told, outcome.seconds]))


if __name__ == "__main__":
    main()
