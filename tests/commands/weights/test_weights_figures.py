"""Figures of weights: against plain sums, and of files that are read piece by piece."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import cnninspect
from cnninspect.commands.weights import measuring
from cnninspect.errors import FileMissing, FileUnreadable


def table() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    sparse = torch.randn(6, 4, 3, 3)
    sparse[:2] = 0
    return {
        "conv.weight": sparse,
        "conv.bias": torch.randn(6) + 2,
        "half": torch.randn(5, 3).to(torch.bfloat16),
        "scalar": torch.tensor(3.0),
        "count": torch.tensor(7),
        "empty": torch.zeros(0, 3),
    }


def saved(folder: Path, kind: str) -> Path:
    path = folder / f"w.{kind}"
    if kind == "safetensors":
        from safetensors.torch import save_file

        save_file(table(), path)
    else:
        torch.save({"state_dict": table()}, path)
    return path


@pytest.mark.parametrize("piece", [2**24, 7])
@pytest.mark.parametrize("kind", ["safetensors", "pth"])
def test_figures_are_those_of_plain_sums(
    kind: str, piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "PIECE", piece)
    (file,) = cnninspect.weights(saved(tmp_path, kind)).files
    found = {each.name: each for each in file.tensors}
    assert set(found) >= {"conv.weight", "conv.bias", "half", "scalar"}
    for name in ("conv.weight", "conv.bias", "half", "scalar"):
        tensor, mine = table()[name].double(), found[name]
        assert mine.shape == tuple(tensor.shape)
        assert mine.elements == tensor.numel()
        assert mine.l1 == pytest.approx(float(tensor.abs().sum()))
        assert mine.l2 == pytest.approx(float(tensor.norm()))
        assert mine.largest == pytest.approx(float(tensor.abs().max()))
        assert mine.mean == pytest.approx(float(tensor.mean()))
        assert mine.deviation == pytest.approx(float(tensor.std(correction=0)), abs=1e-6)
        assert mine.zeros == int((tensor == 0).sum())
        assert sum(mine.histogram) == tensor.numel()
    for name in ("conv.weight", "half"):
        matrix = table()[name].double().flatten(1)
        exact = float(torch.linalg.matrix_norm(matrix, 2))
        assert found[name].spectral_norm == pytest.approx(exact, rel=1e-3)
    assert found["conv.bias"].spectral_norm is None
    assert file.total.l2 == pytest.approx(math.sqrt(sum(t.l2**2 for t in file.tensors)))
    assert file.total.zeros == sum(t.zeros for t in file.tensors)


def test_what_is_no_number_is_counted_and_left_out(tmp_path: Path) -> None:
    values = torch.tensor([[1.0, -2.0, math.nan], [math.inf, -math.inf, 2.0]])
    torch.save({"w": values}, tmp_path / "w.pth")
    report = cnninspect.weights(tmp_path / "w.pth")
    (found,) = report.files[0].tensors
    assert (found.not_a_number, found.infinite, found.elements) == (1, 2, 6)
    assert (found.l1, found.largest, found.spectral_norm) == (5.0, 2.0, None)
    assert "w has 1 NaN and 2 infinite of 6" in cnninspect.render(report)


def test_penalties_show_side_by_side(tmp_path: Path) -> None:
    for name, l1 in (("plain", 0.0), ("l1", 0.003)):
        cnninspect.train("mlp", epochs=2, batch=128, l1=l1, output=tmp_path / f"{name}.pth")
    report = cnninspect.weights([tmp_path / "plain.pth", tmp_path / "l1.pth"])
    plain, penalised = report.files
    assert penalised.total.l1 < 0.9 * plain.total.l1
    text = cnninspect.render(report)
    assert "plain.pth" in text
    assert "l1.pth" in text


def test_networks_are_shown_as_they_start() -> None:
    first, again, other = (cnninspect.weights("mlp", seed=s) for s in (0, 0, 1))
    assert first == again
    assert first.files != other.files
    net = nn.Linear(3, 2)
    nn.init.ones_(net.weight)
    (file,) = cnninspect.weights(net).files
    assert file.tensors[0].l1 == 6.0
    assert file.tensors[0].spectral_norm == pytest.approx(math.sqrt(6))


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        cnninspect.weights(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(FileUnreadable):
        cnninspect.weights(tmp_path / "text.pth")


def test_every_format_is_written(tmp_path: Path) -> None:
    report: Any = cnninspect.weights(saved(tmp_path, "pth"))
    data = json.loads(cnninspect.render(report, format="json"))
    assert data["schema"] == "cnninspect.weights/1"
    assert len(cnninspect.render(report, format="csv").splitlines()) == 1 + len(
        report.files[0].tensors
    )
    assert "--rows all" in cnninspect.render(report, rows=2)
