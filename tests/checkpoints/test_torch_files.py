"""Files of torch.save, compared with what torch.load makes of them."""

import argparse
import collections
import struct

import numpy
import pytest
import torch
from torch import nn

from cnninspect.checkpoints import read_checkpoint
from cnninspect.errors import FileUnreadable
from cnninspect.records.operations import TensorSpec

DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.complex128,
    torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool,
    torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2,
]  # fmt: skip
OLD = {"_use_new_zipfile_serialization": False}


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
        self.scale = nn.Parameter(torch.ones(()))


def save(value, folder, **options):
    path = folder / "saved.pth"
    torch.save(value, path, **options)
    return path


def table(tensors):
    return {
        name: (TensorSpec(tuple(t.shape), str(t.dtype).removeprefix("torch.")), t.stride())
        for name, t in tensors.items()
    }


def read_table(checkpoint):
    return {tensor.name: (tensor.spec, tensor.stride) for tensor in checkpoint.tensors}


@pytest.mark.parametrize(
    ("options", "written"),
    [
        pytest.param({}, "pytorch zip", id="zip"),
        *(
            pytest.param({"pickle_protocol": p}, "pytorch zip", id=f"protocol {p}")
            for p in (3, 4, 5)
        ),
        pytest.param(OLD, "pytorch legacy", id="legacy"),
        pytest.param(OLD | {"pickle_protocol": 4}, "pytorch legacy", id="legacy, protocol 4"),
    ],
)
def test_a_state_dict_reads_as_torch_loads_it(tmp_path, options, written):
    path = save(Network().state_dict(), tmp_path, **options)
    checkpoint = read_checkpoint(path)
    # weights_only, the default of newer versions, cannot read protocol 4
    assert read_table(checkpoint) == table(torch.load(path, weights_only=False))
    assert checkpoint.format == written
    assert checkpoint.reference == str(path)
    assert checkpoint.file_bytes == path.stat().st_size
    assert all(item.allowed for item in checkpoint.globals)
    assert checkpoint.notes == ()


@pytest.mark.parametrize("options", [{}, OLD], ids=["zip", "legacy"])
def test_every_dtype(tmp_path, options):
    saved = {str(dtype): torch.zeros(2, 3).to(dtype) for dtype in DTYPES}
    checkpoint = read_checkpoint(save(saved, tmp_path, **options))
    assert read_table(checkpoint) == table(saved)
    assert [t.nbytes for t in checkpoint.tensors] == [t.nbytes for t in saved.values()]


@pytest.mark.parametrize("options", [{}, OLD], ids=["zip", "legacy"])
def test_nested_dictionaries_and_lists_join_their_names(tmp_path, options):
    network = Network()
    optimizer = torch.optim.Adam(network.parameters())
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    saved = {
        "epoch": 12,
        "arch": "network",
        "best": 0.75,
        "sizes": [3, 4],
        "model": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "history": [torch.zeros(2), {"loss": torch.zeros(())}],
    }
    checkpoint = read_checkpoint(save(saved, tmp_path, **options))
    expected = {f"model.{name}": tensor for name, tensor in network.state_dict().items()}
    for i, state in optimizer.state_dict()["state"].items():
        expected |= {f"optimizer.state.{i}.{key}": tensor for key, tensor in state.items()}
    expected |= {"history.0": saved["history"][0], "history.1.loss": saved["history"][1]["loss"]}
    assert read_table(checkpoint) == table(expected)
    facts = dict(checkpoint.metadata)
    assert facts["epoch"] == "12"
    assert facts["arch"] == "network"
    assert facts["best"] == "0.75"
    assert facts["sizes"] == "3, 4"
    assert facts["optimizer.param_groups.0.lr"] == "0.001"


def test_a_lone_tensor_has_no_name(tmp_path):
    checkpoint = read_checkpoint(save(torch.zeros(2), tmp_path))
    assert [t.name for t in checkpoint.tensors] == [""]


