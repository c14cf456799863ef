"""Medians and quartiles over passes."""

import math

import pytest

from cnninspect.commands.gradients.analysis import norms_spread, quartiles
from cnninspect.records.passes import Norms


def test_quartiles_lie_between_neighbours():
    assert quartiles([4.0, 1.0, 3.0, 2.0, 5.0]) == (2.0, 3.0, 4.0)
    assert quartiles([1.0, 2.0]) == (1.25, 1.5, 1.75)
    assert quartiles([7.0]) == (7.0, 7.0, 7.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_one_value_that_is_not_finite_is_not_hidden(bad):
    assert not any(map(math.isfinite, quartiles([1.0, bad, 2.0])))


def test_norms_that_are_missing_stay_missing():
    runs = [Norms(gradient_norm=v, activation_norm=None) for v in (1.0, 2.0, 4.0)]
    low, middle, high = norms_spread(runs)
    assert (low.gradient_norm, middle.gradient_norm, high.gradient_norm) == (1.5, 2.0, 3.0)
    assert middle.activation_norm is None
