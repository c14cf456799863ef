"""Whether a file computes what its network does: both are run on the same inputs, and compared.

Sizes along open axes are tried only where the memory for them is there, as predicted from traces.
Attention that is one operation in torch is written as matrix products in a file, whose scores are
tensors of their own, so the traces of both are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cnninspect.engine.bind_inputs import Given
from cnninspect.engine.free_memory import fits, free_bytes
from cnninspect.engine.onnx_write.axes import Feed
from cnninspect.engine.onnx_write.exporting import readable
from cnninspect.engine.torch_private import pytree
from cnninspect.errors import CnnInspectError, MissingLibrary
from cnninspect.records.exports import Verification

Sizes = Mapping[str, int]
Need = Callable[[Sizes], int]
"""From sizes along the open axes to the bytes that running takes beyond the weights."""


TOLERANCES = {
    torch.float64: 1e-7,
    torch.float32: 1e-4,
    torch.float16: 2e-2,
    torch.bfloat16: 1e-1,
}
"""What the largest difference may be, as a part of the largest output, by the weights' dtype: some
hundred times the rounding of one operation."""
SIZES = (1, 2, 3, 7)
"""Sizes of the batch and of sequences."""
LONGER = (32, 0, 1, 7)
"""What is added to the example's other sizes, such as height and width."""
FAINT = 10
"""Outputs that spread by less than so many tolerances over the inputs say little."""
DRAWS = 3
"""Random inputs where no size is open."""
BFLOAT16 = 16
"""ONNX's number of that type, which NumPy does not have."""
QUIET = 4
"""onnxruntime's level for fatal errors only: it warns of much that is none of a user's business."""


@dataclass(slots=True)
class Runs:
    """What came of running both."""

    verification: list[Verification] = field(default_factory=list)
    not_verified: str = ""
    """Why nothing could be run; empty where something was."""
    notes: list[str] = field(default_factory=list)
    wrong: Given | None = None
    """The inputs of the first run that differs."""
    hardly_depends: Given | None = None
    """Inputs of the example's size, where the outputs hardly depend on them: in a deep network
    without trained weights little may be left of the input at the end."""


class Session:
    """A file, ready to be run."""

    def __init__(self, path: Path) -> None:
        ort = runtime()
        options = ort.SessionOptions()
        options.log_severity_level = QUIET
        self._ort = ort
        self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.takes = {info.name for info in self._session.get_inputs()}
        self.gives = [info.name for info in self._session.get_outputs()]

    def run(self, names: Sequence[str], tensors: Sequence[Tensor]) -> list[Tensor]:
        """The outputs for these inputs, which go by these names."""
        given = {
            name: self._value(tensor) for name, tensor in zip(names, tensors) if name in self.takes
        }
        found = self._session.run_with_ort_values(self.gives, given)
        return [_tensor(value) for value in found]

    def _value(self, tensor: Tensor) -> Any:
        if tensor.dtype == torch.bfloat16:
            raw = tensor.contiguous().view(torch.int16).numpy().view("uint16")
            return self._ort.OrtValue.ortvalue_from_numpy_with_onnx_type(raw, BFLOAT16)
        return self._ort.OrtValue.ortvalue_from_numpy(tensor.contiguous().numpy())


def _tensor(value: Any) -> Tensor:
    if value.element_type() == BFLOAT16:
        raw = torch.from_numpy(np.array(value.numpy()).view(np.int16))
        return raw.view(torch.bfloat16)
    return torch.from_numpy(value.numpy())


def runtime() -> Any:
    """The module of onnxruntime.

    Raises:
        MissingLibrary: it is not installed.
    """
    try:
        import onnxruntime  # noqa: PLC0415 - an extra
    except ImportError as problem:
        raise MissingLibrary("onnxruntime", "verify", "comparing the file with the network") from (
            problem
        )
    return onnxruntime


