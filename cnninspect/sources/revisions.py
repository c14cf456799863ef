"""References at a revision of git: `net.py:Net@{HEAD~1}` is the file as it was, with its imports.

The repository's files at that revision are written into a temporary folder, which goes when the
question is answered, however it ends.  The repository itself is only read: no checkout, no working
tree, no change of its index.  Nor can it make git start a program: its objects alone are read, by a
git folder of our own, without its settings (filters), its hooks and the places that it would fetch
from.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cnninspect.errors import BadReference, CnnInspectError
from cnninspect.sources.references import REVISION, SETTINGS, has_revision
from cnninspect.sources.registry import reference_of

SHA1 = 40
"""Digits of a commit's name, but for repositories that use SHA-256."""
NO_HOOKS = ("-c", f"core.hooksPath={os.devnull}")
NO_FETCH = {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none", "GIT_OPTIONAL_LOCKS": "0"}
"""Nothing that a partial clone lacks is fetched, by whatever program its settings name."""
PLACES = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
)  # fmt: skip
"""Settings that lead git to another repository, as they are inside of a hook."""
PACKAGE = __name__.partition(".")[0]


def with_revision(text: str, revision: str) -> str:
    """The same model at a revision: `net.py:Net@{HEAD~1}`, with the settings after it.

    Raises:
        BadReference: it says already of which revision it is.
    """
    if has_revision(text):
        raise BadReference(text, "it is of a revision already", "leave out --base")
    body, *settings = SETTINGS.split(text, maxsplit=1)
    return "@".join([f"{body}@{{{revision}}}", *settings])


@contextmanager
def at_revision(text: str) -> Iterator[str]:
    """The reference of the same file in a temporary folder that holds the repository as it was.

    Inside, what the file imports from its repository is of that revision, too.

    Raises:
        BadReference: it names no file, or there is no repository, revision or file.
    """
    found = REVISION.search(text)
    if found is None:
        raise BadReference(text, "it names no revision")
    plain = text[: found.start()] + text[found.end() :]
    scheme, path, rest = _parts(text, plain)
    folder = _existing(path.absolute().parent)
    top = Path(_git(text, folder, "rev-parse", "--show-toplevel")).resolve()
    inside = Path(os.path.relpath(folder.resolve() / os.path.relpath(path.absolute(), folder), top))
    commit = _commit(text, folder, found["revision"])
    if not _succeeds(top, "cat-file", "-e", f"{commit}:{inside.as_posix()}"):
        raise BadReference(
            text,
            f"{inside.as_posix()} was not there at {found['revision']}",
            f"git log --oneline -- {inside.as_posix()} shows since when it is",
        )
    with tempfile.TemporaryDirectory(prefix="cnninspect-") as scratch:
        tree = Path(scratch).resolve() / "tree"
        _write_tree(text, top, commit, tree)
        with _imports_from(tree, top):
            there = f"{scheme}{tree / inside}{rest}"
            try:
                yield there
            except CnnInspectError as problem:  # it speaks of the file as it was typed
                before = f"{tree / inside.parent}{os.sep}"
                after = f"{path.parent}{os.sep}" if path.parent != Path() else ""
                problem.args = tuple(_replaced(a, before, after) for a in problem.args)
                problem.hint = _replaced(problem.hint, before, after)
                raise


def _replaced(value: Any, before: str, after: str) -> Any:
    return value.replace(before, after) if isinstance(value, str) else value


