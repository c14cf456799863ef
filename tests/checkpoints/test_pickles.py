"""Pickles of plain data against pickle.loads, and pickles that would do harm."""

import collections
import contextlib
import io
import os
import pickle
import pickletools
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnninspect.checkpoints import read_checkpoint
from cnninspect.checkpoints.contents import Contents
from cnninspect.checkpoints.pickles import (
    ACTIONS,
    CONSTANTS,
    IGNORED,
    LITERALS,
    Call,
    Global,
    Pairs,
    interpret,
    items,
)
from cnninspect.files import Malformed

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
PROTOCOL_2 = b"\x80\x02"

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
plain = st.recursive(
    scalars | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers(), inner)
    ),
    max_leaves=20,
)


def symbols_of(content):
    return interpret(io.BytesIO(content))


def real(symbol):
    """What a symbol of plain data stands for."""
    if isinstance(symbol, Pairs):
        return {key: real(value) for key, value in symbol.pairs}
    if isinstance(symbol, (list, tuple)):
        return type(symbol)(real(item) for item in symbol)
    if isinstance(symbol, Call):  # how protocols before 3 write bytes
        assert symbol.name in ("_codecs.encode", "__builtin__.bytes")
        return symbol.arguments[0].encode("latin-1") if symbol.arguments else b""
    return symbol


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(value=plain)
def test_plain_data_reads_as_it_was_written(protocol, value):
    assert real(symbols_of(pickle.dumps(value, protocol)).value) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sets_become_lists(protocol):
    value = symbols_of(pickle.dumps([{1}, frozenset([2])], protocol)).value
    made = [item.arguments[0] if isinstance(item, Call) else item for item in value]
    assert made == [[1], [2]]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_same_object_twice_is_the_same_symbol(protocol):
    shared = [1]
    first, second = symbols_of(pickle.dumps([shared, shared], protocol)).value
    assert first is second


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_ordered_dictionary_is_a_call_that_was_given_items(protocol):
    pickled = symbols_of(pickle.dumps(collections.OrderedDict(a=1, b=2), protocol))
    assert pickled.value.name == "collections.OrderedDict"
    assert dict(items(pickled.value.pairs)) == {"a": 1, "b": 2}
    assert "collections.OrderedDict" in pickled.globals


class WithState:
    def __init__(self):
        self.x = 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_state_of_an_object_is_kept(protocol):
    call = symbols_of(pickle.dumps(WithState(), protocol)).value
    assert isinstance(call, Call)
    assert dict(items(call.state.pairs)) == {"x": 1}


class Planted:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_planted_pickle_does_nothing(tmp_path, protocol):
    witness = tmp_path / "witness"
    content = pickle.dumps({"weight": Planted(witness)}, protocol)
    pickled = symbols_of(content)
    assert not witness.exists()
    assert pickled.globals == (f"{os.mkdir.__module__}.mkdir",)
    pickle.loads(content)  # the trap is real
    assert witness.exists()


def test_a_planted_checkpoint_does_nothing_and_is_flagged(tmp_path):
    witness = tmp_path / "witness"
    path = tmp_path / "planted.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"weight": Planted(witness)}, 2))
        archive.writestr("archive/version", "3\n")
    checkpoint = read_checkpoint(path)
    assert not witness.exists()
    assert [(g.name, g.allowed) for g in checkpoint.globals] == [
        (f"{os.mkdir.__module__}.mkdir", False)
    ]
    assert "weights_only=False" in checkpoint.notes[-1]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        pytest.param(b"cos\nsystem\n(S'true'\ntR.", "os.system", id="GLOBAL"),
        pytest.param(b"(S'true'\nios\nsystem\n.", "os.system", id="INST"),
        pytest.param(b"(cos\nsystem\nS'true'\no.", "os.system", id="OBJ"),
        pytest.param(b"\x80\x04\x8c\x02os\x8c\x06system\x93)R.", "os.system", id="STACK_GLOBAL"),
        pytest.param(b"\x80\x02cbuiltins\neval\n)\x81.", "builtins.eval", id="NEWOBJ"),
        pytest.param(b"\x80\x04cbuiltins\neval\n)}\x92.", "builtins.eval", id="NEWOBJ_EX"),
        pytest.param(b"\x80\x02\x82\x07.", "copyreg.extension 7", id="EXT1"),
    ],
)
def test_every_way_to_ask_for_a_name_is_recorded(content, name):
    assert symbols_of(content).globals == (name,)


