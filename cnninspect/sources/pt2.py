"""Programs of `torch.export`: `program.pt2`.

The archive is taken apart here, and its graph looked at, before torch's own reader of graphs gets
it: `torch.export.load` would run pickles, call whatever the graph names and evaluate its texts.
The program is taken apart again into the modules that it was exported from, so that its layers
have their names and types.
"""

from __future__ import annotations

import io
import json
import logging
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cnninspect.checkpoints.reading import kind_of_stream
from cnninspect.checkpoints.torch_files import read_pytorch_zip
from cnninspect.checkpoints.zip_archive import Archive
from cnninspect.errors import FileUnreadable, UnknownSetting, first_line
from cnninspect.files import Malformed, excerpt, opened
from cnninspect.records.models import InputRequest, LoadedModel, ModelInfo, Reference
from cnninspect.sources.construction import other_peoples_code
from cnninspect.sources.program_checks import HINT, checked_program

NOTE = "read by torch.export, torch's own loader"
SAVE = "save it with torch.export.save"
FLAT = "its layers could not be told apart: "
MODEL = "model"
"""What `torch.export.save` calls the program."""
MAX_GRAPH = 256 << 20
"""Bytes of the graph as JSON; that of a network of 1,000 layers takes 5 million."""
MAX_PICKLE = 256 << 20
"""Bytes of the example inputs."""
MAX_TENSOR = 1 << 40
"""Bytes of one weight."""
MOST_UNPACKED = 256 << 20
"""Bytes of all packed entries together; torch.export.save packs none."""
NATIVE = "data/aotinductor/"
"""Where an archive has machine code."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What is in the archive of a program, none of it run."""

    graph: dict[str, Any]
    """As JSON, without what would only be evaluated or printed."""
    weights: dict[str, Any]
    constants: dict[str, Any]
    example: tuple[Any, ...] | None
    """Positional and named inputs that it was exported with."""


def load(reference: Reference) -> LoadedModel:
    """The program in a file, with the inputs that it was exported with.

    Raises:
        FileMissing, FileUnreadable: there is no such file, torch cannot read its graph, or it asks
            for more than computing.
        UnknownSetting: a program has no settings.
    """
    if reference.settings:
        raise UnknownSetting(reference.name, reference.settings[0][0], ())
    path = Path(reference.name)
    with opened(path) as (stream, size), _quiet(), other_peoples_code(reference.text):
        try:
            if kind_of_stream(stream, size) != "pt2":
                raise Malformed("it holds no program of torch.export")  # noqa: TRY301
            program = program_of(parts_of(Archive(stream, size)))
            module, notes = _module_of(program)
            arguments, keywords = example_of(program)
        except Malformed as problem:
            raise FileUnreadable(path, problem.problem, problem.hint or SAVE) from problem
        except Exception as problem:  # whatever torch's reader raises
            raise FileUnreadable(path, f"torch.export: {first_line(problem)}", SAVE) from problem
    return LoadedModel(
        ModelInfo(reference.text, "pt2", reference.text),
        lambda: module,
        example=None if arguments is None else (arguments, keywords),
        live=True,
        notes=(NOTE, *notes),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's reader from logging what it tried first, or texts of the file."""
    from cnninspect.engine.torch_private import program_serialization

    program_serialization()  # whose loggers are there from then on
    loggers = [
        logging.getLogger(name)
        for name in list(logging.root.manager.loggerDict)
        if name.startswith(("torch.export", "torch._export"))
    ]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, was_disabled in zip(loggers, before):
            logger.disabled = was_disabled


def parts_of(archive: Archive) -> Parts:
    """What is in an archive, its pickles read only where they hold tensors and plain values.

    Raises:
        Malformed: something is missing, or only code of the file could read it.
    """
    names = {name.partition("/")[2]: name for name in archive.entries}
    if len({name.partition("/")[0] for name in archive.entries}) != 1:
        raise Malformed("it is a program of PyTorch 2.7 or older, or its entries are scattered")
    packed = [e for e in archive.entries.values() if e.compress_type != zipfile.ZIP_STORED]
    unpacked = sum(entry.file_size for entry in packed)
    if unpacked > MOST_UNPACKED:
        raise Malformed(f"its packed entries unpack to {unpacked:,} bytes", SAVE)
    native = [name for name in names if name.lower().startswith(NATIVE)]
    if native:
        raise Malformed(f"it holds machine code ({excerpt(native[0])}), which is not run", HINT)

    def read(name: str, limit: int) -> bytes:
        if name not in names:
            raise Malformed(f"it lacks {excerpt(name)}")
        return archive.read(names[name], limit)

    graph = checked_program(_json(read(f"models/{MODEL}.json", MAX_GRAPH)))

    def held(kind: str) -> dict[str, Any]:
        folder = f"data/{kind}"
        if f"{folder}/{MODEL}.pt" in names:  # as PyTorch 2.8 wrote them
            content = read(f"{folder}/{MODEL}.pt", MAX_TENSOR)
            return dict(_unpickled(content, f"its {kind}"))
        config = _json(read(f"{folder}/{MODEL}_{kind}_config.json", MAX_GRAPH))
        return _tensors(config, lambda name: read(f"{folder}/{name}", MAX_TENSOR))

    example = read(f"data/sample_inputs/{MODEL}.pt", MAX_PICKLE)
    inputs = _unpickled(example, "its example inputs") if example else None
    return Parts(graph, held("weights"), held("constants"), inputs or None)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as problem:
        raise Malformed(f"it holds what is no JSON: {excerpt(problem)}") from problem


def _unpickled(content: bytes, what: str) -> Any:
    """What a file of torch.save holds, if that is tensors and plain values."""
    checkpoint = read_pytorch_zip(io.BytesIO(content), len(content))
    refused = [asked.name for asked in checkpoint.globals if not asked.allowed]
    if refused:
        raise Malformed(f"{what} can only be read by code that they name: {refused[0]}", HINT)
    import torch

    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _tensors(config: Any, read: Callable[[str], bytes]) -> dict[str, Any]:
    """The tensors that a table of an archive lists, those of the same bytes as views of them."""
    import torch

    from cnninspect.engine.torch_private import program_serialization

    table = config.get("config") if isinstance(config, dict) else None
    if not isinstance(table, dict):
        raise Malformed("its table of tensors cannot be read")
    held: dict[str, bytearray] = {}
    unpickled: dict[str, Any] = {}
    found: dict[str, Any] = {}
    for name, entry in table.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("path_name"), str):
            raise Malformed(f"{excerpt(name)} cannot be read")
        file, meta = entry["path_name"], entry.get("tensor_meta")
        if not isinstance(meta, dict):
            raise Malformed(f"{excerpt(name)} can only be read by pickle", HINT)
        if entry.get("use_pickle"):
            if file not in unpickled:  # many names may ask for one file
                unpickled[file] = _unpickled(read(file), excerpt(name))
            found[name] = unpickled[file]
            continue
        if file not in held:
            held[file] = bytearray(read(file))
        size, stride = (_counts(meta.get(key)) for key in ("sizes", "strides"))
        (offset,) = _counts([meta.get("storage_offset")])
        dtype = program_serialization()[1].deserialize_scalar_type(meta.get("dtype"))
        flat = torch.frombuffer(held[file], dtype=dtype) if held[file] else None
        if flat is None and 0 not in size:
            raise Malformed(f"the bytes of {excerpt(name)} are missing")
        tensor = torch.empty(size, dtype=dtype) if flat is None else flat
        found[name] = tensor if flat is None else flat.as_strided(size, stride, offset)
        if entry.get("is_param"):
            learns = bool(meta.get("requires_grad")) and dtype.is_floating_point
            found[name] = torch.nn.Parameter(found[name], requires_grad=learns)
    return found


