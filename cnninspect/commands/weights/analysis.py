"""Which layers read channels of several others, and their weights on each.

Source: Huang, Liu, van der Maaten, Weinberger 2017, arXiv:1608.06993, section 5 and figure 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile

from cnninspect.commands.weights.report import Reuse, ReuseBlock, ReusingLayer
from cnninspect.metrics.channel_sources import Reader

Joining = tuple[Reader, ...]
"""Layers that read from the same sources."""


def joining_readers(readers: Sequence[Reader]) -> tuple[Joining, ...]:
    """The layers that read channels of several others, those with common sources together.

    Where there are several, the block's first layer, which reads the block's input alone, belongs
    to them.
    """
    groups: list[tuple[set[int], list[Reader]]] = []
    for reader in readers:
        sources = {part.call for part in reader.parts}
        if len(sources) < 2:
            continue
        members = [reader]
        for group in [group for group in groups if group[0] & sources]:
            sources |= group[0]
            members += group[1]
            groups.remove(group)
        groups.append((sources, members))
    place = {reader: number for number, reader in enumerate(readers)}
    found = []
    for sources, members in groups:
        if len(members) > 1:
            alone = {(min(sources),)}
            members += [r for r in readers if tuple(part.call for part in r.parts) in alone]
        found.append(tuple(sorted(members, key=place.__getitem__)))
    return tuple(sorted(found, key=lambda joining: place[joining[0]]))


def block_of(joining: Joining, means: Mapping[Reader, Sequence[float]]) -> ReuseBlock:
    """A block with its figures; `means` are the mean absolute weights on each part."""
    order = sorted({(part.call, part.source) for reader in joining for part in reader.parts})
    largest = max((mean for reader in joining for mean in means[reader]), default=0.0)
    layers = tuple(
        ReusingLayer(
            reader.path,
            tuple(
                Reuse(
                    source=part.source,
                    channels=part.channels,
                    mean_weight=mean,
                    relative=_share(mean, largest),
                    of_layer=_share(mean, max(means[reader])),
                )
                for part, mean in zip(reader.parts, means[reader])
            ),
        )
        for reader in joining
    )
    sources = tuple(source for _, source in order)
    return ReuseBlock(_name(sources[1:] or sources), sources, layers)


def _share(value: float, largest: float) -> float:
    return value / largest if largest else 0.0


def _name(paths: Sequence[str]) -> str:
    """What paths have in common, up to a whole name: `features.denseblock1`."""
    columns = zip(*(path.split(".")[:-1] for path in paths))
    return ".".join(names[0] for names in takewhile(lambda names: len(set(names)) == 1, columns))
