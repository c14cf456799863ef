"""Which tests reach which statement, found by running the tests once on a copy that tells.

In the copy each statement in a function begins with a call that adds its number to a set: that is
quick, needs no tracer, keeps line numbers, and works in processes that a test starts as well
(by `sitecustomize.py`, and by the variable in which pytest names the running test).
"""

from __future__ import annotations

import ast
import builtins
import gzip
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PROBE = "_reached_"

STARTUP = f'''"""Lets a process that a test starts tell which statements it reaches."""
import atexit, builtins, json, os
numbers = set()
builtins.{PROBE} = numbers.add

def tell():
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    with open(os.path.join(os.environ["MUTATION_REACH"], str(os.getpid())), "w") as file:
        json.dump([test, sorted(numbers)], file)

if "MUTATION_REACH" in os.environ:
    atexit.register(tell)
'''


@dataclass
class Statements:
    """The statements of a tree: each has a number, and a key that outlives edits elsewhere."""

    keys: list[str] = field(default_factory=list)

    def instrument(self, source: bytes, path: str) -> bytes:
        """The source, telling of each statement in a function; lines stay where they are."""
        starts = [0]
        for line in source.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        edits: list[tuple[int, int, str]] = []  # where, in which order at one place, what
        for function, statement in statements_of(ast.parse(source)):
            probe = f"{PROBE}({len(self.keys)})"
            header = header_of(statement)
            line = source[starts[statement.lineno - 1] : starts[statement.lineno]]
            self.keys.append(key_of(path, function, line.decode()))
            if header is None:
                edits.append((starts[statement.lineno - 1] + statement.col_offset, 0, f"{probe}; "))
            else:
                edits.append((starts[header.lineno - 1] + header.col_offset, 1, f"({probe} or ("))
                end = starts[header.end_lineno - 1] + header.end_col_offset  # type: ignore[operator]
                edits.append((end, -1, "))"))
        for position, _, text in sorted(edits, reverse=True):
            source = source[:position] + text.encode() + source[position:]
        return source


def key_of(path: str, function: str, line: str) -> str:
    """What a statement is known by: its module, its function, its first line."""
    digest = hashlib.sha256(" ".join(line.split()).encode()).hexdigest()[:8]
    return f"{path}:{function}:{digest}"


