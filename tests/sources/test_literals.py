"""Values as people write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnninspect.sources.literals import literal


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"affine":true}', {"affine": True}),
        ('("INSTANCE",{"affine":true})', ("INSTANCE", {"affine": True})),
        ("(INSTANCE, {affine: true, eps: 1e-5})", ("INSTANCE", {"affine": True, "eps": 1e-5})),
        ("[none,2]", [None, 2]),
        ("[null, NaN]", [None, math.nan]),
        ("(true,false)", (True, False)),
        ("[relu,relu]", ["relu", "relu"]),
        ("[2x2, 3]", [(2, 2), 3]),
        ("(a)", "a"),
        ("(a,)", ("a",)),
        ("[[1,[a]],{}]", [[1, ["a"]], {}]),
        ("{'a': [x, {y: null}]}", {"a": ["x", {"y": None}]}),
        ("['it, is', b c]", ["it, is", "b c"]),
        ("inf", math.inf),
        ("-Infinity", -math.inf),
        ("[a,b", "[a,b"),
        ("[1,,2]", "[1,,2]"),
        ("[a] b", "[a] b"),
        ("{a}", "{a}"),
        ("[" * 500 + "a" + "]" * 500, "[" * 500 + "a" + "]" * 500),
    ],
)
def test_words_of_json_and_without_quotes_mean_the_same_inside_brackets(text, value):
    assert repr(literal(text)) == repr(value)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("abcxyz", min_size=2, max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner),
    max_leaves=8,
)


def written(value):
    """The same with JSON's words and, for text, no quotes."""
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {written(item)}' for key, item in value.items())}}}"
    words = {"None": "null", "True": "true", "False": "false"}
    return words.get(str(value), str(value))


@given(plain)
def test_what_is_written_without_quotes_is_read_back(value):
    assert literal(written(value)) == value


@given(st.text("[](){}'\",: ab1", max_size=20))
def test_no_text_is_an_error(text):
    literal(text)
