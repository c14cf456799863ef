"""`.pt` files, which hold TorchScript programs or checkpoints: their content tells.

TorchScript is loaded by torch's own loader, on the CPU, once its code has been looked at: what does
more than compute is refused.  Nothing is unpickled to find out.
"""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path

from cnninspect.checkpoints import kind_of
from cnninspect.checkpoints.pickles import interpret
from cnninspect.checkpoints.torch_files import MAX_PICKLE, PICKLES
from cnninspect.checkpoints.zip_archive import Archive
from cnninspect.errors import FileUnreadable, UnknownSetting, first_line
from cnninspect.files import Malformed, opened
from cnninspect.records.models import GraphFile, LoadedModel, ModelInfo, Reference
from cnninspect.sources import checkpoint
from cnninspect.sources.construction import other_peoples_code
from cnninspect.sources.program_checks import check_class, check_script, inner_calls
from cnninspect.sources.trial import try_out

NOTE = "read by torch.jit.load, torch's own loader"
CLASS = "__torch__.torch.classes."
"""Begin of the names of classes of C++ in a pickle."""


LOADING = b"__setstate__"
"""A method that is run as a program is loaded."""
MOST_CODE = 8 << 20
"""Bytes of all the code of a program, which is taken apart twice."""
MOST_CALLS = 30
"""Places where a program calls its own functions, up to which it cannot run for long."""


def load(reference: Reference) -> LoadedModel | GraphFile:
    """The TorchScript program in a file.

    Raises:
        FileMissing, FileUnreadable: there is no such file, or torch cannot load it.
        BadReference: it is a checkpoint: weights without a network.
        UnknownSetting: a program has no settings.
    """
    path = Path(reference.name)
    if kind_of(path) != "torchscript":
        return checkpoint.load(reference)
    if reference.settings:
        raise UnknownSetting(reference.name, reference.settings[0][0], ())
    may_take_long, loads_by_code = check_torchscript(path)
    if loads_by_code:
        try_out(reference.text, None, None)
    import torch

    with other_peoples_code(reference.text):
        try:
            module = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
        except Exception as problem:  # whatever torch's loader raises
            raise FileUnreadable(path, f"torch.jit.load: {first_line(problem)}") from problem
    return LoadedModel(
        ModelInfo(reference.text, "pt", reference.text),
        lambda: module,
        live=True,
        notes=(NOTE,),
        trial=partial(try_out, reference.text) if may_take_long else None,
    )


def check_torchscript(path: Path) -> tuple[bool, bool]:
    """Look at the code and the classes of a TorchScript program before anything of it is run.

    Returns whether it may run for long, by loops or by many calls of its own functions, and whether
    loading it runs some of it.

    Raises:
        FileUnreadable: it does more than compute, or its archive cannot be read.
    """
    with opened(path) as (stream, file_bytes):
        try:
            archive = Archive(stream, file_bytes)
            left, has_loops, loads_by_code = MOST_CODE, False, False
            codes = []
            for name in archive.entries:
                if name.lower().endswith(".py"):
                    code = archive.read(name, left)
                    left -= len(code)
                    codes.append(code.decode())
                    has_loops |= check_script(codes[-1])
                    loads_by_code |= LOADING in code
                elif name.lower().endswith(PICKLES) and ".debug_pkl" not in name:
                    pickled = interpret(io.BytesIO(archive.read(name, MAX_PICKLE)))
                    for asked in pickled.globals:
                        if asked.startswith(CLASS):
                            check_class(asked.removeprefix(CLASS))
            has_many_calls = inner_calls(codes) > MOST_CALLS
        except UnicodeDecodeError as problem:
            raise FileUnreadable(path, "its code is no text") from problem
        except Malformed as problem:
            raise FileUnreadable(path, problem.problem, problem.hint) from problem
    return has_loops or has_many_calls, loads_by_code
