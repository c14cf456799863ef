"""How far a count may be from a number in print, to the last unit."""

from dataclasses import replace

import pytest

import cnninspect
from cnninspect.metrics.published import Printed, in_print, published_for


@pytest.fixture(scope="module")
def measured():
    trace = cnninspect.trace("resnet18")
    return trace, cnninspect.summarize(trace).totals


@pytest.mark.parametrize(
    ("macs", "matches"),
    [
        (1_814_000_000, True), (1_814_500_000, True), (1_813_500_000, True),
        (1_814_500_100, False), (1_813_499_900, False), (1_818_000_000, False),
    ],
)  # fmt: skip
def test_a_count_matches_what_rounds_to_three_decimals(measured, macs, matches):
    trace, totals = measured
    found = {p.quantity: p for p in published_for(trace, replace(totals, macs=macs))}
    assert found["macs"].printed == "1.814 GMACs"
    assert found["macs"].matches is matches
    assert found["parameters"].matches


@pytest.mark.parametrize("off", [-1, 1])
def test_parameters_match_to_the_last_one(measured, off):
    trace, totals = measured
    counts = replace(totals, parameters=totals.parameters + off)
    found = {p.quantity: p for p in published_for(trace, counts)}
    assert not found["parameters"].matches
    assert [n.source for n in in_print(trace, counts) if "torchvision" in n.source] == []


@pytest.mark.parametrize(("off", "fits"), [(0, True), (500_000, True), (500_001, False)])
def test_what_torchvision_prints_is_right_to_half_a_unit(measured, off, fits):
    trace, totals = measured
    (found,) = (n for n in in_print(trace, totals) if "torchvision" in n.source)
    assert found.fits(found.value + off) is fits
    assert found.fits(found.value - off) is fits


def test_a_tolerance_is_kept_to_the_last_unit():
    printed = Printed(100, 5, "100", "a table")
    assert [printed.fits(n) for n in (94, 95, 105, 106)] == [False, True, True, False]
