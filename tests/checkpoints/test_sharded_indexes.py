import json

import pytest
import torch
from safetensors.torch import save_file

from cnninspect.checkpoints import kind_of, read_checkpoint
from cnninspect.errors import FileMissing, FileUnreadable


@pytest.fixture
def folder(tmp_path):
    save_file({"a": torch.zeros(2), "b": torch.zeros(3)}, tmp_path / "one.safetensors")
    save_file({"c": torch.zeros(4, dtype=torch.int8)}, tmp_path / "two.safetensors")
    return tmp_path


def index(folder, weight_map, **others):
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({**others, "weight_map": weight_map}))
    return path


WHOLE = {"a": "one.safetensors", "b": "one.safetensors", "c": "two.safetensors"}


def test_an_index_gives_the_tensors_of_all_its_files(folder):
    path = index(folder, WHOLE, metadata={"total_size": 24})
    checkpoint = read_checkpoint(path)
    assert kind_of(path) == "sharded index"
    assert [(t.name, t.nbytes, t.storage) for t in checkpoint.tensors] == [
        ("a", 8, "one.safetensors/data"),
        ("b", 12, "one.safetensors/data"),
        ("c", 4, "two.safetensors/data"),
    ]
    assert checkpoint.metadata == (("total_size", "24"),)
    assert checkpoint.format == "safetensors"
    sizes = [(folder / name).stat().st_size for name in ("one.safetensors", "two.safetensors")]
    assert checkpoint.file_bytes == sum(sizes)
    assert checkpoint.notes == ("2 files",)


def test_files_of_torch_save_may_be_indexed_as_well(tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "one.bin")
    checkpoint = read_checkpoint(index(tmp_path, {"a": "one.bin"}))
    assert checkpoint.format == "pytorch zip"
    assert [g.allowed for g in checkpoint.globals] == [True] * len(checkpoint.globals)
    assert checkpoint.globals


def test_a_tensor_that_its_file_does_not_hold_is_an_error(folder):
    with pytest.raises(FileUnreadable, match=r"two\.safetensors does not hold d"):
        read_checkpoint(index(folder, WHOLE | {"d": "two.safetensors"}))


def test_a_tensor_that_the_index_leaves_out_is_noted(folder):
    checkpoint = read_checkpoint(index(folder, {"a": "one.safetensors"}))
    assert "1 of the tensors not in the index" in checkpoint.notes


def test_a_file_that_is_not_there_is_named(folder):
    with pytest.raises(FileMissing, match="three"):
        read_checkpoint(index(folder, WHOLE | {"d": "three.safetensors"}))


@pytest.mark.parametrize("file", ["../one.safetensors", "/etc/passwd", "a\\b", "", "..", 3, "c:x"])
def test_files_of_other_folders_are_refused(folder, file):
    with pytest.raises(FileUnreadable, match="same folder"):
        read_checkpoint(index(folder, {"a": file}))


def test_an_index_may_not_name_itself(folder):
    with pytest.raises(FileUnreadable):
        read_checkpoint(index(folder, {"a": "model.safetensors.index.json"}))


def test_the_same_name_in_two_files_is_an_error(folder):
    save_file({"a": torch.zeros(2)}, folder / "two.safetensors")
    with pytest.raises(FileUnreadable, match="two of its files"):
        read_checkpoint(index(folder, {"b": "one.safetensors", "a": "two.safetensors"}))
