"""Figures made by hand, for what is concluded from them."""

from cnninspect.metrics.figures import BytesAs, Figures
from cnninspect.metrics.summary import ConventionTotal, Coverage, EngineInfo, Totals
from cnninspect.records.models import ModelInfo
from cnninspect.records.operations import NamedTensor, TensorSpec


def figures(name, parameters, macs, **changes):
    """A network of so many parameters and multiply-accumulates."""
    return Figures(
        **{
            "model": ModelInfo(name, "zoo", name),
            "inputs": (NamedTensor("x", TensorSpec((1, 3, 8, 8))),),
            "outputs": (NamedTensor("output", TensorSpec((1, 10))),),
            "engine": EngineInfo("meta", "abstract", 3, 3),
            "mode": "eval",
            "totals": Totals(
                parameters, parameters, 0, 4 * parameters, macs, 2 * macs, 64, 256, layers=3
            ),
            "convention": ConventionTotal("macs", macs, ""),
            "coverage": Coverage(3, 2, 1, 0),
            "uncounted": (),
            "published": (),
            "depth": 2,
            "weighted_layers": 2,
            "receptive_field": (3, 3),
            "gradient_paths": 1,
            "bytes_as": (BytesAs("float32", 4 * parameters), BytesAs("int8", parameters)),
            "stages": (),
            **changes,
        }
    )
