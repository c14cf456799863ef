"""Whole outputs kept in files: `pytest tests/render --rewrite-golden` writes them anew."""

from __future__ import annotations

from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def check_golden(rewrite_golden):
    """Compares a text with the file of that name, or writes the file."""

    def check(text: str, name: str) -> None:
        path = GOLDEN / name
        if rewrite_golden:
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return check


@pytest.fixture
def fixed_versions(monkeypatch):
    """The same versions in every JSON header, whatever is installed."""
    monkeypatch.setattr("cnninspect.records.reports.installed_version", lambda package: "1.2.3")
