"""Traces a whole training step: forward, what autograd keeps, and backward."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from traceback import clear_frames
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.engine import torch_private as private
from cnninspect.engine.autocasting import Autocast
from cnninspect.engine.bind_inputs import Given, converted, given_for
from cnninspect.engine.borrowing import Borrowed
from cnninspect.engine.building import build, build_really
from cnninspect.engine.devices import Devices, keep_answers, pretended
from cnninspect.engine.diagnosis import explain_failure
from cnninspect.engine.fake_tensors import abstract_twin, stored_bytes
from cnninspect.engine.fusion import Fusion, whole_modules
from cnninspect.engine.layouts import UNINITIALISED
from cnninspect.engine.liveness import (
    Liveness,
    WatchedAbstraction,
    WatchedComputation,
    lstm_saved_bytes,
)
from cnninspect.engine.module_tree import Structure
from cnninspect.engine.operators import Operator
from cnninspect.engine.process_state import RUNS, Ledger, RandomStates, seed_generators, set_apart
from cnninspect.engine.recording import (
    Recorder,
    ValueNeeded,
    Whole,
    finished,
    storage_of,
    tensors_in,
    walked,
)
from cnninspect.engine.run_threads import RunThreads
from cnninspect.engine.torch_private import _disable_current_modes
from cnninspect.engine.tracing import Run, again_with_compiler, reason_for_real_run
from cnninspect.errors import BadOption, CannotTrain, CnnInspectError, UnknownChoice, first_line
from cnninspect.records.models import MODES, LoadedModel
from cnninspect.records.operations import Operation
from cnninspect.records.traces import HowTraced, SavedStorage, TrainingTrace

DTYPES = ("float32", "float16", "bfloat16", "float64")
"""What weights may be."""
AMP_DTYPES = ("bfloat16", "float16")
"""What autocast may compute in."""


def trace_training(
    loaded: LoadedModel,
    inputs: Sequence[Any] | None = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "train",
    batch: int = 1,
    frozen: Collection[str] = (),
    dtype: str | None = None,
    amp: str | None = None,
    inference: bool = False,
    device: str | None = None,
) -> TrainingTrace:
    """Run one step, without computing, and write down its calls and what it keeps.

    The loss is the sum of every differentiable output, whose gradient is a tensor of its shape.
    `frozen` are full names of parameters that get no gradient; `dtype` is that of the weights and
    the float inputs, `amp` the one that autocast computes in.  With `inference`, the step is a
    forward pass without gradients.  A live module stays as it is: a copy of its structure runs.

    Raises:
        UnknownChoice: weights cannot be of that dtype, autocast does not compute in it, or there
            is no such mode.
        CannotTrain: no output depends on a parameter that may change.
        BuildFailed, RunFailed, BadInput: as for a forward trace.
    """
    asked = (("--dtype", dtype, DTYPES), ("--amp", amp, AMP_DTYPES), ("--mode", mode, MODES))
    for option, name, known in asked:
        if name is not None and name not in known:
            raise UnknownChoice(option, name, known)
    if batch < 1:
        raise BadOption("--batch", batch, "1 or more")
    wanted = Wanted(
        mode, batch, frozenset(frozen), dtype, amp, is_differentiable=not inference, device=device
    )
    if loaded.trial is not None:
        loaded.trial(inputs, {"kwargs": kwargs, "mode": mode, "batch": batch})
    with RUNS, Ledger() as ledger, ledger:
        set_apart(ledger)
        RandomStates(ledger)
        keep_answers(ledger)
        return _traced(ledger, loaded, inputs, kwargs, wanted)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What kind of step is asked for."""

    mode: str
    batch: int
    frozen: frozenset[str]
    dtype: str | None
    amp: str | None
    is_differentiable: bool
    device: str | None


