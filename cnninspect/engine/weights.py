"""Loads the weights of a file into a network, without running anything that the file holds."""

from __future__ import annotations

import os
import pickle
import re
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.checkpoints import kind_of, read_checkpoint
from cnninspect.errors import FileUnreadable, MissingLibrary, WeightsMismatch
from cnninspect.records.checkpoint import Misshaped, WeightsReport
from cnninspect.records.operations import typed_shape

STATE_KEYS = (
    "state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "params",
    "state_dict_ema", "model_ema", "ema",
)  # fmt: skip
"""Where training scripts keep the weights of a network among other things."""
WRAPPERS = {
    "module.": "nn.DataParallel",
    "_orig_mod.": "torch.compile",
}
"""What is put before every name of a network that is wrapped when it is saved."""
LOADED = ("safetensors", "checkpoint", "legacy pickle")
LOADABLE = "weights are loaded from files of safetensors and of torch.save"
OLD_NAMES = ((re.compile(r"(\bdenselayer\d+\.(?:norm|conv))\.(\d)\."), r"\1\2."),)
"""Names in torchvision's published files that its networks no longer use: those of DenseNet."""


def load_weights(
    module: nn.Module, path: str | os.PathLike[str], *, strict: bool = True
) -> WeightsReport:
    """Fills a network with the weights of a file, and says what did not fit.

    A table of tensors is looked for under the keys that training scripts use, and the prefixes of
    wrappers are taken off.  Where a weight is shared, one of its names is enough; batch
    normalisation may lack its count of batches, as in old files.  Not `strict`: what fits is
    loaded and the rest is only reported.

    Raises:
        FileMissing: there is no such file.
        FileUnreadable: it holds no weights, or torch's safe loading refuses it.
        WeightsMismatch: something is missing, unexpected or of another shape; nothing was loaded.
    """
    wanted = tensors_of(module)
    if any(tensor.is_meta for tensor in wanted.values()):
        raise ValueError("the network is on the meta device: there is no memory for its weights")
    stored, report = fitted(wanted, path)
    if strict:
        require_fit(report)
    odd = {item.name for item in report.misshaped}
    fitting = {n: t for n, t in stored.items() if n in wanted and n not in odd}
    with torch.no_grad():
        for name, tensor in fitting.items():
            wanted[name].copy_(tensor)
    return report


def check_weights(module: nn.Module, path: str | os.PathLike[str]) -> WeightsReport:
    """How the weights of a file fit a network, of which only names and shapes are looked at.

    Raises:
        FileMissing, FileUnreadable, WeightsMismatch: as `load_weights` does.
    """
    _, report = fitted(tensors_of(module), path)
    require_fit(report)
    return report


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """The parameters and buffers that a checkpoint of this network holds, by name."""
    state = module.state_dict(keep_vars=True)
    return {name: tensor for name, tensor in state.items() if isinstance(tensor, Tensor)}


def fitted(
    wanted: Mapping[str, Tensor], path: str | os.PathLike[str]
) -> tuple[dict[str, Tensor], WeightsReport]:
    """The tensors of a file by the names of the network, and how they fit it."""
    stored, notes = under_names_of(wanted, table_of(read_state(path), path))
    return stored, compared(path, wanted, stored, notes)


def require_fit(report: WeightsReport) -> None:
    """Raise unless every tensor found its place.

    Raises:
        WeightsMismatch: something is missing, unexpected or of another shape.
    """
    if not report.fits:
        raise WeightsMismatch(
            report.path,
            missing=report.missing,
            unexpected=report.unexpected,
            misshaped=[describe(item) for item in report.misshaped],
            hint=hint_for(report),
        )


def read_state(path: str | os.PathLike[str]) -> Any:
    """What a file of safetensors or torch.save holds, on the CPU.

    Raises:
        FileMissing: there is no such file.
        FileUnreadable: it is neither, or holds more than tensors and plain values.
    """
    return read_safetensors(path) if is_safetensors(path) else read_pickled(path)


def is_safetensors(path: str | os.PathLike[str]) -> bool:
    """Whether a file of weights is one of safetensors; else it is one of torch.save.

    Its table is read first by our own reader, which knows bounds and refuses what two readers could
    read differently: no other loader gets to see such a file.

    Raises:
        FileMissing, FileUnreadable: it cannot be read as weights.
    """
    read_checkpoint(path)
    kind = kind_of(path)
    if kind not in LOADED:
        raise FileUnreadable(path, f"it is a file of another kind: {kind}", LOADABLE)
    return kind == "safetensors"


