"""Writes the file in one piece, with the names of layers and what it was made from."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from onnx import GraphProto, ModelProto, NodeProto

from cnninspect.costs import cost_of
from cnninspect.engine.onnx_read.graph_inputs import EXAMPLE
from cnninspect.engine.onnx_read.node_layers import LAYER, TYPE
from cnninspect.engine.onnx_read.protobuf import DTYPES, FLOATS
from cnninspect.engine.onnx_read.reading import within
from cnninspect.engine.onnx_write.axes import Feed
from cnninspect.engine.onnx_write.exporting import DATA_SUFFIX, readable
from cnninspect.errors import BadOption, FileExists, FileUnwritable
from cnninspect.files import NAME_KEPT, check_output, move_into_place, target_of
from cnninspect.records.exports import ExportSettings
from cnninspect.records.operations import Call, typed_shape
from cnninspect.records.reports import installed_version
from cnninspect.records.traces import Trace

CHUNK = 1 << 20
LEAVINGS = ".cnninspect-export-"
"""What the names of unfinished files and folders begin with, before the number of the process."""


def check_place(path: Path, *, force: bool) -> None:
    """Refuse early what could not be written in the end.

    Raises:
        FileExists: the file is there already and `force` is not set.
        FileUnwritable: its folder is missing, or it is a folder itself.
        BadOption: its name is not one of an ONNX file.
    """
    if path.suffix.lower() != ".onnx":
        raise BadOption("--output", path, "a file that ends in .onnx")
    check_output(path, force=force)


def data_beside(path: Path) -> Path:
    """Where weights go that are too large for the file itself."""
    return path.with_name(path.name + DATA_SUFFIX)


@contextmanager
def workshop(path: Path, needed: int) -> Iterator[Path]:
    """A folder for making a file of some `needed` bytes, gone afterwards.

    It lies where the system keeps temporary files, or beside the target where there is more room.
    What earlier exports left there because they were killed is taken away first.

    Raises:
        FileUnwritable: the system does not let us.
    """
    try:
        place = _roomier(Path(tempfile.gettempdir()), path.parent, needed)
        for parent in (Path(tempfile.gettempdir()), path.parent):
            clear_leavings(parent)
        folder = Path(tempfile.mkdtemp(prefix=f"{LEAVINGS}{os.getpid()}-", dir=place))
    except OSError as problem:
        raise FileUnwritable(path, problem.strerror or str(problem)) from problem
    try:
        yield folder
    except OSError as problem:
        raise FileUnwritable(path, problem.strerror or str(problem)) from problem
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _roomier(usual: Path, beside: Path, needed: int) -> Path:
    free = shutil.disk_usage(usual).free
    return usual if free >= needed or free >= shutil.disk_usage(beside).free else beside


def clear_leavings(parent: Path) -> None:
    """Take away what exports of this user left whose process has ended."""
    for entry in parent.glob(f"{LEAVINGS}*"):
        number = entry.name.removeprefix(LEAVINGS).partition("-")[0]
        if not number.isdigit() or is_running(int(number)):
            continue
        if hasattr(os, "getuid") and entry.lstat().st_uid != os.getuid():
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def is_running(process: int) -> bool:
    """Whether there is such a process; true where that cannot be told."""
    if os.name != "posix":  # where signal 0 would end it
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def put_into_place(folder: Path, path: Path, *, force: bool) -> None:
    """Move the file, and its weights if they are beside it, out of the workshop.

    Each is copied under a name that tells the process, then takes its own in one step; where a
    file was before, its mode stays, and a link to it stays a link.

    Raises:
        FileExists: a file has come there in the meantime, and `force` is not set.
    """
    check_place(path, force=force)
    data = data_beside(path)
    made = folder / data.name
    if made.exists() and data.exists() and not force:
        raise FileExists(data)
    ready: list[tuple[Path, Path]] = []
    try:
        for source, target in ((made, data), (folder / path.name, path)):
            if source.exists():
                parent = target_of(target).parent
                beside = (
                    parent / f"{LEAVINGS}{os.getpid()}-{target.name[:NAME_KEPT]}{target.suffix}"
                )
                ready.append((beside, target))
                shutil.move(source, beside)
        for beside, target in ready:
            move_into_place(beside, target)
    finally:
        for beside, _ in ready:
            beside.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """The file's checksum, read in pieces."""
    total = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(CHUNK):
            total.update(piece)
    return total.hexdigest()