def _traced(
    ledger: Ledger,
    loaded: LoadedModel,
    inputs: Sequence[Any] | None,
    kwargs: Mapping[str, Any] | None,
    wanted: Wanted,
) -> TrainingTrace:
    built = build(loaded, wanted.device)
    devices = built.devices
    borrowed = Borrowed(
        ledger, built.structure, inputs, kwargs, loaded.keywords, is_live=loaded.live
    )

    def attempts(borrowed: Borrowed) -> Iterator[Given]:
        _freeze(borrowed.structure, wanted.frozen)
        structure = borrowed.structure
        return given_for(structure, loaded, inputs, kwargs=kwargs, batch=wanted.batch)

    borrowed.set_mode(wanted.mode)
    borrowed.substitute(fake_like(wanted.dtype))
    failed: tuple[int, Step, Exception] | None = None
    for number, given in again_with_compiler(ledger, enumerate(attempts(borrowed))):
        if failed is not None:
            if number != failed[0] and not given.may_mend(failed[2]):
                continue
            borrowed.renew(wanted.mode)
            borrowed.substitute(fake_like(wanted.dtype))
            _freeze(borrowed.structure, wanted.frozen)
        step = Step(loaded, borrowed, given, wanted=wanted, devices=devices)
        how = HowTraced(built.rung, "abstract", (*loaded.notes, *built.notes, *given.notes))
        try:
            traced = step.trace(how, differentiable=wanted.is_differentiable, computes=False)
            failed = None  # whose traceback would keep fake tensors
            return traced  # noqa: TRY300
        except CnnInspectError:
            raise
        except Exception as problem:  # what forward raises; a real run may do without
            clear_frames(problem.__traceback__)  # which would keep fake tensors
            if failed is None or isinstance(problem, ValueNeeded):
                failed = (number, step, problem)
            if isinstance(problem, ValueNeeded):
                break
    assert failed is not None
    number, step, cause = failed
    reason = reason_for_real_run(step.run, cause)
    if loaded.live:
        borrowed.renew(wanted.mode)
    else:
        seed_generators(0)
        borrowed = Borrowed(ledger, build_really(loaded, devices))
        borrowed.set_mode(wanted.mode)
    borrowed.substitute(RealCopies(getattr(torch, wanted.dtype) if wanted.dtype else None))
    given = next(islice(attempts(borrowed), number, None))
    step = Step(loaded, borrowed, given, wanted=wanted, devices=devices)
    try:
        notes = (*loaded.notes, *built.notes, *given.notes, f"{reason}; batch {wanted.batch}")
        how = HowTraced("real", "real", notes)
        return step.trace(how, differentiable=wanted.is_differentiable, computes=True)
    except CnnInspectError:
        raise
    except Exception as problem:
        run = step.run
        explained = explain_failure(problem, run.model, run.watch, run.trace_so_far)
        if first_line(problem) not in reason:
            explained.follow(reason)
        raise explained from problem


def _freeze(structure: Structure, frozen: Collection[str]) -> None:
    """Let the parameters of these names have no gradient."""
    for tensor in structure.tensors:
        if structure.tensor_names[id(tensor)] in frozen:
            tensor.requires_grad_(False)


