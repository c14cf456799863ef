"""Ranges without end: their length is known, their numbers are not written out."""

from __future__ import annotations

import numpy
import pytest
from onnx import TensorProto, helper, numpy_helper

import cnninspect
from cnninspect.engine.onnx_read import evaluation


@pytest.mark.parametrize("limit", [2**10, 2**40])
def test_a_long_range_takes_no_memory(limit, tmp_path, monkeypatch):
    made = []
    real = numpy.arange
    monkeypatch.setattr(
        evaluation.np, "arange", lambda *args, **given: made.append(args) or real(*args, **given)
    )
    scalars = [("start", 0), ("limit", limit), ("delta", 1)]
    nodes = [
        helper.make_node("Range", ["start", "limit", "delta"], ["numbers"]),
        helper.make_node("Add", ["numbers", "x"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.INT64, [1])],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(numpy.array(value), name) for name, value in scalars],
    )  # fmt: skip
    path = tmp_path / "range.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString()
    )
    assert cnninspect.summarize(path).outputs[0].spec.shape == (limit,)
    assert bool(made) == (limit < 2**20)
