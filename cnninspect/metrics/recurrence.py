"""A recurrent layer over time: its cells by step and by layer, as papers unroll it.

Such a layer is one call of the trace, with all its weights.  What it does at each step follows from
them: it is drawn so, where that adds up to the MACs of the call.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cnninspect.metrics.dataflow import Edge, Graph, Node
from cnninspect.records.operations import Call, Operation, TensorSpec

STATES = {"aten.lstm": "h, c", "aten.gru": "h", "aten.rnn_tanh": "h", "aten.rnn_relu": "h"}
"""What each kind of cell hands on to the next step."""
SHOWN_STEPS = 4
"""Steps that are drawn; of more, the first ones, one for those between, and the last."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """The sizes of a recurrent layer."""

    steps: int
    batch: int
    has_batch: bool
    layers: int
    directions: int
    state: str
    """What is handed on."""
    hidden: int
    """Size of a step's output."""
    parameters: tuple[int, ...]
    """Of each cell, layer by layer and in each its directions."""
    macs: tuple[int, ...]
    """Of one step of each cell."""
    inputs: int
    """Size of a step's input."""


def recurrence_of(operation: Operation, macs: int) -> Recurrence | None:
    """The sizes of a recurrent call; None: it is none, or its numbers do not follow from them."""
    if operation.name not in STATES or not operation.inputs:
        return None
    shape = operation.inputs[0].shape
    weights = operation.argument("params")
    if not isinstance(weights, tuple) or len(shape) not in (2, 3) or not operation.outputs:
        return None
    if operation.argument("batch_first") is None:  # packed: the sequences differ in length
        return None
    is_batch_first = operation.argument("batch_first") is True and len(shape) == 3
    steps = shape[1] if is_batch_first else shape[0]
    batch = (shape[0] if is_batch_first else shape[1]) if len(shape) == 3 else 1
    layers, directions = (
        operation.argument("num_layers"),
        1 + bool(operation.argument("bidirectional")),
    )
    if not isinstance(layers, int) or not layers or len(weights) % (layers * directions):
        return None
    size = len(weights) // (layers * directions)
    cells = [weights[i : i + size] for i in range(0, len(weights), size)]
    tensors = [[w for w in cell if isinstance(w, TensorSpec)] for cell in cells]
    step_macs = tuple(batch * sum(w.numel for w in c if len(w.shape) == 2) for c in tensors)
    if steps < 1 or steps * sum(step_macs) != macs:
        return None
    return Recurrence(
        steps=steps,
        batch=batch,
        has_batch=len(shape) == 3,
        layers=layers,
        directions=directions,
        state=STATES[operation.name],
        hidden=operation.outputs[0].shape[-1] // directions,
        parameters=tuple(sum(w.numel for w in cell) for cell in tensors),
        macs=step_macs,
        inputs=shape[-1],
    )


def place_of(node: Node) -> tuple[int, int] | None:
    """Column and row of a step in the picture; None: the node is no step."""
    if node.kind != "step":
        return None
    found = re.search(r"\[(\d+),(\d+)\]$", node.path)
    return (int(found[1]), int(found[2])) if found else None


def unrolled(graph: Graph, calls: Sequence[Call]) -> Graph:
    """The graph of a module that is a recurrent layer and nothing else, with a cell for each step.

    Any other graph is returned as it is.
    """
    working = [node for node in graph.nodes if node.kind not in ("input", "output")]
    cells = [call for call in calls if call.operation.name in STATES]
    if len(cells) != 1 or sum(1 for node in working if node.macs) != 1:
        return graph
    if any(node.has_inside or node.macs != graph.macs for node in working if node.macs):
        return graph
    sizes = recurrence_of(cells[0].operation, graph.macs)
    if sizes is None or not graph.layer:
        return graph
    nodes = tuple(_nodes(graph, sizes, cells[0].operation.name))
    note = f"{sizes.steps:,} steps in time, with the same parameters at each"
    edges = tuple(_edges({place_of(node): node for node in nodes if node.kind == "step"}, sizes))
    return replace(graph, nodes=nodes, edges=edges, frames=(), notes=(*graph.notes, note))


def _columns(sizes: Recurrence) -> list[tuple[str, int]]:
    """What each column is called, and for how many steps it stands."""
    if sizes.steps <= SHOWN_STEPS:
        return [(str(t), 1) for t in range(1, sizes.steps + 1)]
    ends = SHOWN_STEPS - 2
    rest = sizes.steps - ends - 1
    between = (f"{ends + 1}–{sizes.steps - 1}", rest)
    return [*((str(t), 1) for t in range(1, ends + 1)), between, (str(sizes.steps), 1)]


def _nodes(graph: Graph, sizes: Recurrence, op: str) -> Iterator[Node]:
    """A row for each layer and direction, the deepest on top, between outputs and inputs."""
    kind = op.partition(".")[2].partition("_")[0].upper()
    rows = sizes.layers * sizes.directions
    level = graph.level
    batch = (sizes.batch,) if sizes.has_batch else ()

    def step(path: str, **values: object) -> Node:
        kinds = {"type": "", "parameters": 0, "macs": 0, "output_shapes": ()}
        return Node(path=path, level=level, kind="step", module=graph.layer, **{**kinds, **values})  # type: ignore[arg-type]

    for column, (when, times) in enumerate(_columns(sizes)):
        yield step(
            f"x {when} [{column},{rows + 1}]", type="input", name=f"x {when}", times=times,
            is_recurrence=times > 1, output_shapes=((*batch, sizes.inputs),),
        )  # fmt: skip
        for row in range(rows):
            layer, direction = divmod(row, sizes.directions)
            what = f"layer {layer + 1} " * (sizes.layers > 1)
            what += ("backwards ", "forwards ")[direction == 0] * (sizes.directions > 1)
            yield step(
                f"{graph.layer} {what}step {when} [{column},{rows - row}]",
                type=f"{kind} cell",
                name=f"{what}t = {when}",
                times=times,
                is_recurrence=times > 1,
                parameters=sizes.parameters[row] if column == 0 else 0,
                macs=sizes.macs[row],
                calls=1,
                output_shapes=((*batch, sizes.hidden),),
            )
        yield step(
            f"h {when} [{column},0]", type="output", name=f"h {when}", times=times,
            is_recurrence=times > 1,
            output_shapes=((*batch, sizes.hidden * sizes.directions),),
        )  # fmt: skip


def _edges(at: dict[tuple[int, int] | None, Node], sizes: Recurrence) -> Iterator[Edge]:
    rows = sizes.layers * sizes.directions
    columns = len(_columns(sizes))
    for column in range(columns):
        for row in range(rows):
            layer, direction = divmod(row, sizes.directions)
            here = at[column, rows - row]
            below = (
                [at[column, rows + 1]]
                if layer == 0
                else [
                    at[column, rows - (layer - 1) * sizes.directions - d]
                    for d in range(sizes.directions)
                ]
            )
            for node in below:
                yield Edge(node.path, here.path, node.output_shapes)
            neighbour = column + 1 if direction == 0 else column - 1
            if 0 <= neighbour < columns:
                then = at[neighbour, rows - row]
                yield Edge(here.path, then.path, here.output_shapes, sizes.state)
            if layer == sizes.layers - 1:
                yield Edge(here.path, at[column, 0].path, here.output_shapes)
