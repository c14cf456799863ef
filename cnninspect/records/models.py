"""What is known of a model before it runs: the entry in a list, and the model as loaded."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Union

SettingValue = Union[None, bool, int, float, str, tuple[int, ...]]
"""What a setting may hold."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Something that `name@key=value` can change."""

    name: str
    """The key."""
    default: SettingValue
    """What holds without it; its type is the setting's type, unless `type` says otherwise."""
    meaning: str
    """One line."""
    choices: tuple[str, ...] = ()
    """The values allowed, where they are few."""
    type: str = ""
    """`int`, `float`, `bool`, `str`, `ints`; empty: the type of the default."""
    minimum: float | None = None
    """The smallest value allowed."""
    maximum: float | None = None
    """The largest value allowed."""

    @property
    def type_name(self) -> str:
        """The type as a user reads it."""
        if self.type:
            return self.type
        if isinstance(self.default, tuple):
            return "ints"
        return type(self.default).__name__


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that can be named."""

    name: str
    """What to type, without the scheme."""
    source: str
    """The source that has it."""
    family: str = ""
    """The family it belongs to."""
    parameters: int | None = None
    """Its parameters, where they are known without building it."""
    year: int | None = None
    """When it was published."""
    paper: str = ""
    """Authors, title and where to find it."""
    settings: tuple[Setting, ...] = ()
    """What `@key=value` can change."""


FORMATS = {
    "bool": "?", "uint8": "B", "int8": "b", "int16": "h", "int32": "i", "int64": "q",
    "uint16": "H", "uint32": "I", "uint64": "Q", "float16": "e", "float32": "f", "float64": "d",
}  # fmt: skip
"""How `struct` packs one element, by the dtypes that values can be given in."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What a user types to name a model, taken apart: `scheme:name@key=value,…`."""

    text: str
    """As it was typed."""
    source: str
    """The source that will load it: `zoo`, `torchvision`, …"""
    name: str
    """What is left of it for the source: a name or a file."""
    settings: tuple[tuple[str, str], ...] = ()
    """Keys and values after the `@`, as they were typed."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model a trace or a report is about."""

    reference: str
    """As it was typed, or the class name of a live module."""
    source: str
    """The source it came from; `module` for a live module."""
    name: str
    """A short name to show."""


@dataclass(frozen=True, slots=True)
class TensorValues:
    """The values of a tensor that were typed or read from a file, without the tensor."""

    shape: tuple[int, ...]
    """Sizes, outermost first; `()` for a scalar."""
    dtype: str
    """One of `FORMATS`."""
    data: str
    """The elements in row-major order, each as `FORMATS` says, little-endian, in Base64."""

    @property
    def raw(self) -> bytes:
        """The elements as they lie in memory, little-endian."""
        return base64.b64decode(self.data)

    def numbers(self) -> tuple[int | float | bool, ...]:
        """Every element, in row-major order."""
        return struct.unpack(f"<{math.prod(self.shape)}{FORMATS[self.dtype]}", self.raw)

    @classmethod
    def of(
        cls, numbers: Sequence[int | float | bool], shape: tuple[int, ...], dtype: str
    ) -> TensorValues:
        """The values of these numbers, which are in row-major order.

        Raises:
            ValueError: one of them is out of the dtype's range, or no number.
        """
        try:
            raw = struct.pack(f"<{len(numbers)}{FORMATS[dtype]}", *numbers)
        except (struct.error, OverflowError) as problem:
            raise ValueError(str(problem)) from problem
        return cls.of_bytes(raw, shape, dtype)

    @classmethod
    def of_bytes(cls, raw: bytes, shape: tuple[int, ...], dtype: str) -> TensorValues:
        """The values whose elements lie in memory like this, little-endian."""
        return cls(shape, dtype, base64.b64encode(raw).decode("ascii"))


@dataclass(frozen=True, slots=True)
class GivenValue:
    """An argument that is no tensor to be made: what was typed, as in `sr=16000`.

    For a module it is what `forward` is called with; for a graph in a file, whose inputs are all
    tensors, a tensor with these values.
    """

    value: Any
    """A number, a truth value, None, text, or lists, tuples and dictionaries of those."""
    name: str | None = None
    """The argument of `forward` or the input of the graph; None: the next positional one."""


@dataclass(frozen=True, slots=True)
class InputRequest:
    """An input of a network: what to make, not the tensor."""

    shape: tuple[int, ...]
    """Sizes, the batch included if `batched`."""
    dtype: str | None = None
    """None: the dtype that the first layer expects."""
    name: str | None = None
    """The argument of `forward`; None: the next positional one."""
    batched: bool | None = True
    """Whether `shape` begins with the batch; None: not known, to be told from the rank."""
    high: int | None = None
    """For integers: values lie under this."""
    batch_dim: int | None = 0
    """Where in `shape` the batch is: 1 for sequences with their steps first; None: there is none,
    whatever else is asked for."""
    values: TensorValues | None = None
    """What the tensor holds, of this shape and dtype; None: values are made up."""
    grows: bool = False
    """Whether a batch that is asked for multiplies the one in `shape`, as where batches are fitted
    or scaled; else the two contradict each other."""


def growing(arguments: Sequence[Any] | None) -> Sequence[Any] | None:
    """The same arguments where a batch is fitted or scaled: it multiplies that of each shape."""
    return arguments and tuple(
        replace(item, grows=True) if isinstance(item, InputRequest) else item for item in arguments
    )


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that can be built: what a source makes of a reference."""

    info: ModelInfo
    """Which model it is."""
    build: Callable[[], Any]
    """Returns the `torch.nn.Module`; the engine decides where and how it is called."""
    inputs: tuple[InputRequest, ...] = ()
    """The source's own default inputs, in the order of `forward`; empty: to be worked out."""
    other_inputs: tuple[tuple[InputRequest, ...], ...] = ()
    """Other defaults, which are tried in this order where the first do not fit."""
    keywords: Mapping[str, Any] = field(default_factory=dict)
    """Further keyword arguments of `forward` that are not tensors."""
    example: tuple[tuple[Any, ...], Mapping[str, Any]] | None = None
    """Positional and keyword arguments of `forward` with an `InputRequest` for each tensor, for
    inputs that are nested or lie between other values; None: `inputs` says it all."""
    live: bool = False
    """Whether `build` returns a module that belongs to somebody and must not change."""
    notes: tuple[str, ...] = ()
    """What a reader should know of how it was loaded."""
    trial: Callable[[Sequence[Any] | None, Mapping[str, Any]], None] | None = None
    """Runs it with inputs and options in a process with limits, and raises where that does not come
    to an end; None: it may be run here at once."""
    surroundings: Callable[[], AbstractContextManager[Any]] | None = None
    """What its code needs around it while it is built and run, such as the folder that it imports
    from; None: nothing."""


@dataclass(frozen=True, slots=True)
class GraphFile:
    """A file that holds a graph of operations, which is followed without torch."""

    info: ModelInfo
    """Which model it is."""
    path: Path
    """Where the file is."""
    notes: tuple[str, ...] = ()
    """What a reader should know of how it was loaded."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What is published of trained weights of this very network at this very input size."""

    top1: float
    """Per cent of ImageNet-1K's validation images for which the first answer is right."""
    top5: float | None
    """Per cent for which it is among the first five."""
    weights: str
    """The weights: `IMAGENET1K_V2`."""
    source: str
    """Who says so."""


MODES = ("eval", "train")
