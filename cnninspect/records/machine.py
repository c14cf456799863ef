"""What was measured of a machine: how fast it computes, and how fast it moves bytes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """How fast bytes move where so many are worked on at a time."""

    bytes: int
    bytes_per_second: float


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast matrices are multiplied in a dtype."""

    dtype: str
    gflops: float
    """10^9 FLOPs a second, two for each multiply-accumulate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What was measured of one device of this machine."""

    device: str
    """`cpu`, `cuda` or `mps`."""
    processor: str
    """Its name, as the system gives it."""
    threads: int
    """That computed; 1 on an accelerator."""
    rates: tuple[Rate, ...]
    """By dtype, of those that it has kernels for."""
    gb_per_s: float
    """Bandwidth of its memory, read and written, in 10^9 bytes a second."""
    caches: tuple[Bandwidth, ...] = ()
    """Bandwidth by what is worked on, smallest first."""
    torch: str = ""
    """The version of torch that computed."""
    measured: str = ""
    """The day: `2026-11-28`."""
    skipped: tuple[str, ...] = ()
    """Dtypes that it has no kernels for."""

    @property
    def gflops(self) -> dict[str, float]:
        """The rates by dtype."""
        return {rate.dtype: rate.gflops for rate in self.rates}
