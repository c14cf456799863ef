"""Keeps a model that is being built from the network: nothing is ever downloaded.

Only the thread that builds is kept from it.  Unix sockets, which reach no other machine, stay open.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
"""What tells libraries to look for files on this machine only."""
SWITCHES = (("huggingface_hub.constants", "HF_HUB_OFFLINE"),)
"""The same where a library has read its environment already: module and name."""
LOOK_UPS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex")
"""Functions of `socket` that ask a name server."""
CONNECTS = ("connect", "connect_ex")
"""Methods of a socket that reach for another machine."""


class NetworkRefused(OSError):
    """The model reached for the network while it was being built.

    As where there is no network, so that code which only asks whether there is one goes on.
    """

    def __init__(self, address: object) -> None:
        super().__init__(f"it reaches for the network ({address})")
        self.address = address


class LookUpRefused(NetworkRefused, socket.gaierror):
    """It asked a name server."""


class Refusals:
    """What was refused: the addresses, as `host:port`."""

    def __init__(self) -> None:
        self.addresses: list[str] = []

    def refuse(
        self, address: object, kind: type[NetworkRefused] = NetworkRefused
    ) -> NetworkRefused:
        """The error of a kind to raise for an address."""
        where = ":".join(map(str, address[:2])) if isinstance(address, tuple) else str(address)
        self.addresses.append(where)
        return kind(where)


@contextmanager
def no_network() -> Iterator[Refusals]:
    """Refuse every connection that this thread asks for, and say which were refused."""
    refusals, thread = Refusals(), threading.get_ident()
    outer = _guards.enter(thread, refusals)
    try:
        yield refusals
    finally:
        _guards.leave(thread, outer)


class _Guards:
    """Stands between `socket` and the threads that are kept from it, while there are any."""

    def __init__(self) -> None:
        self.by_thread: dict[int, Refusals] = {}
        self.lock = threading.Lock()
        self.originals: list[tuple[Any, str, Any]] = []
        self.environment: dict[str, str | None] = {}

    def enter(self, thread: int, refusals: Refusals) -> Refusals | None:
        """Keep a thread from the network; returns what kept it from there before."""
        with self.lock, nullcontext():  # whose way out an interrupt may skip, not the lock's
            if not self.by_thread:
                self._patch()
            outer = self.by_thread.get(thread)
            self.by_thread[thread] = refusals
            return outer

    def leave(self, thread: int, outer: Refusals | None) -> None:
        """Let a thread go, or leave it to what kept it from the network before."""
        with self.lock, nullcontext():  # whose way out an interrupt may skip, not the lock's
            if outer is not None:
                self.by_thread[thread] = outer
                return
            del self.by_thread[thread]
            if not self.by_thread:
                self._restore()

    def check(self, address: object, kind: type[NetworkRefused] = NetworkRefused) -> None:
        """Raise for a thread that is kept from the network."""
        refusals = self.by_thread.get(threading.get_ident())
        if refusals is not None:
            raise refusals.refuse(address, kind)

    def _patch(self) -> None:
        self.environment = {name: os.environ.get(name) for name in OFFLINE}
        os.environ.update(OFFLINE)
        switches: list[tuple[Any, str]] = [
            (sys.modules[name], switch) for name, switch in SWITCHES if name in sys.modules
        ]
        places: list[tuple[Any, str]] = [(socket, name) for name in LOOK_UPS]
        places += [(socket.socket, name) for name in CONNECTS]
        self.originals = [
            (holder, name, vars(holder).get(name)) for holder, name in places + switches
        ]
        for name in LOOK_UPS:
            setattr(socket, name, self._look_up(getattr(socket, name)))
        for name in CONNECTS:
            setattr(socket.socket, name, self._connect(getattr(socket.socket, name)))
        for module, name in switches:
            setattr(module, name, True)

    def _restore(self) -> None:
        for holder, name, original in self.originals:
            if original is None:  # a method that the class had inherited
                delattr(holder, name)
            else:
                setattr(holder, name, original)
        for name, value in self.environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def _look_up(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
            self.check((host, *args[:1]), LookUpRefused)
            return original(host, *args, **kwargs)

        return look_up

    def _connect(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def connect(itself: socket.socket, address: Any) -> Any:
            if itself.family != getattr(socket, "AF_UNIX", None):
                self.check(address)
            return original(itself, address)

        return connect


_guards = _Guards()
