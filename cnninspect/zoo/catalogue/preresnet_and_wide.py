"""Pre-activation and wide ResNets."""

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
from cnninspect.zoo.catalogue.resnet import CIFAR_RESNET_SETTINGS, PRERESNET_PAPER, WRN_PAPER
from cnninspect.zoo.families import Family, Variant

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
