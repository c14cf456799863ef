"""Rows of a sweep in a file while it runs: CSV, JSON lines or Parquet, by its suffix.

CSV and JSON lines are written to the file itself, so that it can be followed; each line is whole.
Parquet, which cannot be read before it is closed, goes by another name until then.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from cnninspect.commands.sweep.space import Choice, Space
from cnninspect.commands.sweep.table import Result
from cnninspect.errors import BadOption, FileUnwritable, MissingLibrary
from cnninspect.files import (
    check_output,
    is_special,
    move_into_place,
    reason_of,
    written_through,
)
from cnninspect.metrics.figures import Unmeasured
from cnninspect.page.escaping import csv_text, json_text

SUFFIXES = (".csv", ".jsonl", ".parquet")
SECONDS_BETWEEN = 1.0
"""How often lines are passed on to the system."""
GROUP = 5_000
"""Rows of a Parquet file that are held in memory."""
FIGURES = (
    "parameters", "parameter_bytes", "macs", "activations", "layers", "depth", "receptive_field",
    "memory", "least_time", "latency", "verdict", "gradient_orders", "uncounted", "network",
    "error",
)  # fmt: skip
"""Fields of a row after the reference and its settings; `network` is equal for equal networks."""

NUMBER = re.compile(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?")

Add = Callable[[Choice, Result], None]


def check_rows_file(path: Path | None, *, force: bool) -> None:
    """Refuse early what could not be written in the end.

    Raises:
        BadOption: the suffix is none of those known.
        MissingLibrary: pyarrow is not installed.
        FileExists, FileUnwritable: it cannot be written there.
    """
    if path is None:
        return
    if path.suffix.lower() not in SUFFIXES:
        raise BadOption("--rows", path, f"a file that ends in {', '.join(SUFFIXES)}")
    if path.suffix.lower() == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as problem:
            raise MissingLibrary("pyarrow", "parquet", f"the file {path}") from problem
    check_output(path, force=force)


@contextmanager
def rows_file(path: Path, spaces: Sequence[Space]) -> Iterator[Add]:
    """What to call with each point as it is known.

    Raises:
        FileUnwritable: the system does not let us.
    """
    settings = list(dict.fromkeys(axis.name for space in spaces for axis in space.axes))
    writer = {".csv": _csv, ".jsonl": _json_lines, ".parquet": _parquet}[path.suffix.lower()]
    try:
        with writer(path, settings) as write:
            yield lambda choice, result: write(described(choice, result, settings))
    except OSError as problem:
        hint = "choose another place with --rows; what is remembered is not measured again"
        raise FileUnwritable(path, reason_of(problem), hint) from problem


def described(choice: Choice, result: Result, settings: Sequence[str]) -> dict[str, Any]:
    """A point with its settings and figures; settings that it has not are None."""
    given = {axis.name: value for axis, value in zip(choice.space.axes, choice.values)}
    row: dict[str, Any] = {"reference": result.reference}
    row |= {f"setting_{name}" if name in FIGURES else name: given.get(name) for name in settings}
    if isinstance(result, Unmeasured):
        return row | dict.fromkeys(FIGURES) | {"error": result.error}
    totals = result.totals
    return row | {
        "parameters": totals.parameters,
        "parameter_bytes": totals.parameter_bytes,
        "macs": totals.macs,
        "activations": totals.activations,
        "layers": totals.layers,
        "depth": result.depth,
        "receptive_field": result.receptive_field,
        "memory": result.memory,
        "least_time": result.least_time,
        "latency": result.latency,
        "verdict": result.verdict,
        "gradient_orders": result.gradient_orders,
        "uncounted": " ".join(result.uncounted) or None,
        "network": result.fingerprint,
        "error": None,
    }


Write = Callable[[dict[str, Any]], None]


class _Lines:
    """Passes what is written on to the system every second."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream
        self.passed = time.monotonic()

    def pass_on(self) -> None:
        """Let whoever follows the file see the last lines."""
        if time.monotonic() - self.passed > SECONDS_BETWEEN:
            self.stream.flush()
            self.passed = time.monotonic()


@contextmanager
def _written(path: Path) -> Iterator[IO[str]]:
    """The file, open for text; a pipe that nobody reads from is not waited for."""
    if not is_special(path):
        with path.open("w", encoding="utf-8", newline="") as stream:
            yield stream
        return
    with written_through(path) as raw, io.TextIOWrapper(raw, "utf-8", newline="") as stream:
        yield stream


@contextmanager
def _json_lines(path: Path, settings: Sequence[str]) -> Iterator[Write]:  # noqa: ARG001
    with _written(path) as stream:
        lines = _Lines(stream)

        def write(row: dict[str, Any]) -> None:
            stream.write(json_text(json.dumps(row)) + "\n")
            lines.pass_on()

        yield write


@contextmanager
def _csv(path: Path, settings: Sequence[str]) -> Iterator[Write]:  # noqa: ARG001
    with _written(path) as stream:
        lines = _Lines(stream)
        writers: list[csv.DictWriter[str]] = []

        def write(row: dict[str, Any]) -> None:
            if not writers:
                writers.append(csv.DictWriter(stream, list(row), lineterminator="\n"))
                writers[0].writerow({name: csv_text(name) for name in row})
            writers[0].writerow({name: _cell(value) for name, value in row.items()})
            lines.pass_on()

        yield write


def _cell(value: Any) -> Any:
    """Text that no spreadsheet calculates with; settings that are numbers stay numbers."""
    return csv_text(value) if isinstance(value, str) and not NUMBER.fullmatch(value) else value


@contextmanager
def _parquet(path: Path, settings: Sequence[str]) -> Iterator[Write]:
    import pyarrow
    import pyarrow.parquet

    numbers = dict.fromkeys(FIGURES, pyarrow.int64())
    numbers |= dict.fromkeys(("least_time", "latency", "gradient_orders"), pyarrow.float64())
    numbers |= dict.fromkeys(("verdict", "uncounted", "network", "error"), pyarrow.string())
    names = [f"setting_{name}" if name in FIGURES else name for name in settings]
    schema = pyarrow.schema(
        [(name, pyarrow.string()) for name in ("reference", *names)] + list(numbers.items())
    )
    forerunner = path.with_name(f".{path.name}.{os.getpid()}")
    rows: list[dict[str, Any]] = []
    try:
        with pyarrow.parquet.ParquetWriter(forerunner, schema) as file:

            def write(row: dict[str, Any]) -> None:
                rows.append(row)
                if len(rows) >= GROUP:
                    pass_on()

            def pass_on() -> None:
                if rows:
                    file.write_table(pyarrow.Table.from_pylist(rows, schema=schema))
                    rows.clear()

            yield write
            pass_on()
        move_into_place(forerunner, path)
    finally:
        with suppress(OSError):
            forerunner.unlink()
