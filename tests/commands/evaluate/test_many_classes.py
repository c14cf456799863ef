"""Predictions and data of more classes, columns or numbers than anybody means."""

from __future__ import annotations

import numpy
import pytest

import cnninspect
from cnninspect.commands.evaluate import analysis, predictions_file
from cnninspect.commands.evaluate.analysis import evaluation_of
from cnninspect.commands.evaluate.predictions_file import read_predictions
from cnninspect.commands.evaluate.report import Predictions
from cnninspect.engine.real_passes import data_sets
from cnninspect.errors import FileUnreadable, UnusableData


def test_intervals_are_those_of_whole_tables():
    """Against the plain way: a table of classes by classes for each sample."""
    chance = numpy.random.default_rng(1)
    labels, predicted = (chance.integers(0, 5, 200) for _ in range(2))
    found = evaluation_of(
        Predictions(tuple("abcde"), tuple(map(int, labels)), tuple(map(int, predicted))), data="x"
    )
    draws = numpy.random.default_rng(0)
    occurring, totals = numpy.unique(labels * 5 + predicted, return_counts=True)
    right = []
    for _ in range(analysis.RESAMPLES):
        table = numpy.zeros(25)
        table[occurring] = draws.multinomial(200, totals / 200)
        right.append(table.reshape(5, 5).trace() / 200)
    low, high = numpy.quantile(right, (0.025, 0.975))
    assert (found.intervals[0].low, found.intervals[0].high) == pytest.approx((low, high))


def test_more_classes_than_confusions_are_told_of_are_refused(monkeypatch):
    monkeypatch.setattr(analysis, "MOST_CLASSES", 3)
    with pytest.raises(UnusableData, match="4 classes"):
        evaluation_of(Predictions(tuple("abcd"), (0,), (0,)), data="x")
    assert evaluation_of(Predictions(tuple("abc"), (0,), (0,)), data="x").accuracy == 1


@pytest.mark.parametrize(("name", "says"), [
    ("MOST_ROWS", "rows"), ("MOST_CELLS", "values"), ("MOST_LINE", "a line"),
    ("MOST_BYTES", "larger"),
])  # fmt: skip
def test_a_table_has_bounds(name, says, tmp_path, monkeypatch):
    path = tmp_path / "p.csv"
    path.write_text("label,prediction\n" + "a,b\n" * 20)
    assert len(read_predictions(path).labels) == 20
    monkeypatch.setattr(predictions_file, name, 10)
    with pytest.raises(FileUnreadable, match=says):
        read_predictions(path)


def test_columns_that_are_no_scores_are_left_alone(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("label,a,b,note\na,3,1,x\n\nb,1,1\na,nan,1,2\n")
    with pytest.raises(FileUnreadable, match="no column of scores for a"):
        read_predictions(path)
    path.write_text("label,a,b,note\na,3,1,x\n\nb,1,1\n")
    found = read_predictions(path)
    assert [list(row) for row in found.scores] == [[0.75, 0.25], [0.5, 0.5]]
    assert found.predicted == (0, 0)


def test_data_that_would_fill_the_memory_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(data_sets, "MOST_VALUES", 4 * 32 * 32)
    path = tmp_path / "d.npz"
    labels = numpy.array([0, 1, 0, 1])
    numpy.savez_compressed(path, x=numpy.zeros((4, 32, 32), "uint8"), y=labels)
    assert cnninspect.evaluate("lenet5_modern", data=str(path)).examples
    numpy.savez_compressed(path, x=numpy.zeros((4, 33, 32), "uint8"), y=labels)
    with pytest.raises(UnusableData, match="held in memory"):
        cnninspect.evaluate("lenet5_modern", data=str(path))
