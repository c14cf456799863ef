"""The heaviest common sequence of two rows of layers, against trying every one."""

from functools import cache
from itertools import pairwise
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from cnninspect.metrics.alignment import _Matcher

WEIGHTS = st.integers(0, 4).flatmap(
    lambda columns: st.lists(
        st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.5]), min_size=columns, max_size=columns),
        max_size=4,
    )
)


def heaviest(weights: list[list[float]]) -> list[tuple[int, int]]:
    """The pairs that are chosen of layers which are numbers, by these weights."""
    matcher = SimpleNamespace(_weight=lambda a, b: weights[a][b])
    columns = len(weights[0]) if weights else 0
    return _Matcher._heaviest(matcher, range(len(weights)), range(columns))  # type: ignore[arg-type]


@given(WEIGHTS)
def test_no_common_sequence_is_heavier(weights):
    columns = len(weights[0]) if weights else 0

    @cache
    def most(i: int, j: int) -> float:
        if i == len(weights) or j == columns:
            return 0.0
        return max(
            most(i + 1, j), most(i, j + 1), weights[i][j] and weights[i][j] + most(i + 1, j + 1)
        )

    pairs = heaviest(weights)
    assert sum(weights[i][j] for i, j in pairs) == most(0, 0)
    assert all(weights[i][j] > 0 for i, j in pairs)
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(pairs))
