"""From a file to an ONNX model that may be trusted to be one, its large tensors left out.

Weights may lie in other files beside it: they are looked at and never loaded.  Where they lie is
written in the file, which anybody may have written, so that no path may leave the folder.
Source: onnx/docs/ExternalData.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from mmap import ACCESS_READ, mmap
from pathlib import Path, PurePosixPath, PureWindowsPath

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.protobuf import (
    BITS_OF,
    DEEPEST,
    LARGE,
    MARK,
    check_parts,
    without_values,
)
from cnninspect.errors import FileUnreadable
from cnninspect.files import opened
from cnninspect.records.operations import shape_text

LFS = b"version https://git-lfs"
UPGRADE = "pip install --upgrade onnx may know it"
COMPLEX = (TensorProto.COMPLEX64, TensorProto.COMPLEX128)
STANDARD = ("", "ai.onnx")
"""Names of the domain of ONNX's own operators."""


MISSING = "counted by the shapes that the .onnx file states"


def read(path: Path) -> tuple[ModelProto, tuple[str, ...]]:
    """The model in a file, without the values of its large tensors, and what should be said of it.

    Raises:
        FileMissing: there is no such file.
        FileUnreadable: it is not ONNX, of a version that is not known, or its weights lie
            outside its folder.
        Malformed: its graph makes no sense.
    """
    model = _parsed(path)
    _check_text(model)
    _check_versions(model)
    neighbours = Neighbours(path)
    _check_tensors(model, neighbours)
    return model, neighbours.notes()


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
    check_parts(shell)
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
    if tensor.doc_string.startswith(MARK) or bits is None:
        return
    needed = -(-numel * bits // 8)
    if tensor.data_location == TensorProto.EXTERNAL:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        is_there = neighbours.check(tensor.name, entries, needed)
        if is_there and needed <= LARGE:  # it may be a shape
            tensor.raw_data = neighbours.read(entries, needed)
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
        return
    found = len(tensor.raw_data) if tensor.HasField("raw_data") else None
    if (found if found is not None else _values_of(tensor, numel, needed)) != needed:
        shape = shape_text(tensor.dims)
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


class Neighbours:
    """The files beside an ONNX file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.parent.resolve()
        self._sizes: dict[str, int] = {}
        """Bytes of each file that was asked for."""
        self.missing: dict[str, None] = {}
        """The files that are not there.  Counting needs none of them."""

    def check(self, name: str, entries: Mapping[str, str], needed: int) -> bool:
        """See that a tensor of `needed` bytes is where its entries say; False: there is no file.

        Raises:
            FileUnreadable: the file is elsewhere or too short, or an entry cannot be read.
        """
        location = entries.get("location", "")
        size = self._size(name, location)
        if size is None:
            self.missing[location] = None
            return False
        offset = self._number(name, entries, "offset", 0)
        length = self._number(name, entries, "length", needed)
        if length != needed:
            self._fail(f"the tensor {name!r} needs {needed:,} bytes and has {length:,}")
        if offset + length > size:
            self._fail(
                f"the tensor {name!r} ends at byte {offset + length:,} of {location}, "
                f"which has {size:,}"
            )
        return True

    def read(self, entries: Mapping[str, str], needed: int) -> bytes:
        """The bytes of a tensor that was checked."""
        with open(self.folder / entries["location"], "rb") as file:
            file.seek(int(entries.get("offset", "0")))
            return file.read(needed)

    def notes(self) -> tuple[str, ...]:
        """What should be said of files that are missing."""
        return tuple(
            f"its weights are in {location}, which is missing: {MISSING}"
            for location in self.missing
        )

    def _size(self, name: str, location: str) -> int | None:
        if location in self._sizes:
            return self._sizes[location]
        is_absolute = PurePosixPath(location).is_absolute() or PureWindowsPath(location).anchor
        steps = PureWindowsPath(location).parts  # takes both kinds of slashes
        if not location or "\0" in location or is_absolute or ".." in steps:
            self._fail(f"the values of {name!r} lie outside its folder, in {location!r}")
        file = self.folder / location
        try:
            found = file.resolve(strict=True)
            if not found.is_relative_to(self.folder):
                self._fail(f"{location} beside it is a link that leaves its folder")
            if not found.is_file():
                self._fail(f"{location} beside it is no file")
            self._sizes[location] = os.stat(found).st_size
        except FileNotFoundError:
            return None
        except (OSError, RuntimeError) as problem:  # a loop of links, a name too long
            raise FileUnreadable(
                self.path, f"its weights are in {location[:100]}, which cannot be opened"
            ) from problem
        return self._sizes[location]

    def _number(self, name: str, entries: Mapping[str, str], key: str, default: int) -> int:
        text = entries.get(key, "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            self._fail(f"the tensor {name!r} has the {key} {text[:40]!r}")
        return int(text)

    def _fail(self, problem: str) -> None:
        raise FileUnreadable(self.path, problem)
