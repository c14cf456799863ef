"""Where names go beside points, and how far a drawing reaches."""

import pytest

from cnninspect.page.drawings.items import Group, Line, Rect, Words, extent, text_width
from cnninspect.page.plots import DISTANCES, LEADER, Label, _candidates, _crosses, place

FRAME = (0.0, 0.0, 200.0, 200.0)


def gaps(corner, size, point):
    """How far a box lies from a point, across and up; negative to the left and below."""
    found = []
    for low, length, at in zip(corner, size, point):
        high = low + length
        found.append(low - at if at < low else high - at if at > high else 0.0)
    return tuple(round(gap, 6) for gap in found)


def test_a_name_is_tried_on_all_sides_of_its_point_the_nearest_first():
    label = Label("a name", (50.0, 60.0), (30.0, 8.0))
    candidates = list(_candidates(label))
    assert len(candidates) == 8 * len(DISTANCES)
    for nth, d in enumerate(DISTANCES):
        near = round(0.7 * d, 6)
        sides = [gaps(c.corner, label.size, label.point) for c in candidates[8 * nth :][:8]]
        assert sides == [
            (d, 0), (-d, 0), (0, d), (0, -d),
            (near, near), (near, -near), (-near, near), (-near, -near),
        ]  # fmt: skip
        beside = candidates[8 * nth]
        assert beside.corner[1] + label.size[1] / 2 == label.point[1]  # half above, half below
        for candidate in candidates[8 * nth :][:8]:
            assert (candidate.leader is not None) is (d > LEADER)
            if candidate.leader is not None:
                start, end = candidate.leader
                assert start == label.point
                assert gaps(end, (0, 0), start) == gaps(candidate.corner, label.size, start)


def test_names_of_a_lower_rank_choose_first_and_nothing_overlaps():
    points = [(100.0, 100.0), (103.0, 100.0), (100.0, 104.0)]
    labels = [Label(str(i), point, (20.0, 6.0), rank=2 - i) for i, point in enumerate(points)]
    found = place(labels, points, FRAME, [])
    assert all(found)
    boxes = [(*p.corner, p.corner[0] + 20, p.corner[1] + 6) for p in found]
    for i, one in enumerate(boxes):
        for x, y in points:
            assert not (one[0] < x < one[2] and one[1] < y < one[3])
        for other in boxes[i + 1 :]:
            apart = one[2] <= other[0] or other[2] <= one[0]
            assert apart or one[3] <= other[1] or other[3] <= one[1]
    alone = place([labels[2]], points, FRAME, [])
    assert found[2] == alone[0]


def test_a_name_without_room_has_no_place():
    label = Label("wide", (5.0, 5.0), (50.0, 6.0))
    assert place([label], [label.point], (0.0, 0.0, 40.0, 40.0), []) == [None]
    assert place([label], [label.point], FRAME, [(0.0, 0.0, 200.0, 200.0)]) == [None]
    assert place([label], [label.point], FRAME, []) != [None]


@pytest.mark.parametrize(
    ("line", "crosses"),
    [
        (((0, 5), (20, 5)), True), (((0, 5), (9, 5)), False), (((5, 0), (5, 20)), False),
        (((15, 0), (15, 20)), True), (((0, 0), (30, 30)), False), (((5, 12), (25, -12)), True),
        (((0, 10), (20, 10)), False),  # along the edge
    ],
)  # fmt: skip
def test_a_line_crosses_a_box_or_not(line, crosses):
    assert _crosses(line, (10, 0, 20, 10)) is crosses


@pytest.mark.parametrize(
    ("anchor", "left", "right"), [("start", 0.0, 1.0), ("middle", -0.5, 0.5), ("end", -1.0, 0.0)]
)
def test_words_reach_from_where_they_are_anchored(anchor, left, right):
    words = Words(100.0, 50.0, "some words", 12, "#000000", anchor)
    length = text_width("some words", 12, False)
    assert length > 20
    assert extent([words]) == (100 + left * length, 38.0, 100 + right * length, 52.0)


def test_a_drawing_reaches_as_far_as_what_is_in_it():
    rect = Rect(10.0, 20.0, 30.0, 40.0, "#000000", "#000000")
    line = Line(((0.0, 90.0), (70.0, 25.0)))
    assert extent([]) == (0.0, 0.0, 0.0, 0.0)
    assert extent([rect]) == (10.0, 20.0, 40.0, 60.0)
    assert extent([Group((rect, line), "path", "title", "")]) == (0.0, 20.0, 70.0, 90.0)
