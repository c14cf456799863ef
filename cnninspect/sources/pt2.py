"""Programs of `torch.export`: `program.pt2`, read by torch's own loader.

The program is taken apart again into the modules that it was exported from, so that its layers
have their names and types.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cnninspect.errors import FileMissing, FileUnreadable, UnknownSetting
from cnninspect.records.models import InputRequest, LoadedModel, ModelInfo, Reference
from cnninspect.sources.construction import other_peoples_code
from cnninspect.sources.libraries import first_line

NOTE = "read by torch.export.load, torch's own loader"
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
    if not path.exists():
        raise FileMissing(path)
    import torch

    with other_peoples_code(reference.text):
        try:
            program = torch.export.load(path)
        except Exception as problem:  # whatever torch's loader raises
            raise FileUnreadable(
                path, f"torch.export.load: {first_line(problem)}", "save it with torch.export.save"
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


def example_of(program: Any) -> tuple[tuple[Any, ...] | None, dict[str, Any]]:
    """What the program was exported with, its tensors as requests; None where it does not say.

    A size that may vary is 1 where that is allowed, so that a batch is one sample.
    """
    if program.example_inputs is None:
        return None, {}
    sizes = iter(list(_declared_sizes(program)))

    def request(value: Any) -> Any:
        import torch

        if isinstance(value, torch.Tensor):
            shape = next(sizes, tuple(value.shape))
            dtype = str(value.dtype).removeprefix("torch.")
            return InputRequest(shape, dtype, batched=bool(shape))
        return value

    from torch.utils import _pytree

    arguments, keywords = _pytree.tree_map(request, program.example_inputs)
    return tuple(arguments), dict(keywords)


def _declared_sizes(program: Any) -> Iterator[tuple[int, ...]]:
    """The shape of each tensor that goes in."""
    taken = set(program.graph_signature.user_inputs)
    for node in program.graph.nodes:
        value = node.meta.get("val")
        if node.op == "placeholder" and node.name in taken and hasattr(value, "shape"):
            yield tuple(_smallest(size, program.range_constraints) for size in value.shape)


def _smallest(size: Any, ranges: Any) -> int:
    """A size itself, or the smallest of those that it may have."""
    if isinstance(size, int):
        return size
    allowed = ranges.get(getattr(getattr(size, "node", None), "expr", None))
    lower = getattr(allowed, "lower", None)
    hint = int(size.node.hint) if getattr(size.node, "hint", None) is not None else 1
    if lower is None:
        return hint
    return max(int(lower), 1) if int(lower) <= 2 else hint


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
