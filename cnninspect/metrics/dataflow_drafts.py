"""From a trace to the dataflow between its modules at one level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Union

from cnninspect.errors import BadOption, UnknownChoice, UnknownLayer
from cnninspect.metrics.dataflow import COLORS, Edge, Frame, Graph, Node
from cnninspect.metrics.dataflow_units import Dataflow, Run, Unit, dataflow, fold, units_at
from cnninspect.metrics.recurrence import recurrence_of, unrolled
from cnninspect.metrics.roofline import MOVES_NOTHING, Datasheet, device_for, least_time_of
from cnninspect.metrics.stacks import stacked
from cnninspect.metrics.summarizing import costed_calls
from cnninspect.metrics.summary import Device, EngineInfo, LayerSummary, Summary
from cnninspect.records.operations import Call, Costed, CostState
from cnninspect.records.traces import Trace, level_of

FEW_BOXES = 20
"""A level is chosen that shows no more boxes than this, if there is one."""
MOST_BOXES = 150
"""Beyond so many, those in the middle are drawn as one."""
SHOWN_ENDS = 30
"""Of those, how many are left at the begin and at the end."""
MORE = " more"
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Looks:
    """What is drawn of a network, and how."""

    level: Union[int, str, None] = "auto"
    """Names in the paths down to which modules are shown; None: all; `auto`: as fits."""
    color_by: str = "macs"
    device_spec: str | None = None
    folded: bool = True
    this: Datasheet | None = None
    """What was measured of this machine, where that is the device."""

    def __post_init__(self) -> None:
        if self.color_by not in COLORS:
            raise UnknownChoice("--color-by", self.color_by, COLORS)


class Drafts:
    """Makes graphs of the modules of one trace: what each operation costs is told once."""

    def __init__(self, trace: Trace, summary: Summary, looks: Looks) -> None:
        self.trace, self.summary, self.looks = trace, summary, looks
        self.costs: dict[int, Costed] = {}
        for call, cost in costed_calls(trace):
            self.costs[id(call.operation)] = cost
        self.rows = {layer.path: layer for layer in summary.layers}
        is_timed = looks.color_by == "time" or looks.device_spec is not None
        self.device = self._device() if is_timed else None
        self._seconds: dict[int, float] = {}

    def _device(self) -> Device:
        """That whose least times are drawn."""
        return device_for(self.trace, self.looks.device_spec or "a100", this=self.looks.this)

    def graph(self, layer: str = "") -> Graph:
        """The dataflow inside a module; of the whole network: inside of `""`.

        Raises:
            UnknownLayer: there is no such module.
            BadOption: the level is not below that of the module.
        """
        row = self.rows.get(layer)
        if row is None:
            known = [path for path in self.rows if path]
            raise UnknownLayer(self.trace.model.reference, layer, known)
        return self._at_level(row)

    def with_insides(self, layer: str = "") -> tuple[Graph, ...]:
        """The graph of a module and those of all insides that one can go to from it."""
        found = {layer: self.graph(layer)}
        deeper = Drafts(self.trace, self.summary, replace(self.looks, level="auto"))
        pending = [found[layer]]
        while pending:
            for node in pending.pop(0).nodes:
                if node.has_inside and node.module not in found:
                    found[node.module] = deeper.graph(node.module)
                    pending.append(found[node.module])
        return tuple(found.values())

    def _at_level(self, row: LayerSummary) -> Graph:
        """The graph at the level that is asked for, or at the deepest that can be read."""
        prefix = f"{row.path}." if row.path else ""
        under = [path for path in self.rows if path and path.startswith(prefix)]
        above, level = row.level, self.looks.level
        deepest = max(map(level_of, under), default=above + 1)
        if isinstance(level, int):
            if level <= above:
                inside = f", inside {row.path}" if row.path else ""
                raise BadOption("--level", level, f"{above + 1} or more{inside}")
            return self._drafted(row, min(level, deepest))
        if level is None:
            return self._drafted(row, deepest)
        best = self._drafted(row, above + 1)
        for deeper in range(above + 2, deepest + 1):
            candidate = self._drafted(row, deeper)
            if len(stacked(candidate)) > FEW_BOXES:
                break
            best = candidate
        return best

    def _drafted(self, row: LayerSummary, level: int) -> Graph:
        return _Draft(self, self._flow(row.path, level), level).graph(row)

    def _flow(self, layer: str, level: int) -> Dataflow:
        flow = dataflow(self.trace, layer, self.costs)
        if self.looks.folded:
            fold(flow, level)
        return flow

    # --- what calls cost ---

    def macs(self, calls: Sequence[Call]) -> int:
        """Multiply-accumulates of some calls."""
        return sum(self.costs[id(call.operation)].cost.macs for call in calls)

    def written_bytes(self, calls: Sequence[Call]) -> int:
        """Bytes that they write."""
        return sum(
            spec.nbytes
            for call in calls
            if not self.costs[id(call.operation)].reason.startswith(MOVES_NOTHING)
            for spec in call.operation.outputs
        )

    def seconds(self, calls: Sequence[Call]) -> float | None:
        """Least time of some calls on the device; None: none was named."""
        if self.device is None:
            return None
        for call in calls:
            key = id(call.operation)
            if key not in self._seconds:
                self._seconds[key] = least_time_of(call.operation, self.device).seconds
        return sum(self._seconds[id(call.operation)] for call in calls)

    def uncounted(self, calls: Sequence[Call]) -> int:
        """How many of them nothing is known of."""
        return sum(self.costs[id(c.operation)].state is CostState.UNKNOWN for c in calls)


class _Draft:
    """One graph while it is made."""

    def __init__(self, drafts: Drafts, flow: Dataflow, level: int) -> None:
        self.drafts, self.flow, self.level = drafts, flow, level
        self.trace = drafts.trace
        self.units = units_at(flow, level)
        self.paths = _distinct([_name_of(unit) for unit in self.units])
        self.owner = {c.index: i for i, unit in enumerate(self.units) for c in unit.calls}
        self.notes: list[str] = []

    def graph(self, row: LayerSummary) -> Graph:
        self._leave_out_the_middle()
        links, ins, outs = self._links()
        shapes: dict[int, list[Shape]] = {}
        for (source, _), found in links.items():
            shapes.setdefault(source, [])
            shapes[source] += [shape for shape in found if shape not in shapes[source]]
        nodes = [
            *ins,
            *(self._node(i, tuple(shapes.get(i, ()))) for i in range(len(self.units))),
            *(node for node, _ in outs),
        ]
        names = {**dict(enumerate(self.paths)), **{-1 - i: n.path for i, n in enumerate(ins)}}
        edges = [
            Edge(names[source], names[target], tuple(found))
            for (source, target), found in links.items()
            if target < len(self.units)
        ]
        for number, (node, sources) in enumerate(outs):
            edges += [
                Edge(names[source], node.path, tuple(links[source, len(self.units) + number]))
                for source in sources
            ]
        graph = Graph(
            model=self.trace.model,
            engine=EngineInfo.of(self.trace),
            mode=self.trace.mode,
            layer=row.path,
            type=row.type,
            level=self.level,
            parameters=row.total.parameters,
            macs=row.total.macs,
            color_by=self.drafts.looks.color_by,
            nodes=tuple(nodes),
            edges=tuple(edges),
            frames=tuple(self._frames()),
            device=self.drafts.device.name if self.drafts.device else "",
            notes=tuple(self.notes),
            uncounted=self.drafts.summary.uncounted,
        )
        return _shared_out(unrolled(graph, self.flow.calls))

    # --- what is left out ---

    def _leave_out_the_middle(self) -> None:
        """Draw what lies in the middle as one box, where there are too many boxes."""
        if len(self.units) <= MOST_BOXES:
            return
        order = sorted(range(len(self.units)), key=lambda i: self.units[i].calls[0].index)
        if self.trace.how.run == "graph":
            order = self._sorted_by_need()
        head, tail = order[:SHOWN_ENDS], order[-SHOWN_ENDS:]
        middle = order[SHOWN_ENDS:-SHOWN_ENDS]
        calls = [call for i in middle for call in self.units[i].calls]
        more = Unit(self.flow.root, calls, is_operation=True, name=f"{len(middle):,}{MORE}")
        self.notes.append(
            f"{len(order):,} boxes are too many to read: {len(middle):,} in the middle are drawn "
            "as one; a smaller --level, or --layer with a module, shows more"
        )
        self.paths = [*(self.paths[i] for i in head), more.name, *(self.paths[i] for i in tail)]
        self.units = [*(self.units[i] for i in head), more, *(self.units[i] for i in tail)]
        self.paths = _distinct(self.paths)
        self.owner = {c.index: i for i, unit in enumerate(self.units) for c in unit.calls}

    def _sorted_by_need(self) -> list[int]:
        """The boxes, each after those whose results it takes."""
        needs = {
            i: {
                self.owner[source]
                for call in unit.calls
                for index in call.inputs
                if (source := self.flow.origin(index)) in self.owner
            }
            - {i}
            for i, unit in enumerate(self.units)
        }
        order: list[int] = []
        done: set[int] = set()
        waiting = list(needs)
        while waiting:
            ready = [i for i in waiting if needs[i] <= done]
            if not ready:  # a cycle, which a file cannot have
                return [*order, *waiting]
            order += ready
            done.update(ready)
            waiting = [i for i in waiting if i not in done]
        return order

    # --- arrows ---

    def _links(
        self,
    ) -> tuple[dict[tuple[int, int], list[Shape]], list[Node], list[tuple[Node, list[int]]]]:
        """Shapes by source and target, and what comes in and goes out.

        A source below 0 is an input; a target from the number of units on is an output.
        """
        links: dict[tuple[int, int], list[Shape]] = {}
        inputs: dict[int, int] = {}
        given: list[list[Shape]] = []

        def link(source: int, target: int, shape: Shape | None) -> None:
            found = links.setdefault((source, target), [])
            if shape is not None and shape not in found:
                found.append(shape)

        def source_of(index: int, shape: Shape | None) -> int:
            origin = self.flow.origin(index)
            if origin in self.owner:
                return self.owner[origin]
            if origin not in inputs:
                inputs[origin] = len(given)
                given.append([])
            if shape is not None and shape not in given[inputs[origin]]:
                given[inputs[origin]].append(shape)
            return -1 - inputs[origin]

        for number, unit in enumerate(self.units):
            for call in unit.calls:
                for index in call.inputs:
                    shape = self._shape(index, call)
                    source = source_of(index, shape)
                    if source != number:
                        link(source, number, shape)
        outs: list[tuple[Node, list[int]]] = []
        for name, index in self._results():
            shape = self._shape(index, None)
            source = source_of(index, shape)
            number = len(self.units) + len(outs)
            shapes = (shape,) if shape is not None else ()
            outs.append((_terminal("output", name, shapes), [source]))
            link(source, number, shape)
        ins = [
            _terminal("input", self._input_name(origin), tuple(given[number]))
            for origin, number in inputs.items()
        ]
        taken = set(self.paths)
        names = _distinct([*self.paths, *(n.path for n in ins), *(n.path for n, _ in outs)])
        named = iter(names[len(taken) :] if len(taken) == len(self.paths) else names)
        ins = [replace(node, path=next(named)) for node in ins]
        outs = [(replace(node, path=next(named)), sources) for node, sources in outs]
        return links, ins, outs

    def _results(self) -> Iterator[tuple[str, int]]:
        """Name and call of each tensor that leaves."""
        if not self.flow.root:
            named = self.trace.outputs
            if len(named) == len(self.trace.origins) <= 8:
                pairs = zip((tensor.name for tensor in named), self.trace.origins)
            else:
                pairs = zip([""] * len(self.trace.origins), self.trace.origins)
            met: set[int] = set()
            for name, index in pairs:
                if self.flow.origin(index) not in met or len(self.trace.origins) <= 8:
                    met.add(self.flow.origin(index))
                    yield name if len(self.trace.origins) > 1 else "output", index
            return
        inside = {c.index for c in self.flow.calls} | set(self.flow.passed)
        leaving = {
            index
            for call in self.trace.calls
            if call.index not in inside
            for index in call.inputs
            if index in inside
        } | ({*self.trace.origins} & inside)
        met = set()
        for index in sorted(leaving):
            if (origin := self.flow.origin(index)) not in met:
                met.add(origin)
                yield "output", index

    def _shape(self, index: int, user: Call | None) -> Shape | None:
        """Shape of a tensor as it is made, or as a call takes it; None where it is not known."""
        if index < 0:
            return self.trace.inputs[-1 - index].spec.shape
        outputs = [spec for spec in self.trace.calls[index].operation.outputs if spec.numel]
        if not outputs:
            return None
        if user is not None and len(outputs) > 1:
            taken = user.operation.inputs
            return next((spec.shape for spec in outputs if spec in taken), outputs[0].shape)
        return outputs[0].shape

    def _input_name(self, origin: int) -> str:
        if origin < 0:
            return self.trace.inputs[-1 - origin].name
        return "input"

    # --- boxes ---

    def _node(self, number: int, shapes: tuple[Shape, ...]) -> Node:
        unit, drafts = self.units[number], self.drafts
        row = drafts.rows[unit.module]
        run = None
        if not unit.is_operation:
            run = self._run_of(unit.module, {call.index for call in unit.calls})
        is_more = unit.is_operation and unit.name.endswith(MORE)
        if is_more:
            kind, type_ = "more", "left out"
        elif unit.is_operation:
            kind, type_ = "operation", unit.calls[0].operation.name
        else:
            kind, type_ = "module", row.type
        names = unit.calls[0].operation.name.partition(".")[2].strip("_")
        return Node(
            path=self.paths[number],
            type=type_,
            level=row.level,
            parameters=self._parameters(unit, kind),
            macs=drafts.macs(unit.calls),
            output_shapes=shapes,
            kind=kind,
            module=unit.module,
            name=run.name if run else unit.name if kind != "operation" else names,
            times=run.times if run else 1,
            is_recurrence=bool(run and run.is_recurrence),
            calls=len(unit.calls),
            written_bytes=drafts.written_bytes(unit.calls),
            seconds=drafts.seconds(unit.calls),
            kernel=row.kernel if kind == "module" else None,
            stride=row.stride if kind == "module" else None,
            receptive_field=row.receptive_field if kind == "module" else None,
            uncounted=drafts.uncounted(unit.calls),
            has_inside=kind == "module" and self._has_inside(unit),
        )

    def _has_inside(self, unit: Unit) -> bool:
        """Whether it holds modules that ran, or is a recurrence that can be drawn over time."""
        if unit.module in self.flow.has_children:
            return True
        return any(
            recurrence_of(call.operation, self.drafts.macs([call])) is not None
            for call in unit.calls
        )

    def _parameters(self, unit: Unit, kind: str) -> int:
        """Those of a module and all under it where it runs first; of an operation, its own."""
        if kind == "module":
            return self.drafts.rows[unit.module].total.parameters if unit.visit == 1 else 0
        if kind == "more":
            modules = {call.layer for call in unit.calls}
            return sum(self.drafts.rows[path].own.parameters for path in modules)
        layer = self.flow.layers[unit.module]
        taken = {name for call in unit.calls for name in call.parameters}
        prefix = f"{layer.path}." if layer.path else ""
        return sum(
            parameter.spec.numel
            for parameter in layer.parameters
            if parameter.shared_with is None and prefix + parameter.name in taken
        )

    def _run_of(self, module: str, calls: set[int]) -> Run | None:
        """The run of equal modules that the calls of a module stand for."""
        for run in self.flow.runs:
            if run.is_single and run.module == module and run.calls == calls:
                return run
        return None

    def _frames(self) -> Iterator[Frame]:
        """The modules that hold the boxes, and the runs of patterns, outer ones first."""
        above = level_of(self.flow.root)
        for level in range(above + 1, self.level):
            inside: dict[str, list[int]] = {}
            for number, unit in enumerate(self.units):
                names = unit.module.split(".") if unit.module else []
                path = ".".join(names[:level])
                is_under = len(names) > level or (len(names) == level and unit.is_operation)
                if is_under and not unit.name.endswith(MORE):
                    inside.setdefault(path, []).append(number)
            for path, numbers in inside.items():
                calls = {call.index for i in numbers for call in self.units[i].calls}
                run = self._run_of(path, calls)
                if len(numbers) > 1 or run:
                    yield Frame(
                        path=path,
                        name=run.name if run else path.rpartition(".")[2],
                        type=self.drafts.rows[path].type,
                        times=run.times if run else 1,
                        is_recurrence=bool(run and run.is_recurrence),
                        nodes=tuple(self.paths[i] for i in numbers),
                    )
        for run in self.flow.runs:
            if not run.is_single:
                members = [
                    i
                    for i, unit in enumerate(self.units)
                    if unit.calls[0].index in run.calls and not unit.name.endswith(MORE)
                ]
                yield Frame(
                    path=run.parent,
                    name=run.name,
                    type="",
                    times=run.times,
                    is_recurrence=run.is_recurrence,
                    nodes=tuple(self.paths[i] for i in members),
                )


def _terminal(kind: str, name: str, shapes: tuple[Shape, ...]) -> Node:
    return Node(name or kind, kind, 0, 0, 0, shapes, kind=kind, name=name or kind)


def _name_of(unit: Unit) -> str:
    """The path of a box: that of the module, and the operator where it is its operation."""
    if not unit.is_operation:
        return unit.module or unit.calls[0].layer or "forward"
    operator = unit.calls[0].operation.name.partition(".")[2].strip("_")
    return f"{unit.module}.{operator}" if unit.module else operator


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, with a number behind each that was there before.

    >>> _distinct(["relu", "add", "relu"])
    ['relu', 'add', 'relu (2)']
    """
    taken: set[str] = set()
    found = []
    for name in names:
        number, tried = 1, name
        while tried in taken:
            number += 1
            tried = f"{name} ({number})"
        taken.add(tried)
        found.append(tried)
    return found


