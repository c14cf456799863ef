"""Reports that were saved as JSON, as models: as good as the network, and checked as data."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import cnninspect
from cnninspect.errors import (
    BadOption,
    CnnInspectError,
    FileMissing,
    FileUnreadable,
    NeedsModules,
)
from cnninspect.metrics.figures import figures_of
from cnninspect.metrics.saved import is_saved_report, read_report


class Net(torch.nn.Module):
    """A tied weight, a map, a head: what figures are made of."""

    def __init__(self, width=6):
        super().__init__()
        self.first = torch.nn.Conv2d(3, width, 3, stride=2)
        self.inner = torch.nn.Sequential(torch.nn.Conv2d(width, width, 1), torch.nn.ReLU())
        self.again = self.inner[0]
        self.head = torch.nn.Linear(width, 4)

    def forward(self, x):
        x = self.again(self.inner(self.first(x)))
        return self.head(x.mean((2, 3)))


SHAPE = [(2, 3, 16, 16)]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A saved report of the network above."""
    path = tmp_path_factory.mktemp("saved") / "net.json"
    path.write_text(cnninspect.render(cnninspect.summarize(Net(), SHAPE), format="json"))
    return path


def changed(saved, tmp_path, change):
    content = json.loads(saved.read_text())
    change(content)
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(content))
    return path


def test_it_has_all_figures_of_the_network(saved):
    figures, now = read_report(saved).figures, figures_of(cnninspect.trace(Net(), SHAPE))
    for name in ("totals", "depth", "weighted_layers", "receptive_field", "gradient_paths",
                 "bytes_as", "stages", "inputs", "coverage"):  # fmt: skip
        assert getattr(figures, name) == getattr(now, name), name
    assert figures.model.reference == str(saved)
    assert "saved of Net" in figures.engine.notes[-1]


def test_diff_finds_no_change_and_each_change(saved):
    same = cnninspect.diff(saved, Net())
    assert same.is_empty
    assert same.new.macs == cnninspect.summarize(Net(), SHAPE).totals.macs  # run as it was
    wider = cnninspect.diff(str(saved), Net(7), inputs=SHAPE)
    assert {change.new.path for change in wider.changes if change.new} >= {"first", "head"}
    assert wider.new.parameters - wider.old.parameters == 28 + (7 * 8 - 6 * 7) + 4
    assert cnninspect.diff(Net(), saved).is_empty
    assert cnninspect.diff(saved, saved).is_empty


def test_compare_puts_it_beside_others(saved):
    report = cnninspect.compare([saved, Net()], inputs=SHAPE, max_params="60%", baseline=saved)
    first, second = report.models
    assert (first.ratios.macs, second.ratios.macs) == (1.0, 1.0)
    assert first.totals == second.totals
    assert first.exceeded == second.exceeded == ("max_params",)
    with pytest.raises(BadOption, match="thop"):
        cnninspect.compare([saved], convention="thop")


def test_check_holds_it_against_a_budget_and_others_against_it(saved):
    rules = {"max_params": "1k", "layers": {"inner*": {"max_macs": 1}}, "forbid": ["ReLU"]}
    report, live = (
        cnninspect.check(m, inputs=i, **rules) for m, i in ((saved, None), (Net(), SHAPE))
    )
    assert [(x.name, x.value, x.ok) for x in report.limits] == [
        (x.name, x.value, x.ok) for x in live.limits
    ]
    assert report.models[0].structure == live.models[0].structure
    assert cnninspect.check(Net(), SHAPE, baseline=str(saved), max_growth="0%").ok
    assert not cnninspect.check(Net(7), SHAPE, baseline=str(saved), max_growth="0%").ok
    with pytest.raises(NeedsModules):
        cnninspect.check(saved, max_memory="1GB")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.update(schema="cnninspect.compare/1"), "cnninspect.compare/1"),
        (lambda c: c.pop("schema"), "says none"),
        (lambda c: c.update(layers=c["layers"][:2]), "2 of"),
        (lambda c: c.update(whole=None), "figures of the whole"),
        (lambda c: c["totals"].update(macs="7"), "damaged"),
        (lambda c: c["totals"].update(macs=7), "damaged"),
        (lambda c: c.update(layers={}), "0 of"),
        (lambda c: c.pop("model"), "damaged"),
        (lambda c: c["layers"][1].update(parameters=[{"name": 1}]), "damaged"),
    ],
)
def test_what_is_no_whole_report_is_one_clear_error(saved, tmp_path, change, says):
    path = changed(saved, tmp_path, change)
    for ask in (lambda: cnninspect.diff(path, Net()), lambda: cnninspect.compare([path, Net()])):
        with pytest.raises(FileUnreadable, match=says) as raised:
            ask()
        assert str(path) in str(raised.value)
        assert raised.value.hint


def test_other_files_are_said_to_be_none(tmp_path):
    for text in ("", "[1, 2]", "null", "{", '"x"', "[" * 100_000, '{"a": 1e999}'):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(FileUnreadable):
            read_report(tmp_path / "x.json")
    with pytest.raises(FileMissing):
        cnninspect.diff("nosuch.json", "mlp")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(FileUnreadable) as raised:
        read_report(tmp_path / "config.json")
    assert "hf:" in raised.value.hint


def test_a_file_of_weights_is_not_compared_with_it(saved, tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "w.pth")
    with pytest.raises(BadOption):
        cnninspect.diff(tmp_path / "w.pth", saved)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("saved.json", True),
        ("a/b.JSON", True),
        ("hf:config.json", False),
        ("model.safetensors.index.json", False),
        ("net.py:Net", False),
        ("resnet18", False),
        (3, False),
    ],
)
def test_which_references_are_saved_reports(reference, expected):
    assert is_saved_report(reference) is expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(st.data())
def test_no_damage_is_more_than_an_error(saved, tmp_path_factory, data):
    """Whatever stands in place of a value, reading ends with a report or an error of ours."""
    content = json.loads(saved.read_text())
    holder, key = content, data.draw(st.sampled_from(sorted(content)))
    while isinstance(holder[key], (dict, list)) and holder[key] and data.draw(st.booleans()):
        holder = holder[key]
        keys = sorted(holder) if isinstance(holder, dict) else range(len(holder))
        key = data.draw(st.sampled_from(list(keys)))
    holder[key] = data.draw(JSON)
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    path.write_text(json.dumps(content))
    try:
        report = read_report(path)
    except CnnInspectError:
        return
    cnninspect.render(report.summary)
