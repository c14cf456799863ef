"""Attention, from the operation to its law.

Query, key and value are (batch, heads, length, width); where keys and values have fewer heads than
the query, several query heads share one.
"""

from __future__ import annotations

from math import prod

from cnninspect.costs import laws
from cnninspect.costs.laws import Terms
from cnninspect.costs.products import broadcast
from cnninspect.records.operations import Operation


def attention(operation: Operation) -> Terms:
    """Scaled dot-product attention on `query`, `key`, `value`; lengths are next to last."""
    return laws.attention(**_sizes(operation))


def attention_backward(operation: Operation) -> Terms:
    """Its gradients with respect to all three."""
    return laws.attention_backward(**_sizes(operation))


def length_first_attention(operation: Operation) -> Terms:
    """The kernels beneath: (batch, length, heads, width), or packed to (tokens, heads, width)."""
    return laws.attention(**_length_first_sizes(operation))


def length_first_attention_backward(operation: Operation) -> Terms:
    """The gradients of those."""
    return laws.attention_backward(**_length_first_sizes(operation))


def multi_head_attention(operation: Operation) -> Terms:
    """Projections of query, key and value, attention, and the output's projection, in one kernel.

    Inputs are (batch, length, width); `qkv_weight` is (3·width, width).
    """
    batch, queries, width = operation.tensor("query").shape
    keys = operation.tensor("key").shape[1]
    heads = operation.argument("num_head")
    return _multi_head(batch=batch, queries=queries, keys=keys, width=width, heads=heads)


def encoder_layer(operation: Operation) -> Terms:
    """A layer of a Transformer's encoder: self-attention, then two linear layers."""
    batch, length, width = operation.tensor("src").shape
    heads = operation.argument("num_heads")
    hidden = operation.tensor("ffn_weight_1").shape[0]
    rows = batch * length
    return (
        *_multi_head(batch=batch, queries=length, keys=length, width=width, heads=heads),
        *laws.matrix_product(rows=rows, inner=width, columns=hidden),
        *laws.matrix_product(rows=rows, inner=hidden, columns=width),
    )


def _multi_head(*, batch: int, queries: int, keys: int, width: int, heads: object) -> Terms:
    if not isinstance(heads, int):
        raise TypeError("the number of heads is not a number")
    head = width // heads
    return (
        *laws.matrix_product(rows=batch * (2 * queries + 2 * keys), inner=width, columns=width),
        *laws.attention(
            heads=batch * heads, queries=queries, keys=keys, key_width=head, value_width=head
        ),
    )


def _sizes(operation: Operation) -> dict[str, int]:
    query, key, value = (operation.tensor(name).shape for name in ("query", "key", "value"))
    # The query has all the heads; batches broadcast.
    outer = (*broadcast(query[:-3], key[:-3]), *query[-3:-2])
    return {
        "heads": prod(outer),
        "queries": query[-2],
        "keys": key[-2],
        "key_width": query[-1],
        "value_width": value[-1],
    }


def _length_first_sizes(operation: Operation) -> dict[str, int]:
    for name in ("cum_seq_q", "cu_seqlens_q", "seqused_k", "seqlen_k", "block_table"):
        if operation.argument(name) is not None:
            raise ValueError("the lengths of packed sequences are values, not shapes")
    query, key, value = (operation.tensor(name).shape for name in ("query", "key", "value"))
    batch, queries, heads, width = query
    return {
        "heads": batch * heads,
        "queries": queries,
        "keys": key[1],
        "key_width": width,
        "value_width": value[-1],
    }
