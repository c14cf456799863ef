"""From a graph to a drawing: boxes, arrows and words, each with its place.

A drawing knows nothing of files: `svg` and `bitmap` write it.  Texts are raw, as they came from the
model; those who write them escape them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Union

from cnninspect.metrics.dataflow import Frame, Graph, Node
from cnninspect.metrics.recurrence import place_of
from cnninspect.metrics.stacks import is_join, is_minor, operator_of, stacked
from cnninspect.page.drawings.layout import laid_out
from cnninspect.page.escaping import visible
from cnninspect.page.quantities import count, scaled_time, share, sizes

INK, FAINT, EDGE, LINE = "#1f2937", "#5b6472", "#64748b", "#94a3b8"
PAPER, FRAME, ENDS, OTHER = "#ffffff", "#f4f6f9", "#e2e8f0", "#ffffff"
RAMP = ((255, 255, 255), (254, 237, 205), (253, 205, 138), (247, 154, 83))
"""From no share to the largest: from white to an orange on which black can be read."""
BADGE = "#1d4ed8"

ROW, HEAD, PAD = 14.0, 12.0, 6.0
SLIM = 19.0
"""Height of a norm, an activation or a concatenation that is part of the box above or below."""
NARROWEST, WIDEST = 158.0, 300.0
GAP = 34.0
"""Between two layers of boxes."""
MARGIN = 18.0
CIRCLE = 12.0
CARD = 4.0
"""How far a box looks out behind the one before it."""
SIGNS = {
    "add": "+", "add_": "+", "sum": "+", "mul": "×", "mul_": "×", "sub": "−", "div": "÷",
    "sub_": "−", "div_": "÷", "Add": "+", "Mul": "×", "Sub": "−", "Div": "÷", "Sum": "+",
}  # fmt: skip
"""Operators drawn as a circle with a sign."""


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle with round corners."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    stroke: str = LINE
    radius: float = 5.0
    role: str = ""
    """What it is, for style sheets: `frame`."""


@dataclass(frozen=True, slots=True)
class Line:
    """An arrow along curves: a start, then for each curve two control points and an end."""

    points: tuple[tuple[float, float], ...]
    has_head: bool = True
    title: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """A piece of text on one line."""

    x: float
    y: float
    """Of its baseline."""
    text: str
    size: float = 10.0
    color: str = FAINT
    anchor: str = "start"
    is_bold: bool = False
    role: str = ""
    """`outside` where it stands on the background."""


@dataclass(frozen=True, slots=True)
class Group:
    """What belongs to one node."""

    items: tuple[Union[Rect, Words, Line], ...]
    path: str
    """Of the node."""
    title: str
    """All that is known of it, shown when one points at it."""
    inside: str = ""
    """Path of the module whose inside can be shown; empty: there is none."""


Item = Union[Rect, Line, Words, Group]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture with everything in its place, the first at the bottom."""

    width: float
    height: float
    items: tuple[Item, ...]
    title: str
    """What it shows, in a sentence for those who cannot see it."""


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
class _Board:
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


def drawn(graph: Graph, *, human: bool = False, has_title: bool = True) -> Drawing:
    """The picture of a graph."""
    board = _Board(graph, human, any(node.receptive_field for node in graph.nodes))
    board.stacks = [Stack(nodes) for nodes in stacked(graph)]
    board.of = {n.path: i for i, stack in enumerate(board.stacks) for n in stack.nodes}
    for frame in _shown_frames(board):
        board.around.update(dict.fromkeys(frame.nodes, frame.path))
    board.box = _box_width(board)
    for stack in board.stacks:
        stack.width, stack.height = _size(board, stack)
    if any(node.kind == "step" for node in graph.nodes):
        tracks: Mapping[tuple[int, int], Sequence[tuple[float, float]]] = {}
        _on_a_grid(board)
        arrows = list(_grid_arrows(board))
    else:
        tracks, links = _layered(board)
        arrows = list(_arrows(board, tracks, links))
    head = list(_heading(board)) if has_title else []
    return _framed(board, list(_frames(board)), arrows, head)


def _sign(node: Node) -> str:
    return SIGNS.get(operator_of(node), "") if node.kind == "operation" and node.times == 1 else ""


# --- what stands in a box ---


def _rows(board: _Board, node: Node) -> list[tuple[str, str, bool]]:
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


