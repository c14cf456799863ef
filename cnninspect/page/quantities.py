"""Numbers as a user reads them: counts, bytes, shares, shapes."""

from __future__ import annotations

from collections.abc import Sequence

ZERO = "—"
"""Written for a zero that says no more than that there is nothing."""

PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z", "Y")
"""Powers of 1000."""


def count(value: int, *, human: bool = False, unit: str = "") -> str:
    """`21,797,672`, or `21.8 M` for humans, who are given the unit too.

    >>> count(21797672), count(21797672, human=True), count(87190688, human=True, unit="B")
    ('21,797,672', '21.8 M', '87.2 MB')
    """
    return scaled(value, unit) if human else f"{value:,}"


def scaled(value: float, unit: str = "") -> str:
    """Three significant digits with a power of 1000 before the unit: `21.8 M`, `87.2 MB`.

    Whole numbers under 1000 are exact.  Halves round to even, as everywhere in Python.

    >>> scaled(87190688, "B"), scaled(999999), scaled(12, "B"), scaled(3.7e9)
    ('87.2 MB', '1.00 M', '12 B', '3.70 G')
    """
    size, power = abs(value), 0
    while size >= 999.5 and power < len(PREFIXES) - 1:
        size, power = size / 1000, power + 1
    if power == 0 and size == int(size):
        digits = str(int(size))
    else:
        digits = f"{size:.{2 if size < 9.995 else 1 if size < 99.95 else 0}f}"
    sign = "-" if value < 0 else ""
    return f"{sign}{digits} {PREFIXES[power]}{unit}".rstrip()


def scaled_time(seconds: float) -> str:
    """Seconds with three significant digits and a power of 1000: `1.25 ms`, `340 µs`.

    >>> scaled_time(0.00125), scaled_time(3.4e-4), scaled_time(2.0), scaled_time(0.0)
    ('1.25 ms', '340 µs', '2 s', '0 s')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)):
        if seconds >= size or (unit == "ns" and seconds):
            value = seconds / size
            digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{value:.{digits}f} {unit}" if value != int(value) else f"{int(value)} {unit}"
    return "0 s"


def bytes_text(value: int, *, human: bool = False) -> str:
    """`87,190,688 bytes (87.2 MB)`, or `87.2 MB` for humans; MB is 10^6 bytes.

    >>> bytes_text(87190688), bytes_text(87190688, human=True), bytes_text(12)
    ('87,190,688 bytes (87.2 MB)', '87.2 MB', '12 bytes')
    """
    if human:
        return scaled(value, "B")
    return f"{value:,} bytes ({scaled(value, 'B')})" if value >= 1000 else f"{value:,} bytes"


def share(part: float, whole: float) -> str:
    """Per cent of `whole` without the sign, one decimal: `3.2`; nothing for none.

    >>> share(1, 3), share(1, 10**9), share(0, 3), share(3, 3), share(0, 0)
    ('33.3', '<0.1', '', '100.0', '')
    """
    if not part or not whole:
        return ""
    percent = 100 * part / whole
    return f"{percent:.1f}" if percent >= 0.05 else "<0.1"


def sizes(values: Sequence[int] | None) -> str:
    """Sizes joined by ×: `1×64×56×56`; nothing for None, `scalar` for no sizes.

    >>> sizes((1, 64, 56, 56)), sizes(()), sizes(None)
    ('1×64×56×56', 'scalar', '')
    """
    if values is None:
        return ""
    return "×".join(map(str, values)) if values else "scalar"


def short_name(reference: str) -> str:
    """What a reference names, without where it is from and how it is set.

    >>> short_name("src/net.py:Net@width=2"), short_name("out/model.onnx"), short_name("resnet18")
    ('Net', 'model.onnx', 'resnet18')
    """
    name = reference.split("@", 1)[0]
    return name.rpartition(":")[2].rpartition("/")[2] or reference


def shapes_text(shapes: Sequence[Sequence[int]]) -> str:
    """The first shape, and how many follow: `1×128×768 +2`."""
    if not shapes:
        return ""
    return sizes(shapes[0]) + (f" +{len(shapes) - 1}" if len(shapes) > 1 else "")


def plural(number: int, noun: str) -> str:
    """`1 call`, `2 calls`, `1,200 calls`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
