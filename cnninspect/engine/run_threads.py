"""Lets a run see what its network does in threads of its own, and nothing of other threads.

PyTorch's modes belong to a thread.  A thread that the network starts, or hands work to, gets those
of the one that it was started from; all others stay as they are and are not recorded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import get_ident
from typing import Any

import torch

from cnninspect.engine import torch_private as private
from cnninspect.engine.code_state import is_foreign
from cnninspect.engine.process_state import Ledger, set_apart_modes

PATIENCE_SECONDS = 10.0
"""How long a run waits for threads that its network started and did not wait for."""


class RunThreads:
    """The threads of a run: the one that it is in, and those that its network starts.

    `join` is called in each of the latter, with the thread that it was started from, and `leave` at
    its end.
    """

    def __init__(
        self, ledger: Ledger, join: Callable[[int, int], None], leave: Callable[[int], None]
    ) -> None:
        self._join, self._leave = join, leave
        self._members = {get_ident()}
        self._started: list[threading.Thread] = []
        start, submit = threading.Thread.start, ThreadPoolExecutor.submit

        def started(thread: threading.Thread) -> None:
            is_own = type(thread) is threading.Thread or not is_foreign(type(thread).__module__)
            if get_ident() in self._members and is_own:
                thread.run = self.followed(thread.run)  # type: ignore[method-assign]
                self._started.append(thread)
            start(thread)

        def submitted(pool: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
            if get_ident() not in self._members:
                return submit(pool, function, *args, **kwargs)
            followed = self.followed(function)
            members, self._members = self._members, set()  # the pool's own threads outlive a run
            try:
                return submit(pool, followed, *args, **kwargs)
            finally:
                self._members = members

        ledger.set(threading.Thread, "start", started)
        ledger.set(ThreadPoolExecutor, "submit", submitted)

    def followed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that does the same in whatever thread it is called, and is recorded."""
        parent = get_ident()
        functions = private._get_current_function_mode_stack()
        operators = private._get_current_dispatch_mode_stack()
        has_gradients = torch.is_grad_enabled()

        def follow(*args: Any, **kwargs: Any) -> Any:
            me = get_ident()
            if me in self._members:
                return function(*args, **kwargs)
            with Ledger() as ledger, ledger:
                set_apart_modes(ledger)
                ledger.undo(lambda: self._members.discard(me))
                ledger.undo(lambda: self._leave(me))
                self._members.add(me)
                self._join(me, parent)
                private._set_grad_enabled(has_gradients)
                for mode in functions:
                    private._push_on_torch_function_stack(mode)
                for mode in operators:
                    private._push_mode(mode)
                return function(*args, **kwargs)

        return follow

    def wait(self) -> list[str]:
        """Wait for the threads that were started; returns the names of those that go on."""
        for thread in self._started:
            thread.join(PATIENCE_SECONDS)
        return [thread.name for thread in self._started if thread.is_alive()]
