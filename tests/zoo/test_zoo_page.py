"""docs/zoo.md names all that the zoo has."""

import re
from pathlib import Path

import pytest

from cnninspect.zoo import catalogue

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "zoo.md").read_text()
FAMILIES = {family.name for family in catalogue.FAMILIES}


def test_the_page_says_how_many_networks_and_families_there_are():
    assert f"\n{len(catalogue.names())} networks in {len(FAMILIES)} families" in PAGE


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_family_stands_in_the_table_beside_its_file(family):
    (row,) = [line for line in PAGE.splitlines() if re.match(rf"\| [^|]*`{family}`", line)]
    builders = {f.builder for f in catalogue.FAMILIES if f.name == family}
    for module in {builder.split(":")[0] for builder in builders}:
        assert f"cnninspect/zoo/{module.rpartition('.')[2]}.py" in row


def test_what_the_page_links_to_is_there():
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (DOCS / link).exists(), link


def test_names_in_the_table_are_those_of_the_catalogue():
    table = "\n".join(line for line in PAGE.splitlines() if line.startswith("| `"))
    named = set(re.findall(r"`([a-z0-9_]+)`", table))
    settings = {setting.name for family in catalogue.FAMILIES for setting in family.settings}
    choices = {c for f in catalogue.FAMILIES for s in f.settings for c in s.choices}
    assert named - FAMILIES - settings - choices <= set(catalogue.names())