def _counts(values: Any) -> list[int]:
    """Numbers as the tables write them, `[{"as_int": 3}, …]`."""
    found = [value.get("as_int") if isinstance(value, dict) else None for value in values or ()]
    if not all(type(number) is int and 0 <= number < 1 << 63 for number in found):
        raise Malformed("the sizes of a tensor cannot be read")
    return found  # type: ignore[return-value]


def program_of(parts: Parts) -> Any:
    """The program that torch's own reader makes of a graph that has been looked at."""
    from cnninspect.engine.torch_private import program_serialization

    schema, serialize = program_serialization()
    graph = serialize._dict_to_dataclass(schema.ExportedProgram, parts.graph)
    reader = serialize.ExportedProgramDeserializer()
    return reader.deserialize(graph, parts.weights, parts.constants, parts.example)


def example_of(program: Any) -> tuple[tuple[Any, ...] | None, dict[str, Any]]:
    """What the program was exported with, its tensors as requests; None where it does not say.

    A batch whose size may vary is one sample.
    """
    if program.example_inputs is None:
        return None, {}
    import torch

    from cnninspect.engine.torch_private import pytree

    declared = list(_declared(program))
    arguments, keywords = program.example_inputs
    is_flat = all(isinstance(value, torch.Tensor) for value in arguments)
    shapes = iter([shape for _, shape in declared])
    samples = declared[0][1][:1] if declared else ()

    def request(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        shape = next(shapes, tuple(value.shape))
        at = 0 if shape and shape[:1] == samples else None
        return InputRequest(shape, str(value.dtype).removeprefix("torch."), batch_dim=at)

    arguments, keywords = pytree.tree_map(request, (arguments, keywords))
    if is_flat:
        names = [name for name, _ in declared]
        arguments = [replace(value, name=name) for value, name in zip(arguments, names)]
    return tuple(arguments), dict(keywords)


def _declared(program: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of each tensor that goes in."""
    taken = set(program.graph_signature.user_inputs)
    for node in program.graph.nodes:
        value = node.meta.get("val")
        if node.op == "placeholder" and node.name in taken and hasattr(value, "shape"):
            yield node.name, tuple(_size(size, i) for i, size in enumerate(value.shape))


def _size(size: Any, dimension: int) -> int:
    """A size, that of the example where it may vary, 1 if it is the batch's."""
    if isinstance(size, int):
        return size
    return 1 if dimension == 0 else int(size.node.hint)


def _module_of(program: Any) -> tuple[Any, tuple[str, ...]]:
    from torch.export import unflatten

    try:
        module = unflatten(program)
    except Exception as problem:  # programs that share modules in ways it cannot express
        return program.module(), (FLAT + first_line(problem),)
    part: Any
    for part in module.modules():
        kind = part.type_name() if hasattr(part, "type_name") else None
        if kind:
            part.original_name = kind.rpartition(".")[2]
    return module, ()
