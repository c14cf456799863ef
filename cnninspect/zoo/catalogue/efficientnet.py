"""EfficientNet: B0 to B7, and any compound coefficient."""

from __future__ import annotations

from cnninspect.records.entries import Setting
from cnninspect.zoo.catalogue.image_settings import IN_CHANNELS, NUM_CLASSES, RESOLUTION
from cnninspect.zoo.families import Family, Variant

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
