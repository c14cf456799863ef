"""What a build makes of the README, which an index shows without the files beside it."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("hatchling.builders.hooks.plugin.interface", "hatchling.metadata.plugin.interface")


@pytest.fixture
def hooks(monkeypatch):
    """The module of hooks, which needs of the build tool no more than two classes."""
    for name in PARTS:
        part = ModuleType(name)
        part.BuildHookInterface = part.MetadataHookInterface = object
        monkeypatch.setitem(sys.modules, name, part)
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def links(text):
    """Where the links of a page lead, but for those that stand in blocks of code."""
    return re.findall(r"\]\(([^)]+)\)", re.sub(r"```.*?```", "", text, flags=re.S))


def metadata_of(hooks):
    found = {}
    hooks.Addresses.update(SimpleNamespace(root=str(ROOT)), found)
    return found


def test_links_of_a_published_readme_are_whole_and_lead_to_files(hooks, monkeypatch):
    monkeypatch.setenv(hooks.REPOSITORY, "https://code.example/org/cnninspect/")
    found = metadata_of(hooks)
    base = "https://code.example/org/cnninspect/blob/main/"
    to_files = [link for link in links(found["readme"]["text"]) if link.startswith(base)]
    assert len(to_files) > 5
    assert all((ROOT / link.removeprefix(base)).exists() for link in to_files)
    assert all(re.match("https?://|#", link) for link in links(found["readme"]["text"]))
    assert found["urls"]["Source"] == "https://code.example/org/cnninspect"
    assert all(value.startswith("https://code.example/") for value in found["urls"].values())


def test_without_an_address_there_is_no_link_that_leads_nowhere(hooks, monkeypatch):
    monkeypatch.delenv(hooks.REPOSITORY, raising=False)
    found = metadata_of(hooks)
    assert "urls" not in found
    assert found["readme"]["content-type"] == "text/markdown"
    assert all(re.match("https?://|#", link) for link in links(found["readme"]["text"]))
    assert "shown in a course" in found["readme"]["text"]


def test_pictures_and_anchors_stay_as_they_are(hooks):
    text = "![a](b.svg) [c](#d) [e](https://f.g) [h](i.md#j)"
    assert hooks.linked(text, "https://k") == (
        "![a](b.svg) [c](#d) [e](https://f.g) [h](https://k/blob/main/i.md#j)"
    )
    assert hooks.linked(text, "") == "![a](b.svg) [c](#d) [e](https://f.g) h"
