"""Traces a model: runs it, without computing if that works, and writes down what it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from cnninspect.engine import guarding
from cnninspect.engine.abstraction import Abstraction, abstract_twin
from cnninspect.engine.building import Built, build, build_really, first_line
from cnninspect.engine.computation import Computation
from cnninspect.engine.diagnosis import explain_failure
from cnninspect.engine.fusion import Fusion, whole_modules
from cnninspect.engine.inputs import (
    argument_names,
    converted,
    make,
    named,
    requests_for,
)
from cnninspect.engine.layouts import MARK, META, layout_of
from cnninspect.engine.recording import Recorder, tensors_in
from cnninspect.engine.structure import Structure
from cnninspect.engine.watching import Watch
from cnninspect.errors import CnnInspectError, ShapeMismatch
from cnninspect.records.models import InputRequest, LoadedModel
from cnninspect.records.tensors import NamedTensor
from cnninspect.records.traces import HowTraced, Trace


@dataclass(frozen=True, slots=True)
class Given:
    """What `forward` is called with."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def tensors(self) -> list[Tensor]:
        """Every tensor among them, in order."""
        return list(tensors_in((self.args, self.kwargs)))


def trace(
    loaded: LoadedModel,
    inputs: Sequence[Any] | None = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "eval",
    batch: int = 1,
) -> Trace:
    """Run a model with these inputs and write down every call.

    `inputs` are the positional arguments of `forward`: tensors, an `InputRequest` for a tensor to
    be made, or anything else that it takes; None for the model's own default.

    Raises:
        BuildFailed: the model could not be built.
        BadInput: the inputs are not possible, or could not be worked out.
        ShapeMismatch: a layer got a shape that it does not take.
        RunFailed: the model raised, also when really run.
    """
    with guarding.unchanged_random_state(), guarding.paused_garbage_collection():
        built = build(loaded)
        structure = built.structure
        modules = structure.distinct_modules()
        with guarding.unchanged(modules) if loaded.live else nullcontext():
            guarding.set_mode(modules, mode)
            given, notes = _given(structure, loaded, inputs, kwargs, batch)
            run = Run(loaded, structure, given, mode=mode)
            notes = (*loaded.notes, *built.notes, *notes)
            try:
                return run.abstractly(HowTraced(built.rung, "abstract", notes))
            except CnnInspectError:
                raise
            except Exception as problem:  # what forward raises; a real run may do without
                explained = explain_failure(problem, run.model, run.watch, run.trace_so_far)
                if isinstance(explained, ShapeMismatch):
                    raise explained from problem
                reason = f"run for real, because {first_line(problem)}"
        return _trace_really(loaded, built, given, mode, (*notes, reason))


def _trace_really(
    loaded: LoadedModel, built: Built, given: Given, mode: str, notes: tuple[str, ...]
) -> Trace:
    """The lower rung: compute on the CPU, with weights from the model's own initialisation."""
    if loaded.live:
        module = built.structure.model
    else:
        torch.manual_seed(0)
        module = build_really(loaded)
    structure = Structure(module)
    modules = structure.distinct_modules()
    with guarding.unchanged(modules), guarding.unchanged_buffers(module):
        guarding.set_mode(modules, mode)
        run = Run(loaded, structure, given, mode=mode)
        try:
            return run.really(HowTraced("real", "real", notes))
        except CnnInspectError:
            raise
        except Exception as problem:
            raise explain_failure(problem, run.model, run.watch, run.trace_so_far) from problem


