"""Conventions that go by operators, whatever layer they run in: macs, torchvision, pycls."""

from __future__ import annotations

from cnninspect.costs.conventions.convention import Convention, by_call
from cnninspect.costs.conventions.kinds import (
    ATTENTION,
    CONVOLUTIONS,
    PRODUCTS,
    bias_elements,
    macs,
)
from cnninspect.records.operations import Call


def _macs(call: Call) -> int:
    return macs(call.operation)


def _torchvision(call: Call) -> int:
    known = call.operation.name in CONVOLUTIONS | PRODUCTS | ATTENTION
    return macs(call.operation) if known else 0


def _pycls(call: Call) -> int:
    return macs(call.operation) + bias_elements(call)


MACS = Convention(
    name="macs",
    unit="MACs",
    source="docs/counting.md",
    counts="multiply-accumulates of convolutions, matrix products, attention and recurrent gates",
    caution="operations without a formula are left out, and reported",
    count_layers=by_call(_macs),
    knows_graphs=True,
)

TORCHVISION = Convention(
    name="torchvision",
    unit="FLOPs (= MACs)",
    source="torchvision's weights, meta['_ops'], made by a count of operators in dispatch",
    counts="multiply-accumulates of convolutions and matrix products, those of attention included",
    caution="what it calls GFLOPS are 10^9 MACs; deformable convolutions, recurrent layers and "
    "products of the kinds baddbmm, mv and dot are left out",
    count_layers=by_call(_torchvision),
    knows_graphs=True,
)

PYCLS = Convention(
    name="pycls",
    unit="FLOPs (= MACs)",
    source="https://github.com/facebookresearch/pycls, pycls/models/blocks.py, *_cx",
    counts="multiply-accumulates, and one for each bias that is added to an element",
    caution="pycls works it out from the architecture of its own networks for one image and does "
    "not look at a run; before 2021 it added a bias once for a whole map",
    count_layers=by_call(_pycls),
)
