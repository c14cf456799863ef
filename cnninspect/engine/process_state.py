"""What a run changes of the process, each change noted in a ledger before it is made.

Undoing twice does no harm, and a ledger is closed by two context managers, so that an interrupt at
any line, also of what puts back, is made up for by the other one.
"""

from __future__ import annotations

import gc
import os
import random
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch.nn.modules import module as hooks
from torch.optim import optimizer as steps
from torch.overrides import handle_torch_function

from cnninspect.engine import torch_private as private
from cnninspect.engine.torch_private import (
    _len_torch_function_stack,
    _pop_torch_function_stack,
    _push_on_torch_function_stack,
    python_dispatch,
)

Value = TypeVar("Value")
MISSING: Any = object()
"""In place of a value where there is none."""


class Ledger:
    """What is to be undone, last change first.  To be entered twice:

    `with Ledger() as ledger, ledger:`
    """

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def undo(self, function: Callable[[], object]) -> None:
        """Note, before a change, how it is undone; calling that twice must do no harm."""
        self._undo.append(function)

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Set an attribute, to be set back."""
        before = vars(owner).get(name, MISSING)
        self.undo(lambda: _set_back(owner, name, before))
        setattr(owner, name, value)

    def switch(self, *, to: Value, now: Callable[[], Value], by: Callable[[Value], Any]) -> None:
        """Switch a setting that one function reads and another one changes, to be switched back."""
        before = now()
        if before != to:
            self.undo(lambda: by(before))
            by(to)

    def enter(self, context: Any) -> Any:
        """Enter a context manager whose `__exit__` may be called twice, or without `__enter__`."""
        self.undo(lambda: context.__exit__(None, None, None))
        return context.__enter__()

    def close(self) -> None:
        """Undo everything; an interruption is raised only when all is done.

        Raises:
            Exception: the first that undoing something raised, once all the rest is undone.
        """
        problem: Exception | None = None
        interruption: BaseException | None = None
        while self._undo:
            try:
                self._undo[-1]()
            except Exception as raised:  # the others are to be undone all the same
                problem = problem or raised
            except BaseException as raised:  # what was cut short is undone anew
                interruption = raised
                continue
            self._undo.pop()
        if interruption is not None:
            raise interruption
        if problem is not None:
            raise problem


def _set_back(owner: Any, name: str, before: Any) -> None:
    if before is not MISSING:
        setattr(owner, name, before)
    elif name in vars(owner):
        delattr(owner, name)


RUNS = threading.RLock()
"""Held by the one run that is under way."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=RUNS._at_fork_reinit)  # type: ignore[attr-defined]

DISPATCH_FLAGS = (
    "_is_in_torch_dispatch_mode",
    "_is_in_non_infra_torch_dispatch_mode",
    "_is_in_any_mode_without_ignore_compile_internals",
)
HOOKS: tuple[dict[int, Any], ...] = (
    hooks._global_forward_hooks, hooks._global_forward_pre_hooks, steps._global_optimizer_pre_hooks,
)  # fmt: skip
HOOK_NOTES: tuple[dict[int, Any], ...] = (
    hooks._global_forward_hooks_with_kwargs, hooks._global_forward_hooks_always_called,
)  # fmt: skip
OF_OUR_HOOKS = "Using `torch.compile"
"""How the warning begins that global hooks see a compiled module twice, which does no harm here."""


