"""The names that torchvision and timm register, found in their files without importing them.

For hints and completion only: once it is imported, a library says itself which names it has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from cnninspect.errors import did_you_mean

LIBRARIES = ("torchvision", "timm")
_REGISTERED = re.compile(
    r"^@register_model\b(?P<arguments>\([^\n]*\))?.*?^def (?P<name>\w+)", re.M | re.S
)
_GIVEN = re.compile(r"name=[\"'](\w+)[\"']")


@cache
def registered(library: str) -> tuple[str, ...]:
    """The names of models that the files of an installed library register; empty if it is not."""
    spec = None
    with suppress(ImportError, ValueError):
        spec = find_spec(library)
    if spec is None or not spec.submodule_search_locations:
        return ()
    folder = Path(spec.submodule_search_locations[0]) / "models"
    return tuple(sorted(name for path in folder.rglob("*.py") for name in _names_in(path)))


def _names_in(path: Path) -> Iterator[str]:
    with suppress(OSError, UnicodeDecodeError):
        for found in _REGISTERED.finditer(path.read_text("utf-8")):
            given = _GIVEN.search(found["arguments"] or "")
            yield given[1] if given else found["name"]


def suggestion(name: str, known: tuple[str, ...]) -> str:
    """`did you mean …?` over `known` and the libraries, a name in another case before others."""
    references = {key: key for key in known}
    for library in LIBRARIES:
        references |= {f"{library}:{key}": key for key in registered(library)}
    same = [ref for ref, key in references.items() if key.lower() == name.lower()]
    if same:
        *first, last = same[:3]
        return f"did you mean {', '.join(first)} or {last}?" if first else f"did you mean {last}?"
    return did_you_mean(name, known) or _among_libraries(name, references)


def _among_libraries(name: str, references: dict[str, str]) -> str:
    by_key: dict[str, str] = {}
    for reference, key in references.items():
        by_key.setdefault(key, reference)
    hint = did_you_mean(name, by_key)
    for key in sorted(by_key, key=len, reverse=True):
        hint = re.sub(rf"(?<![\w:]){re.escape(key)}(?!\w)", by_key[key], hint)
    return hint
