"""What `--help` and the man page say of a command: read from its function, written as text.

A command's function has it all: its docstring opens with one sentence, its parameters carry their
own help, and the `EXAMPLES` beside it are pairs of a line to type and what that shows.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from importlib import import_module
from inspect import getdoc
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

COMMON = "Common options"
"""The panel that comes first; options without a panel of their own stand in it."""
NARROWEST, WIDEST = 40, 100
"""Characters to a line of help, however wide the terminal is."""
INDENT, MOST_LEFT = 2, 28
"""Characters before an entry, and the most that it takes before its explanation goes below it."""
FRAMEWORK = ("--help", "--install-completion", "--show-completion", "--version")
"""Options that every command line has; they come last."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An argument, an option or a command, and what it means."""

    name: str
    """As it is typed: `-b, --batch N`."""
    text: str


@dataclass(frozen=True, slots=True)
class Panel:
    """Entries that belong together."""

    title: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Manual:
    """One command."""

    name: str
    """As it is typed: `cnninspect summary`."""
    usage: str
    """What follows the name: `[OPTIONS] MODEL`."""
    sentence: str
    """What it answers."""
    more: tuple[str, ...]
    """Further paragraphs."""
    examples: tuple[tuple[str, str], ...]
    """Pairs of a line to type and what it shows."""
    panels: tuple[Panel, ...]


def examples_of(place: str) -> tuple[tuple[str, str], ...]:
    """The examples beside a command's function; `place` is `module:function`."""
    return tuple(getattr(import_module(place.partition(":")[0]), "EXAMPLES", ()))


def manual_of(
    command: Any, name: str, function: Callable[..., Any], examples: Sequence[tuple[str, str]]
) -> Manual:
    """What is to be said of a command; `command` is what the command-line library made of it."""
    sentence, *more = re.split(r"\n\s*\n", getdoc(function) or "")
    kinds = get_type_hints(function)
    params = [param for param in command.params if not getattr(param, "hidden", False)]
    arguments = tuple(
        Entry(_metavar(param, kinds.get(param.name)), param.help or "")
        for param in params
        if param.param_type_name == "argument"
    )
    panels: dict[str, list[Entry]] = {COMMON: [], "": []}
    for param in params:
        if param.param_type_name == "option":
            title = getattr(param, "rich_help_panel", None) or COMMON
            title = "" if param.opts[0] in FRAMEWORK else title
            panels.setdefault(title, []).append(_option(param, kinds.get(param.name)))
    last = panels.pop("")
    panels[COMMON] += [*last, Entry("-h, --help", "Show this text.")]
    needed = (
        f"{min(param.opts, key=len)} {_metavar(param, kinds.get(param.name))}"
        for param in params
        if param.param_type_name == "option" and param.required
    )
    usage = " ".join(["[OPTIONS]", *(entry.name for entry in arguments), *needed])
    return Manual(
        name=name,
        usage=usage,
        sentence=_flowing(sentence),
        more=tuple(_flowing(paragraph) for paragraph in more),
        examples=tuple(examples),
        panels=(
            *([Panel("Arguments", arguments)] if arguments else ()),
            *(Panel(title, tuple(entries)) for title, entries in panels.items() if entries),
        ),
    )


def _flowing(paragraph: str) -> str:
    return " ".join(paragraph.split())


def _option(param: Any, kind: Any) -> Entry:
    """`-b, --batch N`, and its help with the choices and the default."""
    names = sorted(param.opts, key=len)
    left = ", ".join([*names, *param.secondary_opts])
    left = f"    {left}" if names[0].startswith("--") else left
    choices = _choices(kind)
    text = (param.help or "").rstrip()
    if choices:
        text = f"{text.rstrip('.')}: {', '.join(choices)}."
    if not (param.is_flag or _is(kind, bool)):
        left = f"{left} {_metavar(param, kind)}"
    default = _default(param)
    return Entry(left, f"{text} [default: {default}]" if default else text)


def _default(param: Any) -> str:
    """The default as it would be typed; empty where there is none worth telling."""
    value = param.default
    if not getattr(param, "show_default", True) or value is None or callable(value):
        return ""
    if isinstance(value, bool):
        names = param.opts if value else param.secondary_opts
        return str(max(names, key=len)).lstrip("-") if param.secondary_opts else ""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return str(value.value if isinstance(value, Enum) else value)


