import pytest
import torch

from cnninspect.zoo import catalogue
from cnninspect.zoo.recurrent import LanguageModel, SequenceClassifier, TokenClassifier

BUILDERS = {
    "rnn": SequenceClassifier,
    "lstm": SequenceClassifier,
    "gru": SequenceClassifier,
    "lstm_imdb": TokenClassifier,
    "gru_text": LanguageModel,
    "lstm_lm": LanguageModel,
}
GATES = {"rnn": 1, "lstm": 4, "gru": 3}


def build(name, **given):
    family, variant = catalogue.find(name)
    return BUILDERS[name](**family.arguments_of(variant, given))


def parameters(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("name", BUILDERS)
def test_the_catalogue_knows_the_exact_parameters(name):
    with torch.device("meta"):
        model = build(name)
    assert parameters(model) == catalogue.find(name)[1].parameters


@pytest.mark.parametrize("name", BUILDERS)
def test_the_catalogue_names_the_builder(name):
    builder = catalogue.find(name)[0].builder
    assert builder == f"cnninspect.zoo.recurrent:{BUILDERS[name].__name__}"


@pytest.mark.parametrize("cell", GATES)
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("directions", [1, 2])
def test_recurrent_parameters_by_derivation(cell, layers, directions):
    n, h = 5, 7
    model = build(
        cell,
        input_size=n,
        hidden_size=h,
        num_layers=layers,
        bidirectional=directions == 2,
        num_classes=3,
    )
    # each pair of W and U has two bias vectors; later layers read all directions
    inputs = [n] + [directions * h] * (layers - 1)
    recurrent = sum(directions * GATES[cell] * (i * h + h * h + 2 * h) for i in inputs)
    assert parameters(model.recurrent) == recurrent
    assert parameters(model) == recurrent + directions * h * 3 + 3


def test_lstm_gru_and_rnn_are_four_to_three_to_one():
    counts = {cell: parameters(build(cell).recurrent) for cell in GATES}
    assert counts["lstm"] == 4 * counts["rnn"]
    assert counts["gru"] == 3 * counts["rnn"]


def test_a_projection_shrinks_the_state_that_is_fed_back():
    model = build("lstm", input_size=5, hidden_size=7, proj_size=2, num_classes=3)
    assert parameters(model.recurrent) == 4 * (5 * 7 + 2 * 7 + 2 * 7) + 2 * 7
    assert model.fc.in_features == 2


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_sequence_gives_one_score_per_class(name, bidirectional):
    model = build(name, length=9, input_size=4, num_classes=6, bidirectional=bidirectional)
    assert model(torch.randn(3, 9, 4)).shape == (3, 6)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("lstm_imdb", (2, 1)), ("gru_text", (2, 11, 66)), ("lstm_lm", (2, 11, 20))],
)
def test_tokens_give_scores(name, expected):
    family, variant = catalogue.find(name)
    high = family.arguments_of(variant, {})[family.input_high]
    tokens = torch.randint(high, (2, 11), dtype=getattr(torch, family.input_dtype))
    assert build(name)(tokens).shape == expected


def test_a_language_model_scores_as_many_tokens_as_it_reads():
    assert build("lstm_lm", vocabulary=31)(torch.tensor([[30]])).shape == (1, 1, 31)


@pytest.mark.parametrize("cell", GATES)
def test_the_head_reads_the_last_step(cell):
    model = build(cell, input_size=4, num_classes=2).eval()
    x = torch.randn(2, 6, 4)
    steps, _ = model.recurrent(x)
    assert torch.equal(model(x), model.fc(steps[:, -1]))


@pytest.mark.parametrize("cell", GATES)
def test_the_head_reads_where_each_direction_ends(cell):
    model = build(cell, input_size=4, num_layers=2, bidirectional=True, num_classes=2).eval()
    x = torch.randn(3, 6, 4)
    _, state = model.recurrent(x)
    hidden = state[0] if cell == "lstm" else state  # (layers · 2, N, hidden)
    ends = torch.cat([hidden[-2], hidden[-1]], dim=-1)
    torch.testing.assert_close(model(x), model.fc(ends))


def test_dropout_with_one_layer_does_not_warn_and_still_acts():
    torch.manual_seed(0)
    model = build("gru", dropout=0.5).train()
    x = torch.randn(1, 28, 28)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_the_forget_bias_goes_to_the_forget_gates_only():
    torch.manual_seed(0)
    plain = build("lstm", hidden_size=3, num_layers=2, bidirectional=True)
    torch.manual_seed(0)
    opened = build("lstm", hidden_size=3, num_layers=2, bidirectional=True, forget_bias=2.0)
    for (name, before), after in zip(plain.named_parameters(), opened.parameters()):
        expected = before.detach().clone()
        if "bias_ih" in name:
            expected[3:6] += 2.0
        assert torch.equal(after, expected), name


def gradient_over_time(name, **given):
    """Gradient norm at the first step by that at the last."""
    torch.manual_seed(0)
    x = torch.randn(8, 28, 28, requires_grad=True)
    build(name, **given)(x).square().sum().backward()
    norms = x.grad.norm(dim=(0, 2))
    return (norms[0] / norms[-1]).item()


def test_the_cell_state_carries_the_gradient_where_the_plain_network_loses_it():
    assert gradient_over_time("rnn") < 1e-6
    assert gradient_over_time("lstm", forget_bias=3.0) > 0.1


def test_the_nonlinearity_of_the_plain_network_can_be_chosen():
    assert build("rnn", nonlinearity="relu").recurrent.nonlinearity == "relu"
