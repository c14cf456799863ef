"""Highway networks, and the FitNets that they are compared with."""

from __future__ import annotations

from dataclasses import replace

from cnninspect.records.entries import Setting
from cnninspect.zoo.catalogue.image_settings import (
    ACTIVATION,
    DROPOUT,
    IN_CHANNELS,
    NO_NORM,
    NUM_CLASSES,
    RESOLUTION,
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