class Step:
    """One step of training or inference that is being written down."""

    def __init__(
        self,
        loaded: LoadedModel,
        borrowed: Borrowed,
        given: Given,
        *,
        wanted: Wanted,
        devices: Devices | None = None,
    ) -> None:
        self.dtype, self.amp = wanted.dtype, wanted.amp
        self.structure = structure = borrowed.structure
        self.ledger = borrowed.ledger
        self.run = Run(
            loaded, structure, given, mode=wanted.mode, ledger=self.ledger, devices=devices
        )
        self.recorder = self.run.recorder = StepRecorder(structure.tensor_names)
        self.run.watch.recorder = self.recorder
        self.liveness = Liveness(structure.tensors)
        self.saved: dict[int, SavedStorage] = {}
        self._inputs: set[int] = set()
        self._workspace_bytes = 0

    def trace(self, how: HowTraced, *, differentiable: bool, computes: bool) -> TrainingTrace:
        """Run forward and, if it is to be differentiated, backward, for real if it `computes`."""
        given = self.run.given
        make = _on_cpu if computes else _on_meta
        args, kwargs = (
            converted(part, lambda tensor: self._cast(make(tensor)))
            for part in (given.args, given.kwargs)
        )
        self.run.mark_inputs(tensors_in((args, kwargs)))
        for tensor in tensors_in((args, kwargs)):
            self._inputs.add(storage_of(tensor))
            self.liveness.watch(tensor)
        input_bytes = self.liveness.alive_bytes
        with ExitStack() as stack:
            stack.enter_context(torch.set_grad_enabled(differentiable))
            stack.enter_context(whole_modules())
            stack.enter_context(self.run.watch)
            stack.enter_context(pretended(self.run.devices))
            autocast = stack.enter_context(Autocast(self.amp)) if self.amp else None
            stack.enter_context(
                Fusion(
                    self.recorder,
                    computes=computes,
                    differentiable=differentiable,
                    around_recurrent=self._run_recurrent,
                    devices=self.run.devices,
                )
            )
            watched = WatchedComputation if computes else WatchedAbstraction
            computation = stack.enter_context(watched(self.recorder, self.liveness))
            if isinstance(computation, WatchedComputation):
                self.ledger.undo(computation.undo)
            with torch.autograd.graph.saved_tensors_hooks(self._keep, lambda kept: kept):
                threads = RunThreads(self.ledger, self.run.watch.join, self.run.watch.leave)
                outputs = finished(self.run.model(*args, **kwargs))
                self.run.went_on = threads.wait()
            if self._workspace_bytes:
                how = replace(how, notes=(*how.notes, self._workspace_note()))
            forward = self.run.written(how, outputs)
            calls = len(self.recorder.calls)
            if autocast is not None:
                autocast.forget()
            if differentiable:
                self._backward(
                    [t for _, t in walked("", outputs) if t.requires_grad], computes=computes
                )
                self.recorder.note_breaks()
            if not computes and self.recorder.refused is not None:
                raise self.recorder.refused.with_traceback(None)
            self.liveness.note_calls(len(self.recorder.calls))
            left_bytes = self.liveness.alive_bytes
        trained = [t for t in self.structure.tensors if t.grad is not None]
        traced = TrainingTrace(
            forward=forward,
            backward=tuple(self.recorder.calls[calls:]),
            saved=tuple(self.saved.values()),
            live_bytes=tuple(self.liveness.history),
            input_bytes=input_bytes,
            left_bytes=left_bytes,
            gradient_bytes=sum(stored_bytes(t.grad) for t in trained if t.grad is not None),
            reached=frozenset(self.structure.tensor_names[id(t)] for t in trained),
        )
        for tensor in trained:
            tensor.grad = None  # else whoever looks for what is left of the run finds it
        return traced

    def _cast(self, tensor: Tensor) -> Tensor:
        """A floating-point input in the dtype that is asked for."""
        wanted: torch.dtype | None = getattr(torch, self.dtype) if self.dtype else None
        return tensor.to(wanted) if wanted and tensor.dtype.is_floating_point else tensor

    def _run_recurrent(self, function: Callable[..., Any], args: Any) -> Any:
        """Run a recurrent layer step by step, and have it keep what oneDNN keeps on a CPU.

        What that is more than the steps keep lives until the layer's backward pass.
        """
        before = set(self.saved)
        result = function(*args)
        expected = lstm_saved_bytes(args) if function is torch.lstm else None
        node = result[0].grad_fn
        if expected is None or node is None:
            return result
        if not args[7]:  # where it reads both ways, its outputs are joined, and not kept so
            self._keep(result[0])
        kept = sum(self.saved[key].nbytes for key in self.saved.keys() - before)
        if storage_of(args[0]) in before:
            expected -= args[0].numel() * args[0].element_size()
        if expected > kept:
            with _disable_current_modes():
                workspace = torch.empty(expected - kept, dtype=torch.uint8, device="meta")
            self.liveness.watch(workspace)
            self._keep(workspace)
            self._workspace_bytes += expected - kept
            held = [workspace]
            del workspace
            node.register_hook(lambda *_: held.clear())
        return result

    def _workspace_note(self) -> str:
        return (
            "an LSTM keeps what oneDNN keeps for it on a CPU, "
            f"{self._workspace_bytes:,} bytes more than its steps need; other devices keep others"
        )

    def _backward(self, outputs: list[Tensor], *, computes: bool) -> None:
        if not outputs:
            raise CannotTrain(
                self.run.loaded.info.reference,
                "no output depends on a trainable parameter",
                "freeze less, or ask for inference",
            )
        # Ones have known values, which would keep small ones real.
        gradients = [
            torch.ones_like(output) if computes else torch.empty_like(output) for output in outputs
        ]
        torch.autograd.backward(outputs, gradients)

    def _keep(self, tensor: Tensor) -> Tensor:
        key = storage_of(tensor)
        if key not in self.saved and not self.liveness.is_apart(key):
            nbytes = stored_bytes(tensor)
            layer = self.recorder.layers[-1]
            self.saved[key] = SavedStorage(layer, nbytes, key in self._inputs)
        return tensor


