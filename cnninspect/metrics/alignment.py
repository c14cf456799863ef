"""Two networks layer by layer: which layer of one is which of the other, and what differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property

from cnninspect.metrics.difference import Change, Difference, LayerFacts, WholeNetwork
from cnninspect.metrics.summary import Uncounted
from cnninspect.records.models import ModelInfo
from cnninspect.records.traces import parent_of

MOST_PAIRS = 10**6
"""Beyond so many pairs of siblings, only equal ones are matched."""


@dataclass(eq=False)
class Branch:
    """A layer with those under it."""

    facts: LayerFacts
    children: list[Branch] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What its parent calls it."""
        return self.facts.path.rpartition(".")[2]

    @cached_property
    def own(self) -> Hashable:
        """What the layer is by itself, wherever it stands and whatever it is given."""
        return self.facts.type, self.facts.tensors

    @cached_property
    def likeness(self) -> int:
        """Equal for subtrees that are alike but for the name of their root and their shapes."""
        return hash((self.own, tuple((child.name, child.likeness) for child in self.children)))

    @cached_property
    def kinds(self) -> Counter[Hashable]:
        """How often each kind of layer occurs in the subtree."""
        found: Counter[Hashable] = Counter([self.own])
        for child in self.children:
            found.update(child.kinds)
        return found

    @cached_property
    def size(self) -> int:
        """Layers in the subtree."""
        return 1 + sum(child.size for child in self.children)

    def walk(self) -> Iterator[Branch]:
        """The layer and all under it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True)
class Alignment:
    """Which layer is which."""

    pairs: tuple[tuple[Branch, Branch], ...]
    """Layers of both, in the order of the new tree."""
    removed: tuple[Branch, ...]
    """Layers of the old tree alone."""
    added: tuple[Branch, ...]
    """Layers of the new tree alone."""


def tree_of(layers: Sequence[LayerFacts]) -> Branch:
    """The layers as a tree; the first is the model itself, parents come before children."""
    branches: dict[str, Branch] = {}
    for facts in layers:
        branch = branches[facts.path] = Branch(facts)
        if facts.path:
            above = parent_of(facts.path)
            while above not in branches:
                above = parent_of(above)
            branches[above].children.append(branch)
    return branches[""]


def align(old: Branch, new: Branch) -> Alignment:
    """Match two trees from their roots down, then what is left over."""
    matcher = _Matcher()
    matcher.match(old, new)
    matcher.match_moved(old, new)
    pairs = matcher.pairs
    taken = set(map(id, pairs.values()))
    by_new = {id(b): a for a, b in ((matcher.old[key], b) for key, b in pairs.items())}
    return Alignment(
        pairs=tuple((by_new[id(b)], b) for b in new.walk() if id(b) in taken),
        removed=tuple(a for a in old.walk() if id(a) not in pairs),
        added=tuple(b for b in new.walk() if id(b) not in taken),
    )


class _Matcher:
    """Collects pairs of layers."""

    def __init__(self) -> None:
        self.pairs: dict[int, Branch] = {}
        """New layer by the id of the old one."""
        self.old: dict[int, Branch] = {}
        self._shared: dict[tuple[int, int], int] = {}

    def match(self, old: Branch, new: Branch) -> None:
        """Take two layers for the same, and match what is under them."""
        self.pairs[id(old)] = new
        self.old[id(old)] = old
        for a, b in self._common_sequence(old.children, new.children):
            self.match(a, b)

    def match_moved(self, old: Branch, new: Branch) -> None:
        """Match subtrees that are left over on both sides and look the same, the largest first."""
        taken = set(map(id, self.pairs.values()))
        free: dict[int, list[Branch]] = {}
        for b in new.walk():
            if id(b) not in taken:
                free.setdefault(b.likeness, []).append(b)
        for a in sorted(old.walk(), key=lambda branch: -branch.size):
            if id(a) in self.pairs or not _is_telling(a):
                continue
            candidates = [b for b in free.get(a.likeness, ()) if id(b) not in taken]
            if candidates:
                b = next((c for c in candidates if c.name == a.name), candidates[0])
                self._match_alike(a, b)
                taken.update(id(branch) for branch in b.walk())

    def _match_alike(self, old: Branch, new: Branch) -> None:
        for a, b in zip(old.walk(), new.walk()):
            if id(a) not in self.pairs:
                self.pairs[id(a)] = b
                self.old[id(a)] = a

    def _common_sequence(
        self, old: Sequence[Branch], new: Sequence[Branch]
    ) -> list[tuple[Branch, Branch]]:
        """The pairs of the heaviest common sequence; equal ends are taken as they are."""
        start = 0
        while start < min(len(old), len(new)) and _is_same(old[start], new[start]):
            start += 1
        end = 0
        while end < min(len(old), len(new)) - start and _is_same(old[-1 - end], new[-1 - end]):
            end += 1
        head = list(zip(old[:start], new[:start]))
        tail = list(zip(old[len(old) - end :], new[len(new) - end :]))
        middle = self._heaviest(old[start : len(old) - end], new[start : len(new) - end])
        return [*head, *middle, *tail]

    def _heaviest(
        self, old: Sequence[Branch], new: Sequence[Branch]
    ) -> list[tuple[Branch, Branch]]:
        if len(old) * len(new) > MOST_PAIRS:  # graphs without modules may have thousands of layers
            return _equal_runs(old, new)
        weights = [[self._weight(a, b) for b in new] for a in old]
        best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
        for i in range(len(old) - 1, -1, -1):
            for j in range(len(new) - 1, -1, -1):
                together = best[i + 1][j + 1] + weights[i][j] if weights[i][j] else 0.0
                best[i][j] = max(together, best[i + 1][j], best[i][j + 1])
        pairs, i, j = [], 0, 0
        while i < len(old) and j < len(new):
            if weights[i][j] and best[i][j] == best[i + 1][j + 1] + weights[i][j]:
                pairs.append((old[i], new[j]))
                i, j = i + 1, j + 1
            elif best[i][j] == best[i + 1][j]:
                i += 1
            else:
                j += 1
        return pairs

    def _weight(self, a: Branch, b: Branch) -> float:
        """How much two layers speak for being the same; 0: they are not."""
        is_alike = a.likeness == b.likeness
        if a.name == b.name:
            if is_alike:
                return 2.0 * a.size + 1
            if a.facts.type == b.facts.type:
                return 2.0 * self._in_common(a, b) + 1
            return 2.0 * self._in_common(a, b) + 0.5
        if is_alike:
            return 2.0 * a.size - 0.5
        if a.facts.type != b.facts.type:
            return 0.0
        common = self._in_common(a, b)
        return float(common) if 2 * common > max(a.size, b.size) else 0.0

    def _in_common(self, a: Branch, b: Branch) -> int:
        """Layers of the same kind that both subtrees have."""
        key = (a.likeness, b.likeness)
        if key not in self._shared:
            self._shared[key] = sum((a.kinds & b.kinds).values())
        return self._shared[key]


def _equal_runs(old: Sequence[Branch], new: Sequence[Branch]) -> list[tuple[Branch, Branch]]:
    """Pairs in runs of equal layers, which are found fast."""
    matcher = SequenceMatcher(
        None, [b.likeness for b in old], [b.likeness for b in new], autojunk=False
    )
    return [
        (old[run.a + i], new[run.b + i])
        for run in matcher.get_matching_blocks()
        for i in range(run.size)
    ]


def _is_same(a: Branch, b: Branch) -> bool:
    return a.name == b.name and a.likeness == b.likeness


def _is_telling(branch: Branch) -> bool:
    """Whether a subtree can be recognised elsewhere: activations look the same everywhere."""
    return any(layer.facts.tensors for layer in branch.walk())


def difference(
    old: tuple[ModelInfo, Sequence[LayerFacts]],
    new: tuple[ModelInfo, Sequence[LayerFacts]],
    *,
    uncounted: tuple[Sequence[Uncounted], Sequence[Uncounted]] = ((), ()),
) -> Difference:
    """What was added, removed, renamed and changed from one network to the other.

    `uncounted` are the operations of each without a formula.
    """
    before, after = tree_of(old[1]), tree_of(new[1])
    found = align(before, after)
    partner = {a.facts.path: b.facts.path for a, b in found.pairs}
    place = {branch.facts.path: i for i, branch in enumerate(after.walk())}
    placed = [
        ((place[change.new.path], 0), change)
        for a, b in found.pairs
        for change in _pair(a, b, partner)
        if change.new
    ]
    placed += [((place[b.facts.path], 0), _added(b, n)) for b, n in _tops(found.added)]
    removed = _tops(found.removed)
    where = _where_they_were(before, partner, place)
    placed += [((where[a.facts.path], 1), _removed(a, n)) for a, n in removed]
    return Difference(
        old=_whole(*old, uncounted[0]),
        new=_whole(*new, uncounted[1]),
        same=sum(1 for a, b in found.pairs if not _what(a.facts, b.facts)),
        changes=tuple(change for _, change in sorted(placed, key=lambda item: item[0])),
    )


def _whole(
    model: ModelInfo, layers: Sequence[LayerFacts], uncounted: Sequence[Uncounted]
) -> WholeNetwork:
    return WholeNetwork(
        model,
        layers=len(layers) - 1,
        parameters=sum(layer.parameters for layer in layers),
        macs=sum(layer.macs for layer in layers),
        uncounted=tuple(uncounted),
    )


def _what(old: LayerFacts, new: LayerFacts) -> tuple[str, ...]:
    """What differs between two layers, their names aside."""
    pairs = {
        "type": (old.type, new.type),
        "tensors": (old.tensors, new.tensors),
        "output": (old.output_shapes, new.output_shapes),
        "macs": (old.macs, new.macs),
    }
    return tuple(name for name, (a, b) in pairs.items() if a != b)


def _pair(a: Branch, b: Branch, partner: dict[str, str]) -> Iterator[Change]:
    """The change of a layer that both have, if there is one; a rename is told once, at its top."""
    old, new = a.facts, b.facts
    what = _what(old, new)
    is_elsewhere = partner.get(parent_of(old.path)) != parent_of(new.path)
    is_renamed = bool(old.path) and (a.name != b.name or is_elsewhere)
    if what or is_renamed:
        yield Change(
            kind="renamed" if is_renamed else "changed",
            old=old,
            new=new,
            what=what,
            layers=b.size if is_renamed else 1,
            parameters=new.parameters - old.parameters,
            macs=new.macs - old.macs,
        )


def _tops(branches: Sequence[Branch]) -> list[tuple[Branch, tuple[Branch, ...]]]:
    """The layers of one side with those under them that they stand for.

    One that holds layers of both sides stands for itself alone.
    """
    lone = {id(branch) for branch in branches}
    tops: list[tuple[Branch, tuple[Branch, ...]]] = []
    told: set[int] = set()
    for branch in branches:
        if id(branch) in told:
            continue
        under = tuple(branch.walk())
        if not all(id(layer) in lone for layer in under):
            under = (branch,)
        told.update(id(layer) for layer in under)
        tops.append((branch, under))
    return tops


def _added(branch: Branch, under: Sequence[Branch]) -> Change:
    parameters = sum(layer.facts.parameters for layer in under)
    macs = sum(layer.facts.macs for layer in under)
    return Change("added", None, branch.facts, (), len(under), parameters, macs)


def _removed(branch: Branch, under: Sequence[Branch]) -> Change:
    parameters = sum(layer.facts.parameters for layer in under)
    macs = sum(layer.facts.macs for layer in under)
    return Change("removed", branch.facts, None, (), len(under), -parameters, -macs)


def _where_they_were(
    before: Branch, partner: dict[str, str], place: dict[str, int]
) -> dict[str, int]:
    """By path of every old layer, the place in the new tree of it or of the last one before it."""
    found, last = {}, -1
    for branch in before.walk():
        path = branch.facts.path
        if path in partner:
            last = place[partner[path]]
        found[path] = last
    return found
