"""Every architecture of the zoo that has a name: a cited table, readable without torch.

The table stands in the modules of this package, one for each group of families; `FAMILIES` is all
of it, in order, and `find` and `entries` look things up in it.  Parameter counts are those of the
default settings, and the tests compare each with the network that is built.
"""

from __future__ import annotations

from cnninspect.errors import UnknownModel
from cnninspect.records.models import ModelEntry
from cnninspect.zoo.catalogue.lenet_to_googlenet import (
    ALEXNET,
    GOOGLENET,
    INCEPTION_NAIVE,
    INCEPTION_REDUCED,
    LENET,
    LENET_MODERN,
    MLP,
    SHALLOW_CNN,
    VGG,
    ZFNET,
)
from cnninspect.zoo.catalogue.recurrent import GRU, LANGUAGE_MODEL, LSTM, RNN, TOKEN_CLASSIFIER
from cnninspect.zoo.catalogue.residual import (
    BASIC_PRERESNET,
    BASIC_RESNET,
    BOTTLENECK_PRERESNET,
    BOTTLENECK_RESNET,
    CIFAR_BASIC_PRERESNET,
    CIFAR_BOTTLENECK_PRERESNET,
    CIFAR_PLAIN,
    CIFAR_RESNET,
    FITNET,
    HIGHWAY_CIFAR,
    HIGHWAY_MNIST,
    PLAIN,
    WIDE_RESNET,
)
from cnninspect.zoo.catalogue.resnext_to_efficientnet import (
    BASIC_SENET,
    BOTTLENECK_SENET,
    CIFAR_DENSENET,
    CIFAR_RESNEXT,
    DENSENET,
    EFFICIENTNET,
    EFFICIENTNET_COMPOUND,
    RESNEXT,
)
from cnninspect.zoo.families import Family, Variant

FAMILIES: tuple[Family, ...] = (
    MLP,
    SHALLOW_CNN,
    LENET,
    LENET_MODERN,
    ALEXNET,
    ZFNET,
    VGG,
    GOOGLENET,
    INCEPTION_NAIVE,
    INCEPTION_REDUCED,
    HIGHWAY_MNIST,
    HIGHWAY_CIFAR,
    FITNET,
    BASIC_RESNET,
    BOTTLENECK_RESNET,
    PLAIN,
    CIFAR_RESNET,
    CIFAR_PLAIN,
    BASIC_PRERESNET,
    BOTTLENECK_PRERESNET,
    CIFAR_BASIC_PRERESNET,
    CIFAR_BOTTLENECK_PRERESNET,
    WIDE_RESNET,
    DENSENET,
    CIFAR_DENSENET,
    RESNEXT,
    CIFAR_RESNEXT,
    BASIC_SENET,
    BOTTLENECK_SENET,
    EFFICIENTNET,
    EFFICIENTNET_COMPOUND,
    RNN,
    LSTM,
    GRU,
    TOKEN_CLASSIFIER,
    LANGUAGE_MODEL,
)


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
