"""Programs of torch.export whose archives unpack to far more than they are."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
import torch
from torch import nn

import cnninspect
from cnninspect.errors import FileUnreadable
from cnninspect.sources import pt2

TABLE = "data/weights/model_weights_config.json"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A program with one more weight, which is pickled, under twenty names."""
    folder = tmp_path_factory.mktemp("programs")
    net = nn.Linear(4, 2)
    torch.export.save(torch.export.export(net, (torch.zeros(1, 4),)), folder / "p.pt2")
    pickled = io.BytesIO()
    torch.save(torch.zeros(2**16), pickled)
    with (
        zipfile.ZipFile(folder / "p.pt2") as old,
        zipfile.ZipFile(folder / "many.pt2", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename.endswith(TABLE):
                table = json.loads(content)
                first = next(iter(table["config"].values()))
                more = {**first, "path_name": "big", "use_pickle": True}
                table["config"] |= {f"more{i}": more for i in range(20)}
                content = json.dumps(table).encode()
            new.writestr(entry.filename, content, zipfile.ZIP_STORED)
        new.writestr("p/data/weights/big", pickled.getvalue())
    return folder / "many.pt2"


def test_a_pickled_weight_is_read_once_whatever_its_names(program, monkeypatch):
    read = []
    real = pt2._unpickled
    monkeypatch.setattr(pt2, "_unpickled", lambda c, what: read.append(what) or real(c, what))
    cnninspect.summarize(str(program))
    assert len([what for what in read if "more" in what]) == 1


def test_what_unpacks_to_much_is_refused(program, monkeypatch):
    monkeypatch.setattr(pt2, "MOST_UNPACKED", 2**16)
    with pytest.raises(FileUnreadable, match="unpack to"):
        cnninspect.summarize(str(program))
