"""Recurrent networks: classifiers of sequences and of texts, and language models."""

from __future__ import annotations

from cnninspect.records.models import Setting
from cnninspect.zoo.families import Family, Variant

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
