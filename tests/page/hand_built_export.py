"""Reports of exports, made by hand: what their renderer is tried on."""

from __future__ import annotations

from dataclasses import replace

from cnninspect.commands.export.report import Discrepancy, ExportReport, Reconciled
from cnninspect.records.exports import LayerMismatch, OpenSize, Verification
from cnninspect.records.models import ModelInfo
from cnninspect.records.operations import NamedTensor, TensorSpec


def resnet_file() -> ExportReport:
    """A file that is right, its batch open, with batch norm folded."""
    return ExportReport(
        model=ModelInfo("resnet18@num_classes=10", "zoo", "resnet18@num_classes=10"),
        file="models/resnet18.onnx",
        sha256="ab" * 32,
        bytes=44_743_211,
        data_file=None,
        data_bytes=0,
        exporter="dynamo",
        opset=20,
        ir_version=10,
        inputs=(NamedTensor("x", TensorSpec((1, 3, 224, 224))),),
        outputs=(NamedTensor("output", TensorSpec((1, 10))),),
        open_sizes=(OpenSize("batch", "x", 0), OpenSize("batch", "output", 0)),
        verification=tuple(
            Verification(batch, {"batch": batch}, error, error / 4, 1e-4, ok=True)
            for batch, error in ((1, 2.4e-6), (2, 1.9e-6), (3, 0.0), (7, 3.1e-6))
        ),
        not_verified="",
        parameters=Reconciled(11_181_642, 11_176_842),
        macs=Reconciled(1_813_566_464, 1_813_566_464),
        differences=(
            Discrepancy(
                "parameters",
                -9_600,
                "batch norm folded into the layer before it",
                tuple(f"layer{i}.0.bn1" for i in range(1, 21)),
            ),
            Discrepancy(
                "parameters", 4_800, "biases that take in what batch norm adds", ("conv1", "fc")
            ),
        ),
    )


def wrong_file() -> ExportReport:
    """A file that differs from the network, over several open sizes."""
    runs = (
        Verification(1, {"batch": 1, "height": 96, "width": 64}, 1.2e-6, 3.1e-7, 1e-4, ok=True),
        Verification(2, {"batch": 2, "height": 64, "width": 65}, 0.51, 0.21, 1e-4, ok=False),
    )
    return replace(
        resnet_file(),
        verification=runs,
        open_sizes=(
            *resnet_file().open_sizes,
            OpenSize("height", "x", 2),
            OpenSize("width", "x", 3),
        ),
        mismatch=LayerMismatch("layer3.1.conv2", "Conv2d", 0.73, 0.4),
        macs=Reconciled(1_813_566_464, 1_813_560_000),
        differences=(
            Discrepancy("macs", -6_464, "products of constants, worked out beforehand", ("",)),
        ),
        notes=("the network does not run with height=33: not compared",),
    )


def large_file() -> ExportReport:
    """Weights in a file of their own, and nothing run."""
    return replace(
        resnet_file(),
        bytes=1_204_331,
        data_file="resnet18.onnx.data",
        data_bytes=2_700_000_000,
        exporter="torchscript",
        open_sizes=(),
        verification=(),
        not_verified="onnxruntime cannot run it on the CPU: no implementation for Conv(22)",
        parameters=Reconciled(11_181_642, 11_181_642),
        differences=(),
    )
