"""Variants of the plain networks: perceptrons, LeNet, AlexNet, ZFNet, VGG, GoogLeNet."""

from __future__ import annotations

from dataclasses import replace

from cnninspect.records.models import Setting
from cnninspect.zoo.catalogue.image_settings import (
    ACTIVATION,
    DROPOUT,
    HEAD_OF_ADAPTIVE_FC,
    HEAD_OF_FC,
    IN_CHANNELS,
    LOCAL_NORM,
    NO_NORM,
    NUM_CLASSES,
    POOL,
    RESOLUTION,
)
from cnninspect.zoo.families import Family, Variant

MLP = Family(
    name="mlp",
    title="Multi-layer perceptron",
    paper="Rumelhart, Hinton, Williams, Learning representations by back-propagating errors,"
    " Nature 323, 1986",
    year=1986,
    builder="cnninspect.zoo.mlp:MLP",
    settings=(
        replace(NUM_CLASSES, default=26),
        replace(IN_CHANNELS, default=1),
        replace(RESOLUTION, default=16),
        Setting("hidden", 100, "units of a hidden layer", minimum=1),
        Setting("hidden_layers", 1, "layers before the last", minimum=0),
        ACTIVATION,
        replace(NO_NORM, meaning="normalisation after each hidden layer"),
        DROPOUT,
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(Variant("mlp", {}, 28_326),),
)

SHALLOW_CNN = Family(
    name="shallow_cnn",
    title="Shallow CNN",
    paper="textbook example: one convolution, ReLU, max-pooling, one linear layer",
    year=1989,
    builder="cnninspect.zoo.shallow_cnn:ShallowCNN",
    settings=(
        replace(NUM_CLASSES, default=10),
        IN_CHANNELS,
        replace(RESOLUTION, default=32),
        Setting("channels", 16, "maps of the convolution", minimum=1),
        Setting("kernel", 5, "height and width of the kernel", minimum=1),
        Setting("stride", 1, "step of the kernel", minimum=1),
        Setting("padding", 2, "zeros on each side", minimum=0),
        Setting(
            "conv",
            "standard",
            "one convolution, or a depthwise and a pointwise one",
            choices=("standard", "separable"),
        ),
        replace(
            POOL,
            choices=(*POOL.choices, "none"),
            meaning="what pooling keeps of its window; none: all",
        ),
        ACTIVATION,
        NO_NORM,
        DROPOUT,
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(Variant("shallow_cnn", {}, 42_186),),
)

LENET = Family(
    name="lenet",
    title="LeNet-5",
    paper="LeCun, Bottou, Bengio, Haffner, Gradient-Based Learning Applied to Document"
    " Recognition, Proc. IEEE 86(11), 1998",
    year=1998,
    builder="cnninspect.zoo.lenet:LeNet5",
    settings=(
        replace(NUM_CLASSES, default=10),
        replace(IN_CHANNELS, default=1),
        replace(RESOLUTION, default=32),
        replace(ACTIVATION, default="scaled_tanh", choices=("scaled_tanh", *ACTIVATION.choices)),
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(Variant("lenet5", {}, 60_000),),  # section II-B
)

LENET_MODERN = Family(
    name="lenet_modern",
    title="LeNet-5 as built today",
    paper="sizes of LeCun et al. 1998 with plain pooling, full connection and a linear output",
    year=1998,
    builder="cnninspect.zoo.lenet_modern:ModernLeNet",
    settings=(
        replace(NUM_CLASSES, default=10),
        replace(IN_CHANNELS, default=1),
        replace(RESOLUTION, default=32),
        HEAD_OF_FC,
        POOL,
        ACTIVATION,
        NO_NORM,
        DROPOUT,
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(
        Variant("lenet5_modern", {"channels": (6, 16), "hidden": (120, 84)}, 61_706),
        Variant(
            "lenet5_caffe",
            {
                "channels": (20, 50),
                "hidden": (500,),
                "activate_convolutions": False,
                "resolution": 28,
            },
            431_080,
            paper="Caffe, examples/mnist; Han et al., Learning both Weights and Connections,"
            " arXiv:1506.02626, Table 3",
            year=2014,
        ),
    ),
)


ALEXNET = Family(
    name="alexnet",
    title="AlexNet",
    paper="Krizhevsky, Sutskever, Hinton, ImageNet Classification with Deep Convolutional Neural"
    " Networks, NIPS 2012",
    year=2012,
    builder="cnninspect.zoo.alexnet:AlexNet",
    settings=(
        NUM_CLASSES,
        IN_CHANNELS,
        RESOLUTION,
        Setting("padding", 2, "zeros on each side of the input", minimum=0),
        HEAD_OF_ADAPTIVE_FC,
        ACTIVATION,
        LOCAL_NORM,
        replace(DROPOUT, default=0.5, meaning="share dropped before each hidden linear layer"),
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(
        Variant(
            "alexnet",
            {"widths": (64, 192, 384, 256, 256)},
            61_100_840,
            paper="Krizhevsky, One weird trick for parallelizing convolutional neural networks,"
            " arXiv:1404.5997, as in torchvision",
            year=2014,
        ),
        Variant(  # Figure 2 and section 3.5
            "alexnet_grouped",
            {
                "widths": (96, 256, 384, 384, 256),
                "groups": 2,
                "gaussian": True,
                "resolution": 227,
                "padding": 0,
                "head": "flatten",
                "norm": "local",
            },
            60_965_224,
        ),
        Variant(  # the same in one tower
            "alexnet_ungrouped",
            {
                "widths": (96, 256, 384, 384, 256),
                "gaussian": True,
                "resolution": 227,
                "padding": 0,
                "head": "flatten",
                "norm": "local",
            },
            62_378_344,
        ),
    ),
)

ZFNET = Family(
    name="zfnet",
    title="ZFNet",
    paper="Zeiler, Fergus, Visualizing and Understanding Convolutional Networks, arXiv:1311.2901",
    year=2013,
    builder="cnninspect.zoo.zfnet:ZFNet",
    settings=(
        NUM_CLASSES,
        IN_CHANNELS,
        RESOLUTION,
        HEAD_OF_FC,
        ACTIVATION,
        replace(LOCAL_NORM, default="local"),
        replace(DROPOUT, default=0.5, meaning="share dropped after each hidden linear layer"),
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(Variant("zfnet", {}, 62_357_608),),  # Figure 3
)

VGG = Family(
    name="vgg",
    title="VGG",
    paper="Simonyan, Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition,"
    " arXiv:1409.1556",
    year=2014,
    builder="cnninspect.zoo.vgg:VGG",
    settings=(
        NUM_CLASSES,
        IN_CHANNELS,
        RESOLUTION,
        HEAD_OF_ADAPTIVE_FC,
        ACTIVATION,
        NO_NORM,
        replace(DROPOUT, default=0.5, meaning="share dropped after each hidden linear layer"),
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(  # Table 1 of the paper: A, B, C, D, E; with batch normalisation as in torchvision
        Variant("vgg11", {"depths": (1, 1, 2, 2, 2)}, 132_863_336),
        Variant("vgg13", {"depths": (2, 2, 2, 2, 2)}, 133_047_848),
        Variant("vgg16", {"depths": (2, 2, 3, 3, 3)}, 138_357_544),
        Variant("vgg16_c", {"depths": (2, 2, 3, 3, 3), "third_kernel": 1}, 133_638_952),
        Variant("vgg19", {"depths": (2, 2, 4, 4, 4)}, 143_667_240),
        Variant("vgg11_bn", {"depths": (1, 1, 2, 2, 2), "norm": "batch"}, 132_868_840),
        Variant("vgg13_bn", {"depths": (2, 2, 2, 2, 2), "norm": "batch"}, 133_053_736),
        Variant("vgg16_bn", {"depths": (2, 2, 3, 3, 3), "norm": "batch"}, 138_365_992),
        Variant("vgg19_bn", {"depths": (2, 2, 4, 4, 4), "norm": "batch"}, 143_678_248),
    ),
)

GOOGLENET = Family(
    name="googlenet",
    title="GoogLeNet",
    paper="Szegedy et al., Going deeper with convolutions, arXiv:1409.4842",
    year=2014,
    builder="cnninspect.zoo.googlenet:GoogLeNet",
    settings=(
        NUM_CLASSES,
        IN_CHANNELS,
        RESOLUTION,
        Setting("aux", False, "build the two auxiliary classifiers, which act in training only"),
        Setting(
            "transform_input",
            False,
            "renormalise the input, as torchvision's published weights want it",
        ),
        Setting(
            "kernel_5x5",
            "3",
            "kernel of the branch called 5x5: 3 (torchvision) or 5 (paper)",
            choices=("3", "5"),
        ),
        replace(
            HEAD_OF_FC,
            default="gap",
            meaning="before the linear layer: global average pooling, or the flattened map",
        ),
        ACTIVATION,
        replace(LOCAL_NORM, default="batch"),
        replace(DROPOUT, default=0.2),
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(
        Variant(
            "googlenet",
            {},
            6_624_904,
            paper="arXiv:1409.4842 with batch normalisation, as in torchvision",
        ),
        Variant(  # Table 1 and Figure 3
            "googlenet_paper", {"kernel_5x5": "5", "norm": "local", "dropout": 0.4}, 6_998_552
        ),
    ),
)

INCEPTION_NAIVE = Family(
    name="inception",
    title="Inception module",
    paper="Szegedy et al., arXiv:1409.4842, Figure 2; sizes of Stanford CS231n 2017, lecture 9",
    year=2014,
    builder="cnninspect.zoo.inception:InceptionNaive",
    settings=(
        replace(IN_CHANNELS, default=256),
        replace(RESOLUTION, default=28),
        ACTIVATION,
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(Variant("inception_naive", {}, 1_089_952),),
)

INCEPTION_REDUCED = replace(
    INCEPTION_NAIVE,
    builder="cnninspect.zoo.inception:InceptionReduced",
    settings=(
        *INCEPTION_NAIVE.settings,
        Setting("bottleneck", 64, "maps of the 1x1 convolutions that cut the cost", minimum=1),
    ),
    variants=(Variant("inception_reduced", {}, 346_720),),
)
