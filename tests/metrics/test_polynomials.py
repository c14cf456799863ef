"""Exact polynomials."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from cnninspect.commands.scale.analysis import MOST_DEGREE, fit, interpolated, value_at

rationals = st.fractions(min_value=-50, max_value=50, max_denominator=12)


@given(st.lists(rationals, min_size=1, max_size=5), st.integers(1, 40), st.integers(1, 9))
def test_the_polynomial_that_made_the_points_is_found_again(coefficients, start, step):
    while len(coefficients) > 1 and coefficients[-1] == 0:
        coefficients.pop()
    xs = [Fraction(start + i * step) for i in range(8)]
    points = [(x, value_at(tuple(coefficients), x)) for x in xs]
    assert fit(points) == tuple(coefficients)


def test_points_that_no_further_point_confirms_are_no_law():
    points = [(Fraction(x), y) for x, y in [(1, 1), (2, 4), (3, 9)]]
    assert interpolated(points) == (0, 0, 1)
    assert fit(points) is None
    assert fit([*points, (Fraction(4), 16), (Fraction(5), 25)]) == (0, 0, 1)


def test_a_jump_is_no_polynomial():
    points = [(Fraction(x), x // 2) for x in range(1, MOST_DEGREE + 4)]
    assert fit(points) is None


def test_two_points_must_confirm_what_the_others_determine():
    constant = [(Fraction(x), 5) for x in range(1, 5)]
    assert [fit(constant[:n]) for n in range(1, 5)] == [None, None, (5,), (5,)]
    line = [(Fraction(x), 3 * x) for x in range(1, 6)]
    assert [fit(line[:n]) for n in range(2, 6)] == [None, None, (0, 3), (0, 3)]
