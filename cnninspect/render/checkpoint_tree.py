"""The tensors of a file of weights as a tree of the modules that their names tell of."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from cnninspect.records.checkpoint import StoredTensor
from cnninspect.render.folding import run_name

ITSELF = "(itself)"
"""Name of a tensor that has the name of a module too."""


@dataclass(frozen=True, slots=True)
class Node:
    """A module, a tensor, or both."""

    name: str
    """What it is called within the node above."""
    path: str
    """The names from the top down; `""` for the whole file."""
    tensors: tuple[StoredTensor, ...] = ()
    """Every tensor in it, at whatever depth, in the order of the file."""
    children: tuple[Node, ...] = ()
    """What is shown under it."""
    times: int = 1
    """How many alike in a row this stands for."""

    @property
    def tensor(self) -> StoredTensor | None:
        """The tensor that this node is; None for a module."""
        only = self.tensors[0] if len(self.tensors) == 1 else None
        return only if only is not None and not self.children else None

    @property
    def elements(self) -> int:
        """Elements of its tensors, without those that lie in the bytes of others before them."""
        return sum(t.spec.numel for t in self.tensors if t.shares_with is None)

    @property
    def nbytes(self) -> int:
        """Bytes of the same."""
        return sum(t.nbytes for t in self.tensors if t.shares_with is None)


def tree_of(tensors: Sequence[StoredTensor], level: int | None, *, fold: bool = False) -> Node:
    """The whole file as a node, with nodes down to `level` names; None: all of them."""
    named = [(tuple(tensor.name.split(".")) if tensor.name else (), tensor) for tensor in tensors]
    root = _node("", (), named, level)
    return replace(root, children=folded(root.children)) if fold else root


Named = tuple[tuple[str, ...], StoredTensor]
"""The names of a tensor from here down, and the tensor."""


def _node(name: str, path: tuple[str, ...], held: Sequence[Named], level: int | None) -> Node:
    tensors = tuple(tensor for _, tensor in held)
    if level is not None and len(path) >= level:
        only = held[0][0] if len(held) == 1 and path else ()
        return Node(".".join((name, *only)), ".".join((*path, *only)), tensors)
    return Node(name, ".".join(path), tensors, tuple(_children(path, held, level)))


def _children(path: tuple[str, ...], held: Sequence[Named], level: int | None) -> Iterator[Node]:
    below: dict[str, list[Named]] = {}
    for names, tensor in held:
        below.setdefault(names[0] if names else "", []).append((names[1:], tensor))
    for first, inside in below.items():
        if not first and all(not names for names, _ in inside):
            if len(held) > len(inside):
                yield Node(ITSELF, ".".join(path), tuple(tensor for _, tensor in inside))
            continue
        child = _node(first, (*path, first), inside, level)
        if len(child.children) == 1 and child.children[0].name != ITSELF:
            only = child.children[0]  # a module that holds nothing else
            child = replace(only, name=f"{child.name}.{only.name}")
        yield child


def folded(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """The nodes with every run of alike siblings as one, at every depth."""
    result = []
    for _, group in groupby(nodes, key=likeness):
        run = tuple(group)
        first = replace(run[0], children=folded(run[0].children))
        if len(run) > 1 and run[0].tensor is None:
            result.append(replace(first, name=run_name(run[0].name, run[-1].name), times=len(run)))
        else:
            result += [first, *run[1:]]
    return tuple(result)


def likeness(node: Node) -> Hashable:
    """Equal for nodes that hold tensors of the same names, shapes and dtypes."""
    prefix = f"{node.path}."
    return tuple((t.name.removeprefix(prefix), t.spec, t.shares_with is None) for t in node.tensors)
