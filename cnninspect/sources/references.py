"""References: from what a user types to the source that will load it."""

from __future__ import annotations

import os
import re
from pathlib import PurePath

from cnninspect.errors import BadReference
from cnninspect.records.models import Reference

SUFFIXES = {
    ".onnx": "onnx",
    ".pt2": "pt2",
    ".safetensors": "checkpoint",
    ".pth": "checkpoint",
    ".bin": "checkpoint",
    ".ckpt": "checkpoint",
    ".gguf": "checkpoint",
    ".tflite": "checkpoint",
    ".pt": "pt",
    ".jit": "pt",
    ".ts": "pt",
    ".torchscript": "pt",
    ".ptl": "pt",
    ".py": "python",
}
"""Source by file suffix; `.pt` and its like may be TorchScript or a checkpoint, which their content
tells."""

PROGRAMS = {
    "torchscript": ("a TorchScript program", ".pt or .jit"),
    "pt2": ("a program of torch.export", ".pt2"),
}
"""What torch's own loader has to read, which it does only for files that are called so."""

SHARDED = ".index.json"
"""End of the name of an index, which lists the files of a checkpoint in several ones."""

REVISION = re.compile(r"@\{(?P<revision>[^{}]*)\}")
"""What follows a file that is meant as it was."""
SETTINGS = re.compile(r"@(?=\s*[A-Za-z_][\w.]*\s*=)")
"""The sign between a name and its settings."""


def has_revision(text: object) -> bool:
    """Whether a reference says of which revision it is."""
    return isinstance(text, str) and REVISION.search(text) is not None


def parse_reference(text: str, schemes: tuple[str, ...]) -> Reference:
    """Take a reference apart: an explicit scheme wins, then the file suffix, then the zoo.

    Raises:
        BadReference: it is empty, or its settings are not `key=value,…`.
    """
    if not text.strip():
        raise BadReference(text, "it is empty")
    body, *rest = SETTINGS.split(text, maxsplit=1)
    if not rest and body.endswith("@"):
        raise BadReference(text, "nothing follows the @")
    settings = _settings(text, rest[0]) if rest else ()
    scheme, colon, name = body.partition(":")
    if colon and scheme in schemes:
        if not name:
            raise BadReference(text, f"no name follows {scheme}:")
        return Reference(text, scheme, name, settings)
    if (colon and (scheme.endswith(".py") or "." in scheme or not scheme)) or ".py:" in body:
        return Reference(text, "python", body, settings)
    suffix = PurePath(body).suffix.lower()
    if suffix in SUFFIXES:
        return Reference(text, SUFFIXES[suffix], body, settings)
    if body.lower().endswith(SHARDED):
        return Reference(text, "checkpoint", body, settings)
    if colon:
        return Reference(text, "python", body, settings)
    if suffix not in ("", ".json") and (found := _by_content(text, body)):
        return Reference(text, found, body, settings)
    if "/" in body:
        raise BadReference(text, "it is no file that a source reads", _hint_for(PurePath(body)))
    return Reference(text, "zoo", body, settings)


def _by_content(text: str, name: str) -> str:
    """The source of a file whose suffix tells nothing; empty where there is no such file.

    Raises:
        BadReference: torch's own loader would have to read it, which needs a name that says so.
    """
    if not os.path.isfile(name):
        return ""
    from cnninspect.checkpoints import kind_of

    kind = kind_of(name)
    if kind in PROGRAMS:
        what, suffixes = PROGRAMS[kind]
        raise BadReference(
            text, f"it is {what}, and is not called so", f"if you trust it, rename it to {suffixes}"
        )
    if kind == "unknown":
        return ""
    return "onnx" if kind == "onnx" else "checkpoint"


def _hint_for(path: PurePath) -> str:
    """What to type instead of a path that no source reads."""
    if path.suffix.lower() in ("", ".json"):
        return (
            f"for a configuration of transformers or its folder, write hf:{path}; a report that "
            "summary --format json saved is a model of compare, diff and check"
        )
    return f"files are {', '.join(SUFFIXES)}"


def _settings(text: str, typed: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for item in split_settings(typed):
        key, equals, value = item.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise BadReference(text, f"{item!r} is not key=value")
        pairs.append((key.strip(), value.strip()))
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise BadReference(text, f"{key} is set twice")
    return tuple(pairs)


def split_settings(typed: str) -> list[str]:
    """The text between commas, those in brackets left alone: `a=1,b=(2,3)` has two items."""
    items, depth = [""], 0
    for sign in typed:
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and depth <= 0:
            items.append("")
        else:
            items[-1] += sign
    return items
