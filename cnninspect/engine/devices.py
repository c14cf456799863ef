"""Shows each tensor on the device that was asked for, whether this machine has one or not.

A network that is only traced needs no GPU, and a fake tensor is on PyTorch's meta device, where no
network runs: code that asks `x.device.type == "cpu"`, `x.is_cuda` or `x.is_meta` would take a
branch that it takes nowhere else.  The functions of PyTorch that ask for a device or name one are
caught here.  Tensors are on the device that was asked for, the CPU by default; code that names
CUDA without asking whether there is one (`.cuda()`, `device="cuda"`) moves everything there.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from cnninspect.engine.layouts import MARK, META
from cnninspect.engine.process_state import Ledger
from cnninspect.engine.torch_private import _disable_current_modes

CPU = torch.device("cpu")
PLACE = "_cnninspect_place"
"""Attribute of a tensor that was put on another device than the rest."""
MISSING = re.compile(
    r"not compiled with \w+ enabled|No CUDA GPUs|no NVIDIA driver|without ATen_\w+ library"
    r"|Cannot access accelerator|requires a CUDA or other accelerator|type torch\.cuda\.\w+ not"
    r"|no HIP GPUs|MPS backend|no XPU devices|PyTorch is not linked with support for \w+ devices"
)
"""What PyTorch says where a device is named that this machine does not have."""


def is_missing_device(problem: BaseException) -> bool:
    """Whether an error says that this machine lacks a device which code names."""
    return MISSING.search(str(problem)) is not None


class Devices:
    """On which device the tensors of a run are shown."""

    def __init__(self, asked: str | None = None, *, real: torch.device | None = None) -> None:
        self.is_asked = asked is not None
        """Whether somebody chose, so that code in the network does not."""
        here = CPU if real is None else real
        self.shown = torch.device(asked) if asked else here
        """Where tensors seem to be."""
        self.shown = _with_index(self.shown)
        self.rewrites = real is None or real.type == "cpu"
        """Whether devices that code names become the CPU, where real tensors of a run are."""

    def of(self, tensor: Tensor) -> torch.device:
        """Where a tensor seems to be."""
        place = tensor.__dict__.get(PLACE)
        return self.shown if place is None else place

    def meet(self, device: torch.device) -> None:
        """Note that the code of the network names this device."""
        if not self.is_asked and device.type not in ("cpu", "meta"):
            self.shown = _with_index(device)

    def placed(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """The keywords of a function with a device that is here."""
        device = kwargs.get("device")
        if device is not None:
            device = _as_device(device)
            if device.type not in ("cpu", "meta"):
                self.meet(device)
                if self.rewrites:
                    kwargs = {**kwargs, "device": CPU}
        if kwargs.get("pin_memory") and self.rewrites:
            kwargs = {**kwargs, "pin_memory": False}
        return kwargs

    def moved(self, tensor: Tensor, device: torch.device) -> Tensor:
        """A tensor as it is on a device: a copy where it seems to be on another one."""
        self.meet(device)
        if self.of(tensor).type == device.type:
            return tensor
        copy = tensor.clone()
        copy.__dict__[PLACE] = device
        return copy


def _with_index(device: torch.device) -> torch.device:
    """The device as tensors name it: `cuda` is the first of its kind."""
    return torch.device("cuda:0") if str(device) == "cuda" else device


def _as_device(device: Any) -> torch.device:
    if isinstance(device, torch.device):
        return device
    return torch.device("cuda", device) if isinstance(device, int) else torch.device(device)


Handler = Callable[[Devices, Any, Any, dict[str, Any]], Any]


def _device(devices: Devices, func: Any, args: Any, _: Any) -> Any:
    return devices.of(args[0])


def _is_on(kind: str) -> Handler:
    return lambda devices, func, args, kwargs: devices.of(args[0]).type == kind


def _index(devices: Devices, func: Any, args: Any, _: Any) -> int:
    device = devices.of(args[0])
    return -1 if device.type == "cpu" else device.index or 0


def _type(devices: Devices, func: Any, args: Any, kwargs: Any) -> Any:
    """`x.type()` names a tensor's dtype and device, `x.type(…)` converts it."""
    tensor, *others = args
    wanted = others[0] if others else kwargs.get("dtype")
    if wanted is None:
        with _disable_current_modes():
            name: str = torch.empty(0, dtype=tensor.dtype).type()
        kind = devices.of(tensor).type
        return name if kind == "cpu" else name.replace("torch.", f"torch.{kind}.", 1)
    if isinstance(wanted, type) and not isinstance(wanted, torch.dtype):
        wanted = f"{wanted.__module__}.{wanted.__name__}"
    if isinstance(wanted, str):
        if wanted.startswith("torch.cuda."):
            devices.meet(torch.device("cuda"))
        wanted = getattr(torch, wanted.rpartition(".")[2]).dtype
    return tensor.to(wanted)


