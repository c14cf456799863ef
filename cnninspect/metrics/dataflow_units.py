"""The calls under a module, gathered by what a picture shows as one box, with repeats folded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cnninspect.metrics.roofline import MOVES_NOTHING
from cnninspect.records.operations import Call, Costed, Operation
from cnninspect.records.traces import Layer, Trace, level_of, run_name

LONGEST_PERIOD = 6
"""Modules in a row that are looked at as one repeated pattern, at most."""
FEW_STEPS = 4
"""Runs of one module in a row, as in a recurrence, that are all drawn, at most."""
COPIES = ("clone", "contiguous", "_to_copy", "detach", "lift_fresh", "Identity")
"""Operators that hand on what they were given."""
JOINS = ("cat", "concat", "Concat")
"""Operators that put tensors side by side; a single one stays as it is."""


@dataclass(slots=True)
class Unit:
    """What becomes one box: a visit of a module, or an operation that a module does itself."""

    module: str
    """Path of the module, or of the one that the operation belongs to."""
    calls: list[Call]
    is_operation: bool = False
    visit: int = 1
    """The how manieth time this module runs."""
    times: int = 1
    """How many equal ones in a row it stands for."""
    name: str = ""
    """What its parent calls it."""


@dataclass(slots=True)
class Run:
    """Units in a row that stand for several equal rows."""

    parent: str
    """Path of the module that holds them."""
    calls: set[int]
    """The calls that they stand for."""
    times: int
    name: str
    is_recurrence: bool
    """Whether they are runs of the very same modules."""
    is_single: bool
    """Whether it is one module, not a pattern of several."""
    module: str
    """Path of the module, or of the first of the pattern."""


@dataclass(slots=True)
class Dataflow:
    """The calls that are drawn, and what each takes after all that is left out."""

    trace: Trace
    root: str
    """Path of the module whose inside is drawn."""
    calls: list[Call]
    """Those under it, in order, without those that only hand on what they are given."""
    passed: dict[int, int]
    """Call that is not drawn to the one whose result it hands on, or whose equal it is."""
    has_children: frozenset[str]
    """Modules that hold others which ran."""
    layers: dict[str, Layer]
    costs: dict[int, Costed]
    """What each operation costs, by its identity."""
    kinds: dict[int, int]
    """A number for each operation, by its identity: that of equal ones is the same."""
    visits: dict[str, dict[int, int]] = field(default_factory=dict)
    """For modules that ran more than once, which of their runs a call belongs to."""
    runs: list[Run] = field(default_factory=list)
    """What was folded."""

    def origin(self, index: int) -> int:
        """The call, drawn or outside, that a tensor comes from; below 0: an input of the model."""
        while index in self.passed:
            index = self.passed[index]
        return index

    def unit_key(self, call: Call, level: int) -> tuple[str, bool]:
        """Module that a call is drawn with at that level, and whether as its operation."""
        path = call.layer
        if path != self.root and level_of(path) >= level:
            names = path.split(".")[:level]
            return ".".join(names), False
        if path != self.root and path not in self.has_children:
            return path, False
        return path, True


def dataflow(trace: Trace, root: str, costs: dict[int, Costed]) -> Dataflow:
    """The calls under a module in its first run, views and copies of its own left out."""
    layers = {layer.path: layer for layer in trace.layers}
    ran = {call.layer for call in trace.calls}
    has_children = frozenset(_ancestors(ran))
    prefix = f"{root}." if root else ""
    under = [call for call in trace.calls if call.layer == root or call.layer.startswith(prefix)]
    is_graph = trace.how.run == "graph"
    if root and not is_graph:
        runs = visits_of(under, layers).get(root, {})
        under = [call for call in under if runs.get(call.index, 1) == 1]
    flow = Dataflow(trace, root, [], {}, has_children, layers, costs, kinds_of(trace))
    kept = {call.index for call in under}
    taken = {index for call in trace.calls for index in call.inputs} | set(trace.origins)
    for call in under:
        is_container = call.layer == root or call.layer in has_children
        only = set(call.inputs)
        if not is_container:
            flow.calls.append(call)
        elif len(only) == 1 and _hands_on(call.operation, costs):
            flow.passed[call.index] = call.inputs[0]
        elif call.inputs or call.index in taken or costs[id(call.operation)].cost.macs:
            flow.calls.append(call)
    # With nothing but views inside, they are what there is to see.
    if under and not flow.calls:
        flow.calls, flow.passed = under, {}
    if not is_graph:
        flow.visits = visits_of(flow.calls, layers)
    flow.passed = {key: value for key, value in flow.passed.items() if key in kept}
    return flow


def kinds_of(trace: Trace) -> dict[int, int]:
    """A number for each operation of a trace, by its identity: that of equal ones is the same."""
    numbers: dict[Operation, int] = {}
    return {id(op): numbers.setdefault(op, len(numbers)) for op in trace.operations}


def _ancestors(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        while path:
            path = path.rpartition(".")[0]
            if path in found:
                break
            found.add(path)
    return found


def _hands_on(operation: Operation, costs: dict[int, Costed]) -> bool:
    """Whether an operation only shows its input in another form."""
    name = operation.name.partition(".")[2]
    if name in COPIES or (name in JOINS and len(operation.inputs) == 1):
        return True
    return costs[id(operation)].reason.startswith(MOVES_NOTHING)


def units_at(flow: Dataflow, level: int) -> list[Unit]:
    """What is drawn as one box at a level, in the order of execution."""
    units = _gathered(flow, level, in_order=False)
    if flow.trace.how.run == "graph" and _has_cycle(flow, [unit.calls for unit in units]):
        units = _gathered(flow, level, in_order=True)
    return _named(units)


def _gathered(flow: Dataflow, level: int, *, in_order: bool) -> list[Unit]:
    """The calls by module and run of it; `in_order`, only those that stand in a row together.

    The nodes of a file may stand in any order that their arrows allow.
    """
    units: list[Unit] = []
    places: dict[tuple[str, int], Unit] = {}
    for call in flow.calls:
        path, is_operation = flow.unit_key(call, level)
        visit = flow.visits.get(path, {}).get(call.index, 1)
        unit = None if is_operation else places.get((path, visit))
        if unit is not None and not (in_order and unit is not units[-1]):
            unit.calls.append(call)
            continue
        unit = Unit(path, [call], is_operation, visit)
        units.append(unit)
        if not is_operation:
            places[path, visit] = unit
    return units


def visits_of(calls: Sequence[Call], layers: dict[str, Layer]) -> dict[str, dict[int, int]]:
    """For each module that ran more than once, which of its runs each call belongs to, from 1."""
    under: dict[str, list[tuple[int, Call]]] = {}
    for place, call in enumerate(calls):
        path = call.layer
        while path:
            if layers[path].calls > 1:
                under.setdefault(path, []).append((place, call))
            path = path.rpartition(".")[0]
    found: dict[str, dict[int, int]] = {}
    for path, placed in under.items():
        size, rest = divmod(len(placed), layers[path].calls)
        rows = [placed[i : i + size] for i in range(0, len(placed), size)] if size else []
        names = [[(call.layer, call.operation.name) for _, call in row] for row in rows]
        if size and not rest and all(row == names[0] for row in names):
            found[path] = {call.index: i // size + 1 for i, (_, call) in enumerate(placed)}
            continue
        visit, last = 0, -2  # what stands in a row is taken for one run
        found[path] = {}
        for place, call in placed:
            visit += place != last + 1
            found[path][call.index], last = visit, place
    return found


def _named(units: list[Unit]) -> list[Unit]:
    """The units with their names, and counted where one module runs more than once."""
    for unit in units:
        unit.name = unit.module.rpartition(".")[2]
    return units


def _has_cycle(flow: Dataflow, groups: Sequence[Sequence[Call]]) -> bool:
    """Whether some groups need each other's results."""
    owner = {call.index: number for number, calls in enumerate(groups) for call in calls}
    needs: list[set[int]] = [set() for _ in groups]
    for number, calls in enumerate(groups):
        for call in calls:
            for index in call.inputs:
                source = owner.get(flow.origin(index), number)
                if source != number:
                    needs[number].add(source)
    waiting = [len(sources) for sources in needs]
    users: list[list[int]] = [[] for _ in groups]
    for number, sources in enumerate(needs):
        for source in sources:
            users[source].append(number)
    ready = [number for number, count in enumerate(waiting) if not count]
    done = 0
    while ready:
        done += 1
        for user in users[ready.pop()]:
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    return done < len(groups)


