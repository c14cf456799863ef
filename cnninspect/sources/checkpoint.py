"""Checkpoints as references: they hold weights, which have a table but cannot be run."""

from __future__ import annotations

from pathlib import Path

from cnninspect.errors import BadReference
from cnninspect.records.checkpoint import Checkpoint
from cnninspect.records.models import GraphFile, LoadedModel, Reference
from cnninspect.sources.checkpoints import kind_of, read_checkpoint

PROGRAMS = {"torchscript": "pt", "pt2": "pt2", "onnx": "onnx"}
"""Sources by kind, for a program in a file with the suffix of a checkpoint."""


def load(reference: Reference) -> LoadedModel | GraphFile:
    """The program in a file, where it holds one after all.

    Raises:
        BadReference: it is a checkpoint: weights without a network.
        FileMissing, FileUnreadable: there is no such file, or it is neither.
    """
    from cnninspect.sources.registry import SOURCES, source

    scheme = PROGRAMS.get(kind_of(reference.name))
    if scheme in SOURCES:
        loaded: LoadedModel | GraphFile = source(scheme).load(reference)
        return loaded
    read_checkpoint(reference.name)  # says what is wrong with a file that is none
    raise BadReference(
        reference.text,
        "it is a checkpoint, which holds weights and no network",
        f"cnninspect summary {reference.name} shows its tensors",
    )


def table(reference: Reference) -> Checkpoint | None:
    """The tensors of a checkpoint; None where the reference names none, but a program.

    Raises:
        FileMissing, FileUnreadable: there is no such file, or it is no checkpoint.
    """
    path = Path(reference.name)
    return None if kind_of(path) in PROGRAMS else read_checkpoint(path)
