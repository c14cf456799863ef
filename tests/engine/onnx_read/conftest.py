"""The hand-made graphs can be imported by the tests of this folder."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def real_files(tmp_path_factory):
    """Files that torch's exporter wrote, as bytes: one with fixed sizes, one with open ones."""
    import cnninspect

    folder = tmp_path_factory.mktemp("real")
    fixed, open_sizes = folder / "fixed.onnx", folder / "open.onnx"
    cnninspect.export_onnx("shallow_cnn@resolution=8,channels=2", fixed, verify=False)
    cnninspect.export_onnx(
        "gru_text@vocabulary=9,length=4,embedding_size=3,hidden_size=5",
        open_sizes,
        dynamic=("batch", "sequence"),
        verify=False,
    )
    return fixed.read_bytes(), open_sizes.read_bytes()


@pytest.fixture
def follow(tmp_path):
    """Writes a model to a file and follows it."""
    from cnninspect.engine.onnx_read.tracing import trace
    from cnninspect.records.models import GraphFile, ModelInfo

    def run(model, inputs=None, **options):
        path = tmp_path / "model.onnx"
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        file = GraphFile(ModelInfo("model.onnx", "onnx", "model.onnx"), path)
        return trace(file, inputs, **options)

    return run
