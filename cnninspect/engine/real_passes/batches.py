"""What a model is fed: random numbers, real images, or what a user gave."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.engine.bind_inputs import Given, converted, given_for
from cnninspect.engine.layouts import spec_of
from cnninspect.engine.module_tree import Structure, parameters_of
from cnninspect.engine.real_passes.images import Digits, Folder, Images, Stream
from cnninspect.engine.recording import tensors_in
from cnninspect.errors import BadOption
from cnninspect.records.models import LoadedModel
from cnninspect.records.passes import DataUsed, GradientSettings
from cnninspect.records.tensors import TensorSpec


@dataclass(frozen=True, slots=True)
class Feed:
    """What a user gave to run a model with, and what is known of that from its trace."""

    inputs: Sequence[Any] | None = None
    """As for a trace: tensors, requests for tensors, other values."""
    kwargs: Mapping[str, Any] | None = None
    targets: Tensor | None = None
    """Labels or values for the loss; None: they are drawn."""
    specs: tuple[TensorSpec, ...] = ()
    """The inputs that the model was traced with."""
    frozen: frozenset[str] = frozenset()
    """Full names of the parameters that are not trained."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch: the arguments of `forward`, and labels where the data has them."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    labels: Tensor | None
    noise: torch.Generator
    """Draws what is missing: labels, targets."""


def images_for(settings: GradientSettings) -> Images | None:
    """The images that `--data` names; None for random data."""
    if settings.data == "random":
        return None
    return Digits() if settings.data == "digits" else Folder(Path(settings.data))


class Batches:
    """The batches of one start, by number, each the same whenever it is asked for.

    Only images of a stream depend on the order of asking, so that training sees new ones.
    """

    def __init__(
        self,
        model: nn.Module,
        loaded: LoadedModel,
        feed: Feed,
        *,
        settings: GradientSettings,
        seed: int,
        images: Images | None,
    ) -> None:
        self._settings = settings
        self._seed = seed
        self._feed = feed
        self._given = given_as(feed, model, loaded, batch=settings.batch)
        own = tensors_in((feed.inputs, dict(feed.kwargs or {}), dict(loaded.keywords)))
        self._kept = {id(tensor) for tensor in (*own, *self._given.fixed)}
        """Tensors that a user gave, which stay as they are."""
        self._stream = Stream(images, seed) if images else None
        like = next(iter(parameters_of(model)), torch.zeros(()))
        self._dtype, self._device = like.dtype, like.device

    def used(self) -> DataUsed:
        """What the report says of the data."""
        if self._stream:
            return self._stream.images.used()
        is_given = any(id(tensor) in self._kept for tensor in self._given.tensors())
        return DataUsed("given" if is_given else "random")

    def batch(self, number: int) -> Batch:
        """The batch of that number, on the model's device and in its precision.

        Raises:
            BadOption: the model takes no images, and the data are images.
        """
        noise = torch.Generator().manual_seed((self._seed << 20) + number)
        labels = self._feed.targets
        if self._stream:
            image, labels = self._images()
            parts: Any = converted((self._given.args, self._given.kwargs), lambda _: image)
        else:
            parts = converted(
                (self._given.args, self._given.kwargs), lambda tensor: self._drawn(tensor, noise)
            )
        args, kwargs = converted(parts, self._placed)
        return Batch(args, kwargs, labels, noise)

    def _drawn(self, tensor: Tensor, noise: torch.Generator) -> Tensor:
        """Standard normal numbers, or the integers that were requested in a random order.

        They are drawn in double precision and rounded, so that each precision sees the same data.
        """
        if id(tensor) in self._kept:
            return tensor
        if tensor.dtype.is_floating_point or tensor.dtype.is_complex:
            wide = torch.complex128 if tensor.dtype.is_complex else torch.float64
            return torch.randn(tensor.shape, dtype=wide, generator=noise).to(tensor.dtype)
        order = torch.randperm(tensor.numel(), generator=noise)
        return tensor.reshape(-1)[order].reshape(tensor.shape)

    def _placed(self, tensor: Tensor) -> Tensor:
        if tensor.dtype.is_floating_point:
            return tensor.detach().to(self._device, self._dtype)
        return tensor.to(self._device)

    def _images(self) -> tuple[Tensor, Tensor]:
        assert self._stream is not None
        tensors = self._given.tensors()
        shape = tuple(tensors[0].shape) if len(tensors) == 1 else ()
        picture = picture_in(shape)
        if picture is None or not tensors[0].dtype.is_floating_point:
            shapes = " and ".join("×".join(map(str, tensor.shape)) for tensor in tensors)
            raise BadOption(
                "--data", self._settings.data, f"random: {shapes} is no batch of images"
            )
        channels, size = picture
        images, labels = self._stream.batch(shape[0], channels, size)
        return images.reshape(shape), labels


def picture_in(shape: tuple[int, ...]) -> tuple[int, tuple[int, int]] | None:
    """Channels and size of the images that fill an input of that shape; None where none do.

    (N, C, H, W) are images; (N, steps, features) are read row by row; (N, features) are flattened
    squares, grey ones or else of three channels.
    """
    if len(shape) == 4:
        return shape[1], (shape[2], shape[3])
    if len(shape) == 3:
        return 1, (shape[1], shape[2])
    if len(shape) == 2:
        for channels in (1, 3):
            side = math.isqrt(shape[1] // channels)
            if channels * side * side == shape[1]:
                return channels, (side, side)
    return None


def given_as(feed: Feed, model: nn.Module, loaded: LoadedModel, *, batch: int) -> Given:
    """The arguments that the trace was made with, a tensor without values for each request."""
    attempts = list(
        given_for(
            Structure(model),
            loaded,
            feed.inputs,
            kwargs=feed.kwargs,
            batch=batch,
            is_checked=False,
        )
    )
    wanted = [_kind_of(spec) for spec in feed.specs]
    for given in attempts:
        if [_kind_of(spec_of(tensor)) for tensor in given.tensors()] == wanted:
            return given
    return attempts[0]


def _kind_of(spec: TensorSpec) -> tuple[tuple[int, ...], bool]:
    """A shape, and whether it is of floats: the precision may be another one in training."""
    return spec.shape, "float" in spec.dtype or "complex" in spec.dtype
