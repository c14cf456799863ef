"""Quantised and optimised forms of a file are read as the network that they were made of."""

import logging

import numpy as np
import pytest

import cnninspect
from cnninspect.records.operations import CostState

NETWORKS = {
    "lenet": "lenet5_modern",
    "resnet": "resnet20@depth=8",
    "lstm": "lstm_imdb@length=6,vocabulary=50,hidden_size=16",
    "mlp": "mlp@hidden=5",
}
FORMS = ("qoperator", "qdq", "dynamic", "all")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A network's file and its form, each made when it is asked for first."""
    folder = tmp_path_factory.mktemp("forms")

    def run(name, form):
        path = folder / f"{name}.onnx"
        if not path.exists():
            cnninspect.export_onnx(NETWORKS[name], path, verify=False)
        target = folder / f"{name}.{form}.onnx"
        if not target.exists():
            transform(path, target, form)
        return path, target

    return run


def transform(path, target, form):
    """Another form of the file, as onnxruntime's own tools make it."""
    ort = pytest.importorskip("onnxruntime")
    from onnxruntime import quantization

    options = ort.SessionOptions()
    options.log_severity_level = 4
    levels = ort.GraphOptimizationLevel
    options.graph_optimization_level = (
        levels.ORT_ENABLE_ALL if form == "all" else levels.ORT_ENABLE_BASIC
    )
    folded = target if form == "all" else target.with_suffix(".folded.onnx")
    options.optimized_model_filepath = str(folded)
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    if form == "all":
        return
    logging.disable(logging.WARNING)
    try:
        if form == "dynamic":
            quantization.quantize_dynamic(folded, target, weight_type=quantization.QuantType.QInt8)
        else:
            quantize_statically(folded, target, form, session)
    finally:
        logging.disable(logging.NOTSET)


def quantize_statically(folded, target, form, session):
    from onnxruntime import quantization

    drawn = np.random.default_rng(0)

    class Batches(quantization.CalibrationDataReader):
        left = 2

        def get_next(self):
            self.left -= 1
            if self.left < 0:
                return None
            return {
                info.name: drawn.standard_normal(info.shape).astype(np.float32)
                if info.type == "tensor(float)"
                else drawn.integers(0, 50, info.shape)
                for info in session.get_inputs()
            }

    formats = quantization.QuantFormat
    quantization.quantize_static(
        folded, target, Batches(), per_channel=form == "qdq",
        quant_format=formats.QDQ if form == "qdq" else formats.QOperator,
        activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
    )  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_form_of_a_file_has_its_macs_and_its_parameters(made, name, form):
    before, after = (cnninspect.summarize(str(path)) for path in made(name, form))
    assert after.totals.macs == before.totals.macs
    assert after.totals.parameters == before.totals.parameters
    assert after.uncounted == ()
    assert after.coverage.unknown == 0


@pytest.mark.parametrize("form", FORMS)
def test_no_call_of_a_form_is_unknown(made, form):
    from cnninspect.costs import cost_of

    _, path = made("resnet", form)
    trace = cnninspect.trace(str(path))
    unknown = {
        call.operation.name
        for call in trace.calls
        if cost_of(call.operation).state is CostState.UNKNOWN
    }
    assert unknown == set()