def _address(devices: Devices, func: Any, args: Any, kwargs: Any) -> int:
    tensor = args[0]
    if not tensor.is_meta:
        return int(func(*args, **kwargs))
    offset = tensor.storage_offset() * tensor.element_size()
    return int(tensor.untyped_storage()._cdata + offset)


def _to_cuda(devices: Devices, func: Any, args: Any, kwargs: Any) -> Any:
    if not devices.rewrites:
        return func(*args, **kwargs)
    device = args[1] if len(args) > 1 else kwargs.get("device")
    return devices.moved(args[0], torch.device("cuda") if device is None else _as_device(device))


def _to_cpu(devices: Devices, func: Any, args: Any, kwargs: Any) -> Any:
    return devices.moved(args[0], CPU) if devices.rewrites else func(*args, **kwargs)


def _to(devices: Devices, func: Any, args: Any, kwargs: Any) -> Any:
    tensor, *others = args
    wanted = kwargs.get("device")
    is_first = bool(others) and (
        isinstance(others[0], (str, torch.device))
        or (isinstance(others[0], int) and not isinstance(others[0], bool))
    )
    if is_first:
        wanted = others[0]
    if wanted is None or not devices.rewrites:
        return func(*args, **kwargs)
    device = _as_device(wanted)
    if device.type == "meta":
        return func(*args, **kwargs)
    tensor = devices.moved(tensor, device)
    here = META if tensor.is_meta else tensor.device
    if is_first:
        result = func(tensor, here, *others[1:], **kwargs)
    else:
        result = func(tensor, *others, **{**kwargs, "device": here})
    if PLACE in tensor.__dict__:
        result.__dict__[PLACE] = tensor.__dict__[PLACE]
    return result


def _pinned(devices: Devices, func: Any, args: Any, kwargs: Any) -> Any:
    return args[0] if devices.rewrites else func(*args, **kwargs)


def _get(name: str) -> Any:
    return getattr(Tensor, name).__get__


HANDLERS: dict[Any, Handler] = {
    _get("device"): _device,
    _get("is_cpu"): _is_on("cpu"),
    _get("is_cuda"): _is_on("cuda"),
    _get("is_meta"): _is_on("meta"),
    _get("is_mps"): _is_on("mps"),
    _get("is_xpu"): _is_on("xpu"),
    Tensor.get_device: _index,
    Tensor.type: _type,
    Tensor.data_ptr: _address,
    Tensor.cuda: _to_cuda,
    Tensor.cpu: _to_cpu,
    Tensor.to: _to,
    Tensor.pin_memory: _pinned,
}
"""By the function that is caught; each gets the devices, the function and its arguments."""


class Placement(TorchFunctionMode):
    """Catches those functions while a model is built, or is run for real."""

    def __init__(self, devices: Devices) -> None:
        super().__init__()
        self.devices = devices

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        handler = HANDLERS.get(func)
        if handler is not None:
            return handler(self.devices, func, args, kwargs or {})
        if kwargs:
            if "device" in kwargs or "pin_memory" in kwargs:
                kwargs = self.devices.placed(kwargs)
            return func(*args, **kwargs)
        return func(*args)


# --- functions of torch.cuda, which no mode sees ---

_pretending: dict[int, Devices] = {}
"""The devices of the run that each thread is in, by the number of the thread."""
_originals: list[tuple[Any, str, Any]] = []
_lock = threading.Lock()


