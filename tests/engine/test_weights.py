import pickle
import struct
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from cnninspect.checkpoints import zip_archive
from cnninspect.engine.weights import load_weights, read_state
from cnninspect.errors import FileMissing, FileUnreadable, WeightsMismatch
from cnninspect.records.checkpoint import Misshaped


class Network(nn.Module):
    def __init__(self, outputs=3):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, outputs)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 2)
        self.head = nn.Linear(2, 5, bias=False)
        self.head.weight = self.embedding.weight


@pytest.fixture
def path(tmp_path):
    return tmp_path / "w.pth"


def trained():
    """A network none of whose tensors has the value that it starts with."""
    network = Network()
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.copy_(torch.randint(1, 100, tensor.shape))
    return network


def assert_same(first, second):
    for (name, a), b in zip(first.state_dict().items(), second.state_dict().values()):
        assert torch.equal(a, b), name


SAVERS = {
    "torch.save": torch.save,
    "legacy": lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False),
    "safetensors": save_file,
    "state_dict": lambda state, path: torch.save({"epoch": 3, "state_dict": state}, path),
    "model": lambda state, path: torch.save({"model": state, "optimizer": {}}, path),
    "protocol 3": lambda state, path: torch.save(state, path, pickle_protocol=3),
}


@pytest.mark.parametrize("save", SAVERS.values(), ids=SAVERS.keys())
def test_every_tensor_is_loaded(path, save):
    source, target = trained(), Network()
    save(source.state_dict(), path)
    report = load_weights(target, path)
    assert_same(source, target)
    assert (report.path, report.loaded, report.fits, report.notes) == (str(path), 8, True, ())


@pytest.mark.parametrize(
    ("prefix", "notes"),
    [("module.", 1), ("_orig_mod.", 1), ("module._orig_mod.", 2), ("_orig_mod.module.", 2)],
)
def test_prefixes_of_wrappers_are_taken_off(path, prefix, notes):
    source, target = trained(), Network()
    torch.save({prefix + name: t for name, t in source.state_dict().items()}, path)
    report = load_weights(target, path)
    assert_same(source, target)
    assert len(report.notes) == notes


def test_a_prefix_of_some_names_is_a_hint(path):
    state = trained().state_dict()
    torch.save(
        {("module." if "fc" in name else "") + name: tensor for name, tensor in state.items()}, path
    )
    with pytest.raises(WeightsMismatch) as caught:
        load_weights(Network(), path)
    assert "'module.'" in caught.value.hint


def test_a_mismatch_lists_all_and_loads_nothing(path):
    source, target = trained(), Network(outputs=10)
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    state = source.state_dict()
    state["extra"] = torch.zeros(2)
    del state["stem.weight"], state["norm.bias"]
    torch.save(state, path)
    with pytest.raises(WeightsMismatch) as caught:
        load_weights(target, path)
    message = str(caught.value)
    assert "2 not in the file (stem.weight, norm.bias)" in message
    assert "1 only in the file (extra)" in message
    assert "2 of another shape (fc.weight: 3x4, not 10x4, fc.bias: 3, not 10)" in message
    for name, tensor in target.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_many_names_are_cut_short(path):
    torch.save({f"layer{i}": torch.zeros(1) for i in range(50)}, path)
    with pytest.raises(WeightsMismatch, match="layer0, layer1, layer2 and 47 more") as caught:
        load_weights(nn.Linear(1, 1), path)
    assert caught.value.unexpected == tuple(f"layer{i}" for i in range(50))
    assert caught.value.missing == ("weight", "bias")


def test_another_number_of_classes_is_hinted_at(path):
    torch.save(trained().state_dict(), path)
    with pytest.raises(WeightsMismatch) as caught:
        load_weights(Network(outputs=10), path)
    assert "3 outputs" in caught.value.hint
    assert "num_classes" in caught.value.hint


def test_what_fits_can_be_loaded_alone(path):
    source, target = trained(), Network(outputs=10)
    torch.save(source.state_dict() | {"extra": torch.zeros(1)}, path)
    report = load_weights(target, path, strict=False)
    assert report.loaded == 6
    assert report.unexpected == ("extra",)
    assert report.misshaped == (
        Misshaped("fc.weight", (3, 4), (10, 4)),
        Misshaped("fc.bias", (3,), (10,)),
    )
    assert torch.equal(target.stem.weight, source.stem.weight)


