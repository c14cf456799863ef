"""The progress bar: only for those who watch, only for long work, and gone afterwards."""

from __future__ import annotations

import io
import sys
import time

import pytest

from cnninspect.commands.output import Bar, progress_bar, waiting


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch):
    """Puts a terminal in the place of stderr; to be called in the test, after pytest's own."""

    def watch() -> Terminal:
        screen = Terminal()
        monkeypatch.setattr(sys, "stderr", screen)
        monkeypatch.setenv("TERM", "xterm")
        return screen

    return watch


def test_nobody_watching_means_no_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress_bar("work", quiet=False) as update:
        assert update is None


def test_quiet_means_no_bar(watched):
    watched()
    with progress_bar("work", quiet=True) as update:
        assert update is None


def test_short_work_shows_nothing(watched):
    terminal = watched()
    with progress_bar("work", quiet=False) as update:
        update(1, 2, "half of it")
    assert terminal.getvalue() == ""


def test_long_work_shows_what_is_done_and_takes_it_away(watched):
    terminal = watched()
    bar = Bar("work [bold]", patience=0.0)
    bar.update(3, 8, "some of it")
    for _ in range(200):  # until the bar's own thread has drawn it
        if "3/8" in terminal.getvalue():
            break
        time.sleep(0.02)
    bar.close()
    shown = terminal.getvalue()
    assert "some of it" in shown
    assert "3/8" in shown
    assert shown.endswith("\x1b[2K") or shown.rstrip("\r").endswith("\x1b[?25h")
    bar.update(4, 8, "no more")  # a late word is no error


def test_one_long_piece_of_work_shows_what_goes_on_and_for_how_long(watched, monkeypatch):
    monkeypatch.setattr("cnninspect.commands.output.LONG_PATIENCE", 0.0)
    terminal = watched()
    with waiting("net.py:\x1b[31mNet"):
        for _ in range(200):
            if "0:00:0" in terminal.getvalue():
                break
            time.sleep(0.02)
    shown = terminal.getvalue()
    assert "net.py:" in shown
    assert "0:00:0" in shown
    assert "\x1b[31m" not in shown
    assert shown.endswith("\x1b[2K") or shown.rstrip("\r").endswith("\x1b[?25h")


def test_a_real_run_that_is_short_shows_nothing(watched):
    terminal = watched()
    with waiting("work"):
        pass
    assert terminal.getvalue() == ""
