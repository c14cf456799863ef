"""Where a report goes: the terminal, a pipe, or a file that is either whole or not there."""

from __future__ import annotations

import codecs
import io
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnninspect.errors import FileExists, FileUnwritable

if TYPE_CHECKING:
    from cnninspect.records.reports import Report

PIPED_WIDTH = 100
"""Characters to a line where no terminal says how wide it is."""


def check_output(path: Path | None, *, force: bool) -> None:
    """Refuse early what could not be written in the end.

    Raises:
        FileExists: the file is there already and `force` is not set.
        FileUnwritable: its folder is missing, or it is a folder itself.
    """
    if path is None:
        return
    if path.is_dir():
        raise FileUnwritable(path, "it is a folder")
    if not path.parent.is_dir():
        raise FileUnwritable(path, "its folder does not exist")
    if path.exists() and not force:
        raise FileExists(path)


def show(
    report: Report,
    *,
    format: str,  # noqa: A002
    output: Path | None = None,
    force: bool = False,
    quiet: bool = False,
    **options: Any,
) -> None:
    """Write a report to a file, or to stdout as wide and as colourful as that is.

    Raises:
        FileExists, FileUnwritable: the file cannot be written.
    """
    from cnninspect.page.formats import FORMATS, render

    is_terminal = output is None and sys.stdout.isatty()
    # Columns that somebody asked for are all there, unless lines must not be so long.
    has_room = bool(options.get("columns")) and not is_terminal and _asked_width() is None
    options |= {"format": format, "has_room": has_room}
    if output is not None:
        text = render(report, width=_asked_width() or PIPED_WIDTH, **options)
        write_whole(output, text, force=force)
        if not quiet:
            print(f"wrote {output}", file=sys.stderr)  # noqa: T201
    elif not quiet:
        encoding = sys.stdout.encoding or "utf-8"
        _print(
            render(report, width=width(), color=has_color(), encoding=encoding, **options),
            is_data=format not in FORMATS or FORMATS[format].is_data,
        )


def _print(text: str, *, is_data: bool) -> None:
    """Write to stdout; data in UTF-8, as their formats want it, whatever a terminal shows."""
    if is_data and not text.isascii() and hasattr(sys.stdout, "buffer"):
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
    else:
        sys.stdout.write(text)
    sys.stdout.flush()


def write_whole(path: Path, content: str | bytes, *, force: bool) -> None:
    """Write a file under another name and move it into place.

    Raises:
        FileExists: the file is there already and `force` is not set.
        FileUnwritable: the system does not let us.
    """
    check_output(path, force=force)
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as problem:
        raise FileUnwritable(path, problem.strerror or str(problem)) from problem
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except OSError as problem:
        raise FileUnwritable(path, problem.strerror or str(problem)) from problem
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


def spell_what_is_missing() -> None:
    """Let stdout and stderr take every text: what their encoding lacks is spelled in ASCII."""
    codecs.register_error("cnninspect.spell", _spell)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not stream.encoding.lower().startswith("utf"):
            stream.reconfigure(errors="cnninspect.spell")


def _spell(problem: UnicodeError) -> tuple[str | bytes, int]:
    from cnninspect.page.ascii_fallback import spelled

    if not isinstance(problem, UnicodeEncodeError):
        raise problem
    return spelled(problem.object[problem.start : problem.end], "ascii"), problem.end


def width() -> int:
    """Characters to a line of stdout."""
    if (asked := _asked_width()) is not None:
        return asked
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPED_WIDTH


def _asked_width() -> int | None:
    asked = os.environ.get("COLUMNS", "")
    return int(asked) if asked.isdecimal() and int(asked) > 0 else None


def has_color() -> bool:
    """Whether stdout shows colours: a terminal, and NO_COLOR not set."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return sys.stdout.isatty() or bool(os.environ.get("FORCE_COLOR"))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
