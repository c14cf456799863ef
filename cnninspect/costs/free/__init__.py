"""What is free: operations that do no multiply-accumulates, each with the reason.

An operation is free if no element of its result is a sum of products of two tensors that the
network computes or learns.  So these are free although they multiply or add:

* what works element by element: scaling, gating, activations, also `addcmul` and `lerp`, whose
  every element is one product and one sum without a running total;
* sums, norms and statistics over a dimension: additions, and squares of a single tensor;
* normalisation and softmax, which are made of those two;
* pooling, and resampling by interpolation: the weights follow from positions by a fixed rule, as
  other counters have it too, though a bilinear sample is a weighted sum of four;
* outer products: all products and no sum;
* looking up (also `embedding_bag`, which adds up rows), moving, creating and describing data.

The matrix product that a network writes out as `(a * b).sum()` is therefore not seen.  Where
leaving out might be disputed, the operation is not here but among the unknown.

The tables name operators without the underscore of in-place variants.
"""

from __future__ import annotations

from cnninspect.costs.free import arithmetic, layers, libraries, onnx, tensors

TABLES = (
    ("aten.", arithmetic.REASONS),
    ("aten.", layers.REASONS),
    ("aten.", tensors.REASONS),
    ("onnx.", onnx.REASONS),
    ("", libraries.REASONS),
)
"""Namespace and table."""

FREE: dict[str, str] = {
    namespace + op: reason
    for namespace, table in TABLES
    for reason, ops in table.items()
    for op in ops.split()
}
"""Reason by operation name."""
