"""A module of a network and what it owns."""

from __future__ import annotations

from dataclasses import dataclass

from cnninspect.records.tensors import TensorSpec


@dataclass(frozen=True, slots=True)
class Parameter:
    """A tensor that training may change."""

    name: str
    """Name within its layer: `weight`."""
    spec: TensorSpec
    """Shape and dtype."""
    trainable: bool = True
    """Whether it receives gradients."""
    shared_with: str | None = None
    """Full name under which the same tensor was met first, if it was; it is counted there."""
    stored_bytes: int | None = None
    """Bytes that it takes, where its elements do not say it: sparse, or wrapped and packed."""

    @property
    def nbytes(self) -> int:
        """Bytes that it takes."""
        return self.spec.nbytes if self.stored_bytes is None else self.stored_bytes


@dataclass(frozen=True, slots=True)
class Buffer:
    """A tensor that belongs to a layer and is not trained, such as a running mean."""

    name: str
    """Name within its layer."""
    spec: TensorSpec
    """Shape and dtype."""
    persistent: bool = True
    """Whether a checkpoint holds it."""
    shared_with: str | None = None
    """Full name under which the same tensor was met first, if it was."""
    stored_bytes: int | None = None
    """Bytes that it takes, where its elements do not say it: sparse, or wrapped and packed."""

    @property
    def nbytes(self) -> int:
        """Bytes that it takes."""
        return self.spec.nbytes if self.stored_bytes is None else self.stored_bytes


@dataclass(frozen=True, slots=True)
class Layer:
    """A module: one row of the summary."""

    path: str
    """Names from the model down, joined by dots; `""` is the model itself."""
    type: str
    """Class name."""
    calls: int
    """How often it ran."""
    inputs: tuple[TensorSpec, ...] = ()
    """The tensors given to its first call."""
    outputs: tuple[TensorSpec, ...] = ()
    """The tensors that its first call returned."""
    parameters: tuple[Parameter, ...] = ()
    """What it owns itself, not what its children own."""
    buffers: tuple[Buffer, ...] = ()
    """What it owns itself, not what its children own."""

    @property
    def level(self) -> int:
        """Number of names in the path: 0 for the model, 1 for its children."""
        return level_of(self.path)


def level_of(path: str) -> int:
    """Number of names in a layer's path: 0 for `""`, 3 for `layer1.0.conv1`."""
    return path.count(".") + 1 if path else 0


def parent_of(path: str) -> str:
    """Path of the layer that holds this one; the model's own path is its own parent."""
    return path.rpartition(".")[0]
