"""From a graph to a drawing: boxes, arrows and words, each with its place.

A drawing knows nothing of files: `svg` and `bitmap` write it.  Texts are raw, as they came from the
model; those who write them escape them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from cnninspect.metrics.dataflow import Frame, Graph
from cnninspect.metrics.recurrence import place_of
from cnninspect.metrics.stacks import stacked
from cnninspect.page.drawings.boxes import (
    BADGE,
    CIRCLE,
    SHARES,
    Board,
    Stack,
    below,
    box_width,
    nodes_of,
    sign_of,
    size_of,
)
from cnninspect.page.drawings.items import (
    FAINT,
    FRAME,
    INK,
    Drawing,
    Item,
    Line,
    Rect,
    Words,
    extent,
    fitted,
    moved,
    text_width,
)
from cnninspect.page.drawings.layout import laid_out
from cnninspect.page.escaping import visible
from cnninspect.page.quantities import count, share, sizes

GAP = 34.0
"""Between two layers of boxes."""
MARGIN = 18.0


def drawn(graph: Graph, *, human: bool = False, has_title: bool = True) -> Drawing:
    """The picture of a graph."""
    board = Board(graph, human, any(node.receptive_field for node in graph.nodes))
    board.stacks = [Stack(nodes) for nodes in stacked(graph)]
    board.of = {n.path: i for i, stack in enumerate(board.stacks) for n in stack.nodes}
    for frame in _shown_frames(board):
        board.around.update(dict.fromkeys(frame.nodes, frame.path))
    board.box = box_width(board)
    for stack in board.stacks:
        stack.width, stack.height = size_of(board, stack)
    if any(node.kind == "step" for node in graph.nodes):
        tracks: Mapping[tuple[int, int], Sequence[tuple[float, float]]] = {}
        _on_a_grid(board)
        arrows = list(_grid_arrows(board))
    else:
        tracks, links = _layered(board)
        arrows = list(_arrows(board, tracks, links))
    head = list(_heading(board)) if has_title else []
    return _framed(board, list(_frames(board)), arrows, head)


# --- places ---


def _layered(
    board: Board,
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


def _gaps(board: Board, layers: Sequence[int], number: int) -> list[float]:
    """Room above each layer: for arrows, and for the names and ends of frames."""
    gaps = [0.0, *([GAP] * (number - 1))]
    for frame in _shown_frames(board):
        inside = [layers[i] for i in _members(board, frame)]
        gaps[min(inside)] += 20
        if max(inside) + 1 < number:
            gaps[max(inside) + 1] += 8
    return gaps


def _on_a_grid(board: Board) -> None:
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
    board: Board,
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
    board: Board,
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
        if sign_of(stack.nodes[0]) and len(stack.nodes) == 1:
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


def _grid_arrows(board: Board) -> Iterator[Item]:
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


def _members(board: Board, frame: Frame) -> list[int]:
    return list(dict.fromkeys(board.of[path] for path in frame.nodes))


def _shown_frames(board: Board) -> list[Frame]:
    """The frames around more than one box, or around what is repeated."""
    found: list[Frame] = []
    for frame in board.graph.frames:
        members = _members(board, frame)
        if len(members) > 1 or (frame.times > 1 and members):
            found.append(frame)
    return found


def _frames(board: Board) -> Iterator[Item]:
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
    return visible(below(graph.layer, path))


# --- around it ---


def _heading(board: Board) -> Iterator[Words]:
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


def _framed(board: Board, frames: list[Item], arrows: list[Item], head: Sequence[Words]) -> Drawing:
    """The whole picture, moved so that all of it lies between the margins."""
    items: list[Item] = [*frames, *arrows, *nodes_of(board)]
    left, top, right, bottom = extent(items)
    down = (max(w.y for w in head) + 12 if head else 0.0) + MARGIN
    heading = [
        Words(w.x + MARGIN, w.y + MARGIN / 2, w.text, w.size, w.color, w.anchor, w.is_bold, w.role)
        for w in head
    ]
    widest = max((text_width(w.text, w.size, w.is_bold) for w in head), default=0.0)
    width = max(right - left, widest) + 2 * MARGIN
    across = MARGIN - left + max(0.0, widest - (right - left)) / 2
    placed = [moved(item, across, down - top) for item in items]
    graph = board.graph
    what = f"layer {visible(graph.layer)} of {visible(graph.model.name)}"
    title = f"Dataflow of {what if graph.layer else visible(graph.model.name)}"
    boxes = sum(len(stack.nodes) for stack in board.stacks)
    return Drawing(
        width=width,
        height=bottom - top + down + MARGIN,
        items=(*heading, *placed),
        title=f"{title}: {boxes:,} boxes and {len(graph.edges):,} arrows",
    )
