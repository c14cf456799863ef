"""The boxes of a graph: what stands in each, how large it is, and what it says when pointed at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Union

from cnninspect.metrics.dataflow import Graph, Node
from cnninspect.metrics.stacks import is_join, is_minor, operator_of
from cnninspect.page.drawings.items import (
    ENDS,
    FAINT,
    INK,
    LINE,
    OTHER,
    PAPER,
    Group,
    Item,
    Rect,
    Words,
    fitted,
    text_width,
)
from cnninspect.page.escaping import visible
from cnninspect.page.quantities import count, scaled_time, share, sizes

RAMP = ((255, 255, 255), (254, 237, 205), (253, 205, 138), (247, 154, 83))
"""From no share to the largest: from white to an orange on which black can be read."""
BADGE = "#1d4ed8"

ROW, HEAD, PAD = 14.0, 12.0, 6.0
SLIM = 19.0
"""Height of a norm, an activation or a concatenation that is part of the box above or below."""
NARROWEST, WIDEST = 158.0, 300.0
CIRCLE = 12.0
CARD = 4.0
"""How far a box looks out behind the one before it."""
SIGNS = {
    "add": "+", "add_": "+", "sum": "+", "mul": "×", "mul_": "×", "sub": "−", "div": "÷",
    "sub_": "−", "div_": "÷", "Add": "+", "Mul": "×", "Sub": "−", "Div": "÷", "Sum": "+",
}  # fmt: skip
"""Operators drawn as a circle with a sign."""


@dataclass(slots=True)
class Stack:
    """Nodes that are drawn as one box, since each only goes on with the one before."""

    nodes: list[Node]
    x: float = 0.0
    """Its middle."""
    y: float = 0.0
    """Its top."""
    width: float = 0.0
    height: float = 0.0

    @property
    def bottom(self) -> float:
        return self.y + self.height


@dataclass(slots=True)
class Board:
    """A picture while it is made."""

    graph: Graph
    human: bool
    fields: bool
    stacks: list[Stack] = field(default_factory=list)
    of: dict[str, int] = field(default_factory=dict)
    """Number of a node's stack, by its path."""
    around: dict[str, str] = field(default_factory=dict)
    """Path of the innermost module that is drawn around a node, by the node's path."""
    box: float = NARROWEST
    """Width of all boxes."""


def sign_of(node: Node) -> str:
    """What an operator is drawn as in a circle; empty: not so."""
    return SIGNS.get(operator_of(node), "") if node.kind == "operation" and node.times == 1 else ""


def _rows(board: Board, node: Node) -> list[tuple[str, str, bool]]:
    """Left and right text of each line of a node's box, and whether it is bold."""
    shape = shapes_text(node)
    if node.kind in ("input", "output") or (node.kind == "step" and not node.calls):
        return [(label_of(board, node), shape, True)]
    if not _is_box(node):
        if node.kind == "operation":
            return [("concat" if is_join(node) else operator_of(node), shape, False)]
        return [(_with_type(label_of(board, node), node), shape, False)]
    type_ = node.type if node.kind != "operation" else operator_of(node)
    window = f" {sizes(node.kernel)}" if node.kernel else ""
    stride = f" /{sizes(_short(node.stride))}" if node.stride and set(node.stride) != {1} else ""
    rows = [
        (label_of(board, node), f"×{node.times:,}" if node.times > 1 else "", True),
        (f"{type_}{window}{stride}", shape, False),
    ]
    left = f"{count(node.parameters, human=board.human)} params" if node.parameters else ""
    rows.append((left, _macs_text(board, node), False))
    if node.seconds is not None:
        rows.append(("least time", scaled_time(node.seconds), False))
    if board.graph.color_by == "memory" and node.written_bytes:
        rows.append(("writes", f"{count(node.written_bytes, human=board.human)} bytes", False))
    if node.receptive_field:
        rows.append(("receptive field", sizes(node.receptive_field), False))
    return [row for row in rows if row[0] or row[1]]


def _macs_text(board: Board, node: Node) -> str:
    if node.uncounted:
        return f"≥ {count(node.macs, human=board.human)} MACs" if node.macs else "MACs not known"
    return f"{count(node.macs, human=board.human)} MACs" if node.macs else ""


def _short(stride: tuple[int, ...]) -> tuple[int, ...]:
    return stride[:1] if len(set(stride)) == 1 else stride


