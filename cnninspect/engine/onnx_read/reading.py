"""From a file to an ONNX model that may be trusted to be one, its large tensors left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from cnninspect.engine.onnx_read.dtypes import BITS_OF
from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.external import Neighbours
from cnninspect.engine.onnx_read.protobuf import DEEPEST, LARGE, MARK, without_values
from cnninspect.files import opened

LFS = b"version https://git-lfs"
UPGRADE = "pip install --upgrade onnx may know it"
COMPLEX = (TensorProto.COMPLEX64, TensorProto.COMPLEX128)
STANDARD = ("", "ai.onnx")
"""Names of the domain of ONNX's own operators."""


def read(path: Path) -> ModelProto:
    """The model in a file, without the values of its large tensors.

    Raises:
        FileMissing: there is no such file.
        FileUnreadable: it is not ONNX, of a version that is not known, or its weights are not
            where they should be.
        Malformed: its graph makes no sense.
    """
    model = _parsed(path)
    _check_text(model)
    _check_versions(model)
    _check_tensors(model, Neighbours(path))
    return model


def _parsed(path: Path) -> ModelProto:
    with opened(path) as (file, _):
        start = file.read(len(LFS))
        if not start:
            raise Malformed("it is empty")
        if start == LFS:
            raise Malformed("it is a pointer of Git LFS, not the file", "git lfs pull gets it")
        with mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            shell = without_values(content)
    if len(shell) >= 2**31:
        raise Malformed("its graph without weights is over 2 GB")
    try:
        return ModelProto.FromString(shell)
    except Exception as problem:  # protobuf's own, which differs from version to version
        raise Malformed("it is not an ONNX file, or damaged") from problem


def _check_text(model: ModelProto) -> None:
    """See that names are text, which protobuf leaves as bytes where they are not."""
    nodes = [node for graph in graphs_in(model) for node in graph.node]
    nodes += [node for function in model.functions for node in function.node]
    for node in nodes:
        texts = [node.name, node.op_type, node.domain, node.overload, *node.input, *node.output]
        texts += [attribute.name for attribute in node.attribute]
        texts += [attribute.ref_attr_name for attribute in node.attribute]
        texts += [text for entry in node.metadata_props for text in (entry.key, entry.value)]
        _see_text(texts)
    for graph in graphs_in(model):
        infos = (*graph.input, *graph.output)
        dims = [dim.dim_param for info in infos for dim in info.type.tensor_type.shape.dim]
        entries = [text for entry in graph.metadata_props for text in (entry.key, entry.value)]
        tensors = [*graph.initializer, *(sparse.values for sparse in graph.sparse_initializer)]
        places = [text for t in tensors for e in t.external_data for text in (e.key, e.value)]
        named = [item.name for item in (*infos, *tensors)]
        _see_text([graph.name, *named, *dims, *entries, *places])
    for function in model.functions:
        _see_text([function.name, function.domain, *function.input, *function.output])
    _see_text([opset.domain for opset in model.opset_import])
    _see_text([text for entry in model.metadata_props for text in (entry.key, entry.value)])


def _see_text(texts: Iterable[object]) -> None:
    if not all(isinstance(text, str) for text in texts):
        raise Malformed("a name in it is not text")


def _check_versions(model: ModelProto) -> None:
    if not model.HasField("graph") or not model.ir_version:
        raise Malformed("it is not an ONNX file: it holds no graph")
    if model.ir_version > onnx.IR_VERSION:
        raise Malformed(
            f"it is of IR version {model.ir_version}, and the installed onnx "
            f"{onnx.__version__} knows those up to {onnx.IR_VERSION}",
            UPGRADE,
        )
    known = onnx.defs.onnx_opset_version()
    for opset in model.opset_import:
        if opset.domain in STANDARD and not 1 <= opset.version <= known:
            raise Malformed(
                f"it uses opset {opset.version}, and the installed onnx {onnx.__version__} "
                f"knows those up to {known}",
                UPGRADE,
            )


def _check_tensors(model: ModelProto, neighbours: Neighbours) -> None:
    """See that every tensor has as many values as its shape says, here or in another file."""
    for graph in graphs_in(model):
        tensors = [*graph.initializer, *(sparse.values for sparse in graph.sparse_initializer)]
        for node in graph.node:
            for attribute in node.attribute:
                tensors += [*attribute.tensors, *([attribute.t] if attribute.HasField("t") else [])]
        for tensor in tensors:
            _check_tensor(tensor, neighbours)
    for function in model.functions:
        for node in function.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    _check_tensor(attribute.t, neighbours)


def _check_tensor(tensor: TensorProto, neighbours: Neighbours) -> None:
    numel = 1
    for size in tensor.dims:
        if size < 0:
            raise Malformed(f"the tensor {tensor.name!r} has the size {size}")
        numel *= size
    bits = BITS_OF.get(tensor.data_type)
    if bits is None and tensor.data_type != TensorProto.STRING:
        raise Malformed(
            f"the tensor {tensor.name!r} is of type {tensor.data_type}, which ONNX does not have"
        )
    if tensor.doc_string == MARK or bits is None:
        return
    needed = -(-numel * bits // 8)
    if tensor.data_location == TensorProto.EXTERNAL:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        neighbours.check(tensor.name, entries, needed)
        if needed <= LARGE:  # it may be a shape
            tensor.raw_data = neighbours.read(entries, needed)
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
        return
    found = len(tensor.raw_data) if tensor.HasField("raw_data") else None
    if (found if found is not None else _values_of(tensor, numel, needed)) != needed:
        shape = "×".join(map(str, tensor.dims)) or "a scalar"
        raise Malformed(
            f"the tensor {tensor.name!r} of {shape} needs {needed:,} bytes of values, "
            "and has another number"
        )


def _values_of(tensor: TensorProto, numel: int, needed: int) -> int:
    """`needed` if the typed fields hold as many values as the shape has, else -1."""
    fields = (
        tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data,
        tensor.uint64_data,
    )  # fmt: skip
    values = sum(map(len, fields))
    bits = BITS_OF[tensor.data_type]
    expected = 2 * numel if tensor.data_type in COMPLEX else numel
    if bits < 8:  # packed, in ways that differ from version to version
        return needed if -(-numel * bits // 8) <= values <= max(numel, 1) else -1
    return needed if values == expected else -1


MOST_NODES = 200_000
"""Nodes that are looked at, those of graphs within graphs among them."""


def graphs_in(model: ModelProto) -> Iterator[GraphProto]:
    """The graph of a model, and those within the nodes of it and of its functions.

    Raises:
        Malformed: they are nested too deep, or hold too many nodes.
    """
    nodes = 0
    pending: list[tuple[GraphProto, int]] = [(model.graph, 0)]
    for function in model.functions:
        pending += [(graph, 1) for node in function.node for graph in within(node)]
    while pending:
        graph, depth = pending.pop()
        if depth > DEEPEST:
            raise Malformed(f"its graphs are nested deeper than {DEEPEST}")
        nodes += len(graph.node)
        if nodes > MOST_NODES:
            raise Malformed(f"its graphs hold more than {MOST_NODES:,} nodes")
        yield graph
        pending += [(inner, depth + 1) for node in graph.node for inner in within(node)]


def within(node: NodeProto) -> list[GraphProto]:
    """The graphs that a node holds as attributes."""
    return [
        graph
        for attribute in node.attribute
        if attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS)
        for graph in (attribute.g, *attribute.graphs)
        if graph.node or graph.output
    ]
