"""The laws: how many multiply-accumulates a kind of work takes, each written once.

A law is a function of plain integers.  It returns *terms*, products of named factors whose sum is
the count, so that a reader sees the formula with the numbers put into it:

    >>> terms = convolution(
    ...     batch=1, positions=112 * 112, out_channels=64, in_channels_per_group=3, kernel=7 * 7
    ... )
    >>> macs(terms)
    118013952
    >>> spell(terms)
    '1 batch × 12,544 positions × 64 out channels × 3 in channels per group × 49 kernel'

One multiply-accumulate is one product of two elements added to a running sum, whatever the
elements are: a product of complex numbers counts once.  No law counts bias additions, scaling,
softmax, activations or the moving of data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod


@dataclass(frozen=True, slots=True)
class Term:
    """A product of named factors."""

    factors: tuple[tuple[str, int], ...]
    """Name and size of each."""

    @property
    def value(self) -> int:
        """The product."""
        return prod(size for _, size in self.factors)

    def __str__(self) -> str:
        return " × ".join(
            f"{size:,} {name if size != 1 else _singular(name)}" for name, size in self.factors
        )


def _singular(name: str) -> str:
    """`directions` as `direction`, `in channels per group` as `in channel per group`."""
    words = (re.sub("ies$", "y", word) for word in name.split())
    return " ".join(re.sub("(?<=[^suia])s$", "", word) for word in words)


Terms = tuple[Term, ...]


class NotCounted(Exception):
    """What a formula raises to say, in a sentence, why this operation cannot be counted."""


def term(**factors: int) -> Term:
    """A product whose factors are called as the arguments are, `_` read as a space."""
    return Term(tuple((name.replace("_", " "), size) for name, size in factors.items()))


def macs(terms: Terms) -> int:
    """The sum of the terms."""
    return sum(t.value for t in terms)


def spell(terms: Terms) -> str:
    """The terms as a user reads them; `0` where there are none."""
    return " + ".join(map(str, terms)) or "0"


def convolution(
    *, batch: int, positions: int, out_channels: int, in_channels_per_group: int, kernel: int
) -> Terms:
    """MACs: batch · positions · out_channels · in_channels/groups · kernel.

    `positions` are those of the output, `kernel` is the number of positions in the window.  A
    window that reaches into the padding is counted in full.
    Source: Howard et al. 2017 (MobileNets), arXiv:1704.04861, section 3.1.
    """
    return (
        term(
            batch=batch,
            positions=positions,
            out_channels=out_channels,
            in_channels_per_group=in_channels_per_group,
            kernel=kernel,
        ),
    )


def transposed_convolution(
    *, batch: int, in_positions: int, in_channels: int, out_channels_per_group: int, kernel: int
) -> Terms:
    """MACs: batch · in_positions · in_channels · out_channels/groups · kernel.

    It is the gradient of a convolution with respect to its input, so input and output change
    places: every *input* position is multiplied with the whole window and spread over the output.
    What falls outside the output (padding) is counted too.
    Source: Dumoulin and Visin 2016, arXiv:1603.07285, chapter 4.
    """
    return (
        term(
            batch=batch,
            in_positions=in_positions,
            in_channels=in_channels,
            out_channels_per_group=out_channels_per_group,
            kernel=kernel,
        ),
    )


def matrix_product(*, batch: int = 1, rows: int, inner: int, columns: int) -> Terms:
    """MACs: batch · rows · inner · columns, `batch` products (rows × inner) · (inner × columns).

    The schoolbook product; faster algorithms (Strassen) are no concern of the count.
    Source: Golub and Van Loan, Matrix Computations, section 1.1.
    """
    return (term(batch=batch, rows=rows, inner=inner, columns=columns),)


def attention(*, heads: int, queries: int, keys: int, key_width: int, value_width: int) -> Terms:
    """MACs: heads · queries · keys · (key_width + value_width), the scores and the weighted sum.

    `heads` are the query's, over the whole batch; keys and values that several heads share
    (grouped queries) meet each of them.  A mask saves nothing here: causal attention is counted in
    full, as published numbers do, though a kernel may skip the masked half.
    Source: Vaswani et al. 2017, arXiv:1706.03762, equation 1.
    """
    return (
        term(heads=heads, queries=queries, keys=keys, key_width=key_width),
        term(heads=heads, queries=queries, keys=keys, value_width=value_width),
    )


def attention_backward(
    *, heads: int, queries: int, keys: int, key_width: int, value_width: int
) -> Terms:
    """MACs of four products, twice the forward ones: ∂query and ∂key, ∂value and ∂scores.

    Fused kernels keep no scores and work them out a second time: that is the price of their
    memory, not a part of the gradient, and it is left out here; PyTorch's own counter has it in.
    Source: Dao et al. 2022 (FlashAttention), arXiv:2205.14135, section 3.1 and algorithm 4.
    """
    return (
        term(products=2, heads=heads, queries=queries, keys=keys, key_width=key_width),
        term(products=2, heads=heads, queries=queries, keys=keys, value_width=value_width),
    )


def recurrent(
    *, tokens: int, directions: int = 1, gates: int, hidden: int, inputs: int, fed_back: int,
    projection: int = 0,
) -> Terms:  # fmt: skip
    """MACs: tokens · directions · gates · hidden · (inputs + fed_back), of one recurrent layer.

    `tokens` are the steps of all sequences: batch · length, or the sum of the lengths where they
    are packed.  `gates` is 4 for an LSTM, 3 for a GRU, 1 for a plain cell.  `fed_back` is the width
    of the state that returns to the gates: `hidden`, or `projection` where the state is projected,
    which takes another tokens · directions · hidden · projection.  The products of gates with
    states, element by element, are not counted.
    Source: Hochreiter and Schmidhuber 1997; Cho et al. 2014, arXiv:1406.1078; for the projection
    Sak et al. 2014, arXiv:1402.1128.
    """
    steps = {"tokens": tokens, "directions": directions}
    gated = term(**steps, gates=gates, hidden=hidden, inputs_and_fed_back=inputs + fed_back)
    if not projection:
        return (gated,)
    return (gated, term(**steps, hidden=hidden, projection=projection))


def bilinear(*, batch: int, outputs: int, left: int, right: int) -> Terms:
    """MACs: batch · outputs · left · right: every weight once for each row.

    The outer product of the two inputs, left · right products without a sum, is not counted.
    Source: Tenenbaum and Freeman 2000, equation 1.
    """
    return (term(batch=batch, outputs=outputs, left=left, right=right),)
