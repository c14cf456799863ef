"""Why a tool that was run has another number: by its rules, and by what it was seen to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from cnninspect.analyses.auditing_reasons import largest_first, reasons_of
from cnninspect.analyses.auditing_words import kind_of
from cnninspect.costs.conventions import CONVENTIONS
from cnninspect.costs.conventions.kinds import PRODUCTS, macs
from cnninspect.costs.conventions.ptflops import STACKS, of_functions
from cnninspect.records.audit import Reason, ToolRun
from cnninspect.records.layers import parent_of
from cnninspect.records.operations import Operation
from cnninspect.records.traces import Trace

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
    by_modules = {path: n - of_functions(ran_in.get(path, ())) for path, n in counts.items()}
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
