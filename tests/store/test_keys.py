"""What figures are remembered by: two that differ in any one part are not taken for each other."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from cnninspect.records.models import InputRequest
from cnninspect.store import cache, survey
from cnninspect.store.tasks import Task

INSTALLED = {"cnninspect": "1", "torch": "2", "timm": "3", "torchvision": "4", "transformers": "5"}


def offered(name="x.op", value="package:formula", version="1"):
    dist = SimpleNamespace(version=version) if version else None
    return SimpleNamespace(name=name, value=value, dist=dist)


ONE = (offered(),)


@pytest.fixture
def versions(monkeypatch):
    """Versions of a source, from given parts."""

    def of(source="timm", *, offers=ONE, fingerprint="f", python=(3, 11, 7),
           platform="linux", **installed):  # fmt: skip
        found = INSTALLED | installed
        monkeypatch.setattr(cache, "installed_version", found.get)
        monkeypatch.setattr(cache, "_fingerprint", lambda: fingerprint)
        monkeypatch.setattr(cache, "entry_points", lambda group: list(offers))
        system = SimpleNamespace(version_info=(*python, "final", 0), platform=platform)
        monkeypatch.setattr(cache, "sys", system)
        return cache.versions.__wrapped__(source)

    return of


@pytest.mark.parametrize(
    "part",
    [
        {"cnninspect": "1.1"}, {"torch": "2.1"}, {"timm": "3.1"}, {"torchvision": "4.1"},
        {"fingerprint": "g"}, {"python": (3, 12, 7)}, {"python": (3, 11, 8)},
        {"platform": "darwin"}, {"offers": ()}, {"offers": (offered(name="y.op"),)},
        {"offers": (offered(value="package:other"),)}, {"offers": (offered(version="1.1"),)},
        {"offers": (offered(), offered(name="y.op"))},
    ],
    ids=str,
)  # fmt: skip
def test_another_version_of_any_part_is_another_key(versions, part):
    assert versions() == versions()
    assert versions(**part) != versions()


def test_what_has_no_part_in_a_source_makes_no_other_key(versions):
    assert versions("timm", transformers="6") == versions("timm")
    assert versions("hf", transformers="6") != versions("hf")
    assert versions("zoo", timm="6") == versions("zoo")
    assert versions(offers=(offered(), offered(name="y"))) == versions(
        offers=(offered(name="y"), offered())
    )


TASK = Task("resnet18", (InputRequest((1, 3, 8, 8)),), batch=2)


def key_of(task):
    (key,) = survey._keys([task]).values()
    return key


@pytest.mark.parametrize(
    "part",
    [
        {"reference": "resnet34"}, {"inputs": None}, {"inputs": (InputRequest((1, 3, 8, 9)),)},
        {"inputs": (InputRequest((1, 3, 8, 8), "float64"),)}, {"batch": 3}, {"mode": "train"},
        {"convention": "thop"},
    ],
    ids=str,
)  # fmt: skip
def test_another_question_is_another_key(part):
    assert key_of(TASK) == key_of(replace(TASK))
    assert key_of(replace(TASK, **part)) != key_of(TASK)


def test_other_versions_and_settings_of_libraries_are_other_keys(monkeypatch):
    key = key_of(TASK)
    monkeypatch.setenv("TIMM_FUSED_ATTN", "0")
    assert key_of(TASK) != key
    monkeypatch.delenv("TIMM_FUSED_ATTN")
    monkeypatch.setenv("A_SETTING_OF_SOMETHING_ELSE", "0")
    assert key_of(TASK) == key
    monkeypatch.setattr(survey, "versions", lambda source: ("another",))
    assert key_of(TASK) != key


def test_files_and_code_of_ones_own_have_no_key():
    assert survey._keys([Task("net.py:Net"), Task("model.onnx"), Task("no such:thing")]) == {}
