"""Automatic mixed precision for abstract tensors.

PyTorch's autocast goes by the device that a tensor is on, and knows none for abstract ones.  This
follows the rules that it has on CUDA: products in the narrow dtype, what needs range or precision
in float32, the rest in the widest dtype of its arguments.
Source: https://docs.pytorch.org/docs/stable/amp.html, "CUDA Op-Specific Behavior".
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cnninspect.engine.bind_inputs import converted
from cnninspect.engine.devices import Devices

NARROW = frozenset(
    (
        "__matmul__", "__rmatmul__", "addbmm", "addmm", "addmv", "addr", "baddbmm", "bmm",
        "chain_matmul", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
        "conv_transpose3d", "gru_cell", "linear", "lstm_cell", "matmul", "mm", "mv", "prelu",
        "rnn_relu_cell", "rnn_tanh_cell", "scaled_dot_product_attention", "lstm", "gru", "rnn_tanh",
        "rnn_relu", "einsum",
    )
)  # fmt: skip
"""Functions whose float32 arguments are cast to the narrow dtype."""
WIDE = frozenset(
    (
        "__pow__", "__rpow__", "acos", "asin", "binary_cross_entropy_with_logits", "cosh",
        "cosine_embedding_loss", "cdist", "cosine_similarity", "cross_entropy", "cumprod", "cumsum",
        "dist", "erfinv", "exp", "expm1", "group_norm", "hinge_embedding_loss", "kl_div", "l1_loss",
        "layer_norm", "log", "log10", "log_softmax", "log1p", "log2", "margin_ranking_loss",
        "mse_loss", "multilabel_margin_loss", "multi_margin_loss", "nll_loss", "norm", "normalize",
        "pdist", "poisson_nll_loss", "pow", "prod", "reciprocal", "rsqrt", "sinh", "smooth_l1_loss",
        "soft_margin_loss", "softmax", "softmin", "softplus", "sum", "renorm", "tan",
        "triplet_margin_loss",
    )
)  # fmt: skip
"""Functions whose narrow arguments are cast to float32."""
FLOATS = (torch.float32, torch.float16, torch.bfloat16)


CPU_WIDE = frozenset(
    (
        "avg_pool3d", "binary_cross_entropy", "grid_sampler", "polar", "prod", "quantile",
        "nanquantile", "stft", "cdist", "trace", "view_as_complex", "cholesky", "inverse",
        "max_pool3d", "adaptive_avg_pool3d", "mse_loss", "cosine_embedding_loss", "nll_loss",
        "hinge_embedding_loss", "poisson_nll_loss", "smooth_l1_loss", "cross_entropy", "l1_loss",
        "huber_loss", "margin_ranking_loss", "soft_margin_loss", "triplet_margin_loss",
        "multi_margin_loss", "ctc_loss", "kl_div", "multilabel_margin_loss",
        "binary_cross_entropy_with_logits",
    )
)  # fmt: skip
"""The same on the CPU, which casts less.
Source: the same page, "CPU Ops that autocast to float32"."""


class NativeAutocast:
    """Does for fake tensors what `torch.autocast` does for those on the device that they show.

    PyTorch's own rules go by where a tensor is, and a fake one is nowhere.
    """

    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    def call(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """What a function returns for arguments that are cast as autocast would."""
        device = self._devices.shown.type
        name = getattr(func, "__name__", "")
        if "device" in kwargs or "pin_memory" in kwargs:
            kwargs = self._devices.placed(kwargs)
        if not torch.is_autocast_enabled(device) or name not in RULES:
            return func(*args, **kwargs)
        args, kwargs = self.cast(name, args, kwargs)
        torch.set_autocast_enabled(device, False)  # else it would cast again what is real
        try:
            return func(*args, **kwargs)
        finally:
            torch.set_autocast_enabled(device, True)

    def cast(self, name: str, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The arguments of a function of that name, cast where autocast is on."""
        device = self._devices.shown.type
        if not torch.is_autocast_enabled(device):
            return args, kwargs
        if name in NARROW:
            dtype = torch.get_autocast_dtype(device)

            def narrowed(tensor: Tensor) -> Tensor:
                return tensor.to(dtype) if tensor.dtype in FLOATS else tensor

            return converted(args, narrowed), converted(kwargs, narrowed)
        if name in (CPU_WIDE if device == "cpu" else WIDE):
            return converted(args, _widened), converted(kwargs, _widened)
        return args, kwargs


RULES = NARROW | WIDE | CPU_WIDE


class Autocast(TorchFunctionMode):
    """Casts the arguments of PyTorch's functions as autocast would."""

    def __init__(self, dtype: str) -> None:
        super().__init__()
        self.dtype: torch.dtype = getattr(torch, dtype)
        self._weights: dict[int, tuple[Tensor, Tensor]] = {}
        """The narrow copy of each trained weight, kept as autocast keeps it."""

    def forget(self) -> None:
        """Let go of the copies, as autocast does at its end, which is before the backward pass."""
        self._weights.clear()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in NARROW:
            args, kwargs = (converted(part, self._narrow) for part in (args, kwargs))
        elif name in WIDE:
            args, kwargs = (converted(part, _widened) for part in (args, kwargs))
        return func(*args, **kwargs)

    def _narrow(self, tensor: Tensor) -> Tensor:
        if tensor.dtype not in FLOATS or tensor.dtype == self.dtype:
            return tensor
        if not (isinstance(tensor, nn.Parameter) and tensor.requires_grad):
            return tensor.to(self.dtype)
        known = self._weights.get(id(tensor))
        if known is None:
            known = self._weights[id(tensor)] = (tensor, tensor.to(self.dtype))
        return known[1]


def _widened(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
