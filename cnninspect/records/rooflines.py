"""The least time that work takes on a device."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Roofline:
    """The least time that work takes on a device: it computes, or it moves bytes.

    Source: Williams, Waterman, Patterson 2009, Roofline, Communications of the ACM 52(4).
    """

    flops: int = 0
    """Two for each multiply-accumulate."""
    moved_bytes: int = 0
    """Bytes that its calls read and write, each tensor of a call once."""
    compute_seconds: float = 0.0
    """At the device's peak rate."""
    memory_seconds: float = 0.0
    """At the device's bandwidth."""
    seconds: float = 0.0
    """The larger of both, call by call: what a run that fuses no calls takes at least."""

    def __add__(self, other: Roofline) -> Roofline:
        return Roofline(
            self.flops + other.flops,
            self.moved_bytes + other.moved_bytes,
            self.compute_seconds + other.compute_seconds,
            self.memory_seconds + other.memory_seconds,
            self.seconds + other.seconds,
        )

    @property
    def intensity(self) -> float:
        """FLOPs for each byte that is moved."""
        return self.flops / self.moved_bytes if self.moved_bytes else 0.0

    @property
    def bound(self) -> str:
        """What limits it: `compute` or `memory`."""
        return "compute" if self.compute_seconds > self.memory_seconds else "memory"


@dataclass(frozen=True, slots=True)
class LayerRoofline:
    """The least time of a layer's work."""

    own: Roofline
    """Of this layer alone."""
    total: Roofline
    """With everything under it."""


@dataclass(frozen=True, slots=True)
class Device:
    """What a roofline is drawn for."""

    name: str
    dtype: str
    """What is computed in."""
    flops_per_second: float
    """Peak rate for that dtype, without sparsity."""
    bytes_per_second: float
    """Bandwidth of its memory."""
    source: str
    """Who says so."""
    assumed: bool = False
    """Whether every floating-point tensor is taken to be of that dtype, whatever it was."""
