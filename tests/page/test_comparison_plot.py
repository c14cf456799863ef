"""The picture of models, and names that do not overlap."""

from itertools import combinations

import pytest
from hand_built_budgets import compared, three_models
from hypothesis import given
from hypothesis import strategies as st

from cnninspect.page import plots as comparison_plot
from cnninspect.page.plots import Label, place

FRAME = (0.0, 0.0, 800.0, 500.0)
points = st.tuples(st.floats(20, 780), st.floats(20, 480))


def boxes_of(labels, places):
    for label, placed in zip(labels, places):
        if placed is not None:
            x, y = placed.corner
            yield x, y, x + label.size[0], y + label.size[1]


@given(st.lists(points, max_size=25))
def test_names_cover_neither_each_other_nor_points_and_stay_inside(where):
    labels = [Label(f"model {i}", point, (60.0, 11.0)) for i, point in enumerate(where)]
    boxes = list(boxes_of(labels, place(labels, where, FRAME, [])))
    for a, b in combinations(boxes, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    for box in boxes:
        assert 0 <= box[0] <= box[2] <= 800
        assert 0 <= box[1] <= box[3] <= 500
        assert not any(box[0] < x < box[2] and box[1] < y < box[3] for x, y in where)


def test_a_lone_point_has_its_name_beside_it():
    (placed,) = place([Label("a", (400.0, 250.0), (60.0, 11.0))], [(400.0, 250.0)], FRAME, [])
    assert placed.leader is None
    assert abs(placed.corner[0] - 400) < 20


def test_a_name_without_room_is_left_out():
    taken = [(0.0, 0.0, 800.0, 500.0)]
    assert place([Label("a", (400.0, 250.0), (60.0, 11.0))], [(400.0, 250.0)], FRAME, taken) == [
        None
    ]


@pytest.mark.parametrize(
    ("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_pictures_are_written_in_every_format_and_always_alike(kind, start):
    pytest.importorskip("matplotlib")
    report = three_models()
    first = comparison_plot.picture(report.models, kind, limits=report.limits)
    assert first.startswith(start)
    assert first == comparison_plot.picture(report.models, kind, limits=report.limits)


def test_names_and_limits_are_in_the_picture(monkeypatch):
    pytest.importorskip("matplotlib")
    from cnninspect.page import plots

    monkeypatch.setitem(plots.STYLE, "svg.fonttype", "none")  # text as text
    report = three_models()
    text = comparison_plot.picture(report.models, "svg", limits=report.limits).decode()
    for word in ("resnet18", "vgg16", "≤ 25 M parameters", "over a limit"):
        assert word in text


def test_models_without_work_have_no_place_and_do_no_harm():
    pytest.importorskip("matplotlib")
    models = [compared("nothing", 0, 0), compared("something", 5, 5)]
    assert comparison_plot.picture(models, "png").startswith(b"\x89PNG")
    assert comparison_plot.picture(models[:1], "png").startswith(b"\x89PNG")
