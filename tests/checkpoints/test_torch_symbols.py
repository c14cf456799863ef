import pytest
import torch
from torch._weights_only_unpickler import _get_allowed_globals

from cnninspect.checkpoints.torch_symbols import (
    STORAGE_DTYPES,
    dtype_of,
    is_allowed,
    storage_dtype,
)


def test_every_name_that_weights_only_loading_takes_is_allowed():
    assert [name for name in _get_allowed_globals() if not is_allowed(name)] == []


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "builtins.getattr",
        "__builtin__.exec",
        "torch.load",
        "torch.hub.load",
        "torch.storage._load_from_bytes",
        "torch.float32.__class__",
        "torch.floats",
        "numpy.float32",
        "torchFloatStorage",
        "evil.torch.FloatStorage",
        "",
        ".",
    ],
)
def test_other_names_are_not_allowed(name):
    assert not is_allowed(name)


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
@pytest.mark.parametrize("name", STORAGE_DTYPES)
def test_storages_hold_what_torch_says(name):
    assert getattr(torch, STORAGE_DTYPES[name]) is getattr(torch, name).dtype
    assert storage_dtype(f"torch.{name}") == STORAGE_DTYPES[name]


def test_dtypes_are_told_from_other_names():
    assert dtype_of("torch.bfloat16") == "bfloat16"
    assert dtype_of("torch.Size") is None
    assert dtype_of("numpy.float32") is None


ALLOWED = [
    "torch.FloatTensor", "torch.cuda.FloatTensor", "torch.cuda.sparse.HalfTensor",
    "torch.float32", "torch.FloatStorage", "torch.uint3", "collections.OrderedDict",
]  # fmt: skip


@pytest.mark.parametrize("name", ALLOWED)
def test_a_name_that_only_begins_or_ends_as_an_allowed_one_is_not(name):
    assert is_allowed(name)
    for odd in (
        f"{name}.__reduce__",
        f"{name}x",
        f"x{name}",
        f"os.{name}",
        f"{name}\n",
        f" {name}",
    ):
        assert not is_allowed(odd)
