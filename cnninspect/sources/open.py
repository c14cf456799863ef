"""The one way from a reference, a live module or a file to a model and to its trace."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from numbers import Integral
from typing import TYPE_CHECKING, Any, Protocol, Union

from cnninspect.errors import AlreadyTraced, BadOption, NeedsModules, NotAModel, UnknownChoice
from cnninspect.records.models import MODES, GraphFile, LoadedModel, ModelInfo, Reference
from cnninspect.records.traces import Trace, TrainingTrace
from cnninspect.sources.references import has_revision
from cnninspect.sources.revisions import at_revision

if TYPE_CHECKING:
    from os import PathLike

    from torch import nn

    from cnninspect.records.checkpoint import Checkpoint
    from cnninspect.records.timings import Timed, TimeSettings

Model = Union[str, "PathLike[str]", "nn.Module", LoadedModel, GraphFile, Trace]
"""A reference, a live module, what a source made of a reference, or a trace made before."""


def several(models: Union[Model, Sequence[Model], Mapping[str, Model]]) -> tuple[Model, ...]:
    """One model or more as a tuple; those of a dictionary are called by its keys."""
    if isinstance(models, (list, tuple)):
        return tuple(models)
    if type(models) is dict and not any(_is_tensor(value) for value in models.values()):
        return tuple(called(model, str(name)) for name, model in models.items())
    return (models,)  # type: ignore[return-value]


def called(model: Model, name: str) -> Union[LoadedModel, GraphFile, Trace]:
    """The same model under another name."""
    if isinstance(model, Trace):
        return _renamed(model, name)
    loaded = load(model)
    return replace(loaded, info=replace(loaded.info, reference=name, name=name))


def _renamed(trace: Trace, name: str) -> Trace:
    return replace(trace, model=replace(trace.model, reference=name, name=name))


def is_model(value: Any) -> bool:
    """Whether this may stand for a model: a reference, a file, a live module, or a trace."""
    kinds = (str, os.PathLike, Trace, LoadedModel, GraphFile)
    return isinstance(value, kinds) or _is_module(value)


def _is_module(value: Any) -> bool:
    torch = sys.modules.get("torch")  # where there is a module, it is imported
    return torch is not None and isinstance(value, torch.nn.Module)


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def with_head(model: Model, classes: int | None) -> Model:
    """The reference with a last layer for so many classes; None: the model as it is.

    Raises:
        BadOption: it is no reference, or there cannot be so many.
        BadReference: the reference says already how many.
    """
    if classes is None:
        return model
    from cnninspect.sources import registry as rewriting

    if not isinstance(model, str):
        raise BadOption("head", classes, "left out for a live module: give it a head of its own")
    return rewriting.with_head(model, classes)


def weights_table(model: Model) -> Checkpoint | None:
    """The tensors of the file of weights that a reference names; None: it is no such file."""
    if not isinstance(model, (str, os.PathLike)):
        return None
    from cnninspect.sources.registry import reference_of

    model = os.fspath(model)
    if has_revision(model):
        with at_revision(model) as there:
            table = weights_of(reference_of(there))
        return table and replace(table, reference=model)
    return weights_of(reference_of(model))


def as_subject(model: Model) -> Union[str, LoadedModel, GraphFile, Trace]:
    """A reference or a trace as it is, all else as what it is loaded as."""
    if isinstance(model, os.PathLike):
        model = os.fspath(model)
    return model if isinstance(model, (str, Trace)) else load(model)


def network(model: Model, needed_for: str) -> LoadedModel:
    """What a reference names, if it has modules, or a live module as a model that must not change.

    Raises:
        NeedsModules: it is a file that holds a graph, or a trace.
    """
    if isinstance(model, Trace):
        raise NeedsModules(model.model.reference, "a trace", needed_for)
    loaded = load(model)
    if isinstance(loaded, GraphFile):
        raise NeedsModules(loaded.info.reference, "the graph in a file", needed_for)
    return loaded


def load(
    model: Union[str, PathLike[str], nn.Module, LoadedModel, GraphFile],
) -> Union[LoadedModel, GraphFile]:
    """What a reference names, or a live module as a model that must not change.

    Raises:
        NotAModel: it is neither.
        CnnInspectError: the reference cannot be loaded, see `sources.registry.load`.
    """
    if isinstance(model, (LoadedModel, GraphFile)):
        return model
    if isinstance(model, (str, os.PathLike)):
        from cnninspect.sources.registry import load as load_reference

        return load_reference(os.fspath(model))
    if not _is_module(model):
        raise NotAModel(model)
    name = type(model).__name__
    return LoadedModel(ModelInfo(name, "module", name), lambda: model, live=True)


def as_arguments(inputs: Any) -> Sequence[Any] | None:
    """The positional arguments of `forward`, with each shape turned into a request for a tensor.

    A shape is a tuple of whole numbers, however deep it lies in tuples, lists and dictionaries; a
    list of whole numbers is one only where it stands for all of the inputs.  The tensors of a list
    or tuple have no batch of their own.
    """
    if inputs is None:
        return None
    if is_shape(inputs) or not isinstance(inputs, (list, tuple)):
        inputs = (tuple(inputs) if is_shape(inputs) else inputs,)
    return tuple(_requested(value, batch_dim=0) for value in inputs)


def _requested(value: Any, *, batch_dim: int | None) -> Any:
    """A value with a request for a tensor in place of each shape in it."""
    from cnninspect.records.models import InputRequest

    if isinstance(value, tuple) and all(is_size(size) for size in value):
        return InputRequest(tuple(map(int, value)), batch_dim=batch_dim)
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(_requested(item, batch_dim=None) for item in value)
    if type(value) is dict:
        return {key: _requested(item, batch_dim=0) for key, item in value.items()}
    return value


def holds_batch(model: Model, inputs: Any, kwargs: Mapping[str, Any] | None) -> bool:
    """Whether the inputs that a user gave have the batch in them, at least one of them."""
    from cnninspect.records.models import GivenValue, InputRequest

    if inputs is None and not kwargs:
        return False
    arguments = as_arguments(inputs) or ()
    given = [item for item in arguments if not isinstance(item, GivenValue)]
    typed = [item for item in given if isinstance(item, InputRequest)]
    if len(typed) < len(given) or not typed:
        return True
    # A shape without the batch gets it in front, so the traced input has one size more.
    traced = trace(model, inputs, kwargs=kwargs)
    return any(
        len(item.shape) == len(tensor.spec.shape) for item, tensor in zip(typed, traced.inputs)
    )


def is_shape(value: Any) -> bool:
    """Whether this is a tensor's shape: a tuple or list of whole numbers."""
    return isinstance(value, (tuple, list)) and len(value) > 0 and all(map(is_size, value))


