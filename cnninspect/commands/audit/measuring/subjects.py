"""What other counters get to see: a model of our own making, with the inputs that were traced.

They change the modules that they are given: hooks, buffers and training flags stay behind.  So they
are given modules that are put back afterwards, with tensors that are nobody's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.engine.bind_inputs import Given, converted, given_for
from cnninspect.engine.borrowing import Borrowed, fresh_lazy
from cnninspect.engine.building import Unfilled, build, build_really, check_memory
from cnninspect.engine.layouts import META, UNINITIALISED, spec_of
from cnninspect.engine.module_tree import Structure, without_wrappers
from cnninspect.engine.process_state import Ledger, seed_generators
from cnninspect.engine.recording import tensors_in
from cnninspect.engine.torch_private import pytree
from cnninspect.engine.training import RealCopies, as_held
from cnninspect.errors import RunFailed
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
        self.__dict__["_template"] = pytree.tree_flatten((given.args, given.kwargs))

    def forward(self, *tensors: Tensor, by_keyword: Sequence[Tensor] = ()) -> Any:
        """Run the model on these tensors, in the order in which they were given."""
        values, structure = self.__dict__["_template"]
        fresh = iter((*tensors, *by_keyword))
        filled = [next(fresh) if isinstance(value, Tensor) else value for value in values]
        args, kwargs = pytree.tree_unflatten(filled, structure)
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

    def on(self, ledger: Ledger, device: str) -> Subject:
        """A subject whose weights and inputs are on `meta`, or on the `cpu` with any values.

        What counters leave in a live module is taken out again when the ledger is closed.

        Raises:
            CnnInspectError: it cannot be built, or its weights would not fit into memory.
        """
        model = self._on_meta(ledger) if device == "meta" else self._on_cpu(ledger)
        structure = Structure(model)
        given = self._given(structure)
        move = _to_meta if device == "meta" else _to_cpu
        moved = Given(*(converted(part, move) for part in (given.args, given.kwargs)))
        values, _ = pytree.tree_flatten((moved.args, moved.kwargs))
        if structure.is_lazy():  # counters go by classes, which these get by running
            with torch.no_grad():
                structure.model(*moved.args, **moved.kwargs)
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

    def _on_meta(self, ledger: Ledger) -> nn.Module:
        if self.loaded.live:
            return self._borrowed(ledger, self.loaded.build(), _emptied_on(META))
        built = build(self.loaded)
        is_there = built.rung == "meta" and all(t.is_meta for t in built.structure.tensors)
        return self._borrowed(
            ledger, built.structure.model, None if is_there else _emptied_on(META)
        )

    def _on_cpu(self, ledger: Ledger) -> nn.Module:
        if self.loaded.live:
            model = self.loaded.build()
            check_memory(Structure(model), IN_EARNEST)
            cpu = torch.device("cpu")
            copies = RealCopies(device=cpu) if self.depends_on_values else _emptied_on(cpu)
            return self._borrowed(ledger, model, copies)
        check_memory(build(self.loaded).structure, IN_EARNEST)
        if self.depends_on_values:  # the same ones as in the trace
            seed_generators(0)
            return self._borrowed(ledger, build_really(self.loaded), None)
        with Unfilled():
            return self._borrowed(ledger, build_really(self.loaded), None)

    def _borrowed(
        self,
        ledger: Ledger,
        model: nn.Module,
        other: Callable[[Tensor], Tensor | None] | None,
    ) -> nn.Module:
        """The model in its mode, with other tensors if they are needed."""
        borrowed = Borrowed(ledger, without_wrappers(model), self.inputs, self.kwargs)
        borrowed.set_mode(self.traced.mode)
        if other is not None:
            borrowed.substitute(other)
        return borrowed.structure.model


def _emptied_on(device: torch.device) -> Callable[[Tensor], Tensor | None]:
    """Gives parameters of any value, and other tensors with theirs where there are any."""
    copies = RealCopies(device=device)

    def other(tensor: Tensor) -> Tensor | None:
        if UNINITIALISED[type(tensor)]:
            return fresh_lazy(tensor, device)
        if isinstance(tensor, nn.Parameter):
            return as_held(
                torch.empty_strided(
                    tensor.shape, tensor.stride(), dtype=tensor.dtype, device=device
                ),
                tensor,
            )
        if device != META and not tensor.is_meta:
            return copies(tensor)
        return torch.zeros(tensor.shape, dtype=tensor.dtype, device=device)

    return other


def _to_meta(tensor: Tensor) -> Tensor:
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=META)


def _to_cpu(tensor: Tensor) -> Tensor:
    if tensor.is_meta:
        return torch.randn(tensor.shape, dtype=tensor.dtype)
    return tensor.detach().to("cpu", copy=True)