def label_of(board: Board, node: Node) -> str:
    """What a box is called in the picture: its path from the frame around it."""
    if node.kind not in ("module", "operation"):
        return visible(node.name)
    path = node.path
    if node.times > 1:
        parent = node.module.rpartition(".")[0]
        path = f"{parent}.{node.name}" if parent else node.name
    return visible(below(board.around.get(node.path, board.graph.layer), path))


def below(above: str, path: str) -> str:
    """A path without what stands above it; numbers keep the name before them."""
    if not above or not path.startswith(f"{above}."):
        return path
    rest = path[len(above) + 1 :]
    return f"{above.rpartition('.')[2]}.{rest}" if rest[0].isdigit() else rest


def shapes_text(node: Node) -> str:
    """The shape of what it gives, and how many more there are."""
    if not node.output_shapes:
        return ""
    more = len(node.output_shapes) - 1
    return sizes(node.output_shapes[0]) + (f" +{more}" if more else "")


def _minor_row(board: Board, node: Node) -> tuple[str, str]:
    if is_join(node):
        return "concat", shapes_text(node)
    params = f"{count(node.parameters, human=board.human)} params" if node.parameters else ""
    return _with_type(visible(node.module.rpartition(".")[2]), node), params or _field_text(node)


def _with_type(label: str, node: Node) -> str:
    """A name and its type, unless that says the same."""
    said = label.rpartition(".")[2].lower().rstrip("0123456789_")
    return label if said and said == node.type.lower() else f"{label}  {visible(node.type)}"


def _field_text(node: Node) -> str:
    return f"field {sizes(node.receptive_field)}" if node.receptive_field else ""


def _is_slim(stack: Stack, number: int) -> bool:
    """Whether a node of a stack is a line of its own box or a slim part of another's."""
    return (number > 0 and is_minor(stack.nodes[number])) or (
        number == 0 and len(stack.nodes) > 1 and is_join(stack.nodes[0])
    )


def box_width(board: Board) -> float:
    """The width of all boxes: that of the widest text."""
    widest = NARROWEST
    for stack in board.stacks:
        for number, node in enumerate(stack.nodes):
            if _is_slim(stack, number):
                left, right = _minor_row(board, node)
                widest = max(widest, text_width(left, 9.5) + text_width(right, 9.5) + 26)
            elif _is_box(node):
                for left, right, is_bold in _rows(board, node):
                    size = 11.0 if is_bold else 9.5
                    both = text_width(left, size, is_bold) + text_width(right, size) + 26
                    widest = max(widest, both)
    return min(widest, WIDEST)


def _is_box(node: Node) -> bool:
    """Whether it is drawn with several lines; else it is one line."""
    is_plain = (node.kind == "operation" or is_minor(node)) and not node.macs
    is_plain = is_plain and not node.parameters and node.times == 1 and not node.uncounted
    return (
        not is_plain
        and node.kind not in ("input", "output")
        and bool(node.kind != "step" or node.calls)
    )


def size_of(board: Board, stack: Stack) -> tuple[float, float]:
    """Width and height of a stack of nodes."""
    first = stack.nodes[0]
    if len(stack.nodes) == 1 and sign_of(first):
        return 2 * CIRCLE, 2 * CIRCLE
    if len(stack.nodes) == 1 and not _is_box(first):
        left, right, is_bold = _rows(board, first)[0]
        gap = 14 if left and right else 0
        width = text_width(left, 10.5, is_bold) + text_width(right, 9.5) + gap + 22
        return min(max(width, 54.0), WIDEST), 24.0
    height = sum(_node_height(board, stack, i) for i in range(len(stack.nodes)))
    return board.box, height + _behind(first) * CARD


def _behind(node: Node) -> int:
    """How many boxes look out behind one that stands for several."""
    return min(node.times, 3) - 1 if _is_box(node) else 0


def _node_height(board: Board, stack: Stack, number: int) -> float:
    node = stack.nodes[number]
    if _is_slim(stack, number):
        return SLIM
    if not _is_box(node):
        return 24.0
    return PAD + HEAD + ROW * (len(_rows(board, node)) - 1) + PAD + 2


def nodes_of(board: Board) -> Iterator[Item]:
    """The boxes of all nodes, each a group with what is said of it."""
    largest = max((node.share / max(node.times, 1) for node in board.graph.nodes), default=0.0)
    for stack in board.stacks:
        y = stack.y
        for number, node in enumerate(stack.nodes):
            height = _node_height(board, stack, number) if len(stack.nodes) > 1 else stack.height
            items = tuple(_box(board, stack, number, (y, height, largest)))
            inside = node.module if node.has_inside else ""
            yield Group(items, node.path, described(board.graph, node), inside)
            y += height


