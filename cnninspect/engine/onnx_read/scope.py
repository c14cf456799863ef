"""Where the walk stands: which names it can see, by which rules, in which layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from onnx import AttributeProto, NodeProto

from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.node_layers import tidy
from cnninspect.engine.onnx_read.values import Value


@dataclass(frozen=True, slots=True)
class Frame:
    """A graph, or a function, that is being walked through."""

    opsets: Mapping[str, int]
    """Version of each domain's operators."""
    place: str = ""
    """Path of the layer of nodes that do not say where they belong."""
    by_names: bool = False
    """Whether the names of nodes are paths."""
    is_told: bool = True
    """Whether anything tells of layers."""
    names: dict[str, Value] = field(default_factory=dict)
    """What was made so far, by name."""
    outer: Frame | None = None
    """The graph around this one, whose names can be seen as well."""
    attributes: Mapping[str, AttributeProto] | None = None
    """In a function: what its attributes stand for."""
    calling: tuple[tuple[str, str, str], ...] = ()
    """The functions that are running, outermost first."""

    def look_up(self, name: str) -> Value:
        """The value of that name.

        Raises:
            Malformed: nothing has made it yet.
        """
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names:
                return frame.names[name]
            frame = frame.outer
        raise Malformed(f"nothing has made {name!r} by then: the graph is cyclic or incomplete")

    def bind(self, name: str, value: Value) -> None:
        """Let a value go by that name.

        Raises:
            Malformed: there is one already.
        """
        if name in self.names:
            raise Malformed(f"two nodes make {name!r}")
        self.names[name] = value

    def within(self, *names: str) -> Frame:
        """A frame for a graph inside a node, in a layer of these names under this one."""
        return replace(self, place=tidy([*self.place.split("."), *names]), names={}, outer=self)

    def resolved(self, node: NodeProto) -> NodeProto:
        """The node with what its attributes refer to in place of the references."""
        if self.attributes is None or not any(a.ref_attr_name for a in node.attribute):
            return node
        found = NodeProto()
        found.CopyFrom(node)
        del found.attribute[:]
        for attribute in node.attribute:
            if not attribute.ref_attr_name:
                found.attribute.append(attribute)
            elif attribute.ref_attr_name in self.attributes:
                added = found.attribute.add()
                added.CopyFrom(self.attributes[attribute.ref_attr_name])
                added.name = attribute.name
        return found
