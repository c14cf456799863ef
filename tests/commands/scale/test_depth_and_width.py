"""Every depth with every width: the counts of the networks themselves, and errors in print."""

from __future__ import annotations

import pytest

import cnninspect
from cnninspect.errors import BadOption, CannotScale


def test_points_are_the_networks_that_they_name() -> None:
    report = cnninspect.scale_grid("wrn28_10@resolution=8", depths=(10, 16), widths=(1, 2))
    assert (report.depths, report.widths) == ((10, 16), (1, 2))
    assert [(p.depth, p.width) for p in report.points] == [(10, 1), (10, 2), (16, 1), (16, 2)]
    for point in report.points:
        totals = cnninspect.summarize(point.reference).totals
        assert (point.parameters, point.macs) == (totals.parameters, totals.macs)
        assert point.errors == ()  # those in print are of 32 pixels
    assert not any(point.is_own for point in report.points)


def test_what_is_in_print_stands_beside_the_counts() -> None:
    report = cnninspect.scale_grid("wrn28_10", depths=(28,), widths=(10, 11))
    own, other = report.points
    assert own.is_own
    assert own.parameters == 36_479_194
    assert {(e.data, e.percent) for e in own.errors} == {("CIFAR-10", 4.17), ("CIFAR-100", 20.5)}
    assert other.errors == ()
    assert "table 4" in report.source
    text = cnninspect.render(report, format="table")
    assert "test error on CIFAR-100" in text
    assert "36.5 M" in text
    assert "20.50" in text


def test_a_depth_that_cannot_be_is_left_out_and_said() -> None:
    report = cnninspect.scale_grid("wrn28_10@resolution=8", depths=(10, 11), widths=(1,))
    assert [point.depth for point in report.points] == [10]
    assert any("11-1" in note for note in report.notes)
    with pytest.raises(CannotScale):
        cnninspect.scale_grid("wrn28_10", depths=(11,), widths=(1,))


@pytest.mark.parametrize(("depths", "widths"), [((0,), ()), ((16,), (1.5,)), ((16.5,), (1,))])
def test_sizes_that_cannot_be_are_refused(depths: tuple, widths: tuple) -> None:  # type: ignore[type-arg]
    with pytest.raises(BadOption):
        cnninspect.scale_grid("wrn28_10", depths=depths, widths=widths)


def test_other_networks_have_no_such_grid() -> None:
    with pytest.raises(CannotScale, match="depth and width"):
        cnninspect.scale_grid("resnet20", depths=(20, 56))
