"""Latency and least times as limits and columns of `check`, `compare` and `find`."""

from __future__ import annotations

import csv
import io

import pytest
from torch import nn

import cnninspect
from cnninspect.commands.application import run
from cnninspect.errors import BadOption, BadQuantity, NotCalibrated, UnknownArgument, UnknownKey
from cnninspect.metrics.limits import parse_time
from cnninspect.records.timings import Spread, Timed

MILLISECONDS = {"mlp": 1, "lenet5": 20, "lenet5_modern": 5}


@pytest.fixture
def clock(monkeypatch):
    """Times as they are written down above; the list holds what was timed."""
    asked = []

    def timed(model, traced, inputs=None, *, settings, kwargs=None, **watching):
        name = traced.model.name
        asked.append((name, settings))
        assert watching == {"by_layer": False}
        median = MILLISECONDS.get(name, 3) / 1e3
        spread = Spread(median, 0.9 * median, 1.05 * median, 0.9 * median, 7, 7)
        return Timed(spread=spread, threads=settings.threads or 1)

    monkeypatch.setattr("cnninspect.store.measuring.timed", timed)
    return asked


@pytest.fixture
def typed(capsys):
    def type_command(*arguments):
        with pytest.raises(SystemExit) as left:
            run(list(arguments))
        printed = capsys.readouterr()
        return left.value.code, printed.out, printed.err

    return type_command


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("20ms", 20_000_000), ("1.5 s", 1_500_000_000), ("500us", 500_000), ("500µs", 500_000),
     ("7ns", 7), ("2min", 120_000_000_000), ("1,000ms", 10**9)],
)  # fmt: skip
def test_a_time_has_a_unit(text, nanoseconds):
    assert parse_time(text, option="--max-latency").value == nanoseconds


@pytest.mark.parametrize(
    "text", ["20", "ms", "20MB", "60%", "-1ms", "20 M", "", "1e400ms", "nan s"]
)
def test_what_is_no_time_is_refused(text):
    with pytest.raises(BadQuantity, match="--max-latency"):
        parse_time(text, option="--max-latency")


def test_a_latency_is_a_limit_and_the_model_is_timed_only_where_it_is(clock):
    kept = cnninspect.check("lenet5", max_latency="20ms", seconds=0.5, threads=3, batch=2)
    assert kept.ok
    (limit,) = kept.limits
    assert (limit.name, limit.value, limit.limit, limit.unit) == ("max_latency", 0.02, 0.02, "s")
    assert "7 runs in torch, 3 threads" in limit.reason
    ((name, settings),) = clock
    assert (name, settings.batch, settings.seconds, settings.threads) == ("lenet5", 2, 0.5, 3)
    assert not cnninspect.check("lenet5", max_latency="19.9ms").ok
    clock.clear()
    cnninspect.check("lenet5", max_params="1M")
    assert not clock


def test_a_least_time_is_a_limit_and_nothing_is_timed(clock):
    seconds = cnninspect.summarize("lenet5", device_spec="a100").layers[0].roofline.total.seconds
    report = cnninspect.check("lenet5", max_bound="1ns", device_spec="a100")
    (limit,) = report.limits
    assert limit.value == pytest.approx(seconds, abs=1e-9)
    assert not limit.ok
    assert not clock
    with pytest.raises(BadOption, match="device_spec"):
        cnninspect.check("lenet5", max_bound="1ns")
    with pytest.raises(NotCalibrated):
        cnninspect.check("lenet5", max_bound="1ns", device_spec="this-mps")


def test_a_budget_file_limits_times_of_networks_and_not_of_layers(clock, tmp_path):
    path = tmp_path / "budget.toml"
    path.write_text('max_latency = "10ms"\n[models.mlp]\n[models.lenet5]\n')
    report = cnninspect.check(budget=path)
    assert [(limit.model, limit.ok) for limit in report.limits] == [
        ("mlp", True),
        ("lenet5", False),
    ]
    assert report.limits[1].line == 1
    path.write_text('max_bound = "1s"\ndevice_spec = "a100"\n')
    assert cnninspect.check("mlp", budget=path).ok
    path.write_text('[layers."fc*"]\nmax_latency = "10ms"\n')
    with pytest.raises(UnknownKey):
        cnninspect.check("mlp", budget=path)


def test_one_that_cannot_be_timed_fails_the_gate(tmp_path, monkeypatch):
    def timed(*_, **__):
        raise BadOption("--device", "x", "another")

    monkeypatch.setattr("cnninspect.store.measuring.timed", timed)
    with pytest.raises(BadOption):
        cnninspect.check("mlp", max_latency="1s")


