"""The layers of a graph: from the names of nodes, and which weights belong to which."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from onnx import GraphProto, NodeProto

from cnninspect.engine.onnx_read.protobuf import FLOATS
from cnninspect.engine.onnx_read.weights import MOVING, SCALING, STATES, Weight
from cnninspect.records.operations import BITS
from cnninspect.records.traces import Buffer, Parameter

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


SIGNATURE = "pkg.torch.export.ExportedProgram.graph_signature"
LISTED = re.compile(r": (PARAMETER|BUFFER|CONSTANT_TENSOR) target='([^'\n]*)'")
"""How torch's exporter lists what a program was made of."""

STATISTICS = frozenset((("BatchNormalization", 3), ("BatchNormalization", 4)))
"""Inputs, by operator and position, that are means and variances."""
WEIGHTS: Mapping[str, tuple[int, ...]] = {
    "Conv": (1, 2), "ConvTranspose": (1, 2), "ConvInteger": (1,), "QLinearConv": (3, 8),
    "DeformConv": (1, 3), "Gemm": (0, 1, 2), "MatMul": (0, 1), "MatMulInteger": (1,),
    "QLinearMatMul": (3,), "Einsum": tuple(range(8)), "LSTM": (1, 2, 3, 7), "GRU": (1, 2, 3),
    "RNN": (1, 2, 3), "BatchNormalization": (1, 2), "InstanceNormalization": (1, 2),
    "LayerNormalization": (1, 2), "GroupNormalization": (1, 2), "RMSNormalization": (1,),
    "PRelu": (1,), "Gather": (0,), "Add": (0, 1), "DequantizeLinear": (0,),
    "DequantizeLinear by blocks": (0, 1), "FusedConv": (1, 2), "FusedGemm": (1, 2),
    "FusedMatMul": (0, 1), "MatMulNBits": (1, 2, 5), "MatMulBnb4": (1, 2), "QGemm": (3, 6),
    "DynamicQuantizeMatMul": (1, 4), "DynamicQuantizeLSTM": (1, 2, 3, 7),
    "MatMulIntegerToFloat": (1,), "Attention": (1, 2), "QAttention": (1, 2), "NhwcConv": (1, 2),
    "NhwcFusedConv": (1, 2), "GatherBlockQuantized": (0, 2), "EmbedLayerNormalization": (2, 3, 4),
    "MatMulInteger16": (1,), "MatMulFpQ4": (1,), "GemmFastGelu": (1, 2), "QEmbedding": (0,),
}  # fmt: skip
"""Positions of weights among the inputs of an operator."""
SCALES: Mapping[str, tuple[int, ...]] = {
    "QuantizeLinear": (1, 2), "DequantizeLinear": (1, 2), "DequantizeLinear by blocks": (2,),
    "QLinearConv": (1, 2, 4, 5, 6, 7), "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "ConvInteger": (2, 3), "MatMulInteger": (2, 3), "QLinearAdd": (1, 2, 4, 5, 6, 7),
    "QLinearMul": (1, 2, 4, 5, 6, 7), "QGemm": (1, 2, 4, 5, 7, 8),
    "MatMulIntegerToFloat": (2, 3, 4, 5), "DynamicQuantizeMatMul": (2, 3),
    "DynamicQuantizeLSTM": (8, 9, 10, 11), "QAttention": (3, 4, 6, 7), "Mul by a scale": (0, 1),
}  # fmt: skip
"""Positions of scales and zero points, which a float network does not have."""
SETTINGS: Mapping[str, tuple[int, ...]] = {
    "Resize": (1, 2, 3), "Upsample": (1,), "Clip": (1, 2), "Pad": (1, 2), "Range": (0, 1, 2),
    "OneHot": (1, 2), "NonMaxSuppression": (2, 3, 4), "Reshape": (1,), "Expand": (1,),
    "Tile": (1,), "Slice": (1, 2, 3, 4), "Pow": (1,), "Dropout": (1, 2), "TopK": (1,),
    "ConstantOfShape": (0,), "CropAndResize": (1, 2, 3), "If": (0,), "Loop": (0, 1),
    "STFT": (1, 2, 3), "MelWeightMatrix": (0, 1, 2, 3, 4), "Equal": (0, 1), "Greater": (0, 1),
    "Less": (0, 1), "GreaterOrEqual": (0, 1), "LessOrEqual": (0, 1), "AffineGrid": (1,),
    "Mod": (0, 1), "Max": (), "Min": (),
}  # fmt: skip
"""Positions of what only sets an operator."""
AMBIGUOUS = frozenset(
    ("Add", "Gather", "Einsum", "DequantizeLinear", "DequantizeLinear by blocks", "QEmbedding",
     "GatherBlockQuantized")
)  # fmt: skip
"""Operators that take settings of one element where they take weights."""
SMALL_BITS = 8
"""Whole numbers of so many bits may be quantised weights; wider ones are indices and shapes."""