def _macs_text(board: _Board, node: Node) -> str:
    if node.uncounted:
        return f"≥ {count(node.macs, human=board.human)} MACs" if node.macs else "MACs not known"
    return f"{count(node.macs, human=board.human)} MACs" if node.macs else ""


def _short(stride: tuple[int, ...]) -> tuple[int, ...]:
    return stride[:1] if len(set(stride)) == 1 else stride


def label_of(board: _Board, node: Node) -> str:
    """What a box is called in the picture: its path from the frame around it."""
    if node.kind not in ("module", "operation"):
        return visible(node.name)
    path = node.path
    if node.times > 1:
        parent = node.module.rpartition(".")[0]
        path = f"{parent}.{node.name}" if parent else node.name
    return visible(_below(board.around.get(node.path, board.graph.layer), path))


def _below(above: str, path: str) -> str:
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


def _minor_row(board: _Board, node: Node) -> tuple[str, str]:
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


def _box_width(board: _Board) -> float:
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


def _size(board: _Board, stack: Stack) -> tuple[float, float]:
    first = stack.nodes[0]
    if len(stack.nodes) == 1 and _sign(first):
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


def _node_height(board: _Board, stack: Stack, number: int) -> float:
    node = stack.nodes[number]
    if _is_slim(stack, number):
        return SLIM
    if not _is_box(node):
        return 24.0
    return PAD + HEAD + ROW * (len(_rows(board, node)) - 1) + PAD + 2


# --- places ---


def _layered(
    board: _Board,
) -> tuple[dict[tuple[int, int], list[tuple[float, float]]], list[tuple[int, int]]]:
    """Give each stack its place; where each arrow passes the layers between its ends."""
    pairs = dict.fromkeys(
        (board.of[edge.source], board.of[edge.target]) for edge in board.graph.edges
    )
    links = [pair for pair in pairs if pair[0] != pair[1]]
    places = laid_out([stack.width for stack in board.stacks], links)
    count_ = 1 + max(places.layers, default=0)
    heights = [0.0] * count_
    for stack, layer in zip(board.stacks, places.layers):
        heights[layer] = max(heights[layer], stack.height)
    gaps = _gaps(board, places.layers, count_)
    tops, y = [], 0.0
    for layer in range(count_):
        y += gaps[layer]
        tops.append(y)
        y += heights[layer]
    for stack, layer, x in zip(board.stacks, places.layers, places.columns):
        stack.x, stack.y = x, tops[layer] + (heights[layer] - stack.height) / 2
    passed: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for (source, target), track in zip(links, places.tracks):
        first = places.layers[source] + 1
        points: list[tuple[float, float]] = []
        for offset, x in enumerate(track):
            top = tops[first + offset]
            points += [(x, top), (x, top + heights[first + offset])]
        passed[source, target] = points
    return passed, links


def _gaps(board: _Board, layers: Sequence[int], number: int) -> list[float]:
    """Room above each layer: for arrows, and for the names and ends of frames."""
    gaps = [0.0, *([GAP] * (number - 1))]
    for frame in _shown_frames(board):
        inside = [layers[i] for i in _members(board, frame)]
        gaps[min(inside)] += 20
        if max(inside) + 1 < number:
            gaps[max(inside) + 1] += 8
    return gaps


def _on_a_grid(board: _Board) -> None:
    """Give each step of a recurrence its place: time from left to right, depth from below."""
    heights: dict[int, float] = {}
    for stack in board.stacks:
        place = place_of(stack.nodes[0])
        if place:
            heights[place[1]] = max(heights.get(place[1], 0.0), stack.height)
    tops, y = {}, 0.0
    for row in sorted(heights):
        tops[row] = y
        y += heights[row] + GAP
    for stack in board.stacks:
        place = place_of(stack.nodes[0])
        if place:
            stack.x = board.box / 2 + place[0] * (board.box + 54)
            stack.y = tops[place[1]] + (heights[place[1]] - stack.height) / 2


# --- arrows ---