def _metavar(param: Any, kind: Any) -> str:
    """What stands for the value: as the command says, else by its type."""
    if param.metavar:
        return str(param.metavar)
    if param.param_type_name == "argument":
        return str(param.name).upper() if param.required else f"[{param.name.upper()}]"
    if _choices(kind):
        return str(max(param.opts, key=len)).lstrip("-").replace("-", "_").upper()
    for known, text in ((int, "N"), (float, "X"), (Path, "FILE")):
        if _is(kind, known):
            return text
    return "TEXT"


def _choices(kind: Any) -> tuple[str, ...]:
    """The members of an enumeration; empty for other types."""
    for part in _parts(kind):
        if isinstance(part, type) and issubclass(part, Enum):
            return tuple(str(member.value) for member in part)
    return ()


def _is(kind: Any, wanted: type) -> bool:
    return any(part is wanted for part in _parts(kind))


def _parts(kind: Any) -> Iterator[Any]:
    """The types in an optional or repeated one."""
    if get_origin(kind) in (Union, list, tuple):
        for part in get_args(kind):
            yield from _parts(part)
    else:
        yield kind


BOLD, ENTRY, FAINT, PLAIN = "\x1b[1m", "\x1b[36m", "\x1b[2m", "\x1b[0m"


def topic_text(
    sentence: str, more: Iterable[str], panels: Iterable[Panel], *, width: int, color: bool
) -> str:
    """A topic of `cnninspect help` for a terminal, without a line break at its end."""
    width, inked = max(NARROWEST, min(width, WIDEST)), _ink(color=color)
    lines = []
    for paragraph in (sentence, *more):
        lines += [_folded(paragraph, width), ""]
    return "\n".join([*lines, *_panels(panels, width, inked)]).rstrip()


def help_text(manual: Manual, *, width: int, color: bool) -> str:
    """A command's help for a terminal, without a line break at its end."""
    width, inked = max(NARROWEST, min(width, WIDEST)), _ink(color=color)
    usage = _folded(f"Usage: {manual.name} {manual.usage}", width, hanging=7)
    lines = [usage.replace("Usage:", inked("Usage:", BOLD), 1), ""]
    for paragraph in (manual.sentence, *manual.more):
        lines += [_folded(paragraph, width), ""]
    if manual.examples:
        lines.append(inked("Examples:", BOLD))
        for typed, shown in manual.examples:
            lines.append(inked(_folded(f"# {shown}", width, left=INDENT, hanging=2), FAINT))
            lines.append(inked(_typed(typed, width), ENTRY))
        lines.append("")
    return "\n".join([*lines, *_panels(manual.panels, width, inked)]).rstrip()


def _ink(*, color: bool) -> Callable[[str, str], str]:
    return lambda text, ink: f"{ink}{text}{PLAIN}" if color else text


def _panels(panels: Iterable[Panel], width: int, inked: Callable[[str, str], str]) -> Iterator[str]:
    for panel in panels:
        yield inked(f"{panel.title}:", BOLD)
        yield from _entries(panel.entries, width, inked)
        yield ""


def _folded(text: str, width: int, *, left: int = 0, hanging: int = 0) -> str:
    return textwrap.fill(
        text,
        width,
        initial_indent=" " * left,
        subsequent_indent=" " * (left + hanging),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _typed(line: str, width: int) -> str:
    """A line to type, folded so that it can still be typed."""
    folded = _folded(line, width - 2, left=INDENT, hanging=4)
    return folded.replace("\n", " \\\n")


def _entries(
    entries: Iterable[Entry], width: int, inked: Callable[[str, str], str]
) -> Iterator[str]:
    entries = [replace(entry, name=entry.name.rstrip()) for entry in entries]
    short = [len(entry.name) for entry in entries if len(entry.name) <= MOST_LEFT]
    column = INDENT + max(short, default=0) + 2
    for entry in entries:
        text = _folded(entry.text, width, left=column)
        name = " " * INDENT + inked(entry.name, ENTRY)
        if len(entry.name) <= MOST_LEFT:
            yield name + " " * (column - INDENT - len(entry.name)) + text.lstrip()
        else:
            yield name
            yield text
