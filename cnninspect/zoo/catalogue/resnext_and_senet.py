"""ResNeXt and SENet: blocks with many paths, and blocks that weigh their channels."""

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

RESNEXT_PAPER = (
    "Xie, Girshick, Dollár, Tu, He, Aggregated Residual Transformations for Deep Neural Networks, "
    "arXiv:1611.05431"
)

CARDINALITY = Setting("cardinality", 32, "paths in a block", minimum=1)

BASE_WIDTH = Setting("base_width", 4, "channels of a path in the first stage", minimum=1)

RESNEXT = Family(
    name="resnext",
    title="ResNeXt",
    paper=RESNEXT_PAPER,
    year=2016,
    builder="cnninspect.zoo.resnext:ResNeXt",
    settings=(
        NUM_CLASSES,
        IN_CHANNELS,
        RESOLUTION,
        CARDINALITY,
        BASE_WIDTH,
        Setting(
            "form",
            "grouped",
            "of a block, figure 3 of the paper: separate paths that are added, paths that are "
            "concatenated, or one convolution in groups",
            choices=("split", "concatenated", "grouped"),
        ),
        STRIDE_IN,
        HEAD,
        ACTIVATION,
        NORM,
        DROPOUT,
        DROP_PATH,
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(
        Variant(
            "resnext50_32x4d",
            {"depths": (3, 4, 6, 3), "cardinality": 32, "base_width": 4},
            25_028_904,
        ),
        Variant(
            "resnext101_32x4d",
            {"depths": (3, 4, 23, 3), "cardinality": 32, "base_width": 4},
            44_177_704,
        ),
        Variant(
            "resnext101_32x8d",
            {"depths": (3, 4, 23, 3), "cardinality": 32, "base_width": 8},
            88_791_336,
            paper="Mahajan et al., Limits of Weakly Supervised Pretraining, arXiv:1805.00932",
            year=2018,
        ),
        Variant(
            "resnext101_64x4d",
            {"depths": (3, 4, 23, 3), "cardinality": 64, "base_width": 4},
            83_455_272,
        ),
    ),
)

CIFAR_RESNEXT = Family(
    name="cifar_resnext",
    title="ResNeXt for CIFAR",
    paper=RESNEXT_PAPER + ", Table 7",
    year=2016,
    builder="cnninspect.zoo.cifar_resnext:CifarResNeXt",
    settings=(
        *CIFAR_INPUT,
        Setting("depth", 29, "layers with weights: 9n + 2", minimum=11),
        CARDINALITY,
        BASE_WIDTH,
        HEAD,
        ACTIVATION,
        NORM,
        DROPOUT,
        DROP_PATH,
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(
        Variant("resnext29_8x64d", {"cardinality": 8, "base_width": 64}, 34_426_698),
        Variant("resnext29_16x64d", {"cardinality": 16, "base_width": 64}, 68_155_210),
    ),
)

SENET_PAPER = "Hu, Shen, Albanie, Sun, Wu, Squeeze-and-Excitation Networks, arXiv:1709.01507"

BASIC_SENET = Family(
    name="senet",
    title="SENet",
    paper=SENET_PAPER,
    year=2017,
    builder="cnninspect.zoo.senet:SENet",
    settings=(
        NUM_CLASSES,
        IN_CHANNELS,
        RESOLUTION,
        Setting("reduction", 16, "channels for each that the squeeze passes on", minimum=1),
        Setting(
            "se_stages", (2, 3, 4, 5), "stages that have SE, the first is 2", minimum=2, maximum=5
        ),
        Setting(
            "se_position",
            "standard",
            "of SE in a block: on the branch, before it, after the sum, on the shortcut, or after "
            "the branch's (first) 3x3 convolution",
            choices=("standard", "pre", "post", "identity", "3x3"),
        ),
        Setting("se_bias", True, "whether the two layers of SE have biases"),
        Setting("squeeze", True, "whether SE averages over the map before them"),
        HEAD,
        ACTIVATION,
        NORM,
        DROPOUT,
        DROP_PATH,
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    extra={"block": "basic"},
    variants=(
        Variant("se_resnet18", {"depths": (2, 2, 2, 2)}, 11_778_592),
        Variant("se_resnet34", {"depths": (3, 4, 6, 3)}, 21_958_868),
    ),
)

BOTTLENECK_SENET = replace(
    BASIC_SENET,
    settings=(*BASIC_SENET.settings, STRIDE_IN),
    extra={"block": "bottleneck"},
    variants=(
        Variant("se_resnet50", {"depths": (3, 4, 6, 3)}, 28_088_024),
        Variant("se_resnet101", {"depths": (3, 4, 23, 3)}, 49_326_872),
        Variant("se_resnet152", {"depths": (3, 8, 36, 3)}, 66_821_848),
        Variant(
            "se_resnext50_32x4d",
            {"depths": (3, 4, 6, 3), "cardinality": 32, "base_width": 4},
            27_559_896,
        ),
        Variant(
            "se_resnext101_32x4d",
            {"depths": (3, 4, 23, 3), "cardinality": 32, "base_width": 4},
            48_955_416,
        ),
    ),
)
