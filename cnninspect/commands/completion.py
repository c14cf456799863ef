"""What the shell offers on TAB: names of models, settings after `@`, layer paths, columns, words.

One table says by the name of a parameter what completes it, so that a new command has completion
without saying so.  No user's code is run and, but for layers of a network that was never traced, no
torch imported.
"""

from __future__ import annotations

import ast
import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import redirect_stdout, suppress
from functools import wraps
from glob import glob
from typing import Any, get_type_hints

import typer

VARIABLE = "_CNNINSPECT_COMPLETE"
"""What a shell sets when it asks."""
BREAKS = frozenset(":=@")
"""Signs at which bash takes words apart."""
HARMLESS = re.compile(r"[\w./:@=,+%~ -]*")
"""Words that no shell acts on: zsh evaluates twice what it is offered, names of files, too."""
MOST_CODE = 4 << 20
"""Bytes of a file of code that is looked through for names."""


def references(incomplete: str) -> list[str]:
    """Models that begin so: of the zoo, of libraries, in one's own files; then their settings."""
    name, at, typed = incomplete.partition("@")
    if at:
        done, comma, last = typed.rpartition(",")
        before = f"{name}@{done}{comma}"
        known = {pair.partition("=")[0] for pair in done.split(",")}
        return [
            before + pair
            for pair in _settings(name)
            if pair.partition("=")[0] not in known and pair.startswith(last)
        ]
    from cnninspect.zoo import catalogue

    names = [*catalogue.names(), *_files(incomplete), *_names_in_file(incomplete)]
    names += _names_of_libraries(incomplete)
    return [found for found in names if found.startswith(incomplete)]


def _names_of_libraries(incomplete: str) -> Iterator[str]:
    """Names such as `timm:resnet50`, once the library has been begun."""
    from cnninspect.sources.known_names import LIBRARIES, registered

    for library in LIBRARIES:
        if incomplete and f"{library}:".startswith(incomplete[: len(library) + 1]):
            yield from (f"{library}:{name}" for name in registered(library))


def _files(incomplete: str) -> Iterator[str]:
    """Files that hold models, those with code up to the colon that a name follows."""
    from cnninspect.sources.references import SUFFIXES

    for path in sorted(glob(f"{incomplete}*") if not any(c in incomplete for c in "*?[:") else ()):
        if os.path.isdir(path):
            yield f"{path}{os.sep}"
        elif os.path.splitext(path)[1] in SUFFIXES:
            yield f"{path}:" if path.endswith(".py") else path


def _names_in_file(incomplete: str) -> Iterator[str]:
    """`net.py:Net` for `net.py:`; the file is read, not run."""
    path, colon, _ = incomplete.partition(".py:")
    if colon:
        for node in _definitions(f"{path}.py"):
            yield f"{path}.py:{node.name}"


def _definitions(path: str) -> list[ast.ClassDef | ast.FunctionDef]:
    from cnninspect.errors import CnnInspectError
    from cnninspect.files import read_text

    with suppress(CnnInspectError, ValueError, SyntaxError, RecursionError, MemoryError):
        body = ast.parse(read_text(path, most=MOST_CODE)).body
        kinds = (ast.ClassDef, ast.FunctionDef)
        return [n for n in body if isinstance(n, kinds) and not n.name.startswith("_")]
    return []


def _settings(name: str) -> list[str]:
    """`key=value` with each value that there is to choose from, else with the default."""
    from cnninspect.zoo import catalogue

    path, colon, own = name.partition(".py:")
    if colon:
        return _arguments(f"{path}.py", own)
    if name.startswith("torchvision:"):
        return ["num_classes=1000"]
    if name.startswith("timm:"):
        return ["num_classes=1000", "in_chans=3", "img_size=224"]
    with suppress(Exception):  # an unknown name has no settings
        family, variant = catalogue.find(name.removeprefix("zoo:"))
        return [
            f"{setting.name}={value}"
            for setting in family.settings_of(variant)
            for value in _values(setting)
        ]
    return []


def _values(setting: Any) -> Iterable[str]:
    if setting.choices:
        return tuple(setting.choices)
    if setting.type_name == "bool":
        return ("true", "false")
    value = setting.default
    return ("x".join(map(str, value)) if isinstance(value, tuple) else str(value),)


def _arguments(path: str, name: str) -> list[str]:
    """The arguments of a function, or of a class's `__init__`, with their defaults."""
    for node in _definitions(path):
        if node.name != name:
            continue
        found: Any = node
        if isinstance(node, ast.ClassDef):
            own = (n for n in node.body if isinstance(n, ast.FunctionDef))
            found = next((n for n in own if n.name == "__init__"), None)
        if found is None:
            return []
        args = [*found.args.posonlyargs, *found.args.args]
        args = args[1:] if isinstance(node, ast.ClassDef) else args
        values = [None] * (len(args) - len(found.args.defaults)) + [*found.args.defaults]
        pairs = [*zip(args, values), *zip(found.args.kwonlyargs, found.args.kw_defaults)]
        return [f"{arg.arg}={ast.unparse(value) if value else ''}" for arg, value in pairs]
    return []


def layers(context: typer.Context, incomplete: str) -> list[str]:
    """The paths of the layers of the model that was typed before, if it is a named architecture.

    What is remembered of it is asked first; else it is traced and remembered.
    """
    from cnninspect.sources.open import trace
    from cnninspect.sources.registry import LISTABLE, reference_of
    from cnninspect.store.traces import remembering

    model = context.params.get("model") or next(iter(context.params.get("models") or ()), None)
    with suppress(Exception):  # a shell that waits for words has no use for an error
        if model and reference_of(model).source in LISTABLE:
            with remembering():
                paths = [layer.path for layer in trace(model).layers]
            return [path for path in paths if path and path.startswith(incomplete)]
    return []


