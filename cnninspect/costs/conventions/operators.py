"""Conventions that go by operators, whatever layer they run in: macs, torchvision, pycls."""

from __future__ import annotations

from cnninspect.costs.conventions.convention import Convention, by_call
from cnninspect.costs.conventions.kinds import (
    ATTENTION,
    CONVOLUTIONS,
    PRODUCTS,
    bias_elements,
    is_one_of,
    macs,
)
from cnninspect.records.layers import Layer
from cnninspect.records.operations import Operation


def _macs(operation: Operation, _: Layer) -> int:
    return macs(operation)


def _torchvision(operation: Operation, _: Layer) -> int:
    return macs(operation) if is_one_of(operation, CONVOLUTIONS | PRODUCTS | ATTENTION) else 0


def _pycls(operation: Operation, _: Layer) -> int:
    return macs(operation) + bias_elements(operation)


MACS = Convention(
    name="macs",
    unit="MACs",
    source="docs/counting.md",
    counts="multiply-accumulates of convolutions, matrix products, attention and recurrent gates",
    caution="operations without a formula are left out, and reported",
    count_layers=by_call(_macs),
)

TORCHVISION = Convention(
    name="torchvision",
    unit="FLOPs (= MACs)",
    source="torchvision's weights, meta['_ops'], made by a count of operators in dispatch",
    counts="multiply-accumulates of convolutions and matrix products, those of attention included",
    caution="what it calls GFLOPS are 10^9 MACs; deformable convolutions, recurrent layers and "
    "products of the kinds baddbmm, mv and dot are left out",
    count_layers=by_call(_torchvision),
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
