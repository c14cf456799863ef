"""Raw figures of the benchmark: kept with their samples, and held against their targets."""

import json
import runpy
import sys
from pathlib import Path

import figures
import pytest

RUN = Path(__file__).with_name("run.py")


@pytest.fixture(autouse=True)
def nothing_noted():
    figures.taken()
    yield
    figures.taken()


def run_of(part: str, *values: tuple[float, float | None]) -> dict:
    for i, (value, most) in enumerate(values):
        figures.note(f"figure {i}", [value / 2, value, 3 * value], most=most)
    return figures.record(part, figures.taken())


def test_a_figure_is_the_median_of_samples_that_are_kept(tmp_path):
    assert (
        figures.note("seconds", (x for x in (3.0, 1.0, 2.1234567)), unit="s", most=4) == 2.1234567
    )
    figures.append(figures.record("startup", figures.taken()), tmp_path / "figures.jsonl")
    (line,) = (tmp_path / "figures.jsonl").read_text().splitlines()
    found = json.loads(line)
    assert found["part"] == "startup"
    assert found["date"].endswith("+00:00")
    assert found["machine"]["cores"] >= 1
    assert found["machine"]["packages"]["torch"]
    assert found["figures"] == [
        {"name": "seconds", "unit": "s", "value": 2.1235, "samples": [3.0, 1.0, 2.1235], "most": 4}
    ]


def test_figures_are_those_of_one_part():
    figures.note("a", [1.0])
    assert [figure.name for figure in figures.taken()] == ["a"]
    assert figures.taken() == ()


@pytest.mark.parametrize(
    ("value", "is_missed"), [(0.9, False), (1.0, False), (1.001, True)]
)  # fmt: skip
def test_a_target_is_what_a_figure_may_be_at_most(tmp_path, value, is_missed):
    file = tmp_path / "figures.jsonl"
    figures.append(run_of("startup", (value, 1.0), (50.0, None)), file)
    said, found = figures.check(file)
    assert found is is_missed
    assert said.startswith("MISSED startup: figure 0" if is_missed else "met    startup: figure 0")
    assert "figure 1" not in said


def test_only_the_last_run_of_a_part_counts(tmp_path):
    file = tmp_path / "figures.jsonl"
    figures.append(run_of("depth", (3.0, 2.0)), file)
    figures.append(run_of("startup", (1.0, 2.0)), file)
    assert figures.check(file)[1]
    figures.append(run_of("depth", (1.5, 2.0)), file)
    assert not figures.check(file)[1]


def test_nothing_is_missed_where_nothing_was_measured(tmp_path):
    assert figures.check(tmp_path / "none") == ("nothing was measured yet", False)


@pytest.mark.parametrize(("is_missed", "code"), [(True, 3), (False, 0)])
def test_the_answer_is_the_exit_code(monkeypatch, capsys, is_missed, code):
    monkeypatch.setattr(sys, "argv", ["run.py", "--check"])
    monkeypatch.setattr(figures, "check", lambda: ("what was found", is_missed))
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(RUN), run_name="__main__")
    assert end.value.code == code
    assert capsys.readouterr().out == "what was found\n"


def test_the_history_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    file, picture = tmp_path / "figures.jsonl", tmp_path / "history.svg"
    for value in (0.5, 1.5):
        figures.append(run_of("startup", (value, 1.0), (7.0, None)), file)
    figures.plot(file, picture)
    drawn = picture.read_text()
    assert "startup: figure 0" in drawn
    assert "figure 1" not in drawn
