"""Building with memory for weights, without filling them."""

import pytest
import torch
from torch import nn

from cnninspect.engine.building import Unfilled


def test_random_initialisation_is_left_out():
    state = torch.get_rng_state()
    with Unfilled():
        weight = torch.full((4, 4), 7.0)
        nn.init.kaiming_normal_(weight)
        nn.init.uniform_(weight)
    assert weight.eq(7).all()
    assert torch.get_rng_state().equal(state)


def test_drawing_between_bounds_ends_though_nothing_is_drawn():
    with Unfilled():
        weight = torch.full((4, 4), 7.0)  # outside of the bounds
        nn.init.trunc_normal_(weight, std=0.02)
    assert weight.eq(7).all()


def test_initialisation_works_again_afterwards():
    with pytest.raises(ZeroDivisionError), Unfilled():
        raise ZeroDivisionError
    weight = torch.full((100,), 7.0)
    nn.init.trunc_normal_(weight, std=0.02, a=-1.0, b=1.0)
    assert weight.abs().max() <= 1
