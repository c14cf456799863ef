"""What is remembered goes to a folder of the test."""

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("CNNINSPECT_CACHE", str(folder))
    monkeypatch.delenv("CNNINSPECT_FRESH", raising=False)
    return folder
