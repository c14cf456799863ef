"""The man page: what `--help` of every command and the topics say, in troff.

It is made when a wheel is built, and installed as `share/man/man1/cnninspect.1`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import typer

from cnninspect.commands import COMMANDS
from cnninspect.commands.application import application, manual_of_all, manual_of_command
from cnninspect.commands.help.topics import TOPICS
from cnninspect.commands.manual import Manual, Panel
from cnninspect.version import __version__


def man_page() -> str:
    """The whole page."""
    group = typer.main.get_command(application())
    whole = manual_of_all(group)
    commands: dict[str, Manual] = {
        name: manual_of_command(group.commands[name], name)  # type: ignore[attr-defined]
        for name in COMMANDS
    }
    lines = [
        f'.TH CNNINSPECT 1 "" "cnninspect {__version__}" "User Commands"',
        ".SH NAME",
        f"cnninspect \\- {_text(whole.sentence[0].lower() + whole.sentence[1:].rstrip('.'))}",
        ".SH SYNOPSIS",
        ".B cnninspect",
        _text(whole.usage),
        ".SH DESCRIPTION",
        *(_text(paragraph) for paragraph in whole.more),
        *_examples(whole),
        ".SH COMMANDS",
    ]
    for name, manual in commands.items():
        lines += [f".SS {_text(name)} {_text(manual.usage)}", _text(manual.sentence)]
        lines += [line for paragraph in manual.more for line in (".PP", _text(paragraph))]
        lines += [*_examples(manual), *_panels(manual.panels)]
    for name, topic in TOPICS.items():
        lines += [f".SH {_text(name.replace('-', ' ').upper())}", _text(topic.sentence)]
        lines += [line for paragraph in topic.more for line in (".PP", _text(paragraph))]
        lines += _panels(topic.panels)
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    """Prose in troff's ASCII: nothing in it is taken for a request, and hyphens can be copied."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    escaped = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in escaped)
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _examples(manual: Manual) -> Iterator[str]:
    for typed, shown in manual.examples:
        yield from (".PP", f"{_text(shown)}:", ".RS 4", ".nf", _text(typed), ".fi", ".RE")


def _panels(panels: Iterable[Panel]) -> Iterator[str]:
    for panel in panels:
        yield from (".PP", f"\\fI{_text(panel.title)}\\fR")
        for entry in panel.entries:
            yield from (".TP", f"\\fB{_text(entry.name.strip())}\\fR", _text(entry.text))
