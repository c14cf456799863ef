"""Slopes that outliers do not move, and the words for what they come to."""

import math

import pytest

from cnninspect.commands.gradients.analysis import MOST_DECADES, trend_of
from cnninspect.commands.gradients.mean_field import median_slope


def sizes(slope, depth=20, start=1e-3):
    return [start * 10 ** (slope * place) for place in range(depth)]


@pytest.mark.parametrize(
    ("slope", "verdict"),
    [(0.0, "healthy"), (0.13, "healthy"), (0.14, "vanishing"), (-0.13, "healthy"),
     (-0.14, "exploding"), (1.0, "vanishing")],
)  # fmt: skip
def test_a_straight_line_is_judged_by_its_orders(slope, verdict):
    trend = trend_of(sizes(slope), sizes(slope))
    assert trend.slope == pytest.approx(slope, abs=1e-12)
    assert trend.orders == pytest.approx(-19 * slope)
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
    assert trend.orders == pytest.approx(-0.95)


@pytest.mark.parametrize(("line", "verdict"), [([], "nothing-measured"), ([1.0], "healthy")])
def test_fewer_than_two_sizes_have_no_slope(line, verdict):
    trend = trend_of(line, line)
    assert (trend.slope, trend.orders, trend.verdict) == (None, None, verdict)


def test_slopes_are_the_median_over_all_pairs():
    assert median_slope([(0, 0.0), (1, 1.0), (2, 0.0)]) == 0.0
    assert median_slope([(0, 0.0), (2, 1.0), (4, 9.0)]) == 2.25
    assert median_slope([(1, 5.0)]) is None


def stepped(*steps, depth=41, flat=1.0):
    """A flat line from the input on, multiplied by each factor below its place, and a head."""
    line = [flat] * depth
    for place, factor in steps:
        line = [size * factor if i < place else size for i, size in enumerate(line)]
    return [*line, 30 * flat]


NAMES = [f"layer{i}" for i in range(42)]


@pytest.mark.parametrize("place", [1, 2, 3, 8, 10, 20, 32, 39, 40])
@pytest.mark.parametrize(("factor", "verdict"), [(1e-12, "vanishing"), (1e12, "exploding")])
def test_one_step_is_seen_wherever_it_is(place, factor, verdict):
    line = stepped((place, factor))
    trend = trend_of(line, line, NAMES, has_head=True)
    assert trend.verdict == verdict
    assert trend.orders == pytest.approx(math.log10(factor))
    assert trend.range_orders == pytest.approx(12)
    jump = trend.drop if factor < 1 else trend.rise
    assert (jump.below, jump.above) == (f"layer{place - 1}", f"layer{place}")
    assert jump.orders == pytest.approx(math.log10(factor))
    assert (trend.rise if factor < 1 else trend.drop) is None


@pytest.mark.parametrize(("low", "high"), [(8, 20), (4, 37), (20, 38)])
def test_a_loss_that_is_made_up_for_is_seen(low, high):
    line = stepped((low, 1e-12), (high, 1e12))
    trend = trend_of(line, line, NAMES, has_head=True)
    assert trend.orders == pytest.approx(0)
    assert (trend.verdict, trend.reason) == ("vanishing", "fall")
    assert trend.range_orders == pytest.approx(12)


def test_one_odd_layer_decides_nothing():
    line = stepped()
    line[17] = 1e-9
    assert trend_of(line, line, NAMES, has_head=True).verdict == "healthy"


def test_the_head_is_no_part_of_the_ends():
    line = [1.0] * 9 + [1e6]
    assert trend_of(line, line, NAMES, has_head=True).orders == 0
    assert trend_of(line, line, NAMES).orders == -6


def test_branches_may_have_less_than_the_trunk_and_not_more():
    line = [1.0, *[1e-6] * 10, 1.0, *[1e-6] * 10, 1.0]
    branches = {name for name, size in zip(NAMES, line) if size < 1}
    assert trend_of(line, line, NAMES, branches=branches).verdict == "healthy"
    assert trend_of(line, line, NAMES).verdict != "healthy"
    lost = [1e-6, *[1.0] * 10, 1.0]
    branches = set(NAMES[1:11])
    assert trend_of(lost, lost, NAMES, branches=branches).verdict == "vanishing"


@pytest.mark.parametrize(
    ("orders", "verdict", "is_borderline"),
    [(2.1, "healthy", False), (2.3, "healthy", True), (2.9, "vanishing", True),
     (3.2, "vanishing", False)],
)  # fmt: skip
def test_what_is_near_the_threshold_is_borderline(orders, verdict, is_borderline):
    line = sizes(orders / 19)
    trend = trend_of(line, line)
    assert (trend.verdict, trend.is_borderline) == (verdict, is_borderline)
    assert trend.decisive_orders == pytest.approx(-orders)
