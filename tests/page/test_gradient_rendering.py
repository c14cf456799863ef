"""How gradient profiles and gradient paths look, in every format."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace

import jsonschema
import pytest
from hand_built_gradients import (
    layer,
    model,
    odd,
    of_unlike_depths,
    over_time,
    path_profile,
    plain,
    profile,
    residual,
    side_by_side,
    trained,
)
from rich.cells import cell_len

from cnninspect.commands.gradients.tables import LogScale, axis, bar, rows_of, scale_of
from cnninspect.errors import BadOption, UnknownChoice
from cnninspect.page.formats import render
from cnninspect.records.reports import schema_of

REPORTS = {
    "side_by_side": side_by_side,
    "of_unlike_depths": of_unlike_depths,
    "odd": odd,
    "over_time": over_time,
    "trained": trained,
    "paths": path_profile,
}


@pytest.mark.parametrize(
    ("name", "options", "file"),
    [
        ("side_by_side", {"width": 80}, "gradients_at_80.txt"),
        ("side_by_side", {"width": 160}, "gradients_at_160.txt"),
        ("side_by_side", {"format": "markdown"}, "gradients.md"),
        ("side_by_side", {"width": 80, "rows": 4, "measure": "gradient-norm"},
         "gradients_in_4_rows.txt"),
        ("of_unlike_depths", {"width": 120, "rows": 10}, "gradients_of_six.txt"),
        ("odd", {"width": 100}, "gradients_odd.txt"),
        ("over_time", {"width": 100, "rows": 12}, "gradients_over_time.txt"),
        ("trained", {"width": 100}, "gradients_trained.txt"),
        ("paths", {"width": 80}, "gradient_paths.txt"),
    ],
)  # fmt: skip
def test_output_is_the_one_on_file(name, options, file, check_golden):
    check_golden(render(REPORTS[name](), **options), file)


@pytest.mark.parametrize("width", [48, 80, 100, 160])
@pytest.mark.parametrize("name", ["side_by_side", "odd", "over_time", "trained"])
def test_no_line_is_wider_than_asked_for(name, width):
    text = render(REPORTS[name](), width=width)
    widest = max(map(cell_len, text.splitlines()))
    # Columns of numbers are never cut, so that many of them may need more.
    assert widest <= max(width, 62)


@pytest.mark.parametrize("name", REPORTS)
def test_json_follows_the_schema_and_holds_what_the_contract_names(name):
    report = REPORTS[name]()
    data = json.loads(render(report, format="json"))
    jsonschema.validate(data, schema_of(type(report)))
    if name == "paths":
        assert data["models"][0]["paths"] == 8
        assert data["models"][2]["paths"] > 10**180  # whole, however large
        return
    for written, made in zip(data["models"], report.models):
        assert {"model", "loss", "seeds", "paths", "layers", "slope", "verdict"} <= written.keys()
        assert written["seeds"] == made.seeds
        for item in written["layers"]:
            assert {
                "path", "type", "depth", "gradient_norm", "gradient_rms",
                "activation_gradient_norm", "activation_gradient_rms", "parameter_norm",
            } <= item.keys()  # fmt: skip


def rows(report, **options):
    return list(csv.DictReader(io.StringIO(render(report, format="csv", **options))))


def test_csv_has_a_row_for_each_layer_of_each_model():
    written = rows(side_by_side())
    assert len(written) == 9 + 8
    assert [row["model"] for row in written] == ["resnet8"] * 9 + ["plain8"] * 8
    assert float(written[0]["activation_gradient_rms"]) == 2e-3
    assert float(written[0]["activation_gradient_rms_low"]) == 2e-3 / 1.2


def test_csv_has_a_row_for_each_step_of_training_and_of_time():
    assert [row["step"] for row in rows(trained()) if row["path"] == "fc"] == [
        "0",
        "10",
        "20",
        "30",
    ]
    times = [row for row in rows(over_time()) if row["state"] == "cell"]
    assert [int(row["time"]) for row in times] == list(range(1, 61))


def test_csv_of_paths_is_exact():
    assert rows(path_profile())[1] == {"model": "three", "length": "2", "paths": "3"}
    assert rows(path_profile())[-1]["paths"] == str(10**189)


def test_unknown_measures_and_rows_of_no_use_are_refused():
    with pytest.raises(UnknownChoice, match=r"measure.'gradient' is not known"):
        render(side_by_side(), measure="gradient")
    with pytest.raises(BadOption, match=r"rows.0"):
        render(side_by_side(), rows=0)


# --- rows ---


def paths(models, most=None):
    return [
        [part[0].path if part else None for part in row.layers] for row in rows_of(models, most)
    ]


def test_layers_of_the_same_name_stand_side_by_side():
    made = paths([residual().layers, plain().layers])
    assert ["layer1.shortcut", None] in made
    assert ["fc", "fc"] in made
    assert all(None in pair or pair[0] == pair[1] for pair in made)


def test_other_names_stand_side_by_side_by_depth():
    other = [layer(f"other{i}", i, 1.0) for i in range(1, 4)]
    made = rows_of([plain().layers, other], None)
    assert [row.label for row in made] == [""] * 8
    assert [bool(row.layers[1]) for row in made] == [True] * 3 + [False] * 5


def test_the_first_layers_of_a_deeper_network_go_by_depth_too():
    made = rows_of([plain(1).layers, plain(9).layers], None)
    assert made[0].label == ""


def test_names_in_another_order_go_by_depth():
    made = rows_of([plain().layers, plain().layers[::-1]], None)
    assert made[0].label == ""


def test_neighbours_share_a_row_where_there_are_too_many():
    (row, *others) = rows_of([plain().layers], 3)
    assert (row.depth, row.label, row.more) == ("1–3", "conv1", 2)
    assert len(others) == 2
    assert row.value(0, "gradient_norm") == plain().layers[1].gradient_norm


def test_what_is_not_finite_is_not_hidden_among_neighbours():
    layers = [layer("a", 1, 1.0), layer("b", 2, math.inf), layer("c", 3, None)]
    (row,) = rows_of([layers], 1)
    assert row.value(0, "gradient_norm") == math.inf
    assert rows_of([[layers[2]]], 1)[0].value(0, "gradient_norm") is None


# --- bars ---


def test_bars_are_as_long_as_logarithms_are():
    scale = LogScale(-4, 0)
    assert bar(1.0, scale, 8) == "█" * 8
    assert bar(1e-2, scale, 8) == "█" * 4
    assert bar(1e-1, scale, 4) == "███"
    assert bar(10**-3.5, scale, 4) == "▌"
    assert [bar(v, scale, 8) for v in (0.0, None, math.nan, math.inf, 1e-4)] == [""] * 5


def test_a_scale_goes_from_one_power_of_ten_to_another():
    assert scale_of([3e-5, None, 0.0, math.inf, 0.2]) == LogScale(-5, 0)
    assert scale_of([1e-3]) == LogScale(-4, -3)  # the smallest has a bar too
    assert scale_of([]) == LogScale(0, 1)


def test_an_axis_is_shown_where_there_is_room():
    assert axis(LogScale(-5, 2), 16) == "1e-05      1e+02"
    assert axis(LogScale(-5, 2), 9) == ""


# --- words ---


def test_one_seed_has_no_spread():
    report = replace(side_by_side(), settings=replace(side_by_side().settings, seeds=1))
    assert "spread" not in render(report)
    assert "spread" in render(side_by_side())
    assert "×1.44" in render(side_by_side())


def test_hostile_names_are_made_harmless():
    evil = model("\x1b[31mevil\n", [layer("a\x07b", 1, 1.0), layer("c`|d", 2, 2.0)])
    for written in (render(profile(evil)), render(profile(evil), format="markdown")):
        assert "\x1b" not in written
        assert "\x07" not in written
