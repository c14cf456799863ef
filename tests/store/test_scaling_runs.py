"""Laws of networks of the zoo, against sums by hand."""

import math
from fractions import Fraction

import pytest
from torch import nn

import cnninspect
from cnninspect.commands.scale import sizes as compound
from cnninspect.errors import BadOption, CannotScale


def law(report, quantity="macs"):
    found = next(law for law in report.laws if law.quantity == quantity)
    return {term.power: term.coefficient.fraction for term in found.terms}


def test_resolution_of_a_resnet():
    report = cnninspect.scale("resnet20")
    # MACs at 32 px, from the summary: all but the last layer grow with the map.
    total, last = cnninspect.summarize("resnet20").totals.macs, 64 * 10
    assert law(report) == {2: Fraction(total - last, 32 * 32), 0: last}
    assert law(report, "parameters") == {0: 269_722}


def test_every_law_is_right_at_every_point():
    for over in ("resolution", "batch", "depth"):
        report = cnninspect.scale("resnet20", over=over)
        for point in report.points:
            size = point.size.fraction
            assert sum(c * size**p for p, c in law(report).items()) == point.macs
            assert (
                sum(c * size**p for p, c in law(report, "parameters").items()) == point.parameters
            )


def test_a_batch_multiplies():
    assert law(cnninspect.scale("mlp", over="batch")) == {1: 28_200}


def test_width_is_quadratic_in_the_middle():
    report = cnninspect.scale("mlp", over="hidden")  # 256 inputs, 26 outputs
    assert law(report) == {1: 256 + 26}
    assert law(report, "parameters") == {1: 256 + 1 + 26, 0: 26}
    deep = cnninspect.scale("mlp@hidden_layers=2", over="hidden")
    assert law(deep) == {2: 1, 1: 256 + 26}


def test_depth_goes_in_the_steps_that_the_family_takes():
    report = cnninspect.scale("resnet20", over="depth")
    assert [int(point.size.fraction) for point in report.points] == [20, 26, 32, 38, 44]
    # A block more in each stage for six layers: two 3×3 convolutions on 32², 16², 8² positions.
    block = 2 * 9 * (16 * 16 * 32**2 + 32 * 32 * 16**2 + 64 * 64 * 8**2)
    assert law(report)[1] == Fraction(block, 6)


def test_blocks_of_stages_are_repeated_where_depth_is_no_setting():
    report = cnninspect.scale("resnet18", over="depth")
    assert report.how == "blocks of each stage"
    assert max(law(report)) == 1
    assert report.points[0].macs == cnninspect.summarize("resnet18").totals.macs


def test_attention_is_quadratic_in_the_sequence():
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
    report = cnninspect.scale(layer, (1, 16, 16), over="sequence")
    # Scores and values: 2·t²·16; projections and the two linear layers: t·(4·16² + 2·16·32).
    assert law(report) == {2: 2 * 16, 1: 4 * 16 * 16 + 2 * 16 * 32}


def test_the_images_of_a_live_module_are_resized():
    report = cnninspect.scale(nn.Conv2d(3, 2, 3, padding=1), (1, 3, 32, 32))
    assert law(report) == {2: 3 * 2 * 9}
    assert report.how == "the input"


def test_a_law_that_begins_later_says_so():
    report = cnninspect.scale("resnet18", over="width")
    assert report.start.fraction == 2  # at 1 the first stage needs no projection
    assert any("at 1, its own size" in note for note in report.notes)


def test_sizes_that_round_have_no_law_but_points():
    report = cnninspect.scale("resnet20", sizes=(30, 31, 32, 33))
    assert not report.laws[0].is_exact
    assert [point.size.fraction for point in report.points] == [30, 31, 32, 33]
    assert math.isclose(report.laws[0].exponent, 2, rel_tol=0.5)


@pytest.mark.parametrize("over", ["sequence", "nosuch", "width"])
def test_a_size_that_a_network_does_not_have_is_an_error(over):
    with pytest.raises(CannotScale, match="lenet5_modern"):
        cnninspect.scale("lenet5_modern", over=over)


@pytest.mark.parametrize("sizes", [(0,), (-1, 2), (5, 5)])
def test_sizes_of_no_use_are_refused(sizes):
    with pytest.raises(BadOption, match="sizes"):
        cnninspect.scale("mlp", sizes=sizes)


def test_a_size_that_fails_tells_why():
    with pytest.raises(CannotScale, match="it fails"):
        cnninspect.scale("resnet20", over="depth", sizes=(21,))


def test_the_compound_grid_keeps_to_its_target_and_has_the_published_values():
    grid = list(compound._grid(0.1))
    assert (1.2, 1.1, 1.15) in grid
    assert all(abs(a * b**2 * c**2 - 2) <= 0.1 for a, b, c in grid)
    assert {(2.0, 1.0, 1.0), (1.0, 1.4, 1.0), (1.0, 1.0, 1.4)} <= set(grid)


def test_points_of_the_grid_are_measured_and_the_nearest_come_first(monkeypatch):
    monkeypatch.setattr(compound, "_grid", lambda _: [(1.2, 1.1, 1.15), (2.0, 1.0, 1.0)])
    report = cnninspect.scale_grid("efficientnet_b0@resolution=64")
    deeper, published = report.points
    assert (published.published, deeper.published) == (True, False)
    assert published.resolution == 74
    assert deeper.macs == cnninspect.summarize("efficientnet_b0@resolution=64,depth=2").totals.macs
    assert deeper.ratio == deeper.macs / report.macs
    assert abs(deeper.ratio - 2) < abs(published.ratio - 2)


def test_a_grid_needs_depth_width_and_resolution():
    with pytest.raises(CannotScale, match=r"resnet18 .* no setting that multiplies its depth$"):
        cnninspect.scale_grid("resnet18")
    with pytest.raises(CannotScale, match="for networks of the zoo"):
        cnninspect.scale_grid("net.py:make")
    with pytest.raises(BadOption, match="tolerance"):
        cnninspect.scale_grid("efficientnet_b0", tolerance=0)
