"""Random stacks of windows, in which every layer's field is measured."""

import torch
import torch.nn.functional as F
from field_problems import Lambda
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from impulses import made_sensitive, measured_fields, trace_of
from torch import nn

from cnninspect.metrics.receptive_field import receptive_fields

SIZE = 90


WINDOWS = st.fixed_dictionaries(
    {
        "kernel_size": st.integers(1, 5),
        "stride": st.integers(1, 3),
        "padding": st.integers(0, 2),
        "dilation": st.integers(1, 3),
    }
)


def pooling(options):
    options["padding"] = min(options["padding"], options["kernel_size"] // 2)
    return nn.MaxPool1d(**options)


def transposed(options):
    options["kernel_size"] = max(options["kernel_size"], options["stride"])
    options["dilation"] = 1 if options["stride"] > 1 else options["dilation"]
    return nn.ConvTranspose1d(2, 2, bias=False, **options)


def joined(branches):
    """Two branches side by side, cut to the same size at the end, then mixed."""

    def forward(module, x):
        one, other = module.one(x), module.other(x)
        size = min(one.shape[2], other.shape[2])
        return module.mix(torch.cat((one[..., :size], other[..., -size:]), 1))

    one, other = branches
    return Lambda(forward, one=one, other=other, mix=nn.Conv1d(4, 2, 1, bias=False))


CONVOLUTIONS = WINDOWS.map(lambda options: nn.Conv1d(2, 2, bias=False, **options))
DOWN = st.one_of(CONVOLUTIONS, WINDOWS.map(pooling))
SAME_SIZE = st.builds(
    lambda kernel, dilation: nn.Conv1d(
        2, 2, kernel, padding=(kernel - 1) * dilation // 2, dilation=dilation, bias=False
    ),
    st.integers(1, 5),
    st.integers(1, 3),
)
UP = st.one_of(
    WINDOWS.map(transposed),
    st.builds(
        nn.Upsample, scale_factor=st.integers(2, 3), mode=st.sampled_from(["nearest", "linear"])
    ),
)
JOINED = st.tuples(SAME_SIZE, SAME_SIZE).map(joined)


def fields_of(layers):
    """Those found and those measured, for a stack that an input of `SIZE` positions can show."""
    module = made_sensitive(nn.Sequential(*layers))
    with torch.no_grad():
        try:
            outputs = module(torch.zeros(1, 2, SIZE, dtype=torch.float64))
        except RuntimeError:
            assume(False)  # smaller than a window
    found = receptive_fields(trace_of(module, torch.zeros(1, 2, SIZE, dtype=torch.float64)))
    assume(outputs.numel() and all(field[0] < SIZE // 3 for field in found.values()))
    return found, measured_fields(module, (1, 2, SIZE))


@settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.lists(st.one_of(DOWN, JOINED), min_size=1, max_size=4))
def test_fields_of_windows_are_told_and_as_measured(layers):
    found, measured = fields_of(layers)
    assert found == measured


@settings(max_examples=100, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.lists(st.one_of(DOWN, UP, JOINED), min_size=1, max_size=5))
def test_what_is_told_of_fields_in_resampled_networks_is_as_measured(layers):
    found, measured = fields_of(layers)
    assert found == {path: measured[path] for path in found}


def same(channels, kernel):
    return nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=False)


def attended(module, x):
    tokens = x.flatten(2).mT
    tokens = tokens + F.scaled_dot_product_attention(tokens, tokens, tokens)
    return tokens.mT.unflatten(2, x.shape[2:])


BLOCKS = {
    "convolution": lambda c: (same(c, 3), c),
    "stride": lambda c: (nn.Conv2d(c, c, 3, 2, 1, bias=False), c),
    "depthwise": lambda c: (nn.Conv2d(c, c, 3, padding=1, groups=c, bias=False), c),
    "mixed channels": lambda c: (nn.Conv2d(c, 2, 1, bias=False), 2),
    "joined": lambda c: (Lambda(lambda m, x: torch.cat((x, m.a(x)), 1), a=same(c, 3)), 2 * c),
    "joined the other way": lambda c: (
        Lambda(lambda m, x: torch.cat((m.a(x), x), 1), a=same(c, 5)),
        2 * c,
    ),
    "alternating": lambda c: (
        Lambda(lambda m, x: torch.stack((x, m.a(x)), 2).flatten(1, 2), a=same(c, 3)),
        2 * c,
    ),
    "first half": lambda c: (Lambda(lambda m, x: x[:, : (x.shape[1] + 1) // 2]), (c + 1) // 2),
    "last half": lambda c: (Lambda(lambda m, x: x[:, x.shape[1] // 2 :]), (c + 1) // 2),
    "gated halves": lambda c: (nn.GLU(1), c // 2) if c % 2 == 0 else (nn.ReLU(), c),
    "empty channels": lambda c: (Lambda(lambda m, x: F.pad(x, (0, 0, 0, 0, 1, 1))), c + 2),
    "shuffled": lambda c: (
        Lambda(lambda m, x: x.unflatten(1, (-1, 2 - c % 2)).transpose(1, 2).flatten(1, 2)),
        c,
    ),
    "every second row": lambda c: (Lambda(lambda m, x: x[:, :, ::2]), c),
    "rows apart": lambda c: (
        Lambda(lambda m, x: torch.cat((x[..., 1:, :], x[..., :-1, :]), 1)),
        2 * c,
    ),
    "squeeze and excitation": lambda c: (
        Lambda(lambda m, x: x * m.a(x.mean((2, 3), keepdim=True)), a=same(c, 1)),
        c,
    ),
    "attention": lambda c: (Lambda(attended), c),
    "a token that goes again": lambda c: (
        Lambda(
            lambda m, x: torch.cat((x.mean((2, 3))[..., None], x.flatten(2)), 2)[..., 1:].unflatten(
                2, x.shape[2:]
            )
        ),
        c,
    ),
    "twice as large": lambda c: (nn.Upsample(scale_factor=2, mode="bilinear"), c),
    "half as large": lambda c: (nn.MaxPool2d(2), c),
}
"""From the number of channels to a layer and how many it leaves."""


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(sorted(BLOCKS)), min_size=2, max_size=5))
def test_what_is_told_where_channels_and_tokens_differ_is_as_measured(names):
    layers, channels, shape = [], 2, (1, 2, 24, 25)
    for name in names:
        layer, channels = BLOCKS[name](channels)
        layers.append(layer)
    module = made_sensitive(nn.Sequential(*layers))
    found = fields_in(module, shape)
    measured = measured_fields(module, shape)
    for path, told in found.items():
        for field, seen, size in zip(told, measured[path], shape[2:]):
            # One as large as the input is cut off at its borders.
            assert seen == field if field <= size // 3 else 2 * seen > min(field, size) <= size


def fields_in(module, shape):
    return receptive_fields(trace_of(module, torch.zeros(shape, dtype=torch.float64)))