@dataclass(slots=True)
class Holdings:
    """What a layer owns."""

    parameters: list[Parameter] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)


def holdings_of(
    weights: Iterable[Weight], paths: Mapping[str, int], graph: GraphProto
) -> dict[str, Holdings]:
    """What each layer owns; `paths` are all layers.  Settings and shapes belong to nobody."""
    listed = listed_in(graph)
    held = {path: Holdings() for path in paths}
    for weight in weights:
        layers = dict.fromkeys(layer for _, _, layer in weight.uses)
        kind = kind_of(weight, listed, paths)
        if not kind or not (layers or weight.is_made):
            continue
        named = owner_of((weight.name,))
        owner, local = next(iter(layers), ""), weight.name
        if named is not None and named in paths:
            owner, local = named, weight.name.rpartition(".")[2]
        if kind == "parameter":
            trainable = weight.spec.dtype in FLOATS
            held[owner].parameters.append(Parameter(local, weight.spec, trainable))
            for layer in layers:
                if not f"{layer}.".startswith(f"{owner}.") and owner:
                    shared = Parameter(local, weight.spec, trainable, shared_with=weight.name)
                    held[layer].parameters.append(shared)
        else:
            held[owner].buffers.append(Buffer(local, weight.spec))
    return held


def listed_in(graph: GraphProto) -> dict[str, str]:
    """What torch's exporter says of each tensor by name: PARAMETER, BUFFER or CONSTANT_TENSOR."""
    for entry in graph.metadata_props:
        if entry.key == SIGNATURE:
            return {name: kind for kind, name in LISTED.findall(entry.value)}
    return {}


def kind_of(weight: Weight, listed: Mapping[str, str], paths: Mapping[str, int]) -> str:
    """`parameter`, `buffer`, or `""` for a setting or a shape."""
    if weight.name in listed:
        return "parameter" if listed[weight.name] == "PARAMETER" else "buffer"
    uses = [(op, position) for op, position, _ in weight.uses]
    if weight.is_made:
        reached = [(op, position) for op, position, _ in weight.reached]
        return "parameter" if any(_is_product(use) for use in (*uses, *reached)) else ""
    if any(use in STATISTICS for use in uses) and not any(_is_product(use) for use in uses):
        return "buffer"
    if all(position in SCALES.get(op, ()) for op, position in uses):
        return "buffer" if weight.spec.numel > 1 else ""
    if all(position in SETTINGS.get(op, ()) for op, position in uses):
        return ""
    if weight.is_first_state and all(position in STATES.get(op, ()) for op, position in uses):
        return ""
    is_float = weight.spec.dtype in FLOATS
    is_placed = any(position in WEIGHTS.get(op, ()) for op, position in uses)
    if weight.spec.numel <= 1:
        is_named = owner_of((weight.name,)) in paths
        is_plain = is_named and not weight.is_constant and not _is_numbered(weight.name)
        if uses[0][1] == -1 or _is_small_weight(weight):  # an attribute of `ai.onnx.ml`
            return "parameter"
        return "parameter" if is_float and is_plain and is_placed else ""
    if not is_float:
        return "parameter" if _is_quantised(weight, is_placed=is_placed) else ""
    if not listed:
        return "parameter"
    is_moved = any(op in MOVING for op, _ in uses)
    return "parameter" if is_placed or is_moved else "buffer"


def _is_product(use: tuple[str, int]) -> bool:
    op, position = use
    return op not in ("Add", "Gather") and position in WEIGHTS.get(op, ())


def _is_small_weight(weight: Weight) -> bool:
    """Whether one element is what an operator learns: the bias of a single output, one slope.

    What is added, multiplied or looked up may as well be a setting.
    """
    uses = [(op, position) for op, position, _ in weight.uses]
    uses += [(op, position) for op, position, is_float in weight.reached if is_float]
    return any(
        op not in AMBIGUOUS
        and position in WEIGHTS.get(op, ())
        and (weight.spec.shape or op == "PRelu")
        for op, position in uses
    )


def _is_numbered(name: str) -> bool:
    return name.rpartition(".")[2].isdigit()


def _is_quantised(weight: Weight, *, is_placed: bool) -> bool:
    """Whether whole numbers are weights that were quantised."""
    uses = [(op, position) for op, position, _ in weight.uses]
    if is_placed and any(op not in ("Gather", "Add") for op, _ in uses):
        return True
    if BITS[weight.spec.dtype] > SMALL_BITS or weight.spec.dtype == "bool":
        return False
    if weight.unknown:
        return True
    return any(
        _is_product((op, position)) or (is_float and op in (*SCALING, "Mul by a scale"))
        for op, position, is_float in weight.reached
    )
