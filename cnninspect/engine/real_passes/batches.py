"""Batches for real passes: images, tokens and noise, made from a seed or read."""

from __future__ import annotations

import math
import os
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnninspect.engine.bind_inputs import Given, converted, given_for
from cnninspect.engine.layouts import spec_of
from cnninspect.engine.module_tree import Structure, parameters_of
from cnninspect.engine.recording import tensors_in
from cnninspect.errors import BadOption, FileMissing, FileUnreadable, MissingLibrary
from cnninspect.files import exists, is_folder, opened, reason_of
from cnninspect.records.models import LoadedModel
from cnninspect.records.operations import TensorSpec, shape_text
from cnninspect.records.passes import DataUsed, GradientSettings

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
DECODERS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
"""Whatever a file is called, only these look at it: others of Pillow's start other programs."""
MOST_PIXELS = 64 << 20
"""Of an image, before it is made smaller: 8,192 each way."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's red, green and blue between 0 and 1: what pretrained networks expect."""


class Digits:
    """scikit-learn's 1,797 hand-written digits of 8×8 pixels, with mean 0 and deviation 1.

    Source: Alpaydin, Kaynak, Optical Recognition of Handwritten Digits, UCI repository, 1998.
    """

    def __init__(self) -> None:
        try:
            datasets = import_module("sklearn.datasets")
        except ImportError as problem:
            raise MissingLibrary("scikit-learn", "data", "--data digits") from problem
        bunch = datasets.load_digits()
        pixels = torch.as_tensor(bunch.images, dtype=torch.float32)  # (1797, 8, 8), 0 to 16
        self._pixels = (pixels - pixels.mean()) / pixels.std()
        self._labels = torch.as_tensor(bunch.target, dtype=torch.int64)

    def __len__(self) -> int:
        return len(self._labels)

    def used(self) -> DataUsed:
        """What the report says of it."""
        return DataUsed("digits", len(self), tuple(map(str, range(10))))

    def everything(self) -> tuple[Tensor, Tensor]:
        """All images as they are, (1797, 8, 8), and their labels, (1797)."""
        return self._pixels, self._labels

    def take(self, number: int, channels: int, size: tuple[int, int]) -> tuple[Tensor, int]:
        """Image and label of that number, grey in all channels: (channels, height, width)."""
        image = F.interpolate(self._pixels[number][None, None], size, mode="bilinear")[0]
        return image.expand(channels, *size), int(self._labels[number])


@dataclass
class Folder:
    """A folder that holds one folder of images for each class, by name.

    Raises:
        FileMissing: there is no such folder.
        BadOption: it is no folder.
        FileUnreadable: it holds no folders with images.
    """

    path: Path
    classes: tuple[str, ...] = ()
    files: list[tuple[Path, int]] = field(default_factory=list)
    skipped: set[int] = field(default_factory=set)
    """Numbers of the files that were met and could not be read."""

    def __post_init__(self) -> None:
        try:
            self._pillow = import_module("PIL.Image")
        except ImportError as problem:
            raise MissingLibrary("pillow", "data", f"--data {self.path}") from problem
        if not exists(self.path):
            raise FileMissing(self.path, "--data takes random, digits or a folder of class folders")
        if not is_folder(self.path):
            raise BadOption("--data", self.path, "random, digits or a folder of class folders")
        try:
            inside = [p for p in self.path.iterdir() if p.name[0] != "."]
        except OSError as problem:
            raise FileUnreadable(self.path, reason_of(problem)) from problem
        folders = sorted(p for p in inside if os.path.isdir(p))
        self.classes = tuple(folder.name for folder in folders)
        self.files = [(f, i) for i, folder in enumerate(folders) for f in _images_in(folder)]
        if not self.files:
            raise FileUnreadable(
                self.path, "no folder in it holds images", "--data takes a folder of class folders"
            )

    def __len__(self) -> int:
        return len(self.files)

    def used(self) -> DataUsed:
        """What the report says of it."""
        return DataUsed(self.path.name, len(self.files), self.classes, len(self.skipped))

    def take(self, number: int, channels: int, size: tuple[int, int]) -> tuple[Tensor, int] | None:
        """Image and label of that number: (channels, height, width); None if it is no image."""
        file, label = self.files[number]
        if number in self.skipped:
            return None
        try:
            pixels = self._read(file, "L" if channels == 1 else "RGB", size)
        except Exception:  # a broken image may raise anything, and others are there
            self.skipped.add(number)
            return None
        if channels == 1:
            pixels = (pixels - sum(MEAN) / 3) / (sum(DEVIATION) / 3)
        else:
            mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, DEVIATION))
            pixels = (pixels - mean) / deviation
            pixels = pixels.repeat(-(-channels // 3), 1, 1)[:channels]
        return pixels, label

    def _read(self, file: Path, mode: str, size: tuple[int, int]) -> Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # such as that of an image too large to be honest
            with (
                opened(file) as (stream, _),
                self._pillow.open(stream, formats=DECODERS) as image,
            ):
                if image.width * image.height > MOST_PIXELS:
                    raise ValueError(f"{image.width:,} × {image.height:,} pixels are too many")
                image.draft(mode, (size[1], size[0]))
                resized: Any = image.convert(mode).resize((size[1], size[0]))
        flat = torch.frombuffer(bytearray(resized.tobytes()), dtype=torch.uint8)
        return flat.view(*size, len(mode)).permute(2, 0, 1).float() / 255


Images = Digits | Folder


class Stream:
    """Images in a shuffled order that never ends."""

    def __init__(self, images: Images, seed: int) -> None:
        self.images = images
        self._order = list(range(len(images)))
        random.Random(seed).shuffle(self._order)
        self._next = 0

    def batch(self, count: int, channels: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """The next `count` images, (count, channels, height, width), and their labels, (count).

        Raises:
            FileUnreadable: not one file can be read.
        """
        pairs = []
        for pair in self._readable(channels, size):
            pairs.append(pair)
            if len(pairs) == count:
                break
        images, labels = zip(*pairs)
        return torch.stack(images), torch.tensor(labels)

    def _readable(self, channels: int, size: tuple[int, int]) -> Iterator[tuple[Tensor, int]]:
        failures = 0
        while failures < len(self._order):
            number = self._order[self._next % len(self._order)]
            self._next += 1
            pair = self.images.take(number, channels, size)
            failures = 0 if pair else failures + 1
            if pair:
                yield pair
        path = getattr(self.images, "path", "the images")
        raise FileUnreadable(path, f"none of {len(self._order)} files can be read as an image")


def _images_in(folder: Path) -> list[Path]:
    return sorted(
        Path(parent) / name
        for parent, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(SUFFIXES)
    )


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
            shapes = " and ".join(shape_text(tensor.shape) for tensor in tensors)
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