def _arrows(
    board: _Board,
    tracks: Mapping[tuple[int, int], Sequence[tuple[float, float]]],
    links: Sequence[tuple[int, int]],
) -> Iterator[Item]:
    ports = _ports(board, tracks, links)
    texts: dict[tuple[int, int], str] = {}
    for edge in board.graph.edges:
        pair = board.of[edge.source], board.of[edge.target]
        texts.setdefault(pair, edge.label or ", ".join(sizes(shape) for shape in edge.shapes))
    told: set[tuple[int, str]] = set()
    labels: list[Words] = []
    closing: dict[int, int] = {}
    for frame in _shown_frames(board):
        last = max(_members(board, frame), key=lambda i: board.stacks[i].bottom)
        closing[last] = closing.get(last, 0) + 8
    for source, target in links:
        start, end = board.stacks[source], board.stacks[target]
        points = [(start.x, start.bottom), *tracks[source, target], ports[source, target]]
        text = texts[source, target]
        title = f"{_ends_text(start, end)}: {text}" if text else _ends_text(start, end)
        yield Line(tuple(_curved(points)), title=title)
        is_terminal = start.nodes[0].kind == "input"
        if text and (source, text) not in told and not is_terminal:
            told.add((source, text))
            lower = 10 * sum(1 for s, _ in told if s == source) + closing.get(source, 0)
            labels.append(
                Words(start.x + 5, start.bottom + lower, text, 8.5, FAINT, role="outside")
            )
    yield from labels


def _ends_text(start: Stack, end: Stack) -> str:
    return f"{visible(start.nodes[-1].path)} → {visible(end.nodes[0].path)}"


def _ports(
    board: _Board,
    tracks: Mapping[tuple[int, int], Sequence[tuple[float, float]]],
    links: Sequence[tuple[int, int]],
) -> dict[tuple[int, int], tuple[float, float]]:
    """Where each arrow ends: side by side along the top of its box."""
    arriving: dict[int, list[tuple[float, int]]] = {}
    for source, target in links:
        track = tracks[source, target]
        x = track[-1][0] if track else board.stacks[source].x
        arriving.setdefault(target, []).append((x, source))
    ports: dict[tuple[int, int], tuple[float, float]] = {}
    for target, ends in arriving.items():
        stack = board.stacks[target]
        if _sign(stack.nodes[0]) and len(stack.nodes) == 1:
            for x, source in ends:
                ports[source, target] = _on_circle(stack, x, alone=len(ends) == 1)
            continue
        room = min(16.0, 0.8 * stack.width / max(len(ends), 1))
        for number, (_, source) in enumerate(sorted(ends)):
            x = stack.x + (number - (len(ends) - 1) / 2) * room
            ports[source, target] = x, stack.y
    return ports


def _on_circle(stack: Stack, x: float, *, alone: bool) -> tuple[float, float]:
    """The spot of a circle where an arrow from that side arrives."""
    if alone or abs(x - stack.x) < CIRCLE / 2:
        return stack.x, stack.y
    side = 1 if x > stack.x else -1
    return stack.x + side * 0.78 * CIRCLE, stack.y + CIRCLE * (1 - 0.62)


