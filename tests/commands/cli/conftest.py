"""Runs the command line in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from cnninspect.commands.application import run


class Outcome(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def cnninspect_(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Types a command; gives its exit code and what it printed."""

    def type_command(*arguments: str) -> Outcome:
        with pytest.raises(SystemExit) as left:
            run(list(arguments))
        printed = capsys.readouterr()
        assert isinstance(left.value.code, int)
        return Outcome(left.value.code, printed.out, printed.err)

    return type_command
