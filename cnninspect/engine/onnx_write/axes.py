"""Axes that are left open, and inputs of any size along them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.engine.bind_inputs import Given, converted
from cnninspect.errors import BadOption
from cnninspect.records.operations import shape_text

NAMED = ("batch", "height", "width", "sequence")
"""Axes that have a name of their own; others are written `INPUT:AXIS` or `INPUT:AXIS=NAME`."""


@dataclass(frozen=True, slots=True)
class OpenAxis:
    """An axis of an input whose size is left open."""

    tensor: int
    """Number of the tensor among all that go in."""
    axis: int
    """Number of its axis."""
    name: str
    """What the file calls the size; axes of the same name have the same size."""


@dataclass(frozen=True, slots=True)
class Feed:
    """What a network is called with, at any size along its open axes."""

    given: Given
    """An example: real tensors on the CPU."""
    names: tuple[str, ...]
    """Name of each tensor."""
    batch_axes: tuple[int | None, ...]
    """Where the batch is in each tensor."""
    open_axes: tuple[OpenAxis, ...] = ()

    @property
    def example(self) -> dict[str, int]:
        """The sizes of the example along the open axes, by name."""
        tensors = self.given.tensors()
        return {a.name: tensors[a.tensor].shape[a.axis] for a in self.open_axes}

    @property
    def batch(self) -> int:
        """The example's batch; 1 where there is none."""
        tensors = self.given.tensors()
        sizes = [t.shape[a] for t, a in zip(tensors, self.batch_axes) if a is not None and t.dim()]
        return sizes[0] if sizes else 1

    def drawn(self, sizes: Mapping[str, int], seed: int) -> Given:
        """Random inputs like the example, of these sizes along the open axes."""
        generator = torch.Generator().manual_seed(seed)
        number = -1

        def draw(tensor: Tensor) -> Tensor:
            nonlocal number
            number += 1
            shape = list(tensor.shape)
            for open_axis in self.open_axes:
                if open_axis.tensor == number and open_axis.name in sizes:
                    shape[open_axis.axis] = sizes[open_axis.name]
            return _random(tensor, shape, generator)

        args, kwargs = converted(self.given.args, draw), converted(self.given.kwargs, draw)
        return Given(args, kwargs, self.given.names, self.given.notes)

    def shapes_for(self, make: Callable[[str], Any]) -> Any:
        """The open axes as `torch.export` wants them told, one `make(name)` for each name."""
        made = {a.name: make(a.name) for a in self.open_axes}
        number = -1

        def told(value: Any) -> Any:
            nonlocal number
            if isinstance(value, Tensor):
                number += 1
                return {a.axis: made[a.name] for a in self.open_axes if a.tensor == number} or None
            if isinstance(value, dict):
                return {key: told(item) for key, item in value.items()}
            if isinstance(value, (list, tuple)):
                return type(value)(told(item) for item in value)
            return None

        by_position = [told(value) for value in self.given.args]
        by_name = {key: told(value) for key, value in self.given.kwargs.items()}
        if not by_name:
            return tuple(by_position)
        return {**dict(zip(self.given.names, by_position)), **by_name}


def _random(tensor: Tensor, shape: Sequence[int], generator: torch.Generator) -> Tensor:
    if tensor.dtype.is_floating_point or tensor.dtype.is_complex:
        made = torch.randn(tuple(shape), generator=generator, dtype=torch.float32)
        return made.to(tensor.dtype)
    if tensor.dtype == torch.bool:
        return torch.rand(tuple(shape), generator=generator) < 0.5
    high = int(tensor.max()) + 1 if tensor.numel() else 1
    return torch.randint(0, max(high, 1), tuple(shape), generator=generator).to(tensor.dtype)


def open_axes(feed: Feed, wanted: Sequence[str], model: nn.Module) -> tuple[OpenAxis, ...]:
    """The axes that are meant by what was typed.

    Raises:
        BadOption: no input has such an axis.
    """
    found: list[OpenAxis] = []
    for text in wanted:
        axes = _named(feed, text, model) if text in NAMED else [_numbered(feed, text)]
        if not axes:
            shapes = ", ".join(
                f"{name} {shape_text(tensor.shape)}"
                for name, tensor in zip(feed.names, feed.given.tensors())
            )
            raise BadOption(
                "--dynamic", text, f"an axis of its inputs ({shapes}), as in x:2=frames"
            )
        taken = {(axis.tensor, axis.axis) for axis in found}
        found += [axis for axis in axes if (axis.tensor, axis.axis) not in taken]
    return tuple(found)


def _named(feed: Feed, name: str, model: nn.Module) -> list[OpenAxis]:
    found = []
    for i, tensor in enumerate(feed.given.tensors()):
        batch = feed.batch_axes[i]
        axis: int | None = None
        if name == "batch":
            axis = batch
        elif name == "sequence":
            axis = _sequence_axis(tensor, batch or 0, model)
        elif tensor.dim() in (4, 5) and tensor.dtype.is_floating_point:
            axis = tensor.dim() - (2 if name == "height" else 1)
        if axis is not None and axis < tensor.dim():
            found.append(OpenAxis(i, axis, name))
    return found


def _sequence_axis(tensor: Tensor, batch: int, model: nn.Module) -> int | None:
    """Where the steps of a sequence are: tokens (batch, length), features (batch, length, width),
    or sound (batch, channels, length), which is what a network begins with a convolution for.
    """
    if tensor.dim() == 2 and not tensor.dtype.is_floating_point:
        return 1 - batch if batch < 2 else None
    if tensor.dim() != 3 or not tensor.dtype.is_floating_point:
        return None
    first = next(
        (m for m in model.modules() if any(True for _ in m.parameters(recurse=False))), None
    )
    if isinstance(first, nn.Conv1d):
        return 2
    return 1 - batch if batch < 2 else None


def _numbered(feed: Feed, text: str) -> OpenAxis:
    """`x:2=frames`, or without a name.

    Raises:
        BadOption: it is not written so, or there is no such input or axis.
    """
    where, _, name = text.partition("=")
    tensor, colon, axis = where.rpartition(":")
    known = ", ".join((*NAMED, *(f"{n}:AXIS" for n in feed.names)))
    if not colon or tensor not in feed.names or not axis.isdigit():
        raise BadOption("--dynamic", text, f"one of {known}")
    number = feed.names.index(tensor)
    if int(axis) >= feed.given.tensors()[number].dim():
        raise BadOption("--dynamic", text, f"an axis that {tensor} has, counted from 0")
    name = name or f"{tensor}_{axis}".replace(".", "_")
    if not name.isidentifier():
        raise BadOption("--dynamic", text, f"a plain name after the =, not {name!r}")
    return OpenAxis(number, int(axis), name)


def at_least_two(feed: Feed) -> Feed:
    """The feed with an example of at least two along each open axis: torch takes a size of one
    for something that never changes.
    """
    sizes = {name: max(size, 2) for name, size in feed.example.items()}
    if sizes == feed.example:
        return feed
    return Feed(feed.drawn(sizes, 0), feed.names, feed.batch_axes, feed.open_axes)
