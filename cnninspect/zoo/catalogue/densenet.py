"""DenseNets, for ImageNet and for CIFAR."""

from __future__ import annotations

from cnninspect.records.entries import Setting
from cnninspect.zoo.catalogue.image_settings import (
    ACTIVATION,
    CIFAR_INPUT,
    HEAD,
    IN_CHANNELS,
    NORM,
    NUM_CLASSES,
)
from cnninspect.zoo.families import Family, Variant

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
