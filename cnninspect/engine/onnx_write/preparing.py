"""The network for real: with weights, of the dtype that is wanted, and with inputs to run on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.engine.bind_inputs import Given, converted, given_for
from cnninspect.engine.borrowing import Borrowed
from cnninspect.engine.building import build_really
from cnninspect.engine.free_memory import fits, memory_limit, peak_bytes
from cnninspect.engine.module_tree import Structure, parameters_of
from cnninspect.engine.onnx_write.axes import Feed
from cnninspect.engine.onnx_write.writing import sha256_of
from cnninspect.engine.process_state import Ledger, seed_generators
from cnninspect.engine.training import RealCopies
from cnninspect.engine.weights import load_weights
from cnninspect.errors import ExportFailed, RunFailed, UnknownChoice, first_line
from cnninspect.records.exports import ExportSettings
from cnninspect.records.models import LoadedModel
from cnninspect.records.traces import Trace

DTYPES = {
    "float32": torch.float32,
    "float64": torch.float64,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
"""What weights may be converted to."""
RANDOM_SOURCES = ("zoo", "torchvision", "timm", "hf")
"""Sources that build a network from its architecture alone."""
NO_SCRIPT = "export the network that the program was made from"
NO_CACHE = (
    "the forward pass without its cache of keys and values (use_cache=False): a file has no place "
    "for the cache's objects"
)
COPIES = 3
"""How often the weights are in memory at the same time while a file is made and compared."""


def network_for_real(
    ledger: Ledger, loaded: LoadedModel, settings: ExportSettings, trace: Trace
) -> nn.Module:
    """The network on the CPU as in testing, with its weights, until the ledger is closed.

    In a live one, copies take the place of all its tensors, which stay as they are.

    Raises:
        BuildFailed: it cannot be built.
        FileMissing, FileUnreadable, WeightsMismatch: the weights cannot be loaded.
        ExportFailed: it is TorchScript, or its weights are too large for this machine's memory.
        UnknownChoice: there is no such dtype.
    """
    if settings.dtype is not None and settings.dtype not in DTYPES:
        raise UnknownChoice("--dtype", settings.dtype, DTYPES)
    _check_memory(loaded, trace)
    seed_generators(settings.seed)
    module = build_really(loaded)
    if isinstance(module, torch.jit.ScriptModule):
        raise ExportFailed(loaded.info.reference, "it is a TorchScript program", hint=NO_SCRIPT)
    borrowed = Borrowed(ledger, module, is_live=loaded.live)
    borrowed.set_mode("eval")
    if loaded.live:
        borrowed.substitute(RealCopies(device=torch.device("cpu")))
    if settings.weights is not None:
        load_weights(module, settings.weights)
    if settings.dtype is not None:
        module = module.to(DTYPES[settings.dtype])
    for parameter in parameters_of(module):
        parameter.requires_grad_(False)
    return module


def weights_text(loaded: LoadedModel, settings: ExportSettings) -> str:
    """Where the weights come from: `random, seed 0`, or a file's name and digest."""
    if settings.weights is not None:
        return f"{settings.weights.name}, sha256 {sha256_of(settings.weights)}"
    file = Path(loaded.info.reference)
    if loaded.live and file.is_file():
        return f"those of the program: {file.name}, sha256 {sha256_of(file)}"
    if loaded.live:
        return "those of the module that was given"
    if loaded.info.source in RANDOM_SOURCES:
        return f"random, seed {settings.seed}"
    return f"as {loaded.info.reference} builds them, with seed {settings.seed}"


def _check_memory(loaded: LoadedModel, trace: Trace) -> None:
    memory = memory_limit()
    needed = sum(p.nbytes for layer in trace.layers for p in layer.parameters)
    if memory is not None and COPIES * needed > memory:
        raise ExportFailed(
            loaded.info.reference,
            f"its weights take {needed:,} bytes, {COPIES} times over while the file is made, "
            f"and this machine has {memory:,}",
        )


