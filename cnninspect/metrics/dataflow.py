"""The dataflow between the modules of a network at one level: what a picture of it shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cnninspect.metrics.summary import EngineInfo, Uncounted
from cnninspect.records.models import ModelInfo
from cnninspect.records.reports import Report

KINDS = ("module", "operation", "step", "input", "output", "more")
"""What a node can be: a module, an operation that a module does itself, a step of a recurrence,
where tensors come in and go out, and what was left out for want of room."""

COLORS = ("macs", "parameters", "time", "memory")
"""What the colour of a box can be a share of."""


@dataclass(frozen=True, slots=True)
class Node:
    """A box of the picture.  Numbers are those of one of `times` equal ones."""

    path: str
    """Its name in this graph, which no other node has: the module's path; `layer1.0.relu (2)`
    where that module runs again; `layer1.0.add` for an operation of `layer1.0`."""
    type: str
    """Class name of the module, or name of the operator."""
    level: int
    """Names in the module's path."""
    parameters: int
    """Of the module and all under it; those that are shared count where they come first."""
    macs: int
    """Multiply-accumulates of the calls that it stands for."""
    output_shapes: tuple[tuple[int, ...], ...]
    """Shapes of the tensors that other nodes take from it."""
    kind: str = "module"
    """One of `KINDS`."""
    module: str = ""
    """Path of the module that it is, or that the operation belongs to."""
    name: str = ""
    """What its parent calls it; of several equal ones in a row, all of them: `1–2`."""
    times: int = 1
    """How many equal ones in a row it stands for."""
    is_recurrence: bool = False
    """Whether those are runs of one module, with the same parameters."""
    calls: int = 0
    """Operations that ran in it."""
    written_bytes: int = 0
    """Bytes of the tensors that its operations write; views write none."""
    seconds: float | None = None
    """Least time on the device, where one was named."""
    share: float = 0.0
    """Its part of what the colour shows, all `times` of it together; 0 to 1."""
    kernel: tuple[int, ...] | None = None
    """Window of its convolution or pooling, where it is one such layer."""
    stride: tuple[int, ...] | None = None
    """Step of that window."""
    receptive_field: tuple[int, ...] | None = None
    """Input positions that one element of its output depends on, where they were asked for."""
    uncounted: int = 0
    """Operations in it that nothing is known of, so that the MACs are a lower bound."""
    has_inside: bool = False
    """Whether there is more to draw in it: `--layer` with its path does."""


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow: tensors that one node makes and another takes."""

    source: str = field(metadata={"written_as": "from"})
    """Path of the node that makes them."""
    target: str = field(metadata={"written_as": "to"})
    """Path of the node that takes them."""
    shapes: tuple[tuple[int, ...], ...]
    """Their shapes."""
    label: str = ""
    """What is carried, where that is not told by a shape: `h, c`."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What is drawn around some nodes: the module that holds them, or a run that is repeated."""

    path: str
    """Path of the module; that of its parent for a run of several modules."""
    name: str
    """What it is called in the picture."""
    type: str
    """Class name of the module; empty for a run."""
    times: int
    """How many equal ones in a row it stands for."""
    is_recurrence: bool
    """Whether those are runs of the same modules, with the same parameters."""
    nodes: tuple[str, ...]
    """Paths of the nodes in it."""


@dataclass(frozen=True, slots=True)
class Graph(Report):
    """The dataflow of a network, or of one of its modules, between the modules at one level."""

    schema: ClassVar[str] = "cnninspect.graph/1"
    rendering: ClassVar[str] = "cnninspect.commands.graph.rendering"

    model: ModelInfo
    engine: EngineInfo
    mode: str
    """`eval` or `train`."""
    layer: str
    """Path of the module whose inside this is; empty: the whole network."""
    type: str
    """Its class name."""
    level: int
    """Names in the paths down to which modules are shown."""
    parameters: int
    """Of that module."""
    macs: int
    """Of that module, where it ran first."""
    color_by: str
    """What the colours are shares of: one of `COLORS`."""
    nodes: tuple[Node, ...]
    """In the order of execution."""
    edges: tuple[Edge, ...]
    frames: tuple[Frame, ...] = ()
    """Outer ones first."""
    device: str = ""
    """The device of the least times."""
    notes: tuple[str, ...] = ()
    """What was folded or left out."""
    uncounted: tuple[Uncounted, ...] = ()
    """Operations of the whole network without a formula."""

    def node(self, path: str) -> Node:
        """The node of that path.

        Raises:
            KeyError: there is none.
        """
        for node in self.nodes:
            if node.path == path:
                return node
        raise KeyError(path)