def _curved(points: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Points of curves through the given ones that leave and arrive from above and below."""
    yield points[0]
    for (x0, y0), (x1, y1) in pairwise(points):
        bend = (y1 - y0) * 0.5
        yield x0, y0 + bend
        yield x1, y1 - bend
        yield x1, y1


def _grid_arrows(board: _Board) -> Iterator[Item]:
    """Arrows between steps: to the side in time, upwards in depth."""
    told: set[str] = set()
    for edge in board.graph.edges:
        start, end = board.stacks[board.of[edge.source]], board.stacks[board.of[edge.target]]
        text = edge.label or ", ".join(sizes(shape) for shape in edge.shapes)
        title = f"{_ends_text(start, end)}: {text}"
        if edge.label:
            side = 1 if end.x > start.x else -1
            y = start.y + start.height / 2
            ends = (start.x + side * start.width / 2, y), (end.x - side * end.width / 2, y)
            yield Line((ends[0], *_straight(*ends)), title=title)
            middle = (ends[0][0] + ends[1][0]) / 2
            yield Words(middle, y - 5, edge.label, 9.5, FAINT, "middle", role="outside")
            continue
        # What runs past a row of cells bends around it.
        skips = [s for s in board.stacks if s.x == end.x and end.bottom < s.y < start.y]
        ends = (start.x, start.y), (end.x, end.bottom)
        if skips:
            x = start.x - board.box / 2 - 14
            path = (
                ends[0],
                (start.x, start.y - 12), (x, start.y - 8), (x, start.y - 24),
                (x, start.y - 24), (x, end.bottom + 24), (x, end.bottom + 24),
                (x, end.bottom + 8), (end.x - 20, end.bottom + 14), (end.x - 20, end.bottom),
            )  # fmt: skip
            yield Line(path, title=title)
        else:
            yield Line((ends[0], *_straight(*ends)), title=title)
            if text not in told and start.nodes[0].calls:
                told.add(text)
                y = (ends[0][1] + ends[1][1]) / 2 + 3
                yield Words(ends[0][0] + 5, y, text, 8.5, FAINT, role="outside")


def _straight(
    start: tuple[float, float], end: tuple[float, float]
) -> tuple[tuple[float, float], ...]:
    """The points of a curve that is a straight line."""
    (x0, y0), (x1, y1) = start, end
    third, rest = ((x0 + (x1 - x0) * t, y0 + (y1 - y0) * t) for t in (1 / 3, 2 / 3))
    return third, rest, end


# --- frames ---


def _members(board: _Board, frame: Frame) -> list[int]:
    return list(dict.fromkeys(board.of[path] for path in frame.nodes))


def _shown_frames(board: _Board) -> list[Frame]:
    """The frames around more than one box, or around what is repeated."""
    found: list[Frame] = []
    for frame in board.graph.frames:
        members = _members(board, frame)
        if len(members) > 1 or (frame.times > 1 and members):
            found.append(frame)
    return found


def _frames(board: _Board) -> Iterator[Item]:
    """A rectangle around the boxes of each frame, unless others would lie in it."""
    shown = _shown_frames(board)
    for frame in shown:
        members = set(_members(board, frame))
        inner = [set(_members(board, other)) for other in shown if other is not frame]
        inner = [other for other in inner if other < members]
        stacks = [board.stacks[i] for i in members]
        highest = min(members, key=lambda i: board.stacks[i].y)
        lowest = max(members, key=lambda i: board.stacks[i].bottom)
        over = min(2, sum(highest in other for other in inner))
        under = min(2, sum(lowest in other for other in inner))
        deeper = len(inner)
        side = 8 + 4 * min(deeper, 2)
        left = min(s.x - s.width / 2 for s in stacks) - side
        right = max(s.x + s.width / 2 for s in stacks) + side
        top = min(s.y for s in stacks) - 18 - 18 * over
        bottom = max(s.bottom for s in stacks) + 7 + 5 * under
        others = (s for i, s in enumerate(board.stacks) if i not in members)
        if any(
            s.x - s.width / 2 < right
            and s.x + s.width / 2 > left
            and s.y < bottom
            and s.bottom > top
            for s in others
        ):
            continue
        yield Rect(left, top, right - left, bottom - top, FRAME, "#d5dbe3", 8, role="frame")
        times = f"  ×{frame.times:,}" if frame.times > 1 else ""
        name = _frame_name(board.graph, frame)
        type_ = f"  {visible(frame.type)}" if frame.type else ""
        room = right - left - 14 - text_width(times, 10, True)
        text = fitted(f"{name}{type_}", 9.5, room)
        yield Words(left + 7, top + 12, text, 9.5, FAINT, role="outside")
        if times:
            x = right - 7
            yield Words(x, top + 12, times.strip(), 11, BADGE, "end", is_bold=True, role="badge")


def _frame_name(graph: Graph, frame: Frame) -> str:
    path = frame.path
    if frame.times > 1:
        parent = frame.path if not frame.type else frame.path.rpartition(".")[0]
        path = f"{parent}.{frame.name}" if parent else frame.name
    return visible(_below(graph.layer, path))


# --- boxes ---


def _nodes(board: _Board) -> Iterator[Item]:
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
    board: _Board, stack: Stack, number: int, place: tuple[float, float, float]
) -> Iterator[Union[Rect, Words]]:
    y, height, largest = place
    node, width = stack.nodes[number], stack.width
    left, right = stack.x - width / 2, stack.x + width / 2
    fill = tint(node.share / max(node.times, 1), largest)
    if len(stack.nodes) == 1 and (sign := _sign(node)):
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


# --- around it ---


def _heading(board: _Board) -> Iterator[Words]:
    graph = board.graph
    name = visible(graph.model.name)
    title = f"{name} · {visible(graph.layer)}" if graph.layer else name
    yield Words(0, 14, f"{title} ({visible(graph.type)})", 14, INK, is_bold=True, role="outside")
    macs = f"{count(graph.macs, human=board.human)} MACs"
    if graph.uncounted:
        macs = f"at least {macs}"
    params = f"{count(graph.parameters, human=board.human)} parameters"
    yield Words(0, 30, f"{params} · {macs}", 10.5, FAINT, role="outside")
    most = max((n.share / max(n.times, 1) for n in graph.nodes), default=0)
    if most:
        of = SHARES[graph.color_by] + (f" on {graph.device}" if graph.color_by == "time" else "")
        text = f"colour: share of the {of} by box, up to {share(most, 1)} %"
        yield Words(0, 45, text, 9.5, FAINT, role="outside")
    for number, note in enumerate(graph.notes):
        yield Words(0, 59 + 13 * number, note, 9.5, FAINT, role="outside")


def _framed(
    board: _Board, frames: list[Item], arrows: list[Item], head: Sequence[Words]
) -> Drawing:
    """The whole picture, moved so that all of it lies between the margins."""
    items: list[Item] = [*frames, *arrows, *_nodes(board)]
    left, top, right, bottom = _extent(items)
    down = (max(w.y for w in head) + 12 if head else 0.0) + MARGIN
    heading = [
        Words(w.x + MARGIN, w.y + MARGIN / 2, w.text, w.size, w.color, w.anchor, w.is_bold, w.role)
        for w in head
    ]
    widest = max((text_width(w.text, w.size, w.is_bold) for w in head), default=0.0)
    width = max(right - left, widest) + 2 * MARGIN
    across = MARGIN - left + max(0.0, widest - (right - left)) / 2
    moved = [_moved(item, across, down - top) for item in items]
    graph = board.graph
    what = f"layer {visible(graph.layer)} of {visible(graph.model.name)}"
    title = f"Dataflow of {what if graph.layer else visible(graph.model.name)}"
    boxes = sum(len(stack.nodes) for stack in board.stacks)
    return Drawing(
        width=width,
        height=bottom - top + down + MARGIN,
        items=(*heading, *moved),
        title=f"{title}: {boxes:,} boxes and {len(graph.edges):,} arrows",
    )


def _extent(items: Sequence[Item]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of all."""
    xs: list[float] = []
    ys: list[float] = []
    pending = list(items)
    while pending:
        item = pending.pop()
        if isinstance(item, Group):
            pending += item.items
        elif isinstance(item, Rect):
            xs += [item.x, item.x + item.width]
            ys += [item.y, item.y + item.height]
        elif isinstance(item, Line):
            xs += [x for x, _ in item.points]
            ys += [y for _, y in item.points]
        else:
            length = text_width(item.text, item.size, item.is_bold)
            start = {"start": 0.0, "middle": -length / 2, "end": -length}[item.anchor]
            xs += [item.x + start, item.x + start + length]
            ys += [item.y - item.size, item.y + 2]
    return (min(xs), min(ys), max(xs), max(ys)) if xs else (0.0, 0.0, 0.0, 0.0)


def _moved(item: Item, across: float, down: float) -> Item:
    if isinstance(item, Group):
        items = tuple(_moved(part, across, down) for part in item.items)
        return Group(items, item.path, item.title, item.inside)  # type: ignore[arg-type]
    if isinstance(item, Line):
        points = tuple((x + across, y + down) for x, y in item.points)
        return Line(points, item.has_head, item.title)
    if isinstance(item, Rect):
        return Rect(
            item.x + across, item.y + down, item.width, item.height, item.fill, item.stroke,
            item.radius, item.role,
        )  # fmt: skip
    return Words(
        item.x + across, item.y + down, item.text, item.size, item.color, item.anchor,
        item.is_bold, item.role,
    )  # fmt: skip


# --- text ---

NARROW, BROAD = frozenset("iIjl.,:;'|!ftr()[]{}/ "), frozenset("mwMW@%—…")


def text_width(text: str, size: float, is_bold: bool = False) -> float:
    """About how wide a text is in Arial or Helvetica, in the units of the picture."""
    units = 0.0
    for sign in text:
        if sign in NARROW:
            units += 0.31
        elif sign in BROAD:
            units += 0.89
        elif sign.isupper():
            units += 0.69
        elif ord(sign) > 0x2E80:
            units += 1.0
        else:
            units += 0.55
    return units * size * (1.06 if is_bold else 1.0)


def fitted(text: str, size: float, room: float, is_bold: bool = False) -> str:
    """The text, or its end behind an ellipsis where there is no room for all of it."""
    if text_width(text, size, is_bold) <= room:
        return text
    start = 0
    while start < len(text) and text_width(f"…{text[start:]}", size, is_bold) > room:
        start += 1
    return f"…{text[start:]}"
