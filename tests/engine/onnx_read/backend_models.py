"""ONNX's own models for testing backends, with the inputs and outputs that are stored with them.

They ship with the `onnx` package: some 1,900 of single operators, which it makes when asked, and
some 150 files.
"""

import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


@dataclass(frozen=True)
class BackendModel:
    """A model, what goes in and what comes out."""

    name: str
    content: bytes
    inputs: tuple
    """For each input its elements where they are few, else its shape; None for no tensor."""
    outputs: tuple
    """Shape and dtype of each output; None for no tensor."""


@cache
def backend_models():
    """All of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with np.errstate(all="ignore"):
            return [*_operators(), *_files()]


def _operators():
    from onnx.backend.test.case.model import collect_testcases as of_models
    from onnx.backend.test.case.node import collect_testcases as of_nodes

    for case in (*of_nodes(None), *of_models()):
        if case.model is not None:
            given, wanted = case.data_sets[0] if case.data_sets else ((), ())
            yield BackendModel(
                case.name,
                case.model.SerializeToString(),
                tuple(map(_given, given)),
                tuple(map(_wanted, wanted)),
            )


def _files():
    data = Path(onnx.__file__).parent / "backend" / "test" / "data"
    for folder in sorted(data.glob("*/test_*")):
        path = folder / "model.onnx"
        if path.exists():
            inputs = _stored(folder, "input")
            outputs = _stored(folder, "output")
            yield BackendModel(
                folder.name,
                path.read_bytes(),
                tuple(map(_given, inputs)),
                tuple(map(_wanted, outputs)),
            )
    for path in sorted((data / "light").glob("*.onnx")):
        wanted = TensorProto.FromString((path.parent / f"{path.stem}_output_0.pb").read_bytes())
        yield BackendModel(path.stem, path.read_bytes(), (), (_wanted(wanted),))


def _stored(folder, which):
    found = []
    for path in sorted(folder.glob(f"test_data_set_0/{which}_*.pb")):
        tensor = TensorProto()
        try:
            tensor.ParseFromString(path.read_bytes())
            found.append(numpy_helper.to_array(tensor))
        except Exception:  # a sequence, or an optional value
            found.append(None)
    return found


def _given(value):
    if isinstance(value, TensorProto):
        return tuple(value.dims)
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if not isinstance(value, np.ndarray):
        return None
    few = 1024 if value.dtype.kind in "iub" else 16 if value.dtype.kind == "f" else 0
    return value if value.size <= few and value.dtype.name in KINDS else value.shape


def _wanted(value):
    if isinstance(value, TensorProto):
        kind = numpy_helper.helper.tensor_dtype_to_np_dtype(value.data_type)
        return tuple(value.dims), np.dtype(kind).name
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if not isinstance(value, np.ndarray):
        return None
    return value.shape, "string" if value.dtype.kind in "OUS" else value.dtype.name


KINDS = frozenset(
    np.dtype(helper.tensor_dtype_to_np_dtype(number)).name for number in (1, 2, 3, 5, 6, 7, 9, 11)
)
