"""What a person types, taken apart."""

import warnings

import pytest
import torch
from safetensors.torch import save_file

import cnninspect
from cnninspect.errors import BadReference, UnknownModel
from cnninspect.sources import registry
from cnninspect.sources.references import parse_reference

SCHEMES = tuple(registry.SOURCES)


@pytest.mark.parametrize(
    ("text", "source", "name"),
    [
        ("resnet34", "zoo", "resnet34"),
        ("zoo:resnet34", "zoo", "resnet34"),
        ("torchvision:resnet50", "torchvision", "resnet50"),
        ("timm:resnet50.a1_in1k", "timm", "resnet50.a1_in1k"),
        ("hf:some/folder", "hf", "some/folder"),
        ("hf:config.json", "hf", "config.json"),
        ("net.py:make", "python", "net.py:make"),
        ("a/b/net.py:make", "python", "a/b/net.py:make"),
        ("net.py", "python", "net.py"),
        ("package.module:Class", "python", "package.module:Class"),
        ("module:Class", "python", "module:Class"),
        ("weights.pth", "checkpoint", "weights.pth"),
        ("a/weights.SAFETENSORS", "checkpoint", "a/weights.SAFETENSORS"),
        ("pytorch_model.bin", "checkpoint", "pytorch_model.bin"),
        ("model.safetensors.index.json", "checkpoint", "model.safetensors.index.json"),
        ("a/pytorch_model.bin.index.json", "checkpoint", "a/pytorch_model.bin.index.json"),
        ("program.pt2", "pt2", "program.pt2"),
        ("scripted.pt", "pt", "scripted.pt"),
        ("pt2:program", "pt2", "program"),
        ("timm:resnet50.pt", "timm", "resnet50.pt"),
    ],
)
def test_an_explicit_scheme_wins_then_the_suffix_then_the_zoo(text, source, name):
    reference = parse_reference(text, SCHEMES)
    assert (reference.source, reference.name) == (source, name)
    assert reference.text == text
    assert reference.settings == ()


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("resnet34@num_classes=10", [("num_classes", "10")]),
        ("resnet34@a=1, b = x", [("a", "1"), ("b", "x")]),
        ("timm:x@channels=(8,16),act=silu", [("channels", "(8,16)"), ("act", "silu")]),
        ("timm:x@a=((1,2),(3,4)),b=[5,6]", [("a", "((1,2),(3,4))"), ("b", "[5,6]")]),
        ("hf:d@text_config.num_layers=2", [("text_config.num_layers", "2")]),
        ("user@host/net.py:make@width=3", [("width", "3")]),
    ],
)
def test_settings_follow_the_at_sign(text, settings):
    assert list(parse_reference(text, SCHEMES).settings) == settings


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("timm:", "no name follows timm:"),
        ("resnet34@", "nothing follows the @"),
        ("resnet34@a=1,b", "'b' is not key=value"),
        ("resnet34@a=", "'a=' is not key=value"),
        ("resnet34@a=1,a=2", "a is set twice"),
        ("models/net.h5", "no file that a source reads"),
        ("./folder", "no file that a source reads"),
    ],
)
def test_what_cannot_be_read_is_said(text, problem):
    with pytest.raises(BadReference, match=problem):
        parse_reference(text, SCHEMES)


def test_a_configuration_without_its_scheme_is_understood():
    for text in ("models/bert", "models/bert/config.json"):
        with pytest.raises(BadReference) as caught:
            registry.load(text)
        assert f"write hf:{text};" in caught.value.hint


def test_an_unknown_name_is_an_error_with_the_nearest_names():
    with pytest.raises(UnknownModel) as caught:
        registry.load("resnt34")
    assert "resnet34" in caught.value.hint


def test_a_mistyped_source_is_an_error_with_the_nearest_source():
    with pytest.raises(BadReference) as caught:
        registry.load("torchvison:resnet50")
    assert caught.value.hint == "did you mean torchvision?"


@pytest.mark.parametrize("scheme", registry.SOURCES)
def test_every_source_of_the_table_can_load(scheme):
    assert callable(registry.source(scheme).load)


@pytest.mark.parametrize("scheme", registry.LISTABLE)
def test_every_source_that_is_said_to_have_names_lists_them(scheme):
    entries = registry.entries((scheme,))
    assert len(entries) > 50
    assert {entry.source for entry in entries} == {scheme}
    assert len({entry.name for entry in entries}) == len(entries)


@pytest.mark.parametrize("suffix", [".jit", ".ts", ".torchscript", ".ptl", ".PT"])
def test_other_suffixes_of_torchscript_are_known(suffix):
    assert parse_reference(f"program{suffix}", SCHEMES).source == "pt"


def test_a_suffix_that_tells_nothing_leaves_it_to_the_content(tmp_path):
    weights = tmp_path / "weights.dat"
    save_file({"w": torch.zeros(2, 3)}, weights)
    assert parse_reference(str(weights), SCHEMES).source == "checkpoint"
    (tensor,) = cnninspect.summarize(str(weights)).tensors
    assert tensor.spec.shape == (2, 3)
    network = tmp_path / "network.model"
    cnninspect.export_onnx("mlp@hidden=5", tmp_path / "network.onnx", verify=False)
    (tmp_path / "network.onnx").rename(network)
    assert cnninspect.summarize(str(network)).model.source == "onnx"


def test_content_never_picks_torchs_own_loader(tmp_path):
    program = tmp_path / "program.dat"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(torch.nn.Linear(3, 2), torch.zeros(1, 3)).save(program)
    with pytest.raises(BadReference, match="TorchScript program, and is not called so") as problem:
        cnninspect.summarize(str(program))
    assert ".jit" in problem.value.hint
    (tmp_path / "text.dat").write_text("nothing of the kind")
    with pytest.raises(BadReference, match="no file that a source reads"):
        cnninspect.summarize(str(tmp_path / "text.dat"))
