"""Programs of `torch.export`: `program.pt2`, read by torch's own loader.

The program is taken apart again into the modules that it was exported from, so that its layers
have their names and types.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnninspect.errors import FileUnreadable, UnknownSetting, first_line
from cnninspect.files import opened
from cnninspect.records.models import InputRequest, LoadedModel, ModelInfo, Reference
from cnninspect.sources.checkpoints.kinds import kind_of_stream
from cnninspect.sources.checkpoints.malformed import Malformed
from cnninspect.sources.construction import other_peoples_code

NOTE = "read by torch.export.load, torch's own loader"
SAVE = "save it with torch.export.save"
FLAT = "its layers could not be told apart: "


def load(reference: Reference) -> LoadedModel:
    """The program in a file, with the inputs that it was exported with.

    Raises:
        FileMissing, FileUnreadable: there is no such file, or torch cannot load it.
        UnknownSetting: a program has no settings.
    """
    if reference.settings:
        raise UnknownSetting(reference.name, reference.settings[0][0], ())
    path = Path(reference.name)
    with opened(path) as (stream, size):
        try:
            kind = kind_of_stream(stream, size)
        except Malformed as problem:
            raise FileUnreadable(path, problem.problem, problem.hint or SAVE) from problem
    if kind != "pt2":
        raise FileUnreadable(path, "it holds no program of torch.export", SAVE)
    import torch

    with other_peoples_code(reference.text), _quiet():
        try:
            program = torch.export.load(path)
        except Exception as problem:  # whatever torch's loader raises
            raise FileUnreadable(
                path, f"torch.export.load: {first_line(problem)}", SAVE
            ) from problem
        module, notes = _module_of(program)
        arguments, keywords = example_of(program)
    return LoadedModel(
        ModelInfo(reference.text, "pt2", reference.text),
        lambda: module,
        example=None if arguments is None else (arguments, keywords),
        live=True,
        notes=(NOTE, *notes),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's loader from logging the traceback of what it tried first."""
    logger = logging.getLogger("torch.export")
    was_disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was_disabled


def example_of(program: Any) -> tuple[tuple[Any, ...] | None, dict[str, Any]]:
    """What the program was exported with, its tensors as requests; None where it does not say.

    A batch whose size may vary is one sample.
    """
    if program.example_inputs is None:
        return None, {}
    import torch
    from torch.utils import _pytree

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

    arguments, keywords = _pytree.tree_map(request, (arguments, keywords))
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