class _Idle:
    """Stands in for a stream, an event or a device that a network waits for: nothing happens."""

    cuda_stream = 0

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __enter__(self) -> _Idle:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: None

    def elapsed_time(self, _: Any) -> float:
        """No time passes."""
        return 0.0

    def query(self) -> bool:
        """All is done."""
        return True


def _nothing(devices: Devices, *_: Any, **__: Any) -> None:
    return None


def _idle(devices: Devices, *_: Any, **__: Any) -> _Idle:
    return _Idle()


CUDA: dict[str, Callable[..., Any]] = {
    "is_available": lambda devices: devices.shown.type == "cuda",
    "device_count": lambda devices: int(devices.shown.type == "cuda"),
    "current_device": lambda devices: devices.shown.index or 0,
    "is_bf16_supported": lambda devices, *_, **__: devices.shown.type == "cuda",
    **dict.fromkeys(("synchronize", "set_device", "init", "empty_cache"), _nothing),
    **dict.fromkeys(
        ("current_stream", "default_stream", "Stream", "Event", "stream", "device"), _idle
    ),
}
"""What the functions of `torch.cuda` do in a run without CUDA."""


@contextmanager
def pretended(devices: Devices) -> Iterator[None]:
    """Answer this thread's calls of `torch.cuda` as if there were what is shown.

    Other threads get PyTorch's own answers.
    """
    if not devices.rewrites or "torch.cuda" not in sys.modules:
        yield
        return
    thread = threading.get_ident()
    outer = _pretending.get(thread)
    with _lock, UNSKIPPED:
        if not _pretending:
            _replace_functions()
        _pretending[thread] = devices
    try:
        yield
    finally:
        _go_back(thread, outer)


def keep_answers(ledger: Ledger) -> None:
    """Note that `torch.cuda` answers this thread at the end of a run as it does now."""
    thread = threading.get_ident()
    outer = _pretending.get(thread)
    ledger.undo(lambda: _go_back(thread, outer))


UNSKIPPED = nullcontext()
"""After a lock in one `with`: an interrupt at the end of the block may skip the last way out, which
is this one's, and never the lock's."""


def _go_back(thread: int, outer: Devices | None) -> None:
    """Let a thread have the answers that it had; doing so twice does no harm."""
    with _lock, UNSKIPPED:
        if outer is None:
            _pretending.pop(thread, None)
        else:
            _pretending[thread] = outer
        if not _pretending:
            for owner, name, original in reversed(_originals):
                setattr(owner, name, original)
            _originals.clear()


def _replace_functions() -> None:
    for name, ours in CUDA.items():
        original = getattr(torch.cuda, name, None)
        if original is not None:
            _originals.append((torch.cuda, name, original))
            setattr(torch.cuda, name, _answered_by(original, ours))
    for owner, module in ((torch, "torch"), (torch.cuda, "torch.cuda")):
        for kind in ("Float", "Double", "Half", "BFloat16"):
            original = getattr(owner, f"{kind}Tensor", None)
            if original is not None:
                _originals.append((owner, f"{kind}Tensor", original))
                setattr(owner, f"{kind}Tensor", _legacy_class(original, module, f"{kind}Tensor"))


@cache
def _answered_by(original: Any, ours: Callable[..., Any]) -> Any:
    def answer(*args: Any, **kwargs: Any) -> Any:
        devices = _pretending.get(threading.get_ident())
        return original(*args, **kwargs) if devices is None else ours(devices, *args, **kwargs)

    return answer


@cache
def _legacy_class(original: Any, module: str, name: str) -> Any:
    """A class like `torch.FloatTensor`, of which fake tensors of that dtype are instances too."""

    class Kind(type):
        def __instancecheck__(cls, value: Any) -> bool:
            devices = _pretending.get(threading.get_ident())
            if devices is None or not isinstance(value, Tensor) or MARK not in value.__dict__:
                return isinstance(value, original)
            kind = "cuda" if module == "torch.cuda" else "cpu"
            return value.dtype == original.dtype and devices.of(value).type == kind

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            devices = _pretending.get(threading.get_ident())
            if devices is None or module == "torch":
                return original(*args, **kwargs)
            devices.meet(torch.device("cuda"))
            return getattr(torch, name)(*args, **kwargs)

    return Kind(name, (), {"__module__": module, "dtype": original.dtype})
