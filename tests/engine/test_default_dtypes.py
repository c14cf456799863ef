"""What an operation gave under one default dtype does not answer for another."""

import pytest
import torch
from torch import nn

import cnninspect
from cnninspect.engine.tracing import trace
from cnninspect.records.models import LoadedModel, ModelInfo


@pytest.fixture
def default_dtype():
    before = torch.get_default_dtype()
    yield torch.set_default_dtype
    torch.set_default_dtype(before)


def built_dtypes():
    loaded = LoadedModel(ModelInfo("m", "python", "m"), lambda: nn.Linear(3, 4))
    return {parameter.spec.dtype for parameter in trace(loaded).layers[0].parameters}


@pytest.mark.parametrize("dtypes", [("float32", "bfloat16"), ("bfloat16", "float32")])
def test_weights_are_built_in_the_default_dtype_of_the_moment(default_dtype, dtypes):
    for dtype in dtypes:
        default_dtype(getattr(torch, dtype))
        assert built_dtypes() == {dtype}


class Divides(nn.Module):
    def forward(self, x, n):
        return x * torch.zeros(x.shape, dtype=torch.int64).sum(), n.expand(3000, 3000) / 2


def test_whole_numbers_turn_into_the_default_dtype_of_the_moment(default_dtype):
    numbers = torch.ones(3000, 1, dtype=torch.int64)
    for dtype in ("float32", "float64", "float32"):
        default_dtype(getattr(torch, dtype))
        outputs = cnninspect.trace(Divides(), [(2, 3), numbers]).outputs
        assert [output.spec.dtype for output in outputs] == [dtype, dtype]
