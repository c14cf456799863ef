import pytest
import torch
import torch.nn.functional as F
from field_problems import NOT_KNOWN, PROBLEMS, Lambda, conv
from impulses import made_sensitive, measured_fields, trace_of
from torch import nn

from cnninspect.engine.tracing import trace
from cnninspect.metrics.receptive_field import receptive_fields, with_receptive_fields
from cnninspect.metrics.summarizing import summarize_trace
from cnninspect.records.models import Reference
from cnninspect.sources import zoo


def fields_of(module, *inputs):
    return receptive_fields(trace_of(module, *inputs))


def image(*sizes):
    return torch.zeros(1, 1, *sizes)


@pytest.mark.parametrize("name", PROBLEMS)
def test_fields_are_as_measured(name):
    build, shape = PROBLEMS[name]
    module = made_sensitive(build())
    found = fields_of(module, torch.zeros(shape, dtype=torch.float64))
    measured = measured_fields(module, shape)
    assert "" in measured
    missing = dict.fromkeys(NOT_KNOWN.get(name, ()))
    assert {path: found.get(path) for path in measured} == {**measured, **missing}


def test_padding_counts_so_that_a_field_may_be_larger_than_the_input():
    module = nn.Sequential(*(conv(1, 1, 3, padding=1) for _ in range(4)))
    assert fields_of(module, image(4, 5))[""] == (9, 9)


DISTILL = "Araujo, Norris, Sim 2019, table 'Receptive field', doi:10.23915/distill.00021"
PUBLISHED = [
    # Distill's are those of TF-Slim, up to the last map before global pooling.
    ("alexnet", "features", 195, DISTILL),
    ("vgg16", "features", 212, DISTILL),
    # Its ResNets stride at the end of a stage, in the 3×3 convolution.  To stride in the first 1×1
    # of the next stage, as the paper does, comes to the same; in the 3×3 after that, as "v1.5"
    # does, is later by one window in each of three stages: 2·(8 + 16 + 32) − 2·(4 + 8 + 16) less.
    ("resnet50@stride_in=1x1", "layer4", 483, DISTILL),
    ("resnet101@stride_in=1x1", "layer4", 1027, DISTILL),
    ("resnet152@stride_in=1x1", "layer4", 1507, DISTILL),
    ("resnet50", "layer4", 483 - 56, "the same less 56"),
    ("resnet101", "layer4", 1027 - 56, "the same less 56"),
    # 11 after the pooling, then 2 · jump for each 3×3, in whose strided ones the jump is half.
    ("resnet18", "layer4", 11 + 4 * 8 + (8 + 3 * 16) + (16 + 3 * 32) + (32 + 3 * 64), "by hand"),
    ("vgg16", "features.28", 196, "before the last pooling: 212 − 16"),
    ("alexnet", "features.10", 163, "before the last pooling: 195 − 2 · 16"),
    ("resnet50", "", 427 + 6 * 32, "global pooling over 7 positions, 32 apart"),
]


@pytest.mark.parametrize(("model", "layer", "field", "source"), PUBLISHED)
def test_fields_of_known_networks_are_as_published(model, layer, field, source):
    name, _, setting = model.partition("@")
    settings = tuple(tuple(part.split("=")) for part in setting.split(",") if part)
    loaded = zoo.load(Reference(model, "zoo", name, settings))
    assert receptive_fields(trace(loaded))[layer] == (field, field), source


# --- which call gives a layer's output ---


def test_a_layer_that_runs_twice_has_the_field_of_its_last_output():
    shared = conv(1, 1, 3)
    found = fields_of(nn.Sequential(shared, nn.ReLU(), shared), image(9, 9))
    assert found == {"": (5, 5), "0": (5, 5), "1": (3, 3)}


def test_what_a_layer_computes_beside_its_output_does_not_count():
    def forward(m, x):
        y = m.conv(x)
        m.kept = m.wide(y)
        return y

    module = Lambda(
        lambda m, x: m.last(m.inner(x)),
        inner=Lambda(forward, conv=conv(1, 1, 3), wide=conv(1, 1, 5, padding=2)),
        last=conv(1, 1, 1),
    )
    found = fields_of(module, image(9, 9))
    assert found["inner.wide"] == (7, 7)
    assert "inner" not in found  # the output is one of two of its shape


def test_a_layer_with_outputs_of_different_fields_is_missing():
    def forward(m, x):
        return m.three(x), m.five(x)

    module = Lambda(
        lambda m, x: sum(y.mean() for y in m.inner(x)),
        inner=Lambda(forward, three=conv(1, 1, 3), five=conv(1, 1, 5)),
    )
    found = fields_of(module, image(9, 9))
    assert "inner" not in found
    assert found["inner.three"] == (3, 3)
    assert found[""] == (9, 9)


