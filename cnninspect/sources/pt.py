"""`.pt` files, which hold TorchScript programs or checkpoints: their content tells.

TorchScript is loaded by torch's own loader, on the CPU.  Nothing is unpickled to find out.
"""

from __future__ import annotations

from pathlib import Path

from cnninspect.errors import FileUnreadable, UnknownSetting, first_line
from cnninspect.records.models import GraphFile, LoadedModel, ModelInfo, Reference
from cnninspect.sources import checkpoint
from cnninspect.sources.checkpoints import kind_of
from cnninspect.sources.construction import other_peoples_code

NOTE = "read by torch.jit.load, torch's own loader"


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
    import torch

    with other_peoples_code(reference.text):
        try:
            module = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
        except Exception as problem:  # whatever torch's loader raises
            raise FileUnreadable(path, f"torch.jit.load: {first_line(problem)}") from problem
    return LoadedModel(
        ModelInfo(reference.text, "pt", reference.text), lambda: module, live=True, notes=(NOTE,)
    )
