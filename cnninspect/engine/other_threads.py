"""Lets other threads use the modules of a live network only before and after a run borrows them.

While a run is under way, a network has other training flags, and perhaps fake tensors in place of
its weights.  A thread that trains the very same network meanwhile would compute with those.  So it
waits with its next pass, and the run waits until a pass or step that was under way is over.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import get_ident
from types import FrameType
from typing import Any

from torch import Tensor, nn
from torch.nn.modules import module as hooks
from torch.optim import Optimizer
from torch.optim import optimizer as steps

from cnninspect.engine.layouts import MARK
from cnninspect.engine.process_state import Ledger
from cnninspect.engine.recording import tensors_in

PATIENCE_SECONDS = 10.0
"""How long threads wait for each other where none gets any further: one may hold a lock that the
network wants, or do work that the network waits for."""
PAUSE_SECONDS = 0.001
CALLS = ("inner", "_call_impl", "_wrapped_call_impl")
"""Functions between whoever calls a module and its hooks."""


class Bystanders:
    """The threads that are there when a run begins, but for its own; nothing if there are none."""

    def __init__(self, ledger: Ledger) -> None:
        self._runner = me = get_ident()
        self.threads = {t.ident for t in threading.enumerate() if t.ident not in (None, me)}
        self._ledger = ledger
        self._over = threading.Event()
        self._waiting: set[int] = set()
        self._modules: set[int] = set()
        self._tensors: set[int] = set()
        if self.threads:
            ledger.undo(self._over.set)  # noted first, so that all else is put back by then

    def keep_out(self, modules: Iterable[nn.Module], tensors: Iterable[Tensor]) -> None:
        """Let these threads wait with passes through these modules, and steps that change them.

        Returns once none is in the middle of one.
        """
        if not self.threads:
            return
        self._modules, self._tensors = set(map(id, modules)), set(map(id, tensors))
        self._let_workers_in()
        self._ledger.undo(hooks.register_module_forward_pre_hook(self._before_pass).remove)
        before_step: Any = self._before_step
        self._ledger.undo(steps.register_optimizer_step_pre_hook(before_step).remove)
        patience = time.monotonic() + PATIENCE_SECONDS
        while self._are_inside() and time.monotonic() < patience:
            time.sleep(PAUSE_SECONDS)

    def _let_workers_in(self) -> None:
        """Follow work that the run hands to threads of a pool, which were there before."""
        submit = ThreadPoolExecutor.submit

        def working(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            me = get_ident()
            is_known = me in self.threads
            self.threads.discard(me)
            try:
                return function(*args, **kwargs)
            finally:
                self.threads.update([me] * is_known)

        def submitted(pool: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
            if get_ident() in self.threads:
                return submit(pool, function, *args, **kwargs)
            return submit(pool, working, function, *args, **kwargs)

        self._ledger.set(ThreadPoolExecutor, "submit", submitted)

    def _are_inside(self) -> bool:
        frames = sys._current_frames()
        inside = [t for t in self.threads if t in frames and self._is_inside(frames[t])]
        return any(thread not in self._waiting for thread in inside)

    def _is_inside(self, frame: FrameType | None) -> bool:
        """Whether a function that runs is a method of one of the modules, or of their optimizer."""
        while frame is not None:
            if self._is_ours(_owner_of(frame)):
                return True
            frame = frame.f_back
        return False

    def _is_ours(self, owner: Any) -> bool:
        if isinstance(owner, Optimizer):
            groups = vars(owner).get("param_groups") or ()
            return any(id(p) in self._tensors for group in groups for p in group["params"])
        return id(owner) in self._modules

    def _before_pass(self, module: nn.Module, args: Any) -> None:
        if (
            get_ident() in self.threads
            and id(module) in self._modules
            and not any(MARK in tensor.__dict__ for tensor in tensors_in(args))  # else of the run
        ):
            frame: FrameType | None = sys._getframe(1)
            while frame is not None and frame.f_code.co_name != "forward":
                if frame.f_code.co_name not in CALLS and _owner_of(frame) is not module:
                    break
                frame = frame.f_back
            self._wait(frame)

    def _before_step(self, optimizer: Optimizer, *_: Any) -> None:
        if get_ident() in self.threads and self._is_ours(optimizer):
            self._wait(sys._getframe(2))

    def _wait(self, caller: FrameType | None) -> None:
        """Wait for the end of the run, unless this thread was in the middle of a pass before."""
        if self._is_inside(caller):
            return
        me = get_ident()
        self._waiting.add(me)
        try:
            place, patience = None, 0.0
            while not self._over.wait(PAUSE_SECONDS):
                now = _place_of(self._runner)
                if now != place:
                    place, patience = now, time.monotonic() + PATIENCE_SECONDS
                elif time.monotonic() > patience:
                    self.threads.discard(me)
                    return
        finally:
            self._waiting.discard(me)


def _owner_of(frame: FrameType) -> Any:
    """Whose method it is that runs; None of a function."""
    is_method = frame.f_code.co_varnames[:1] == ("self",) and frame.f_code.co_argcount > 0
    return frame.f_locals.get("self") if is_method else None


def _place_of(thread: int) -> Any:
    """What tells whether a thread gets any further."""
    frame = sys._current_frames().get(thread)
    place: list[tuple[int, int]] = []
    while frame is not None:
        place.append((id(frame), frame.f_lasti))
        frame = frame.f_back
    return place