def test_a_layer_with_outputs_of_one_field_is_told():
    module = Lambda(lambda m, x: (m.conv(x), m.conv(x).abs()), conv=conv(1, 1, 3))
    assert fields_of(module, image(9, 9)) == {"": (3, 3), "conv": (3, 3)}


def test_layers_that_do_nothing_or_never_run_are_missing():
    layers = nn.ModuleDict({"same": nn.Identity(), "unused": conv(1, 1, 3)})
    module = Lambda(lambda m, x: m.layers["same"](m.conv(x)), conv=conv(1, 1, 3), layers=layers)
    assert set(fields_of(module, image(9, 9))) == {"", "conv"}


# --- what cannot be told is missing ---


def after_conv(function):
    return Lambda(lambda m, x: m.last(function(m.conv(x))), conv=conv(1, 4, 3), last=conv(4, 1, 1))


def partly_changed(x):
    x[:, :2].mul_(x[:, 2:])
    return x


def changed_through_a_transposed_view(x):
    x.transpose(2, 3).add_(1)
    return x


def changed_through_half(x):
    one, other = x.chunk(2, 1)
    one.add_(F.avg_pool2d(other, 3, 1, 1))
    return torch.cat((one, other), 1)


def joined(x):
    """Twice the channels, the second half with a larger field."""
    return torch.cat((x, F.avg_pool2d(x, 3, 1, 1)), 1)


def rows_apart(x):
    """Twice the channels: the rows of even and of odd number."""
    return torch.cat((x[:, :, ::2], x[:, :, 1::2]), 1)


def beside_a_global_token(x):
    """Positions that look far ahead, and beside them an average of those that do not."""
    ahead = F.avg_pool2d(F.pad(x, (0, 0, 8, 0)), (9, 1), 1)
    return torch.cat((ahead.flatten(2), x.mean((2, 3))[..., None]), 2)[..., None]


UNTOLD = {
    "windows cut out": lambda x: x.unflatten(2, (2, 4)).transpose(2, 3).flatten(2, 3),
    "positions rolled": lambda x: x.roll(1, 2),
    "positions flipped": lambda x: x.flip(3),
    "positions sorted": lambda x: x.sort(2).values,
    "a running sum": lambda x: x.cumsum(2),
    "a transform": lambda x: torch.fft.fft2(x).real,
    "positions by index": lambda x: x[:, :, torch.tensor([3, 1, 2])],
    "positions in parts": lambda x: torch.stack(x.chunk(2, 2)).sum(0),
    "positions among channels": lambda x: F.pixel_unshuffle(x, 2)[:, :4],
    "half of the channels changed": partly_changed,
    "changed through a view": changed_through_a_transposed_view,
    "a half changed before it is joined": changed_through_half,
    "maps of different strides added": lambda x: x[..., ::2, ::2] + x[..., :4, :4],
    "the smaller part of a join": lambda x: joined(x)[:, :4],
    "channels of zeros": lambda x: F.pad(x, (0, 0, 0, 0, 4, 0))[:, :4],
    "one of two parts of a join": lambda x: joined(x).chunk(2, 1)[1],
    "part of what sees more only together": lambda x: rows_apart(x)[:, :4],
    "the same twice, seen as a whole": lambda x: torch.cat(
        (rows_apart(x)[:, :4], rows_apart(x)[:, :4]), 2
    ).amax(2, keepdim=True),
    "positions beside a global token": beside_a_global_token,
    "products with one row": lambda x: (x @ x.mT)[..., 0, None],
    "spread over dimensions that do not nest": lambda x: (
        x.amax(3, keepdim=True).expand(-1, -1, -1, 6).reshape(1, 6, 8, 4)[:, :4]
    ),
    "two dimensions by index": lambda x: x[:, torch.arange(4), torch.arange(4)][..., None],
    "a statistic of a normalisation": lambda x: (
        x * torch.native_layer_norm(x, x.shape[3:], None, None, 1e-5)[1]
    ),
    "gaps between transposed windows": lambda x: F.conv_transpose2d(
        x, torch.ones(4, 4, 1, 1), stride=2
    ),
    "resampled by two fractions": lambda x: F.interpolate(F.interpolate(x, size=11), size=13),
    "resampled with a rounded factor": lambda x: F.interpolate(x, scale_factor=1.7),
    "a causal mask": lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
    "a mask of truth values": lambda x: F.scaled_dot_product_attention(
        x, x, x, attn_mask=torch.ones(8, 8, dtype=torch.bool).tril()
    ),
    "every pair of rows and columns": lambda x: x[:, :, :, 0, None] + x[:, :, None, :, 0],
}


