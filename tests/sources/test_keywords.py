"""Settings as keyword arguments."""

import pytest

from cnninspect.errors import BadSetting, UnknownSetting
from cnninspect.sources.keywords import keyword_arguments, literal, refused_setting


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10),
        ("-1", -1),
        ("0.5", 0.5),
        ("1e-3", 1e-3),
        ("true", True),
        ("False", False),
        ("none", None),
        ("None", None),
        ("3x4x6x3", (3, 4, 6, 3)),
        ("(1, 2)", (1, 2)),
        ("[1, 2]", [1, 2]),
        ("silu", "silu"),
        ("'10'", "10"),
        ("__import__('os').getcwd()", "__import__('os').getcwd()"),
        ("(" * 500, "(" * 500),
    ],
)
def test_a_value_is_read_as_a_literal_and_never_run(text, value):
    assert literal(text) == value
    assert type(literal(text)) is type(value)


def build(width: int, depth=3, *, scale: float = 1.0, name: str = "a", flag=False, act=None):
    return width, depth, scale, name, flag, act


def test_values_get_the_types_of_the_arguments():
    typed = [("width", "8"), ("depth", "4"), ("scale", "2"), ("name", "10"), ("flag", "true")]
    values = keyword_arguments("net", typed, build)
    assert values == {"width": 8, "depth": 4, "scale": 2.0, "name": "10", "flag": True}
    assert type(values["scale"]) is float


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("width", "x", "a whole number"),
        ("width", "2.5", "a whole number"),
        ("width", "true", "a whole number"),
        ("scale", "wide", "a number"),
        ("flag", "3", "true or false"),
    ],
)
def test_a_value_of_another_type_is_an_error(key, text, expected):
    with pytest.raises(BadSetting) as caught:
        keyword_arguments("net", [(key, text)], build)
    assert str(caught.value) == f"net: {key}={text} is not possible"
    assert caught.value.hint == f"{key} must be {expected}"


def test_an_unknown_key_lists_the_arguments_there_are():
    with pytest.raises(UnknownSetting, match="net has no setting 'wdth'") as caught:
        keyword_arguments("net", [("wdth", "8")], build, without=("act",))
    assert caught.value.hint == (
        "it has: width (must be given); depth (int, 3); scale (float, 1.0); name (str, a); "
        "flag (bool, false)"
    )


def test_an_argument_that_is_not_to_be_set_is_unknown_even_behind_open_keywords():
    def open_builder(*, weights=None, **kwargs):
        return weights, kwargs

    assert keyword_arguments("net", [("x", "1")], open_builder, without=("weights",)) == {"x": 1}
    with pytest.raises(UnknownSetting):
        keyword_arguments("net", [("weights", "1")], open_builder, without=("weights",))


class Inner:
    def __init__(self, depth, width=4):
        self.depth, self.width = depth, width


def outer(**kwargs):
    kind = Inner
    return kind(3, **kwargs)


def test_a_key_that_is_passed_on_and_refused_lists_what_the_refuser_takes():
    with pytest.raises(TypeError) as caught:
        outer(wdth=5)
    error = refused_setting(caught.value, "net", [("wdth", "5")])
    assert error is not None
    assert str(error) == "net has no setting 'wdth'"
    assert error.hint == "it has: width (int, 4)"


def test_a_type_error_about_something_else_is_left_alone():
    with pytest.raises(TypeError) as caught:
        outer(other=5)
    assert refused_setting(caught.value, "net", [("width", "5")]) is None
    assert refused_setting(ValueError("wdth"), "net", [("wdth", "5")]) is None
