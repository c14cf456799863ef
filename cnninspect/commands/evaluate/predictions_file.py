"""Predictions in a CSV file, which need no network."""

from __future__ import annotations

import csv
import io
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cnninspect.commands.evaluate.report import Predictions
from cnninspect.errors import FileUnreadable
from cnninspect.files import opened

LABELS = ("label", "target", "y", "y_true", "true", "actual", "class")
PREDICTED = ("prediction", "predicted", "y_pred", "pred", "output")
"""What columns are called, in lower case."""
MOST_BYTES = 1 << 30
"""Of the file."""
MOST_CELLS = 60_000_000
"""Values of all rows: ImageNet's 50,000 images for validation have scores for 1,000 classes."""
MOST_ROWS = 4_000_000
MOST_LINE = 8 << 20
"""Characters of a line."""
LONGEST_NUMBER = 18
"""Digits up to which the names of classes are put in order as numbers."""


def read_predictions(path: Path, classes: tuple[str, ...] = ()) -> Predictions:
    """A column of labels, and one of predictions or one of scores for each class, by its name.

    With both, the prediction counts and the scores say how sure it was.  Scores of a row are made
    to add up to 1.  `classes` names all classes; else they are those that occur.

    Raises:
        FileMissing, FileUnreadable: there is no such file, or it says something else.
    """
    header, rows = _read(path)
    label = _column(path, header, LABELS, required=True)
    predicted = _column(path, header, PREDICTED, required=False)
    if not rows.texts[label]:
        raise FileUnreadable(path, "it has no rows under its header")
    scored = [name for name in rows.scores if name not in (label, predicted)]
    if not predicted and not scored:
        raise FileUnreadable(
            path,
            f"its columns ({', '.join(header)}) hold labels and no predictions",
            f"call the column {' or '.join(PREDICTED[:2])}, or give each class a column of scores",
        )
    told = [rows.texts[name] for name in (label, predicted) if name]
    names = tuple(classes) or _named(set().union(*told), scored)
    numbers = {name: number for number, name in enumerate(names)}
    for number, texts in enumerate(zip(*told), start=2):
        for text in texts:
            if text not in numbers:
                raise FileUnreadable(path, f"line {number}: {text!r} is no class")
    scores = _scores(path, rows, names) if set(names) <= set(scored) else None
    labels, *others = (tuple(numbers[text] for text in texts) for texts in told)
    if others:
        return Predictions(names, labels, others[0], scores)
    if scores is None:
        missing = [name for name in names if name not in scored]
        raise FileUnreadable(path, f"there is no column of scores for {', '.join(missing[:5])}")
    answers = tuple(max(range(len(names)), key=each.__getitem__) for each in scores)
    return Predictions(names, labels, answers, scores)


@dataclass
class _Rows:
    """What the file says, by column."""

    texts: dict[str, list[str]]
    """Of labels and predictions."""
    scores: dict[str, array[float]]
    """Of columns that hold nothing but numbers."""


def _read(path: Path) -> tuple[list[str], _Rows]:
    """The header, and the columns under it.

    Raises:
        FileMissing, FileUnreadable: there is no such file, it is no table, or it is too large.
    """
    with opened(path) as (stream, size):
        if size > MOST_BYTES:
            raise FileUnreadable(path, f"it is larger than {MOST_BYTES:,} bytes")
        lines = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        try:
            reader = csv.reader(_bounded(lines))
            header = [name.strip() for name in next(reader, [])]
            rows = _Rows(
                {n: [] for n in header if n.lower() in (*LABELS, *PREDICTED)},
                {n: array("d") for n in header},
            )
            seen: dict[str, str] = {}
            for number, row in enumerate(filter(None, reader), start=1):
                _check_number(number, len(header))
                cells = dict(zip(header, row))
                for name, texts in rows.texts.items():
                    text = cells.get(name, "").strip()
                    texts.append(seen.setdefault(text, text))
                for name in [n for n in rows.scores if not _added(rows.scores[n], cells.get(n))]:
                    del rows.scores[name]
        except UnicodeDecodeError as problem:
            raise FileUnreadable(path, "it is not text in UTF-8") from problem
        except (csv.Error, ValueError) as problem:
            raise FileUnreadable(path, str(problem)) from problem
        finally:
            lines.detach()
    return header, rows


def _check_number(rows: int, columns: int) -> None:
    if rows > MOST_ROWS or rows * columns > MOST_CELLS:
        raise ValueError(f"it has over {MOST_ROWS:,} rows or {MOST_CELLS:,} values")


def _bounded(lines: io.TextIOWrapper) -> Iterator[str]:
    """The lines, none of which may be without end.

    Raises:
        ValueError: one is.
    """
    while line := lines.readline(MOST_LINE):
        if len(line) == MOST_LINE:
            raise ValueError(f"a line has more than {MOST_LINE:,} characters")
        yield line


def _added(values: array[float], text: str | None) -> bool:
    """Whether the text is a number, which is put to the others."""
    try:
        value = float(text or "")
    except ValueError:
        return False
    values.append(value)
    return math.isfinite(value)


def _column(path: Path, header: list[str], names: tuple[str, ...], *, required: bool) -> str:
    found = next((each for name in names for each in header if each.lower() == name), "")
    if required and not found:
        raise FileUnreadable(
            path,
            f"none of its columns ({', '.join(header) or 'none'}) holds labels",
            f"call it {names[0]}",
        )
    return found


def _named(occurring: set[str], scored: list[str]) -> tuple[str, ...]:
    """The classes: the columns of scores where these hold all that occur, else those in order."""
    if scored and occurring <= set(scored):
        return tuple(scored)
    if all(name.isdecimal() and len(name) <= LONGEST_NUMBER for name in occurring):
        return tuple(sorted(occurring, key=int))
    return tuple(sorted(occurring))


def _scores(path: Path, rows: _Rows, names: tuple[str, ...]) -> tuple[array[float], ...]:
    found = []
    for number, values in enumerate(zip(*(rows.scores[name] for name in names)), start=2):
        total = sum(values)
        if min(values) < 0 or not total > 0:
            raise FileUnreadable(
                path, f"line {number}: scores are below 0, or all 0", "write probabilities"
            )
        found.append(array("d", (value / total for value in values)))
    return tuple(found)
