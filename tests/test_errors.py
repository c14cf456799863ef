"""Errors: what they say, and that the drawing of their tree is true."""

import re

import pytest

from cnninspect import errors


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (ValueError(), "ValueError"),
        (ValueError("a\nb"), "ValueError: a"),
        (KeyError("name"), "KeyError: 'name'"),
        (RuntimeError("size mismatch for:\n  conv1.weight\nmore"),
         "RuntimeError: size mismatch for: conv1.weight"),
        (RuntimeError("The following operation failed in the TorchScript interpreter.\n"
                      "Traceback of TorchScript (most recent call last):\n  x = y\n"
                      "builtins.ValueError: too many axes: 3\n"), "ValueError: too many axes: 3"),
        (TypeError("It broke. " + "Why " * 80), "TypeError: It broke."),
        (TypeError("x" * 300), f"TypeError: {'x' * 199}…"),
    ],
)  # fmt: skip
def test_an_error_of_others_is_told_in_a_line(problem, line):
    assert errors.first_line(problem) == line


def test_the_tree_in_the_docstring_has_every_class_where_it_is():
    drawn: dict[str, str] = {}
    above: list[str] = []
    for line in errors.__doc__.splitlines():
        if match := re.match(r"    ([│ ]*[├└]── )?([A-Z]\w+)", line):
            depth = len(match[1] or "") // 4
            del above[depth:]
            drawn[match[2]] = above[-1] if above else "Exception"
            above.append(match[2])
    classes = [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, Exception)]
    assert drawn == {kind.__name__: kind.__base__.__name__ for kind in classes}


def test_a_sentence_that_a_file_makes_endless_is_cut():
    problem = errors.CnnInspectError("x" * 1_000_000, "y" * 1_000_000)
    assert len(str(problem)) == len(problem.hint) == 4000
    assert str(problem).endswith("x…")
