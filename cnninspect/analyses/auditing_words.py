"""What a person calls an operation, and how a difference between two counts of it is put in words.

Each rule of `REASONS` looks at one item, a call or a layer, and says in words how the other count
follows from ours to the unit, or nothing where it does not.  The first that fits is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from cnninspect.costs.conventions.kinds import (
    ADAPTIVE_MAX_POOLS,
    ATTENTION,
    AVERAGE_POOLS,
    BATCH_NORMS,
    CONVOLUTIONS,
    GROUP_NORMS,
    LAYER_NORMS,
    MAX_POOLS,
    PRODUCTS,
    is_adaptive_average,
)
from cnninspect.costs.conventions.recurrence import Network, network_of
from cnninspect.records.layers import Layer
from cnninspect.records.operations import Operation

LARGEST_RATE = 1000
"""Of operations for each element; beyond it, a whole multiple is chance."""


@dataclass(frozen=True, slots=True)
class Item:
    """What two counters have for one call, or for all that a layer does by itself."""

    what: str
    """The kind of operation, or the class of the layer."""
    calls: int
    ours: int
    theirs: int
    layer: Layer
    operation: Operation | None
    """None for a layer as a whole."""
    bias: int
    """Elements that a bias is added to."""

    @property
    def more(self) -> int:
        """Their count less ours."""
        return self.theirs - self.ours


KINDS = (
    (CONVOLUTIONS, "convolution"),
    (PRODUCTS | {"aten.baddbmm", "aten.mv", "aten.dot", "aten.einsum"}, "matrix product"),
    (ATTENTION, "attention"),
    (BATCH_NORMS, "batch norm"),
    (LAYER_NORMS, "layer norm"),
    (GROUP_NORMS, "group norm"),
    (MAX_POOLS, "max pooling"),
    (AVERAGE_POOLS, "average pooling"),
    (ADAPTIVE_MAX_POOLS, "adaptive max pooling"),
)
PLAIN = {"hardtanh": "relu6", "_prelu_kernel": "prelu", "mkldnn_rnn_layer": "recurrent layer"}
"""Operators whose own names say too little."""


def kind_of(operation: Operation, layer: Layer | None = None) -> str:
    """What a person calls it: `batch norm`, `max pooling`, …, else the operator's own name."""
    if layer is not None and layer.type.startswith("InstanceNorm"):
        return "instance norm"
    if is_adaptive_average(operation):
        return "adaptive average pooling"
    if operation.argument("transposed") is True or "Transpose" in operation.name:
        return "transposed convolution"
    for names, kind in KINDS:
        if operation.name in names:
            return kind
    if network_of(operation) is not None:
        return "recurrent layer"
    name = operation.name.rpartition(".")[2]
    name = name[:-1] if name.endswith("_") and not name.endswith("__") else name
    if name.startswith("upsample_"):
        return "interpolation"
    return PLAIN.get(name, name.strip("_").replace("_", " "))


PLAIN_LAYERS = frozenset(
    ("Linear", "Bilinear", "LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell")
) | {f"Conv{transposed}{d}d" for transposed in ("", "Transpose") for d in (1, 2, 3)}
"""Layers that go without saying where their kind of operation is left out."""


# --- the rules: why theirs is not ours ---


def _left_out(item: Item) -> str | None:
    return "leaves it out" if item.ours and not item.theirs else None


def _bias(item: Item) -> str | None:
    fits = item.bias and item.more == item.bias
    return "adds 1 for the bias at each output" if fits else None


def _rate(item: Item) -> str | None:
    """So many for each element that is read or written."""
    operation = item.operation
    if item.ours or operation is None or not operation.inputs or not operation.outputs:
        return None
    if operation.arguments[0][0] == "weight":  # a look-up
        return None
    read, written = operation.inputs[0].numel, operation.output.numel
    for elements, which in (
        (read, "that it reads"),
        (read + written, "that it reads or writes"),
        (written, "that it writes"),
    ):
        rate, rest = divmod(item.theirs, elements) if elements else (0, 1)
        if not rest and 0 < rate <= LARGEST_RATE:
            return f"adds {rate} for each element{'' if read == written else f' {which}'}"
    return None


def _parameters_once(item: Item) -> str | None:
    """Each parameter taken once for each input, as if it had no positions."""
    parameters = sum(p.spec.numel for p in item.layer.parameters)
    samples = item.layer.calls * (item.layer.outputs[0].shape[:1] or (1,))[0] if _ran(item) else 0
    if not parameters or item.theirs != parameters * samples:
        return None
    if item.ours:
        return "takes each weight once for each input, not for each of its positions"
    return "adds each parameter once for each input"


def _for_each_state(item: Item) -> str | None:
    """So many for each hidden unit and step of a recurrent layer."""
    network = network_of(item.operation) if item.operation else None
    units = _states(network) if network else 0
    rate, rest = divmod(item.more, units) if units else (0, 1)
    fits = not rest and 0 < rate <= LARGEST_RATE
    return f"adds {rate} for each hidden unit at each step" if fits else None


def _states(network: Network) -> int:
    return network.padded_tokens * network.directions * network.layers * network.hidden


def _for_each_score(item: Item) -> str | None:
    """Softmax and scaling beside the products of attention."""
    if item.operation is None or item.operation.name not in ATTENTION:
        return None
    query, key = item.operation.tensor("query"), item.operation.tensor("key")
    scores = prod(query.shape[:-1]) * key.shape[-2]
    for rate in (1, 2, 3):
        if item.more == rate * scores + query.numel:
            return f"adds {rate} for each score and 1 for each element of the queries"
    return None


def _at_the_output(item: Item) -> str | None:
    """A transposed convolution at its output's positions, though each input's meets the window."""
    if item.what != "transposed convolution" or item.operation is None:
        return None
    out, into = (prod(t.shape[2:]) for t in (item.operation.output, item.operation.inputs[0]))
    has_bias = item.bias and (item.theirs - item.bias) * into == item.ours * out
    if has_bias:
        return "counts it at its output, not at its input, and 1 for the bias"
    fits = item.theirs * into == item.ours * out
    return "counts it at its output, not at its input" if fits else None


def _times(item: Item) -> str | None:
    times, rest = divmod(item.theirs, item.ours) if item.ours else (0, 1)
    return f"counts it {times} times" if not rest and 1 < times <= LARGEST_RATE else None


def _otherwise(item: Item) -> str | None:
    if not item.ours:
        return "adds something of its own for it"
    return "counts it too low" if item.theirs < item.ours else "adds to it"


def _ran(item: Item) -> bool:
    return bool(item.layer.calls and item.layer.outputs)


REASONS: tuple[tuple[Callable[[Item], str | None], bool], ...] = (
    (_left_out, True),
    (_bias, False),
    (_rate, False),
    (_for_each_state, False),
    (_for_each_score, False),
    (_parameters_once, True),
    (_at_the_output, True),
    (_times, True),
    (_otherwise, True),
)
"""Each with whether it means that multiply-accumulates are missed or miscounted."""


def in_words(item: Item) -> tuple[str, str, bool]:
    """What differs, how, and whether multiply-accumulates are missed or miscounted by it."""
    for rule, may_miss in REASONS:
        text = rule(item)
        if text is not None:
            is_gap = may_miss and item.ours > 0
            is_elsewhere = is_gap and item.layer.type not in (*PLAIN_LAYERS, item.what)
            where = f" in {item.layer.type}" if is_elsewhere else ""
            return f"{item.what}{where}", text, is_gap
    raise AssertionError("the last rule always fits")
