"""The networks that are measured, built by torchvision for every counter alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cnninspect.sources.torchvision_schemas import import_torchvision


@dataclass(frozen=True)
class Case:
    """A network and its input."""

    title: str
    """As it stands in the tables."""
    name: str
    """What torchvision calls it."""
    shape: tuple[int, ...]
    """Of its input, the batch first."""

    def build(self) -> Any:
        """The network without trained weights, on torch's current default device."""
        torchvision, _ = import_torchvision()
        return torchvision.models.get_model(self.name, weights=None).eval()


CASES = {
    case.title: case
    for case in (
        Case("ResNet-34", "resnet34", (1, 3, 224, 224)),
        Case("ResNet-152", "resnet152", (1, 3, 224, 224)),
        Case("DenseNet-201", "densenet201", (1, 3, 224, 224)),
        Case("ViT-L/16", "vit_l_16", (1, 3, 224, 224)),
        Case("EfficientNet-B7, 600 px", "efficientnet_b7", (1, 3, 600, 600)),
        Case("ResNet-50, batch 64", "resnet50", (64, 3, 224, 224)),
    )
}
