"""Which positions of the input an element of a tensor depends on, operation by operation.

In reading order:

* `reach`       Reach: an interval of input positions that moves with the element
* `places`    Place: where the input's positions are found in a tensor
* `states`      Dependence: what is known of a whole tensor, and how such states combine
* `operands`    Operand: a tensor that an operation is given, with its state
* `sliding`     convolutions, poolings and padding
* `resampling`  interpolation
* `layouts`     views and transpositions
* `joints`      parts of tensors, and tensors put together
* `mixing`      sums, products and attention
* `rules`       the table: operation name to rule
* `walking`     Walk: the calls of a trace one after the other
"""

from __future__ import annotations