# --- repeats ---


def fold(flow: Dataflow, level: int) -> None:
    """Leave out, level by level, what repeats the modules right before it.

    Equal are modules, or patterns of up to six in a row, that do the same on the same shapes, each
    fed by the one before and, but for it, by the same tensors.
    """
    first = level_of(flow.root) + 1 if flow.root else 1
    for depth in range(first, level + 1):
        _fold_at(flow, depth)


def _fold_at(flow: Dataflow, depth: int) -> None:
    units = units_at(flow, depth)
    owner = {call.index: number for number, unit in enumerate(units) for call in unit.calls}
    outside = -1
    sources: list[set[int]] = []
    for number, unit in enumerate(units):
        found = {flow.origin(index) for call in unit.calls for index in call.inputs}
        sources.append({index for index in found if owner.get(index, outside) != number})
    users: list[set[int]] = [set() for _ in units]
    for number, indices in enumerate(sources):
        for index in indices:
            if index in owner:
                users[owner[index]].add(number)
    for index in _taken_outside(flow):
        if index in owner:
            users[owner[index]].add(outside)
    dropped: set[int] = set()
    start = 0
    while start < len(units):
        period, times = _repeats(flow, units, start, sources, users, owner)
        if times > 1:
            _drop_copies(flow, units, (start, period, times), dropped)
        start += period * times
    flow.calls = [call for call in flow.calls if call.index not in dropped]


