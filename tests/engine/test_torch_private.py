"""The private names of PyTorch: each is there, in one file, and used."""

import re
from pathlib import Path

import pytest

import cnninspect
from cnninspect.engine import torch_private

PACKAGE = Path(cnninspect.__file__).parent
FILES = {
    path: path.read_text()
    for path in PACKAGE.rglob("*.py")
    if path.name != "torch_private.py" and "checkpoints" not in path.parts
}
PRIVATE = re.compile(r"\bfrom torch\.(\w+\.)*_|\bfrom torch[\w.]* import _|\btorch\._C\b")


@pytest.mark.parametrize("name", torch_private.USES)
def test_a_private_name_is_there(name):
    assert hasattr(torch_private, name), f"PyTorch lost {name}, which {torch_private.USES[name]}"


@pytest.mark.parametrize("name", torch_private.USES)
def test_a_private_name_is_used(name):
    assert any(re.search(rf"\b{name}\b", text) for text in FILES.values())


def test_the_reader_of_programs_is_there():
    schema, serialize = torch_private.program_serialization()
    assert schema.ExportedProgram
    assert serialize.ExportedProgramDeserializer
    assert serialize.deserialize_scalar_type


def test_no_other_file_reaches_for_private_names():
    found = [str(path.relative_to(PACKAGE)) for path, text in FILES.items() if PRIVATE.search(text)]
    assert found == []
