"""Reads weights piece by piece, so that a file may be larger than memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnninspect.commands.weights.report import TensorFigures, WeightsFigures
from cnninspect.engine.building import build_really
from cnninspect.engine.process_state import RUNS, Ledger, RandomStates, seed_generators, set_apart
from cnninspect.engine.weights import (
    is_safetensors,
    load_weights,
    read_pickled,
    table_of,
    tensors_of,
)
from cnninspect.errors import BadOption, FileUnreadable, MissingLibrary
from cnninspect.metrics.channel_sources import Reader
from cnninspect.records.models import LoadedModel

PIECE = 2**24
"""Elements that are looked at together."""
MOST_SHOWN = 16
"""Times that one stored number may be part of a tensor."""
LONGEST_ROW = 2**24
"""Elements of a row that is looked at in one piece."""
BINS = 24
SMALL = 1e-3
"""Of the root mean square."""
ITERATIONS = 50
"""Of the power iteration, at most."""
PRECISION = 1e-6
"""Relative change at which it ends."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor that is read when it is asked for."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    rows: Callable[[int, int], Tensor]
    """Rows from one to before another; of a scalar, all."""

    @property
    def columns(self) -> int:
        """Elements of a row."""
        return max(math.prod(self.shape[1:]), 1)

    def pieces(self) -> Iterator[Tensor]:
        """All of it in double precision, some rows at a time, (rows, columns), or parts of one."""
        rows = self.shape[0] if self.shape else 1
        step = max(PIECE // self.columns, 1)
        for start in range(0, rows, step):
            end = min(start + step, rows)
            taken = self.rows(start, end).reshape(end - start, self.columns)
            for part in taken.split(LONGEST_ROW, dim=1):
                yield part.to(torch.float64)


def figures_of_file(path: Path) -> WeightsFigures:
    """The figures of every floating-point tensor in a file.

    Raises:
        FileMissing, FileUnreadable: there is no such file, or it holds no weights.
    """
    with _stored_in(path) as tensors:
        return _figures(path.name, tensors)


def figures_of_network(loaded: LoadedModel, *, seed: int) -> WeightsFigures:
    """The figures of a network as it starts from a seed, or of a live module as it is."""
    with RUNS, Ledger() as ledger, ledger:
        set_apart(ledger, traces=False)
        RandomStates(ledger)
        seed_generators(seed)
        module = build_really(loaded)
        table = {n: t.detach() for n, t in tensors_of(module).items() if not t.is_meta}
        return _figures(loaded.info.name, _stored_of(table))


def part_means(
    loaded: LoadedModel, readers: Sequence[Reader], *, seed: int, weights: Path | None
) -> dict[Reader, tuple[float, ...]]:
    """The mean absolute weight that each layer has on each part of what it reads.

    Of a network as it starts from a seed, with the weights of a file, or of a live module as it is.

    Raises:
        FileMissing, FileUnreadable, WeightsMismatch: the file of weights cannot be loaded.
        BadOption: the weights have no values.
    """
    with RUNS, Ledger() as ledger, ledger:
        set_apart(ledger, traces=False)
        RandomStates(ledger)
        seed_generators(seed)
        module = build_really(loaded)
        if weights is not None:
            load_weights(module, weights)
        table = tensors_of(module)
        found = {}
        for reader in readers:
            weight = table[reader.weight].detach()
            if weight.is_meta:
                raise BadOption(
                    "--feature-reuse", loaded.info.name, "used where weights have values"
                )
            by_channel = mean_by_channel(weight, reader)
            sizes = [part.channels for part in reader.parts]
            found[reader] = tuple(float(part.mean()) for part in by_channel.split(sizes))
        return found


def mean_by_channel(weight: Tensor, reader: Reader) -> Tensor:
    """The mean absolute weight on each channel that a layer reads."""
    sizes = weight.abs().double()
    if reader.inputs_first:
        return sizes.flatten(1).mean(1)
    if reader.groups > 1:  # the inputs of a group are seen by its outputs alone
        by_group = sizes.view(reader.groups, -1, weight.shape[1], sizes[0, 0].numel())
        return by_group.mean((1, 3)).flatten()
    channels = sum(part.channels for part in reader.parts)
    return sizes.reshape(len(weight), channels, -1).mean((0, 2))


def _figures(name: str, tensors: list[Stored]) -> WeightsFigures:
    found = tuple(_figures_of(each) for each in tensors)
    return WeightsFigures(name, found, _together(found))


@contextmanager
def _stored_in(path: Path) -> Iterator[list[Stored]]:
    if not is_safetensors(path):
        table = table_of(_mapped(path), path)
        _check_amount(path, table)
        yield _stored_of(table)
        return
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as problem:
        raise MissingLibrary("safetensors", "data", "reading safetensors") from problem
    try:
        with safe_open(str(path), framework="pt") as opened:
            yield [_slice_of(opened, name) for name in opened.keys()]  # noqa: SIM118
    except SafetensorError as problem:
        raise FileUnreadable(path, f"safetensors: {problem}") from problem


def _check_amount(path: Path, table: Mapping[str, Tensor]) -> None:
    """See that tensors are not views which show far more numbers than the file holds.

    Raises:
        FileUnreadable: they are; looking at all of them could take for ever.
    """
    plain = [t for t in table.values() if t.layout == torch.strided and not t.is_meta]
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in plain}
    shown, held = sum(t.nbytes for t in plain), sum(storages.values())
    if shown > max(MOST_SHOWN * held, PIECE):
        raise FileUnreadable(
            path,
            f"its tensors show {shown:,} bytes of the {held:,} that it holds",
            "save clones of tensors that are expanded or share memory",
        )


