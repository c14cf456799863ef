"""Faults are planted where they are said to be, and tests that miss them are told."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mutants import Mutant, is_valid, mutants_of
from outcomes import Explained, Outcome, package_of, table
from reach import PROBE, ReachMap, Statements, Test, chosen_for, key_of, nearness

import cnninspect

HERE = Path(__file__).parent
PACKAGE = Path(cnninspect.__file__).parent


def changes(source: str) -> set[tuple[str, str]]:
    """Kinds of faults, and the whole file with each."""
    found = mutants_of(source.encode(), "cnninspect/x.py")
    assert all(is_valid(mutant, source.encode()) for mutant in found)
    return {(m.operator, m.apply(source.encode()).decode().strip()) for m in found}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a < b", {("comparison", "a <= b")}),
        ("a is not None", {("comparison", "a is None")}),
        ("a not in b", {("comparison", "a in b")}),
        ("(a) >= (\n b)", {("comparison", "(a) > (\n b)")}),
        ("a + b", {("arithmetic", "a - b")}),
        ("a * b", {("arithmetic", "a // b")}),
        ("a += b", {("arithmetic", "a -= b")}),
        ("a // b", {("arithmetic", "a * b")}),
        ("f'{a}' + b", set()),
        ("a and b or c", {("and, or", "a or b or c"), ("and, or", "a and b and c")}),
        ("x = not a", {("not", "x =  a")}),
        ("x = 2", {("constant", "x = 3"), ("constant", "x = 1")}),
        ("x = 0", {("constant", "x = 1"), ("constant", "x = (-1)")}),
        ("x = True", {("boolean", "x = False")}),
        ("x = 'text'", set()),
        ("def f() -> bool:\n  return a", {("returned", "def f() -> bool:\n  return not (a)")}),
        ("def f() -> int:\n  return a", {("returned", "def f() -> int:\n  return 0")}),
        ("def f():\n  return a", {("returned", "def f():\n  return None")}),
        ("def f():\n  return None", set()),
        ("x = f(a, k=b)", {("keyword", "x = f(a)")}),
        ("x = f(k=a, l=b)", {("keyword", "x = f(l=b)"), ("keyword", "x = f(k=a)")}),
        ("x = a[b:]", {("slice", "x = a[(b) + 1:]")}),
        ("x = a[:b]", {("slice", "x = a[:(b) - 1]")}),
        ("f(a)", {("statement", "pass")}),
        ("try:\n  a\nfinally:\n  f()", {("restoration", "try:\n  a\nfinally:\n  pass")}),
        ("def f():\n  yield\n  a = b", {("restoration", "def f():\n  yield\n  pass")}),
        ("def __exit__(self):\n  a = b", {("restoration", "def __exit__(self):\n  pass")}),
        ("def f(a: 'int | 3' = b) -> 4: '''5'''", set()),
        ("if TYPE_CHECKING:\n  f(1)", set()),
        ("x = 'é' if a == b else c", {("comparison", "x = 'é' if a != b else c")}),
    ],
)  # fmt: skip
def test_a_fault_is_one_small_change(source, expected):
    assert changes(source) == expected


def test_a_fault_is_known_by_its_content_wherever_it_stands():
    source = "class A:\n    def f(self):\n        return (\n            a < b\n        )\n"
    _, before = mutants_of(source.encode(), "cnninspect/x.py")
    _, moved = mutants_of(b"x = y\n\n\n" + source.encode(), "cnninspect/y.py")
    assert (before.function, before.line, before.statement) == ("A.f", 4, 3)
    assert (moved.line, moved.statement) == (7, 6)
    assert before.name == moved.name == "A.f: a < b → a <= b"
    assert before.rank(1) == moved.rank(1) != before.rank(2)


# --- which tests reach it ---

SOURCE = '''"""What it does."""
from __future__ import annotations
X = 3


def f(x, *, y=2):
    """Doc."""
    if (
        x > 1
    ):
        return (x,
                y)
    elif x < 0: return None
    for i in range(3): x += i
    with open(__file__) as file, file:
        pass
    match x:
        case 3:
            y = 5
    try:
        x / 0
    except ZeroDivisionError:
        x = [z for z in (1, 2)]
    while x and y:
        y = None
    return g(lambda: x)


def g(h):
    return h()
'''


def test_a_source_that_tells_does_the_same_on_the_same_lines():
    statements, reached = Statements(), []
    told = statements.instrument(SOURCE.encode(), "cnninspect/x.py").decode()
    assert told.count("\n") == SOURCE.count("\n")
    plain, telling = {"__file__": __file__}, {"__file__": __file__, PROBE: reached.append}
    exec(compile(SOURCE, "x", "exec"), plain)
    exec(compile(told, "x", "exec"), telling)
    for x in (5, -1, 0, 1):
        assert plain["f"](x) == telling["f"](x)
    assert set(reached) == set(range(len(statements.keys)))
    reached.clear()
    telling["f"](-1)
    lines = {key_of("cnninspect/x.py", "f", line) for line in SOURCE.splitlines()[7:]}
    here = {statements.keys[number] for number in reached}
    assert here <= lines
    assert len(here) == 2  # a condition, and another one with the return on the same line


def test_the_nearest_and_quickest_tests_come_first_while_time_lasts():
    path = "cnninspect/metrics/limits.py"
    tests = [
        Test("tests/page/test_a.py::far", 0.1), Test("tests/metrics/test_b.py::near", 2.0),
        Test("tests/test_limits.py::alike", 3.0), Test("tests/metrics/sub/test_c.py::inside", 0.1),
    ]  # fmt: skip
    assert [nearness(test.name, path) for test in tests] == [2, 0, 0, 1]
    reach = ReachMap(Path(), {f"{path}:f:1": tests}, {f"{path}:f": {}}, everything=tests)
    chosen = chosen_for(reach, f"{path}:f:1", is_told=True, seconds=5.2)
    assert [test.name.partition("::")[2] for test in chosen] == ["near", "alike", "inside", "far"]
    chosen = chosen_for(reach, f"{path}:f:1", is_told=True, seconds=2.15)
    assert [test.name.partition("::")[2] for test in chosen] == ["near", "inside"]
    assert chosen_for(reach, f"{path}:f:2", is_told=True, seconds=5) == []
    reach.imports["tests/page/test_a.py"] = "from cnninspect.metrics.limits import x"
    chosen = chosen_for(reach, f"{path}:f:1", is_told=True, seconds=5.2)
    assert chosen[0].name.endswith("far")
    moved = chosen_for(reach, f"{path}:g:1", is_told=True, seconds=50)
    assert [test.name.partition("::")[2] for test in moved] == ["near", "alike", "inside"]


# --- what became of it ---


def mutant(path: str, function: str = "f") -> Mutant:
    return Mutant(path, function, 1, 1, "constant", 0, 1, "2", "x = 1", "x = 2")


def test_the_table_counts_by_package_and_leaves_out_what_makes_no_difference():
    states = [
        ("cnninspect/costs/a.py", "killed"), ("cnninspect/costs/a.py", "killed"),
        ("cnninspect/costs/b.py", "survived"), ("cnninspect/costs/b.py", "explained"),
        ("cnninspect/commands/check/analysis.py", "killed"),
        ("cnninspect/commands/check/command.py", "survived"),
    ]  # fmt: skip
    text = table([Outcome(mutant(path), state, "") for path, state in states], seed=7)
    assert "| `costs` | 4 | 2 | 1 | 1 | 67 % |" in text
    assert "| `commands: analyses` | 1 | 1 | 0 | 0 | 100 % |" in text
    assert "| `commands: the rest` | 1 | 0 | 0 | 1 | 0 % |" in text
    assert "| all | 6 | 3 | 1 | 2 | 60 % |" in text
    assert "Seed 7; 6 faults" in text
    assert package_of("cnninspect/commands/audit/measuring/tools.py") == "commands: the rest"


def test_a_fault_is_explained_by_its_content():
    explained = Explained({("f", "x = 1", "x = 2"): "why"})
    assert explained.reason(mutant("cnninspect/a.py")) == "why"
    assert explained.reason(mutant("cnninspect/a.py", "g")) is None


def test_what_is_explained_still_stands_in_the_package():
    explained = Explained.read(HERE / "explained.json")
    sources = [file.read_text() for file in PACKAGE.rglob("*.py")]
    functions = {
        node.name
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    everything = " ".join(" ".join(source.split()) for source in sources)
    for (function, was, becomes), reason in explained.reasons.items():
        assert was in everything, f"no longer there, so nothing to explain: {was}"
        assert was != becomes
        assert not function or function.rpartition(".")[2] in functions
        assert re.search(r"\w{3}.* .*\w{3}", reason)


def test_a_fault_that_tests_miss_is_told_and_one_that_they_see_is_killed(tmp_path):
    root = tmp_path / "checkout"
    files = {
        "cnninspect/__init__.py": "",
        "cnninspect/costs/__init__.py": "",
        "cnninspect/costs/sums.py": (
            "def seen(a, b):\n    return a + b\n\n\ndef missed(a):\n    return a > 5\n\n\n"
            "def unreached(a):\n    return not a\n"
        ),
        "tests/costs/test_sums.py": (
            "from cnninspect.costs.sums import missed, seen\n\n\n"
            "def test_seen():\n    assert seen(2, 1) == 3\n\n\n"
            "def test_missed():\n    assert missed(7)\n"
        ),
        "docs/contributing.md": "A\n<!-- mutation: written by tests/mutation/plant.py -->\nold\n"
        "<!-- end of mutation -->\nB\n",
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    command = [sys.executable, str(HERE / "plant.py"), "--root", str(root), "--package", "costs",
               "--cache", str(tmp_path / "cache"), "--seed", "3", "--write"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "| all | 3 | " in done.stdout, done.stdout
    assert "cnninspect/costs/sums.py:10 unreached" in done.stdout
    assert "seen" not in done.stdout
    killed = [json.loads(file.read_text())[0] for file in (tmp_path / "cache/killed").iterdir()]
    assert "tests/costs/test_sums.py::test_seen" in killed
    page = (root / "docs/contributing.md").read_text()
    assert page.startswith("A\n<!--")
    assert page.endswith("-->\nB\n")
    assert "| all | 3 | " in page
    assert (root / "cnninspect/costs/sums.py").read_text() == files["cnninspect/costs/sums.py"]
