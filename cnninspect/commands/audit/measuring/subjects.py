"""What other counters get to see: a model of our own making, with the inputs that were traced.

They change the modules that they are given: hooks, buffers and training flags stay behind.  So none
is ever given a module that belongs to somebody.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree

from cnninspect.engine import restore_state as guarding
from cnninspect.engine.bind_inputs import Given, converted, given_for
from cnninspect.engine.building import Unfilled, build, build_really, check_memory
from cnninspect.engine.layouts import META, spec_of
from cnninspect.engine.module_tree import Structure
from cnninspect.engine.recording import tensors_in
from cnninspect.errors import CnnInspectError, RunFailed
from cnninspect.records.models import LoadedModel
from cnninspect.records.traces import Trace

IN_EARNEST = "it would have to be run for real"
INNER = "inner"
"""What the model is called within the module that the counters get."""


class Called(nn.Module):
    """A model that takes its tensors one by one and returns them flat, whatever its own takes.

    So every counter, those that only know positional tensors too, can run every model.
    """

    def __init__(self, inner: nn.Module, given: Given) -> None:
        super().__init__()
        self.inner = inner
        self.after: Callable[[], None] | None = None
        """What to do after each run, before the counter tidies up."""
        self.__dict__["_template"] = _pytree.tree_flatten((given.args, given.kwargs))

    def forward(self, *tensors: Tensor, by_keyword: Sequence[Tensor] = ()) -> Any:
        """Run the model on these tensors, in the order in which they were given."""
        values, structure = self.__dict__["_template"]
        fresh = iter((*tensors, *by_keyword))
        filled = [next(fresh) if isinstance(value, Tensor) else value for value in values]
        args, kwargs = _pytree.tree_unflatten(filled, structure)
        made = tuple(tensors_in(self.inner(*args, **kwargs)))
        if self.after is not None:
            self.after()
        return made[0] if len(made) == 1 else made


@dataclass(frozen=True, slots=True)
class Subject:
    """A model that is ready to be run by others, and the tensors that it takes."""

    module: Called
    tensors: tuple[Tensor, ...]


class Subjects:
    """Makes a fresh subject for each counter, on the device that it needs."""

    def __init__(
        self,
        loaded: LoadedModel,
        traced: Trace,
        inputs: Sequence[Any] | None,
        kwargs: Mapping[str, Any] | None,
        *,
        batch: int,
    ) -> None:
        self.loaded = loaded
        self.traced = traced
        self.inputs = inputs
        self.kwargs = kwargs
        self.batch = batch
        self.depends_on_values = traced.how.run == "real"
        """Whether what runs depends on the values of weights and inputs."""

    def on(self, device: str) -> Subject:
        """A subject whose weights and inputs are on `meta`, or on the `cpu` with any values.

        Raises:
            CnnInspectError: it cannot be built, or its weights would not fit into memory.
        """
        structure = self._on_meta() if device == "meta" else self._on_cpu()
        guarding.set_mode(structure.distinct_modules(), self.traced.mode)
        given = self._given(structure)
        move = _to_meta if device == "meta" else _to_cpu
        moved = Given(*(converted(part, move) for part in (given.args, given.kwargs)))
        values, _ = _pytree.tree_flatten((moved.args, moved.kwargs))
        module = Called(structure.model, moved)
        module.training = self.traced.mode == "train"
        return Subject(module, tuple(v for v in values if isinstance(v, Tensor)))

    def _given(self, structure: Structure) -> Given:
        """What `forward` was called with when it was traced."""
        wanted = [tensor.spec for tensor in self.traced.inputs]
        attempts = given_for(
            structure, self.loaded, self.inputs, kwargs=self.kwargs, batch=self.batch
        )
        for given in attempts:
            if [spec_of(tensor) for tensor in given.tensors()] == wanted:
                return given
        raise RunFailed("the inputs that it was traced with cannot be made again")

    def _on_meta(self) -> Structure:
        if self.loaded.live:
            return Structure(_copy_on(META, guarding.without_wrappers(self.loaded.build())))
        built = build(self.loaded)
        if built.rung == "meta" and all(tensor.is_meta for tensor in built.structure.tensors):
            return built.structure
        return Structure(_copy_on(META, built.structure.model))

    def _on_cpu(self) -> Structure:
        if self.loaded.live:
            model = guarding.without_wrappers(self.loaded.build())
            check_memory(Structure(model), IN_EARNEST)
            if self.depends_on_values:
                return Structure(copy.deepcopy(model).to("cpu"))
            return Structure(_copy_on(torch.device("cpu"), model))
        check_memory(build(self.loaded).structure, IN_EARNEST)
        if self.depends_on_values:  # the same ones as in the trace
            torch.manual_seed(0)
            return Structure(build_really(self.loaded))
        with Unfilled():
            return Structure(build_really(self.loaded))


def _copy_on(device: torch.device, model: nn.Module) -> nn.Module:
    """A copy that shares nothing: parameters of any value, buffers with theirs where there are any.

    Raises:
        CnnInspectError: the model cannot be copied.
    """
    memo: dict[int, Any] = {}
    for parameter in model.parameters():
        twin = torch.empty_strided(
            parameter.shape, parameter.stride(), dtype=parameter.dtype, device=device
        )
        memo[id(parameter)] = nn.Parameter(twin, requires_grad=parameter.requires_grad)
    for buffer in model.buffers():
        has_values = not buffer.is_meta and device != META
        memo[id(buffer)] = (
            buffer.detach().to(device, copy=True)
            if has_values
            else torch.zeros(buffer.shape, dtype=buffer.dtype, device=device)
        )
    try:
        return copy.deepcopy(model, memo)
    except CnnInspectError:
        raise
    except Exception as problem:  # whatever the attributes of a module raise
        raise RunFailed(f"the module cannot be copied: {type(problem).__name__}") from problem


def _to_meta(tensor: Tensor) -> Tensor:
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=META)


def _to_cpu(tensor: Tensor) -> Tensor:
    if tensor.is_meta:
        return torch.randn(tensor.shape, dtype=tensor.dtype)
    return tensor.detach().to("cpu", copy=True)
