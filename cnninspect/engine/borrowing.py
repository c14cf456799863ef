"""A network for the time of a run, on whose modules and tensors the run may do as it likes.

No module is copied: what it is made of may not be copyable, and its hooks and closures would still
reach for the original.  Where a run needs other tensors (without memory, of another dtype, or such
as may be trained), they are put in place of the network's own, wherever those are held.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.engine.kinds import SCRIPT, UNINITIALISED
from cnninspect.engine.layouts import META
from cnninspect.engine.ledger import Ledger
from cnninspect.engine.leftovers import Leftovers
from cnninspect.engine.module_tree import Structure
from cnninspect.engine.restore_state import HeldState, code_state


class Borrowed:
    """A network that is given back as it was when the ledger is closed."""

    def __init__(self, ledger: Ledger, model: nn.Module, *given: Any) -> None:
        self.structure = Structure(model)
        """The network as it is now, with the tensors that were put into it."""
        self.ledger = ledger
        self._states: list[HeldState] = []
        self._code: HeldState | None = None
        self._is_code_changed = False
        self._flags: list[tuple[nn.Module, bool]] = []
        """Training flags of modules that only the code reaches."""
        self._leftovers = Leftovers()
        ledger.undo(lambda: self._leftovers.clear(self._restore_code))
        ledger.undo(self.restore)
        held = HeldState((), modules=self.structure.distinct_modules())
        self._states = [held, HeldState(given, beyond=held)]
        self._code = code_state(held)
        if self.structure.is_lazy():
            self.substitute(fresh_lazy)

    @property
    def modules(self) -> list[nn.Module]:
        """Every module that the network can reach, registered or not."""
        code = self._code.modules if self._code else []
        return [*self._states[0].modules, *code]

    def restore(self) -> None:
        """Put back everything that belongs to the network."""
        for state in self._states:
            state.restore()
        for module, flag in self._flags:
            _set_flag(module, flag)
        if self._is_code_changed:
            self._restore_code()

    def renew(self, mode: str) -> None:
        """Put back everything that a run that failed has left, and be ready for another one."""
        self.restore()
        self._leftovers.look(self._restore_code)
        self.structure = Structure(self.structure.model)
        if self.structure.is_lazy():
            self.substitute(fresh_lazy)
        self.set_mode(mode)

    def set_mode(self, mode: str) -> None:
        """Set the training flags, also of modules that are registered nowhere."""
        wanted = mode == "train"
        code = self._code.modules if self._code else []
        self._flags += [(m, m.training) for m in code if hasattr(m, "training")]
        for module in self.modules:
            _set_flag(module, wanted)

    def keep_values(self) -> None:
        """Note what is in the tensors that are no parameters, for a run that really computes.

        Such a run keeps what it is seen to write over; this is for what writes unseen.
        """
        for state in (*self._states, *([self._code] if self._code else [])):
            state.keep_values()

    def substitute(self, other: Callable[[Tensor], Tensor | None]) -> None:
        """Put other tensors in place of the network's own; None keeps one."""
        instead: dict[int, Tensor] = {}
        states = [self._states[0], *([self._code] if self._code else [])]
        for tensor in [tensor for state in states for tensor in state.tensors]:
            replacement = other(tensor)
            if replacement is not None and replacement is not tensor:
                instead[id(tensor)] = replacement
        if self._code is not None and any(id(tensor) in instead for tensor in self._code.tensors):
            self._is_code_changed = True
        for state in states:
            state.replace(instead)
        self.structure = Structure(self.structure.model)

    def _restore_code(self) -> None:
        if self._code is not None:
            self._code.restore()


def _set_flag(module: nn.Module, flag: bool) -> None:
    """Set a training flag, not by `train()`, nor by a `__setattr__` of the module's own."""
    if SCRIPT[type(module)]:
        if getattr(module, "training", flag) is not flag:  # frozen ones have none
            module.training = flag
    elif vars(module).get("training", flag) is not flag:
        vars(module)["training"] = flag


def fresh_lazy(tensor: Tensor, device: torch.device = META) -> Tensor | None:
    """A parameter that is still to get its shape in place of another one."""
    if not UNINITIALISED[type(tensor)]:
        return None
    fresh: Any = type(tensor)
    made: Tensor = fresh(device=device, dtype=tensor.dtype)
    return made
