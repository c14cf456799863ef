import pytest
import torch


def test_two_layers_on_a_small_image_take_28326_parameters(parameters_of):
    assert parameters_of("mlp") == 16 * 16 * 100 + 100 + 100 * 26 + 26 == 28_326


@pytest.mark.parametrize(
    ("settings", "parameters"),
    [
        ({"hidden": 71, "hidden_layers": 3}, 256 * 71 + 71 + 2 * (71 * 71 + 71) + 71 * 26 + 26),
        ({"hidden_layers": 0}, 256 * 26 + 26),
        ({"num_classes": 10}, 256 * 100 + 100 + 100 * 10 + 10),
        ({"in_channels": 3, "resolution": 8}, 3 * 64 * 100 + 100 + 100 * 26 + 26),
        ({"norm": "batch"}, 28_326 + 2 * 100),
        ({"dropout": 0.5}, 28_326),
    ],
    ids=str,
)
def test_settings_change_the_layers(parameters_of, settings, parameters):
    assert parameters_of("mlp", **settings) == parameters


@pytest.mark.parametrize(
    "settings", [{}, {"hidden_layers": 4, "norm": "batch", "dropout": 0.5, "activation": "tanh"}]
)
def test_it_maps_an_image_to_a_number_for_each_class(build, input_of, settings):
    out = build("mlp", device="cpu", **settings)(input_of("mlp", device="cpu"))
    assert out.shape == (2, 26)
    assert out.std() > 0


def test_the_activation_is_what_was_asked_for(build):
    model = build("mlp", device="cpu", activation="sigmoid")
    hidden = model.hidden(torch.randn(4, 256))
    assert ((hidden > 0) & (hidden < 1)).all()


def test_dropout_acts_in_training_only(build, input_of):
    model, x = build("mlp", device="cpu", dropout=0.5), input_of("mlp", device="cpu")
    assert torch.equal(model(x), model(x))
    model.train()
    assert not torch.equal(model(x), model(x))