KEPT = (
    "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy",
    "pkg.torch.export.ExportedProgram.graph_signature", "pkg.onnxscript.rewriter.rule_name",
    "pkg.torch.export.graph_signature.InputSpec.kind",
)  # fmt: skip
"""Metadata of torch's exporter that say something of the network; the rest is about its code."""
PREFIX = "cnninspect."


def strip(model: ModelProto) -> None:
    """Take out what the exporter wrote of this machine and of its own inner workings.

    The shapes of stored weights go too, which stand with the weights themselves: tools that turn
    weights over, as quantisers do, leave that second statement as it was.
    """
    stored = {tensor.name for tensor in model.graph.initializer}
    infos = [info for info in model.graph.value_info if info.name not in stored]
    del model.graph.value_info[:]
    model.graph.value_info.extend(infos)
    model.doc_string = ""
    for graph in _graphs(model.graph):
        graph.doc_string = ""
        _keep(graph.metadata_props)
        for info in (*graph.input, *graph.output, *graph.value_info):
            info.doc_string = ""
            _keep(info.metadata_props)
        for tensor in graph.initializer:
            tensor.doc_string = ""
            _keep(tensor.metadata_props)
        for node in graph.node:
            _strip_node(node)
    for function in model.functions:
        function.doc_string = ""
        _keep(function.metadata_props)
        for node in function.node:
            _strip_node(node)


def annotate(model: ModelProto, calls: Sequence[Call], torch_trace: Trace) -> None:
    """Write into each node of the outermost graph which layer it is, and what it costs.

    `calls` are those of the model's own trace: one for each node but constants, in order, where
    there are no functions and no graphs within nodes; otherwise only the layer's path is known.
    """
    kinds = {layer.path: layer.type for layer in torch_trace.layers}
    sizes = {
        t.name: _numel(t.dims)
        for t in model.graph.initializer
        if DTYPES.get(t.data_type) in FLOATS and _numel(t.dims) > 1
    }
    nodes = [node for node in model.graph.node if node.op_type != "Constant"]
    if len(nodes) != len(calls):
        return
    for node, call in zip(nodes, calls):
        notes = {LAYER: call.layer}
        if call.layer in kinds:
            notes[TYPE] = kinds[call.layer]
        taken = sum(sizes[name] for name in dict.fromkeys(node.input) if name in sizes)
        notes[f"{PREFIX}parameters"] = str(taken)
        notes[f"{PREFIX}macs"] = str(cost_of(call.operation).cost.macs)
        _add(node.metadata_props, notes)


def describe(
    model: ModelProto, settings: ExportSettings, feed: Feed, totals: Mapping[str, int], *,
    reference: str, weights: str,
) -> None:  # fmt: skip
    """Write into the file what it is, how it was made and with which versions."""
    shapes = " ".join(
        f"{readable(name)}:{str(t.dtype).removeprefix('torch.')}:{typed_shape(t.shape)}"
        for name, t in zip(feed.names, feed.given.tensors())
    )
    notes = {
        f"{PREFIX}reference": reference,
        f"{PREFIX}version": installed_version("cnninspect") or "",
        f"{PREFIX}torch": installed_version("torch") or "",
        f"{PREFIX}onnx": installed_version("onnx") or "",
        f"{PREFIX}exporter": settings.exporter,
        EXAMPLE: shapes,
        f"{PREFIX}dtype": settings.dtype or "",
        f"{PREFIX}weights": weights,
        f"{PREFIX}dynamic": ",".join(settings.dynamic),
        **{f"{PREFIX}{name}": str(value) for name, value in totals.items()},
    }
    _add(model.metadata_props, {key: value for key, value in notes.items() if value})


def retell(model: ModelProto, notes: Mapping[str, object]) -> None:
    """Replace what the file says of itself by these of our notes."""
    new = {f"{PREFIX}{key}": str(value) for key, value in notes.items()}
    kept = {e.key: e.value for e in model.metadata_props if e.key.startswith(PREFIX)}
    del model.metadata_props[:]
    _add(model.metadata_props, {**kept, **new})


def _add(entries: Any, notes: Mapping[str, str]) -> None:
    for key, value in sorted(notes.items()):
        entry = entries.add()
        entry.key, entry.value = key, value


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for inner in within(node):
            yield from _graphs(inner)


def _strip_node(node: NodeProto) -> None:
    node.doc_string = ""
    _keep(node.metadata_props)


def _keep(entries: Any) -> None:
    """Leave only those metadata that are known to be harmless."""
    kept = {entry.key: entry.value for entry in entries if entry.key in KEPT}
    del entries[:]
    _add(entries, kept)


def _numel(dims: Sequence[int]) -> int:
    numel = 1
    for size in dims:
        numel *= size
    return numel
