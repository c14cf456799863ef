"""Calls what builds a network, offline and with its prints diverted, and tells its errors apart."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any

from cnninspect.errors import BuildFailed, CnnInspectError
from cnninspect.sources.keywords import refused_setting
from cnninspect.sources.network import no_network

OFFLINE_ERRORS = frozenset(
    {
        "NetworkRefused",
        "LookUpRefused",
        "OfflineModeIsEnabled",
        "LocalEntryNotFoundError",
        "ConnectionError",
    }
)
"""What libraries raise where they would have downloaded something."""


def construct(
    reference: str,
    make: Callable[[], Any],
    *,
    settings: Sequence[tuple[str, str]] = (),
) -> Any:
    """What `make` returns.  Errors of its own are let through, since another rung may do better.

    `settings` are those that a user typed and that `make` passes on.

    Raises:
        BuildFailed: it reaches for the network, or ends the process.
        UnknownSetting: one of the settings is refused.
    """
    with other_peoples_code(reference):
        try:
            return make()
        except Exception as problem:
            refused = refused_setting(problem, reference.partition("@")[0], settings)
            if refused is None:
                raise
            raise refused from problem


@contextmanager
def other_peoples_code(reference: str) -> Iterator[None]:
    """Run code that is not ours: offline, its prints on stderr, its warnings to its authors unseen.

    Raises:
        BuildFailed: it reaches for the network, or ends the process.
    """
    with no_network() as refusals, redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except CnnInspectError:
            raise
        except SystemExit as problem:
            raise BuildFailed(reference, f"it ends the process (exit {problem.code})") from problem
        except Exception as problem:
            if not is_offline_error(problem):  # what was refused may have been a mere question
                raise
            where = f" ({refusals.addresses[0]})" if refusals.addresses else ""
            raise BuildFailed(
                reference,
                f"it reaches for the network{where}",
                "nothing is downloaded here: name a builder that needs no weights",
            ) from problem


def is_offline_error(problem: BaseException | None) -> bool:
    """Whether an error, or one that led to it, says that something could not be downloaded."""
    while problem is not None:
        if type(problem).__name__ in OFFLINE_ERRORS:
            return True
        problem = problem.__cause__ or problem.__context__
    return False
