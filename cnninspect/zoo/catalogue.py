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

FAMILIES: tuple[Family, ...] = (
    RESNET,
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
