"""The file of results in the user's cache folder, and what a result depends on."""

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

from cnninspect.errors import FileUnreadable, FileUnwritable
from cnninspect.records.reports import installed_version

Result = TypeVar("Result")

FILE = "measured-2.sqlite"
"""The number is that of its layout."""
TABLES = {
    "results": "key TEXT PRIMARY KEY, value TEXT NOT NULL, kept REAL",
    "traces": "key TEXT PRIMARY KEY, title TEXT NOT NULL, content BLOB NOT NULL, kept REAL",
    "points": "space TEXT, point TEXT, value TEXT NOT NULL, kept REAL, PRIMARY KEY (space, point)",
}
"""Columns by table: figures of models and names of libraries as text; traces; and figures of points
of design spaces, by what all points of a space share and the settings of each."""
HAS_TABLE = "SELECT name FROM sqlite_master WHERE name = ? AND type = 'table'"
HAS_DAY = "typeof(kept) = 'real' AND kept BETWEEN 0 AND 32503680000"
"""Kept before the year 3000: another program may have put anything there."""
IS_PLAIN = f"{HAS_DAY} AND typeof(title) = 'text' AND typeof(content) = 'blob'"
PATIENCE = 10.0
"""Seconds to wait for others that are writing."""
MOST_ROWS = {"results": 30_000}
"""Beyond so many, the oldest go."""
MOST_BYTES = 512 * 2**20
"""Beyond so many in the file, the oldest tenth goes."""
MOST_ASKED = 20_000
"""Points that are asked for one by one; of more, all that are kept of the space are read."""
STEPS = 1_000_000
"""Steps of SQLite after which is looked whether it takes too long."""
AT_ONCE = 500
"""Keys in one question; SQLite allows 999."""
FRESH = "CNNINSPECT_FRESH"
"""A setting of the environment: if it is not empty, everything is measured and traced again."""


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
    """What was measured and traced, by key, kept from one run to the next.

    Inside of `asking(fresh=True)` it only keeps: everything is measured again.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.notes: list[str] = []
        """What a user should know: why nothing is remembered."""
        self.recalled: list[float] = []
        """When the figures that were recalled had been measured, in seconds since 1970."""
        self.fresh = is_asked_afresh()
        self.path = Path(FILE)
        try:
            self.path = (folder or cache_folder()) / FILE
        except RuntimeError as problem:  # the system knows no home folder of this user
            self.notes.append(f"results are not remembered: {problem}")

    def recall(self, keys: Sequence[str]) -> dict[str, str]:
        """What is kept under these keys."""
        return {key: text for key, (text, _) in self.recall_dated(keys).items()}

    def recall_dated(self, keys: Sequence[str]) -> dict[str, tuple[str, float]]:
        """What is kept under these keys, with the seconds since 1970 at which it was kept."""
        query = "SELECT key, value, kept FROM results WHERE key IN ({})"
        return {
            key: (text, kept)
            for key, text, kept in self._rows("results", query, keys)
            # Another program may have put anything there.
            if isinstance(text, str) and isinstance(kept, float)
        }

    def keep(self, texts: Mapping[str, str]) -> None:
        """Keep these texts, all or none."""
        now = time.time()
        rows = [(key, value, now) for key, value in texts.items()]
        self._insert("INSERT OR REPLACE INTO results VALUES (?, ?, ?)", rows)

    def recall_trace(self, key: str) -> tuple[bytes, float] | None:
        """The content that is kept of a trace, with the seconds since 1970 at which it was kept."""
        query = "SELECT content, kept FROM traces WHERE key IN ({})"
        for content, kept in self._rows("traces", query, [key]):
            if isinstance(content, bytes) and isinstance(kept, float):
                return content, kept
        return None

    def keep_trace(self, key: str, title: str, content: bytes) -> None:
        """Keep the content of a trace; `title` is what it is of, to be shown."""
        row = (key, title, content, time.time())
        self._insert("INSERT OR REPLACE INTO traces VALUES (?, ?, ?, ?)", [row])

    def recall_points(self, space: str, points: Sequence[str]) -> dict[str, str]:
        """What is kept of these points of a space."""
        query = "SELECT point, value FROM points WHERE space = ? AND point IN ({})"
        if len(points) > MOST_ASKED:
            query = "SELECT point, value FROM points WHERE space = ?"
            rows = self._rows("points", query, [space])
        else:
            rows = self._rows("points", query.replace("?", f"'{space}'", 1), points)
        return {point: value for point, value in rows if isinstance(value, str)}

    def keep_points(self, space: str, texts: Mapping[str, str]) -> None:
        """Keep these points of a space, all or none."""
        now = time.time()
        rows = [(space, point, value, now) for point, value in texts.items()]
        self._insert("INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?)", rows)

    def _rows(self, table: str, query: str, keys: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows with these keys, whose places the query leaves open; none if it gave up."""
        if self.notes or self.fresh:
            return []
        try:
            if not self.path.exists():
                return []
            return self._repaired(lambda: self._select(table, query, keys))
        except (sqlite3.Error, OSError, ValueError) as problem:
            self._give_up(problem)
            return []

    def _select(self, table: str, query: str, keys: Sequence[Any]) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        with closing(self._connected()) as connection:
            if not connection.execute(HAS_TABLE, (table,)).fetchall():
                return []
            for start in range(0, len(keys), AT_ONCE):
                part = keys[start : start + AT_ONCE]
                found += connection.execute(query.format(",".join("?" * len(part))), part)
        return found

    def _insert(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if self.notes or not rows:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._repaired(lambda: self._write(statement, rows))
        except (sqlite3.Error, OSError, ValueError) as problem:
            self._give_up(problem)

    def _write(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        with closing(self._connected()) as connection, connection:
            for table, columns in TABLES.items():
                connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
            connection.executemany(statement, rows)
            _let_oldest_go(connection)

    def contents(self) -> Contents:
        """What is remembered now.

        Raises:
            FileUnreadable: the file is there and cannot be read.
        """
        if not self.path.exists():
            return Contents(self.path, 0, {}, None, None, ())
        try:
            with closing(self._connected()) as connection:
                here = [t for t in TABLES if connection.execute(HAS_TABLE, (t,)).fetchall()]
                counts = {
                    table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                    for table in here
                }
                ages = [
                    connection.execute(
                        f"SELECT min(kept), max(kept) FROM {table} WHERE {HAS_DAY}"
                    ).fetchone()
                    for table in here
                ]
                traces = (
                    connection.execute(
                        "SELECT title, length(content), kept FROM traces "
                        f"WHERE {IS_PLAIN} ORDER BY kept DESC"
                    ).fetchall()
                    if "traces" in here
                    else []
                )
        except (sqlite3.Error, OSError) as problem:
            raise FileUnreadable(self.path, str(problem), "cnninspect cache clear") from problem
        times = [kept for pair in ages for kept in pair if isinstance(kept, float)]
        return Contents(
            self.path,
            self.path.stat().st_size,
            counts,
            min(times, default=None),
            max(times, default=None),
            tuple((str(title), int(size), float(kept)) for title, size, kept in traces),
        )

    def told(self) -> tuple[str, ...]:
        """What a report should say: why nothing is remembered, or what was not measured again."""
        if not self.recalled:
            return tuple(self.notes)
        days = sorted({day_of(when) for when in self.recalled})
        when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
        models = len(self.recalled)
        what = f"{models:,} model{'' if models == 1 else 's'} measured {when}, remembered"
        return (*self.notes, f"{what}; {_again.get()} measures again")

    def clear(self) -> Contents:
        """Forget everything; returns what there was.

        Raises:
            FileUnwritable: the file cannot be written or removed.
        """
        try:
            found = self.contents()
        except FileUnreadable:
            found = Contents(self.path, self.path.stat().st_size, {}, None, None, ())
        if not self.path.exists():
            return found
        try:
            try:
                with closing(self._connected()) as connection:
                    for table in TABLES:  # whoever has it open sees it empty
                        connection.execute(f"DROP TABLE IF EXISTS {table}")
                    connection.commit()
                    connection.set_progress_handler(None, 0)  # a large file takes its time
                    connection.execute("VACUUM")
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self._remove()
        except (sqlite3.Error, OSError) as problem:
            reason = getattr(problem, "strerror", None) or str(problem)
            raise FileUnwritable(self.path, reason) from problem
        return found

    def _connected(self) -> sqlite3.Connection:
        """The file, open, in which no question takes longer than `PATIENCE` of computing.

        Raises:
            OSError: it is no file.
        """
        if self.path.exists() and not self.path.is_file():
            raise OSError(errno.EINVAL, "it is not a regular file", str(self.path))
        connection = sqlite3.connect(self.path, timeout=PATIENCE)
        end = time.monotonic() + PATIENCE
        connection.set_progress_handler(lambda: time.monotonic() > end, STEPS)
        return connection

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
            self._remove()
            return work()

    def _remove(self) -> None:
        for ending in ("", "-journal", "-wal", "-shm"):
            Path(f"{self.path}{ending}").unlink(missing_ok=True)

    def _give_up(self, problem: Exception) -> None:
        reason = getattr(problem, "strerror", None) or str(problem)
        self.notes.append(f"results are not remembered: {self.path.parent}: {reason}")


@dataclass(frozen=True, slots=True)
class Contents:
    """What is remembered."""

    path: Path
    bytes: int
    """Of the file."""
    counts: dict[str, int]
    """Entries by table."""
    oldest: float | None
    """When the oldest entry was kept, in seconds since 1970; None where there is none."""
    newest: float | None
    traces: tuple[tuple[str, int, float], ...]
    """Title, bytes and time of each trace, the newest first."""


def _let_oldest_go(connection: sqlite3.Connection) -> None:
    """See that neither the rows of a table nor the bytes of the file are too many."""
    for table, most in MOST_ROWS.items():
        (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        if rows > most:
            _drop(connection, table, rows - most)
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    if (pages - free) * size > MOST_BYTES:
        for table in TABLES:
            (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            _drop(connection, table, rows // 10)


def _drop(connection: sqlite3.Connection, table: str, rows: int) -> None:
    connection.execute(
        f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} ORDER BY kept LIMIT ?)",
        (rows,),
    )


def day_of(when: float) -> str:
    """The date, as in 2026-11-28, of so many seconds since 1970.

    Raises:
        ValueError, OverflowError, OSError: there is no such day.
    """
    return time.strftime("%Y-%m-%d", time.localtime(when))


_fresh: ContextVar[bool] = ContextVar("_fresh", default=False)
_again: ContextVar[str] = ContextVar("_again", default="remember=False")


@contextmanager
def asking(*, fresh: bool, again: str) -> Iterator[None]:
    """With `fresh`, what is asked inside is measured and traced again, and remembered anew.

    `again` is what one writes for that, as notes say it.
    """
    tokens = _fresh.set(fresh), _again.set(again)
    try:
        yield
    finally:
        _fresh.reset(tokens[0])
        _again.reset(tokens[1])


def is_asked_afresh() -> bool:
    """Whether nothing is to be recalled, here or by the environment."""
    return _fresh.get() or bool(os.environ.get(FRESH))


LIBRARIES = {
    "torchvision": ("torchvision",),
    "timm": ("timm", "torchvision"),
    "hf": ("transformers", "timm", "torchvision"),
}
"""What a source's models are made of, beside torch."""
SETTINGS = ("TIMM_", "TORCH_", "PYTORCH_", "TRANSFORMERS_")
"""How settings of the environment begin that libraries choose their operations by."""


@cache
def versions(source: str) -> tuple[str, ...]:
    """Name and version of everything that has a part in what is measured of a source's models."""
    packages = ("torch", *LIBRARIES.get(source, ()))
    return (
        f"cnninspect {installed_version('cnninspect')} {_fingerprint()}",
        f"python {sys.version_info[:3]} {sys.platform}",
        *(f"{package} {installed_version(package)}" for package in packages),
        *_formulas_of_others(),
    )


def settings_of_libraries() -> tuple[str, ...]:
    """What the environment says to the libraries that models are made of."""
    return tuple(f"{k}={v}" for k, v in sorted(os.environ.items()) if k.startswith(SETTINGS))


@cache
def _fingerprint() -> str:
    """A hash over the package's files: what is being worked on changes without its version."""
    folder = str(Path(__file__).parents[1])
    found = hashlib.blake2b(digest_size=16)
    for path in _sources(folder):
        with open(path, "rb", buffering=0) as file:
            content = file.readall()
        found.update(f"{path[len(folder) :]} {len(content)}\n".encode())
        found.update(content)
    return found.hexdigest()


def _sources(folder: str) -> Iterator[str]:
    """Code and tables under a folder, in a fixed order; `Path.rglob` would take twice as long."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            yield from _sources(entry.path)
        elif entry.name.endswith((".py", ".json")):
            yield entry.path


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