def _box(
    board: Board, stack: Stack, number: int, place: tuple[float, float, float]
) -> Iterator[Union[Rect, Words]]:
    y, height, largest = place
    node, width = stack.nodes[number], stack.width
    left, right = stack.x - width / 2, stack.x + width / 2
    fill = tint(node.share / max(node.times, 1), largest)
    if len(stack.nodes) == 1 and (sign := sign_of(node)):
        yield Rect(left, y, width, height, PAPER, INK, CIRCLE)
        yield Words(stack.x, y + 17, sign, 16, INK, "middle")
        return
    if len(stack.nodes) == 1 and not _is_box(node):
        text, shape, is_bold = _rows(board, node)[0]
        is_end = node.kind in ("input", "output", "step")
        yield Rect(left, y, width, height, ENDS if is_end else OTHER, LINE, 12)
        if shape:
            room = width - 34 - text_width(shape, 9.5)
            name = fitted(text, 10.5, room, is_bold)
            yield Words(left + 11, y + 16, name, 10.5, INK, is_bold=is_bold)
            yield Words(right - 11, y + 16, shape, 9.5, FAINT, "end")
        else:
            name = fitted(text, 10.5, width - 16, is_bold)
            yield Words(stack.x, y + 16, name, 10.5, INK, "middle", is_bold)
        return
    if _is_slim(stack, number):
        text, more = _minor_row(board, node)
        yield Rect(left, y, width, height, fill, LINE, 3)
        room = width - 22 - text_width(more, 9.5)
        yield Words(left + 8, y + 13, fitted(text, 9.5, room), 9.5, INK)
        if more:
            yield Words(right - 8, y + 13, more, 9.5, FAINT, "end")
        return
    height -= _behind(node) * CARD
    for number_behind in range(_behind(node), 0, -1):
        away = CARD * number_behind
        yield Rect(left + away, y + away, width, height, fill, LINE)
    yield Rect(left, y, width, height, fill, INK if node.has_inside else LINE)
    line = y + PAD + HEAD - 2
    for text, more, is_bold in _rows(board, node):
        size = 11.0 if is_bold else 9.5
        is_times = is_bold and bool(more)
        room = width - 20 - text_width(more, size if is_times else 9.5, is_times)
        yield Words(left + 8, line, fitted(text, size, room, is_bold), size, INK, is_bold=is_bold)
        if more:
            color = BADGE if is_times else INK
            yield Words(right - 8, line, more, size, color, "end", is_times)
        line += ROW


def tint(part: float, largest: float) -> str:
    """The colour of a share: white for none, the darkest for the largest.

    >>> tint(0.0, 0.5), tint(0.5, 0.5)
    ('#ffffff', '#f79a53')
    """
    if not largest or part <= 0:
        return "#ffffff"
    place = min(part / largest, 1.0) * (len(RAMP) - 1)
    low = min(int(place), len(RAMP) - 2)
    mixed = (a + (b - a) * (place - low) for a, b in zip(RAMP[low], RAMP[low + 1]))
    return "#" + "".join(f"{round(value):02x}" for value in mixed)


SHARES = {"macs": "MACs", "parameters": "parameters", "time": "least time", "memory": "bytes"}
"""What a share is of, in words."""


def described(graph: Graph, node: Node) -> str:
    """All that is known of a node, in lines."""
    what = {"module": node.type, "operation": node.type, "step": node.type}.get(
        node.kind, node.kind
    )
    lines = [f"{visible(node.path)}: {visible(what)}"]
    if node.times > 1:
        lines.append(f"{node.times:,} in a row, each of them:")
    if node.output_shapes:
        lines.append("gives " + ", ".join(sizes(shape) for shape in node.output_shapes))
    if node.kind in ("input", "output"):
        return "\n".join(lines)
    lines.append(f"{node.parameters:,} parameters, {node.macs:,} MACs")
    if node.uncounted:
        lines.append(f"{node.uncounted:,} operations not counted: the MACs are a lower bound")
    lines.append(f"writes {node.written_bytes:,} bytes")
    if node.seconds is not None:
        lines.append(f"{scaled_time(node.seconds)} at least on {graph.device}")
    if node.receptive_field:
        lines.append(f"receptive field {sizes(node.receptive_field)}")
    if node.share:
        lines.append(f"{share(node.share, 1)} % of the {SHARES[graph.color_by]}")
    return "\n".join(lines)
