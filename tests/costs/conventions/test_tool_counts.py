"""What other tools print for torchvision's networks, reproduced to the digit."""

from functools import cache

import pytest

import cnninspect
from cnninspect.costs.conventions import CONVENTIONS

TOOLS = ("fvcore", "thop", "ptflops", "torchinfo")
PRINTED = {
    # One image of 224×224 in evaluation; fvcore 0.1.5, thop 0.1.1, ptflops 0.7.5, torchinfo 1.8.0.
    "alexnet": (714197696, 714206912, 716441128, 714682664),
    "vgg16": (15470289408, 15470314496, 15523225576, 15483821032),
    "vgg16_bn": (15497384448, 15524504576, 15550320616, 15483829480),
    "googlenet": (1504878688, 1511332032, 1513907448, 1498391752),
    "resnet18": (1819065856, 1824033792, 1825313768, 1814083944),
    "resnet50": (4111512576, 4133742592, 4132436968, 4089238376),
    "densenet121": (2865546752, 2897007104, 2899843048, 2834246312),
    "resnext50_32x4d": (4259381248, 4288184320, 4286878696, 4230549096),
    "efficientnet_b0": (401659392, 415145024, 410196896, 385867108),
    "mobilenet_v2": (314193216, 327486720, 320300008, 300809384),
    "mobilenet_v3_large": (226033824, 234838456, 231316416, 216621520),
    "squeezenet1_0": (819093576, 819094576, 836821960, 823270824),
    "convnext_tiny": (4470437376, 4464149760, 4488347368, 322371592),
    "vit_b_32": (4367906304, 2951368704, 4418839336, 173119720),
    "swin_t": (4509232128, 2978099712, 3128183416, 34368232),
}
IN_METADATA = {
    # GFLOPS in the metadata of torchvision 0.28's weights.
    "alexnet": 0.714, "vgg16_bn": 15.47, "googlenet": 1.498, "resnet18": 1.814, "resnet50": 4.089,
    "densenet121": 2.834, "resnext50_32x4d": 4.23, "efficientnet_b0": 0.386, "mobilenet_v2": 0.301,
    "squeezenet1_0": 0.819, "convnext_tiny": 4.456, "vit_b_32": 4.409, "swin_t": 4.491,
}  # fmt: skip
EXTRA = {"googlenet": {"init_weights": False, "aux_logits": False}}


@cache
def traced(name):
    import torch

    from cnninspect.sources.torchvision_schemas import import_torchvision

    import_torchvision()
    from torchvision.models import get_model_builder

    with torch.device("meta"):
        network = get_model_builder(name)(weights=None, **EXTRA.get(name, {}))
    return cnninspect.trace(network, (1, 3, 224, 224))


@pytest.mark.parametrize(
    ("network", "tool", "expected"),
    [
        pytest.param(network, tool, count, id=f"{network}-{tool}")
        for network, counts in PRINTED.items()
        for tool, count in zip(TOOLS, counts)
    ],
)
def test_a_tool_s_count_is_reproduced_to_the_digit(network, tool, expected):
    assert CONVENTIONS[tool].total(traced(network)) == expected


@pytest.mark.parametrize(("network", "expected"), IN_METADATA.items())
def test_torchvision_s_metadata_is_reproduced_as_printed(network, expected):
    assert round(CONVENTIONS["torchvision"].total(traced(network)) / 1e9, 3) == expected
