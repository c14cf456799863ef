"""Numbers as people type them."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnninspect.errors import BadQuantity, Contradiction
from cnninspect.metrics import limits as bounds
from cnninspect.metrics.limits import (
    check_consistency,
    limit_of,
    limits_of,
    parse_bound,
    parse_share,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("6M", 6_000_000), ("1.5G", 1_500_000_000), ("25_000_000", 25_000_000), ("1,000", 1000),
        ("2.5e7", 25_000_000), ("4 GMACs", 4 * 10**9), ("7B", 7 * 10**9), (".5k", 500),
        ("22 Mparams", 22_000_000), ("0", 0),
    ],
)  # fmt: skip
def test_counts_are_read_exactly(text, value):
    assert parse_bound(text, option="--max-macs").value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("100MB", 10**8), ("95MiB", 95 * 2**20), ("1.5GiB", 3 * 2**29), ("12", 12),
        ("100M", 10**8), ("7 kB", 7000), ("1KiB", 1024), ("64 bytes", 64),
    ],
)  # fmt: skip
def test_bytes_are_read_by_their_unit(text, value):
    assert parse_bound(text, option="--max-bytes", is_bytes=True).value == value


def test_a_share_is_told_from_a_number():
    bound = parse_bound("60%", option="--max-params")
    assert bound.is_share
    assert bound.value == Fraction(3, 5)
    assert not parse_bound("60", option="--max-params").is_share


@pytest.mark.parametrize(
    "text", ["", "M", "6X", "-5M", "nan", "inf", "6M7", "1,5M", "1.2.3", "1__0", "5 %%", "1e999"]
)
def test_what_is_no_number_is_refused(text):
    with pytest.raises(BadQuantity):
        parse_bound(text, option="--max-macs")


@pytest.mark.parametrize(
    ("text", "is_bytes", "told"),
    [
        ("100MB", False, "--max-bytes"),
        ("8GFLOPs", False, "two FLOPs"),
        ("100Mb", True, "in bytes"),
        ("12MB/s", True, "units are"),
    ],
)
def test_a_unit_of_something_else_is_told_apart(text, is_bytes, told):
    with pytest.raises(BadQuantity) as caught:
        parse_bound(text, option="--x", is_bytes=is_bytes)
    assert told in caught.value.hint


@given(st.integers(0, 10**15), st.sampled_from(["", "k", "M", "G"]))
def test_limits_are_kept_exactly_up_to_their_number(number, unit):
    limit = limit_of("max_macs", f"{number}{unit}", option="--max-macs")
    most = number * bounds.DECIMAL[unit]
    assert limit.keeps(most)
    assert not limit.keeps(most + 1)


def test_fractions_of_a_whole_number_are_rounded_to_the_safe_side():
    most = limit_of("max_params", "0.5", option="x")
    least = limit_of("min_params", "0.5", option="x")
    assert [most.keeps(0), most.keeps(1)] == [True, False]
    assert [least.keeps(0), least.keeps(1)] == [False, True]
    assert limit_of("max_params", "60%", option="x").limit(21_797_672) == 13_078_603


def test_limits_that_nothing_can_keep_are_refused():
    with pytest.raises(Contradiction, match="min_macs = 2G and max_macs = 1G"):
        limits_of([("max_macs", "1G"), ("min_macs", "2G"), ("max_params", None)])
    assert len(limits_of([("max_macs", "1G"), ("min_macs", "1G")])) == 2


def test_shares_and_numbers_are_not_held_against_each_other():
    limits = [limit_of("min_params", "60%", option="x"), limit_of("max_params", "0", option="x")]
    check_consistency(limits)


def test_a_share_may_be_typed_as_a_part_of_one():
    assert parse_share("0.02", option="x").value == parse_share("2%", option="x").value
    with pytest.raises(BadQuantity):
        parse_share("22M", option="x")


@pytest.mark.parametrize(
    ("typed", "nanoseconds"),
    [("7ns", 7), ("7us", 7000), ("7µs", 7000), ("7ms", 7 * 10**6), ("7s", 7 * 10**9),
     ("7min", 420 * 10**9), ("1.5s", 15 * 10**8), (" 0.5 us ", 500), ("0s", 0)],
)  # fmt: skip
def test_a_time_has_its_unit(typed, nanoseconds):
    assert bounds.parse_time(typed, option="x").value == nanoseconds


@pytest.mark.parametrize("typed", ["7", "s", "7h", "-1s", "7 S", "", "1,5s"])
def test_what_is_no_time_is_refused(typed):
    with pytest.raises(BadQuantity):
        bounds.parse_time(typed, option="x")
