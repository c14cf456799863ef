"""Where boxes go: a layered drawing, arrows from top to bottom.

Sugiyama, Tagawa and Toda's method: boxes are put into layers, long arrows get a place in each layer
that they cross, the order within layers is chosen so that few arrows cross, and then the places
from left to right are found so that long arrows run straight.

Sources: Sugiyama, Tagawa, Toda 1981, Methods for visual understanding of hierarchical system
structures; Gansner et al. 1993, A technique for drawing directed graphs (median, transposition);
Brandes, Köpf 2001, Fast and simple horizontal coordinate assignment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

ROUNDS = 12
"""How often the order within the layers is bettered."""
TRACK = 12.0
"""Width of an arrow that passes a layer."""
GAP = 26.0
"""Between two boxes side by side."""
Place = tuple[float, float]


@dataclass(slots=True)
class Spot:
    """A box, or the place where long arrows of one box pass a layer."""

    width: float
    layer: int = 0
    above: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)
    is_track: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is, in the order in which it was given."""

    layers: tuple[int, ...]
    """The layer of each box, 0 at the top."""
    columns: tuple[float, ...]
    """The middle of each box, from left to right; the leftmost edge of all is 0."""
    tracks: tuple[tuple[float, ...], ...]
    """For each arrow, where it passes each layer between its ends."""
    width: float


def laid_out(widths: Sequence[float], arrows: Sequence[tuple[int, int]]) -> Layout:
    """Places for boxes of these widths, joined by arrows without a circle.

    Arrows of one box that pass the same layers do so together, so that the outputs of dense blocks
    are one line each, with branches.
    """
    spots = [Spot(width) for width in widths]
    _rank(spots, arrows)
    passes = _with_tracks(spots, arrows)
    rows = _ordered(spots)
    columns = _columns(spots, rows)
    left = min((x - s.width / 2 for x, s in zip(columns, spots)), default=0.0)
    right = max((x + s.width / 2 for x, s in zip(columns, spots)), default=0.0)
    places = [x - left for x in columns]
    return Layout(
        layers=tuple(spot.layer for spot in spots[: len(widths)]),
        columns=tuple(places[: len(widths)]),
        tracks=tuple(tuple(places[i] for i in passed) for passed in passes),
        width=right - left,
    )


def _rank(spots: list[Spot], arrows: Sequence[tuple[int, int]]) -> None:
    """Put each box right below the lowest box that feeds it; what nothing feeds, right above."""
    users: list[list[int]] = [[] for _ in spots]
    waiting = [0] * len(spots)
    for source, target in arrows:
        users[source].append(target)
        waiting[target] += 1
    sources = [i for i, count in enumerate(waiting) if not count]
    ready = list(sources)
    while ready:
        spot = ready.pop()
        for user in users[spot]:
            spots[user].layer = max(spots[user].layer, spots[spot].layer + 1)
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    for i in sources:
        if users[i]:
            spots[i].layer = min(spots[user].layer for user in users[i]) - 1


