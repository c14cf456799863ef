"""Files whose tensors show far more numbers than they hold, and rows without end."""

from __future__ import annotations

import pytest
import torch

import cnninspect
from cnninspect.commands.weights import measuring
from cnninspect.errors import FileUnreadable


def test_a_tensor_that_repeats_one_number_is_refused(tmp_path):
    path = tmp_path / "w.pth"
    torch.save({"w": torch.zeros(1).expand(2**40)}, path)
    with pytest.raises(FileUnreadable, match="of the 4 that it holds"):
        cnninspect.weights(path)


def test_tied_and_small_expanded_tensors_are_looked_at(tmp_path):
    path, tied = tmp_path / "w.pth", torch.randn(64, 64)
    torch.save({"a": tied, "b": tied, "c": torch.ones(1).expand(8, 8)}, path)
    found = cnninspect.weights(path).files[0]
    assert [each.elements for each in found.tensors] == [4096, 4096, 64]


def test_tensors_without_numbers_are_passed_over(tmp_path):
    path = tmp_path / "w.pth"
    torch.save({"a": torch.zeros(3, device="meta"), "b": torch.ones(2)}, path)
    assert [each.name for each in cnninspect.weights(path).files[0].tensors] == ["b"]


def test_long_rows_are_looked_at_in_parts(tmp_path, monkeypatch):
    path, values = tmp_path / "w.pth", torch.randn(3, 100)
    torch.save({"w": values}, path)
    whole = cnninspect.weights(path).files[0].tensors[0]
    monkeypatch.setattr(measuring, "LONGEST_ROW", 7)
    parts = cnninspect.weights(path).files[0].tensors[0]
    assert parts.l2 == pytest.approx(whole.l2)
    assert parts.l2 == pytest.approx(float(values.double().norm()))
    assert parts.histogram == whole.histogram
    assert parts.spectral_norm is None