def _taken_outside(flow: Dataflow) -> set[int]:
    """The drawn calls whose results leave the module that is drawn."""
    inside = {call.index for call in flow.calls}
    taken = {
        flow.origin(index)
        for call in flow.trace.calls
        if call.index not in inside and call.index not in flow.passed
        for index in call.inputs
    }
    return (taken | {flow.origin(index) for index in flow.trace.origins}) & inside


def _works(flow: Dataflow, unit: Unit) -> bool:
    """Whether it does multiply-accumulates."""
    return any(flow.costs[id(call.operation)].cost.macs for call in unit.calls)


def _repeats(
    flow: Dataflow,
    units: Sequence[Unit],
    start: int,
    sources: Sequence[set[int]],
    users: Sequence[set[int]],
    owner: dict[int, int],
) -> tuple[int, int]:
    """Period and number of equal rows that begin at a unit: `(1, 1)` where nothing repeats."""
    likeness = _likeness(flow, units[start : start + LONGEST_PERIOD])
    for period in range(1, len(likeness) + 1):
        if any(unit.module == units[start].module for unit in units[start + 1 : start + period]):
            break
        row = units[start : start + period]
        if all(unit.is_operation for unit in row):
            continue
        # (convolution, activation) twice, and not (activation, convolution).
        if not _works(flow, row[0]) and any(_works(flow, unit) for unit in row):
            continue
        times, fed = 1, _fed_from(start, period, sources, owner, is_first=True)
        while (at := start + times * period) + period <= len(units):
            now = _fed_from(at, period, sources, owner)
            is_alike = _likeness(flow, units[at : at + period]) == likeness[:period]
            is_fed_alike = now == fed if times > 1 else _elsewhere(now) <= _elsewhere(fed)
            if not (is_alike and is_fed_alike and _follows(at, period, sources, users, owner)):
                break
            times, fed = times + 1, now
        is_recurrence = times > 1 and units[start].module == units[start + period].module
        if times > (FEW_STEPS if is_recurrence else 1):
            return period, times
    return 1, 1


def _likeness(flow: Dataflow, units: Sequence[Unit]) -> list[tuple[object, ...]]:
    """Equal for units that do the same on the same shapes."""
    kinds = flow.kinds
    return [(u.is_operation, *(kinds[id(call.operation)] for call in u.calls)) for u in units]


def _elsewhere(fed: Sequence[frozenset[object]]) -> set[object]:
    """The calls of other rows among what feeds a row."""
    return {index for indices in fed for index in indices if isinstance(index, int)}


def _fed_from(
    start: int,
    period: int,
    sources: Sequence[set[int]],
    owner: dict[int, int],
    *,
    is_first: bool = False,
) -> list[frozenset[object]]:
    """Where each unit of a row is fed from: by place in this row or the one before, or which call.

    A call of a unit before that row is one that all rows may share, such as a mask.
    """
    row = []
    for number in range(start, start + period):
        found: set[object] = set()
        for index in sources[number]:
            place = owner.get(index)
            if place is None:
                found.add(index)
            elif start <= place < start + period:
                found.add(("here", place - start))
            elif not is_first and start - period <= place < start:
                found.add(("before", place - start + period))
            else:
                found.add(index)
        row.append(frozenset(found))
    return row


def _follows(
    at: int,
    period: int,
    sources: Sequence[set[int]],
    users: Sequence[set[int]],
    owner: dict[int, int],
) -> bool:
    """Whether the row before feeds this row and nothing else."""
    before = range(at - period, at)
    fed = any(owner.get(index, -1) in before for i in range(period) for index in sources[at + i])
    return fed and all(
        user in before or at <= user < at + period for i in before for user in users[i]
    )


def _drop_copies(
    flow: Dataflow, units: Sequence[Unit], row: tuple[int, int, int], dropped: set[int]
) -> None:
    start, period, times = row
    originals = units[start : start + period]
    for repeat in range(1, times):
        for original, copy in zip(originals, units[start + repeat * period :]):
            for kept, left in zip(original.calls, copy.calls):
                flow.passed[left.index] = kept.index
                dropped.add(left.index)
    last = units[start + period * times - 1]
    first, module = originals[0], originals[0].module
    same = first.module == units[start + period].module
    name = f"{first.name} over time" if same else run_name(first.name, last.name)
    flow.runs.append(
        Run(
            parent=module.rpartition(".")[0],
            calls={call.index for unit in originals for call in unit.calls},
            times=times,
            name=name,
            is_recurrence=same,
            is_single=period == 1,
            module=module,
        )
    )
