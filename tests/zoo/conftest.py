"""What the tests of the zoo share: networks by name, and torchvision's to compare with."""

import importlib
from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cnninspect.zoo import catalogue
from cnninspect.zoo.families import Family

# torchvision's extension does not load beside a CPU build of torch; its networks need no kernel
# of it, only that these two operators exist when it is imported.
SCHEMAS = ("nms", "qnms")
_LIBRARIES: list[torch.library.Library] = []


def _define_missing_schemas() -> None:
    for name in SCHEMAS:
        if not hasattr(torch.ops.torchvision, name):
            library = torch.library.Library("torchvision", "FRAGMENT")
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            _LIBRARIES.append(library)  # an operator lives as long as its library


@pytest.fixture(scope="session")
def torchvision_models():
    """The module `torchvision.models`; tests that need it are skipped where it is missing."""
    try:
        return importlib.import_module("torchvision.models")
    except ImportError:
        pytest.skip("torchvision is not installed")
    except RuntimeError:
        _define_missing_schemas()
        return importlib.import_module("torchvision.models")


def _arguments(name: str, settings: dict) -> tuple[Family, dict]:
    family, variant = catalogue.find(name)
    unknown = settings.keys() - {setting.name for setting in family.settings}
    assert not unknown, f"{name} has no settings {unknown}"
    return family, family.arguments_of(variant, settings)


@pytest.fixture(scope="session")
def build() -> Callable[..., nn.Module]:
    """`build(name, device="meta", **settings)`: that network of the catalogue, in eval mode."""

    def build_one(name: str, *, device: str = "meta", **settings: object) -> nn.Module:
        family, arguments = _arguments(name, settings)
        module, attribute = family.builder.split(":")
        with torch.device(device):
            return getattr(importlib.import_module(module), attribute)(**arguments).eval()

    return build_one


@pytest.fixture(scope="session")
def input_of() -> Callable[..., Tensor]:
    """`input_of(name, batch=2, device="meta", **settings)`: a random input of that network."""

    def make(name: str, *, batch: int = 2, device: str = "meta", **settings: object) -> Tensor:
        family, arguments = _arguments(name, settings)
        sizes = [arguments[size] if isinstance(size, str) else size for size in family.input_shape]
        return torch.rand(batch, *sizes, device=device)

    return make


@pytest.fixture(scope="session")
def parameters_of(build) -> Callable[..., int]:
    """`parameters_of(name, **settings)`: how many parameters that network has."""
    return cache(
        lambda name, **settings: sum(p.numel() for p in build(name, **settings).parameters())
    )


@pytest.fixture(scope="session")
def macs_by_path(build, input_of) -> Callable[..., dict[str, int]]:
    """`macs_by_path(name, **settings)`: MACs on one input for each layer, those of all under ""."""

    def count(name: str, **settings: object) -> dict[str, int]:
        model = build(name, **settings)
        with FlopCounterMode(display=False) as counter:
            model(input_of(name, batch=1, **settings))
        counts = {path: sum(ops.values()) // 2 for path, ops in counter.get_flop_counts().items()}
        total = counts.pop("Global", 0)
        return {path.partition(".")[2]: macs for path, macs in counts.items()} | {"": total}

    return count


def _random_state(model: nn.Module) -> dict[str, Tensor]:
    torch.manual_seed(0)
    state = {}
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point():
            state[name] = torch.zeros(tensor.shape, dtype=tensor.dtype)
        elif name.endswith("running_var"):
            state[name] = torch.empty(tensor.shape).uniform_(0.5, 1.5)
        else:
            bound = (3 / max(1, tensor[0].numel())) ** 0.5  # keeps the size of what flows through
            state[name] = torch.empty(tensor.shape).uniform_(-bound, bound)
    return state


@pytest.fixture(scope="session")
def differences() -> Callable[..., list[float]]:
    """`differences(ours, theirs, x)`: the largest one of each output, under the same weights.

    Both networks come without data (on the meta device) and with the same names of parameters.
    """

    def compare(ours: nn.Module, theirs: nn.Module, x: Tensor) -> list[float]:
        state = _random_state(theirs)
        results = []
        for model in (ours, theirs):
            buffers = {n: b for n, b in model.named_buffers() if n not in state and b.is_meta}
            assert not buffers, "cannot fill buffers that are no part of the state"
            model.load_state_dict({n: t.clone() for n, t in state.items()}, assign=True)
            with torch.no_grad():
                out = model(x)
            results.append(out if isinstance(out, tuple) else (out,))
        assert len(results[0]) == len(results[1])
        assert all(b.abs().max() > 0.01 for b in results[1])
        return [float((a - b).abs().max()) for a, b in zip(*results)]

    return compare


@pytest.fixture(scope="session")
def macs_of(macs_by_path) -> Callable[..., int]:
    """`macs_of(name, **settings)`: its MACs on one input, as PyTorch's own counter has them."""
    return cache(lambda name, **settings: macs_by_path(name, **settings)[""])
