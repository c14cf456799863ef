"""Which layer a node belongs to.

ONNX knows no layers.  What tells of them, in the order in which it is believed:

1. the metadata that `cnninspect export` leaves in every node;
2. the metadata of torch's exporter: the modules that were running, with their classes;
3. the names of nodes, where they are paths (`/layer1/layer1.0/conv1/Conv`);
4. the names of weights (`layer1.0.conv1.weight`);
5. nothing: each node that has weights is then a layer of its own, named after itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from onnx import GraphProto, NodeProto

LAYER, TYPE = "cnninspect.layer", "cnninspect.type"
"""Keys of the metadata that an export leaves in a node: its layer's path and class."""
SCOPES, CLASSES = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy"
REWRITTEN = "pkg.onnxscript.rewriter.rule_name"
"""Keys of the metadata of torch's exporter."""
LONGEST = 20_000
"""Characters of metadata that are looked at."""
DEEPEST = 32
"""Names in a path; deeper ones are joined."""
CONSTANT = re.compile(r"(^|[._])const(ant)?s?$", re.I)
"""The end of a path under which some exporters keep numbers that are no weights."""
PRODUCTS = frozenset(("MatMul", "MatMulInteger", "QLinearMatMul", "FusedMatMul", "MatMulNBits"))
BETWEEN = frozenset(("Cast", "Identity", "Mul", "Reshape", "DequantizeLinear", "QuantizeLinear"))
"""What may stand between a product and the addition of its bias."""
HOPS = 5
QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
REPEATED = re.compile(r"@\d+$")
"""What torch adds to a module's name when it runs again."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands."""

    path: str
    """Path of its layer."""
    types: tuple[tuple[str, str], ...] = ()
    """Path and class of that layer and of those around it, as far as they are known."""


ROOT = Place("")


def place_of(node: NodeProto, weights: Iterable[str], *, by_names: bool) -> Place | None:
    """Where the node stands; None where nothing tells.

    `weights` are the full names of the stored tensors that it takes; `by_names` says whether the
    names of the graph's nodes are paths.
    """
    notes = {entry.key: entry.value for entry in node.metadata_props if len(entry.value) < LONGEST}
    if LAYER in notes:
        path = tidy(notes[LAYER].split("."))
        return Place(path, (*_classes_in(notes), (path, notes.get(TYPE, ""))))
    owner = owner_of(weights)
    if SCOPES in notes:
        place = _by_modules(notes)
        if REWRITTEN in notes and owner is not None:
            # Two layers became one node, which torch places in the later one.
            return Place(owner, place.types)
        return place
    if by_names and "/" in node.name:
        return Place(_by_name(node.name))
    return None if owner is None else Place(owner)


def owner_of(weights: Iterable[str]) -> str | None:
    """The layer that a weight belongs to by its name; None where no name has a dot.

    `conv2d_1.w_0` and `layer.weights.3` name a layer, `helper.constant.2` none.
    """
    for name in weights:
        path, dot, _ = name.rpartition(".")
        if dot and not name.startswith(("onnx::", "/")) and not CONSTANT.search(path):
            return tidy(path.split("."))
    return None


def layers_ahead(graph: GraphProto) -> dict[str, str]:
    """The layer of each matrix product whose bias is added after it, by the product's output.

    Old exporters turn a weight about and lose its name, and keep that of the bias.
    """
    takers: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            takers.setdefault(name, []).append(node)
    held = {tensor.name for tensor in graph.initializer}
    found = {}
    for node in graph.node:
        if node.op_type not in PRODUCTS:
            continue
        product = next(iter(node.output), "")
        at, seen = product, 0
        while seen < HOPS and len(takers.get(at, ())) == 1:
            taker, seen = takers[at][0], seen + 1
            if taker.op_type == "Add":
                owner = owner_of(name for name in taker.input if name in held)
                if owner is not None:
                    found[product] = owner
                break
            if taker.op_type not in BETWEEN or not taker.output:
                break
            at = taker.output[0]
    return found


def names_are_paths(nodes: Iterable[NodeProto]) -> bool:
    """Whether the names of most nodes are paths with slashes."""
    names = [node.name for node in nodes if node.op_type != "Constant"]
    return 2 * sum("/" in name.strip("/") for name in names) > len(names)


def tidy(names: Iterable[str]) -> str:
    """A path of these names: empty ones left out, and those too deep joined."""
    kept = [name for name in names if name]
    if len(kept) > DEEPEST:
        kept[DEEPEST - 1 :] = ["_".join(kept[DEEPEST - 1 :])]
    return ".".join(kept)


def _by_modules(notes: Mapping[str, str]) -> Place:
    """The innermost module of torch's own record, whose last entry is the operator."""
    scopes = quoted(notes[SCOPES])[:-1]
    if not scopes or scopes[0] != "":
        return ROOT
    path = tidy(REPEATED.sub("", scopes[-1]).split("."))
    return Place(path, _classes_in(notes))


def _classes_in(notes: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    scopes, classes = quoted(notes.get(SCOPES, ""))[:-1], quoted(notes.get(CLASSES, ""))[:-1]
    if not scopes or scopes[0] != "":
        return ()
    return tuple(
        (tidy(REPEATED.sub("", scope).split(".")), name.rpartition(".")[2])
        for scope, name in zip(scopes, classes)
    )


def quoted(text: str) -> list[str]:
    """The strings in a list as Python prints it."""
    return [single or double for single, double in QUOTED.findall(text)]


def _by_name(name: str) -> str:
    """The path in a node's name; torch repeats the names of lists: `/layer1/layer1.0/conv1`."""
    names: list[str] = []
    before = ""
    for part in name.strip("/").split("/")[:-1]:
        names += part.removeprefix(f"{before}.").split(".") if before else part.split(".")
        before = part
    return tidy(names)
