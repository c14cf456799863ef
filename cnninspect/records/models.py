"""What a person named, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class Reference:
    """What a person types to name a model, taken apart: `scheme:name@key=value,…`."""

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


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that can be built: what a source makes of a reference."""

    info: ModelInfo
    """Which model it is."""
    build: Callable[[], Any]
    """Returns the `torch.nn.Module`; the engine decides where and how it is called."""
    inputs: tuple[InputRequest, ...] = ()
    """The source's own default inputs, in the order of `forward`; empty: to be worked out."""
    keywords: Mapping[str, Any] = field(default_factory=dict)
    """Further keyword arguments of `forward` that are not tensors."""
    example: tuple[tuple[Any, ...], Mapping[str, Any]] | None = None
    """Positional and keyword arguments of `forward` with an `InputRequest` for each tensor, for
    inputs that are nested or lie between other values; None: `inputs` says it all."""
    live: bool = False
    """Whether `build` returns a module that belongs to somebody and must not change."""
    notes: tuple[str, ...] = ()
    """What a reader should know of how it was loaded."""


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
