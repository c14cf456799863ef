"""Numbers beside the places where they get another digit or another prefix."""

import pytest

from cnninspect.page.figure_columns import paths_text, ratio_text
from cnninspect.page.quantities import scaled, scaled_time, share


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (9.994, "9.99"), (9.995, "10.0"), (9.996, "10.0"), (99.94, "99.9"), (99.95, "100"),
        (99.96, "100"), (999.4, "999"), (999.5, "1.00 k"),
        (999.6, "1.00 k"), (9_994, "9.99 k"), (9_996, "10.0 k"), (99_940, "99.9 k"),
        (99_960, "100 k"), (999_400, "999 k"), (999_500, "1.00 M"), (999, "999"), (1000, "1.00 k"),
        (-9_996, "-10.0 k"), (0, "0"), (0.5, "0.50"), (1e21, "1.00 Z"),
    ],
)  # fmt: skip
def test_three_digits_are_shown(value, expected):
    assert scaled(value) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (9.994, "9.99 s"), (9.996, "10.0 s"), (99.96, "100 s"), (0.009_996, "10.0 ms"),
        (0.099_94, "99.9 ms"), (9.996e-6, "10.0 µs"), (1e-3, "1 ms"), (0.999e-3, "999 µs"),
        (1.5e-9, "1.50 ns"), (5e-10, "0.50 ns"),
    ],
)  # fmt: skip
def test_times_too(seconds, expected):
    assert scaled_time(seconds) == expected


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (None, ""), (0, "0.00"), (0.0994, "0.099"), (0.0996, "0.10"), (9.994, "9.99"),
        (9.995, "10.0"), (9.996, "10.0"), (99.94, "99.9"), (99.95, "100"), (99.96, "100"),
        (0.0995, "0.10"),
    ],
)  # fmt: skip
def test_ratios_too(ratio, expected):
    assert ratio_text(ratio) == expected


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [(1, 2000, "0.1"), (1, 2001, "<0.1"), (0, 5, ""), (5, 0, ""), (9995, 10_000, "100.0"),
     (9994, 10_000, "99.9")],
)  # fmt: skip
def test_shares_too(part, whole, expected):
    assert share(part, whole) == expected


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (10**9 * 1234, "1.23·10^12"), (1_235 * 10**12, "1.24·10^15"),
        (1_125_899_906_842_624, "1.13·10^15"), (9_994 * 10**20, "9.99·10^23"),
        (9_996 * 10**20, "1.00·10^24"), (2**5000, "1.41·10^1505"),
    ],
)  # fmt: skip
def test_paths_too(paths, expected):
    assert paths_text(paths) == expected