def _with_tracks(spots: list[Spot], arrows: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Add a spot for each layer that long arrows pass; for each arrow, those that it passes."""
    tracks: dict[tuple[int, int], int] = {}
    passes: list[list[int]] = []
    joined: set[tuple[int, int]] = set()
    for source, target in arrows:
        before, passed = source, []
        for layer in range(spots[source].layer + 1, spots[target].layer):
            key = (source, layer)
            if key not in tracks:
                tracks[key] = len(spots)
                spots.append(Spot(TRACK, layer, is_track=True))
            passed.append(tracks[key])
            _join(spots, before, tracks[key], joined)
            before = tracks[key]
        _join(spots, before, target, joined)
        passes.append(passed)
    return passes


def _join(spots: list[Spot], upper: int, lower: int, joined: set[tuple[int, int]]) -> None:
    if (upper, lower) not in joined:
        joined.add((upper, lower))
        spots[upper].below.append(lower)
        spots[lower].above.append(upper)


# --- the order within layers ---


def _ordered(spots: Sequence[Spot]) -> list[list[int]]:
    """The spots by layer, from left to right, so that few arrows cross."""
    rows: list[list[int]] = [[] for _ in range(1 + max((s.layer for s in spots), default=0))]
    met: set[int] = set()

    def visit(start: int) -> None:
        pending = [start]
        while pending:
            i = pending.pop()
            if i not in met:
                met.add(i)
                rows[spots[i].layer].append(i)
                pending += reversed(spots[i].below)

    for i in sorted(range(len(spots)), key=lambda i: spots[i].layer):
        visit(i)
    best, fewest = [list(row) for row in rows], _crossings(spots, rows)
    for number in range(ROUNDS):
        if not fewest:
            break
        down = number % 2 == 0
        for row in rows if down else reversed(rows):
            place = {i: x for other in rows for x, i in enumerate(other)}
            _sort_by_median(spots, row, place, down=down)
        _transpose(spots, rows)
        if (count := _crossings(spots, rows)) < fewest:
            best, fewest = [list(row) for row in rows], count
    return best


def _sort_by_median(
    spots: Sequence[Spot], row: list[int], place: dict[int, int], *, down: bool
) -> None:
    """Sort a row by the places of what its spots are joined to; those joined to nothing stay."""
    keys: dict[int, float] = {}
    for i in row:
        near = [place[j] for j in (spots[i].above if down else spots[i].below)]
        keys[i] = median(near) if near else float(place[i])
    row.sort(key=lambda i: (keys[i], place[i]))


def _transpose(spots: Sequence[Spot], rows: list[list[int]]) -> None:
    """Swap neighbours wherever that takes crossings away."""
    for _ in range(3):
        changed = False
        for row in rows:
            place = {i: x for other in rows for x, i in enumerate(other)}
            for x in range(len(row) - 1):
                left, right = row[x], row[x + 1]
                now = later = 0
                for near in ("above", "below"):
                    ones = [place[i] for i in getattr(spots[left], near)]
                    others = [place[i] for i in getattr(spots[right], near)]
                    now += sum(a > b for a in ones for b in others)
                    later += sum(a < b for a in ones for b in others)
                if later < now:
                    row[x], row[x + 1] = right, left
                    changed = True
        if not changed:
            return


def _crossings(spots: Sequence[Spot], rows: Sequence[Sequence[int]]) -> int:
    """How many pairs of arrows cross between neighbouring layers."""
    total = 0
    for upper, lower in pairwise(rows):
        place = {i: x for x, i in enumerate(lower)}
        ends = [sorted(place[j] for j in spots[i].below) for i in upper]
        seen: list[int] = []
        for group in ends:
            total += sum(end < other for end in group for other in seen)
            seen += group
    return total


# --- places from left to right ---


def _columns(spots: Sequence[Spot], rows: Sequence[Sequence[int]]) -> list[float]:
    """The middle of each spot: the median of four drawings, each as narrow as it gets."""
    marked = _crossed_by_tracks(spots, rows)
    drawings: list[list[float]] = []
    for from_below in (False, True):
        for from_right in (False, True):
            turned = [list(reversed(row)) if from_right else list(row) for row in rows]
            if from_below:
                turned.reverse()
            near = [spot.below if from_below else spot.above for spot in spots]
            found = _compact(spots, turned, _aligned(spots, turned, near, marked))
            drawings.append([-x for x in found] if from_right else found)
    return _balanced(spots, drawings)


def _crossed_by_tracks(
    spots: Sequence[Spot], rows: Sequence[Sequence[int]]
) -> set[tuple[int, int]]:
    """The arrows to boxes that cross a long arrow, which shall stay straight."""
    marked: set[tuple[int, int]] = set()
    for upper, lower in pairwise(rows):
        above, below = ({i: x for x, i in enumerate(row)} for row in (upper, lower))
        pairs = [(above[i], below[j], i, j) for i in upper for j in spots[i].below]
        inner = [p for p in pairs if spots[p[2]].is_track and spots[p[3]].is_track]
        for a, b, i, j in pairs:
            if spots[i].is_track and spots[j].is_track:
                continue
            if any((a - c) * (b - d) < 0 for c, d, _, _ in inner):
                marked.update({(i, j), (j, i)})
    return marked


def _spine(spots: Sequence[Spot], spot: int, joined: list[int]) -> list[int]:
    """What a spot is put in line with: the one box among arrows from afar, else all.

    An arrow to afar leaves the place straight below a box to the box that comes next.
    """
    if not spots[spot].is_track:
        boxes = [i for i in joined if not spots[i].is_track]
        return boxes if len(boxes) == 1 else joined
    return [i for i in joined if spots[i].is_track or not _has_box_beyond(spots, i, spot)]


def _has_box_beyond(spots: Sequence[Spot], box: int, spot: int) -> bool:
    """Whether a box is joined to another one on the side of that spot."""
    side = spots[box].below if spot in spots[box].below else spots[box].above
    return any(not spots[i].is_track for i in side)


def _aligned(
    spots: Sequence[Spot],
    rows: Sequence[Sequence[int]],
    near: Sequence[list[int]],
    marked: set[tuple[int, int]],
) -> tuple[list[int], list[int]]:
    """Spots in straight blocks: the root of each spot's block, and the next spot in it."""
    root, following = list(range(len(spots))), list(range(len(spots)))
    place = {i: x for row in rows for x, i in enumerate(row)}
    for row in rows:
        last = -1
        for i in row:
            joined = sorted(_spine(spots, i, near[i]), key=place.__getitem__)
            middle = (len(joined) - 1) / 2
            for x in sorted({int(middle), -int(-middle // 1)}) if joined else ():
                j = joined[x]
                if following[i] == i and last < place[j] and (i, j) not in marked:
                    following[j] = i
                    following[i] = root[i] = root[j]
                    last = place[j]
    return root, following


def _compact(
    spots: Sequence[Spot], rows: Sequence[Sequence[int]], blocks: tuple[list[int], list[int]]
) -> list[float]:
    """The place of each spot, blocks straight and as far to the left as they get, then together."""
    root, _ = blocks
    before: dict[int, dict[int, float]] = {i: {} for i in root}
    after: dict[int, dict[int, float]] = {i: {} for i in root}
    for row in rows:
        for left, right in pairwise(row):
            gap = TRACK if spots[left].is_track or spots[right].is_track else GAP
            room = (spots[left].width + spots[right].width) / 2 + gap
            a, b = root[left], root[right]
            before[b][a] = after[a][b] = max(before[b].get(a, 0.0), room)
    order = _sorted(before, after)
    place: dict[int, float] = {}
    for block in order:
        place[block] = max((place[a] + room for a, room in before[block].items()), default=0.0)
    for block in reversed(order):
        if after[block]:
            place[block] = max(
                place[block], min(place[b] - room for b, room in after[block].items())
            )
    return [place[i] for i in root]


def _sorted(before: dict[int, dict[int, float]], after: dict[int, dict[int, float]]) -> list[int]:
    """The blocks, each after those to its left."""
    waiting = {block: len(left) for block, left in before.items()}
    ready = [block for block, count in waiting.items() if not count]
    order = []
    while ready:
        block = ready.pop()
        order.append(block)
        for other in after[block]:
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    return order


def _balanced(spots: Sequence[Spot], drawings: list[list[float]]) -> list[float]:
    """For each spot the mean of the two middle ones of its four places."""
    if not spots:
        return []
    ends = [
        (
            min(x - s.width / 2 for x, s in zip(drawing, spots)),
            max(x + s.width / 2 for x, s in zip(drawing, spots)),
        )
        for drawing in drawings
    ]
    left, right = min(ends, key=lambda end: end[1] - end[0])
    for number, (drawing, end) in enumerate(zip(drawings, ends)):
        # Those packed to the left go to the left end of the narrowest, the others to the right.
        shift = right - end[1] if number % 2 else left - end[0]
        drawings[number] = [x + shift for x in drawing]
    return [sum(sorted(places)[1:3]) / 2 for places in zip(*drawings)]
