"""Executed documents: a Markdown text goes in, the same text with today's output comes out.

What a fenced block means:

    ```console            each `$ cnninspect …` line is run, and its output takes the place of what
                          follows it; other lines that begin with `$` are left alone, output and all
    ```python             without `>>>` it must run; with `>>>`, outputs are replaced as above,
                          and an error may occur where `Traceback` stands already
    ```python NAME.py     is written to the file NAME.py, for commands further down
    ```toml NAME.toml     the same
    ```console no-run     (or `python no-run`) is left alone
    ```console times      is run, and what it prints is compared but for the times: it stays as it
                          is where only numbers differ, and what is said of a busy machine

All blocks of a document run in the current directory, in order, and its Python blocks share their
names.  After a command, `$ echo $?` prints its exit code.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WIDTH = 100
"""Columns of every output in a document."""

FENCE = re.compile(
    r"^(?P<ticks>`{3,})(?P<info>[^`\n]*)\n(?P<body>.*?)^(?P=ticks)[ ]*$", re.M | re.S
)
DEFECT = "this is a defect of cnninspect"
"""What an error says that no document should show."""
SHELL = re.compile(r"(?<!\\)[|<>;&*$`]")
"""What asks for a real shell."""


@dataclass
class Session:
    """What blocks of one document leave for the next: names and the last exit code."""

    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    exit_code: int = 0


def executed(text: str) -> str:
    """The document with the output that its blocks give today."""
    session = Session()

    def replace(match: re.Match[str]) -> str:
        info, body = match["info"].split(), match["body"]
        if info[:1] == ["console"] and "no-run" not in info:
            body = run_console(body, session, times="times" in info)
        elif len(info) == 2 and "." in info[1] and info[0] in ("python", "toml"):
            Path(info[1]).write_text(body)
        elif info[:1] == ["python"] and "no-run" not in info:
            body = run_python(body, session)
        return f"{match['ticks']}{match['info']}\n{body}{match['ticks']}"

    return FENCE.sub(replace, text)


def run_console(body: str, session: Session, *, times: bool = False) -> str:
    """The block with the output of its `cnninspect` commands.

    With `times`, what stands there is kept where today's output says the same but for times.
    """
    written = []
    for command, old_output in commands(body):
        written.append(command)
        line = command.removeprefix("$ ").replace("\\\n", " ").strip()
        if line == "echo $?":
            written.append(f"{session.exit_code}\n")
        elif line.split()[:1] == ["cnninspect"]:
            run = run_in_shell if SHELL.search(line) else run_here
            session.exit_code, output = run(line)
            if DEFECT in output:
                raise AssertionError(f"{line} is a defect:\n{output}")
            output = portable(output)
            is_same = times and without_times(output) == without_times(old_output)
            written.append(old_output if is_same else output)
        else:
            written.append(old_output)
    return "".join(written)


def portable(output: str) -> str:
    """The output without spaces at line ends, and without the build in torch's version."""
    lines = "".join(f"{line.rstrip()}\n" for line in output.splitlines())
    return re.sub(r'("torch": "[0-9.]+)\+\w+"', r'\1"', lines)


MACHINE = re.compile(
    r"^(machine|computes|moves|watched|runs|would gain most|against|this) .*\n(?: {8,}.*\n)*", re.M
)
"""Lines that say what the machine is, and which layers were slow today."""
BUSY = re.compile(r"^what to know of these times:\n(?: .*\n)*", re.M)
NUMBER = re.compile(r"(?<![\w.])(?:<|≥ ?)?[+−-]?\d[\d.,]*(?: ?(?:ns|µs|ms|s|%))?(?=[\s…%│]|$)|—")
"""A number by itself, with the unit of a time."""


def without_times(output: str) -> str:
    """The output with a sign in place of each number, and nothing of the machine.

    >>> without_times("conv1  1.25 ms  3.1\n") == without_times("conv1   340 µs   12\n")
    True
    """
    output = BUSY.sub("", MACHINE.sub(r"\1\n", output))
    lines = [re.sub(r"─+", "─", NUMBER.sub("#", line)) for line in output.splitlines()]
    return "\n".join(line for line in (" ".join(line.split()) for line in lines) if line)


def commands(body: str) -> Iterator[tuple[str, str]]:
    """Pairs of a `$ …` line, its continuations with it, and the lines of output under it."""
    command, output, continued = "", "", False
    for line in body.splitlines(keepends=True):
        if continued:
            command += line
        elif line.startswith("$ "):
            if command or output:
                yield command, output
            command, output = line, ""
        else:
            output += line
        continued = (continued or line.startswith("$ ")) and line.endswith("\\\n")
    yield command, output


def run_here(line: str) -> tuple[int, str]:
    """Exit code and output of a `cnninspect` command, run in this process to be quick."""
    from cnninspect.commands.application import run

    output, old_arguments = io.StringIO(), sys.argv
    sys.argv = shlex.split(line)
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            run()
    except SystemExit as leaving:
        return int(leaving.code or 0), output.getvalue()
    finally:
        sys.argv = old_arguments
    raise AssertionError("a command ends by leaving")


def run_in_shell(line: str) -> tuple[int, str]:
    """Exit code and output of a line, run by a shell that finds this environment's commands."""
    done = subprocess.run(
        ["bash", "-c", line],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
    )
    return done.returncode, done.stdout


def run_python(body: str, session: Session) -> str:
    """The block with the output of its `>>>` examples, or as it is after running all of it."""
    parts = doctest.DocTestParser().parse(body)
    if not any(isinstance(part, doctest.Example) for part in parts):
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(body, "<document>", "exec"), session.names)
        return body
    return "".join(
        prompted(part.source) + run_example(part, session)
        if isinstance(part, doctest.Example)
        else part
        for part in parts
    )


def prompted(source: str) -> str:
    """Source as it was typed at the prompt."""
    first, *rest = source.splitlines()
    return "".join([f">>> {first}\n", *(f"... {line}".rstrip() + "\n" for line in rest)])


def run_example(example: doctest.Example, session: Session) -> str:
    """What the prompt prints; an error as `Traceback` and its last line, if one stood there."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        try:
            for statement in ast.parse(example.source).body:
                tree = ast.Interactive([statement])
                exec(compile(tree, "<document>", "single"), session.names)
        except Exception as error:
            if not example.want.startswith("Traceback"):
                raise
            last = traceback.format_exception_only(error)[-1]
            output.write(f"Traceback (most recent call last):\n  ...\n{last}")
    printed = output.getvalue()
    return "".join(f"{line.rstrip() or '<BLANKLINE>'}\n" for line in printed.splitlines())
