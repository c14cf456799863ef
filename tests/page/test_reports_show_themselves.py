"""`print(report)`, `to_dataframe()` and `plot()`: what a report can do by itself."""

from __future__ import annotations

import csv
import io
import sys

import pytest
from matplotlib.figure import Figure

import cnninspect
from cnninspect.errors import MissingLibrary, NoPicture

REPORTS = {
    "summarize": lambda: cnninspect.summarize("lenet5"),
    "compare": lambda: cnninspect.compare(["mlp", "lenet5"]),
    "explain": lambda: cnninspect.explain("lenet5", "c1"),
    "memory": lambda: cnninspect.memory("mlp"),
    "gradients": lambda: cnninspect.gradients("mlp"),
    "gradient_paths": lambda: cnninspect.gradient_paths(["resnet20", "plain20"]),
    "scale": lambda: cnninspect.scale("lenet5_modern", over="batch"),
    "graph": lambda: cnninspect.graph("mlp"),
    "check": lambda: cnninspect.check("mlp", max_params="1M"),
    "diff": lambda: cnninspect.diff("mlp", "mlp@hidden=7"),
}
PICTURES = ("compare", "memory", "gradients", "gradient_paths", "scale", "graph")


@pytest.fixture(scope="module")
def made():
    reports: dict[str, object] = {}
    return lambda name: reports.setdefault(name, REPORTS[name]())


@pytest.mark.parametrize("name", REPORTS)
def test_print_shows_the_table(made, name):
    report = made(name)
    assert str(report) == cnninspect.render(report).rstrip("\n")
    assert len(str(report)) < 6000
    assert type(report).__name__ in repr(report)


@pytest.mark.parametrize("name", REPORTS)
def test_a_data_frame_has_the_rows_of_the_csv(made, name):
    report = made(name)
    frame = report.to_dataframe()
    header, *rows = csv.reader(io.StringIO(cnninspect.render(report, format="csv")))
    assert list(frame.columns) == header
    assert len(frame) == len(rows)


def test_numbers_of_a_data_frame_are_numbers(made):
    frame = made("summarize").to_dataframe()
    row = frame[frame.path == "c1"].iloc[0]
    assert frame.own_macs.sum() == cnninspect.summarize("lenet5").totals.macs
    assert row.own_macs == 117_600


@pytest.mark.parametrize("name", PICTURES)
def test_a_report_with_a_picture_plots_it(made, name):
    figure = made(name).plot()
    assert isinstance(figure, Figure)
    assert figure.axes


def test_a_report_without_one_says_so(made):
    with pytest.raises(NoPicture, match="Explanation has no picture"):
        made("explain").plot()


def test_what_is_missing_is_named(made, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingLibrary, match="a data frame needs pandas") as caught:
        made("memory").to_dataframe()
    assert caught.value.hint == "pip install 'cnninspect[data]'"


def test_the_lengths_of_paths_are_those_of_the_report(made):
    (axes,) = made("gradient_paths").plot().axes
    residual, plain = axes.lines
    assert list(residual.get_xdata()) == [
        g.length for g in made("gradient_paths").models[0].path_lengths
    ]
    assert sum(residual.get_ydata()) == pytest.approx(100)
    assert list(plain.get_ydata()) == [100]


def test_growth_shows_every_point(made):
    report = made("scale")
    panels = report.plot().axes
    assert [len(axes.lines[0].get_xdata()) for axes in panels] == [len(report.points)] * 3
    assert list(panels[0].lines[0].get_ydata()) == [point.macs for point in report.points]