def _slice_of(opened: Any, name: str) -> Stored:
    part = opened.get_slice(name)
    shape = tuple(part.get_shape())

    def rows(start: int, end: int) -> Tensor:
        found: Tensor = part[start:end] if shape else opened.get_tensor(name)
        return found

    return Stored(name, shape, str(part.get_dtype()), rows)


def _mapped(path: Path) -> Any:
    """What torch.save wrote, left on the disk where its format allows that."""
    try:
        return read_pickled(path, mmap=True)
    except FileUnreadable:  # an old format, or what reading it says better
        return read_pickled(path)


def _stored_of(table: dict[str, Tensor]) -> list[Stored]:
    def rows_of(tensor: Tensor) -> Callable[[int, int], Tensor]:
        return lambda start, end: tensor[start:end] if tensor.dim() else tensor

    return [
        Stored(name, tuple(t.shape), str(t.dtype).removeprefix("torch."), rows_of(t))
        for name, t in table.items()
        if t.dtype.is_floating_point and not t.is_meta  # which has no numbers
    ]


def _figures_of(stored: Stored) -> TensorFigures:
    elements = l1 = squares = total = largest = 0.0
    zeros = broken = infinite = 0
    for piece in stored.pieces():
        finite = piece[torch.isfinite(piece)]
        broken += int(torch.isnan(piece).sum())
        infinite += int(torch.isinf(piece).sum())
        if finite.numel():
            elements += finite.numel()
            l1 += float(finite.abs().sum())
            squares += float(finite.square().sum())
            total += float(finite.sum())
            largest = max(largest, float(finite.abs().max()))
            zeros += int((finite == 0).sum())
    mean = total / elements if elements else 0.0
    root = math.sqrt(squares / elements) if elements else 0.0
    histogram = torch.zeros(BINS, dtype=torch.int64)
    small = 0
    for piece in stored.pieces() if elements else ():
        finite = piece[torch.isfinite(piece)]
        small += int((finite.abs() < SMALL * root).sum()) if root else finite.numel()
        if largest:
            places = ((finite / largest + 1) / 2 * BINS).long().clamp(0, BINS - 1)
            histogram += torch.bincount(places, minlength=BINS)
    return TensorFigures(
        name=stored.name,
        shape=stored.shape,
        dtype=stored.dtype,
        elements=math.prod(stored.shape),
        l1=l1,
        l2=math.sqrt(squares),
        largest=largest,
        mean=mean,
        deviation=math.sqrt(max(root**2 - mean**2, 0.0)),
        zeros=zeros,
        small=small,
        not_a_number=broken,
        infinite=infinite,
        spectral_norm=None if broken or infinite else _spectral_norm(stored),
        histogram=tuple(histogram.tolist()) if largest else (),
    )


def _spectral_norm(stored: Stored) -> float | None:
    """The largest singular value, by power iteration from a fixed start.

    None for no matrix, and for one whose rows are longer than `LONGEST_ROW`.

    Source: Miyato et al. 2018, arXiv:1802.05957, algorithm 1, run until it stands.
    """
    if len(stored.shape) < 2 or 0 in stored.shape or stored.columns > LONGEST_ROW:
        return None
    noise = torch.Generator().manual_seed(0)
    vector = torch.randn(math.prod(stored.shape[1:]), generator=noise, dtype=torch.float64)
    vector /= vector.norm()
    norm = 0.0
    for _ in range(ITERATIONS):
        back = torch.zeros_like(vector)
        for piece in stored.pieces():
            back += piece.T @ (piece @ vector)  # of the square matrix: its largest is σ²
        size = float(back.norm())
        if not size:
            return 0.0
        before, norm = norm, math.sqrt(size)
        vector = back / size
        if abs(norm - before) <= PRECISION * norm:
            break
    return norm


def _together(found: tuple[TensorFigures, ...]) -> TensorFigures:
    elements = sum(each.elements for each in found)
    counted = sum(each.elements - each.not_a_number - each.infinite for each in found)
    squares = sum(each.l2**2 for each in found)
    total = sum(each.mean * (each.elements - each.not_a_number - each.infinite) for each in found)
    mean = total / counted if counted else 0.0
    return TensorFigures(
        name="",
        shape=(),
        dtype="",
        elements=elements,
        l1=sum(each.l1 for each in found),
        l2=math.sqrt(squares),
        largest=max((each.largest for each in found), default=0.0),
        mean=mean,
        deviation=math.sqrt(max(squares / counted - mean**2, 0.0)) if counted else 0.0,
        zeros=sum(each.zeros for each in found),
        small=sum(each.small for each in found),
        not_a_number=sum(each.not_a_number for each in found),
        infinite=sum(each.infinite for each in found),
        spectral_norm=None,
        histogram=(),
    )