def set_apart(ledger: Ledger, *, traces: bool = True) -> None:
    """Leave all modes of the caller, and note how everything is that a run may change.

    If it only `traces`, nothing is compiled meanwhile, and Python does not look for garbage.
    """
    if traces:
        _pause_garbage_collection(ledger)
        leave_compiler(ledger)
    _keep_environment(ledger)
    set_apart_modes(ledger)
    dtype = torch.get_default_dtype()
    ledger.undo(lambda: torch.set_default_dtype(dtype))
    if torch.is_anomaly_enabled():
        checks = torch.is_anomaly_check_nan_enabled()
        ledger.undo(lambda: torch.set_anomaly_enabled(True, checks))
        torch.set_anomaly_enabled(False)
    was_fast = torch.backends.mha.get_fastpath_enabled()
    ledger.undo(lambda: torch.backends.mha.set_fastpath_enabled(was_fast))
    ledger.undo(lambda: setattr(F, "handle_torch_function", handle_torch_function))
    _keep_global_hooks(ledger)
    here = threading.get_ident()
    divert_output(ledger, lambda: threading.get_ident() == here)


def set_apart_modes(ledger: Ledger) -> None:
    """Leave all modes of this thread, and note how those are that a run may change."""
    _leave_function_modes(ledger)
    _leave_dispatch_modes(ledger)
    ledger.enter(private._InferenceMode(False))
    had_gradients = torch.is_grad_enabled()
    ledger.undo(lambda: private._set_grad_enabled(had_gradients))
    _leave_autocast(ledger)
    _leave_saved_tensor_hooks(ledger)


def _pause_garbage_collection(ledger: Ledger) -> None:
    """Keep Python from looking for garbage: a trace makes many small objects and few cycles.

    What it made then counts as old, so that not all of it is looked through at once afterwards.
    """
    if not gc.isenabled():
        return
    has_frozen = gc.get_freeze_count()

    def resume() -> None:
        if not has_frozen:  # else what somebody froze would thaw as well
            gc.freeze()
            gc.unfreeze()
        gc.enable()

    ledger.undo(resume)
    gc.disable()


def _keep_environment(ledger: Ledger) -> None:
    before = os.environ.copy()

    def restore() -> None:
        now = os.environ.copy()
        for name in now.keys() - before.keys():
            os.environ.pop(name, None)
        for name, value in before.items():
            if now.get(name) != value:
                os.environ[name] = value

    ledger.undo(restore)


def _leave_function_modes(ledger: Ledger) -> None:
    before = _popped_function_modes()

    def restore() -> None:
        _popped_function_modes()
        for mode in reversed(before):
            _push_on_torch_function_stack(mode)

    ledger.undo(restore)


def _popped_function_modes() -> list[Any]:
    """Modes for functions, innermost first, taken off their stack."""
    return [_pop_torch_function_stack() for _ in range(_len_torch_function_stack())]


def _leave_dispatch_modes(ledger: Ledger) -> None:
    before = private._get_current_dispatch_mode_stack()
    flags = {
        name: getattr(python_dispatch, name)
        for name in DISPATCH_FLAGS
        if hasattr(python_dispatch, name)
    }

    def restore() -> None:
        now = private._get_current_dispatch_mode_stack()
        if len(now) == len(before) and all(a is b for a, b in zip(now, before)):
            return
        for _ in now:
            private._pop_mode()
        for mode in before:
            private._push_mode(mode)
        if now:  # a mode was left without its own way out, which would have seen to these
            vars(python_dispatch).update(flags)

    ledger.undo(restore)
    for _ in before:
        private._pop_mode()


def _leave_autocast(ledger: Ledger) -> None:
    ledger.undo(torch.clear_autocast_cache)  # it may hold fake tensors in place of cast weights
    if not private._is_any_autocast_enabled():
        return
    torch.clear_autocast_cache()
    for device in private._autocast_supported_devices():
        if torch.is_autocast_enabled(device):
            ledger.undo(lambda device=device: torch.set_autocast_enabled(device, True))  # type: ignore[misc]
            torch.set_autocast_enabled(device, False)


def _leave_saved_tensor_hooks(ledger: Ledger) -> None:
    before = _popped_saved_tensor_hooks()

    def restore() -> None:
        _popped_saved_tensor_hooks()
        for pack, unpack in reversed(before):
            private._autograd._push_saved_tensors_default_hooks(pack, unpack)

    ledger.undo(restore)


