"""Real images, resized to what a model takes."""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cnninspect.errors import BadOption, FileMissing, FileUnreadable, MissingLibrary
from cnninspect.files import exists, is_folder, opened, reason_of
from cnninspect.records.passes import DataUsed

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