def test_every_opcode_is_known_but_those_for_buffers_outside():
    known = LITERALS | CONSTANTS.keys() | ACTIONS.keys() | IGNORED
    assert {op.name for op in pickletools.opcodes} - known == {"NEXT_BUFFER", "READONLY_BUFFER"}
    assert known <= {op.name for op in pickletools.opcodes}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "exhausted"),
        (b".", "a value is missing"),
        (b"\xff", "unknown"),
        (PROTOCOL_2 + b"N", "exhausted"),
        (PROTOCOL_2 + b"t.", "a mark is missing"),
        (PROTOCOL_2 + b"h\x05.", "remembered as 5"),
        (PROTOCOL_2 + b"NNs.", "value is missing"),
        (PROTOCOL_2 + b"NNNs.", "no dict"),
        (PROTOCOL_2 + b"}(NNNu.", "no dict"),
        (PROTOCOL_2 + b"NNa.", "no list"),
        (PROTOCOL_2 + b"NNR.", "not a tuple"),
        (PROTOCOL_2 + b"(o.", "class is missing"),
        (b"\x80\x04NN\x93.", "not text"),
        (PROTOCOL_2 + b"X\xff\xff\xff\x7fabc", "broken"),
        (b"\x80\x05\x97.", "NEXT_BUFFER"),
    ],
)
def test_a_broken_pickle_is_named(content, problem):
    with pytest.raises(Malformed, match=problem):
        symbols_of(content)


DEEP = 100_000


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(PROTOCOL_2 + b")" + b"\x85" * DEEP + b".", id="tuples"),
        pytest.param(PROTOCOL_2 + b"]" * DEEP + b"a" * (DEEP - 1) + b".", id="lists"),
        pytest.param(PROTOCOL_2 + b"}N" * DEEP + b"}" + b"s" * DEEP + b".", id="dictionaries"),
        pytest.param(PROTOCOL_2 + b"(cx\ny\n" * DEEP + b"N.", id="open marks"),
    ],
)
def test_values_nested_without_end_are_refused_or_harmless(content):
    contents = Contents()
    with contextlib.suppress(Malformed):
        contents.walk("", symbols_of(content).value)
    assert contents.tensors == []


def test_a_deeply_nested_key_is_never_hashed():
    content = PROTOCOL_2 + b"})" + b"\x85" * DEEP + b"Ns."
    contents = Contents()
    contents.walk("", symbols_of(content).value)
    assert contents.values == [("<tuple>", "None")]


def test_values_that_multiply_are_refused():
    content = PROTOCOL_2 + b"(}lq\x00"
    for level in range(60):  # each list holds the one before three times
        content += b"0(" + bytes([ord("h"), level]) * 3 + b"lq" + bytes([level + 1])
    with pytest.raises(Malformed, match="too many"):
        Contents().walk("", symbols_of(content + b".").value)


def test_a_value_that_holds_itself_is_walked_once():
    holder = {"n": 1}
    holder["self"] = holder
    contents = Contents()
    contents.walk("", symbols_of(pickle.dumps(holder)).value)
    assert contents.values == [("n", "1")]


def test_a_key_that_is_written_twice_has_its_last_value():
    pairs = [("a", 1), ("b", 2), ("a", 3)]
    assert list(items(pairs)) == [("a", 3), ("b", 2)]


def test_names_of_odd_keys():
    keys = [0, True, None, 1.5, b"x", (1, 2), Global("os.system")]
    assert [name for name, _ in items([(key, None) for key in keys])] == [
        "0", "True", "None", "1.5", "x", "<tuple>", "<global>",
    ]  # fmt: skip


def test_more_values_than_are_shown_are_counted():
    contents = Contents()
    contents.walk("", symbols_of(pickle.dumps({i: i for i in range(130)})).value)
    assert (len(contents.values), contents.hidden_values) == (100, 30)


@pytest.mark.parametrize("pickled", [b"\x80\x02}(0.", b"\x80\x02}(K\x0100."])
def test_a_pop_on_an_empty_stack_takes_the_mark(pickled):
    assert isinstance(interpret(io.BytesIO(pickled)).value, Pairs)
    assert pickle.loads(pickled) == {}


def test_everything_since_the_mark_is_dropped_with_it():
    assert symbols_of(b"\x80\x02K\x07(K\x01K\x021.").value == 7  # 7, a mark, 1, 2, POP_MARK
    assert symbols_of(b"\x80\x02K\x07(K\x01(K\x0211.").value == 7  # one mark within another
    with pytest.raises(Malformed):
        symbols_of(b"\x80\x02K\x071.")
