"""Checkpoints as references: they hold weights, which have a table but cannot be run."""

from __future__ import annotations

from cnninspect.checkpoints import kind_of, read_checkpoint
from cnninspect.errors import BadReference
from cnninspect.records.checkpoint import Checkpoint
from cnninspect.records.models import GraphFile, LoadedModel, Reference


def load(reference: Reference) -> LoadedModel | GraphFile:
    """Nothing: a file that is named as weights is read as weights, whatever it holds.

    Its content never picks a loader that could run code.

    Raises:
        BadReference: it is a checkpoint: weights without a network.
        FileMissing, FileUnreadable: there is no such file, or it is no checkpoint.
    """
    read_checkpoint(reference.name)  # says what is wrong with a file that is none
    raise BadReference(
        reference.text,
        "it is a checkpoint, which holds weights and no network",
        f"cnninspect summary {reference.name} shows its tensors",
    )


def table(reference: Reference) -> Checkpoint | None:
    """The tensors of a checkpoint; None where a `.pt` holds a TorchScript program.

    Raises:
        FileMissing, FileUnreadable: there is no such file, or it is no checkpoint.
    """
    if reference.source == "pt" and kind_of(reference.name) == "torchscript":
        return None
    return read_checkpoint(reference.name)
