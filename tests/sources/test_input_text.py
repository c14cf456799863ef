"""Inputs as they are typed: shapes, values, files of values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnninspect.errors import BadInput, FileMissing, FileUnreadable
from cnninspect.records.models import FORMATS, GivenValue, InputRequest, TensorValues
from cnninspect.sources.input_text import parse_inputs


def one(text):
    (item,) = parse_inputs([text])
    return item


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("3x224x224", ((3, 224, 224), None, None)),
        ("8×3", ((8, 3), None, None)),
        ("tokens:int64:1x128", ((1, 128), "tokens", "int64")),
        ("x:5x8", ((5, 8), "x", None)),
        (":int64:3", ((3,), None, "int64")),
        ("x::3", ((3,), "x", None)),
        ("a:0:2x8", ((2, 8), "a:0", None)),
        ("a:0:float32:2x8", ((2, 8), "a:0", "float32")),
        ("serving/x:12:4", ((4,), "serving/x:12", None)),
        ("tokens:int46:3", ((3,), "tokens", "int46")),
    ],
)
def test_shapes_with_names_and_dtypes(text, wanted):
    item = one(text)
    assert (item.shape, item.name, item.dtype) == wanted
    assert item.batched is None
    assert item.values is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("sr=16000", 16000),
        ("scale=0.5", 0.5),
        ("flag=true", True),
        ("mask=none", None),
        ("mode=fast", "fast"),
        ("sizes=[[4,4],[2,2]]", [[4, 4], [2, 2]]),
        ("size=2x2", (2, 2)),
        ("equation='a=b'", "a=b"),
    ],
)
def test_a_value_without_a_dtype_is_what_it_says(text, value):
    assert one(text) == GivenValue(value, text.partition("=")[0])


@pytest.mark.parametrize(
    ("text", "shape", "numbers"),
    [
        ("t:int64=5", (), (5,)),
        ("lengths:int32=[5,3]", (2,), (5, 3)),
        ("grid:int64=[[1,4,4]]", (1, 3), (1, 4, 4)),
        ("m:bool=[true,false]", (2,), (True, False)),
        ("x:0:float64=[0.25]", (1,), (0.25,)),
        ("x:int8=[]", (0,), ()),
    ],
)
def test_a_value_with_a_dtype_is_a_tensor(text, shape, numbers):
    item = one(text)
    assert (item.shape, item.values.shape, item.values.numbers()) == (shape, shape, numbers)
    assert item.dtype == item.values.dtype == text.partition("=")[0].rpartition(":")[2]
    assert item.batched


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.arange(6, dtype=">i4").reshape(2, 3))
    np.save("text.npy", np.array(["a"]))
    np.savez("batch.npz", ids=np.array([[3, 1]]), mask=np.array([True, False]))
    np.savez("one.npz", anything=np.float16(2.5))
    np.save("objects.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "net.npy").write_text("not of NumPy")
    (tmp_path / "cut.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-3])
    return tmp_path


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("x=@x.npy", [("x", "int32", (2, 3), (0, 1, 2, 3, 4, 5))]),
        ("@x.npy", [(None, "int32", (2, 3), (0, 1, 2, 3, 4, 5))]),
        ("x:float32=@x.npy", [("x", "float32", (2, 3), (0.0, 1.0, 2.0, 3.0, 4.0, 5.0))]),
        ("ids=@batch.npz", [("ids", "int64", (1, 2), (3, 1))]),
        ("x=@batch.npz:mask", [("x", "bool", (2,), (True, False))]),
        ("@batch.npz",
         [("ids", "int64", (1, 2), (3, 1)), ("mask", "bool", (2,), (True, False))]),
        ("x=@one.npz", [("x", "float16", (), (2.5,))]),
    ],
)  # fmt: skip
def test_values_from_files(files, text, wanted):
    found = [(i.name, i.dtype, i.values.shape, i.values.numbers()) for i in parse_inputs([text])]
    assert found == wanted


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("x", BadInput, "not a shape"),
        ("3x0", BadInput, "size of 0"),
        ("=5", BadInput, "no name"),
        ("t:int8=300", BadInput, "no tensor of int8"),
        ("t:int64=[[1],[2,3]]", BadInput, "not of one length"),
        ("t:int64=[a]", BadInput, "'a' is no number"),
        ("t:int64=0.5", BadInput, "no tensor of int64"),
        ("t:float12=1", BadInput, "no values of the dtype float12"),
        ("x=@gone.npy", FileMissing, "gone.npy"),
        ("x=@net.npy", FileUnreadable, "no file of NumPy"),
        ("x=@cut.npy", FileUnreadable, "cut.npy"),
        ("x=@objects.npy", FileUnreadable, "objects.npy"),
        ("x=@text.npy", BadInput, "of which no input is made"),
        ("x=@batch.npz", BadInput, "no array 'x'"),
        ("x=@batch.npz:idx", BadInput, "no array 'idx'"),
        ("x=@.", FileUnreadable, "folder"),
    ],
)
def test_what_cannot_be_read_is_one_error(files, text, kind, says):
    with pytest.raises(kind, match=says) as caught:
        parse_inputs([text])
    assert caught.value.hint


@given(st.sampled_from([name for name in FORMATS if "int" in name]), st.data())
def test_values_come_back_as_they_were(dtype, data):
    kind = np.iinfo(dtype)
    numbers = data.draw(st.lists(st.integers(int(kind.min), int(kind.max)), max_size=5))
    values = TensorValues.of(numbers, (len(numbers),), dtype)
    assert values.numbers() == tuple(numbers)
    assert np.frombuffer(values.raw, np.dtype(dtype).newbyteorder("<")).tolist() == numbers
    assert InputRequest((len(numbers),), dtype, values=values) == InputRequest(
        (len(numbers),), dtype, values=TensorValues.of_bytes(values.raw, (len(numbers),), dtype)
    )