def check_available() -> None:
    """See that the file can be run once it is there.

    Raises:
        MissingLibrary: onnxruntime is not installed.
    """
    runtime()


def compare(path: Path, module: nn.Module, feed: Feed, *, seed: int, need: Need) -> Runs:
    """Run the file and the network at several sizes; what the network does not take is left out.

    Sizes for which `need` predicts more memory than there is are replaced by smaller ones.
    """
    runs = Runs()
    tolerance = tolerance_of(module)
    session: Session | None = None
    for i, planned in enumerate(_affordable(feed, need, runs)):
        sizes = planned
        given = feed.drawn(sizes, seed + 1 + i)
        expected = outputs_of(module, given)
        if expected is None:
            runs.notes.append(f"the network does not run with {_text(sizes)}: not compared")
            sizes = _rounder(feed, sizes)
            given = feed.drawn(sizes, seed + 1 + i)
            expected = outputs_of(module, given) if fits(need(sizes)) else None
        if expected is None:
            continue
        try:
            session = session or Session(path)
            found = session.run(list(map(readable, feed.names)), given.tensors())
        except Exception as problem:  # onnxruntime's own errors have no common base
            if isinstance(problem, CnnInspectError):
                raise
            if type(problem).__name__ == "NotImplemented":
                runs.not_verified = f"onnxruntime cannot run it on the CPU: {reason_of(problem)}"
                return runs
            runs.notes.append(f"with {_text(sizes)} the file fails: {reason_of(problem)}")
            found = []
        batch = _batch(feed, given)
        result = _verified(expected, found, batch=batch, sizes=sizes, tolerance=tolerance)
        runs.verification.append(result)
        if not result.ok:
            runs.wrong = given
            break
    else:
        if runs.verification:
            runs.hardly_depends = _without_influence(module, feed, seed, tolerance)
    return runs


def _affordable(feed: Feed, need: Need, runs: Runs) -> list[dict[str, int]]:
    """The plans that memory suffices for; smaller batches, then the example's sizes, for others.

    Where it does not even suffice for those, nothing is run, and `runs` says so.
    """
    plans: list[dict[str, int]] = []
    for sizes in _plans(feed):
        smaller = next((s for s in _smaller(feed, sizes) if fits(need(s))), None)
        if smaller != sizes:
            runs.notes.append(
                f"running it with {_text(sizes)} takes about {need(sizes):,} bytes, predicted "
                f"from its trace, and {free_bytes():,} are free: "
                + (f"compared with {_text(smaller)}" if smaller else "not compared")
            )
        if smaller is not None and (smaller not in plans or not feed.open_axes):
            plans.append(smaller)
    if not plans:
        runs.not_verified = "this machine's memory does not suffice for running it"
    return plans