def statements_of(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """The statements within functions that can tell that they were reached."""
    yield from _within(tree, "", inside=False)


def _within(node: ast.AST, function: str, *, inside: bool) -> Iterator[tuple[str, ast.stmt]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{function}.{child.name}".strip(".")
            yield from _within(child, name, inside=not isinstance(child, ast.ClassDef))
            continue
        if inside and isinstance(child, ast.stmt):
            is_docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            if not is_docstring and (not _is_compound(child) or header_of(child) is not None):
                yield function, child
        if not isinstance(child, ast.expr):
            yield from _within(child, function, inside=inside)


def _is_compound(statement: ast.stmt) -> bool:
    return hasattr(statement, "body") or isinstance(statement, ast.Match)


def header_of(statement: ast.stmt) -> ast.expr | None:
    """The expression with which a compound statement begins, if it has one."""
    if isinstance(statement, ast.If | ast.While):
        return statement.test
    if isinstance(statement, ast.For):
        return statement.iter
    if isinstance(statement, ast.With):
        return statement.items[0].context_expr
    return statement.subject if isinstance(statement, ast.Match) else None


class Recorder:
    """A plugin of pytest that notes for each test how it ended and what it reached."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tests: dict[str, dict[str, Any]] = {}
        self.numbers: set[int] = set()
        self.of_fixtures: dict[tuple[str, str], set[int]] = {}
        setattr(builtins, PROBE, self.numbers.add)
        os.environ["MUTATION_REACH"] = str(folder)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.numbers.clear()
        self.tests[item.nodeid] = {"passed": True}
        start = time.perf_counter()
        yield
        found = self.tests[item.nodeid]
        found["seconds"] = round(time.perf_counter() - start, 4)
        found["reached"] = self.numbers | self._of_processes(item.nodeid) | self._of_shared(item)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Iterator[None]:
        """What a shared fixture reaches counts for every test that asks for it."""
        before = set(self.numbers)
        self.numbers.clear()
        yield
        if fixturedef.scope != "function":
            place = self.of_fixtures.setdefault((fixturedef.baseid, fixturedef.argname), set())
            place |= self.numbers
        self.numbers |= before

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.passed:
            self.tests[report.nodeid]["passed"] = False

    def _of_shared(self, item: Any) -> set[int]:
        definitions = item._fixtureinfo.name2fixturedefs
        names = {
            (d.baseid, d.argname) for name in item.fixturenames for d in definitions.get(name, ())
        }
        return set().union(*(self.of_fixtures.get(name, set()) for name in names))

    def _of_processes(self, test: str) -> set[int]:
        found: set[int] = set()
        for file in list(self.folder.iterdir()):
            try:
                told, numbers = json.loads(file.read_text())
            except ValueError:
                continue  # not written to its end yet
            file.unlink(missing_ok=True)
            found |= set(numbers) if told == test else set()
        return found


@dataclass(frozen=True, slots=True)
class Test:
    """A test, and what it took when nothing was wrong."""

    __test__ = False

    name: str
    seconds: float


@dataclass(slots=True)
class ReachMap:
    """Which tests that pass reach which statement, a file of tests at a time, kept in a folder."""

    folder: Path
    by_statement: dict[str, list[Test]] = field(default_factory=dict)
    by_function: dict[str, dict[str, Test]] = field(default_factory=dict)
    by_module: dict[str, dict[str, Test]] = field(default_factory=dict)
    everything: list[Test] = field(default_factory=list)
    at_large: list[Test] = field(default_factory=list)
    """Those that stand in no folder: they look at the whole package."""
    broken: list[str] = field(default_factory=list)
    """Tests that do not pass on the copy, so cannot tell a fault."""

    imports: dict[str, str] = field(default_factory=dict)
    """Text of each file of tests."""

    def names(self, test: str, path: str) -> bool:
        """Whether the file of a test names a module, as it does where it is about that one."""
        *package, name = Path(path).with_suffix("").parts
        text = self.imports.get(test.split("::")[0], "")
        dotted = ".".join(package)
        return f"{dotted}.{name} " in text or f"from {dotted} import {name}" in text

    def file_of(self, test_file: Path, root: Path) -> Path:
        """Where what is known of a file of tests is kept; its content is part of the name."""
        name = str(test_file.relative_to(root)).replace("/", "-").removesuffix(".py")
        digest = hashlib.sha256(test_file.read_bytes()).hexdigest()[:12]
        return self.folder / f"{name}-{digest}.json.gz"

    def write(self, place: Path, recorder: Recorder, keys: list[str]) -> None:
        """Keeps what a run of one file has told."""
        self.folder.mkdir(parents=True, exist_ok=True)
        reached = sorted({n for test in recorder.tests.values() for n in test.get("reached", ())})
        position = {number: i for i, number in enumerate(reached)}
        tests = {
            name: [
                test["passed"] and "seconds" in test,
                test.get("seconds", 0.0),
                f"{sum(1 << position[n] for n in test.get('reached', ())):x}",
            ]
            for name, test in recorder.tests.items()
        }
        content = {"statements": [keys[n] for n in reached], "tests": tests}
        new = place.with_suffix(f".{os.getpid()}")
        new.write_bytes(gzip.compress(json.dumps(content).encode(), compresslevel=3))
        new.replace(place)

    def read(self, place: Path) -> None:
        """Adds what is known of one file of tests."""
        content = json.loads(gzip.decompress(place.read_bytes()))
        statements: list[str] = content["statements"]
        for name, (passed, seconds, bits) in content["tests"].items():
            if not passed:
                self.broken.append(name)
                continue
            test, reached = Test(name, seconds), int(bits, 16)
            self.everything.append(test)
            if len(Path(name.split("::")[0]).parts) == 2:
                self.at_large.append(test)
            for i, key in enumerate(statements):
                if reached >> i & 1:
                    self.by_statement.setdefault(key, []).append(test)
                    path, function, _ = key.split(":")
                    self.by_function.setdefault(f"{path}:{function}", {})[name] = test
                    self.by_module.setdefault(path, {})[name] = test


def nearness(test: str, path: str) -> int:
    """How far a test is from a module: 0 in the mirrored folder, 1 in the same package, else 2."""
    folder = Path(test.split("::")[0]).parent.parts[1:]
    package = Path(path).parent.parts[1:]
    if folder == package or Path(test.split("::")[0]).stem[5:] == Path(path).stem:
        return 0
    return 1 if folder and folder[0] == package[0] else 2


def chosen_for(reach: ReachMap, key: str, *, is_told: bool, seconds: float) -> list[Test]:
    """The tests that reach a statement, while time lasts: those that are about its module first,
    then the nearest, then the quickest.

    Of a statement that cannot tell (`is_told`), since it stands outside functions or is the
    function's own line, these are the tests that reach the function, or else the module or
    everything.  Of a function that the map does not know, perhaps since it was moved after the map
    was made, they are those of its package.
    """
    path, function, _ = key.split(":")
    found = list(reach.by_statement.get(key, ()))
    if not is_told:
        by_function = reach.by_function.get(f"{path}:{function}")
        near = [test for test in reach.everything if nearness(test.name, path) == 0]
        at_large = {test.name: test for test in (*near, *reach.at_large)}
        found = list((by_function or {**reach.by_module.get(path, {}), **at_large}).values())
    elif f"{path}:{function}" not in reach.by_function:
        found = [test for test in reach.everything if nearness(test.name, path) < 2]
    chosen: list[Test] = []
    order = {
        test: (not reach.names(test.name, path), nearness(test.name, path), test.seconds, test.name)
        for test in found
    }
    for test in sorted(order, key=order.__getitem__):
        if chosen and seconds < test.seconds:
            continue
        seconds -= test.seconds
        chosen.append(test)
    return chosen
