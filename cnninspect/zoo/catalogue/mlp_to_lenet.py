"""Multi-layer perceptron, shallow CNN and LeNet-5: before the great image collections."""

from __future__ import annotations

from dataclasses import replace

from cnninspect.records.entries import Setting
from cnninspect.zoo.catalogue.image_settings import (
    ACTIVATION,
    DROPOUT,
    HEAD_OF_FC,
    IN_CHANNELS,
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
        POOL,
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