class StepRecorder(Recorder):
    """Gives each backward call the layer whose forward call made its autograd node.

    Autograd numbers its nodes in the order in which they are made, one for each operator that is
    differentiated, just before that operator runs.
    """

    def __init__(self, names: dict[int, str]) -> None:
        super().__init__(names)
        self._layer_of_node: dict[int, str] = {}
        self._whole_of_node: dict[int, Whole] = {}
        """The backward call of what was recorded as one call, by each of its nodes."""
        self._met: set[int] = set()
        self._breaks: list[tuple[str, Operation]] = []
        """Forward calls that nobody can differentiate, by layer."""

    def note(
        self, operator: Operator, operation: Operation, given: list[Tensor], result: Any
    ) -> None:
        """Record a call; one that ends the way of the gradients is kept in mind."""
        super().note(operator, operation, given, result)
        if (
            operator.breaks_gradients
            and torch.is_grad_enabled()
            and any(t.requires_grad for t in given)
            and any(t.dtype.is_floating_point for t in tensors_in(result))
        ):
            self._breaks.append((self.layers[-1], operation))

    def note_breaks(self) -> None:
        """Record the backward pass of what nobody can differentiate, which is unknown."""
        for layer, operation in self._breaks:
            self.layers.append(layer)
            name = f"{operation.name}_backward"
            super().record(Operation(name, operation.arguments, ()), [])
            self.layers.pop()

    def record(self, operation: Operation, tensors: list[Tensor]) -> int:
        """Note a call; in the backward pass under the layer that it belongs to."""
        node = private._current_autograd_node()
        if node is None or len(self.layers) > 1:  # forward, or again forward under checkpointing
            # An operator without a node of its own must not take the last one's.
            last_node = private._autograd._get_sequence_nr() - 1
            self._layer_of_node.setdefault(last_node, self.layers[-1])
            if self._is_paused and self._backward is not None:
                self._whole_of_node.setdefault(last_node, self._backward)
            return super().record(operation, tensors)
        whole = self._whole_of_node.get(node._sequence_nr())
        if whole is not None and whole.operation is not None:
            if id(whole) in self._met:
                return self._last_of(tensors)
            self._met.add(id(whole))
            operation = whole.operation
        self.layers.append(self._layer_of_node.get(node._sequence_nr(), ""))
        try:
            return super().record(operation, tensors)
        finally:
            self.layers.pop()


def _on_meta(tensor: Tensor) -> Tensor:
    return (
        abstract_twin(tensor.detach())
        if tensor.dtype.is_floating_point
        else tensor.detach().clone()
    )


def _on_cpu(tensor: Tensor) -> Tensor:
    if tensor.is_meta:
        return torch.randn(tensor.shape, dtype=tensor.dtype)
    return tensor.detach().cpu().clone()


def fake_like(dtype: str | None = None) -> Callable[[Tensor], Tensor | None]:
    """What gives a fake tensor for each parameter and each other floating-point tensor.

    They can be differentiated by as the network's own can; floats are of that dtype if one is
    named.
    """
    wanted: torch.dtype | None = getattr(torch, dtype) if dtype else None

    def fake(tensor: Tensor) -> Tensor | None:
        is_float = tensor.dtype.is_floating_point
        if UNINITIALISED[type(tensor)] or not (is_float or isinstance(tensor, nn.Parameter)):
            return None
        twin = abstract_twin(tensor.detach())
        if wanted is not None and is_float:
            twin = twin.to(wanted)
        return as_held(twin, tensor)

    return fake


class RealCopies:
    """Gives a copy with values for each tensor; those that share memory share it again."""

    def __init__(
        self, dtype: torch.dtype | None = None, device: torch.device | None = None
    ) -> None:
        self.dtype = dtype
        self.device = device
        self._memory: dict[int, tuple[Any, torch.UntypedStorage]] = {}

    def __call__(self, tensor: Tensor) -> Tensor | None:
        if UNINITIALISED[type(tensor)]:
            return None
        with torch.no_grad(), private.DisableTorchFunctionSubclass():
            return as_held(self._copied(tensor.detach()), tensor)

    def _copied(self, tensor: Tensor) -> Tensor:
        dtype = self.dtype if tensor.dtype.is_floating_point else None
        changes = (dtype or tensor.dtype) != tensor.dtype or (
            self.device is not None and tensor.device.type != self.device.type
        )
        if changes or type(tensor) is not Tensor or tensor.layout is not torch.strided:
            copy = tensor.clone()
            return copy.to(device=self.device or tensor.device, dtype=dtype or tensor.dtype)
        if tensor.is_meta or tensor.is_quantized or tensor.is_nested:
            return tensor.clone()
        storage = tensor.untyped_storage()
        if storage._cdata not in self._memory:
            self._memory[storage._cdata] = storage, storage.clone()
        copy = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
        copy.set_(
            self._memory[storage._cdata][1],
            tensor.storage_offset(), tensor.shape, tensor.stride(),
        )  # fmt: skip
        return copy


def as_held(copy: Tensor, original: Tensor) -> Tensor:
    """The copy as a parameter, with the attributes and hooks of the original, where that is one."""
    if isinstance(original, nn.Parameter):
        copy = nn.Parameter(copy, requires_grad=original.requires_grad)
    elif isinstance(original, nn.Buffer):
        copy = nn.Buffer(copy, persistent=original.persistent)
    elif original.is_leaf:
        copy.requires_grad_(original.requires_grad)
    copy.__dict__.update(original.__dict__)
    if original.is_leaf and original._backward_hooks and copy.requires_grad:
        copy._backward_hooks = original._backward_hooks
    return copy