@pytest.mark.parametrize("options", [{}, OLD], ids=["zip", "legacy"])
def test_tensors_of_one_storage_name_the_first(tmp_path, options):
    whole = torch.arange(24.0).reshape(4, 6)
    saved = {
        "alone": torch.zeros(3),
        "whole": whole,
        "column": whole[:, 2],
        "tied": whole,
        "transposed": whole.T,
        "low": (halves := torch.zeros(10))[:5],
        "high": halves[5:],
    }
    tensors = {t.name: t for t in read_checkpoint(save(saved, tmp_path, **options)).tensors}
    assert {name: t.shares_with for name, t in tensors.items()} == {
        "alone": None,
        "whole": None,
        "column": "whole",
        "tied": "whole",
        "transposed": "whole",
        "low": None,
        "high": None,  # the same storage, other bytes
    }
    assert tensors["column"].offset == 2 * 4
    assert tensors["column"].stride == (6,)
    assert tensors["high"].offset == 5 * 4
    assert tensors["low"].storage == tensors["high"].storage != tensors["alone"].storage


def test_totals_count_shared_tensors_once(tmp_path):
    weight = torch.zeros(5, 2)
    checkpoint = read_checkpoint(save({"a": weight, "b": weight, "c": torch.zeros(3)}, tmp_path))
    assert (checkpoint.elements, checkpoint.tensor_bytes) == (13, 52)


def test_an_expanded_tensor_fits_its_small_storage(tmp_path):
    path = save({"x": torch.zeros(1).expand(1000)}, tmp_path)
    (tensor,) = read_checkpoint(path).tensors
    assert (tensor.spec.shape, tensor.stride, tensor.nbytes) == ((1000,), (0,), 4000)


def test_empty_tensors_and_scalars(tmp_path):
    saved = {"none": torch.zeros(0, 3), "one": torch.zeros(())}
    assert read_table(read_checkpoint(save(saved, tmp_path))) == table(saved)


@pytest.mark.parametrize("options", [{}, OLD], ids=["zip", "legacy"])
def test_parameters_and_buffers(tmp_path, options):
    parameter = nn.Parameter(torch.zeros(2, 3))
    parameter.note = "kept by _rebuild_parameter_with_state"
    saved = {"plain": nn.Parameter(torch.zeros(2)), "with state": parameter}
    assert read_table(read_checkpoint(save(saved, tmp_path, **options))) == table(saved)


@pytest.mark.filterwarnings("ignore:.*quantized tensor creation.*")
def test_sparse_meta_and_quantised_tensors(tmp_path):
    values = torch.quantize_per_tensor(torch.ones(2, 2), 0.1, 0, torch.qint8)
    sparse = torch.eye(3).to_sparse()
    saved = {"sparse": sparse, "meta": torch.empty(2, 3, device="meta"), "quantised": values}
    checkpoint = read_checkpoint(save(saved, tmp_path))
    specs = {t.name: t.spec for t in checkpoint.tensors}
    assert specs == {
        "sparse.indices": TensorSpec((2, 3), "int64"),
        "sparse.values": TensorSpec((3,), "float32"),
        "meta": TensorSpec((2, 3), "float32"),
        "quantised": TensorSpec((2, 2), "qint8"),
    }
    assert {t.name: t.storage for t in checkpoint.tensors}["meta"] == ""


@pytest.mark.filterwarnings("ignore:Sparse CSR")  # which torch says once in a process
def test_a_compressed_sparse_tensor_has_three_parts(tmp_path):
    sparse = torch.eye(3).to_sparse_csr()
    names = [t.name for t in read_checkpoint(save({"m": sparse}, tmp_path)).tensors]
    assert names == ["m.compressed", "m.plain", "m.values"]


@pytest.mark.parametrize("options", [{}, OLD], ids=["zip", "legacy"])
def test_a_whole_module_gives_the_names_of_its_state_dict(tmp_path, options):
    network = Network()
    checkpoint = read_checkpoint(save(network, tmp_path, **options))
    assert read_table(checkpoint) == table(network.state_dict())
    flagged = {item.name for item in checkpoint.globals if not item.allowed}
    assert f"{Network.__module__}.Network" in flagged
    assert "torch.nn.modules.conv.Conv2d" in flagged
    assert checkpoint.notes[0].startswith("the whole file was made by")
    assert "weights_only=False" in checkpoint.notes[-1]


