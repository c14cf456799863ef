"""What a file states of the shapes of its tensors: used where nothing else tells, else compared.

Files may list types and shapes of inner tensors (`value_info`) and of their outputs.  Operators of
somebody else's domain are followed by way of these.
"""

from __future__ import annotations

from dataclasses import replace

from onnx import GraphProto, TypeProto

from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.protobuf import DTYPES
from cnninspect.engine.onnx_read.values import Dims, Value, of_type

SHOWN = 3
"""Names that a note gives before it counts the rest."""


class StatedShapes:
    """What the graphs of a file say of their tensors."""

    def __init__(self) -> None:
        self.symbols: dict[str, int] = {}
        """Sizes that are called by name, as far as they are known."""
        self._types: dict[int, dict[str, TypeProto]] = {}
        self._graphs: dict[int, GraphProto] = {}
        """By `id`, which means the graph as long as it is kept here."""
        self._used: dict[str, None] = {}
        self._contradicted: dict[str, str] = {}
        self._repeated: set[int] = set()
        self._outermost = 0

    def note(self, graph: GraphProto) -> None:
        """Look at what a graph states; one that comes again is the body of a loop."""
        if id(graph) in self._graphs:
            self._repeated.add(id(graph))
            return
        self._graphs[id(graph)] = graph
        self._outermost = self._outermost or id(graph)
        infos = (*graph.value_info, *graph.output)
        self._types[id(graph)] = {info.name: info.type for info in infos}

    def complete(self, graph: GraphProto, name: str, value: Value) -> Value:
        """The value of that name, with what is stated where the graph does not tell."""
        written = self._types.get(id(graph), {}).get(name)
        if written is None or written.WhichOneof("value") != "tensor_type":
            return value
        try:
            stated = of_type(written, self.symbols)
        except Malformed:
            return value
        if value.spec is not None:
            self._compare(graph, name, value, stated=stated)
            if id(graph) == self._outermost:  # elsewhere a size may change from round to round
                self._bind(written, value)
            return value
        dims = _filled(value.dims, stated.dims)
        element = value.element or stated.element
        if value.items is not None or value.other or (dims, element) == (value.dims, value.element):
            return value
        told = replace(value, dims=dims, element=element)
        if told.spec is not None:
            told.cause = ""
            self._used[name] = None
        return told

    def notes(self) -> list[str]:
        """What should be said of it."""
        found = []
        if self._used:
            found.append(f"shapes that only the file states: {_few(list(self._used))}")
        if self._contradicted:
            several = _few(list(self._contradicted.values()))
            found.append(f"the file states other shapes than its graph gives: {several}")
        return found

    def _compare(self, graph: GraphProto, name: str, value: Value, *, stated: Value) -> None:
        if stated.dims is None or value.dims is None or id(graph) in self._repeated:
            return
        same = len(stated.dims) == len(value.dims) and all(
            s is None or s == size for s, size in zip(stated.dims, value.dims)
        )
        if not same or stated.element not in (0, value.element):
            self._contradicted.setdefault(name, f"{name} {_text(stated)}, not {_text(value)}")

    def _bind(self, written: TypeProto, value: Value) -> None:
        """Learn a size that is called by name."""
        sizes = written.tensor_type.shape.dim
        if value.dims is None or len(sizes) != len(value.dims):
            return
        for dim, size in zip(sizes, value.dims):
            if dim.dim_param and size is not None:
                self.symbols.setdefault(dim.dim_param, size)


def _filled(known: Dims | None, stated: Dims | None) -> Dims | None:
    """What is known, with what is stated in its gaps."""
    if known is None or stated is None:
        return stated if known is None else known
    if len(known) != len(stated):
        return known
    return tuple(s if k is None else k for k, s in zip(known, stated))


def _text(value: Value) -> str:
    sizes = "×".join("?" if size is None else str(size) for size in value.dims or ())
    return f"{sizes or 'a scalar'} {DTYPES.get(value.element, '')}".strip()


def _few(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