def feed_for(
    module: nn.Module,
    loaded: LoadedModel,
    inputs: Sequence[Any] | None,
    *,
    kwargs: Mapping[str, Any] | None,
    settings: ExportSettings,
    trace: Trace,
    ledger: Ledger,
) -> Feed:
    """Inputs that the network runs with; a decoder's cache is switched off.

    A network whose `trace` says that running it takes more memory than there is is not run.

    Raises:
        BadInput: the inputs are not possible, or could not be worked out.
        RunFailed: the network does not run with them.
    """
    structure = Structure(module)

    def attempts(times: int) -> Iterator[Given]:
        return given_for(
            structure,
            loaded,
            inputs,
            kwargs=kwargs,
            batch=times * settings.batch,
            is_checked=times == 1,
        )

    is_run = fits(peak_bytes(trace))
    failed: Exception | None = None
    for one, two in zip(attempts(1), attempts(2)):
        if failed is not None and not one.may_mend(failed):
            continue
        given = _made_real(one, settings.seed)
        notes: tuple[str, ...] = ()
        try:
            with torch.no_grad():
                if is_run and holds_cache(module(*given.args, **given.kwargs)):
                    without_cache(ledger, module)
                    notes = (NO_CACHE,)
                    module(*given.args, **given.kwargs)
        except Exception as problem:  # what forward raises; another size may do
            failed = failed or problem
            continue
        given = replace(given, notes=(*given.notes, *notes))
        return Feed(given, _names(given), _batch_axes(one.tensors(), two.tensors()))
    raise RunFailed(first_line(failed) if failed else "there is nothing to run it with") from failed


def holds_cache(made: Any) -> bool:
    """Whether a network of transformers returned an object that keeps keys and values."""
    values = made.values() if isinstance(made, dict) else made if isinstance(made, tuple) else ()
    return any(kind.__name__ == "Cache" for value in values for kind in type(value).__mro__)


def without_cache(ledger: Ledger, module: nn.Module) -> None:
    """Let a decoder of transformers return no keys and values for the steps that follow."""
    for part in module.modules():
        config: Any = getattr(part, "config", None)
        if getattr(config, "use_cache", False) is True:
            ledger.set(config, "use_cache", False)


def _made_real(given: Given, seed: int) -> Given:
    generator = torch.Generator().manual_seed(seed)

    def real(tensor: Tensor) -> Tensor:
        if not tensor.is_meta:
            return tensor.detach().cpu().clone()
        made = torch.randn(tensor.shape, generator=generator, dtype=torch.float32)
        return made.to(tensor.dtype)

    return Given(
        converted(given.args, real), converted(given.kwargs, real), given.names, given.notes
    )


def _names(given: Given) -> tuple[str, ...]:
    """A name for each tensor, as in a trace."""
    from cnninspect.engine.bind_inputs import named  # noqa: PLC0415

    names = given.names
    positional = [
        tensor.name
        for i, value in enumerate(given.args)
        for tensor in named(names[i] if i < len(names) else f"input{i}", value)
    ]
    return (*positional, *(tensor.name for tensor in named("", given.kwargs)))


def _batch_axes(one: Sequence[Tensor], two: Sequence[Tensor]) -> tuple[int | None, ...]:
    """Where the batch is in each tensor: the axis that is longer where the batch is.

    A tensor that was handed in has it first, if its size there is that of the others.
    """
    found = [
        next((i for i, (m, n) in enumerate(zip(a.shape, b.shape)) if m != n), None)
        for a, b in zip(one, two)
    ]
    sizes = {tensor.shape[axis] for tensor, axis in zip(one, found) if axis is not None}
    return tuple(
        0 if axis is None and tensor.dim() and (not sizes or tensor.shape[0] in sizes) else axis
        for tensor, axis in zip(one, found)
    )
