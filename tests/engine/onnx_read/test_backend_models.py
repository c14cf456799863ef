"""ONNX's own models: every one opens, with the shapes that are stored beside it, and is costed."""

import re
from pathlib import Path

import onnx
import pytest
from backend_models import backend_models

from cnninspect.costs import cost_of
from cnninspect.engine.onnx_read.tracing import trace
from cnninspect.records.models import GivenValue, GraphFile, ModelInfo
from cnninspect.records.operations import CostState

SHARDS = 8
DATA_DEPENDENT = {
    "ImageDecoder", "NonMaxSuppression", "StringNormalizer", "StringSplit", "Unique", "Loop",
    "Gradient", "SequenceMap",
}  # fmt: skip
"""Operators whose outputs' sizes only their inputs' elements tell."""
COUNTING = Path(__file__).parents[3] / "docs" / "counting.md"


@pytest.fixture(scope="module")
def models():
    return backend_models()


def followed(model, folder):
    path = folder / "model.onnx"
    path.write_bytes(model.content)
    graph = onnx.ModelProto.FromString(model.content).graph
    held = {tensor.name for tensor in graph.initializer}
    formals = [formal.name for formal in graph.input if formal.name not in held]
    inputs = {name: _as_input(v) for name, v in zip(formals, model.inputs) if v is not None}
    return graph, trace(GraphFile(ModelInfo("m", "onnx", "m"), path), inputs or None)


def _as_input(value):
    if isinstance(value, tuple):
        return value
    if value.dtype.kind == "f" and value.size:
        return GivenValue(value.tolist())
    return value if value.size else value.shape


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_model_of_onnx_opens_with_the_shapes_stored_beside_it(models, shard, tmp_path):
    wrong = []
    for model in models[shard::SHARDS]:
        graph, traced = followed(model, tmp_path)
        known = {output.name: output.spec for output in traced.outputs}
        operators = {node.op_type for node in graph.node}
        for output, wanted in zip(graph.output, model.outputs):
            if wanted is None:
                continue
            spec = known.get(output.name)
            if spec is None:
                if not operators & DATA_DEPENDENT:
                    wrong.append((model.name, output.name, "unknown", traced.how.notes))
            elif (spec.shape, spec.dtype) != wanted and wanted[1] in ("string", spec.dtype):
                wrong.append((model.name, output.name, spec, wanted))
    assert wrong == []


def test_what_is_unknown_in_them_is_what_the_document_lists(models, tmp_path):
    unknown, failed = set(), {}
    for model in models:
        _, traced = followed(model, tmp_path)
        for operation in traced.operations:
            costed = cost_of(operation)
            if costed.state is CostState.UNKNOWN and not costed.lacks_shape:
                unknown.add(operation.name)
                if "formula failed" in costed.reason:
                    failed[operation.name] = costed.reason
    text = COUNTING.read_text(encoding="utf-8")
    listed = text.partition("<!-- unknown in ONNX -->")[2].partition("<!-- end -->")[0]
    assert failed == {}
    assert unknown <= set(re.findall(r"`((?:onnx|ai\.onnx|com\.microsoft)\.[\w.]+)`", listed))


def test_the_document_lists_every_operator_of_onnx_that_is_unknown():
    from cnninspect.costs import registered

    text = COUNTING.read_text(encoding="utf-8")
    listed = text.partition("<!-- unknown in ONNX -->")[2].partition("<!-- end -->")[0]
    names = set(re.findall(r"`((?:onnx|ai\.onnx|com\.microsoft)\.[\w.]+)`", listed))
    unknown = {
        name
        for name, state in registered().items()
        if state is CostState.UNKNOWN and name.startswith(("onnx.", "ai.onnx", "com.microsoft"))
    }
    assert names == unknown | {"onnx.Loop", "onnx.Scan"}
