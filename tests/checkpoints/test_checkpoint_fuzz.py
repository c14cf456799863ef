"""Any file at all gives a checkpoint or an error of ours."""

import contextlib
import io
import zipfile

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from torch import nn

from cnninspect.checkpoints import kind_of, read_checkpoint
from cnninspect.checkpoints.contents import Contents
from cnninspect.checkpoints.pickles import interpret
from cnninspect.errors import CnnInspectError
from cnninspect.files import Malformed
from cnninspect.records.checkpoint import Checkpoint


def saved(value, **options):
    stream = io.BytesIO()
    torch.save(value, stream, **options)
    return stream.getvalue()


SPARSE = {"s": torch.eye(2).to_sparse(), "m": torch.empty(2, device="meta"), "e": 3, "n": [1, 2.5]}
SEEDS = {
    "zip": saved(nn.Linear(2, 3).state_dict()),
    "zip of many kinds": saved(SPARSE),
    "legacy": saved(nn.Linear(2, 3).state_dict(), _use_new_zipfile_serialization=False),
    "module": saved(nn.Linear(2, 3), _use_new_zipfile_serialization=False),
    "protocol 4": saved(SPARSE, _use_new_zipfile_serialization=False, pickle_protocol=4),
    "safetensors": save({"a": torch.zeros(2, 3), "b": torch.zeros(4)}, {"k": "v"}),
}
with zipfile.ZipFile(io.BytesIO(SEEDS["zip of many kinds"])) as archive:
    PICKLE = archive.read(next(n for n in archive.namelist() if n.endswith("data.pkl")))


@st.composite
def damaged(draw, content):
    """The content with a few bytes changed, cut out, put in, or everything behind a place lost."""
    content = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content)))
        match draw(st.sampled_from(["change", "insert", "remove", "repeat", "cut"])):
            case "change":
                new = draw(st.binary(min_size=1, max_size=4))
                content[place : place + len(new)] = new
            case "insert":
                content[place:place] = draw(st.binary(min_size=1, max_size=8))
            case "remove":
                del content[place : place + draw(st.integers(1, 8))]
            case "repeat":
                content[place:place] = content[place : place + draw(st.integers(1, 40))]
            case "cut":
                del content[place:]
    return bytes(content)


def is_read_or_refused(path):
    refused = None
    try:
        kind_of(path)
        checkpoint = read_checkpoint(path)
    except CnnInspectError as error:
        refused = str(error)
    if refused is None:
        assert isinstance(checkpoint, Checkpoint)
    else:
        assert len(refused) < 1000  # nothing of the file is printed at length


@pytest.mark.parametrize("seed", SEEDS)
def test_the_files_are_good_before_they_are_damaged(tmp_path, seed):
    (tmp_path / "w").write_bytes(SEEDS[seed])
    assert read_checkpoint(tmp_path / "w").tensors


@pytest.mark.parametrize("seed", SEEDS)
@given(data=st.data())
@settings(max_examples=150)
def test_a_damaged_file_is_read_or_refused(tmp_path_factory, seed, data):
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(data.draw(damaged(SEEDS[seed])))
    is_read_or_refused(path)


@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    is_read_or_refused(path)


@given(content=damaged(PICKLE))
@settings(max_examples=400)
def test_a_damaged_pickle_is_read_or_refused(content):
    with contextlib.suppress(Malformed):
        Contents().walk("", interpret(io.BytesIO(content)).value)