@pytest.mark.parametrize("name", UNTOLD)
def test_what_cannot_be_told_is_missing_from_there_on(name):
    found = fields_of(after_conv(UNTOLD[name]), image(10, 10))
    assert found == {"conv": (3, 3)}


def test_a_product_of_two_tensors_that_cannot_be_told_apart_is_missing():
    module = Lambda(
        lambda m, x: m.conv(x)[0, 0] @ m.square,
        conv=conv(1, 1, 3),
        square=nn.Parameter(image(8, 8)[0, 0]),
    )
    assert fields_of(module, image(10, 10)) == {"conv": (3, 3)}


def test_global_pooling_of_known_positions_is_told_again():
    found = fields_of(after_conv(lambda x: x.amax((2, 3), keepdim=True)), image(10, 10))
    assert found[""] == (10, 10)


def test_an_output_no_element_of_which_sees_all_of_it_is_missing():
    module = Lambda(
        lambda m, x: m.conv(m.split(x)),
        split=Lambda(lambda m, x: torch.cat((x[..., ::2, :], x[..., 1::2, :]), 1)),
        conv=conv(2, 1, 1),
    )
    assert fields_of(module, image(8, 8)) == {"": (2, 1), "conv": (2, 1)}


def test_tokens_that_differ_from_one_another_are_missing_until_they_are_mixed():
    module = Lambda(
        lambda m, x: m.mix(m.join(x)),
        join=Lambda(lambda m, x: torch.cat((x.flatten(2), x.mean((2, 3))[..., None]), 2)),
        mix=Lambda(lambda m, x: x.mean(2)),
    )
    found = fields_of(module, image(4, 5))
    assert found == {"": (4, 5), "join": (4, 5), "mix": (4, 5)}


# --- which input, and what its dimensions are ---


def test_the_first_input_with_positions_is_the_one():
    module = Lambda(
        lambda m, scale, x, y: m.a(x) * scale + m.b(y), a=conv(1, 1, 3), b=conv(1, 1, 5)
    )
    found = fields_of(module, torch.ones(1, 1), image(9, 9), image(11, 11))
    assert found == {"": (3, 3), "a": (3, 3)}


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.Linear(3, 2), (1, 3)),
        (nn.Linear(3, 2), (1, 5, 3)),
        (nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), (1, 5, 4)),
        (nn.Sequential(nn.Linear(4, 4), nn.Flatten(1)), (2, 3, 4)),
        (Lambda(lambda m, x: m.conv(x.permute(0, 3, 1, 2)), conv=conv(3, 1, 3)), (1, 8, 8, 3)),
        (Lambda(lambda m, x: m.conv(x.mT), conv=nn.Conv1d(3, 1, 3)), (1, 8, 3)),
        (Lambda(lambda m, x: m.conv(x[:, None]), conv=conv(1, 1, 3)), (1, 8, 8)),
        (conv(3, 1, 3), (3, 8, 8)),
        (Lambda(lambda m, x: m.conv(x.flatten(0, 1)), conv=conv(3, 1, 3)), (1, 4, 3, 8, 8)),
    ],
    ids=[
        "no positions",
        "three dimensions and no window",
        "transformer",
        "flattened features",
        "channels last",
        "time first",
        "a picture of frequencies and times",
        "no batch",
        "frames before channels",
    ],
)
def test_inputs_that_are_not_channels_first_have_no_fields(module, shape):
    assert fields_of(module, torch.zeros(shape)) == {}


# --- who asks ---


def test_a_summary_has_fields_when_they_are_asked_for():
    module = Lambda(lambda m, x: m.conv(x), conv=conv(1, 1, 3))
    traced = trace_of(module, image(9, 9))
    summary = summarize_trace(traced, "macs")
    assert [layer.receptive_field for layer in summary.layers] == [None, None]
    summary = with_receptive_fields(summary, traced)
    assert [layer.receptive_field for layer in summary.layers] == [(3, 3), (3, 3)]


def test_fields_of_some_layers_are_those_of_all():
    traced = trace_of(nn.Sequential(conv(1, 1, 3), conv(1, 1, 3)), image(9, 9))
    assert receptive_fields(traced, ["", "0"]) == {"": (5, 5), "0": (3, 3)}
    assert receptive_fields(traced, []) == {}