def test_models_are_compared_by_latency_and_by_least_time(clock):
    report = cnninspect.compare(["lenet5", "mlp"], latency=True, device_spec="a100", threads=2)
    slow, fast = report.models
    assert (slow.latency.median_s, fast.latency.median_s) == (0.02, 0.001)
    assert slow.latency.threads == 2
    assert slow.bound_s == pytest.approx(
        cnninspect.summarize("lenet5", device_spec="a100").layers[0].roofline.total.seconds
    )
    text = cnninspect.render(report, columns="model,latency,bound", sort="latency")
    assert "20 ms" in text
    assert text.index("lenet5") < text.index("mlp")
    rows = list(csv.DictReader(io.StringIO(cnninspect.render(report, format="csv"))))
    assert [float(row["latency_s"]) for row in rows] == [0.02, 0.001]
    assert [float(row["latency_iqr_s"]) for row in rows] == pytest.approx([0.003, 0.00015])
    assert "latency" in cnninspect.render(report)


def test_nothing_is_timed_unless_it_is_asked_for(clock):
    report = cnninspect.compare(["lenet5", "mlp"])
    assert all(model.latency is None and model.bound_s is None for model in report.models)
    assert "latency" not in cnninspect.render(report)
    assert not clock


def test_a_limit_on_latency_says_what_fits(clock):
    report = cnninspect.compare(["lenet5", "mlp"], max_latency="2ms")
    assert [(m.model.name, m.fits, m.exceeded) for m in report.models] == [
        ("lenet5", False, ("max_latency",)),
        ("mlp", True, ()),
    ]
    assert "latency ≤ 2 ms: not lenet5" in cnninspect.render(report)


def test_a_live_module_is_timed_as_well(clock):
    report = cnninspect.compare({"small": nn.Linear(3, 3)}, inputs=[(1, 3)], max_latency="1s")
    assert report.models[0].fits
    assert [name for name, _ in clock] == ["small"]


def test_only_candidates_that_keep_the_other_limits_are_timed(clock):
    report = cnninspect.find("lenet", max_macs="420k", max_latency="10ms", remember=False)
    assert [model.model.name for model in report.models] == ["lenet5_modern"]
    assert sorted(name for name, _ in clock) == ["lenet5", "lenet5_modern"]
    alone = cnninspect.find("lenet5_modern", max_latency="1ms", remember=False)
    assert not alone.models
    assert alone.searched == 1


def test_candidates_that_would_not_be_shown_are_not_timed(clock):
    found = cnninspect.find("lenet", max_latency="1s", remember=False)
    timed = {name for name, _ in clock}
    assert timed == {model.model.name for model in found.models}
    others = {name for other in found.other_inputs for name in other.models}
    assert others
    assert not others & timed
    assert found.searched == len(timed) + len(others)
    clock.clear()
    every = cnninspect.find("lenet", max_latency="1s", any_input=True, remember=False)
    assert len(every.models) == len(clock) == found.searched


def test_candidates_are_held_against_a_device_without_a_clock(clock):
    wide = cnninspect.find("lenet", max_bound="1s", device_spec="cpu:1:1", remember=False)
    assert wide.models
    assert all(model.bound_s > 0 for model in wide.models)
    least = min(model.bound_s for model in wide.models)
    bound = f"{least * 1.0001e9:.0f}ns"
    few = cnninspect.find("lenet", max_bound=bound, device_spec="cpu:1:1", remember=False)
    assert [model.bound_s for model in few.models] == [least]
    assert not clock


@pytest.mark.parametrize("command", [("compare", "mlp"), ("find", "mlp"), ("check", "mlp")])
def test_the_options_of_times_are_the_same_everywhere(typed, clock, command):
    typed_times = ("--max-latency", "1s", "--max-bound", "1s", "--device-spec", "a100")
    code, out, _ = typed(*command, *typed_times, "--seconds", "0.1", "--threads", "2")
    assert code == 0
    assert "latency" in out
    ((_, settings),) = clock
    assert (settings.seconds, settings.threads) == (0.1, 2)
    code, _, err = typed(*command, "--max-bound", "1s")
    assert code == 2
    assert "--max-bound without --device-spec" in err
    code, _, err = typed(*command, "--max-latency", "5")
    assert code == 2
    assert "write a time with its unit" in err


def test_the_column_of_latency_asks_for_the_clock(typed, clock):
    code, out, _ = typed("compare", "mlp", "--columns", "model,latency")
    assert code == 0
    assert "1 ms" in out
    assert len(clock) == 1


def test_arguments_that_there_are_not_are_named():
    with pytest.raises(UnknownArgument, match="latencies"):
        cnninspect.compare(["mlp"], latencies=True)
