"""What is counted, free or unknown among the operators of `ai.onnx.ml`: scikit-learn's models.

What was learned stands in attributes; where they are long, the operation knows how long.
Source: onnx, docs/Operators-ml.md.
"""

from __future__ import annotations

from cnninspect.costs import laws
from cnninspect.costs.laws import Terms
from cnninspect.costs.products import Formula
from cnninspect.records.operations import Operation, TensorSpec


def linear(operation: Operation) -> Terms:
    """Each row times all coefficients: (outputs, features)."""
    return (laws.term(rows=_rows(operation), coefficients=_count(operation, "coefficients")),)


def support_vectors(operation: Operation) -> Terms:
    """Each row times each support vector, and the results times the coefficients.

    The kernel `RBF` takes a distance for the product, with as many multiply-accumulates.
    """
    rows = _rows(operation)
    return (
        laws.term(rows=rows, elements_of_support_vectors=_count(operation, "support_vectors")),
        laws.term(rows=rows, coefficients=_count(operation, "coefficients")),
    )


def _rows(operation: Operation) -> int:
    shape = operation.tensor("X").shape
    return shape[0] if len(shape) > 1 else 1


def _count(operation: Operation, name: str) -> int:
    found = operation.argument(name)
    if isinstance(found, TensorSpec):
        return found.numel
    return len(found) if isinstance(found, tuple) else 0


COUNTED: dict[str, Formula] = {
    "ai.onnx.ml.LinearClassifier": linear,
    "ai.onnx.ml.LinearRegressor": linear,
    "ai.onnx.ml.SVMClassifier": support_vectors,
    "ai.onnx.ml.SVMRegressor": support_vectors,
}
REASONS: dict[str, str] = {
    "comparisons along the branches of trees, and a sum of their leaves": """
        TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor""",
    "arithmetic element by element": "Binarizer Imputer Normalizer Scaler",
    "a look-up in a table": """
        ArrayFeatureExtractor CategoryMapper DictVectorizer LabelEncoder OneHotEncoder""",
    "a view, a copy or another shape of the same data": "CastMap FeatureVectorizer ZipMap",
}
FREE: dict[str, str] = {
    **{f"ai.onnx.ml.{op}": reason for reason, ops in REASONS.items() for op in ops.split()},
    **dict.fromkeys(
        (f"ai.onnx.preview.training.{op}" for op in ("Adagrad", "Adam", "Momentum")),
        "an optimizer's update, element by element",
    ),
}
"""Reason by operation name."""
UNKNOWN: dict[str, str] = {
    "ai.onnx.preview.training.Gradient": "gradients of a part of the graph that it names"
}
"""Why nobody can say, by operation name."""
