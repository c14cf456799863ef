"""The tools themselves against our conventions, over small networks that meet every rule."""

import io
import logging
import warnings
from importlib import import_module

import pytest
import torch
from small_networks import NETWORKS, Wrapped

import cnninspect
from cnninspect.costs.conventions import CONVENTIONS


def by_fvcore(fvcore, network, x):
    analysis = fvcore.FlopCountAnalysis(network.eval(), x)
    return analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).total()


def by_thop(thop, network, x):
    return thop.profile(network, inputs=(x,), verbose=False)[0]


def by_ptflops(ptflops, network, x):
    # By keyword, so that it does not divide by the batch what modules do.
    return ptflops.get_model_complexity_info(
        network, tuple(x.shape[1:]), input_constructor=lambda _: {"x": x}, as_strings=False,
        print_per_layer_stat=False, ost=io.StringIO(),
    )[0]  # fmt: skip


def by_torchinfo(torchinfo, network, x):
    return torchinfo.summary(network, input_data=x, verbose=0).total_mult_adds


TOOLS = {
    "fvcore": ("fvcore.nn", by_fvcore),
    "thop": ("thop", by_thop),
    "ptflops": ("ptflops", by_ptflops),
    "torchinfo": ("torchinfo", by_torchinfo),
}


@pytest.fixture(params=TOOLS)
def tool(request):
    """A tool's name and how to ask it; skipped where it is not installed or fails to import."""
    from cnninspect.sources.torchvision_schemas import import_torchvision

    package, ask = TOOLS[request.param]
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the tools warn of is not ours
        try:
            import_torchvision()  # ptflops imports it
            module = import_module(package)
        except ImportError as missing:
            pytest.skip(f"{package}: {missing}")
        yield request.param, lambda network, x: ask(module, network, x)
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_convention_counts_what_its_tool_counts(name, tool, capsys):
    convention, ask = tool
    build, shape = NETWORKS[name]
    network, x = Wrapped(build()).eval(), torch.rand(shape)
    ours = CONVENTIONS[convention].total(cnninspect.trace(network, x))
    assert ours == ask(network, x)
