"""The file of results in the user's cache folder, and what a result depends on."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeVar

from cnninspect.records.reports import installed_version

Result = TypeVar("Result")

FILE = "measured-1.sqlite"
"""The number is that of its layout."""
TABLE = "CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, value TEXT NOT NULL, kept REAL)"
HAS_TABLE = "SELECT name FROM sqlite_master WHERE name = 'results'"
PATIENCE = 10.0
"""Seconds to wait for others that are writing."""
MOST_ROWS = 30_000
"""Beyond so many, the oldest go."""
AT_ONCE = 500
"""Keys in one question; SQLite allows 999."""


def cache_folder() -> Path:
    """Where this package may keep what it can make again: `CNNINSPECT_CACHE`, or the system's.

    Raises:
        RuntimeError: there is no home folder to look in.
    """
    chosen = os.environ.get("CNNINSPECT_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "cnninspect"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "cnninspect"
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if Path(given).is_absolute() else Path.home() / ".cache") / "cnninspect"


class Memory:
    """Texts by key, kept from one run to the next."""

    def __init__(self, folder: Path | None = None) -> None:
        self.notes: list[str] = []
        """What a user should know: why nothing is remembered."""
        self.path = Path(FILE)
        try:
            self.path = (folder or cache_folder()) / FILE
        except RuntimeError as problem:  # the system knows no home folder of this user
            self.notes.append(f"results are not remembered: {problem}")

    def recall(self, keys: Sequence[str]) -> dict[str, str]:
        """What is kept under these keys."""
        if self.notes:
            return {}
        try:
            if not self.path.exists():
                return {}
            return self._repaired(lambda: self._recall(keys))
        except (sqlite3.Error, OSError, ValueError) as problem:
            self._give_up(problem)
            return {}

    def keep(self, texts: Mapping[str, str]) -> None:
        """Keep these texts, all or none."""
        if self.notes or not texts:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._repaired(lambda: self._keep(texts.items()))
        except (sqlite3.Error, OSError, ValueError) as problem:
            self._give_up(problem)

    def _recall(self, keys: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        with closing(self._connected()) as connection:
            if not connection.execute(HAS_TABLE).fetchall():
                return {}
            for start in range(0, len(keys), AT_ONCE):
                part = keys[start : start + AT_ONCE]
                marks = ",".join("?" * len(part))
                query = f"SELECT key, value FROM results WHERE key IN ({marks})"
                found.update(connection.execute(query, part).fetchall())
        # Another program may have put anything there.
        return {key: text for key, text in found.items() if isinstance(text, str)}

    def _keep(self, texts: Iterable[tuple[str, str]]) -> None:
        now = time.time()
        with closing(self._connected()) as connection, connection:
            connection.execute(TABLE)
            connection.executemany(
                "INSERT OR REPLACE INTO results VALUES (?, ?, ?)",
                [(key, value, now) for key, value in texts],
            )
            (rows,) = connection.execute("SELECT count(*) FROM results").fetchone()
            if rows > MOST_ROWS:
                connection.execute(
                    "DELETE FROM results WHERE key IN "
                    "(SELECT key FROM results ORDER BY kept LIMIT ?)",
                    (rows - MOST_ROWS,),
                )

    def _connected(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=PATIENCE)

    def _repaired(self, work: Callable[[], Result]) -> Result:
        """What `work` returns; a damaged file is made anew and `work` done once more."""
        try:
            return work()
        except sqlite3.OperationalError:  # it is locked, full, out of reach: not damaged
            raise
        except sqlite3.DatabaseError:
            # Another process may have mended it by now.
            with suppress(sqlite3.DatabaseError):
                return work()
            for ending in ("", "-journal", "-wal", "-shm"):
                Path(f"{self.path}{ending}").unlink(missing_ok=True)
            return work()

    def _give_up(self, problem: Exception) -> None:
        reason = getattr(problem, "strerror", None) or str(problem)
        self.notes.append(f"results are not remembered: {self.path.parent}: {reason}")


LIBRARIES = {"torchvision": ("torchvision",), "timm": ("timm", "torchvision")}
"""What a source's models are made of, beside torch."""


@cache
def versions(source: str) -> tuple[str, ...]:
    """Name and version of everything that has a part in what is measured of a source's models."""
    packages = ("torch", *LIBRARIES.get(source, ()))
    return (
        f"cnninspect {installed_version('cnninspect')} {_fingerprint()}",
        *(f"{package} {installed_version(package)}" for package in packages),
        *_formulas_of_others(),
    )


@cache
def _fingerprint() -> str:
    """A hash over the package's files: what is being worked on changes without its version."""
    folder = Path(__file__).parents[1]
    files = sorted(path for kind in ("*.py", "*.json") for path in folder.rglob(kind))
    facts = [(str(path.relative_to(folder)), path.stat()) for path in files]
    text = "\n".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in facts)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _formulas_of_others() -> tuple[str, ...]:
    """The formulas that installed packages offer, with their versions."""
    offered = entry_points(group="cnninspect.costs")
    return tuple(sorted(f"{e.name} {e.value} {e.dist.version if e.dist else ''}" for e in offered))


def has_formulas_of_this_process() -> bool:
    """Whether a formula was registered by hand: nobody else would count with it."""
    if "cnninspect.costs" not in sys.modules:
        return False
    from cnninspect.costs import BUILT_IN, registered

    return not registered().keys() <= BUILT_IN
