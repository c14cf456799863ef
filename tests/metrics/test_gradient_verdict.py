"""Slopes that outliers do not move, and the words for what they come to."""

import math

import pytest

from cnninspect.commands.gradients.analysis import MOST_DECADES, median_slope, trend_of


def sizes(slope, depth=20, start=1e-3):
    return [start * 10 ** (slope * place) for place in range(depth)]


@pytest.mark.parametrize(
    ("slope", "verdict"),
    [(0.0, "healthy"), (0.13, "healthy"), (0.14, "vanishing"), (-0.13, "healthy"),
     (-0.14, "exploding"), (1.0, "vanishing")],
)  # fmt: skip
def test_a_straight_line_is_judged_by_its_decades(slope, verdict):
    trend = trend_of(sizes(slope), sizes(slope))
    assert trend.slope == pytest.approx(slope, abs=1e-12)
    assert trend.decades == pytest.approx(-19 * slope)
    assert trend.verdict == verdict


def test_the_threshold_is_a_factor_of_exp_6():
    threshold = 10**MOST_DECADES
    assert threshold == pytest.approx(math.exp(6))


def test_root_mean_squares_and_norms_must_agree():
    assert trend_of(sizes(0.3), sizes(0.1)).verdict == "healthy"
    assert trend_of(sizes(0.3), sizes(-0.3)).verdict == "healthy"
    assert trend_of(sizes(0.3), sizes(0.2)).verdict == "vanishing"


def test_one_outlier_does_not_move_the_slope():
    line = sizes(0.01)
    line[-1] = 1e6
    assert trend_of(line, line).slope == pytest.approx(0.01, abs=1e-3)


def test_what_has_no_logarithm_leaves_a_gap():
    line = sizes(0.05)
    line[3], line[7], line[9] = None, 0.0, math.inf
    trend = trend_of(line, line)
    assert trend.slope == pytest.approx(0.05)
    assert trend.decades == pytest.approx(-0.95)


@pytest.mark.parametrize(("line", "verdict"), [([], "nothing-measured"), ([1.0], "healthy")])
def test_fewer_than_two_sizes_have_no_slope(line, verdict):
    trend = trend_of(line, line)
    assert (trend.slope, trend.decades, trend.verdict) == (None, None, verdict)


def test_slopes_are_the_median_over_all_pairs():
    assert median_slope([(0, 0.0), (1, 1.0), (2, 0.0)]) == 0.0
    assert median_slope([(0, 0.0), (2, 1.0), (4, 9.0)]) == 2.25
    assert median_slope([(1, 5.0)]) is None