def columns_of(command: str | None) -> tuple[str, ...]:
    """What may follow `--columns` and `--sort` of a command: columns of layers, or of models."""
    if command == "summary":
        from cnninspect.page.layer_columns import COLUMNS as OF_LAYERS

        return tuple(OF_LAYERS)
    from cnninspect.page.figure_columns import COLUMNS as OF_MODELS

    return tuple(OF_MODELS)


def several_columns(context: typer.Context, incomplete: str) -> list[str]:
    """Columns after a comma, those that are typed already left out."""
    done, comma, last = incomplete.rpartition(",")
    known = done.split(",")
    return [
        f"{done}{comma}{name}"
        for name in columns_of(context.info_name)
        if name not in known and name.startswith(last)
    ]


def one_column(context: typer.Context, incomplete: str) -> list[str]:
    """What a table can be sorted by."""
    names: Iterable[str] = columns_of(context.info_name)
    if context.info_name == "summary":
        from cnninspect.page.layer_tree import SORT_KEYS

        names = SORT_KEYS
    return [name for name in names if name.startswith(incomplete)]


def _conventions() -> Iterable[str]:
    from cnninspect.costs.conventions import CONVENTIONS

    return CONVENTIONS


def _families() -> Iterable[str]:
    from cnninspect.zoo.catalogue import FAMILIES

    return [family.name for family in FAMILIES]


def _sources() -> Iterable[str]:
    from cnninspect.sources.registry import LISTABLE

    return LISTABLE


def _optimizers() -> Iterable[str]:
    from cnninspect.records.passes import OPTIMIZERS

    return OPTIMIZERS


def _dtypes() -> Iterable[str]:
    return ("float32", "float16", "bfloat16", "float64")


def _places() -> Iterable[str]:
    return ("cpu", "cuda", "mps", "xpu")


def _boards() -> Iterable[str]:
    from cnninspect.metrics.roofline import DEVICES

    return DEVICES


def _names(pattern: str) -> list[str]:
    from cnninspect.zoo import catalogue

    return [name for name in catalogue.names() if name.startswith(pattern)]


def _one_of(words: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    def complete_word(incomplete: str) -> list[str]:
        return [word for word in words() if word.startswith(incomplete)]

    return complete_word


COMPLETERS: dict[str, Callable[..., list[str]]] = {
    "model": references,
    "models": references,
    "spaces": references,
    "old": references,
    "new": references,
    "baseline": references,
    "pattern": _names,
    "layer": layers,
    "columns": several_columns,
    "sort": one_column,
    "count_as": _one_of(_conventions),
    "family": _one_of(_families),
    "source": _one_of(_sources),
    "optimizer": _one_of(_optimizers),
    "memory_of": _one_of(lambda: ("training", "inference")),
    "dtype": _one_of(_dtypes),
    "device": _one_of(_places),
    "device_spec": _one_of(_boards),
}
"""By the name of the parameter of a command's function."""


def completing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of a command, whose parameters say what completes them."""
    hints = get_type_hints(function, include_extras=True)
    for name, hint in hints.items():
        for info in getattr(hint, "__metadata__", ()):
            if name in COMPLETERS and getattr(info, "autocompletion", name) is None:
                info.autocompletion = _harmless(COMPLETERS[name])
    function.__annotations__ = hints  # as text, they would be made anew when they are next read
    return function


def _harmless(completer: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """The same, without words that a shell might act on."""

    @wraps(completer)
    def complete(*args: Any, **kwargs: Any) -> list[str]:
        return [word for word in completer(*args, **kwargs) if HARMLESS.fullmatch(word)]

    return complete


def is_asked() -> bool:
    """Whether a shell asks for completions."""
    return bool(os.environ.get(VARIABLE))


def answer(application: Callable[..., object]) -> None:
    """Print what the shell asks for, in words as that shell takes them apart.

    Bash ends words at `:`, `=` and `@`, and puts what is printed in place of what stands after the
    last of these.
    """
    before = mend_words(os.environ) if os.environ[VARIABLE] == "complete_bash" else ""
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            application(prog_name="cnninspect")
    finally:
        lines = printed.getvalue().splitlines()
        sys.stdout.write("".join(f"{line.removeprefix(before)}\n" for line in lines))


def mend_words(environment: MutableMapping[str, str]) -> str:
    """Join the words that bash took apart; returns what stands before the part it will replace."""
    typed = environment.get("COMP_WORDS", "")
    words = typed.split("\n") if "\n" in typed else typed.split(" ")
    index = int(environment.get("COMP_CWORD", "0"))
    words += [""] * (index + 1 - len(words))
    joined: list[list[str]] = []
    current = -1
    for i, word in enumerate(words):
        is_break = bool(word) and set(word) <= BREAKS
        follows = joined and joined[-1] and set(joined[-1][-1]) <= BREAKS and joined[-1][-1]
        if i > 1 and joined and (is_break or follows):
            joined[-1].append(word)
        else:
            joined.append([word])
        if i == index:
            current = len(joined) - 1
            parts = list(joined[-1])
    environment["COMP_WORDS"] = "\n".join("".join(word) for word in joined)
    environment["COMP_CWORD"] = str(current)
    is_at_break = set(parts[-1]) <= BREAKS and bool(parts[-1])
    before = "".join(parts if is_at_break else parts[:-1])
    before = before.partition("=")[2] if before.startswith("--") else before
    return before.removesuffix("@")  # readline lets words begin with it, as names of hosts do
