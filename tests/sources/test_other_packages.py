"""Libraries that are missing or broken, and sources that other packages bring along."""

import sys

import pytest

import cnninspect
from cnninspect.commands.application import run
from cnninspect.errors import LibraryBroken, MissingLibrary, UnknownChoice
from cnninspect.sources import registry
from cnninspect.sources.libraries import library


@pytest.mark.parametrize(
    ("reference", "name", "extra"),
    [
        ("torchvision:resnet18", "torchvision", "vision"),
        ("timm:resnet18", "timm", "vision"),
        ("hf:config.json", "transformers", "transformers"),
    ],
)
def test_a_missing_library_is_an_error_that_says_how_to_get_it(
    monkeypatch, tmp_path, reference, name, extra
):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    monkeypatch.chdir(tmp_path)
    for module in [m for m in sys.modules if m.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)  # Python's sign that there is none
    with pytest.raises(MissingLibrary, match=f"{reference} needs {name}") as caught:
        registry.load(reference)
    assert caught.value.hint == f"pip install 'cnninspect[{extra}]'"
    assert caught.value.exit_code == 2


def test_a_list_needs_the_library_as_well(monkeypatch):
    for module in [m for m in sys.modules if m.partition(".")[0] == "timm"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingLibrary):
        cnninspect.models(source="timm")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("raise ValueError('too old')", "ValueError: too old"),
        ("import no_such_dependency", "no_such_dependency"),
    ],
)
def test_a_library_that_cannot_be_imported_is_said_to_be_broken(monkeypatch, tmp_path, text, says):
    (tmp_path / "timm.py").write_text(text)
    for module in [m for m in sys.modules if m.partition(".")[0] == "timm"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(LibraryBroken, match=f"timm is installed and cannot be imported: .*{says}"):
        library("timm", "this test")


def test_a_library_that_lacks_another_of_ours_asks_for_that_one(monkeypatch, tmp_path):
    (tmp_path / "timm.py").write_text("import torchvision")
    for module in [m for m in sys.modules if m.partition(".")[0] in ("timm", "torchvision")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingLibrary, match="needs torchvision"):
        library("timm", "this test")


def test_a_source_without_names_cannot_be_listed():
    for scheme in ("hf", "python", "pt2", "nosuch"):
        with pytest.raises(UnknownChoice) as caught:
            cnninspect.models(source=scheme)
        assert "zoo, torchvision, timm" in caught.value.hint


TOY = """
from torch import nn

from cnninspect.records.models import ModelEntry
from cnninspect.records.models import InputRequest, LoadedModel, ModelInfo

WIDTHS = {"narrow": 4, "wide": 64}

def load(reference):
    width = WIDTHS[reference.name]
    return LoadedModel(
        ModelInfo(reference.text, "toy", reference.name),
        lambda: nn.Linear(width, width),
        inputs=(InputRequest((1, width)),),
    )

def entries():
    return tuple(ModelEntry(name, "toy", "linear") for name in WIDTHS)
"""


@pytest.fixture
def distribution(monkeypatch, tmp_path):
    """Writes a package that is installed, as far as Python can tell."""

    def write(code, entry="toy = toy_models"):
        (tmp_path / "toy_models.py").write_text(code)
        info = tmp_path / "toy_models-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-models\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[cnninspect.sources]\n{entry}\n")
        monkeypatch.syspath_prepend(tmp_path)

    yield write
    sys.modules.pop("toy_models", None)


def test_another_package_adds_a_source(distribution):
    distribution(TOY)
    report = cnninspect.summarize("toy:wide")
    assert report.model.source == "toy"
    assert report.totals.macs == 64 * 64
    assert [entry.name for entry in cnninspect.models(source="toy").entries] == ["narrow", "wide"]
    with pytest.raises(UnknownChoice) as caught:
        cnninspect.models(source="hf")
    assert caught.value.hint.endswith("zoo, torchvision, timm, toy")


def test_a_source_of_this_package_cannot_be_replaced(distribution):
    distribution(TOY, entry="timm = toy_models")
    assert registry.source("timm").__name__ == "cnninspect.sources.timm"


@pytest.mark.parametrize(
    ("code", "says"),
    [("1 / 0", "ZeroDivisionError"), ("x = 3", "has no function load")],
)
def test_a_broken_source_names_its_package(distribution, capsys, code, says):
    distribution(code)
    with pytest.raises(SystemExit) as left:
        run(["summary", "toy:wide"])
    error = capsys.readouterr().err
    assert left.value.code == 1
    assert "the source toy: of toy-models cannot be used" in error
    assert says in error


def test_a_source_without_entries_is_not_listed(distribution):
    distribution(TOY.partition("def entries")[0])
    assert cnninspect.summarize("toy:narrow").totals.macs == 16
    with pytest.raises(UnknownChoice):
        cnninspect.models(source="toy")
