"""Variants with skip connections: highway networks, FitNet, ResNet, pre-activation, wide."""

from __future__ import annotations

from dataclasses import replace

from cnninspect.records.models import Setting
from cnninspect.zoo.catalogue.image_settings import (
    ACTIVATION,
    CIFAR_INPUT,
    DROP_PATH,
    DROPOUT,
    HEAD,
    IN_CHANNELS,
    NO_NORM,
    NORM,
    NUM_CLASSES,
    RESOLUTION,
    STRIDE_IN,
)
from cnninspect.zoo.families import Family, Variant

GATES = Setting("gates", True, "gates on the bypasses; without, the plain twin")

GATE_BIAS = Setting("gate_bias", -2.0, "where the gates' biases start: negative is nearly closed")

HIGHWAY_MNIST = Family(
    name="highway",
    title="Highway network",
    paper="Srivastava, Greff, Schmidhuber, Training Very Deep Networks, arXiv:1507.06228",
    year=2015,
    builder="cnninspect.zoo.highway:HighwayMNIST",
    settings=(
        replace(NUM_CLASSES, default=10),
        replace(IN_CHANNELS, default=1),
        replace(RESOLUTION, default=28),
        Setting("width", 16, "maps of every convolution", minimum=1),
        GATES,
        replace(GATE_BIAS, default=-1.0),
        ACTIVATION,
        NO_NORM,
        replace(DROPOUT, default=0.2, meaning="share dropped before each stage and at the end"),
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(Variant("highway_mnist", {}, 38_986),),  # Table 1, and the authors' network file
)

HIGHWAY_CIFAR = replace(
    HIGHWAY_MNIST,
    builder="cnninspect.zoo.highway:HighwayCIFAR",
    settings=(
        replace(NUM_CLASSES, default=10),
        IN_CHANNELS,
        replace(RESOLUTION, default=32),
        GATES,
        GATE_BIAS,
        ACTIVATION,
        NO_NORM,
        replace(DROPOUT, default=0.2, meaning="share dropped before each stage and at the end"),
    ),
    variants=(  # Table 2: Highway B, from the authors' network file, and Highway C, inferred
        Variant(
            "highway19",
            {"depths": (5, 6, 6), "widths": (32, 80, 128), "kernels": (3,), "last_channels": 100},
            2_256_838,
        ),
        Variant(
            "highway32",
            {
                "depths": (10, 10, 10),
                "widths": (32, 64, 96),
                "kernels": (3, 1),
                "last_channels": 10,
            },
            1_254_872,
        ),
    ),
)

FITNET = Family(
    name="fitnet",
    title="FitNet",
    paper="Romero et al., FitNets: Hints for Thin Deep Nets, arXiv:1412.6550",
    year=2014,
    builder="cnninspect.zoo.fitnet:FitNet",
    settings=(
        replace(NUM_CLASSES, default=10),
        IN_CHANNELS,
        replace(RESOLUTION, default=32),
        Setting("hidden", 500, "units of the hidden linear layer", minimum=1),
        DROPOUT,
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(  # Table 7 of the paper
        Variant(
            "fitnet1",
            {"stage1": (16, 16, 16), "stage2": (32, 32, 32), "stage3": (48, 48, 64)},
            251_194,
        ),
        Variant(
            "fitnet2",
            {"stage1": (16, 32, 32), "stage2": (48, 64, 80), "stage3": (96, 96, 128)},
            864_122,
        ),
        Variant(
            "fitnet4",
            {
                "stage1": (32, 32, 32, 48, 48),
                "stage2": (80, 80, 80, 80, 80, 80),
                "stage3": (128, 128, 128, 128, 128, 128),
            },
            2_548_602,
        ),
    ),
)


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


BASIC_PRERESNET = Family(
    name="preresnet",
    title="Pre-activation ResNet",
    paper=PRERESNET_PAPER,
    year=2016,
    builder="cnninspect.zoo.preresnet:PreResNet",
    settings=(
        NUM_CLASSES, IN_CHANNELS, RESOLUTION, HEAD, ACTIVATION, NORM, DROPOUT, DROP_PATH,
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    extra={"block": "basic"},
    variants=(
        Variant("preresnet18", {"depths": (2, 2, 2, 2)}, 11_687_848),
        Variant("preresnet34", {"depths": (3, 4, 6, 3)}, 21_796_008),
    ),
)  # fmt: skip

BOTTLENECK_PRERESNET = replace(
    BASIC_PRERESNET,
    settings=(*BASIC_PRERESNET.settings, STRIDE_IN),
    extra={"block": "bottleneck"},
    variants=(
        Variant("preresnet50", {"depths": (3, 4, 6, 3)}, 25_549_480),
        Variant("preresnet101", {"depths": (3, 4, 23, 3)}, 44_541_608),
        Variant("preresnet152", {"depths": (3, 8, 36, 3)}, 60_185_256),
        Variant("preresnet200", {"depths": (3, 24, 36, 3)}, 64_666_280),
    ),
)

CIFAR_BASIC_PRERESNET = Family(
    name="cifar_preresnet",
    title="Pre-activation ResNet for CIFAR",
    paper=PRERESNET_PAPER + ", Table 4",
    year=2016,
    builder="cnninspect.zoo.preresnet:CifarPreResNet",
    settings=(*CIFAR_RESNET_SETTINGS, DROP_PATH),
    input_shape=("in_channels", "resolution", "resolution"),
    extra={"block": "basic"},
    variants=(Variant("preresnet110", {"depth": 110}, 1_730_522),),
)

CIFAR_BOTTLENECK_PRERESNET = replace(
    CIFAR_BASIC_PRERESNET,
    settings=(*CIFAR_BASIC_PRERESNET.settings, STRIDE_IN),
    extra={"block": "bottleneck"},
    variants=(
        Variant("preresnet164", {"depth": 164}, 1_703_258),
        Variant("preresnet1001", {"depth": 1001}, 10_327_706),
    ),
)

WIDE_RESNET = Family(
    name="wide_resnet",
    title="Wide ResNet for CIFAR",
    paper=WRN_PAPER,
    year=2016,
    builder="cnninspect.zoo.wide_resnet:WideResNet",
    settings=(
        *CIFAR_INPUT,
        Setting("depth", 28, "6n + 4, for n blocks in a stage", minimum=10),
        Setting("width", 10, "times the channels of a ResNet: the paper's k", minimum=1),
        Setting("kernels", (3, 3), "sizes of the convolutions in a block", minimum=1),
        HEAD,
        ACTIVATION,
        NORM,
        Setting(
            "dropout",
            0.0,
            "share dropped between the convolutions of a block",
            minimum=0,
            maximum=1,
        ),
        DROP_PATH,
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(  # Table 4 of the paper, and section 3 for WRN-40-10
        Variant("wrn16_8", {"depth": 16, "width": 8}, 10_961_370),
        Variant("wrn16_10", {"depth": 16, "width": 10}, 17_116_634),
        Variant("wrn22_8", {"depth": 22, "width": 8}, 17_158_106),
        Variant("wrn22_10", {"depth": 22, "width": 10}, 26_797_914),
        Variant("wrn28_10", {"depth": 28, "width": 10}, 36_479_194),
        Variant("wrn28_12", {"depth": 28, "width": 12}, 52_517_850),
        Variant("wrn40_1", {"depth": 40, "width": 1}, 563_930),
        Variant("wrn40_2", {"depth": 40, "width": 2}, 2_243_546),
        Variant("wrn40_4", {"depth": 40, "width": 4}, 8_949_210),
        Variant("wrn40_8", {"depth": 40, "width": 8}, 35_748_314),
        Variant("wrn40_10", {"depth": 40, "width": 10}, 55_841_754),
    ),
)