def read_safetensors(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a file of safetensors."""
    try:
        from safetensors import SafetensorError  # noqa: PLC0415
        from safetensors.torch import load_file  # noqa: PLC0415
    except ImportError as error:
        raise MissingLibrary("safetensors", "vision", "loading weights from safetensors") from error
    try:
        return load_file(path, device="cpu")
    except (SafetensorError, OSError) as error:
        raise FileUnreadable(path, f"safetensors: {error}") from error


def read_pickled(
    path: str | os.PathLike[str], *, device: Any = "cpu", mmap: bool | None = None
) -> Any:
    """What a file of torch.save holds, if that is tensors and plain values."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an unusual protocol either works or raises
            return torch.load(path, map_location=device, weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:
        found = re.search(r"(?:Unsupported|WeightsUnpickler error)[^\n]{3,120}", str(error))
        raise FileUnreadable(
            path,
            f"torch.load(weights_only=True) refuses it: {found[0] if found else 'it may run code'}",
            f"cnninspect summary {path} lists what it asks for",
        ) from error
    except Exception as error:  # torch raises many kinds for a file that is not its own
        problem = str(error).partition("\n")[0][:200]
        raise FileUnreadable(path, f"torch.load: {problem or type(error).__name__}") from error


def table_of(state: Any, path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors by name in what a file holds, at its top or under one of the usual keys.

    Raises:
        FileUnreadable: there is no such table.
    """
    for key in (None, *STATE_KEYS):
        table = state if key is None else state.get(key) if isinstance(state, Mapping) else None
        if isinstance(table, Mapping):
            tensors = {str(name): t for name, t in table.items() if isinstance(t, Tensor)}
            if tensors:
                return tensors
    raise FileUnreadable(
        path, "it holds no table of tensors", f"the table may be under {', '.join(STATE_KEYS)}"
    )


def under_names_of(
    wanted: Mapping[str, Tensor], stored: dict[str, Tensor]
) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors of a file under the names that the network gives them, and what was done."""
    notes = []
    for _ in WRAPPERS:  # a wrapped network may be wrapped again
        for prefix, wrapper in WRAPPERS.items():
            if all(name.startswith(prefix) for name in stored) and not any(
                name.startswith(prefix) for name in wanted
            ):
                stored = {name.removeprefix(prefix): t for name, t in stored.items()}
                notes.append(f"{prefix!r} was taken off every name, which {wrapper} puts there")
    for pattern, new in OLD_NAMES:
        stored = {n if n in wanted else pattern.sub(new, n): t for n, t in stored.items()}
    return stored, notes


def compared(
    path: str | os.PathLike[str],
    wanted: Mapping[str, Tensor],
    stored: Mapping[str, Tensor],
    notes: list[str],
) -> WeightsReport:
    """How the tensors of a file fit those of a network."""
    filled = {id(wanted[name]) for name in stored if name in wanted}
    misshaped = tuple(
        Misshaped(name, tuple(tensor.shape), tuple(wanted[name].shape))
        for name, tensor in stored.items()
        if name in wanted and tensor.shape != wanted[name].shape
    )
    return WeightsReport(
        path=os.fspath(path),
        loaded=sum(name in wanted for name in stored) - len(misshaped),
        missing=tuple(
            name
            for name, tensor in wanted.items()
            if id(tensor) not in filled and not name.endswith("num_batches_tracked")
        ),
        unexpected=tuple(name for name in stored if name not in wanted),
        misshaped=misshaped,
        notes=tuple(notes),
    )


def describe(item: Misshaped) -> str:
    """`fc.weight: 10x512, not 1000x512`."""
    stored, wanted = (typed_shape(s) or "scalar" for s in (item.stored, item.wanted))
    return f"{item.name}: {stored}, not {wanted}"


def hint_for(report: WeightsReport) -> str:
    """What to try next."""
    for prefix, wrapper in WRAPPERS.items():
        if report.unexpected and all(name.startswith(prefix) for name in report.unexpected):
            return f"{wrapper} puts {prefix!r} before names: save the state_dict of what it wraps"
    if report.misshaped and not (report.missing or report.unexpected):
        first = report.misshaped[-1]
        if first.stored[1:] == first.wanted[1:] and first.stored:
            return f"does its last layer have {first.stored[0]} outputs? as in @num_classes=…"
    return "is it the same architecture, with the same settings?"
