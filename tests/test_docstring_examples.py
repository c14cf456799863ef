"""Every example in a docstring of the package prints what stands below it."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import cnninspect

PACKAGE = Path(cnninspect.__file__).parent


def with_examples() -> list[str]:
    """The modules in which a line begins with a prompt, so that none has to be listed."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        if any(line.lstrip().startswith(">>> ") for line in file.read_text().splitlines()):
            name = ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)
            found.append(name.removesuffix(".__init__"))
    return found


def test_examples_are_found():
    assert {"cnninspect", "cnninspect.costs", "cnninspect.page.quantities"} <= set(with_examples())


@pytest.mark.parametrize("name", with_examples())
def test_an_example_prints_what_stands_below_it(name):
    result = doctest.testmod(import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
