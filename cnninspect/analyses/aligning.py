"""Two trees of layers side by side: which layer of one is which of the other.

Children of a pair are matched by the longest common sequence, weighted by how much the subtrees
have in common, so their order is kept and one that was put in between shifts the rest.  What is
left over on both sides and looks the same is a layer that was renamed or moved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cached_property

from cnninspect.records.difference import LayerFacts
from cnninspect.records.layers import parent_of

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