def _shared_out(graph: Graph) -> Graph:
    """The graph with each box's part of what its colour shows."""
    values = [_value(node, graph.color_by) for node in graph.nodes]
    factors = factors_of(graph, counts_steps=graph.color_by != "parameters")
    whole = sum(value * factors[n.path] for value, n in zip(values, graph.nodes))
    nodes = tuple(
        replace(node, share=value * factors[node.path] / whole if whole else 0.0)
        for node, value in zip(graph.nodes, values)
    )
    return replace(graph, nodes=nodes)


def _value(node: Node, color_by: str) -> float:
    if color_by == "time":
        return node.seconds or 0.0
    names = {"macs": "macs", "parameters": "parameters", "memory": "written_bytes"}
    value: float = getattr(node, names[color_by])
    return value


def factors_of(graph: Graph, *, counts_steps: bool = True) -> dict[str, int]:
    """How often each box occurs, by its path: its own times and those of the frames around it.

    Steps of a recurrence do work anew with the same parameters: with `counts_steps` off, they
    count once.
    """
    factors = {
        node.path: node.times if counts_steps or not node.is_recurrence else 1
        for node in graph.nodes
    }
    for frame in graph.frames:
        if counts_steps or not frame.is_recurrence:
            for path in frame.nodes:
                factors[path] *= frame.times
    return factors
