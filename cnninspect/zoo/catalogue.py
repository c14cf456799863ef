"""Every architecture of the zoo that has a name: a cited table, readable without torch.

`FAMILIES` is the table; `find` and `entries` look things up in it.  Parameter counts are those of
the default settings, and the tests compare each with the network that is built.
"""

from __future__ import annotations

from cnninspect.errors import UnknownModel
from cnninspect.records.entries import ModelEntry, Setting
from cnninspect.zoo.families import Family, Variant

NUM_CLASSES = Setting("num_classes", 1000, "outputs of the last layer", minimum=1)
IN_CHANNELS = Setting("in_channels", 3, "channels of the input", minimum=1)
RESOLUTION = Setting("resolution", 224, "height and width of the input", minimum=1)
ACTIVATION = Setting(
    "activation", "relu", "non-linearity", choices=("relu", "leaky_relu", "sigmoid", "tanh")
)
NORM = Setting("norm", "batch", "normalisation after each convolution", choices=("batch", "none"))
DROPOUT = Setting("dropout", 0.0, "share dropped before the last layer", minimum=0, maximum=1)
DROP_PATH = Setting(
    "drop_path",
    0.0,
    "stochastic depth: chance that the last block is skipped in training, less for earlier ones",
    minimum=0,
    maximum=1,
)

RESNET = Family(
    name="resnet",
    title="ResNet",
    paper="He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, arXiv:1512.03385",
    year=2015,
    builder="cnninspect.zoo.resnet:ResNet",
    settings=(
        NUM_CLASSES,
        IN_CHANNELS,
        RESOLUTION,
        Setting(
            "stride_in",
            "3x3",
            "which convolution of a bottleneck strides: 3x3 (torchvision, v1.5) or 1x1 (paper, v1)",
            choices=("3x3", "1x1"),
        ),
        Setting(
            "head",
            "gap",
            "before the last layer: global average pooling, or the flattened map",
            choices=("gap", "flatten"),
        ),
        ACTIVATION,
        NORM,
        DROPOUT,
        DROP_PATH,
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(  # Table 1 of the paper
        Variant("resnet18", {"block": "basic", "depths": (2, 2, 2, 2)}, 11_689_512),
        Variant("resnet34", {"block": "basic", "depths": (3, 4, 6, 3)}, 21_797_672),
        Variant("resnet50", {"block": "bottleneck", "depths": (3, 4, 6, 3)}, 25_557_032),
        Variant("resnet101", {"block": "bottleneck", "depths": (3, 4, 23, 3)}, 44_549_160),
        Variant("resnet152", {"block": "bottleneck", "depths": (3, 8, 36, 3)}, 60_192_808),
        Variant("plain18", {"block": "basic", "depths": (2, 2, 2, 2), "skip": False}, 11_515_688),
        Variant("plain34", {"block": "basic", "depths": (3, 4, 6, 3), "skip": False}, 21_623_848),
    ),
)

FAMILIES: tuple[Family, ...] = (RESNET,)


def find(name: str) -> tuple[Family, Variant]:
    """The family and the variant of that name.

    Raises:
        UnknownModel: the zoo has no such name.
    """
    for family in FAMILIES:
        for variant in family.variants:
            if variant.name == name:
                return family, variant
    raise UnknownModel(name, names(), "the zoo")


def names() -> tuple[str, ...]:
    """Every name, family by family."""
    return tuple(variant.name for family in FAMILIES for variant in family.variants)


def entries() -> tuple[ModelEntry, ...]:
    """Every named architecture with its source in print."""
    return tuple(
        ModelEntry(
            name=variant.name,
            source="zoo",
            family=family.name,
            parameters=variant.parameters,
            year=variant.year or family.year,
            paper=variant.paper or family.paper,
            settings=family.settings_of(variant),
        )
        for family in FAMILIES
        for variant in family.variants
    )
