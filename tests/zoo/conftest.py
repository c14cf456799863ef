"""What the tests of the zoo share: networks by name, and torchvision's to compare with."""

import importlib
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

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
    return lambda name, **settings: sum(p.numel() for p in build(name, **settings).parameters())