def test_objects_of_other_libraries_do_not_hide_the_tensors(tmp_path):
    saved = {
        "args": argparse.Namespace(lr=0.1, layers=[1, 2]),
        "array": numpy.ones(3),
        "score": numpy.float64(0.5),
        "counts": collections.Counter(a=1),
        "defaults": collections.defaultdict(list, x=[1]),
        "model": collections.OrderedDict(weight=torch.zeros(2)),
    }
    checkpoint = read_checkpoint(save(saved, tmp_path))
    assert read_table(checkpoint) == table({"model.weight": torch.zeros(2)})
    assert not {g.name: g.allowed for g in checkpoint.globals}["argparse.Namespace"]
    assert checkpoint.notes[0].startswith("args was made by argparse.Namespace")
    assert "2 other such objects" in checkpoint.notes[0]


def test_a_tensor_beyond_its_storage_is_an_error(tmp_path):
    path = save({"w": torch.zeros(8)}, tmp_path, **OLD)
    content = path.read_bytes()
    # BININT1 8, the size, becomes 9; the storage still has 8 elements
    assert content.count(b"K\x08\x85") == 1
    path.write_bytes(content.replace(b"K\x08\x85", b"K\x09\x85"))
    with pytest.raises(FileUnreadable, match=r"w: a tensor of shape \(9,\).*storage of 32"):
        read_checkpoint(path)


def test_a_storage_that_is_cut_short_is_an_error(tmp_path):
    path = save({"w": torch.zeros(8)}, tmp_path, **OLD)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FileUnreadable, match="ends before its data does"):
        read_checkpoint(path)


def test_an_old_file_of_gigabytes_is_read_by_its_pickles(tmp_path):
    path = save({"w": torch.zeros(7)}, tmp_path, **OLD)
    content = path.read_bytes()[: -(8 + 7 * 4)]
    elements = struct.pack("<q", 2 << 30)
    assert content.count(b"K\x07") == 2  # of the storage, and of the tensor
    content = content.replace(b"K\x07", b"\x8a\x08" + elements) + elements
    with path.open("wb") as stream:
        stream.write(content)
        stream.truncate(len(content) + (8 << 30))  # sparse: takes no room
    (tensor,) = read_checkpoint(path).tensors
    assert (tensor.spec.shape, tensor.nbytes) == ((2 << 30,), 8 << 30)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("options", [{}, OLD], ids=["zip", "legacy"])
def test_a_truncated_file_is_one_clear_error(tmp_path, options, share):
    path = save(Network().state_dict(), tmp_path, **options)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(FileUnreadable) as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint


def test_tensors_that_were_transposed_share_bytes_where_their_elements_do(tmp_path):
    base = torch.zeros(12)
    turned = base[:6].view(2, 3).t()
    tensors = {"turned": turned, "behind": base[6:8], "last": base[5:6], "wide": base[8:12:3]}
    found = {t.name: t.shares_with for t in read_checkpoint(save(tensors, tmp_path)).tensors}
    assert found == {"turned": None, "behind": None, "last": "turned", "wide": None}


def test_a_hundred_thousand_tensors_are_read_and_more_than_the_bound_refused(monkeypatch, tmp_path):
    from cnninspect.checkpoints import contents, safetensors_files

    path = save({str(i): torch.zeros(()) for i in range(5)}, tmp_path)
    assert contents.MAX_TENSORS >= 100_000
    monkeypatch.setattr(contents, "MAX_TENSORS", 5)
    assert len(read_checkpoint(path).tensors) == 5
    monkeypatch.setattr(contents, "MAX_TENSORS", 4)
    with pytest.raises(FileUnreadable, match="it has 5 tensors; up to 4 are read"):
        read_checkpoint(path)
    assert safetensors_files.check_number is contents.check_number


def test_an_archive_of_tar_is_refused_whatever_else_it_is(tmp_path):
    import io
    import tarfile

    with tarfile.open(tmp_path / "a.pth", "w") as writer:
        info = tarfile.TarInfo("storages")
        info.size = 1
        writer.addfile(info, io.BytesIO(b"x"))
    with pytest.raises(FileUnreadable, match="archive of tar"):
        read_checkpoint(tmp_path / "a.pth")


def test_a_tensor_with_gaps_shares_what_lies_in_them(tmp_path):
    base = torch.zeros(12)
    tensors = {"sparse": base[0:9:4], "inside": base[5:7], "behind": base[9:11]}
    found = {t.name: t.shares_with for t in read_checkpoint(save(tensors, tmp_path)).tensors}
    assert found == {"sparse": None, "inside": "sparse", "behind": None}
