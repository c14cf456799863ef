"""Norms of tensors of any size, layout and precision."""

import math

import pytest
import torch

from cnninspect.engine.real_passes.gradient_hooks import norm_of, zeros_in


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e-13, 1e-25, 1e-37, 1e30])
@pytest.mark.parametrize("shape", [(7,), (3, 1025), (4, 33, 31), (2, 3, 40, 40)])
def test_norms_hold_in_single_precision_however_small_or_large(dtype, scale, shape):
    noise = torch.Generator().manual_seed(0)
    tensor = (torch.randn(shape, dtype=torch.float64, generator=noise) * scale).to(dtype)
    largest = float(tensor.abs().max())
    scaled = tensor.double() / largest
    expected = math.sqrt(math.fsum(v * v for v in scaled.flatten().tolist())) * largest
    assert norm_of(tensor) == pytest.approx(expected, rel=1e-6, abs=0)


def test_gaps_and_orders_in_memory_make_no_difference():
    whole = torch.randn(8, 6, 20, 20)
    expected = norm_of(whole[:, ::2, :, 3:].clone())
    assert norm_of(whole[:, ::2, :, 3:]) == pytest.approx(expected)
    last = whole.to(memory_format=torch.channels_last)
    assert norm_of(last) == pytest.approx(norm_of(whole))
    assert norm_of(torch.ones(1).expand(5, 3000)) == pytest.approx(math.sqrt(15000))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("size", [5, 5000])
def test_what_is_not_finite_shows(bad, size):
    tensor = torch.ones(size)
    tensor[size // 2] = bad
    assert not math.isfinite(norm_of(tensor))


def test_nothing_and_zeros_have_norm_zero():
    assert norm_of(torch.empty(0)) == 0
    assert norm_of(torch.zeros(5000)) == 0


def test_complex_and_sparse_tensors():
    assert norm_of(torch.tensor([3 + 4j, 0])) == pytest.approx(5)
    sparse = torch.sparse_coo_tensor(
        [[1, 1]], [[2.0, 0.0], [1.0, 4.0]], (3, 2), check_invariants=True
    )
    assert norm_of(sparse) == pytest.approx(5)  # both entries are of the same row: (3, 4)
    assert zeros_in(sparse) == 4


def test_zeros_are_counted():
    assert zeros_in(torch.tensor([[0.0, 1.0], [-0.0, 1e-40]])) == 2
