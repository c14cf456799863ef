"""Images for a file with integer weights: to find ranges with, and to compare with labels."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from cnninspect.engine.onnx_write.axes import Feed
from cnninspect.engine.onnx_write.exporting import readable
from cnninspect.engine.onnx_write.quantization import Sample
from cnninspect.engine.onnx_write.verification import Session, errors_between
from cnninspect.engine.real_passes.batches import Digits, Folder, Images, picture_in
from cnninspect.errors import BadOption, FileUnreadable
from cnninspect.records.exports import Accuracy
from cnninspect.records.operations import shape_text

CALIBRATED = 128
"""Images that ranges are found with, and at most half of those that there are."""
COMPARED = 1000
"""Images that accuracy is measured on."""
BATCH = 32
"""Images at a time where the file leaves the batch open."""
RANDOM = 4
"""Random batches that both files are run on where there are no images."""

Batch = tuple[list[Tensor], "Tensor | None"]
"""What goes in, and the labels where there are any."""


@dataclass
class Pictures:
    """Labelled images in a fixed order, in the shape that a network takes."""

    option: str
    """Which option named them."""
    name: str
    images: Images
    feed: Feed
    numbers: list[int] = field(default_factory=list)
    """Those to use, in order."""

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.images.used().classes)

    def batches(self, most: int) -> Iterator[Batch]:
        """At most so many images, batch by batch; a batch that is not full is left out.

        Raises:
            FileUnreadable: not one file can be read.
        """
        tensor = self.feed.given.tensors()[0]
        shape = tuple(tensor.shape)
        channels, size = self.picture(shape)
        is_open = any(axis.axis == 0 for axis in self.feed.open_axes)
        count = BATCH if is_open else shape[0]
        pairs = (
            pair
            for number in self.numbers
            if (pair := self.images.take(number, channels, size)) is not None
        )
        given = 0
        while given < most:
            kept = list(islice(pairs, min(count, most - given) if is_open else count))
            if not given and not kept and self.numbers:
                raise FileUnreadable(self.name, "none of its files can be read as an image")
            if not kept or (len(kept) < count and not is_open):
                return
            yield self._joined(kept, shape, tensor.dtype)
            given += len(kept)

    def _joined(
        self, pairs: Sequence[tuple[Tensor, int]], shape: Sequence[int], dtype: torch.dtype
    ) -> Batch:
        images, labels = zip(*pairs)
        stacked = torch.stack(images).reshape(len(pairs), *shape[1:])
        return [stacked.to(dtype)], torch.tensor(labels)

    def picture(self, shape: tuple[int, ...]) -> tuple[int, tuple[int, int]]:
        """Channels and size of the images that the network takes.

        Raises:
            BadOption: it takes none.
        """
        found = picture_in(shape)
        tensors = self.feed.given.tensors()
        if found is None or len(tensors) != 1 or not tensors[0].dtype.is_floating_point:
            shapes = " and ".join(shape_text(t.shape) for t in tensors)
            raise BadOption(self.option, self.name, f"left out: {shapes} is no batch of images")
        return found


def pictures_for(option: str, name: str, feed: Feed, *, seed: int) -> Pictures:
    """The images that an option names, in an order that the seed decides.

    Raises:
        BadOption, FileMissing, FileUnreadable: there are none, or the network takes no images.
        MissingLibrary: the library that reads them is not installed.
    """
    images: Images = Digits() if name == "digits" else Folder(Path(name))
    numbers = list(range(len(images)))
    random.Random(seed).shuffle(numbers)
    pictures = Pictures(option, images.used().name, images, feed, numbers)
    pictures.picture(tuple(feed.given.tensors()[0].shape))
    return pictures


def parted(pictures: Pictures) -> tuple[Pictures, Pictures]:
    """Images to find ranges with, and the others."""
    cut = min(CALIBRATED, max(len(pictures) // 2, 1))
    first, rest = pictures.numbers[:cut], pictures.numbers[cut:]
    one, two = (
        Pictures(pictures.option, pictures.name, pictures.images, pictures.feed, numbers)
        for numbers in (first, rest)
    )
    return one, two


def sample_of(pictures: Pictures) -> tuple[Sample, int]:
    """What the quantiser is shown, and how many images that are.

    Raises:
        FileUnreadable: not one can be read.
        BadOption: there are fewer than the file takes at once.
    """
    names = tuple(map(readable, pictures.feed.names))
    batches = [tuple(t.numpy() for t in tensors) for tensors, _ in pictures.batches(CALIBRATED)]
    if not batches:
        needed = pictures.feed.given.tensors()[0].shape[0]
        raise BadOption(pictures.option, pictures.name, f"at least {needed} images, a batch")
    return Sample(names, tuple(batches)), sum(len(batch[0]) for batch in batches)


@dataclass
class Comparison:
    """Differences between two files, over everything that both were run on."""

    what: str
    absolute: float = 0.0
    relative: float = 0.0
    squares: float = 0.0
    differences: float = 0.0
    images: int = 0
    right: list[int] = field(default_factory=lambda: [0, 0])
    agreed: int = 0

    def add(self, one: Sequence[Tensor], two: Sequence[Tensor], labels: Tensor | None) -> None:
        """Take the outputs of both for the same inputs."""
        for a, b in zip(one, two):
            if not a.dtype.is_floating_point:
                continue
            absolute, relative = errors_between(a, b)
            self.absolute, self.relative = (
                max(self.absolute, absolute), max(self.relative, relative),
            )  # fmt: skip
            self.squares += float(a.double().square().sum())
            self.differences += float((a.double() - b.double()).square().sum())
        if labels is not None and has_classes(one):
            answers = [outputs[0].argmax(1) for outputs in (one, two)]
            self.images += len(labels)
            for i, answer in enumerate(answers):
                self.right[i] += int((answer == labels).sum())
            self.agreed += int((answers[0] == answers[1]).sum())

    @property
    def rms(self) -> float:
        """Root mean square of the differences as a part of that of the outputs."""
        if not self.squares:
            return 0.0 if not self.differences else float("inf")
        return float((self.differences / self.squares) ** 0.5)

    def accuracy(self, name: str) -> Accuracy | None:
        """How often each is right; None where there were no labels, or no classes."""
        if not self.images:
            return None
        before, after = (right / self.images for right in self.right)
        return Accuracy(name, self.images, before, after, self.agreed / self.images)


def has_classes(outputs: Sequence[Tensor]) -> bool:
    """Whether the first output has a number for each class, and nothing else does."""
    return bool(outputs) and outputs[0].dim() == 2 and outputs[0].shape[1] > 1


def compare_files(
    before: Path, after: Path, feed: Feed, pictures: Pictures | None, *, seed: int
) -> Comparison:
    """Run both files on the images, or on random inputs where there are none."""
    one, two = Session(before), Session(after)
    names = list(map(readable, feed.names))
    found = Comparison(f"{RANDOM} random inputs")
    batches: Iterator[Batch]
    if pictures is None:
        batches = ((feed.drawn({}, seed + 1 + i).tensors(), None) for i in range(RANDOM))
    else:
        batches = pictures.batches(COMPARED)
    total = 0
    for tensors, labels in batches:
        found.add(one.run(names, tensors), two.run(names, tensors), labels)
        total += len(tensors[0]) if labels is not None else 0
    if pictures is not None:
        found.what = f"{total:,} images of {pictures.name}"
    return found
