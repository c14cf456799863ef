"""What the functions of PyTorch that are caught get to work with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor

from cnninspect.engine.devices import Devices
from cnninspect.engine.recording import Recorder


class Catcher(Protocol):
    """The mode that catches functions, as those see it that say what is done instead."""

    recorder: Recorder
    """Where calls are written down."""
    devices: Devices
    """Where tensors are shown."""
    computes: bool
    """Whether operators really run."""
    differentiable: bool
    """Whether a backward pass follows."""

    def running(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What a function returns whose own calls are caught too."""

    def pass_on(self, func: Any, args: Any, kwargs: dict[str, Any] | None) -> Any:
        """What a function of PyTorch returns on a device that is here."""

    def cast(self, name: str, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The arguments of a function of that name as autocast would cast them, if it is on."""

    def set_data(self, tensor: Tensor, data: Tensor) -> None:
        """Give a tensor other data."""

    def recurrent(self, func: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """A recurrent layer as one call."""

    def attention(self, *args: Any, **kwargs: Any) -> Any:
        """Attention as one call."""

    def record_whole(
        self, name: str, named: dict[str, Any], layout: Callable[[], Any], run: Callable[[], Any]
    ) -> Any:
        """Record one call, whose result is `run` if anything is computed, else as `layout` says."""


Handler = Callable[[Catcher, Any, Any, dict[str, Any]], Any]
"""What is done instead of a function: gets the catcher, the function and its arguments."""
