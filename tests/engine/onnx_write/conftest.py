"""Exports into a folder of the test's own."""

import sys
from pathlib import Path

import onnx
import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def export(tmp_path):
    """Exports to `model.onnx` in a fresh folder; gives the report and the file."""
    import cnninspect

    def run(model, *args, name="model.onnx", **settings):
        path = tmp_path / name
        report = cnninspect.export_onnx(model, path, *args, **settings)
        return report, path

    return run


@pytest.fixture
def export_and_load(export):
    """The same, with the model in the file."""

    def run(*args, **settings):
        report, path = export(*args, **settings)
        return report, onnx.load(path)

    return run
