"""Data to learn from and to be judged on: images or rows of numbers, each with a class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cnninspect.engine.real_passes.batches import Digits, Folder, picture_in
from cnninspect.errors import FileMissing, FileUnreadable, MissingLibrary, UnusableData
from cnninspect.files import read_arrays
from cnninspect.records.operations import shape_text

INPUT_NAMES = ("x", "X", "images", "inputs", "data", "x_train", "X_train", "arr_0")
LABEL_NAMES = ("y", "Y", "labels", "targets", "target", "y_train", "arr_1")
"""What arrays in a .npz file are called, in the order in which they are looked for."""
TEST_FOLDERS = ("val", "valid", "validation", "test")
"""Beside `train`, the folder that holds what is kept back."""
MOST_BYTES = 4 * 2**30
"""What a data set may take in memory."""
MOST_UNPACKED = 2**30
"""What the arrays of a file may take: a small file can unpack to much."""
MOST_VALUES = 2**28
"""Numbers in the inputs of a file, which are held in float32."""
MOST_CLASSES = 1_000_000


@dataclass(frozen=True, slots=True)
class DataSet:
    """Examples, all of one shape."""

    name: str
    inputs: Tensor
    """(N, *shape), float32."""
    labels: Tensor
    """(N), int64."""
    classes: tuple[str, ...]
    """Their names, by label."""
    skipped: int = 0
    """Files that could not be read as images."""
    held_out: Tensor | None = None
    """(N), whether an example is kept back, where the data say so themselves."""

    def __len__(self) -> int:
        return len(self.labels)


def load_data(data: str, shape: tuple[int, ...]) -> DataSet:
    """What `--data` names, in the shape of one input of the model.

    Images are resized, and grey ones shown in all channels.

    Raises:
        UnusableData: the model's input takes no such data, or they are of one class only.
        FileMissing, FileUnreadable, MissingLibrary: they cannot be read.
    """
    if data == "digits":
        found = _digits(shape)
    elif Path(data).suffix == ".npz":
        found = _arrays(Path(data), shape)
    else:
        found = _folder(Path(data), shape)
    if len(found.labels.unique()) < 2:
        only = found.classes[int(found.labels[0])] if len(found) else "none"
        raise UnusableData(data, f"all its examples are of one class, {only}")
    return found


def split(data: DataSet, share: float, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Numbers of the examples to learn from, and of those kept back: a share of each class.

    Where the data say themselves what is kept back, that is; the seed is no part of a training's,
    so that what one training has not seen no other one has.

    Raises:
        MissingLibrary: scikit-learn is not installed.
        UnusableData: there are too few examples.
    """
    if data.held_out is not None:
        return torch.where(~data.held_out)[0], torch.where(data.held_out)[0]
    try:
        selection = import_module("sklearn.model_selection")
    except ImportError as problem:
        raise MissingLibrary("scikit-learn", "data", "splitting data") from problem
    counts = torch.bincount(data.labels)
    can_stratify = int(counts[counts > 0].min()) > 1
    try:
        parts = selection.train_test_split(
            torch.arange(len(data)).numpy(),
            test_size=share,
            random_state=seed,
            stratify=data.labels.numpy() if can_stratify else None,
        )
    except ValueError as problem:
        raise UnusableData(data.name, f"it cannot be split: {problem}") from problem
    learnt, kept = (torch.as_tensor(sorted(part.tolist())) for part in parts)
    return learnt, kept


def _picture(name: str, shape: tuple[int, ...]) -> tuple[int, tuple[int, int]]:
    """Channels and size of the images that fill an input.

    Raises:
        UnusableData: none do.
    """
    picture = picture_in((1, *shape))
    if picture is None:
        written = shape_text(shape)
        raise UnusableData(name, f"the model takes {written}, which is no image")
    return picture


def _digits(shape: tuple[int, ...]) -> DataSet:
    channels, size = _picture("digits", shape)
    pixels, labels = Digits().everything()
    resized = F.interpolate(pixels[:, None], size, mode="bilinear")  # (N, 1, *size)
    inputs = resized.expand(-1, channels, *size).reshape(-1, *shape).contiguous()
    return DataSet("digits", inputs, labels, tuple(map(str, range(10))))


def _folder(path: Path, shape: tuple[int, ...]) -> DataSet:
    kept = next((path / name for name in TEST_FOLDERS if (path / name).is_dir()), None)
    if kept is None or not (path / "train").is_dir():
        return _images(Folder(path), path.name, shape)
    learnt, held_out = Folder(path / "train"), Folder(kept)
    if learnt.classes != held_out.classes:
        odd = sorted(set(learnt.classes) ^ set(held_out.classes))
        raise UnusableData(path, f"train and {kept.name} have other classes: {', '.join(odd[:5])}")
    parts = [_images(part, path.name, shape) for part in (learnt, held_out)]
    return DataSet(
        path.name,
        torch.cat([part.inputs for part in parts]),
        torch.cat([part.labels for part in parts]),
        learnt.classes,
        sum(part.skipped for part in parts),
        torch.arange(sum(map(len, parts))) >= len(parts[0]),
    )


