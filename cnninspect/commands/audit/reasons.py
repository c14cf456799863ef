"""Why another count differs from ours, in numbers and in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import prod

from cnninspect.commands.audit.report import Reason, ToolRun
from cnninspect.costs.conventions import CONVENTIONS, Convention
from cnninspect.costs.conventions.convention import (
    ADAPTIVE_MAX_POOLS,
    ATTENTION,
    AVERAGE_POOLS,
    BATCH_NORMS,
    CONVOLUTIONS,
    GROUP_NORMS,
    LAYER_NORMS,
    MAX_POOLS,
    PRODUCTS,
    bias_elements,
    is_adaptive_average,
    macs,
)
from cnninspect.costs.conventions.ptflops import STACKS, of_functions
from cnninspect.costs.conventions.recurrence import Network, network_of
from cnninspect.records.operations import Call, Operation
from cnninspect.records.traces import Layer, Trace, parent_of


def reasons_of(
    convention: Convention, trace: Trace, counts: Mapping[str, int]
) -> tuple[Reason, ...]:
    """Why the convention's count is not ours, the largest part first.

    `counts` are the convention's by layer.  The amounts add up to the whole difference.
    """
    found: dict[tuple[str, str, bool], tuple[int, int]] = {}
    for item in _items(convention, trace, counts):
        if item.more:
            key = in_words(item)
            amount, calls = found.get(key, (0, 0))
            found[key] = amount + item.more, calls + item.calls
    return largest_first(
        Reason(what, text, amount, calls, is_gap)
        for (what, text, is_gap), (amount, calls) in found.items()
    )


def largest_first(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The reasons by the size of their part."""
    return tuple(sorted(reasons, key=lambda reason: -abs(reason.amount)))


def _items(convention: Convention, trace: Trace, counts: Mapping[str, int]) -> Iterator[Item]:
    calls_of: dict[str, list[Call]] = {layer.path: [] for layer in trace.layers}
    for call in trace.calls:
        calls_of[call.layer].append(call)
    child_of = {parent_of(layer.path): layer for layer in trace.layers if layer.path}
    for layer in trace.layers:
        calls = calls_of[layer.path]
        near = (layer, child_of[layer.path]) if layer.path in child_of else (layer,)
        alone = [_alone(convention, trace, near, call) for call in calls]
        ours = [macs(call.operation) for call in calls]
        if sum(alone) == counts[layer.path]:
            for call, mine, theirs in zip(calls, ours, alone):
                what = kind_of(call.operation, layer)
                operation, bias = call.operation, bias_elements(call)
                yield Item(what, 1, mine, theirs, layer, operation, bias)
        else:
            working = [call for call, mine in zip(calls, ours) if mine]
            only = working[0] if len(working) == 1 else calls[0] if len(calls) == 1 else None
            bias = sum(bias_elements(call) for call in calls)
            yield Item(
                layer.type,
                layer.calls,
                sum(ours),
                counts[layer.path],
                layer,
                only.operation if only else None,
                bias,
            )


def _alone(convention: Convention, trace: Trace, near: tuple[Layer, ...], call: Call) -> int:
    """What the convention counts for a layer that makes only this call."""
    return convention.count(replace(trace, layers=near, calls=(call,)))[near[0].path]


MOST_KINDS = 12
"""Kinds of products that are tried in all combinations."""
BY_CLASS = ("thop", "ptflops")
"""Tools that know classes, not their names."""
MOST_PLACES = 5
"""Layers named in which an unexplained difference lies."""


def tool_reasons(run: ToolRun, trace: Trace) -> tuple[Reason, ...]:
    """What the difference between a tool's count and ours is made of, the largest part first."""
    if run.name not in CONVENTIONS:
        return largest_first(_passed_over(run))
    trace = as_seen(run, trace)
    rules = CONVENTIONS[run.name]
    counts = rules.count(trace)
    found = [*reasons_of(rules, trace, counts)]
    if run.name == "fvcore":
        found += _rounded(run, trace)
    if run.name == "ptflops":
        found += _by_rules_of_its_own(run, trace, counts)
        found += _first_of_batch(trace)
        found += _not_seen(run, trace, found)
    return largest_first(found)


def as_seen(run: ToolRun, trace: Trace) -> Trace:
    """The trace as a tool sees it: layers that only have the name of a class are of another."""
    if run.name not in BY_CLASS or not run.look_alikes:
        return trace
    others = set(run.look_alikes)
    return replace(
        trace,
        layers=tuple(
            replace(layer, type=f"another {layer.type}") if layer.path in others else layer
            for layer in trace.layers
        ),
    )


def places(run: ToolRun, trace: Trace) -> tuple[str, ...]:
    """The layers in which a tool has another count than its rules, the largest first."""
    if not run.parts or run.name == "ptflops":  # which does not tell functions by layer
        return ()
    rules = CONVENTIONS.get(run.name, CONVENTIONS["macs"])
    rest = {path: -count for path, count in rules.count(as_seen(run, trace)).items()}
    for part in run.parts:
        rest[part.path] = rest.get(part.path, 0) + part.count
    paths = sorted((path for path in rest if rest[path]), key=lambda path: -abs(rest[path]))
    return tuple(paths[:MOST_PLACES])


