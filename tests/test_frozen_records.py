"""Records are frozen and have slots, but for the few that are built up step by step."""

import ast
from functools import cache
from pathlib import Path

import cnninspect

PACKAGE = Path(cnninspect.__file__).parent
ALWAYS = ("records", "costs")
"""Packages in which nothing is ever changed."""
ANSWERS = ("report.py", "rendering.py")
FROZEN_WITHOUT_SLOTS = 4
BUILT_UP = 33
"""How many dataclasses are filled while something runs, and never leave it.  May become fewer."""


@cache
def records() -> list[tuple[Path, str, frozenset[str]]]:
    """File, class, and what is switched on of each dataclass."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            for decorator in node.decorator_list if isinstance(node, ast.ClassDef) else ():
                if ast.unparse(decorator).startswith("dataclass"):
                    words = getattr(decorator, "keywords", ())
                    on = {word.arg for word in words if ast.unparse(word.value) == "True"}
                    found.append((file.relative_to(PACKAGE), node.name, frozenset(on)))
    return found


def test_what_answers_is_made_of_is_frozen_and_has_slots():
    assert len(records()) > 300
    loose = [
        f"{file}: {name}"
        for file, name, on in records()
        if (file.parts[0] in ALWAYS or file.name in ANSWERS) and not {"frozen", "slots"} <= on
    ]
    assert loose == []


def test_few_other_records_can_be_changed_or_grow():
    loose = [f"{file}: {name}" for file, name, on in records() if "frozen" not in on]
    assert len(loose) <= BUILT_UP, loose
    wide = [f"{f}: {name}" for f, name, on in records() if "frozen" in on and "slots" not in on]
    assert len(wide) <= FROZEN_WITHOUT_SLOTS, wide


def test_what_a_user_chooses_goes_by_name():
    chosen = [(name, on) for _, name, on in records() if name.endswith("View") or name == "Plan"]
    assert len(chosen) > 20
    assert [name for name, on in chosen if "kw_only" not in on] == []