def _popped_saved_tensor_hooks() -> list[tuple[Any, Any]]:
    popped: list[tuple[Any, Any]] = []
    innermost: Any = private._autograd._top_saved_tensors_default_hooks
    while (pair := innermost(False)) is not None:
        popped.append(pair)
        private._autograd._pop_saved_tensors_default_hooks()
    return popped


def _keep_global_hooks(ledger: Ledger) -> None:
    """See that none of our hooks stays, nor what PyTorch notes with a hook and forgets to drop."""
    before = {id(notes): set(notes) for notes in (*HOOKS, *HOOK_NOTES)}

    def restore() -> None:
        for known in HOOKS:
            for key, hook in tuple(known.items()):
                if key not in before[id(known)] and _is_ours(hook):
                    known.pop(key, None)
        for notes in HOOK_NOTES:
            for key in tuple(notes):
                if key not in before[id(notes)] and key not in hooks._global_forward_hooks:
                    notes.pop(key, None)

    ledger.undo(restore)


def _is_ours(hook: Any) -> bool:
    return str(getattr(hook, "__module__", "")).startswith("cnninspect.")


def leave_compiler(ledger: Ledger) -> None:
    """Keep compiled functions and modules from being compiled, and from running compiled code.

    A compiler sees no modes, and cannot compile what they stand for.  Where nothing was compiled,
    it is not imported for this: that takes a second.
    """
    set_stance = getattr(torch.compiler, "set_stance", None)
    if "torch._dynamo" not in sys.modules or set_stance is None:
        return
    filters = warnings.filters[:]
    ledger.undo(lambda: _set_filters(filters))
    warnings.filterwarnings("ignore", OF_OUR_HOOKS, UserWarning)
    ledger.enter(set_stance("force_eager"))


def _set_filters(filters: Any) -> None:
    if warnings.filters != filters:
        warnings.filters[:] = filters  # type: ignore[index]
        warnings._filters_mutated()  # type: ignore[attr-defined]


class RandomStates:
    """The states of the random generators of PyTorch, Python and NumPy, to be put back."""

    def __init__(self, ledger: Ledger) -> None:
        self.is_drawn_from = True
        """Whether a run drew from PyTorch's own, which other threads may use meanwhile."""
        self._torch, self._python = torch.get_rng_state(), random.getstate()
        self._seed = torch.initial_seed()
        self._cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
        self._numpy = sys.modules.get("numpy.random")
        self._numpy_state = self._numpy.get_state() if self._numpy else None
        ledger.undo(self._restore)

    def _restore(self) -> None:
        if self.is_drawn_from or torch.initial_seed() != self._seed:
            torch.set_rng_state(self._torch)
        if self._cuda is not None:
            torch.cuda.set_rng_state_all(self._cuda)
        random.setstate(self._python)
        if self._numpy is not None:
            self._numpy.set_state(self._numpy_state)


def seed_generators(seed: int) -> None:
    """Start PyTorch's random numbers anew; on other devices than the CPU only where they are used.

    `torch.manual_seed` also changes what CUDA will draw later, whenever it is first used.
    """
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)


class ByThread:
    """A stream that is one for the threads of a run, and another for all others."""

    def __init__(self, inside: Any, outside: Any, is_inside: Callable[[], bool]) -> None:
        self._streams, self._is_inside = (outside, inside), is_inside

    def __getattr__(self, name: str) -> Any:
        return getattr(self._streams[self._is_inside()], name)

    def __iter__(self) -> Any:
        return iter(self._streams[self._is_inside()])


def divert_output(ledger: Ledger, is_inside: Callable[[], bool]) -> None:
    """Send to stderr what the threads of a run print: what a network prints is no report."""
    before, stream = sys.stdout, ByThread(sys.stderr, sys.stdout, is_inside)

    def restore() -> None:
        if sys.stdout is stream:
            sys.stdout = before

    ledger.undo(restore)
    sys.stdout = stream
