"""Settings that many networks for images share; a family may replace a default or a meaning."""

from __future__ import annotations

from cnninspect.records.models import Setting

NUM_CLASSES = Setting("num_classes", 1000, "outputs of the last layer", minimum=1)

IN_CHANNELS = Setting("in_channels", 3, "channels of the input", minimum=1)

RESOLUTION = Setting("resolution", 224, "height and width of the input", minimum=1)

CIFAR_INPUT = (
    Setting("num_classes", 10, "outputs of the last layer", minimum=1),
    IN_CHANNELS,
    Setting("resolution", 32, "height and width of the input", minimum=1),
)

ACTIVATION = Setting(
    "activation", "relu", "non-linearity", choices=("relu", "leaky_relu", "sigmoid", "tanh")
)

NORM = Setting("norm", "batch", "normalisation after each convolution", choices=("batch", "none"))

NO_NORM = Setting("norm", "none", "normalisation after each convolution", choices=("none", "batch"))

LOCAL_NORM = Setting(
    "norm",
    "none",
    "none, batch after each convolution, or local response normalisation where the paper has it",
    choices=("none", "batch", "local"),
)

POOL = Setting("pool", "max", "what pooling keeps of its window", choices=("max", "average"))

HEAD = Setting(
    "head",
    "gap",
    "before the last layer: global average pooling, or the flattened map",
    choices=("gap", "flatten"),
)

HEAD_OF_FC = Setting(
    "head",
    "flatten",
    "the flattened map into all linear layers, or global average pooling into one",
    choices=("flatten", "gap"),
)

HEAD_OF_ADAPTIVE_FC = Setting(
    "head",
    "adaptive",
    "into all linear layers the map averaged to a fixed size (torchvision), or flattened as it is"
    " (paper); or global average pooling into one",
    choices=("adaptive", "flatten", "gap"),
)

DROPOUT = Setting("dropout", 0.0, "share dropped before the last layer", minimum=0, maximum=1)

DROP_PATH = Setting(
    "drop_path",
    0.0,
    "stochastic depth: chance that the last block is skipped in training, less for earlier ones",
    minimum=0,
    maximum=1,
)

STRIDE_IN = Setting(
    "stride_in",
    "3x3",
    "which convolution of a bottleneck strides: 3x3 (torchvision, v1.5) or 1x1 (paper, v1)",
    choices=("3x3", "1x1"),
)