def _passed_over(run: ToolRun) -> Iterator[Reason]:
    """What a tool without written rules was seen to pass over."""
    for missed in run.overlooked:
        what = kind_of(Operation(missed.op, (), ()))
        text = f"leaves it out, having no rule for {missed.op}"
        yield Reason(what, text, -missed.macs, missed.calls, is_gap=True)


def _rounded(run: ToolRun, trace: Trace) -> Iterator[Reason]:
    """What fvcore rounds: it reads the work of einsum, 2 for a MAC, from a text of four digits."""
    amount = calls = 0
    ran_in = _operations_by_layer(trace)
    for part in run.parts:
        if part.op == "einsum":
            products = [macs(o) for o in ran_in.get(part.path, ()) if o.name in PRODUCTS]
            rounded = sum(float(f"{2 * product:.3e}") / 2 for product in products)
            if part.count != sum(products) and part.count == int(rounded):
                amount += part.count - sum(products)
                calls += len(products)
    if amount:
        yield Reason("einsum", "rounds it to four digits", amount, calls, is_gap=True)


def _by_rules_of_its_own(run: ToolRun, trace: Trace, counts: Mapping[str, int]) -> Iterator[Reason]:
    """Where ptflops knows a class of another library, and then looks at nothing within it."""
    ran_in = _operations_by_layer(trace)
    by_modules = {
        layer.path: counts[layer.path] - of_functions(layer, ran_in.get(layer.path, ()))
        for layer in trace.layers
    }
    types = {layer.path: layer.type for layer in trace.layers}
    parents = {parent_of(path) for path in types if path}
    found: dict[str, tuple[int, int]] = {}
    for part in run.parts:
        if part.path in parents and part.path in types:
            amount = part.count - sum(n for path, n in _under(part.path, by_modules))
            if amount:
                known, layers = found.get(types[part.path], (0, 0))
                found[types[part.path]] = known + amount, layers + 1
    for kind, (amount, layers) in found.items():
        text = "counts it by a rule of its own, and nothing of the layers in it"
        yield Reason(kind, text, amount, layers, is_gap=True)


def _first_of_batch(trace: Trace) -> Iterator[Reason]:
    """Where ptflops looks at the first result of a batch alone, and divides by the batch."""
    ran_in = _operations_by_layer(trace)
    made = [
        operation.output
        for layer in trace.layers
        for operation in ran_in.get(layer.path, ())
        if layer.type == "Upsample" and operation.name.startswith("aten.upsample_")
    ]
    amount = sum(spec.numel - spec.numel // max(spec.shape[0], 1) for spec in made)
    if amount:
        text = "counts the first of a batch and divides it by the batch"
        yield Reason("interpolation", text, -amount, len(made), is_gap=False)


def _not_seen(run: ToolRun, trace: Trace, found: Sequence[Reason]) -> Iterator[Reason]:
    """What ptflops does not see: `a @ b` and `x.softmax()`, of which it only replaces functions.

    A trace does not tell how they were written.  So it is taken to be some of them, the first,
    second, … in layers of some classes, if that explains the rest to the unit.
    """
    ours = CONVENTIONS["macs"].total(trace)
    rest = (run.total or 0) - ours - sum(reason.amount for reason in found)
    if rest >= 0:
        return
    seen = _seen_as_functions(trace)
    kinds = list(seen)[:MOST_KINDS]
    for number in range(1, len(kinds) + 1):
        for chosen in combinations(kinds, number):
            if rest == -sum(sum(seen[kind]) for kind in chosen):
                for kind in chosen:
                    (what, layer_type, _), amounts = kind, seen[kind]
                    text, is_gap = NOT_SEEN[what]
                    what = f"{what} in {layer_type}"
                    yield Reason(what, text, -sum(amounts), len(amounts), is_gap=is_gap)
                return


NOT_SEEN = {
    "matrix product": ("leaves it out, written as a @ b or einsum", True),
    "softmax": ("does not add it, written as a method", False),
}
"""How something is written that is not seen, and whether multiply-accumulates go with it."""


def _seen_as_functions(trace: Trace) -> dict[tuple[str, str, int], list[int]]:
    """What ptflops would count of them, by kind, class of the layer, and place in its run."""
    types = {layer.path: layer.type for layer in trace.layers}
    met: dict[tuple[str, str], int] = {}
    seen: dict[tuple[str, str, int], list[int]] = {}
    for call in trace.calls:
        is_product = call.operation.name in STACKS
        if is_product or call.operation.name == "aten._softmax":
            what = "matrix product" if is_product else "softmax"
            place = met[call.layer, what] = met.get((call.layer, what), 0) + 1
            amount = macs(call.operation) if is_product else call.operation.output.numel
            seen.setdefault((what, types[call.layer], place), []).append(amount)
    return seen


def _under(top: str, counts: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    return ((path, n) for path, n in counts.items() if path == top or path.startswith(f"{top}."))


def _operations_by_layer(trace: Trace) -> Mapping[str, Sequence[Operation]]:
    found: dict[str, list[Operation]] = {}
    for call in trace.calls:
        found.setdefault(call.layer, []).append(call.operation)
    return found


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
    """What a user calls it: `batch norm`, `max pooling`, …, else the operator's own name."""
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
