"""ONNX files: `model.onnx`, whose graph is followed without torch and without its weights."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from cnninspect.errors import FileMissing, UnknownSetting
from cnninspect.files import exists
from cnninspect.records.models import GraphFile, ModelInfo, Reference


def load(reference: Reference) -> GraphFile:
    """The file of that name, which is read when it is traced.

    Raises:
        FileMissing: there is no such file.
        UnknownSetting: a graph has no settings.
    """
    if reference.settings:
        raise UnknownSetting(reference.name, reference.settings[0][0], ())
    path = Path(reference.name)
    with suppress(RuntimeError):  # there is no such user: then it is a name like any other
        path = path.expanduser()
    if not exists(path):
        raise FileMissing(path)
    return GraphFile(ModelInfo(reference.text, "onnx", reference.text), path)
