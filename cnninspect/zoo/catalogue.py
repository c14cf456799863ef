"""Every architecture of the zoo that has a name: a cited table, readable without torch.

`FAMILIES` is the table; `find` and `entries` look things up in it.  Parameter counts are those of
the default settings, and the tests compare each with the network that is built.
"""

from __future__ import annotations

from dataclasses import replace

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

STRIDE_IN = Setting(
    "stride_in",
    "3x3",
    "which convolution of a bottleneck strides: 3x3 (torchvision, v1.5) or 1x1 (paper, v1)",
    choices=("3x3", "1x1"),
)
HEAD = Setting(
    "head",
    "gap",
    "before the last layer: global average pooling, or the flattened map",
    choices=("gap", "flatten"),
)

PRERESNET_PAPER = (
    "He, Zhang, Ren, Sun, Identity Mappings in Deep Residual Networks, arXiv:1603.05027"
)
WRN_PAPER = "Zagoruyko, Komodakis, Wide Residual Networks, arXiv:1605.07146"

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
        STRIDE_IN,
        HEAD,
        Setting("width", 1.0, "times the channels inside the blocks", minimum=1 / 64),
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
        Variant(
            "wide_resnet50_2",
            {"block": "bottleneck", "depths": (3, 4, 6, 3), "width": 2.0},
            68_883_240,
            paper=WRN_PAPER + ", Table 8",
            year=2016,
        ),
        Variant(
            "wide_resnet101_2",
            {"block": "bottleneck", "depths": (3, 4, 23, 3), "width": 2.0},
            126_886_696,
            paper="torchvision, after " + WRN_PAPER,
            year=2016,
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

NUM_LAYERS = Setting("num_layers", 1, "recurrent layers on top of each other", minimum=1)
HIDDEN_SIZE = Setting("hidden_size", 128, "features of a state", minimum=1)
BIDIRECTIONAL = Setting("bidirectional", False, "whether each layer also reads backwards")
LENGTH = Setting("length", 28, "steps of the sequence", minimum=1)
RECURRENT_DROPOUT = Setting(
    "dropout",
    0.0,
    "share dropped between the recurrent layers and before the last layer",
    minimum=0,
    maximum=1,
)
RECURRENT_SETTINGS = (
    Setting("num_classes", 10, "outputs of the last layer", minimum=1),
    Setting("input_size", 28, "features of a step", minimum=1),
    LENGTH,
    HIDDEN_SIZE,
    NUM_LAYERS,
    BIDIRECTIONAL,
    RECURRENT_DROPOUT,
)

RNN = Family(
    name="rnn",
    title="Plain recurrent network",
    paper="Elman, Finding Structure in Time, Cognitive Science 14(2)",
    year=1990,
    builder="cnninspect.zoo.recurrent:SequenceClassifier",
    settings=(
        *RECURRENT_SETTINGS,
        Setting("nonlinearity", "tanh", "what makes a state of the sum", choices=("tanh", "relu")),
    ),
    input_shape=("length", "input_size"),
    variants=(Variant("rnn", {"cell": "rnn"}, 21_514),),
)

LSTM = Family(
    name="lstm",
    title="LSTM",
    paper="Hochreiter, Schmidhuber, Long Short-Term Memory, Neural Computation 9(8)",
    year=1997,
    builder="cnninspect.zoo.recurrent:SequenceClassifier",
    settings=(
        *RECURRENT_SETTINGS,
        Setting("proj_size", 0, "features that the output is projected to; 0: none", minimum=0),
        Setting("forget_bias", 0.0, "added to the forget gates at the start; above 0 remembers"),
    ),
    input_shape=("length", "input_size"),
    variants=(Variant("lstm", {"cell": "lstm"}, 82_186),),
)

GRU = Family(
    name="gru",
    title="GRU",
    paper="Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, arXiv:1406.1078",
    year=2014,
    builder="cnninspect.zoo.recurrent:SequenceClassifier",
    settings=RECURRENT_SETTINGS,
    input_shape=("length", "input_size"),
    variants=(Variant("gru", {"cell": "gru"}, 61_962),),
)

TOKEN_SETTINGS = (
    Setting("vocabulary", 20_000, "distinct tokens", minimum=1),
    Setting("embedding_size", 128, "features of a token", minimum=1),
    LENGTH,
    HIDDEN_SIZE,
    NUM_LAYERS,
    RECURRENT_DROPOUT,
)
TOKEN_CLASSIFIER = Family(
    name="token_classifier",
    title="Recurrent classifier of texts",
    paper="keras.io example bidirectional_lstm_imdb, with the two biases of PyTorch",
    year=2020,
    builder="cnninspect.zoo.recurrent:TokenClassifier",
    settings=(
        Setting("num_classes", 1, "outputs of the last layer", minimum=1),
        *TOKEN_SETTINGS,
        BIDIRECTIONAL,
    ),
    input_shape=("length",),
    input_dtype="int64",
    input_high="vocabulary",
    input_name="tokens",
    variants=(
        Variant(
            "lstm_imdb",
            {
                "cell": "lstm",
                "vocabulary": 20_000,
                "embedding_size": 128,
                "length": 200,
                "hidden_size": 64,
                "num_layers": 2,
                "bidirectional": True,
            },
            2_758_785,
        ),
    ),
)

LANGUAGE_MODEL = Family(
    name="language_model",
    title="Recurrent language model",
    paper="Mikolov et al., Recurrent neural network based language model, Interspeech 2010",
    year=2010,
    builder="cnninspect.zoo.recurrent:LanguageModel",
    settings=TOKEN_SETTINGS,
    input_shape=("length",),
    input_dtype="int64",
    input_high="vocabulary",
    input_name="tokens",
    variants=(
        Variant(
            "gru_text",
            {
                "cell": "gru",
                "vocabulary": 66,
                "embedding_size": 256,
                "length": 100,
                "hidden_size": 1024,
            },
            4_022_850,
            paper="TensorFlow tutorial, Text generation with an RNN",
            year=2019,
        ),
        Variant(
            "lstm_lm",
            {
                "cell": "lstm",
                "vocabulary": 20,
                "embedding_size": 300,
                "length": 100,
                "hidden_size": 512,
                "num_layers": 2,
            },
            3_784_580,
            paper="torchinfo, tests/test_output/lstm.out",
            year=2021,
        ),
    ),
)

NO_NORM = Setting("norm", "none", "normalisation after each convolution", choices=("none", "batch"))
LOCAL_NORM = Setting(
    "norm",
    "none",
    "none, batch after each convolution, or local response normalisation where the paper has it",
    choices=("none", "batch", "local"),
)
POOL = Setting("pool", "max", "what pooling keeps of its window", choices=("max", "average"))
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

CIFAR_INPUT = (
    Setting("num_classes", 10, "outputs of the last layer", minimum=1),
    IN_CHANNELS,
    Setting("resolution", 32, "height and width of the input", minimum=1),
)
CIFAR_RESNET_SETTINGS = (
    *CIFAR_INPUT,
    Setting("depth", 20, "layers with weights: 6n + 2, or 9n + 2 with bottlenecks", minimum=8),
    HEAD,
    ACTIVATION,
    NORM,
    DROPOUT,
)
CIFAR_RESNET = Family(
    name="cifar_resnet",
    title="ResNet for CIFAR",
    paper=RESNET.paper + ", section 4.2",
    year=2015,
    builder="cnninspect.zoo.cifar_resnet:CifarResNet",
    settings=(
        *CIFAR_RESNET_SETTINGS,
        Setting(
            "shortcut",
            "A",
            "where the shape changes: A, zeros for the new channels, or B, a 1x1 convolution",
            choices=("A", "B"),
        ),
        DROP_PATH,
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(
        Variant("resnet20", {"block": "basic", "depth": 20}, 269_722),
        Variant("resnet32", {"block": "basic", "depth": 32}, 464_154),
        Variant("resnet44", {"block": "basic", "depth": 44}, 658_586),
        Variant("resnet56", {"block": "basic", "depth": 56}, 853_018),
        Variant("resnet110", {"block": "basic", "depth": 110}, 1_727_962),
        Variant("resnet1202", {"block": "basic", "depth": 1202}, 19_421_274),
        Variant(
            "resnet164",
            {"block": "bottleneck", "depth": 164, "shortcut": "B"},
            1_704_154,
            paper=PRERESNET_PAPER + ", Table 4 (original)",
            year=2016,
        ),
        Variant(
            "resnet1001",
            {"block": "bottleneck", "depth": 1001, "shortcut": "B"},
            10_328_602,
            paper=PRERESNET_PAPER + ", Table 4 (original)",
            year=2016,
        ),
    ),
)
CIFAR_PLAIN = Family(
    name="cifar_plain",
    title="Plain twins of the ResNets for CIFAR",
    paper=CIFAR_RESNET.paper,
    year=2015,
    builder="cnninspect.zoo.cifar_resnet:CifarResNet",
    settings=CIFAR_RESNET_SETTINGS,
    input_shape=("in_channels", "resolution", "resolution"),
    extra={"block": "basic", "skip": False},
    variants=(
        Variant("plain20", {"depth": 20}, 269_722),
        Variant("plain32", {"depth": 32}, 464_154),
        Variant("plain44", {"depth": 44}, 658_586),
        Variant("plain56", {"depth": 56}, 853_018),
        Variant("plain110", {"depth": 110}, 1_727_962),
    ),
)

PRERESNET = Family(
    name="preresnet",
    title="Pre-activation ResNet",
    paper=PRERESNET_PAPER,
    year=2016,
    builder="cnninspect.zoo.preresnet:PreResNet",
    settings=(
        NUM_CLASSES, IN_CHANNELS, RESOLUTION, STRIDE_IN, HEAD, ACTIVATION, NORM, DROPOUT, DROP_PATH,
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(
        Variant("preresnet18", {"block": "basic", "depths": (2, 2, 2, 2)}, 11_687_848),
        Variant("preresnet34", {"block": "basic", "depths": (3, 4, 6, 3)}, 21_796_008),
        Variant("preresnet50", {"block": "bottleneck", "depths": (3, 4, 6, 3)}, 25_549_480),
        Variant("preresnet101", {"block": "bottleneck", "depths": (3, 4, 23, 3)}, 44_541_608),
        Variant("preresnet152", {"block": "bottleneck", "depths": (3, 8, 36, 3)}, 60_185_256),
        Variant("preresnet200", {"block": "bottleneck", "depths": (3, 24, 36, 3)}, 64_666_280),
    ),
)  # fmt: skip
CIFAR_PRERESNET = Family(
    name="cifar_preresnet",
    title="Pre-activation ResNet for CIFAR",
    paper=PRERESNET_PAPER + ", Table 4",
    year=2016,
    builder="cnninspect.zoo.preresnet:CifarPreResNet",
    settings=(*CIFAR_RESNET_SETTINGS, STRIDE_IN, DROP_PATH),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(
        Variant("preresnet110", {"block": "basic", "depth": 110}, 1_730_522),
        Variant("preresnet164", {"block": "bottleneck", "depth": 164}, 1_703_258),
        Variant("preresnet1001", {"block": "bottleneck", "depth": 1001}, 10_327_706),
    ),
)

WIDE_RESNET = Family(
    name="wide_resnet",
    title="Wide ResNet for CIFAR",
    paper=WRN_PAPER,
    year=2016,
    builder="cnninspect.zoo.wide_resnet:WideResNet",
    settings=(
        *CIFAR_INPUT,
        Setting("depth", 28, "6n + 4, for n blocks in a stage", minimum=10),
        Setting("width", 10, "times the channels of a ResNet: the paper's k", minimum=1),
        Setting("kernels", (3, 3), "sizes of the convolutions in a block", minimum=1),
        HEAD,
        ACTIVATION,
        NORM,
        Setting(
            "dropout",
            0.0,
            "share dropped between the convolutions of a block",
            minimum=0,
            maximum=1,
        ),
        DROP_PATH,
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(  # Table 4 of the paper, and section 3 for WRN-40-10
        Variant("wrn16_8", {"depth": 16, "width": 8}, 10_961_370),
        Variant("wrn16_10", {"depth": 16, "width": 10}, 17_116_634),
        Variant("wrn22_8", {"depth": 22, "width": 8}, 17_158_106),
        Variant("wrn22_10", {"depth": 22, "width": 10}, 26_797_914),
        Variant("wrn28_10", {"depth": 28, "width": 10}, 36_479_194),
        Variant("wrn28_12", {"depth": 28, "width": 12}, 52_517_850),
        Variant("wrn40_1", {"depth": 40, "width": 1}, 563_930),
        Variant("wrn40_2", {"depth": 40, "width": 2}, 2_243_546),
        Variant("wrn40_4", {"depth": 40, "width": 4}, 8_949_210),
        Variant("wrn40_8", {"depth": 40, "width": 8}, 35_748_314),
        Variant("wrn40_10", {"depth": 40, "width": 10}, 55_841_754),
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
SENET = Family(
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
        STRIDE_IN,
        HEAD,
        ACTIVATION,
        NORM,
        DROPOUT,
        DROP_PATH,
    ),
    input_shape=("in_channels", "resolution", "resolution"),
    variants=(
        Variant("se_resnet18", {"block": "basic", "depths": (2, 2, 2, 2)}, 11_778_592),
        Variant("se_resnet34", {"block": "basic", "depths": (3, 4, 6, 3)}, 21_958_868),
        Variant("se_resnet50", {"block": "bottleneck", "depths": (3, 4, 6, 3)}, 28_088_024),
        Variant("se_resnet101", {"block": "bottleneck", "depths": (3, 4, 23, 3)}, 49_326_872),
        Variant("se_resnet152", {"block": "bottleneck", "depths": (3, 8, 36, 3)}, 66_821_848),
        Variant(
            "se_resnext50_32x4d",
            {"block": "bottleneck", "depths": (3, 4, 6, 3), "cardinality": 32, "base_width": 4},
            27_559_896,
        ),
        Variant(
            "se_resnext101_32x4d",
            {"block": "bottleneck", "depths": (3, 4, 23, 3), "cardinality": 32, "base_width": 4},
            48_955_416,
        ),
    ),
)

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
    RESNET,
    CIFAR_RESNET,
    CIFAR_PLAIN,
    PRERESNET,
    CIFAR_PRERESNET,
    WIDE_RESNET,
    DENSENET,
    CIFAR_DENSENET,
    RESNEXT,
    CIFAR_RESNEXT,
    SENET,
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
