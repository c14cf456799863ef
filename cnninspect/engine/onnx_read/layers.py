"""The layers of a graph: from the calls that say which layer they are in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from onnx import GraphProto

from cnninspect.costs import cost_of
from cnninspect.engine.onnx_read.graph_walk import Step, Walk
from cnninspect.engine.onnx_read.node_layers import Holdings, holdings_of
from cnninspect.records.operations import TensorSpec
from cnninspect.records.traces import Layer, parent_of

UNTOLD = "Scope"
"""Type of a layer that only holds others, where no class is known."""


@dataclass(slots=True)
class Stretch:
    """When a layer ran."""

    order: int
    """First call."""
    has_run: bool = True
    """Whether there is a call in it: there is none in a branch that is not taken."""
    calls: int = 0
    """How often it ran: stretches of its calls without those of others between."""
    start: int = 0
    end: int = -1
    """First and last call of the first time."""
    last: int = -2
    """Number, among the calls on data, of its latest one."""


def layers_of(walk: Walk, graph: GraphProto, leaving: Sequence[int]) -> tuple[Layer, ...]:
    """Every layer, parents first, siblings in first-call order.

    `leaving` are the calls whose results leave the graph.
    """
    stretches = _stretches(walk.steps)
    _add_unused(stretches, walk)
    tree = _in_order(stretches)
    flow = Flow(walk.steps, leaving)
    held = holdings_of(walk.weights.by_name.values(), dict.fromkeys(tree, 0), graph)
    own_types = _types_by_work(walk.steps)
    own_types[""] = graph.name or "Graph"
    return tuple(
        _layer(path, stretches[path], walk.types.get(path) or own_types.get(path), flow, held[path])
        for path in tree
    )


def _layer(path: str, stretch: Stretch, kind: str | None, flow: Flow, held: Holdings) -> Layer:
    return Layer(
        path=path,
        type=kind or UNTOLD,
        calls=max(stretch.calls, 1) if stretch.has_run else 0,
        inputs=flow.into(path, stretch),
        outputs=flow.out_of(path, stretch),
        parameters=tuple(held.parameters),
        buffers=tuple(held.buffers),
    )


def _stretches(steps: Sequence[Step]) -> dict[str, Stretch]:
    found = {"": Stretch(0)}
    above: dict[str, tuple[str, ...]] = {}
    number = 0
    for i, step in enumerate(steps):
        layer = step.call.layer
        if layer not in above:
            above[layer] = _with_ancestors(layer)
        for path in above[layer]:
            stretch = found.get(path)
            if stretch is None:
                stretch = found[path] = Stretch(i)
            if not step.is_data:
                continue
            if stretch.last != number - 1:
                stretch.calls += 1
                if stretch.calls == 1:
                    stretch.start = i
            if stretch.calls == 1:
                stretch.end = i
            stretch.last = number
        number += step.is_data
    found[""].calls, found[""].start, found[""].end = 1, 0, len(steps) - 1
    return found


def _add_unused(stretches: dict[str, Stretch], walk: Walk) -> None:
    """Note the layers of nodes that do not run and that hold weights all the same."""
    for weight in walk.weights.by_name.values():
        for _, _, layer in weight.uses:
            for path in _with_ancestors(layer):
                if path not in stretches:
                    stretches[path] = Stretch(len(walk.steps), has_run=False)


def _in_order(stretches: Mapping[str, Stretch]) -> list[str]:
    """Paths with parents first and siblings in the order of their first calls."""
    children: dict[str, list[str]] = {}
    for path in sorted(stretches, key=lambda p: stretches[p].order):
        if path:
            children.setdefault(parent_of(path), []).append(path)
    ordered, pending = [], [""]
    while pending:
        path = pending.pop()
        ordered.append(path)
        pending += reversed(children.get(path, ()))
    return ordered


def _with_ancestors(path: str) -> tuple[str, ...]:
    found = [path]
    while found[-1]:
        found.append(parent_of(found[-1]))
    return tuple(found)


def _types_by_work(steps: Sequence[Step]) -> dict[str, str]:
    """What a layer does most of, by path: the operator with the most MACs, else the first."""
    dearest: dict[str, tuple[int, str]] = {}
    for step in steps:
        macs = cost_of(step.call.operation).cost.macs
        known = dearest.get(step.call.layer)
        if known is None or macs > known[0]:
            name = step.call.operation.name.rpartition(".")[2]
            dearest[step.call.layer] = (macs, name)
    return {path: name for path, (_, name) in dearest.items()}


@dataclass(slots=True)
class Flow:
    """What goes into and comes out of a layer."""

    steps: Sequence[Step]
    leaving: Sequence[int]
    takers: dict[int, list[tuple[int, TensorSpec | None]]] = field(default_factory=dict)
    """By call, who takes its result, and what that is."""

    def __post_init__(self) -> None:
        for i, step in enumerate(self.steps):
            for origin, spec in step.given:
                self.takers.setdefault(origin, []).append((i, spec))

    def into(self, path: str, stretch: Stretch) -> tuple[TensorSpec, ...]:
        """The tensors from outside that its first run takes."""
        found: dict[int, TensorSpec] = {}
        for i in range(stretch.start, stretch.end + 1):
            if not self._is_inside(i, path):
                continue
            for origin, spec in self.steps[i].given:
                is_data = origin < 0 or self.steps[origin].is_data
                is_within = stretch.start <= origin and self._is_inside(origin, path)
                if is_data and not is_within and spec is not None:
                    found.setdefault(origin, spec)
        return tuple(found.values())

    def out_of(self, path: str, stretch: Stretch) -> tuple[TensorSpec, ...]:
        """The tensors of its first run that something else takes."""
        found: list[TensorSpec] = []
        last: tuple[TensorSpec, ...] = ()
        for i in range(stretch.start, stretch.end + 1):
            if not self._is_inside(i, path) or not self.steps[i].is_data:
                continue
            last = self.steps[i].call.operation.outputs[:1]
            takers = self.takers.get(i, ())
            outside = [s for j, s in takers if j > stretch.end or not self._is_inside(j, path)]
            if i in self.leaving:
                outside.append(next(iter(last), None))
            found += [spec for spec in dict.fromkeys(outside) if spec is not None]
        return tuple(found) or last

    def _is_inside(self, index: int, path: str) -> bool:
        if not path:
            return index >= 0
        layer = self.steps[index].call.layer if index >= 0 else ""
        return layer == path or layer.startswith(f"{path}.")
