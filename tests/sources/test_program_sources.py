"""Files that hold a program: `.pt2` of torch.export, `.pt` of TorchScript."""

import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import cnninspect
from cnninspect.errors import (
    BadInput,
    BadReference,
    CnnInspectError,
    FileMissing,
    FileUnreadable,
    RunFailed,
    UnknownSetting,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*deprecated.*:DeprecationWarning", "ignore:.*LeafSpec.*:FutureWarning"
)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.bn = nn.BatchNorm2d(8)

    def forward(self, x):
        return torch.relu(self.bn(self.conv(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        return self.head(self.pool(self.block(x)).flatten(1))


class Masked(Net):
    def forward(self, x, *, mask):
        return super().forward(x) * mask


MACS = 30 * 30 * 8 * 27 + 80
"""Of a picture of 32 by 32."""


def exported(path, module, arguments, keywords=None, dynamic=None):
    program = torch.export.export(module.eval(), arguments, keywords, dynamic_shapes=dynamic)
    torch.export.save(program, path)
    return str(path)


def scripted(path, module, *, example=None):
    module.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.jit.script(module) if example is None else torch.jit.trace(module, example)
        torch.jit.save(program, path)
    return str(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("programs")
    batch = {0: torch.export.Dim.DYNAMIC}
    picture = torch.randn(2, 3, 32, 32)
    return {
        "fixed": exported(folder / "fixed.pt2", Net(), (picture,)),
        "any batch": exported(folder / "any.pt2", Net(), (picture,), dynamic=(batch,)),
        "masked": exported(
            folder / "masked.pt2",
            Masked(),
            (picture,),
            {"mask": torch.ones(10)},
            {"x": batch, "mask": None},
        ),
        "scripted": scripted(folder / "scripted.pt", Net()),
        "traced": scripted(folder / "traced.pt", Net(), example=picture),
        "scripted.pth": scripted(folder / "scripted.pth", Net()),
        "exported.bin": exported(folder / "exported.bin", Net(), (picture,)),
    }


PATHS = ["", "block", "block.conv", "block.bn", "head"]
TYPES = ["Net", "Block", "Conv2d", "BatchNorm2d", "Linear"]


def rows(report):
    found = {layer.path: layer for layer in report.layers}
    return [found[path] for path in PATHS]


@pytest.mark.parametrize(
    ("name", "batch", "size"),
    [("fixed", 2, 32), ("any batch", 1, 32), ("scripted", 1, 224), ("traced", 1, 224)],
)  # fmt: skip
def test_the_layers_of_a_program_have_their_names_types_and_counts(files, name, batch, size):
    report = cnninspect.summarize(files[name])
    assert report.inputs[0].spec.shape == (batch, 3, size, size)
    conv = batch * (size - 2) ** 2 * 8 * 27
    layers = rows(report)
    assert [layer.type for layer in layers] == TYPES
    assert [layer.total.macs for layer in layers] == [
        conv + batch * 80, conv, conv, 0, batch * 80,
    ]  # fmt: skip
    assert [layer.own.parameters for layer in layers] == [0, 0, 224, 16, 90]
    assert layers[2].output_shapes == ((batch, 8, size - 2, size - 2),)
    assert layers[4].calls == 1
    assert any("torch's own loader" in note for note in report.engine.notes)


@pytest.mark.parametrize("name", ["scripted.pth", "exported.bin"])
def test_a_program_under_the_name_of_weights_is_not_loaded(files, name, monkeypatch):
    def loaded(*_, **__):
        raise AssertionError("torch's loader was called")

    monkeypatch.setattr(torch.jit, "load", loaded)
    monkeypatch.setattr(torch.export, "load", loaded)
    for refuse in (cnninspect.trace, cnninspect.summarize):
        with pytest.raises(FileUnreadable, match="not a checkpoint"):
            refuse(files[name])


def test_a_program_takes_what_it_was_exported_with(files):
    report = cnninspect.summarize(files["masked"])
    assert [(i.name, i.spec.shape) for i in report.inputs] == [
        ("x", (1, 3, 32, 32)), ("mask", (10,)),
    ]  # fmt: skip
    three = cnninspect.summarize(files["masked"], batch=3)
    assert [i.spec.shape for i in three.inputs] == [(3, 3, 32, 32), (10,)]
    assert three.totals.macs == 3 * MACS


def test_a_shape_that_a_program_does_not_allow_is_a_clear_error(files):
    with pytest.raises(RunFailed, match="re-export"):
        cnninspect.summarize(files["fixed"], batch=3)
    with pytest.raises(RunFailed, match="re-export"):
        cnninspect.summarize(files["any batch"], (1, 3, 64, 64))


def test_a_scripted_program_takes_other_sizes(files):
    assert cnninspect.summarize(files["scripted"], (2, 3, 32, 32)).totals.macs == 2 * MACS


def test_a_frozen_program_says_that_its_input_is_needed(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frozen = torch.jit.freeze(torch.jit.script(Net().eval()))
        torch.jit.save(frozen, tmp_path / "frozen.pt")
    with pytest.raises(BadInput, match="nothing says what x should be"):
        cnninspect.summarize(str(tmp_path / "frozen.pt"))
    report = cnninspect.summarize(str(tmp_path / "frozen.pt"), (1, 3, 32, 32))
    assert report.totals.macs == MACS


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.project = nn.Linear(16, 48, bias=False)

    def forward(self, x):
        q, k, v = self.project(x).chunk(3, -1)
        return nn.functional.scaled_dot_product_attention(q, k, v)


def test_attention_in_programs_is_counted_in_full(tmp_path):
    x = torch.randn(1, 5, 16)
    for reference in (
        exported(tmp_path / "attention.pt2", Attention(), (x,)),
        scripted(tmp_path / "traced.pt", Attention(), example=x),
        scripted(tmp_path / "scripted.pt", Attention()),
    ):
        report = cnninspect.summarize(reference, (1, 5, 16))
        assert report.totals.macs == 5 * 16 * 48 + 2 * 5 * 5 * 16
        assert report.uncounted == ()


def test_a_checkpoint_that_ends_in_pt_is_no_program(tmp_path):
    torch.save(Net().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(BadReference, match="holds weights and no network"):
        cnninspect.trace(str(tmp_path / "weights.pt"))


@pytest.mark.parametrize("suffix", ["pt", "pt2"])
def test_a_missing_file_and_settings_are_errors(files, suffix):
    with pytest.raises(FileMissing):
        cnninspect.trace(f"nowhere.{suffix}")
    name = files["scripted" if suffix == "pt" else "fixed"]
    with pytest.raises(UnknownSetting):
        cnninspect.trace(f"{name}@width=3")


@pytest.mark.parametrize("suffix", ["pt", "pt2"])
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_program_is_one_clear_error(files, tmp_path, suffix, data):
    whole = Path(files["scripted" if suffix == "pt" else "fixed"]).read_bytes()
    damage = data.draw(st.sampled_from(["cut", "noise", "flip", "drop"]))
    path = tmp_path / f"damaged.{suffix}"
    if damage == "cut":
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    elif damage == "noise":
        path.write_bytes(data.draw(st.binary(max_size=200)))
    elif damage == "flip":
        at = data.draw(st.integers(0, len(whole) - 1))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
    else:
        path.write_bytes(whole)
        with zipfile.ZipFile(path) as archive:
            kept = {i.filename: archive.read(i) for i in archive.infolist()}
        kept.pop(data.draw(st.sampled_from(sorted(kept))))
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in kept.items():
                archive.writestr(name, content)
    exit_code = 0
    try:
        cnninspect.trace(str(path), (2, 3, 32, 32))
    except CnnInspectError as error:
        exit_code = error.exit_code
    assert exit_code in (0, 1, 2)
    if damage == "noise":
        assert exit_code == 1


def test_a_file_of_another_kind_is_said_to_be_unreadable(tmp_path):
    for name in ("a.pt2", "a.pt"):
        (tmp_path / name).write_text("hello")
        with pytest.raises(FileUnreadable, match=name):
            cnninspect.trace(str(tmp_path / name))


def test_a_program_that_was_cut_off_is_said_to_be(tmp_path):
    path = tmp_path / "program.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("program/models/model.json", "{}")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(FileUnreadable, match="its end is missing"):
        cnninspect.trace(str(path))
