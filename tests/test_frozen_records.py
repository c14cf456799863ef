"""Records are frozen and have slots, but for the few that are built up step by step."""

import ast
from pathlib import Path

import cnninspect

PACKAGE = Path(cnninspect.__file__).parent
BUILT_UP = {
    "checkpoints": {"Global", "Pairs", "Call", "Persistent"},
    "page": {"Stack", "_Board", "Spot"},
    "metrics": {"Unit", "Run", "Dataflow", "Values", "Step", "Alignment", "Branch"},
    "engine": {
        "Stretch", "Flow", "Holdings", "Value", "Step", "Work", "Tensor", "Formal", "Sizes",
        "Weight", "Repeated", "_Scanned", "KnownNode", "Folder", "Pictures", "Comparison", "Bench",
        "Runs", "Layers",
    },
    "zoo": {"Style"},
    "store": {"Connection"},
    "commands": {"_Rows", "Measured"},
}  # fmt: skip
"""By package: what is filled while something runs, and never leaves it."""


def records() -> list[tuple[str, str, set[str]]]:
    """Package, class and what is switched on of each dataclass."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            for decorator in node.decorator_list if isinstance(node, ast.ClassDef) else ():
                if ast.unparse(decorator).startswith("dataclass"):
                    words = getattr(decorator, "keywords", ())
                    on = {word.arg for word in words if ast.unparse(word.value) == "True"}
                    package, *_ = file.relative_to(PACKAGE).with_suffix("").parts
                    found.append((package, node.name, on))
    return found


def test_records_are_frozen_and_have_slots():
    found = records()
    assert len(found) > 300
    loose: dict[str, set[str]] = {}
    for package, name, on in found:
        if not {"frozen", "slots"} <= on:
            loose.setdefault(package, set()).add(name)
    assert loose == BUILT_UP


def test_what_a_user_chooses_goes_by_name():
    chosen = [(name, on) for _, name, on in records() if name.endswith("View") or name == "Plan"]
    assert len(chosen) > 20
    assert [name for name, on in chosen if "kw_only" not in on] == []
