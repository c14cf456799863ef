"""Remembers traces of named architectures: handed to `sources.open`, which every question asks.

A trace depends on the reference with its settings, on the inputs, the batch and the mode, and on
everything that has a part in making it: the versions of Python, torch and the library, this
package's own files, formulas of other packages, and settings of the environment.  All of that is
its key.  People's own code is always run, since nobody can know what it imports.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields, replace
from typing import Any

from cnninspect.errors import CnnInspectError
from cnninspect.records.models import GivenValue, InputRequest, ModelInfo, Reference
from cnninspect.records.reports import plain
from cnninspect.records.traces import Trace, TrainingTrace
from cnninspect.sources.open import Question, remembered_by
from cnninspect.sources.registry import LISTABLE
from cnninspect.store.cache import (
    Memory,
    asking,
    day_of,
    has_formulas_of_this_process,
    settings_of_libraries,
    versions,
)
from cnninspect.store.written_traces import Kept, Unwritable, read, written

REMEMBERED = (*LISTABLE, "hf")
"""Sources whose models are named, or described by a file that is read as data."""
AGAIN = "remembering(fresh=True)"
"""What a note says to Python."""
SAID = ", remembered; "
"""What a note says of every trace that is remembered."""


class TraceMemory:
    """Recalls traces, and keeps those that are made."""

    def __init__(self, memory: Memory, again: str = AGAIN) -> None:
        self.memory = memory
        self.again = again
        """What one writes to have traces made anew, as a note says it."""

    def answer(self, question: Question, make: Callable[[], Kept]) -> Kept:
        """The trace that is remembered, else the one that `make` returns, which is kept."""
        key = key_of(question)
        if key is None:
            return make()
        kept = self._recalled(key, question)
        if kept is not None:
            return kept
        made = make()
        if not is_plain_process(question.reference):  # which may have changed meanwhile
            return made
        with suppress(Unwritable):  # an argument that JSON lacks: traced again each time
            self.memory.keep_trace(key, title_of(question), written(made))
        return noted(made, *self.memory.notes)

    def _recalled(self, key: str, question: Question) -> Kept | None:
        found = self.memory.recall_trace(key)
        if found is None:
            return None
        content, when = found
        try:
            kept = read(content)
            day = day_of(when)
        except (ValueError, OverflowError, OSError):
            return None  # it is damaged, and made and written anew
        if question.reference.source == "hf":  # found by its content, wherever that lay
            kept = _called(kept, question.reference.text)
        return noted(kept, f"traced {day}{SAID}{self.again} traces again")


@contextmanager
def remembering(*, fresh: bool = False, again: str = AGAIN) -> Iterator[None]:
    """Remember the traces of named architectures that are made inside, in the user's cache folder.

    What is remembered is not traced again, and needs no torch; with `fresh` it is, and is kept
    anew.  Reports say in a note what was remembered, and when it was traced.
    """
    with asking(fresh=fresh, again=again), remembered_by(TraceMemory(Memory(), again)):
        yield


def noted(kept: Kept, *notes: str) -> Kept:
    """The same with notes on how it was obtained."""
    return _changed(kept, lambda t: replace(t, how=replace(t.how, notes=(*t.how.notes, *notes))))


def without_memory(notes: tuple[str, ...]) -> tuple[str, ...]:
    """The notes but for that on what was remembered."""
    return tuple(note for note in notes if SAID not in note)


def _called(kept: Kept, reference: str) -> Kept:
    info = ModelInfo(reference, "hf", reference)
    return _changed(kept, lambda trace: replace(trace, model=info))


def _changed(kept: Kept, change: Callable[[Trace], Trace]) -> Kept:
    """The same with its forward pass changed."""
    if isinstance(kept, TrainingTrace):
        return replace(kept, forward=change(kept.forward))
    return change(kept)


def title_of(question: Question) -> str:
    """What a trace is of, as the list of what is remembered shows it."""
    parts = [question.reference.text, *(["training"] if question.kind == "step" else [])]
    settings = dict(question.settings)
    parts += [f"batch {settings['batch']}"] if settings.get("batch", 1) != 1 else []
    return ", ".join(parts)


def key_of(question: Question) -> str | None:
    """What a trace is remembered by; None: it cannot be, or must not."""
    reference = question.reference
    if reference.source not in REMEMBERED or has_formulas_of_this_process():
        return None
    if not is_plain_process(reference):
        return None
    try:
        facts = [
            versions(reference.source),
            settings_of_libraries(),
            question.kind,
            _identity(reference),
            None if question.arguments is None else [_plain(a) for a in question.arguments],
            question.settings,
        ]
        text = json.dumps(facts)
    except (TypeError, ValueError, RecursionError, CnnInspectError):
        return None  # somebody's own tensors are among the inputs, or there is no such file
    return hashlib.sha256(text.encode()).hexdigest()


def _identity(reference: Reference) -> Any:
    """What names a model: for a configuration, what it says."""
    if reference.source != "hf":
        return [reference.text]
    from cnninspect.sources.hf import configured

    return [reference.settings, json.dumps(configured(reference), sort_keys=True)]


def _plain(argument: Any) -> Any:
    """An argument of `forward` as data that tells apart what would be run differently.

    Raises:
        TypeError: it is somebody's own tensor, or something else that nobody can look into.
    """
    if isinstance(argument, (InputRequest, GivenValue)):
        content = {f.name: getattr(argument, f.name) for f in fields(argument)}
        value = _plain(content.pop("value", None))  # other fields are of records and plain data
        return [type(argument).__name__, plain(content), value]
    if type(argument) in (list, tuple):
        return [type(argument).__name__, [_plain(item) for item in argument]]
    if type(argument) is dict:
        return ["dict", [[_plain(key), _plain(value)] for key, value in argument.items()]]
    if argument is None or type(argument) in (bool, int, float, str):
        return argument
    raise TypeError(type(argument).__name__)


def is_plain_process(reference: Reference) -> bool:
    """Whether another process would trace the same: nothing in this one says otherwise.

    A program may have set another default dtype or device, or registered a model of its own under
    a library's name.
    """
    torch = sys.modules.get("torch")
    if torch is not None and (
        torch.get_default_dtype() is not torch.float32
        or str(torch.get_default_device()) != "cpu"
        or torch.is_autocast_enabled("cpu")
    ):
        return False
    library = sys.modules.get(reference.source)
    if library is None or reference.source not in ("timm", "torchvision"):
        return True
    name = reference.name.partition(".")[0]
    try:
        entry = library.model_entrypoint if reference.source == "timm" else None
        build = entry(name) if entry else library.models.get_model_builder(name.lower())
    except Exception:  # there is no such name, as loading it will say
        return True
    return str(build.__module__).partition(".")[0] == reference.source
