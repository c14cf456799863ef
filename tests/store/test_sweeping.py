"""Design spaces: which points there are, what is told of them, and that nothing is done twice."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnninspect
from cnninspect.commands.sweep import measuring
from cnninspect.commands.sweep.space import (
    BadSpace,
    TooManyPoints,
    choices,
    parse_space,
    spaces_in,
)
from cnninspect.errors import CnnInspectError, FileUnwritable, UnknownSetting
from cnninspect.store import points
from cnninspect.store.points import measure_point
from cnninspect.store.tasks import (
    PointTask,
    read_outcome,
    read_task,
    written_outcome,
    written_task,
)

MLP = "mlp@num_classes=2..8:2"
CODE = """
from torch import nn
def make(width=4, depth=1):
    if width == 13:
        raise ValueError("unlucky")
    return nn.Sequential(*[nn.Linear(width, width) for _ in range(int(depth))])
"""


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ("1..3", ("1", "2", "3")),
        ("0.5..0.7:0.1", ("0.5", "0.6", "0.7")),
        ("1..2:0.5", ("1.0", "1.5", "2.0")),
        ("16..128:*2", ("16", "32", "64", "128")),
        ("128..321:64", ("128", "192", "256", "320")),
        ("-1..1", ("-1", "0", "1")),
        ("a|b|a", ("a", "b")),
        ("1|4..6", ("1", "4", "5", "6")),
        ("[1,2]|[3,4]", ("[1,2]", "[3,4]")),
        ("3x4x6", ("3x4x6",)),
        ("7", ("7",)),
    ],
)
def test_values_are_lists_and_ranges_with_both_ends(typed, values):
    assert parse_space(f"m@x={typed}").axes[0].values == values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("m@x=3..1", "runs backwards"),
        ("m@x=1..3:0", "step"),
        ("m@x=1..3:-1", "step"),
        ("m@x=0.5..2", "no step"),
        ("m@x=a..b", "no range"),
        ("m@x=1..", "no range"),
        ("m@x=1..8:*1", "does not grow"),
        ("m@x=0..8:*2", "does not grow"),
        ("m@x=", "empty"),
        ("m@x=1||2", "empty"),
        ("m@x=1,x=2", "twice"),
        ("m@x=1,y", "setting=values"),
        ("@x=1", "no model"),
        ("m@x=0..1:0.0000001", "values"),
    ],
)
def test_spaces_that_cannot_be_are_errors(text, said):
    with pytest.raises(BadSpace, match=said):
        parse_space(text)


def test_points_are_all_combinations_the_last_setting_fastest():
    space = parse_space("m@a=1|2,b=x|y|z")
    found = [c.reference for c in choices([space], sample=None, seed=0, sampler="random")]
    assert space.size == 6
    assert found[:4] == ["m@a=1,b=x", "m@a=1,b=y", "m@a=1,b=z", "m@a=2,b=x"]
    assert len(set(found)) == 6


@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    sample=st.integers(1, 40),
    seed=st.integers(0, 3),
    sampler=st.sampled_from(["random", "halton"]),
)
def test_a_sample_has_distinct_points_and_is_the_same_again(sizes, sample, seed, sampler):
    space = parse_space("m@" + ",".join(f"s{i}=1..{n}" for i, n in enumerate(sizes)))
    taken = [
        [c.reference for c in choices([space], sample=sample, seed=seed, sampler=sampler)]
        for _ in range(2)
    ]
    assert taken[0] == taken[1]
    assert len(set(taken[0])) == len(taken[0]) <= min(sample, space.size)
    if sampler == "random":
        assert len(taken[0]) == min(sample, space.size)


def test_a_halton_sample_is_spread_over_each_setting():
    space = parse_space("m@a=1..1000,b=1..1000")
    found = list(choices([space], sample=64, seed=1, sampler="halton"))
    for axis in (0, 1):
        eighths = {(int(choice.values[axis]) - 1) // 125 for choice in found}
        assert eighths == set(range(8))


def test_a_space_of_a_million_millions_needs_a_sample_and_says_how_long_it_would_take():
    space = parse_space("m@a=1..1000000,b=1..1000000")
    with pytest.raises(TooManyPoints, match=r"1,000,000,000,000 points, .* years") as problem:
        choices([space], sample=None, seed=0, sampler="random")
    assert "--sample" in problem.value.hint
    assert len(list(choices([space], sample=5, seed=0, sampler="random"))) == 5


def test_a_file_of_spaces(tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(
        '[[space]]\nmodel = "mlp"\n[space.settings]\nnum_classes = [2, 3]\n'
        'in_channels = "1|3"\nresolution = {from = 16, to = 32, step = 16}\n'
        '[[space]]\nmodel = "lenet5@num_classes=10"\n'
    )
    first, second = spaces_in(path)
    assert [axis.values for axis in first.axes] == [("2", "3"), ("1", "3"), ("16", "32")]
    assert (first.size, second.size) == (8, 1)
    named = "[[space]]\nmodel='m'\n"
    for text in ("", "space = 3", "[[space]]\nmodel = 3", f"{named}x=1", "[", f"[other]\n{named}",
                 f"{named}[space.settings]\nx=[]"):  # fmt: skip
        path.write_text(text)
        with pytest.raises(CnnInspectError):
            spaces_in(path)


@pytest.mark.parametrize(
    "name", ["mlp", "efficientnet_b0@width=0.5,resolution=64", "resnet20", "googlenet"]
)
def test_a_point_has_the_totals_of_the_summary(name):
    summary = cnninspect.summarize(name)
    point = measure_point(PointTask(name))
    assert point.totals == summary.totals
    (figures,) = cnninspect.compare([name]).models
    assert point.depth == figures.depth


def test_neighbours_share_their_network_and_tell_the_same(monkeypatch):
    built = []
    build = points._built_empty
    monkeypatch.setattr(points, "_built_empty", lambda m: built.append(m) or build(m))
    points._last.clear()
    names = [
        f"efficientnet_b0@width={width},resolution={resolution}"
        for width in (0.25, 0.5)
        for resolution in (32, 64, 96)
    ]
    for name in names:
        assert measure_point(PointTask(name)).totals == cnninspect.summarize(name).totals
    assert len(built) == 2


def test_settings_that_say_only_what_goes_in_leave_the_module_alone():
    from cnninspect.zoo import catalogue

    families = {catalogue.find(name)[0].name: catalogue.find(name) for name in catalogue.names()}
    declared = [(v.name, f.input_settings) for f, v in families.values() if f.input_settings]
    assert declared
    for name, settings in declared:
        for setting in settings:
            one, two = (cnninspect.trace(f"{name}@{setting}={n}", (1, 3, 64, 64)) for n in (64, 96))
            assert (one.layers, one.calls) == (two.layers, two.calls)


def test_costly_figures_are_those_of_the_other_questions():
    task = PointTask(
        "lenet5_modern", figures=("receptive_field", "memory", "least_time"), device="a100"
    )
    point = measure_point(task)
    summary = cnninspect.summarize("lenet5_modern", device_spec="a100")
    assert point.least_time == summary.layers[0].roofline.total.seconds
    assert point.memory == cnninspect.memory("lenet5_modern").totals.peak_bytes
    (figures,) = cnninspect.compare(["lenet5_modern"]).models
    assert point.receptive_field == max(figures.receptive_field)
    assert measure_point(PointTask("lenet5_modern", figures=("latency",))).latency > 0


def test_tasks_and_points_can_be_written_and_read():
    task = PointTask("mlp", None, 2, "train", ("memory",), "a100")
    assert read_task(written_task(task)) == task
    point = measure_point(PointTask("mlp"))
    assert read_outcome(written_outcome(point)) == point


def test_a_sweep_tells_what_fits_the_frontier_and_the_effects():
    report = cnninspect.sweep(
        "efficientnet_b0@width=0.25|0.5,depth=1|1.01,resolution=32|64", max_macs="20M"
    )
    assert (report.size, report.points, report.measured) == (8, 8, 8)
    assert all(model.totals.macs <= 20e6 for model in report.models)
    on = [model for model in report.models if model.frontier]
    assert report.models[: len(on)] == tuple(on)
    best = max(report.models, key=lambda model: model.totals.parameters)
    assert best.totals.parameters in [model.totals.parameters for model in on]
    effects = {(e.setting, e.figure): e for e in report.effects}
    assert effects["resolution", "parameters"].ratio == 1
    assert effects["resolution", "macs"].ratio > 3
    assert 0 <= effects["width", "macs"].share <= 1
    assert report.models[0].settings["width"] in ("0.25", "0.5")


@pytest.mark.parametrize(
    "axes",
    [
        ("capacity", "macs", "verdict"),
        ("parameters", "memory"),
        ("latency", "depth"),
        ("activations", "least_time", "receptive_field"),
        ("bytes", "gradient_orders"),
    ],
)
def test_a_frontier_is_over_any_two_or_three_figures(axes):
    options = {"device_spec": "a100"} if "least_time" in axes else {}
    report = cnninspect.sweep("lenet5_modern@num_classes=5|10", axes=axes, **options)
    assert any(model.frontier for model in report.models)
    for axis in axes:
        assert None not in report.models.numbers(axis)
    again = cnninspect.sweep("lenet5_modern@num_classes=5|10", axes=axes, **options)
    if "latency" in axes:  # is never the same, and measured again
        assert again.recalled == 0
    else:
        assert (again.recalled, again.models) == (2, report.models)


def test_the_verdict_is_that_of_gradients():
    point = measure_point(PointTask("lenet5_modern", figures=("verdict",)))
    (model,) = cnninspect.gradients("lenet5_modern").models
    assert (point.verdict, point.gradient_orders) == (model.verdict, model.trend.decisive_orders)


def test_limits_on_times_have_them_worked_out():
    report = cnninspect.sweep("mlp@num_classes=2|900", max_bound="20us", device_spec="cpu:100:10")
    (model,) = report.models
    assert (model.settings["num_classes"], model.fits) == ("2", True)
    assert model.least_time < 20e-6
    with pytest.raises(CnnInspectError, match="least times"):
        cnninspect.sweep(MLP, max_bound="1us")
    assert not cnninspect.sweep("mlp@num_classes=2", max_latency="1ns").models


def test_models_are_made_when_they_are_asked_for_and_are_a_sequence():
    report = cnninspect.sweep("mlp@num_classes=2..6:2,resolution=16|32")
    models = report.models
    assert list(models) == [models[i] for i in range(len(models))]
    assert models[-1] == models[len(models) - 1] == models[-1:][0]
    assert [model.frontier for model in models] == [i < models.on for i in range(len(models))]
    assert models == tuple(models)
    assert models != list(models)
    assert models.first(2, on_frontier=True) == models[:2]
    with pytest.raises(IndexError):
        models[len(models)]
    assert models.numbers("capacity") == [model.totals.parameters for model in models]
    assert models.setting("resolution") == [model.settings["resolution"] for model in models]
    data = report.to_dict()["models"]
    assert [each["model"]["reference"] for each in data] == [m.model.reference for m in models]


def test_settings_of_several_spaces_stand_side_by_side():
    report = cnninspect.sweep(["mlp@num_classes=2|4", "lenet5_modern@in_channels=1|3"])
    assert report.models.setting("in_channels").count(None) == 2
    assert {effect.setting for effect in report.effects} == {"num_classes", "in_channels"}


def test_settings_that_round_to_one_network_are_counted_and_named():
    report = cnninspect.sweep("efficientnet_b0@width=0.25|0.26,resolution=32", axes=("macs",))
    assert (report.points, report.networks) == (2, 1)
    assert [m.same_as for m in report.models] == [None, report.models[0].model.reference]


def test_points_that_are_named_twice_are_measured_once_and_counted():
    report = cnninspect.sweep([MLP, "mlp@num_classes=2"])
    assert (report.size, report.points, report.repeated) == (5, 4, 1)


def test_points_that_cannot_be_built_are_counted_and_named(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(CODE)
    report = cnninspect.sweep(f"{path}:make@width=12..14,depth=1|2", inputs=(1, 4))
    assert report.measured + len(report.failed) == 6
    assert report.failed
    report = cnninspect.sweep(f"{path}:make@width=4|13,depth=1", inputs=(1, 4))
    (failed,) = report.failed
    assert "unlucky" in failed.error
    assert failed.reference.endswith("width=13,depth=1")


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((), {}),
        (("mlp@nosuch=1|2",), {}),
        (("nosuch@a=1",), {}),
        ((MLP,), {"axes": ("speed",)}),
        ((MLP,), {"axes": ("macs", "parameters", "depth", "bytes")}),
        ((MLP,), {"axes": ("least_time",)}),
        ((MLP,), {"figures": ("colour",)}),
        ((MLP,), {"device_spec": "abacus"}),
        ((MLP,), {"sample": 0}),
        ((MLP,), {"sampler": "sobol"}),
        ((MLP,), {"rows": "rows.xls"}),
        ((MLP,), {"jobs": 0}),
        ((MLP,), {"batch": 0}),
        ((MLP,), {"max_macs": "many"}),
        ((MLP,), {"max_macs": "60%"}),
        ((MLP,), {"max_macs": 1, "min_macs": 2}),
    ],
)
def test_what_cannot_be_asked_is_said_before_anything_is_measured(arguments, options, monkeypatch):
    monkeypatch.setattr(measuring, "_each", None)
    with pytest.raises(CnnInspectError) as problem:
        cnninspect.sweep(*arguments, **options)
    assert problem.value.exit_code == 2


def test_a_setting_that_a_family_does_not_have_lists_those_that_it_has():
    with pytest.raises(UnknownSetting) as problem:
        cnninspect.sweep("mlp@colour=red|blue")
    assert "num_classes" in problem.value.hint


def test_what_was_measured_is_not_measured_again_in_whatever_order_it_is_typed(monkeypatch):
    first = cnninspect.sweep("mlp@num_classes=2|4,in_channels=1|3")
    assert first.recalled == 0
    measured = []
    each = measuring._each
    monkeypatch.setattr(measuring, "_each", lambda r, how: measured.extend(r) or each(r, how))
    second = cnninspect.sweep("mlp@in_channels=3|1,num_classes=2|4|6")
    assert second.recalled == 4
    assert sorted(measured) == [
        "mlp@in_channels=1,num_classes=6",
        "mlp@in_channels=3,num_classes=6",
    ]
    totals = {frozenset(m.settings.items()): m.totals for m in second.models}
    assert all(totals[frozenset(m.settings.items())] == m.totals for m in first.models)
    assert cnninspect.sweep("mlp@num_classes=2|4,in_channels=1", batch=2).recalled == 0
    assert cnninspect.cache().points == 8


def test_many_remembered_points_are_read_at_once(monkeypatch):
    from cnninspect.store import cache as caching

    cnninspect.sweep(MLP)
    monkeypatch.setattr(caching, "MOST_ASKED", 2)
    assert cnninspect.sweep(MLP).recalled == 4


def test_damaged_points_are_measured_again(cache):
    import sqlite3

    from cnninspect.store.cache import FILE

    first = cnninspect.sweep(MLP)
    for damage in ("[]", "{", "3", '["a"]', "[[1,2],3,4,5,6,7,8]", "[" * 9999):
        with sqlite3.connect(cache / FILE) as connection:
            connection.execute("UPDATE points SET value = ?", (damage,))
        connection.close()
        again = cnninspect.sweep(MLP)
        assert (again.recalled, again.models) == (0, first.models)


def test_processes_find_the_same():
    alone = cnninspect.sweep(MLP, remember=False)
    together = cnninspect.sweep(MLP, remember=False, jobs=2)
    assert together == alone


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_rows_are_written_while_it_runs(suffix, tmp_path):
    path = tmp_path / f"rows{suffix}"
    cnninspect.sweep(MLP, rows=path)
    if suffix == ".csv":
        rows = list(csv.DictReader(path.read_text().splitlines()))
    elif suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    else:
        pyarrow = pytest.importorskip("pyarrow.parquet")
        rows = pyarrow.read_table(path).to_pylist()
    assert [row["num_classes"] for row in rows] == ["2", "4", "6", "8"]
    assert int(rows[0]["parameters"]) == cnninspect.summarize("mlp@num_classes=2").totals.parameters
    with pytest.raises(CnnInspectError, match="exists already"):
        cnninspect.sweep(MLP, rows=path)
    cnninspect.sweep(MLP, rows=path, force=True)
    assert set(os.listdir(tmp_path)) == {"cache", path.name}


def test_a_sweep_that_is_killed_goes_on_where_it_was(cache, tmp_path):
    rows = tmp_path / "rows.jsonl"
    code = (
        "import cnninspect, time\n"
        "from cnninspect.commands.sweep import measuring\n"
        "from cnninspect.store import points\n"
        "measuring.SECONDS_BETWEEN = 0.0\n"
        "measure = points.measure_point\n"
        "points.measure_point = lambda task: time.sleep(0.02) or measure(task)\n"
        "cnninspect.sweep('mlp@num_classes=2..2000')\n"
    )
    running = subprocess.Popen([sys.executable, "-c", code])
    while running.poll() is None and cnninspect.cache().points < 3:
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.wait()
    known = cnninspect.cache().points
    assert known >= 3
    report = cnninspect.sweep("mlp@num_classes=2..6", rows=rows)
    assert report.recalled >= 3
    assert report.measured == 5


def test_effects_of_settings_with_words_and_without_variance():
    assert cnninspect.sweep("mlp@num_classes=4", remember=False).effects == ()


def test_a_picture_has_a_panel_for_each_setting():
    pytest.importorskip("matplotlib")
    from cnninspect.commands.sweep.plot import picture

    report = cnninspect.sweep("mlp@num_classes=2..12,in_channels=1|3", remember=False)
    drawn = picture(report, "svg").decode()
    assert drawn.startswith("<?xml")
    assert "<!-- by num_classes -->" in drawn
    assert "<!-- by in_channels -->" in drawn


def test_no_cell_of_the_rows_is_a_formula_or_a_command(tmp_path):
    space = tmp_path / "s.toml"
    space.write_text(
        '[[space]]\nmodel = "mlp"\n[space.settings]\nactivation = ["=1+1", "##[error]x", "relu"]\n'
    )
    cnninspect.sweep(space_file=space, rows=tmp_path / "r.csv")
    lines = (tmp_path / "r.csv").read_text().splitlines()
    cells = [cell for row in csv.reader(lines) for cell in row]
    assert "'=1+1" in cells
    assert not [cell for cell in cells if cell.startswith("=") or "##[" in cell]
    cnninspect.sweep(space_file=space, rows=tmp_path / "r.jsonl")
    text = (tmp_path / "r.jsonl").read_text()
    assert "##[" not in text
    assert [json.loads(line)["activation"] for line in text.splitlines()][1] == "##[error]x"


def test_rows_do_not_wait_for_who_reads_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "r.jsonl")
    with pytest.raises(FileUnwritable, match="nobody reads"):
        cnninspect.sweep(MLP, rows=tmp_path / "r.jsonl", force=True)


def test_ranges_and_spaces_without_end_are_refused():
    with pytest.raises(BadSpace, match="over 1,000 values"):
        parse_space("mlp@num_classes=1..99999999999999999999:*1.0000001")
    space = parse_space("mlp@" + ",".join(f"a{i}=1|2" for i in range(2000)))
    with pytest.raises(TooManyPoints, match=r"some 10\^602 points"):
        choices([space], sample=None, seed=0, sampler="random")