def _rounder(feed: Feed, sizes: Mapping[str, int]) -> dict[str, int]:
    """The sizes with each that is beyond the example's moved to the next step of 32 beyond it:
    many networks take only such, as they halve what they are given and put it together again.
    """
    example = feed.example
    return {
        name: size if name in ("batch", "sequence")
        else example[name] + 32 * -(-max(size - example[name], 0) // 32)
        for name, size in sizes.items()
    }  # fmt: skip


def _smaller(feed: Feed, sizes: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """The sizes, then smaller batches, then each batch with the example's other sizes."""
    yield dict(sizes)
    example = feed.example
    others = {**sizes, **{name: min(size, example[name]) for name, size in sizes.items()}}
    for kept in (sizes, {**others, "batch": sizes.get("batch", 1)}):
        for batch in sorted(SIZES, reverse=True):
            if "batch" in sizes and batch <= sizes["batch"]:
                yield {**kept, "batch": batch}
    if "batch" not in sizes:
        yield others


def _without_influence(module: nn.Module, feed: Feed, seed: int, tolerance: float) -> Given | None:
    """Inputs, where others give nearly the same outputs, so that comparing those says little."""
    one, other = (feed.drawn({}, seed + 100 + i) for i in range(2))
    outputs = [outputs_of(module, given) for given in (one, other)]
    if outputs[0] is None or outputs[1] is None:
        return None
    spreads = [errors_between(a, b)[1] for a, b in zip(*outputs)]
    return one if max(spreads, default=0.0) < FAINT * tolerance else None


def outputs_of(module: nn.Module, given: Given) -> list[Tensor] | None:
    """Every tensor that the network returns; None where it does not run."""
    try:
        with torch.no_grad():
            made = module(*given.args, **given.kwargs)
    except Exception:  # whatever forward raises
        return None
    return [leaf.detach() for leaf in pytree.tree_leaves(made) if isinstance(leaf, Tensor)]


def tolerance_of(module: nn.Module) -> float:
    """What outputs may differ by: that of the coarsest floating type among the weights."""
    dtypes = {t.dtype for t in (*module.parameters(), *module.buffers())}
    return max(
        (TOLERANCES[d] for d in dtypes if d in TOLERANCES), default=TOLERANCES[torch.float32]
    )


def errors_between(expected: Tensor, found: Tensor) -> tuple[float, float]:
    """The largest difference, by itself and as a part of the largest expected element.

    Infinite where shapes differ, or where they are not infinite, or no numbers, alike.
    """
    if expected.shape != found.shape:
        return float("inf"), float("inf")
    if not expected.numel():
        return 0.0, 0.0
    a, b = (_in_doubles(tensor) for tensor in (expected, found))
    finite = a.isfinite()
    if not torch.equal(finite, b.isfinite()) or not torch.equal(
        a[~finite].nan_to_num(nan=0.0), b[~finite].nan_to_num(nan=0.0)
    ):
        return float("inf"), float("inf")
    if not finite.any():
        return 0.0, 0.0
    difference = float((a[finite] - b[finite]).abs().max())
    largest = float(a[finite].abs().max())
    return difference, difference / largest if largest else (float("inf") if difference else 0.0)


def _in_doubles(tensor: Tensor) -> Tensor:
    return (torch.view_as_real(tensor) if tensor.is_complex() else tensor).to(torch.float64)


def _verified(
    expected: Sequence[Tensor],
    found: Sequence[Tensor],
    *,
    batch: int,
    sizes: Mapping[str, int],
    tolerance: float,
) -> Verification:
    errors = [errors_between(a, b) for a, b in zip(expected, found)]
    if len(expected) != len(found):
        errors.append((float("inf"), float("inf")))
    absolute = max((e[0] for e in errors), default=0.0)
    relative = max((e[1] for e in errors), default=0.0)
    return Verification(batch, dict(sizes), absolute, relative, tolerance, relative <= tolerance)


def _plans(feed: Feed) -> Iterator[dict[str, int]]:
    """Sizes along the open axes, run by run: others than the example's, and of each other."""
    if not feed.open_axes:
        yield from ({} for _ in range(DRAWS))
        return
    example = feed.example
    for i in range(len(SIZES)):
        sizes = {}
        for shift, (name, size) in enumerate(example.items()):
            at = (i + shift) % len(SIZES)
            sizes[name] = SIZES[at] if name in ("batch", "sequence") else size + LONGER[at]
        yield sizes


def _batch(feed: Feed, given: Given) -> int:
    pairs = zip(given.tensors(), feed.batch_axes)
    return next((t.shape[a] for t, a in pairs if a is not None and t.dim() > a), 1)


def _text(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{name}={size}" for name, size in sizes.items()) or "this input"


def reason_of(problem: Exception) -> str:
    """What onnxruntime says, without its labels and places."""
    text = str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
    for _ in range(4):
        head, colon, rest = text.partition(" : ")
        if not colon or len(head) > 40:
            break
        text = rest
    return text if len(text) < 200 else f"{text[:200]}…"