def is_size(value: Any) -> bool:
    """Whether this is a whole number, of Python or of NumPy."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def trace(
    model: Model,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "eval",
    batch: int = 1,
    weights: str | PathLike[str] | None = None,
    device: str | None = None,
) -> Trace:
    """Run a model without computing, and write down every layer and every call.

    `inputs` are the positional arguments of `forward`: tensors, shapes as tuples of integers, lists
    of shapes, or whatever else it takes; a single tensor may stand by itself, and a dictionary may
    hold the arguments by name.  None: the model's own default.  A live module is left exactly as it
    was.  `weights` is a file of safetensors or torch.save, which has to fit the model.  Code in
    the model sees its tensors on `device`, `cpu` or `cuda`, whether there is one or not; None: the
    CPU, or where a live module is.

    Raises:
        CnnInspectError: see `cnninspect.errors`.
    """
    if isinstance(model, Trace):
        given = {"inputs": inputs, "kwargs": kwargs or None, "weights": weights}
        changes = [name for name, value in given.items() if value is not None]
        changes += ["batch"] * (batch != 1) + ["mode"] * (mode not in ("eval", model.mode))
        if changes:
            raise AlreadyTraced(model.model.reference, changes)
        return model
    if mode not in MODES:
        raise UnknownChoice("mode", mode, MODES)
    check_batch(batch)
    arguments = as_arguments(inputs)
    options: dict[str, Any] = {"kwargs": kwargs, "mode": mode, "batch": batch}
    make = partial(_traced, model, arguments, weights=weights, device=device, **options)
    if weights is not None:
        return make()
    traced: Trace = _remembered("trace", model, arguments, {**options, "device": device}, make)
    return traced


def _traced(
    model: Any,
    arguments: Sequence[Any] | None,
    *,
    weights: str | PathLike[str] | None,
    device: str | None,
    **options: Any,
) -> Trace:
    if has_revision(model):
        with at_revision(model) as there:
            then = _traced(there, arguments, weights=weights, device=device, **options)
        return _renamed(then, model)
    loaded = load(model)
    if isinstance(loaded, GraphFile):
        if weights is not None:
            raise BadOption("weights", weights, "for a model that is built; this file has its own")
        follow = import_module("cnninspect.engine.onnx_read.tracing").trace
        followed: Trace = follow(loaded, arguments, **options)
        return followed
    check_place(device)
    if weights is not None:
        options["weights"] = weights
    if device is not None:
        options["device"] = device
    run = import_module("cnninspect.engine.tracing").trace
    with surroundings_of(loaded):
        traced: Trace = run(loaded, arguments, **options)
    return traced


@dataclass(frozen=True, slots=True)
class Question:
    """All that decides what comes of tracing a reference, beside the versions of what it is."""

    kind: str
    """`trace`, or `step` for a step of training."""
    reference: Reference
    arguments: Sequence[Any] | None
    """Positional arguments of `forward`, with requests for tensors; None: the default."""
    settings: tuple[tuple[str, Any], ...]
    """All else, by name."""


class Keeper(Protocol):
    """Remembers traces, as `store.traces` does."""

    def answer(self, question: Question, make: Callable[[], Any]) -> Any:
        """What is remembered, else what `make` returns."""


_keeper: ContextVar[Keeper | None] = ContextVar("_keeper", default=None)


@contextmanager
def remembered_by(keeper: Keeper | None) -> Iterator[None]:
    """Let what is traced inside be remembered; None: by nobody.

    This package knows how a model is traced and not where traces are kept, so whoever asks hands
    the keeper in.
    """
    before = _keeper.set(keeper)
    try:
        yield
    finally:
        _keeper.reset(before)


def is_remembered() -> bool:
    """Whether traces that are made now are remembered."""
    return _keeper.get() is not None


def _remembered(
    kind: str,
    model: Any,
    arguments: Sequence[Any] | None,
    settings: Mapping[str, Any],
    make: Callable[[], Any],
) -> Any:
    """What is remembered of a reference, else what `make` returns."""
    keeper = _keeper.get()
    if keeper is None or not isinstance(model, (str, os.PathLike)) or settings["kwargs"]:
        return make()
    from cnninspect.sources.registry import reference_of

    given = tuple(sorted((k, v) for k, v in settings.items() if v))
    return keeper.answer(Question(kind, reference_of(os.fspath(model)), arguments, given), make)


PLACES = ("cpu", "cuda", "mps", "xpu")
"""Where the tensors of a run may be shown."""


def is_place(name: str) -> bool:
    """Whether this names a device on which tensors may be shown: `cpu`, `cuda`, `cuda:1`."""
    kind, _, index = name.partition(":")
    return kind in PLACES and (index.isdigit() or (not index and ":" not in name))


def check_place(device: str | None) -> None:
    """See that tensors can be shown there.

    Raises:
        UnknownChoice: they cannot.
    """
    if device is not None and not is_place(device):
        raise UnknownChoice("--device", device, PLACES)


def trace_step(
    model: Model,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "train",
    batch: int = 1,
    **settings: Any,
) -> TrainingTrace:
    """A whole step of training, or a pass of inference, written down without computing.

    `settings` are those of `engine.training.trace_training`: `frozen`, `dtype`, `amp`, `inference`,
    `device`.

    Raises:
        NeedsModules: it is a file that holds a graph, or a trace.
        CannotTrain: no output depends on a trainable parameter.
        CnnInspectError: see `cnninspect.errors`.
    """
    check_batch(batch)
    check_place(settings.get("device"))
    arguments = as_arguments(inputs)
    settings = {**settings, "kwargs": kwargs, "mode": mode, "batch": batch}
    make = partial(_step_traced, model, arguments, settings)
    step: TrainingTrace = _remembered("step", model, arguments, settings, make)
    return step


def _step_traced(
    model: Any, arguments: Sequence[Any] | None, settings: Mapping[str, Any]
) -> TrainingTrace:
    if has_revision(model):
        with at_revision(model) as there:
            step = _step_traced(there, arguments, settings)
        return replace(step, forward=_renamed(step.forward, model))
    loaded = network(model, "a step of training")
    run = import_module("cnninspect.engine.training").trace_training
    with surroundings_of(loaded):
        made: TrainingTrace = run(loaded, arguments, **settings)
    return made


def timed(
    model: Model,
    traced: Trace,
    inputs: Any = None,
    *,
    settings: TimeSettings,
    kwargs: Mapping[str, Any] | None = None,
    **watching: Any,
) -> Timed:
    """How long a model takes; `traced` is what it does with these inputs, written down before.

    `watching` are `by_layer`, `by_operation` and `progress`, as for
    `engine.real_passes.timing.time_network`.

    Raises:
        NeedsModules: it is a trace.
        BadOption: a file that holds a graph is not run by torch, nor trained.
        TooLarge: it needs more memory than there is, as the trace says.
        CnnInspectError: see `time_network` and `engine.onnx_timing.time_file`.
    """
    if isinstance(model, Trace):
        raise NeedsModules(model.model.reference, "a trace", "a clock")
    loaded, arguments = load(model), as_arguments(inputs)
    if isinstance(loaded, GraphFile):
        if settings.backend != "onnxruntime":
            expected = "onnxruntime for the graph in a file"
            raise BadOption("--backend", settings.backend, expected)
        time_file = import_module("cnninspect.engine.onnx_timing").time_file
        of_file: Timed = time_file(loaded.path, traced.inputs, settings, **watching)
        return of_file
    with surroundings_of(loaded):
        engine = import_module("cnninspect.engine.real_passes.timing")
        engine.check_room(loaded, traced, settings)
        if settings.backend == "onnxruntime":
            onnx = import_module("cnninspect.engine.onnx_timing")
            with onnx.exported_to_be_timed(
                loaded, settings, inputs=arguments, kwargs=kwargs
            ) as path:
                exported: Timed = onnx.time_file(path, traced.inputs, settings, **watching)
            return exported
        batches = import_module("cnninspect.engine.real_passes.batches")
        feed = batches.Feed(arguments, kwargs, specs=tuple(tensor.spec for tensor in traced.inputs))
        built: Timed = engine.time_network(loaded, settings, feed, **watching)
    return built


def check_batch(batch: int) -> None:
    """See that there can be a batch of that size.

    Raises:
        BadOption: there cannot.
    """
    if not is_size(batch) or batch < 1:
        raise BadOption("--batch", batch, "a whole number, 1 or more")


def surroundings_of(loaded: LoadedModel) -> AbstractContextManager[Any]:
    """What a model is built and run in: it finds what it imports, and there is no network.

    A live module runs in a program of its owner's, and keeps the network.
    """
    return nullcontext() if loaded.live and loaded.surroundings is None else _around(loaded)


@contextmanager
def _around(loaded: LoadedModel) -> Iterator[None]:
    from cnninspect.sources.network import no_network

    own = loaded.surroundings or nullcontext
    with own(), nullcontext() if loaded.live else no_network():
        yield


def weights_of(reference: Reference) -> Checkpoint | None:
    """The table of the file of weights that is named; None: it is no such file."""
    if reference.source not in ("checkpoint", "pt"):
        return None
    from cnninspect.sources import checkpoint

    return checkpoint.table(reference)
