"""The table of statements in docs/claims.md: each has a command that exists, and a verdict."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

import cnninspect
from cnninspect.commands.application import application
from cnninspect.sources.registry import load

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "claims.md"
GROUP = typer.main.get_command(application())
ROW = re.compile(r"^\| (?P<statement>[^|]+) \| (?P<commands>`[^|]+) \| (?P<verdict>[^|]+) \|$")
MADE = ("net.py", "mlp.safetensors", "l1.safetensors", "predictions.csv")
"""Files that the reader has, or that the pages make."""
WRONG = (
    "eight times", "softmax, then sigmoid", "concatenation", "as many channels", "= 8 channels",
    "one-dimensional", "of one size", "weighs precision more", "55×55×96",
)  # fmt: skip
"""What the notes get wrong, by words of the statement."""


def rows() -> list[dict[str, str]]:
    table = PAGE.read_text().split("## Every statement")[1]
    lines = [line for line in table.splitlines() if line.startswith("| ") and "| :--" not in line]
    lines = [line for line in lines if "| shown by |" not in line]
    found = [ROW.match(line) for line in lines]
    odd = [line for line, match in zip(lines, found) if match is None]
    assert not odd, odd
    return [match.groupdict() for match in found if match is not None]


ROWS = rows()
COMMANDS = sorted({typed for row in ROWS for typed in re.findall(r"`([^`]+)`", row["commands"])})
TO_TRY = sorted(
    {
        " ".join(typed.split())
        for questions in re.findall(
            r"^\*\*Try:\*\*(.*?)(?=^$|\Z)", (DOCS / "course.md").read_text(), re.M | re.S
        )
        for typed in re.findall(r"`(cnninspect [^`]+)`", questions)
    }
)


def test_every_statement_has_a_command_and_a_verdict() -> None:
    assert len(ROWS) > 100
    statements = [row["statement"] for row in ROWS]
    assert len(set(statements)) == len(statements)
    for row in ROWS:
        assert re.match(r"(held\b|wrong: .{10})", row["verdict"]), row
        assert all(c.startswith("cnninspect ") for c in re.findall(r"`([^`]+)`", row["commands"]))


@pytest.mark.parametrize("words", WRONG)
def test_what_the_notes_get_wrong_is_marked_with_why(words: str) -> None:
    (row,) = [row for row in ROWS if words in row["statement"]]
    assert row["verdict"].startswith("wrong: ")


def test_that_shortcuts_save_the_gradient_is_said_with_its_condition() -> None:
    (row,) = [row for row in ROWS if row["statement"].startswith("the gradient does not vanish")]
    assert "Xavier" in row["verdict"]


def test_the_course_has_something_to_try() -> None:
    assert len(TO_TRY) > 10


@pytest.mark.parametrize("line", sorted({*COMMANDS, *TO_TRY}))
def test_a_command_exists_and_takes_these_options(line: str) -> None:
    _, name, *arguments = shlex.split(line)
    context = GROUP.commands[name].make_context(name, arguments)
    named = context.params.get("models") or context.params.get("files") or []
    named = [*named, *([context.params["model"]] if context.params.get("model") else [])]
    for text in named:
        if not str(text).startswith(MADE):
            load(str(text))  # the name is known, and so are its settings
    if name == "explain" and not str(context.params["model"]).startswith(MADE):
        trace = cnninspect.trace(context.params["model"])
        assert context.params["layer"] in {layer.path for layer in trace.layers}
