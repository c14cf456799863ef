"""Every architecture of the zoo that has a name: a cited table, readable without torch.

The table stands in the modules of this package, one for each group of families; `FAMILIES` is all
of it, in order, and `find` and `entries` look things up in it.  Parameter counts are those of the
default settings, and the tests compare each with the network that is built.
"""

from __future__ import annotations

from cnninspect.errors import UnknownModel
from cnninspect.records.entries import ModelEntry
from cnninspect.zoo.catalogue.alexnet_to_googlenet import (
    ALEXNET,
    GOOGLENET,
    INCEPTION_NAIVE,
    INCEPTION_REDUCED,
    VGG,
    ZFNET,
)
from cnninspect.zoo.catalogue.densenet import CIFAR_DENSENET, DENSENET
from cnninspect.zoo.catalogue.efficientnet import EFFICIENTNET, EFFICIENTNET_COMPOUND
from cnninspect.zoo.catalogue.highway_and_fitnet import FITNET, HIGHWAY_CIFAR, HIGHWAY_MNIST
from cnninspect.zoo.catalogue.mlp_to_lenet import LENET, LENET_MODERN, MLP, SHALLOW_CNN
from cnninspect.zoo.catalogue.preresnet_and_wide import (
    BASIC_PRERESNET,
    BOTTLENECK_PRERESNET,
    CIFAR_BASIC_PRERESNET,
    CIFAR_BOTTLENECK_PRERESNET,
    WIDE_RESNET,
)
from cnninspect.zoo.catalogue.recurrent import GRU, LANGUAGE_MODEL, LSTM, RNN, TOKEN_CLASSIFIER
from cnninspect.zoo.catalogue.resnet import (
    BASIC_RESNET,
    BOTTLENECK_RESNET,
    CIFAR_PLAIN,
    CIFAR_RESNET,
    PLAIN,
)
from cnninspect.zoo.catalogue.resnext_and_senet import (
    BASIC_SENET,
    BOTTLENECK_SENET,
    CIFAR_RESNEXT,
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
