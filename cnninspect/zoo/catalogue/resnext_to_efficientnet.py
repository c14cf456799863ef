"""Variants of ResNeXt, SENet, DenseNet and EfficientNet."""

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


DENSENET_PAPER = (
    "Huang, Liu, van der Maaten, Weinberger, Densely Connected Convolutional Networks, "
    "arXiv:1608.06993"
)

DENSENET_SETTINGS = (
    Setting("growth_rate", 32, "channels that a layer adds", minimum=1),
    Setting("compression", 0.5, "share of the channels that a transition keeps: the paper's theta",
            minimum=0.01, maximum=1),
    Setting("bottleneck", True, "whether a 1x1 convolution stands before each 3x3"),
    HEAD,
    ACTIVATION,
    NORM,
    Setting("dropout", 0.0, "share dropped after each convolution but the first",
            minimum=0, maximum=1),
)  # fmt: skip

DENSENET = Family(
    name="densenet",
    title="DenseNet",
    paper=DENSENET_PAPER,
    year=2016,
    builder="cnninspect.zoo.densenet:DenseNet",
    settings=(
        NUM_CLASSES,
        IN_CHANNELS,
        # The last transition needs two pixels to halve.
        Setting("resolution", 224, "height and width of the input", minimum=29),
        *DENSENET_SETTINGS,
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(  # Table 1 of the paper; k = 48 of DenseNet-161 from an earlier version
        Variant("densenet121", {"depths": (6, 12, 24, 16), "growth_rate": 32}, 7_978_856),
        Variant("densenet161", {"depths": (6, 12, 36, 24), "growth_rate": 48}, 28_681_000),
        Variant("densenet169", {"depths": (6, 12, 32, 32), "growth_rate": 32}, 14_149_480),
        Variant("densenet201", {"depths": (6, 12, 48, 32), "growth_rate": 32}, 20_013_928),
        Variant("densenet264", {"depths": (6, 12, 64, 48), "growth_rate": 32}, 33_337_704),
    ),
)

DENSENET_PLAIN = {"bottleneck": False, "compression": 1.0}

DENSENET_BC = {"bottleneck": True, "compression": 0.5}

CIFAR_DENSENET = Family(
    name="cifar_densenet",
    title="DenseNet for CIFAR",
    paper=DENSENET_PAPER + ", Table 2",
    year=2016,
    builder="cnninspect.zoo.densenet:cifar_densenet",
    settings=(
        CIFAR_INPUT[0],
        IN_CHANNELS,
        Setting("resolution", 32, "height and width of the input", minimum=4),
        Setting("depth", 40, "layers: 3n + 4, or 6n + 4 with bottlenecks", minimum=7),
        *DENSENET_SETTINGS,
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(
        Variant("densenet40_k12", {**DENSENET_PLAIN, "depth": 40, "growth_rate": 12}, 1_019_722),
        Variant("densenet100_k12", {**DENSENET_PLAIN, "depth": 100, "growth_rate": 12}, 6_979_642),
        Variant("densenet100_k24", {**DENSENET_PLAIN, "depth": 100, "growth_rate": 24}, 27_249_082),
        Variant("densenet_bc100_k12", {**DENSENET_BC, "depth": 100, "growth_rate": 12}, 769_162),
        Variant("densenet_bc250_k24", {**DENSENET_BC, "depth": 250, "growth_rate": 24}, 15_324_406),
        Variant("densenet_bc190_k40", {**DENSENET_BC, "depth": 190, "growth_rate": 40}, 25_624_430),
        *(
            Variant(
                f"densenet_bc40_k{growth_rate}",
                {**DENSENET_BC, "depth": 40, "growth_rate": growth_rate},
                parameters,
                paper=DENSENET_PAPER + "; wide, in the README of liuzhuang13/DenseNet",
            )
            for growth_rate, parameters in ((36, 1_542_682), (48, 2_733_130), (60, 4_261_690))
        ),
    ),
)


EFFICIENTNET_PAPER = "Tan, Le, EfficientNet: Rethinking Model Scaling for CNNs, arXiv:1905.11946"

EFFICIENTNET_DROP = (
    Setting("dropout", 0.2, "share dropped before the last layer", minimum=0, maximum=1),
    Setting(
        "drop_path",
        0.2,
        "stochastic depth: chance that an image skips a late block in training, 0 for the first",
        minimum=0,
        maximum=1,
    ),
)

EFFICIENTNET = Family(
    name="efficientnet",
    title="EfficientNet",
    paper=EFFICIENTNET_PAPER,
    year=2019,
    builder="cnninspect.zoo.efficientnet:EfficientNet",
    settings=(
        NUM_CLASSES,
        IN_CHANNELS,
        RESOLUTION,
        Setting("width", 1.0, "times the channels of B0, to a multiple of 8", minimum=0.01),
        Setting("depth", 1.0, "times the blocks of B0, rounded up", minimum=0.01),
        *EFFICIENTNET_DROP,
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    input_settings=("resolution",),
    # Coefficients and dropout are the authors'; from B5 on torchvision normalises as they do.
    variants=(
        Variant("efficientnet_b0", {"width": 1.0, "depth": 1.0, "resolution": 224}, 5_288_548),
        Variant("efficientnet_b1", {"width": 1.0, "depth": 1.1, "resolution": 240}, 7_794_184),
        Variant(
            "efficientnet_b2",
            {"width": 1.1, "depth": 1.2, "resolution": 260, "dropout": 0.3},
            9_109_994,
        ),
        Variant(
            "efficientnet_b3",
            {"width": 1.2, "depth": 1.4, "resolution": 300, "dropout": 0.3},
            12_233_232,
        ),
        Variant(
            "efficientnet_b4",
            {"width": 1.4, "depth": 1.8, "resolution": 380, "dropout": 0.4},
            19_341_616,
        ),
        Variant(
            "efficientnet_b5",
            {
                "width": 1.6,
                "depth": 2.2,
                "resolution": 456,
                "dropout": 0.4,
                "norm_eps": 1e-3,
                "norm_momentum": 0.01,
            },
            30_389_784,
        ),
        Variant(
            "efficientnet_b6",
            {
                "width": 1.8,
                "depth": 2.6,
                "resolution": 528,
                "dropout": 0.5,
                "norm_eps": 1e-3,
                "norm_momentum": 0.01,
            },
            43_040_704,
        ),
        Variant(
            "efficientnet_b7",
            {
                "width": 2.0,
                "depth": 3.1,
                "resolution": 600,
                "dropout": 0.5,
                "norm_eps": 1e-3,
                "norm_momentum": 0.01,
            },
            66_347_960,
        ),
    ),
)

EFFICIENTNET_COMPOUND = Family(
    name="efficientnet_compound",
    title="EfficientNet by its compound coefficient",
    paper=EFFICIENTNET_PAPER,
    year=2019,
    builder="cnninspect.zoo.efficientnet:EfficientNet",
    derive="cnninspect.zoo.efficientnet:compound",
    settings=(
        NUM_CLASSES,
        IN_CHANNELS,
        Setting("phi", 0.0, "compound coefficient: each step doubles the work"),
        Setting("alpha", 1.2, "depth is alpha^phi", minimum=1),
        Setting("beta", 1.1, "width is beta^phi", minimum=1),
        Setting("gamma", 1.15, "resolution is 224·gamma^phi", minimum=1),
        Setting(
            "resolution",
            None,
            "height and width of the input, if not by phi",
            type="int",
            minimum=1,
        ),
        *EFFICIENTNET_DROP,
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(Variant("efficientnet", {}, 5_288_548),),
)
