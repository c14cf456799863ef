"""ResNets and their plain twins, for ImageNet and for CIFAR."""

from __future__ import annotations

from dataclasses import replace

from cnninspect.records.entries import Setting
from cnninspect.zoo.catalogue.image_settings import (
    ACTIVATION,
    CIFAR_INPUT,
    DROP_PATH,
    DROPOUT,
    HEAD,
    IN_CHANNELS,
    NORM,
    NUM_CLASSES,
    RESOLUTION,
    STRIDE_IN,
)
from cnninspect.zoo.families import Family, Variant

PRERESNET_PAPER = (
    "He, Zhang, Ren, Sun, Identity Mappings in Deep Residual Networks, arXiv:1603.05027"
)

WRN_PAPER = "Zagoruyko, Komodakis, Wide Residual Networks, arXiv:1605.07146"

WIDTH = Setting("width", 1.0, "times the channels inside the blocks", minimum=0.02)

BASIC_RESNET = Family(
    name="resnet",
    title="ResNet",
    paper="He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, arXiv:1512.03385",
    year=2015,
    builder="cnninspect.zoo.resnet:ResNet",
    settings=(
        NUM_CLASSES, IN_CHANNELS, RESOLUTION, WIDTH, HEAD, ACTIVATION, NORM, DROPOUT, DROP_PATH,
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    extra={"block": "basic"},
    variants=(  # Table 1 of the paper
        Variant("resnet18", {"depths": (2, 2, 2, 2)}, 11_689_512),
        Variant("resnet34", {"depths": (3, 4, 6, 3)}, 21_797_672),
    ),
)  # fmt: skip

BOTTLENECK_RESNET = replace(
    BASIC_RESNET,
    settings=(*BASIC_RESNET.settings, STRIDE_IN),
    extra={"block": "bottleneck"},
    variants=(  # Table 1 of the paper
        Variant("resnet50", {"depths": (3, 4, 6, 3)}, 25_557_032),
        Variant("resnet101", {"depths": (3, 4, 23, 3)}, 44_549_160),
        Variant("resnet152", {"depths": (3, 8, 36, 3)}, 60_192_808),
        Variant(
            "wide_resnet50_2",
            {"depths": (3, 4, 6, 3), "width": 2.0},
            68_883_240,
            paper=WRN_PAPER + ", Table 8",
            year=2016,
        ),
        Variant(
            "wide_resnet101_2",
            {"depths": (3, 4, 23, 3), "width": 2.0},
            126_886_696,
            paper="torchvision, after " + WRN_PAPER,
            year=2016,
        ),
    ),
)

PLAIN = replace(
    BASIC_RESNET,
    name="plain",
    title="Plain twins of the ResNets",
    settings=tuple(setting for setting in BASIC_RESNET.settings if setting is not DROP_PATH),
    extra={"block": "basic", "skip": False},
    variants=(  # Table 1 of the paper
        Variant("plain18", {"depths": (2, 2, 2, 2)}, 11_515_688),
        Variant("plain34", {"depths": (3, 4, 6, 3)}, 21_623_848),
    ),
)

CIFAR_RESNET_SETTINGS = (
    *CIFAR_INPUT,
    Setting("depth", 20, "layers with weights: 6n + 2, or 9n + 2 with bottlenecks", minimum=8),
    HEAD,
    ACTIVATION,
    NORM,
    DROPOUT,
)

CIFAR_RESNET = Family(
    name="cifar_resnet",
    title="ResNet for CIFAR",
    paper=BASIC_RESNET.paper + ", section 4.2",
    year=2015,
    builder="cnninspect.zoo.cifar_resnet:CifarResNet",
    settings=(
        *CIFAR_RESNET_SETTINGS,
        Setting(
            "shortcut",
            "A",
            "where the shape changes: A, zeros for the new channels, or B, a 1x1 convolution",
            choices=("A", "B"),
        ),
        DROP_PATH,
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(
        Variant("resnet20", {"block": "basic", "depth": 20}, 269_722),
        Variant("resnet32", {"block": "basic", "depth": 32}, 464_154),
        Variant("resnet44", {"block": "basic", "depth": 44}, 658_586),
        Variant("resnet56", {"block": "basic", "depth": 56}, 853_018),
        Variant("resnet110", {"block": "basic", "depth": 110}, 1_727_962),
        Variant("resnet1202", {"block": "basic", "depth": 1202}, 19_421_274),
        Variant(
            "resnet164",
            {"block": "bottleneck", "depth": 164, "shortcut": "B"},
            1_704_154,
            paper=PRERESNET_PAPER + ", Table 4 (original)",
            year=2016,
        ),
        Variant(
            "resnet1001",
            {"block": "bottleneck", "depth": 1001, "shortcut": "B"},
            10_328_602,
            paper=PRERESNET_PAPER + ", Table 4 (original)",
            year=2016,
        ),
    ),
)

CIFAR_PLAIN = Family(
    name="cifar_plain",
    title="Plain twins of the ResNets for CIFAR",
    paper=CIFAR_RESNET.paper,
    year=2015,
    builder="cnninspect.zoo.cifar_resnet:CifarResNet",
    settings=CIFAR_RESNET_SETTINGS,
    input_shape=("in_channels", "resolution", "resolution"),
    extra={"block": "basic", "skip": False},
    variants=(
        Variant("plain20", {"depth": 20}, 269_722),
        Variant("plain32", {"depth": 32}, 464_154),
        Variant("plain44", {"depth": 44}, 658_586),
        Variant("plain56", {"depth": 56}, 853_018),
        Variant("plain110", {"depth": 110}, 1_727_962),
    ),
)
