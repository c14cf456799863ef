"""A command, a format, a source and a formula are added from outside, by one row each."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import cnninspect
from cnninspect.commands import COMMANDS
from cnninspect.commands.application import run
from cnninspect.costs import registry
from cnninspect.page.formats import FORMATS, Format
from cnninspect.records.reports import Report
from cnninspect.sources.registry import SOURCES

COUNTING = '''
"""How many layers a model has: a question of somebody else's."""

from dataclasses import dataclass
from typing import ClassVar

from cnninspect.commands import options
from cnninspect.commands.output import show
from cnninspect.page.page import Fact, Facts, Page
from cnninspect.page.formats import Renderer, View
from cnninspect.records.reports import Report
from cnninspect.sources.open import trace


@dataclass(frozen=True, slots=True)
class LayerCount(Report):
    schema: ClassVar[str] = "example.count/1"
    rendering: ClassVar[str] = "layer_counting"
    layers: int


RENDERER = Renderer(
    view=View,
    page=lambda report, view: Page("layers", "", (Facts((Fact("layers", str(report.layers)),)),)),
    rows=lambda report, view: (("layers",), [(report.layers,)]),
)


def count(model: options.Model, format: options.OutputFormat = "table") -> None:
    """How many layers a model has."""
    show(LayerCount(len(trace(model).layers)), format=format)
'''

SOURCE = '''
"""Models of one linear layer, as wide as their name says."""

from torch import nn

from cnninspect.records.models import InputRequest, LoadedModel, ModelInfo


def load(reference):
    width = int(reference.name)
    info = ModelInfo(reference.text, reference.source, reference.name)
    return LoadedModel(info, lambda: nn.Linear(width, 1), (InputRequest((1, width)),))
'''


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[str, int]]:
    """Types arguments after `cnninspect`; returns what is printed, and the exit code."""

    def type_(*arguments: str) -> tuple[str, int]:
        with pytest.raises(SystemExit) as done:
            run(list(arguments))
        return capsys.readouterr().out, int(done.value.code or 0)

    return type_


def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: str) -> None:
    (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)


def test_a_command_is_one_module_and_one_row(typed, tmp_path, monkeypatch):
    outside(tmp_path, monkeypatch, "layer_counting", COUNTING)
    monkeypatch.setitem(COMMANDS, "count", "layer_counting:count")
    assert typed("count", "mlp") == ("layers\n\nlayers  6\n", 0)
    assert typed("count", "mlp", "--format", "csv") == ("layers\n6\n", 0)
    assert "count" in typed("--help")[0]


def test_a_format_is_one_row(monkeypatch):
    row = Format(lambda renderer, report, view: renderer.page(report, view).title.upper() + "\n")
    monkeypatch.setitem(FORMATS, "loud", row)
    assert cnninspect.render(cnninspect.summarize("mlp"), format="loud") == "MLP\n"


def test_a_report_without_a_renderer_says_so():
    @dataclass(frozen=True, slots=True)
    class Mute(Report):
        value: int = 1

    with pytest.raises(TypeError, match="no renderer for Mute"):
        cnninspect.render(Mute())


def test_a_source_is_one_module_and_one_row(typed, tmp_path, monkeypatch):
    outside(tmp_path, monkeypatch, "line_source", SOURCE)
    monkeypatch.setitem(SOURCES, "line", "line_source")
    printed, code = typed("summary", "line:7")
    assert code == 0
    assert "line" in printed
    assert cnninspect.summarize("line:7").totals.macs == 7


def test_a_formula_is_one_call(monkeypatch):
    monkeypatch.setattr(registry, "_counted", dict(registry._counted))
    cnninspect.register_cost("mine.triple", lambda operation: 3 * operation.output.numel)
    assert registry.registered()["mine.triple"].value == "counted"
