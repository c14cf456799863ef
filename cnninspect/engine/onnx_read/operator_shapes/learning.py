"""Shapes of the operators of `ai.onnx.ml`: scikit-learn's models, trees and tables.

Source: onnx, docs/Operators-ml.md.
"""

from __future__ import annotations

from collections.abc import Callable

from onnx import TypeProto

from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.operator_shapes.known_node import KnownNode, axis_in, tensor
from cnninspect.engine.onnx_read.values import Dims, Value

Rule = Callable[[KnownNode], list[Value]]
FLOAT, INT64, STRING = 1, 7, 8


def floats_like_first(node: KnownNode) -> list[Value]:
    """Floating numbers in the shape of the input."""
    return [tensor(FLOAT, node.dims(0))]


def like_first(node: KnownNode) -> list[Value]:
    """A tensor like the input."""
    return [tensor(node.element(0), node.dims(0))]


def picked(node: KnownNode) -> list[Value]:
    """Some columns."""
    dims, columns = node.dims(0), node.dims(1)
    count = columns[-1] if columns else 1
    kept = (1,) if len(dims) == 1 else dims[:-1]
    return [tensor(node.element(0), (*kept, count))]


def joined(node: KnownNode) -> list[Value]:
    """`FeatureVectorizer`: the columns of all inputs, side by side."""
    sizes = node.wholes("inputdimensions") or ()
    rows = node.dims(0)[0] if len(node.dims(0)) > 1 else 1
    return [tensor(FLOAT, (rows, sum(sizes)))]


def mapped(node: KnownNode) -> list[Value]:
    """Labels looked up in a table: text or numbers by what the table holds."""
    names = {
        "values_int64s": INT64, "values_floats": FLOAT, "values_strings": STRING,
        "cats_int64s": INT64 if node.element(0) == STRING else STRING,
        "classes_strings": INT64 if node.element(0) == STRING else STRING,
    }  # fmt: skip
    found = next((kind for name, kind in names.items() if name in node.attributes), 0)
    found = found or node.whole("values_tensor type", 0)
    return [tensor(found, node.dims(0))]


def one_hot(node: KnownNode) -> list[Value]:
    """A further axis with a place for each category."""
    found = node.attributes.get("cats_int64s") or node.attributes.get("cats_strings") or ()
    count = len(found) if isinstance(found, tuple) else 0
    return [tensor(FLOAT, (*node.dims(0), count))]


def classified(node: KnownNode) -> list[Value]:
    """A label and the scores of the classes for each row."""
    rows, classes = _rows(node), _classes(node)
    return [tensor(_label(node), (rows,)), tensor(FLOAT, (rows, classes))]


def regressed(node: KnownNode) -> list[Value]:
    """The targets for each row."""
    element = node.element(0) if node.op == "TreeEnsemble" else FLOAT
    targets = node.whole("targets" if node.op == "LinearRegressor" else "n_targets", 1)
    return [tensor(element, (_rows(node), targets))]


def zipped(node: KnownNode) -> list[Value]:
    """A dictionary of scores for each row, which is no tensor."""
    written = TypeProto()
    entry = written.sequence_type.elem_type.map_type
    entry.key_type = STRING if "classlabels_strings" in node.attributes else INT64
    entry.value_type.tensor_type.elem_type = FLOAT
    return [Value(0, None, written.SerializeToString())]


def _rows(node: KnownNode) -> int | None:
    dims: Dims = node.dims(0)
    if len(dims) > 2:
        raise Malformed(f"it takes rows, and is given {len(dims)} axes")
    return dims[0] if len(dims) == 2 else 1


def _labels(node: KnownNode) -> tuple[object, ...]:
    for name in ("classlabels_int64s", "classlabels_ints", "classlabels_strings"):
        found = node.attributes.get(name)
        if isinstance(found, tuple) and found:
            return found
    return ()


def _classes(node: KnownNode) -> int | None:
    count = len(_labels(node))
    return count or None


def _label(node: KnownNode) -> int:
    labels = _labels(node)
    return STRING if labels and isinstance(labels[0], str) else INT64


def binarized(node: KnownNode) -> list[Value]:
    """0 or 1 for each element."""
    return like_first(node)


def vectorized(node: KnownNode) -> list[Value]:
    """`DictVectorizer`: a place for each word of its vocabulary."""
    found = node.attributes.get("string_vocabulary") or node.attributes.get("int64_vocabulary")
    count = len(found) if isinstance(found, tuple) else None
    return [tensor(0, (1, count))]


def axis_normalised(node: KnownNode) -> list[Value]:
    """Each row divided by its norm."""
    axis_in(-1, len(node.dims(0)))
    return floats_like_first(node)


RULES: dict[str, Rule] = {
    "ArrayFeatureExtractor": picked,
    "Binarizer": binarized,
    "CategoryMapper": mapped,
    "DictVectorizer": vectorized,
    "FeatureVectorizer": joined,
    "Imputer": like_first,
    "LabelEncoder": mapped,
    "LinearClassifier": classified,
    "LinearRegressor": regressed,
    "Normalizer": axis_normalised,
    "OneHotEncoder": one_hot,
    "SVMClassifier": classified,
    "SVMRegressor": regressed,
    "Scaler": floats_like_first,
    "TreeEnsemble": regressed,
    "TreeEnsembleClassifier": classified,
    "TreeEnsembleRegressor": regressed,
    "ZipMap": zipped,
}
"""Shape of the outputs, by operator of `ai.onnx.ml`."""
