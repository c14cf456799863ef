"""Random stacks of windows, in which every layer's field is measured."""

import torch
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
