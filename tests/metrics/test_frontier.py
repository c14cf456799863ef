"""The Pareto frontier, against its definition."""

from hypothesis import given
from hypothesis import strategies as st

from cnninspect.metrics.frontier import frontier


def beaten(point, points):
    """By the definition: some other is at most as large everywhere, and smaller somewhere."""
    return any(all(a <= b for a, b in zip(other, point)) and other != point for other in points)


@given(
    st.one_of(*[st.lists(st.tuples(*[st.integers(0, 6)] * n), max_size=30) for n in (1, 2, 3, 4)])
)
def test_a_point_is_on_the_frontier_unless_another_beats_it(points):
    assert frontier(points) == tuple(not beaten(point, points) for point in points)


def test_equal_points_are_on_it_together():
    assert frontier([(1, 2), (1, 2), (2, 2)]) == (True, True, False)
    assert frontier([]) == ()
