"""Traces a model: runs it, without computing if that works, and writes down what it did."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from traceback import clear_frames
from typing import Any, TypeVar
from weakref import ref

import torch
from torch import Tensor

from cnninspect.engine.bind_inputs import Given, converted, given_for, named
from cnninspect.engine.borrowing import Borrowed
from cnninspect.engine.building import Built, build, build_really, check_memory, let_train
from cnninspect.engine.devices import Devices, keep_answers, pretended
from cnninspect.engine.diagnosis import explain_failure, is_hopeless
from cnninspect.engine.fake_mode import Abstraction
from cnninspect.engine.fake_tensors import abstract_twin
from cnninspect.engine.fusion import Fusion, whole_modules
from cnninspect.engine.layouts import MADE, MARK, META, layout_of, shape_of, spec_of
from cnninspect.engine.module_stack import Watch
from cnninspect.engine.module_tree import Structure, parameters_of
from cnninspect.engine.process_state import (
    RUNS,
    Ledger,
    RandomStates,
    leave_compiler,
    seed_generators,
    set_apart,
)
from cnninspect.engine.real_mode import Computation
from cnninspect.engine.recording import Recorder, ValueNeeded, finished, walked
from cnninspect.engine.run_threads import RunThreads
from cnninspect.engine.scripted import by_weights
from cnninspect.engine.torch_private import TorchDispatchMode
from cnninspect.errors import CnnInspectError, RunFailed, ShapeMismatch, first_line
from cnninspect.records.models import LoadedModel
from cnninspect.records.operations import NamedTensor
from cnninspect.records.traces import HowTraced, Trace


def trace(
    loaded: LoadedModel,
    inputs: Sequence[Any] | None = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "eval",
    batch: int = 1,
    weights: str | os.PathLike[str] | None = None,
    device: str | None = None,
) -> Trace:
    """Run a model with these inputs and write down every call.

    `inputs` are the positional arguments of `forward`: tensors, an `InputRequest` for a tensor to
    be made, or anything else that it takes; None for the model's own default.  The file of
    `weights` has to fit the model; it is loaded only where the model is really run.

    Raises:
        FileMissing, FileUnreadable, WeightsMismatch: the weights cannot be loaded.
        BuildFailed: the model could not be built.
        BadInput: the inputs are not possible, or could not be worked out.
        ShapeMismatch: a layer got a shape that it does not take.
        RunFailed: the model raised, also when really run.
    """
    if loaded.trial is not None:
        loaded.trial(inputs, {"kwargs": kwargs, "mode": mode, "batch": batch})
    with RUNS, Ledger() as ledger, ledger:
        set_apart(ledger)
        RandomStates(ledger)
        keep_answers(ledger)
        return _traced(
            ledger,
            loaded,
            inputs,
            kwargs=kwargs,
            mode=mode,
            batch=batch,
            weights=weights,
            device=device,
        )


def _traced(
    ledger: Ledger,
    loaded: LoadedModel,
    inputs: Sequence[Any] | None,
    *,
    kwargs: Mapping[str, Any] | None,
    mode: str,
    batch: int,
    weights: str | os.PathLike[str] | None,
    device: str | None,
) -> Trace:
    built = build(loaded, device)
    devices = built.devices
    if weights is not None:
        built = replace(built, notes=(*built.notes, _fit(built.structure, weights)))
    if not loaded.live:
        built = replace(built, structure=let_train(built.structure))
    borrowed = Borrowed(
        ledger, built.structure, inputs, kwargs, loaded.keywords, is_live=loaded.live
    )
    borrowed.set_mode(mode)
    attempts = given_for(borrowed.structure, loaded, inputs, kwargs=kwargs, batch=batch)
    failed: tuple[Run, Exception] | None = None
    for given in again_with_compiler(ledger, attempts):
        if failed is not None:
            if given is not failed[0].given and not given.may_mend(failed[1]):
                continue
            borrowed.renew(mode)
        run = Run(loaded, borrowed.structure, given, mode=mode, ledger=ledger, devices=devices)
        notes = (*loaded.notes, *built.notes, *given.notes)
        try:
            traced = run.abstractly(HowTraced(built.rung, "abstract", notes))
            failed = None
            return traced  # noqa: TRY300
        except CnnInspectError:
            raise
        except Exception as problem:  # what forward raises; a real run may do without
            clear_frames(problem.__traceback__)  # which would keep fake tensors
            if isinstance(problem, ValueNeeded):
                failed = (run, problem)  # it got as far as can be without values
                break
            failed = failed or (run, problem)
    assert failed is not None
    run = failed[0]
    try:
        notes = (*loaded.notes, *built.notes, *run.given.notes, reason_for_real_run(*failed))
        if loaded.live:
            borrowed.renew(mode)
        else:
            borrowed = _built_really(ledger, built, loaded, notes=notes, weights=weights)
            borrowed.set_mode(mode)
        return _trace_really(loaded, borrowed, run.given, mode=mode, notes=notes, devices=devices)
    except RunFailed as problem:
        run.given.name_guesses(problem)
        raise


Attempt = TypeVar("Attempt")


def again_with_compiler(ledger: Ledger, attempts: Iterable[Attempt]) -> Iterator[Attempt]:
    """Each attempt, and once more the one that failed while PyTorch's compiler was imported.

    `torch.cond` and the like import it, and it would compile the run itself.
    """
    for attempt in attempts:
        was_there = "torch._dynamo" in sys.modules
        yield attempt
        if not was_there and "torch._dynamo" in sys.modules:
            leave_compiler(ledger)
            yield attempt


def _fit(structure: Structure, path: str | os.PathLike[str]) -> str:
    """What a file of weights has for a model.

    Raises:
        FileMissing, FileUnreadable, WeightsMismatch: the weights cannot be loaded.
    """
    from cnninspect.engine.weights import check_weights  # noqa: PLC0415 - most need none

    report = check_weights(structure.model, path)
    return "; ".join((f"weights fit: {report.loaded} tensors of {report.path}", *report.notes))


def reason_for_real_run(run: Run, problem: Exception) -> str:
    """Why a run with fake tensors failed, where a real one may succeed.

    Raises:
        RunFailed: a real run would fail as well: a layer got a shape that it does not take, or the
            code is wrong.
    """
    explained = explain_failure(problem, run.model, run.watch, run.trace_so_far)
    if isinstance(explained, ShapeMismatch) or is_hopeless(problem, run.recorder):
        raise explained from problem
    refused = problem if isinstance(problem, ValueNeeded) else run.recorder.refused
    if refused is None:
        return f"{RUN_FOR_REAL} {first_line(problem)}"
    return f"{RUN_FOR_REAL} {refused}; {DEPENDS_ON_DATA}"


RUN_FOR_REAL = "run for real, because"
DEPENDS_ON_DATA = "other data may give other counts"


def _built_really(
    ledger: Ledger,
    built: Built,
    loaded: LoadedModel,
    *,
    notes: tuple[str, ...],
    weights: str | os.PathLike[str] | None,
) -> Borrowed:
    """The model with values, these or its own initial ones."""
    check_memory(built.structure, notes[-1])
    seed_generators(0)
    with failing_after(notes[-1]):
        module = build_really(loaded, built.devices)
    if weights is not None:
        from cnninspect.engine.weights import load_weights  # noqa: PLC0415

        load_weights(module, weights)
    return Borrowed(ledger, module)


def _trace_really(
    loaded: LoadedModel,
    borrowed: Borrowed,
    given: Given,
    *,
    mode: str,
    notes: tuple[str, ...],
    devices: Devices,
) -> Trace:
    """The lower rung: compute on the device that the model is on."""
    borrowed.keep_values()
    run = Run(loaded, borrowed.structure, given, mode=mode, ledger=borrowed.ledger, devices=devices)
    try:
        return run.really(HowTraced("real", "real", notes))
    except CnnInspectError:
        raise
    except Exception as problem:
        explained = explain_failure(problem, run.model, run.watch, run.trace_so_far)
        if first_line(problem) not in notes[-1]:
            explained.follow(notes[-1])
        raise explained from problem


@contextmanager
def failing_after(reason: str) -> Iterator[None]:
    """Say in an error what made it necessary to try at all."""
    try:
        yield
    except CnnInspectError as problem:
        problem.follow(reason)
        raise


class Run:
    """One run of a model that is being written down."""

    def __init__(
        self,
        loaded: LoadedModel,
        structure: Structure,
        given: Given,
        *,
        mode: str,
        ledger: Ledger | None = None,
        devices: Devices | None = None,
    ) -> None:
        self.loaded = loaded
        self.structure = structure
        self.model = structure.model
        self.given = given
        self.mode = mode
        self.ledger = ledger or Ledger()
        self.devices = devices or Devices()
        self.recorder = Recorder(structure.tensor_names)
        self.watch = Watch(structure, self.recorder)
        self.went_on: list[str] = []
        """Names of threads that had not come to their end when the run had."""

    def abstractly(self, how: HowTraced) -> Trace:
        """Run on abstract tensors; nothing is computed."""
        given = Given(
            *(converted(part, _to_abstract) for part in (self.given.args, self.given.kwargs))
        )
        trace = self._trace(given, Abstraction(self.recorder), how, computes=False)
        if self.recorder.refused is not None:  # the network caught it, and went some other way
            # Its frames, and those that called them, would keep fake tensors.
            raise self.recorder.refused.with_traceback(None)
        return trace

    def really(self, how: HowTraced) -> Trace:
        """Run on real tensors, on the device that the model is on."""
        device = next((p.device for p in parameters_of(self.model)), torch.device("cpu"))
        given = Given(
            *(
                converted(part, lambda t: _to_real(t, device))
                for part in (self.given.args, self.given.kwargs)
            )
        )
        computation = Computation(self.recorder)
        self.ledger.undo(computation.undo)
        return self._trace(given, computation, how, computes=True)

    def _trace(
        self, given: Given, mode: TorchDispatchMode, how: HowTraced, *, computes: bool
    ) -> Trace:
        self.mark_inputs(given.tensors())
        replaced: dict[int, tuple[Tensor, Tensor]] = {}
        self.ledger.undo(lambda: _give_back_data(replaced))
        try:
            with ExitStack() as stack:
                stack.enter_context(torch.no_grad())
                stack.enter_context(whole_modules())
                stack.enter_context(self.watch)
                stack.enter_context(pretended(self.devices))
                stack.enter_context(
                    Fusion(
                        self.recorder, computes=computes, replaced=replaced, devices=self.devices
                    )
                )
                stack.enter_context(mode)
                threads = RunThreads(self.ledger, self.watch.join, self.watch.leave)
                try:
                    outputs = finished(self.model(*given.args, **given.kwargs))
                    self.went_on = threads.wait()
                except SystemExit as problem:  # it would end this process, with its own exit code
                    raise RuntimeError(f"it ends the process (exit {problem.code})") from problem
            self.watch.note_return(given.args, given.kwargs, outputs)
            return self.written(how, outputs)
        finally:
            _give_back_data(replaced)

    def mark_inputs(self, tensors: Iterable[Tensor]) -> None:
        """Note that these tensors are what goes in, in this order."""
        for i, tensor in enumerate(tensors):
            tensor.__dict__[MARK] = (-1 - i, layout_of(tensor))
            MADE.append(ref(tensor))

    def written(self, how: HowTraced, outputs: Any) -> Trace:
        """The trace of a forward pass that returned `outputs`."""
        prefix = "output" if isinstance(outputs, Tensor) else ""
        hidden = self.recorder.unregistered.values()
        if hidden:
            count = sum(math.prod(shape_of(tensor)) for tensor in hidden)
            note = f"{count:,} parameters that are read belong to no registered module"
            how = replace(how, notes=(*how.notes, f"{note}, and are not among the parameters"))
        if self.went_on:
            names = ", ".join(self.went_on)
            note = f"not counted: what the threads {names} still do after the model has returned"
            how = replace(how, notes=(*how.notes, note))
        found = list(walked(prefix, outputs))
        returned = [NamedTensor(name, spec_of(tensor)) for name, tensor in found]
        trace = self._written(how, returned, [tensor for _, tensor in found])
        notes = (
            *how.notes,
            *self.recorder.assumed,
            *not_called(trace, self.structure.tensor_names.values()),
        )
        return replace(trace, how=replace(how, notes=notes))

    def trace_so_far(self) -> Trace:
        """What had run when it failed."""
        return self._written(HowTraced("", ""), ())

    def _written(self, how: HowTraced, outputs: Any, made: Iterable[Tensor] = ()) -> Trace:
        trace = Trace(
            model=self.loaded.info,
            inputs=self._input_names(),
            outputs=tuple(outputs),
            layers=self.watch.layers(),
            calls=tuple(self.recorder.calls),
            how=how,
            mode=self.mode,
            origins=tuple(t.__dict__[MARK][0] for t in made if MARK in t.__dict__),
            routings=self.recorder.routed(),
            dropouts=tuple(self.recorder.dropouts),
        )
        return by_weights(trace) if isinstance(self.model, torch.jit.ScriptModule) else trace

    def _input_names(self) -> tuple[NamedTensor, ...]:
        names = self.given.names
        positional = [
            tensor
            for i, value in enumerate(self.given.args)
            for tensor in named(names[i] if i < len(names) else f"input{i}", value)
        ]
        return (*positional, *named("", self.given.kwargs))


MOST_NAMED = 5
"""Layers that a note names."""


def not_called(trace: Trace, known: Iterable[str]) -> tuple[str, ...]:
    """A note on the layers that never ran and whose parameters no call used, if there are any.

    Of the parameters whose names are `known`: of others nobody can tell.
    """
    followed = set(known)
    used = {name for call in trace.calls for name in call.parameters}
    names: list[str] = []
    missed = total = 0
    if all(layer.calls or not layer.parameters for layer in trace.layers):
        return ()
    for layer in trace.layers:
        own = [parameter for parameter in layer.parameters if parameter.shared_with is None]
        total += sum(parameter.spec.numel for parameter in own)
        prefix = f"{layer.path}." if layer.path else ""
        ours = {prefix + parameter.name for parameter in own}
        if layer.calls or not own or ours & used or not ours <= followed:
            continue
        missed += sum(parameter.spec.numel for parameter in own)
        names.append(layer.path)
    if not missed:
        return ()
    alive = {above for layer in trace.layers if layer.calls for above in _up_to(layer.path)}
    tops = list(dict.fromkeys(next(p for p in _up_to(name) if p not in alive) for name in names))
    more = f" and {len(tops) - MOST_NAMED} more" if len(tops) > MOST_NAMED else ""
    where = ", ".join(tops[:MOST_NAMED])
    return (f"not called: {where}{more}, with {missed:,} of {total:,} parameters",)


def _up_to(path: str) -> Iterator[str]:
    """The paths of the layers above a layer, from the highest on, and its own."""
    names = path.split(".")
    return (".".join(names[:end]) for end in range(1, len(names) + 1))


def _to_abstract(tensor: Tensor) -> Tensor:
    if tensor.dtype.is_floating_point or tensor.dtype.is_complex:
        twin = abstract_twin(tensor.detach())
        return twin.requires_grad_(tensor.requires_grad)
    return tensor.detach().clone()


def _to_real(tensor: Tensor, device: torch.device) -> Tensor:
    if tensor.device != META:
        return tensor.detach().to(device, copy=True)
    return torch.randn(tensor.shape, dtype=tensor.dtype, device=device)


def _give_back_data(replaced: dict[int, tuple[Tensor, Tensor]]) -> None:
    """Put back the data that tensors had before `tensor.data = …`."""
    for tensor, data in replaced.values():
        tensor.data = data
