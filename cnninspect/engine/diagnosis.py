"""Says why a run failed, in terms of the layer that was running and the line that was reached."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import torch
from torch import nn

from cnninspect.engine.module_stack import Watch
from cnninspect.engine.module_tree import type_name
from cnninspect.engine.recording import Recorder, ValueNeeded
from cnninspect.errors import RunFailed, ShapeMismatch, first_line
from cnninspect.records.operations import TensorSpec, shape_text
from cnninspect.records.traces import Trace

OF_PYTHON = (
    AttributeError, TypeError, NameError, LookupError, ValueError, AssertionError, ImportError,
    ArithmeticError,
)  # fmt: skip
"""What code raises that is wrong, whatever the numbers are."""
TORCH = str(Path(torch.__file__).parent)
HERE = str(Path(__file__).parents[1])
LONGEST_LINE = 100


def explain_failure(
    problem: Exception, model: nn.Module, watch: Watch, trace_so_far: Callable[[], Trace]
) -> RunFailed:
    """The error to raise for what `forward` raised: with the layer, what it got and wants."""
    failed = watch.failed_by(problem)
    path, inputs = failed or ("", ())
    module = watch.structure.modules.get(path, model)
    kind = type_name(module)
    wanted = wanted_by(module, inputs[0]) if inputs else None
    if wanted is not None:
        got = ", ".join(shape_text(spec.shape) for spec in inputs[:1])
        return ShapeMismatch(
            layer=path, layer_type=kind, got=got, wanted=wanted, trace=trace_so_far()
        )
    return RunFailed(
        with_line(problem),
        layer=path,
        layer_type=kind,
        trace=trace_so_far(),
        hint=hint_for(problem),
    )


def is_hopeless(problem: Exception, recorder: Recorder | None = None) -> bool:
    """Whether the same error would come of real numbers too: it is a mistake in Python.

    Not where a question about values went unanswered before, nor where it was raised by the parts
    of PyTorch that only fake tensors reach, or by this package.
    """
    if isinstance(problem, ValueNeeded) or (
        recorder is not None and (recorder.refused is not None or recorder.gave_arrays)
    ):
        return False
    *_, (file, _) = [("", 0), *_frames(problem)]
    if isinstance(problem, NotImplementedError):
        return file.startswith(TORCH) and "forward" in str(problem)
    if not isinstance(problem, OF_PYTHON) or "meta" in str(problem):
        return False
    return not file.startswith((HERE, f"{TORCH}/_"))


def with_line(problem: BaseException) -> str:
    """What an error says, with the line of the network's own code where it was raised."""
    text = first_line(problem)
    line = own_line(problem)
    return f"{text} ({line})" if line else text


def own_line(problem: BaseException) -> str:
    """File, number and text of the deepest line that belongs to neither PyTorch nor this package.

    Empty where there is none.
    """
    for file, number in reversed(list(_frames(problem))):
        if not file.startswith((TORCH, HERE, "<")) and Path(file).is_file():
            text = linecache.getline(file, number).strip()
            text = text if len(text) <= LONGEST_LINE else f"{text[: LONGEST_LINE - 1]}…"
            return f"{Path(file).name}, line {number}: {text}"
    return ""


def hint_for(problem: BaseException) -> str:
    """What to type next after an error of that kind; empty for what is usual."""
    if isinstance(problem, MemoryError) or "allocate memory" in str(problem):
        return "a smaller one of its kind, by the settings after @, or a smaller batch may fit"
    if isinstance(problem, (AttributeError, NameError, ImportError)):
        return "--debug shows where it failed"
    return ""


def _frames(problem: BaseException) -> Iterator[tuple[str, int]]:
    trail: TracebackType | None = problem.__traceback__
    for frame, number in traceback.walk_tb(trail):
        yield frame.f_code.co_filename, number


def wanted_by(module: nn.Module, got: TensorSpec) -> str | None:
    """The shape that a layer wants where `got` does not fit it, in words; None where it fits."""
    shape = got.shape
    if isinstance(module, nn.Linear):
        fits = bool(shape) and shape[-1] == module.in_features
        return None if fits else f"…×{module.in_features}"
    if isinstance(module, nn.modules.conv._ConvNd):
        return _wanted_by_convolution(module, shape)
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        fits = len(shape) > 1 and shape[1] == module.num_features
        return None if fits else f"N×{module.num_features}×…"
    if isinstance(module, nn.LayerNorm):
        normalised = tuple(module.normalized_shape)
        return None if shape[-len(normalised) :] == normalised else f"…×{shape_text(normalised)}"
    if isinstance(module, nn.RNNBase):
        fits = len(shape) in (2, 3) and shape[-1] == module.input_size
        steps = "N×steps" if module.batch_first else "steps×N"
        return None if fits else f"{steps}×{module.input_size}"
    if isinstance(module, nn.modules.pooling._MaxPoolNd):
        kernel = module.kernel_size
        sizes = kernel if isinstance(kernel, tuple) else (kernel,)
        fits = all(size >= 1 for size in shape) and min(shape[-len(sizes) :]) >= max(sizes) // 2
        return (
            None
            if fits
            else f"at least {shape_text(sizes * (1 if len(sizes) > 1 else 2))} positions"
        )
    return None


def _wanted_by_convolution(module: nn.modules.conv._ConvNd, shape: tuple[int, ...]) -> str | None:
    rank = len(module.kernel_size)
    channels = module.in_channels
    wanted = "×".join(["N", str(channels), *"DHW"[3 - rank :]])
    if len(shape) not in (rank + 1, rank + 2) or shape[-rank - 1] != channels:
        return wanted
    if module.transposed or isinstance(module.padding, str):
        return None
    spans = [d * (k - 1) + 1 for k, d in zip(module.kernel_size, module.dilation)]
    if any(s + 2 * p < span for s, p, span in zip(shape[-rank:], module.padding, spans)):
        smallest = tuple(max(span - 2 * p, 1) for p, span in zip(module.padding, spans))
        return f"at least {shape_text(smallest)} positions"
    return None