@pytest.mark.parametrize("kept", ["embedding.weight", "head.weight"])
def test_one_name_of_a_shared_weight_is_enough(path, kept):
    source, target = Tied(), Tied()
    save_file({kept: source.head.weight.detach()}, path)
    assert load_weights(target, path).loaded == 1
    assert_same(source, target)
    assert target.head.weight is target.embedding.weight


def test_old_files_may_lack_the_count_of_batches(path):
    state = trained().state_dict()
    del state["norm.num_batches_tracked"]
    torch.save(state, path)
    assert load_weights(Network(), path).fits


def test_old_names_of_torchvisions_densenet_are_known(path):
    def network():
        return nn.ModuleDict(
            {"denselayer1": nn.ModuleDict({"norm1": nn.LayerNorm(2), "conv2": nn.Conv2d(1, 1, 1)})}
        )

    source, target = network(), network()
    state = source.state_dict()
    torch.save(
        {n.replace("norm1", "norm.1").replace("conv2", "conv.2"): t for n, t in state.items()}, path
    )
    assert load_weights(target, path).fits
    assert_same(source, target)


def test_half_precision_is_widened(path):
    source = nn.Linear(2, 2)
    torch.save(source.half().state_dict(), path)
    target = nn.Linear(2, 2)
    load_weights(target, path)
    assert target.weight.dtype == torch.float32
    assert torch.equal(target.weight, source.weight.float())


class Planted:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_planted_file_is_refused_and_does_nothing(tmp_path, path):
    witness = tmp_path / "witness"
    torch.save({"weight": Planted(witness)}, path)
    with pytest.raises(FileUnreadable, match="refuses it") as caught:
        load_weights(nn.Linear(1, 1), path)
    assert not witness.exists()
    assert caught.value.hint == f"cnninspect summary {path} lists what it asks for"


def test_a_whole_module_is_refused(path):
    torch.save(Network(), path)
    with pytest.raises(FileUnreadable, match=r"Unsupported.*Network"):
        load_weights(Network(), path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nothing of the kind",
        pickle.dumps({"a": 1}),
        b"PK\x03\x04 cut off",
        b"\x40\0\0\0\0\0\0\0{ not a table",
    ],
)
def test_a_file_that_holds_no_weights_is_unreadable(path, content):
    path.write_bytes(content)
    with pytest.raises(FileUnreadable) as caught:
        load_weights(nn.Linear(1, 1), path)
    assert str(path) in str(caught.value)


def test_a_checkpoint_without_tensors_is_unreadable(path):
    torch.save({"epoch": 3}, path)
    with pytest.raises(FileUnreadable, match="no table of tensors"):
        load_weights(nn.Linear(1, 1), path)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(FileMissing):
        load_weights(nn.Linear(1, 1), tmp_path / "nothing.pth")
    with pytest.raises(FileUnreadable):
        load_weights(nn.Linear(1, 1), tmp_path)


def test_a_network_without_memory_is_a_mistake_of_the_caller(path):
    torch.save(nn.Linear(1, 1).state_dict(), path)
    with pytest.raises(ValueError, match="meta"):
        load_weights(nn.Linear(1, 1, device="meta"), path)


def test_an_archive_that_unpacks_to_much_never_reaches_torchs_loader(tmp_path, monkeypatch):
    torch.save({"a": torch.zeros(16)}, tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "a.pth") as archive:
        entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
    for extra, loads in ((0, True), (2000, False)):
        path = tmp_path / f"{extra}.pth"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, held in [*entries, ("a/data/9", bytes(extra))]:
                archive.writestr(name, held)
        monkeypatch.setattr(zip_archive, "MOST_UNPACKED", 2000)
        if loads:
            assert read_state(path)["a"].shape == (16,)
        else:
            monkeypatch.setattr(torch, "load", None)
            with pytest.raises(FileUnreadable, match="unpack to"):
                read_state(path)


@pytest.mark.parametrize("name", ["w.gguf", "w.safetensors.index.json"])
def test_weights_of_other_kinds_are_not_loaded(tmp_path, name):
    if name.endswith("json"):
        from safetensors.torch import save_file

        save_file({"a": torch.zeros(2)}, tmp_path / "a.safetensors")
        text = '{"metadata": {"total_size": 8}, "weight_map": {"a": "a.safetensors"}}'
        (tmp_path / name).write_text(text)
    else:
        (tmp_path / name).write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
    with pytest.raises(FileUnreadable) as caught:
        read_state(tmp_path / name)
    assert caught.value.hint