def _images(folder: Folder, name: str, shape: tuple[int, ...]) -> DataSet:
    channels, size = _picture(name, shape)
    nbytes = len(folder) * channels * size[0] * size[1] * 4
    if nbytes > MOST_BYTES:
        raise UnusableData(
            folder.path, f"its {len(folder):,} images take {nbytes:,} bytes", "a smaller --input"
        )
    images, labels = [], []
    for number in range(len(folder)):
        pair = folder.take(number, channels, size)
        if pair is not None:
            images.append(pair[0].reshape(shape))
            labels.append(pair[1])
    if not images:
        raise FileUnreadable(folder.path, f"none of {len(folder)} files can be read as an image")
    return DataSet(
        name, torch.stack(images), torch.tensor(labels), folder.classes, len(folder.skipped)
    )


def _arrays(path: Path, shape: tuple[int, ...]) -> DataSet:
    """Two arrays of a .npz file: (N, …) inputs and (N) labels; bytes are taken for pixels.

    Images are (N, H, W), (N, C, H, W) or (N, H, W, C).  Pixels of 0 to 255 are shown as −2 to 2,
    other numbers as they are.
    """
    numpy = import_module("numpy")
    try:
        arrays = read_arrays(path, most=MOST_UNPACKED)
    except FileMissing as problem:
        raise FileMissing(
            path, "--data takes digits, a folder of class folders or a .npz file"
        ) from problem
    x, y = _named(path, arrays, INPUT_NAMES), _named(path, arrays, LABEL_NAMES)
    if x.dtype.kind not in "buif" or y.ndim != 1 or len(y) != len(x) or not len(x):
        raise UnusableData(
            path,
            f"inputs of {shape_text(x.shape)} {x.dtype} and labels of {shape_text(y.shape)} "
            "do not go together",
        )
    names, labels = numpy.unique(y, return_inverse=True)
    is_counted = y.dtype.kind in "iu"
    if is_counted:
        if int(y.min()) < 0:
            raise UnusableData(path, f"label {int(y.min())} is below 0")
        if int(y.max()) >= MOST_CLASSES:
            raise UnusableData(path, f"label {int(y.max())} is too large for the number of a class")
        labels, names = y.astype("int64"), numpy.arange(int(y.max()) + 1)
    _check_amount(path, len(x), x[:1].size)
    values = x.astype("float32", copy=False)
    if x.dtype == numpy.uint8:
        values /= 255
        values -= 0.5
        values *= 4
    elif not numpy.isfinite(values).all():
        raise UnusableData(path, "its inputs are not all finite")
    return DataSet(
        path.name,
        _fitted(path, torch.as_tensor(values), shape),
        torch.as_tensor(labels.astype("int64")),
        tuple(map(str, names.tolist())),
    )


def _named(path: Path, arrays: dict[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        if name in arrays:
            return arrays[name]
    raise UnusableData(
        path, f"it has {', '.join(list(arrays)[:8])}, and no {names[0]}", f"call it {names[0]}"
    )


def _check_amount(path: Path, examples: int, values: int) -> None:
    """See that so many examples of so many numbers can be held.

    Raises:
        UnusableData: they cannot.
    """
    if examples * max(values, 1) > MOST_VALUES:
        raise UnusableData(
            path,
            f"{examples:,} examples of {values:,} numbers are more than the {MOST_VALUES:,} that "
            "are held in memory",
            "fewer examples, or a smaller --input",
        )


def _fitted(path: Path, inputs: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The inputs in the model's shape: as they are, or as images that are resized."""
    if tuple(inputs.shape[1:]) == shape:
        return inputs
    if inputs.dim() == 3:
        inputs = inputs[:, None]
    elif inputs.dim() == 4 and inputs.shape[-1] in (1, 3) and inputs.shape[1] not in (1, 3):
        inputs = inputs.movedim(-1, 1)
    elif inputs.dim() != 4:
        raise UnusableData(
            path,
            f"an example is {shape_text(inputs[0].shape)}, and the model takes {shape_text(shape)}",
        )
    channels, size = _picture(str(path), shape)
    if inputs.shape[1] != channels and inputs.shape[1] != 1:
        if channels != 1:
            raise UnusableData(
                path, f"its images have {inputs.shape[1]} channels, and the model takes {channels}"
            )
        inputs = inputs.mean(1, keepdim=True)
    _check_amount(path, len(inputs), math.prod(shape))
    if tuple(inputs.shape[2:]) != size:
        inputs = F.interpolate(inputs, size, mode="bilinear")
    return inputs.expand(-1, channels, *size).reshape(-1, *shape).contiguous()
