"""Traces a whole training step: forward, what autograd keeps, and backward."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.engine import restore_state as guarding
from cnninspect.engine.autocasting import Autocast
from cnninspect.engine.bind_inputs import Given, converted, given_for
from cnninspect.engine.building import Built, build, build_really
from cnninspect.engine.diagnosis import explain_failure
from cnninspect.engine.fake_tensors import abstract_twin
from cnninspect.engine.fusion import Fusion, whole_modules
from cnninspect.engine.liveness import Liveness, WatchedAbstraction, WatchedComputation
from cnninspect.engine.module_tree import Structure
from cnninspect.engine.recording import Recorder, storage_of, tensors_in
from cnninspect.engine.tracing import Run, reason_for_real_run, uncompiled
from cnninspect.errors import BadOption, CannotTrain, CnnInspectError, UnknownChoice
from cnninspect.records.models import LoadedModel
from cnninspect.records.operations import Operation
from cnninspect.records.traces import HowTraced, SavedStorage, TrainingTrace

DTYPES = ("float32", "float16", "bfloat16", "float64")
"""What weights may be."""
MODES = ("train", "eval")
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
    with guarding.unchanged_random_state(), guarding.paused_garbage_collection():
        built = build(loaded)

        def step_of(model: nn.Module) -> Step:
            structure = Structure(model)
            for tensor in structure.tensors:
                if structure.tensor_names[id(tensor)] in frozen:
                    tensor.requires_grad_(False)
            guarding.set_mode(structure.distinct_modules(), mode)
            given = next(iter(given_for(structure, loaded, inputs, kwargs=kwargs, batch=batch)))
            return Step(loaded, structure, given, mode=mode, amp=amp)

        abstract = abstract_copy(built.structure.model, is_live=loaded.live, dtype=dtype)
        step = step_of(abstract)
        notes = (*loaded.notes, *built.notes, *step.run.given.notes)
        try:
            how = HowTraced(built.rung, "abstract", notes)
            return step.trace(how, differentiable=not inference, computes=False)
        except CnnInspectError:
            raise
        except Exception as problem:  # what forward raises; a real run may do without
            reason = reason_for_real_run(step.run, problem)
        step = step_of(real_copy(loaded, built, dtype=dtype))
        try:
            how = HowTraced("real", "real", (*notes, f"{reason}; batch {batch}"))
            return step.trace(how, differentiable=not inference, computes=True)
        except CnnInspectError:
            raise
        except Exception as problem:
            run = step.run
            raise explain_failure(problem, run.model, run.watch, run.trace_so_far) from problem


class Step:
    """One step of training or inference that is being written down."""

    def __init__(
        self,
        loaded: LoadedModel,
        structure: Structure,
        given: Given,
        *,
        mode: str,
        amp: str | None = None,
    ) -> None:
        self.amp = amp
        self.structure = structure
        self.run = Run(loaded, structure, given, mode=mode)
        self.recorder = self.run.recorder = StepRecorder(structure.tensor_names)
        self.run.watch.recorder = self.recorder
        self.liveness = Liveness(structure.tensors)
        self.saved: dict[int, SavedStorage] = {}
        self._inputs: set[int] = set()

    def trace(self, how: HowTraced, *, differentiable: bool, computes: bool) -> TrainingTrace:
        """Run forward and, if it is to be differentiated, backward, for real if it `computes`."""
        given = self.run.given
        make = _on_cpu if computes else _on_meta
        args, kwargs = (converted(part, make) for part in (given.args, given.kwargs))
        self.run.mark_inputs(tensors_in((args, kwargs)))
        for tensor in tensors_in((args, kwargs)):
            self._inputs.add(storage_of(tensor))
            self.liveness.watch(tensor)
        input_bytes = self.liveness.alive_bytes
        with ExitStack() as stack:
            stack.enter_context(torch.set_grad_enabled(differentiable))
            stack.enter_context(whole_modules())
            stack.enter_context(uncompiled())
            stack.enter_context(self.run.watch)
            autocast = stack.enter_context(Autocast(self.amp)) if self.amp else None
            stack.enter_context(
                Fusion(self.recorder, computes=computes, differentiable=differentiable)
            )
            watched = WatchedComputation if computes else WatchedAbstraction
            stack.enter_context(watched(self.recorder, self.liveness))
            with torch.autograd.graph.saved_tensors_hooks(self._keep, lambda kept: kept):
                outputs = self.run.model(*args, **kwargs)
            forward = self.run.written(how, outputs)
            calls = len(self.recorder.calls)
            if autocast is not None:
                autocast.forget()
            if differentiable:
                self._backward([t for t in tensors_in(outputs) if t.requires_grad])
            left_bytes = self.liveness.alive_bytes
        return TrainingTrace(
            forward=forward,
            backward=tuple(self.recorder.calls[calls:]),
            saved=tuple(self.saved.values()),
            live_bytes=tuple(self.liveness.history),
            input_bytes=input_bytes,
            left_bytes=left_bytes,
            gradient_bytes=sum(
                t.grad.untyped_storage().nbytes()
                for t in self.structure.tensors
                if t.grad is not None
            ),
        )

    def _backward(self, outputs: list[Tensor]) -> None:
        if not outputs:
            raise CannotTrain(
                self.run.loaded.info.reference,
                "no output depends on a trainable parameter",
                "freeze less, or ask for inference",
            )
        # Ones have known values, which would keep small ones real.
        gradients = [
            torch.empty_like(output) if output.is_meta else torch.ones_like(output)
            for output in outputs
        ]
        torch.autograd.backward(outputs, gradients)

    def _keep(self, tensor: Tensor) -> Tensor:
        key = storage_of(tensor)
        if key not in self.saved and not self.liveness.is_apart(key):
            nbytes = tensor.untyped_storage().nbytes()
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

    def record(self, operation: Operation, tensors: list[Tensor]) -> int:
        """Note a call; in the backward pass under the layer that it belongs to."""
        node = torch._C._current_autograd_node()
        if node is None or len(self.layers) > 1:  # forward, or again forward under checkpointing
            # An operator without a node of its own must not take the last one's.
            last_node = torch._C._autograd._get_sequence_nr() - 1
            self._layer_of_node.setdefault(last_node, self.layers[-1])
            return super().record(operation, tensors)
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


def abstract_copy(model: nn.Module, *, is_live: bool, dtype: str | None = None) -> nn.Module:
    """The model with abstract parameters and float buffers, of another dtype if one is named.

    A live module is copied, its tensors left out of the copy; one that was just built is changed.
    """
    wanted: torch.dtype | None = getattr(torch, dtype) if dtype else None
    memo: dict[int, Any] = {}
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.dtype.is_floating_point or isinstance(tensor, nn.Parameter):
            memo[id(tensor)] = _abstract_like(tensor, wanted)
    if is_live:
        return copy.deepcopy(model, memo)
    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            tensors.update({name: memo.get(id(tensor), tensor) for name, tensor in tensors.items()})
    return model


def real_copy(loaded: LoadedModel, built: Built, *, dtype: str | None = None) -> nn.Module:
    """The model with weights: a copy of a live one, or built with its own initialisation."""
    if loaded.live:
        model = copy.deepcopy(built.structure.model)
    else:
        torch.manual_seed(0)
        model = build_really(loaded)
    return model.to(getattr(torch, dtype)) if dtype else model


def _abstract_like(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    twin = abstract_twin(tensor.detach())
    if dtype is not None and tensor.dtype.is_floating_point:
        twin = twin.to(dtype)
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(twin, requires_grad=tensor.requires_grad)
    return twin
