"""Predictions in a CSV file, which need no network."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

from cnninspect.commands.evaluate.report import Predictions
from cnninspect.errors import FileUnreadable
from cnninspect.files import read_text

LABELS = ("label", "target", "y", "y_true", "true", "actual", "class")
PREDICTED = ("prediction", "predicted", "y_pred", "pred", "output")
"""What columns are called, in lower case."""
MOST_BYTES = 1 << 30
"""Of the file: a million rows with scores for 100 classes."""
LONGEST_NUMBER = 18
"""Digits up to which the names of classes are put in order as numbers."""


def read_predictions(path: Path, classes: tuple[str, ...] = ()) -> Predictions:
    """A column of labels, and one of predictions or one of scores for each class, by its name.

    With both, the prediction counts and the scores say how sure it was.  Scores of a row are made
    to add up to 1.  `classes` names all classes; else they are those that occur.

    Raises:
        FileMissing, FileUnreadable: there is no such file, or it says something else.
    """
    text = read_text(path, most=MOST_BYTES)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""))
        header = [name.strip() for name in reader.fieldnames or []]
        rows = [
            {(k or "").strip(): (v or "").strip() for k, v in row.items() if isinstance(v, str)}
            for row in reader
        ]
    except csv.Error as problem:
        raise FileUnreadable(path, str(problem)) from problem
    label = _column(path, header, LABELS, required=True)
    predicted = _column(path, header, PREDICTED, required=False)
    scored = [name for name in header if name not in (label, predicted)]
    scored = [name for name in scored if rows and all(_is_number(row.get(name)) for row in rows)]
    if not rows:
        raise FileUnreadable(path, "it has no rows under its header")
    if not predicted and not scored:
        raise FileUnreadable(
            path,
            f"its columns ({', '.join(header)}) hold labels and no predictions",
            f"call the column {' or '.join(PREDICTED[:2])}, or give each class a column of scores",
        )
    occurring = {row.get(name, "") for row in rows for name in (label, predicted) if name}
    names = tuple(classes) or _named(occurring, scored)
    numbers = {name: number for number, name in enumerate(names)}
    for number, row in enumerate(rows, start=2):
        for name in (label, predicted):
            if name and row.get(name) not in numbers:
                raise FileUnreadable(path, f"line {number}: {row.get(name)!r} is no class")
    scores = _scores(path, rows, names) if set(names) <= set(scored) else None
    labels = tuple(numbers[row[label]] for row in rows)
    if predicted:
        return Predictions(names, labels, tuple(numbers[row[predicted]] for row in rows), scores)
    if scores is None:
        missing = [name for name in names if name not in scored]
        raise FileUnreadable(path, f"there is no column of scores for {', '.join(missing[:5])}")
    answers = tuple(max(range(len(names)), key=each.__getitem__) for each in scores)
    return Predictions(names, labels, answers, scores)


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


def _scores(
    path: Path, rows: list[dict[str, str]], names: tuple[str, ...]
) -> tuple[tuple[float, ...], ...]:
    found = []
    for number, row in enumerate(rows, start=2):
        values = [float(row[name]) for name in names]
        if min(values) < 0 or not sum(values) > 0:
            raise FileUnreadable(
                path, f"line {number}: scores are below 0, or all 0", "write probabilities"
            )
        found.append(tuple(value / sum(values) for value in values))
    return tuple(found)


def _is_number(text: str | None) -> bool:
    try:
        return text is not None and math.isfinite(float(text))
    except ValueError:
        return False
