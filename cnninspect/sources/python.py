"""Your own code: `path/to/file.py:make_model` and `package.module:Class`.

This is the only source that runs code which a user names.  A file runs as a fresh module, and
neither it nor what it imports from its own folder stays behind.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from cnninspect.errors import (
    BadReference,
    BuildFailed,
    CnnInspectError,
    FileMissing,
    FileUnreadable,
    UnknownModel,
    UnknownSetting,
    did_you_mean,
    first_line,
)
from cnninspect.files import opened
from cnninspect.records.models import LoadedModel, ModelInfo, Reference
from cnninspect.sources.construction import construct, other_peoples_code
from cnninspect.sources.keywords import arguments_of, keyword_arguments
from cnninspect.sources.torchvision_schemas import with_operators_defined

_MISSING = object()


def load(reference: Reference) -> LoadedModel:
    """The model that a class, a function or a module of a user's own makes.

    Raises:
        FileMissing, FileUnreadable: there is no such file, or it is not Python.
        BadReference: it names no class or function.
        UnknownModel: the code has nothing of that name.
        BuildFailed: the code fails when it is imported.
        UnknownSetting, BadSetting: what it names takes no such argument, or lacks one.
    """
    where, _, name = reference.name.rpartition(":")
    where, name = (where, name) if where else (name, "")
    is_file = where.endswith(".py")
    if is_file and "\0" in where:
        raise FileMissing(where)
    surroundings = Surroundings(Path(where).resolve().parent if is_file else Path.cwd())
    if is_file:
        _check_file(reference, Path(where), name)
    with other_peoples_code(reference.text), surroundings():
        surroundings.module = module = _imported(reference, where, is_file=is_file)
        made_by = _attribute(reference, module, name)
    info = ModelInfo(reference.text, "python", reference.text)
    if _is_module(made_by):
        if reference.settings:
            raise UnknownSetting(reference.name, reference.settings[0][0], ())
        return LoadedModel(info, lambda: made_by, live=True, surroundings=surroundings)
    with surroundings():
        make = _with_settings(reference, made_by)

    def build() -> Any:
        with surroundings():
            made = construct(reference.text, make, settings=reference.settings)
        return network_in(reference.text, made)

    return LoadedModel(info, build, surroundings=surroundings)


def network_in(reference: str, made: Any) -> Any:
    """The network in what a factory returned: a tuple, list or dictionary may hold other things.

    Raises:
        BuildFailed: it holds several networks.
    """
    if isinstance(made, Mapping):
        parts = list(made.values())
    elif isinstance(made, (tuple, list)):
        parts = list(made)
    else:
        return made
    networks = {id(part): part for part in parts if _is_module(part)}
    if len(networks) > 1:
        kinds = ", ".join(type(part).__name__ for part in networks.values())
        raise BuildFailed(
            reference,
            f"it returns {len(networks)} networks ({kinds})",
            "name a function that returns the one to look at",
        )
    return next(iter(networks.values()), made)


class Surroundings:
    """Where code finds what lies beside it: called, a context in which its folder is importable.

    Afterwards the search path is as it was, and modules that only this made importable are hidden:
    they are there again the next time, so that what `forward` imports is what was imported before.
    One thread at a time is inside, since path and modules belong to the process.
    """

    def __init__(self, folder: Path) -> None:
        self.module: ModuleType | None = None
        """The code itself, once it was run."""
        self._folder = folder
        self._path = [str(folder)]
        """The search path as the code wants it."""
        self._imported: dict[str, ModuleType] = {}

    @contextmanager
    def __call__(self) -> Iterator[None]:
        from cnninspect.engine.process_state import RUNS

        with RUNS, self._importable(), known_to_python(self.module):
            yield

    @contextmanager
    def _importable(self) -> Iterator[None]:
        path, modules = list(sys.path), dict(sys.modules)
        if str(self._folder) in (str(Path(entry).resolve()) for entry in path):
            yield  # what is imported stays, as with any import
            return
        try:
            sys.path[:] = [*self._path, *(entry for entry in path if entry not in self._path)]
            sys.modules.update(self._imported)
            importlib.invalidate_caches()
            yield
        finally:
            self._path = list(sys.path)  # the code may have added to it
            sys.path[:] = path
            self._hide(modules)

    def _hide(self, before: Mapping[str, ModuleType]) -> None:
        """Take away what was imported from the folders that were not on the path before."""
        folders = [Path(entry) for entry in self._path if entry not in sys.path]
        for name, module in list(sys.modules.items()):
            if before.get(name) is not module and _comes_from(module, name, folders):
                self._imported[name] = sys.modules.pop(name)
                if name in before:
                    sys.modules[name] = before[name]


def _comes_from(module: ModuleType, name: str, folders: Sequence[Path]) -> bool:
    """Whether a module belongs to a package, or is a file, directly in one of the folders."""
    top = name.partition(".")[0]
    file = getattr(module, "__file__", None)
    places = [Path(place) for place in ([file] if file else getattr(module, "__path__", ()))]
    return top != __name__.partition(".")[0] and any(
        place.parent == folder or place.is_relative_to(folder / top)
        for place in places
        for folder in folders
    )


@contextmanager
def known_to_python(module: ModuleType | None) -> Iterator[None]:
    """Let a module be found under its name, where dataclasses and pickles look for it."""
    if module is None:
        yield
        return
    hidden = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module
    try:
        yield
    finally:
        if hidden is None:
            del sys.modules[module.__name__]
        else:
            sys.modules[module.__name__] = hidden


def _check_file(reference: Reference, path: Path, name: str) -> None:
    """Read the file as text, and say early what can be said without running it."""
    with opened(path) as (stream, size):
        text = stream.read(size)
    try:
        tree = ast.parse(text, str(path))
    except SyntaxError as problem:
        at = f"line {problem.lineno}: " if problem.lineno else ""
        raise FileUnreadable(path, f"{at}{problem.msg}", "it must be Python") from problem
    except (ValueError, RecursionError, MemoryError) as problem:
        raise FileUnreadable(path, first_line(problem), "it must be Python") from problem
    if not name:
        defined = [
            node.name
            for node in tree.body
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_")
        ]
        choices = ", ".join(f"{path}:{found}" for found in defined[:5])
        raise BadReference(
            reference.text,
            "it names no class or function of the file",
            f"write {choices}" if choices else "",
        )


def _imported(reference: Reference, where: str, *, is_file: bool) -> Any:
    def run() -> Any:
        return _run_file(Path(where)) if is_file else importlib.import_module(where)

    try:
        return with_operators_defined(run)
    except CnnInspectError:
        raise
    except ModuleNotFoundError as problem:
        if not is_file and problem.name and f"{where}.".startswith(f"{problem.name}."):
            raise _no_such_module(reference, where) from problem
        raise BuildFailed(reference.text, first_line(problem)) from problem
    except Exception as problem:
        raise BuildFailed(reference.text, f"importing it raises {first_line(problem)}") from problem


def _run_file(path: Path) -> ModuleType:
    name = path.stem
    if not name.isidentifier() or name in sys.modules or name in sys.stdlib_module_names:
        name = f"file_{abs(hash(path))}"
    module = ModuleType(name)
    module.__file__ = str(path)
    # Not by a loader: that would keep compiled code beside the file, and believe it next time.
    with opened(path) as (stream, _):
        code = compile(stream.read(), str(path), "exec", dont_inherit=True)
    with known_to_python(module):
        exec(code, vars(module))
    return module


def _no_such_module(reference: Reference, where: str) -> BadReference:
    from cnninspect.sources.registry import schemes

    nearest = did_you_mean(where, schemes())
    return BadReference(
        reference.text,
        f"there is neither a source nor a Python module called {where}",
        nearest or "path/to/file.py:callable names a file",
    )


def _attribute(reference: Reference, module: Any, name: str) -> Any:
    """What the code calls so.  Packages may import it only now, and whatever it is built on."""
    value = module
    for part in name.split("."):
        inside = value
        value = _part_of(reference, inside, part)
        if value is _MISSING:
            raise _no_such_name(reference, module, name, inside=inside)
    if not callable(value):
        raise BadReference(
            reference.text,
            f"{name} is of the type {type(value).__name__}",
            "name a class or a function that returns a module",
        )
    return value


def _part_of(reference: Reference, holder: Any, part: str) -> Any:
    """An attribute, or `_MISSING`.

    Raises:
        BuildFailed: the package imports it only now, and that fails.
    """
    try:
        return with_operators_defined(partial(getattr, holder, part))
    except CnnInspectError:
        raise
    except AttributeError as problem:
        if problem.name not in (None, part):  # one inside of what it imports
            raise _import_failed(reference, part, problem) from problem
        return _MISSING
    except Exception as problem:
        raise _import_failed(reference, part, problem) from problem


def _import_failed(reference: Reference, part: str, problem: Exception) -> BuildFailed:
    """The error for a name whose import failed, with the cause that came first."""
    first: BaseException = problem
    while first.__cause__ is not None:
        first = first.__cause__
    return BuildFailed(reference.text, f"importing {part} raises {first_line(first)}")


def _no_such_name(reference: Reference, module: Any, name: str, *, inside: Any) -> UnknownModel:
    own = [key for key, item in vars(module).items() if _makes_models(item, module)]
    known = own or [key for key in dir(module) if not key.startswith("_")]
    hint = f"it has: {', '.join(own)}" if own else ""
    if not known:
        hint = "it has no class and no function"
    if inside is not module:  # a class, of which a method is named
        before = name.rpartition(".")[0]
        known = [f"{before}.{key}" for key in dir(inside) if not key.startswith("_")]
    return UnknownModel(name, known, reference.name.rpartition(":")[0], hint=hint)


def _makes_models(value: Any, module: ModuleType) -> bool:
    """Whether this is a class or a function of the module itself, or a network in it."""
    return getattr(value, "__module__", "") == module.__name__ or _is_module(value)


def _is_module(value: Any) -> bool:
    from torch import nn

    return isinstance(value, nn.Module)


def _with_settings(reference: Reference, made_by: Callable[..., Any]) -> Callable[[], Any]:
    """A call that needs no more arguments.

    Raises:
        UnknownSetting, BadSetting: the settings do not fit its arguments.
        BadReference: an argument without a default was not set.
    """
    settings = keyword_arguments(reference.name, reference.settings, made_by)
    missing = [
        name
        for name, argument in arguments_of(made_by)[0].items()
        if argument.default is argument.empty and name not in settings
    ]
    if missing:
        wanted = ",".join(f"{name}=…" for name in missing)
        raise BadReference(
            reference.text,
            f"it must be told {' and '.join(missing)}",
            f"write {reference.name}@{wanted}",
        )
    first = [
        settings.pop(name)
        for name, argument in arguments_of(made_by)[0].items()
        if argument.kind is argument.POSITIONAL_ONLY and name in settings
    ]
    return partial(made_by, *first, **settings)
