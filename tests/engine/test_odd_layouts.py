"""Tensors that are not whole: sparse and nested ones."""

import warnings

import pytest
import torch
from torch import nn

import cnninspect
from cnninspect.costs import cost_of
from cnninspect.engine.layouts import packed_shape, spec_of
from cnninspect.engine.operators import odd_layout, operation_of, operator_of
from cnninspect.records.operations import CostState


def nested(*shapes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.nested.nested_tensor([torch.zeros(shape) for shape in shapes])


@pytest.mark.parametrize(
    ("shapes", "packed"),
    [
        ([(3, 8), (5, 8)], (8, 8)),
        ([(2, 3, 8), (2, 5, 8)], (16, 8)),
        ([(3, 8), (3, 2)], (30,)),
        ([(3,), (5,)], (8,)),
        ([(3, 0), (5, 0)], (0,)),
    ],
)
def test_the_parts_of_a_nested_tensor_are_laid_one_after_the_other(shapes, packed):
    assert packed_shape(nested(*shapes)) == packed
    assert spec_of(nested(*shapes)).shape == packed


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize(
    ("make", "layout"),
    [
        (lambda: torch.eye(3), ""),
        (lambda: torch.eye(3).to_sparse(), "sparse"),
        (lambda: torch.eye(3).to_sparse_csr(), "sparse"),
        (lambda: torch.eye(3).to_sparse_csc(), "sparse"),
        (lambda: nested((2, 3), (4, 3)), "nested"),
    ],
)
def test_a_layout_is_told(make, layout):
    assert odd_layout((1, "text", make(), None)) == layout


def test_what_is_counted_for_whole_tensors_is_not_for_sparse_ones():
    left, right = torch.eye(3).to_sparse(), torch.ones(3, 2)
    product = operation_of(operator_of(torch.ops.aten.mm.default), (left, right), {}, right)
    assert product.name == "sparse.mm"
    assert cost_of(product).state is CostState.UNKNOWN
    whole = operation_of(operator_of(torch.ops.aten.mm.default), (right.t(), right), {}, right)
    assert whole.name == "aten.mm"


def test_what_is_free_for_whole_tensors_stays_free():
    x = nested((2, 3), (4, 3))
    assert operation_of(operator_of(torch.ops.aten.relu.default), (x,), {}, x).name == "aten.relu"


def jagged(*lengths):
    parts = [torch.randn(length, 8) for length in lengths]
    return torch.nested.nested_tensor(parts, layout=torch.jagged)


class Unbinds(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 2)

    def forward(self, x):
        return torch.stack([self.layer(part).sum(0) for part in x.unbind()])


def test_jagged_tensors_are_run_for_real_only_where_they_are_taken_apart_by_their_lengths():
    plain = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.LayerNorm(16), nn.Linear(16, 4))
    trace = cnninspect.trace(plain, (jagged(5, 2, 9),))
    assert trace.how.run == "abstract"
    assert cnninspect.summarize(trace).totals.macs == 16 * (8 * 16 + 16 * 4)
    apart = cnninspect.trace(Unbinds(), (jagged(5, 2, 9),))
    assert apart.how.run == "real"
    assert cnninspect.summarize(apart).totals.macs == 16 * 8 * 2


@pytest.mark.filterwarnings("ignore")
def test_dynamically_quantised_layers_are_not_run_for_real():
    net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8)).eval()
    quantised = torch.ao.quantization.quantize_dynamic(net, {nn.Linear}, dtype=torch.qint8)
    trace = cnninspect.trace(quantised, (3, 5, 16))
    assert trace.how.run == "abstract"
    assert trace.outputs[0].spec.shape == (3, 5, 8)
    summary = cnninspect.summarize(trace)
    assert summary.totals.macs == 15 * (16 * 32 + 32 * 8)
    assert summary.coverage.unknown == 0