class Run:
    """One run of a model that is being written down."""

    def __init__(
        self, loaded: LoadedModel, structure: Structure, given: Given, *, mode: str
    ) -> None:
        self.loaded = loaded
        self.model = structure.model
        self.given = given
        self.mode = mode
        self.recorder = Recorder(structure.tensor_names)
        self.watch = Watch(structure, self.recorder)

    def abstractly(self, how: HowTraced) -> Trace:
        """Run on abstract tensors; nothing is computed."""
        given = Given(
            *(converted(part, _to_abstract) for part in (self.given.args, self.given.kwargs))
        )
        return self._trace(given, Abstraction(self.recorder), how, computes=False)

    def really(self, how: HowTraced) -> Trace:
        """Run on real tensors, on the device that the model is on."""
        device = next((p.device for p in self.model.parameters()), torch.device("cpu"))
        given = Given(
            *(
                converted(part, lambda t: _to_real(t, device))
                for part in (self.given.args, self.given.kwargs)
            )
        )
        return self._trace(given, Computation(self.recorder), how, computes=True)

    def _trace(
        self, given: Given, mode: TorchDispatchMode, how: HowTraced, *, computes: bool
    ) -> Trace:
        for i, tensor in enumerate(given.tensors()):
            tensor.__dict__[MARK] = (-1 - i, layout_of(tensor))
        with ExitStack() as stack:
            stack.enter_context(torch.no_grad())
            stack.enter_context(whole_modules())
            stack.enter_context(self.watch)
            stack.enter_context(Fusion(self.recorder, computes=computes))
            stack.enter_context(mode)
            outputs = self.model(*given.args, **given.kwargs)
        return self._written(
            how, named("", outputs) if not isinstance(outputs, Tensor) else named("output", outputs)
        )

    def trace_so_far(self) -> Trace:
        """What had run when it failed."""
        return self._written(HowTraced("", ""), ())

    def _written(self, how: HowTraced, outputs: Any) -> Trace:
        return Trace(
            model=self.loaded.info,
            inputs=self._input_names(),
            outputs=tuple(outputs),
            layers=self.watch.layers(),
            calls=tuple(self.recorder.calls),
            how=how,
            mode=self.mode,
        )

    def _input_names(self) -> tuple[NamedTensor, ...]:
        names = argument_names(self.model)
        positional = [
            tensor
            for i, value in enumerate(self.given.args)
            for tensor in named(names[i] if i < len(names) else f"input{i}", value)
        ]
        return (*positional, *named("", self.given.kwargs))


def _given(
    structure: Structure,
    loaded: LoadedModel,
    inputs: Sequence[Any] | None,
    kwargs: Mapping[str, Any] | None,
    batch: int,
) -> tuple[Given, tuple[str, ...]]:
    """The arguments of `forward`, with a tensor made for each that was only described."""
    typed = [item for item in inputs or () if isinstance(item, InputRequest)]
    keywords = {**loaded.keywords, **(kwargs or {})}
    if inputs and not typed:
        return Given(tuple(inputs), keywords), ()
    if inputs is None and kwargs:
        return Given((), keywords), ()
    model = structure.model
    requests, notes = requests_for(model, typed=typed, known=loaded.inputs, batch=batch)
    dtype = structure.float_dtype()
    made = iter([(request, make(request, device="meta", dtype=dtype)) for request in requests])
    names = argument_names(model)
    args: list[Any] = []
    for item in inputs or requests:
        if not isinstance(item, InputRequest):
            args.append(item)
            continue
        request, tensor = next(made)
        if (
            request.name
            and names
            and request.name in names
            and request.name != names[min(len(args), len(names) - 1)]
        ):
            keywords[request.name] = tensor
        else:
            args.append(tensor)
    return Given(tuple(args), keywords), notes


def _to_abstract(tensor: Tensor) -> Tensor:
    if tensor.dtype.is_floating_point or tensor.dtype.is_complex:
        twin = abstract_twin(tensor.detach())
        return twin.requires_grad_(tensor.requires_grad)
    return tensor.detach().clone()


def _to_real(tensor: Tensor, device: torch.device) -> Tensor:
    if tensor.device != META:
        return tensor.detach().to(device, copy=True)
    return torch.randn(tensor.shape, dtype=tensor.dtype, device=device)