def _parts(text: str, plain: str) -> tuple[str, Path, str]:
    """Scheme with its colon, path of the file, and what follows that.

    Raises:
        BadReference: it names no file.
    """
    reference = reference_of(plain)
    start = plain.index(reference.name)
    name, rest = reference.name, plain[start + len(reference.name) :]
    if reference.source == "python":
        where, colon, own = name.rpartition(":")
        name, rest = (where, f"{colon}{own}{rest}") if colon else (name, rest)
    is_file = bool(Path(name).suffix) and (reference.source != "python" or name.endswith(".py"))
    if not is_file or reference.source in ("zoo", "torchvision", "timm"):
        raise BadReference(
            text,
            "only a file has revisions",
            "write path/to/net.py:Net@{HEAD~1}, or model.onnx@{…}",
        )
    return plain[:start], Path(name), rest


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there: the file may be gone with its folder."""
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _commit(text: str, folder: Path, revision: str) -> str:
    name = f"{revision or 'HEAD'}^{{commit}}"
    done = _run(folder, ("rev-parse", "--verify", "--quiet", "--end-of-options", name))
    if done.returncode:
        raise BadReference(
            text, f"there is no revision {revision!r}", "git log --oneline shows which there are"
        )
    return done.stdout.strip()


def _write_tree(text: str, top: Path, commit: str, tree: Path) -> None:
    """Write every file of a commit, by a git folder of its own, which has the objects alone."""
    shared = (top / _git(text, top, "rev-parse", "--git-common-dir")).resolve()
    made_by = "sha1" if len(commit) == SHA1 else "sha256"
    own = tree.parent / "git"
    _git(
        text,
        tree.parent,
        "init",
        "-q",
        "--bare",
        "--template=",
        f"--object-format={made_by}",
        str(own),
    )
    tree.mkdir()
    place = {
        "GIT_DIR": str(own),
        "GIT_WORK_TREE": str(tree),
        "GIT_OBJECT_DIRECTORY": str(shared / "objects"),
        "GIT_INDEX_FILE": str(tree.parent / "index"),
    }
    large = ("-c", f"lfs.storage={shared / 'lfs'}")  # for git-lfs, if the user has set that up
    prefix = f"--prefix={tree}{os.sep}"
    _git(text, tree.parent, *NO_HOOKS, "read-tree", commit, **place)
    _git(text, tree.parent, *NO_HOOKS, *large, "checkout-index", "--all", "-f", prefix, **place)


def _git(text: str, folder: Path, *arguments: str, **environment: str) -> str:
    """What git prints.

    Raises:
        BadReference: git is missing, there is no repository, or it cannot be read.
    """
    try:
        done = _run(folder, arguments, **environment)
    except FileNotFoundError as problem:
        raise BadReference(text, "git is not installed, which knows revisions") from problem
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it fails"])[0]
        if "not a git repository" in said:
            raise BadReference(text, f"{folder} is in no git repository")
        asked = next((word for word in arguments if "=" not in word and word[0] != "-"), "")
        raise BadReference(text, f"git {asked}: {said}")
    return done.stdout.strip()


def _succeeds(folder: Path, *arguments: str) -> bool:
    return _run(folder, arguments).returncode == 0


def _run(
    folder: Path, arguments: Sequence[str], **environment: str
) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if k not in PLACES}
    return subprocess.run(
        ["git", "-C", str(folder), *arguments],
        env={**kept, **NO_FETCH, "LC_ALL": "C", **environment},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@contextmanager
def _imports_from(tree: Path, top: Path) -> Iterator[None]:
    """Import what belongs to the repository from the tree, and forget it afterwards.

    Modules of the repository that are imported already are hidden meanwhile.
    """
    path_before = list(sys.path)
    hidden = {
        name: module for name, module in list(sys.modules.items()) if _is_of(module, top, tree)
    }
    for name in hidden:
        del sys.modules[name]
    mapped = (_counterpart(entry, top, tree) for entry in path_before)
    sys.path[:0] = [str(entry) for entry in mapped if entry is not None]
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = path_before
        for name, module in list(sys.modules.items()):
            if _file_of(module).is_relative_to(tree):
                del sys.modules[name]
        sys.modules.update(hidden)
        importlib.invalidate_caches()


def _file_of(module: Any) -> Path:
    return Path(getattr(module, "__file__", None) or "")


def _is_of(module: Any, top: Path, tree: Path) -> bool:
    """Whether a module's file is one of the repository's, as it was or is, and not of this package.

    What merely lies in its folder, as a virtual environment does, is not.
    """
    file = _file_of(module)
    if getattr(module, "__name__", "").partition(".")[0] in (PACKAGE, "__main__"):
        return False
    return (
        file.is_absolute() and file.is_relative_to(top) and (tree / file.relative_to(top)).exists()
    )


def _counterpart(entry: str, top: Path, tree: Path) -> Path | None:
    """The folder of the tree that stands for an entry of `sys.path`; None: there is none."""
    folder = Path(entry or os.curdir).resolve()
    if not folder.is_relative_to(top):
        return None
    there = tree / folder.relative_to(top)
    return there if there.is_dir() else None
