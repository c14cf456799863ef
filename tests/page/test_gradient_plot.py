"""Pictures of gradient profiles: valid files, the same every time, with everything named."""

from __future__ import annotations

import io
import sys

import pytest
from hand_built_gradients import layer as made_layer
from hand_built_gradients import model, odd, of_unlike_depths, over_time, side_by_side, trained
from hand_built_gradients import profile as made_profile
from PIL import Image

from cnninspect.commands.gradients.plot import picture
from cnninspect.errors import BadOption, MissingLibrary
from cnninspect.page import plots

REPORTS = (side_by_side, of_unlike_depths, odd, over_time, trained)


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.__name__)
def test_every_profile_can_be_drawn(report):
    image = Image.open(io.BytesIO(picture(report(), "png")))
    assert image.size[0] >= 1000
    assert len(image.convert("RGB").resize((300, 200)).getcolors(60_000)) > 20  # not blank


@pytest.mark.parametrize(
    ("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_the_same_profile_gives_the_same_file(kind, start):
    first, second = picture(side_by_side(), kind), picture(side_by_side(), kind)
    assert first.startswith(start)
    assert first == second


def axes_of(report, monkeypatch, **options):
    """What was drawn, instead of a file."""
    kept = []
    monkeypatch.setattr(
        "cnninspect.commands.gradients.plot.written", lambda figure, _: kept.append(figure) or b""
    )
    picture(report, "png", **options)
    return kept[0].axes


def test_each_model_is_a_line_with_a_band_on_a_logarithmic_axis(monkeypatch):
    (axes,) = axes_of(side_by_side(), monkeypatch)
    assert axes.get_yscale() == "log"
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == [
        "resnet8: healthy, -0.2 orders",
        "plain8: vanishing, -3.5 orders",
    ]
    resnet, plain = axes.get_lines()
    assert list(resnet.get_xdata()) == list(range(1, 10))
    assert list(resnet.get_ydata()) == pytest.approx([2e-3 * i for i in range(1, 10)])
    assert resnet.get_color() != plain.get_color()
    assert len(axes.collections) == 2  # the bands
    assert "depth" in axes.get_xlabel()
    assert "root mean square" in axes.get_ylabel()


def test_the_measure_is_the_one_asked_for(monkeypatch):
    (axes,) = axes_of(side_by_side(), monkeypatch, measure="parameter-norm")
    assert axes.get_ylabel() == "each layer's parameters, L2 norm"


def test_what_has_no_logarithm_leaves_a_gap(monkeypatch):
    (axes,) = axes_of(odd(), monkeypatch)
    drawn = [value == value for value in axes.get_lines()[0].get_ydata()]
    assert drawn == [False, False, True, False, False]


def test_training_has_the_loss_beside_it(monkeypatch):
    profile, losses = axes_of(trained(), monkeypatch)
    assert len(profile.get_lines()) == 4
    assert list(losses.get_lines()[0].get_xdata()) == [0, 10, 20, 30]
    assert losses.get_ylabel() == "loss"


def test_time_has_a_line_for_each_state(monkeypatch):
    (axes,) = axes_of(over_time(), monkeypatch)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert [label.partition(":")[0] for label in labels] == [
        "rnn hidden", "lstm hidden", "lstm cell",
    ]  # fmt: skip


def test_names_are_drawn_as_they_stand():
    name = "$\\frac{1}{0}$ \x1b[31m"
    assert picture(made_profile(model(name, [made_layer("a", 1, 1.0)])), "svg")


def test_lines_differ_in_colour_or_dashes():
    styles = [plots.line_style(i) for i in range(16)]
    assert len({(s["color"], str(s["linestyle"])) for s in styles}) == 16


def test_other_suffixes_are_refused(tmp_path):
    assert plots.format_of(tmp_path / "a.PNG") == "png"
    with pytest.raises(BadOption, match="plot"):
        plots.format_of(tmp_path / "a.gif")


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingLibrary) as caught:
        plots.require_matplotlib()
    assert caught.value.hint == "pip install 'cnninspect[plot]'"
