"""The difference between two networks, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnninspect.analyses.aligning import Branch, align, tree_of
from cnninspect.records.difference import Change, Difference, LayerFacts, WholeNetwork
from cnninspect.records.layers import parent_of
from cnninspect.records.models import ModelInfo
from cnninspect.records.summary import Uncounted


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
