"""What makes sense and failed: the command returns 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnninspect.errors.tree import Failure
from cnninspect.errors.wording import some


class SomeModelsFailed(Failure):
    """Of several models, some could not be measured; the report says why."""

    def __init__(self, failed: int, models: int) -> None:
        noun = "model" if models == 1 else "models"
        super().__init__(f"{failed} of {models} {noun} could not be measured")


class WeightsMismatch(Failure):
    """The weights of a file are not those of the network; the message names the first of each kind.

    `missing`, `unexpected` and `misshaped` have all of them.
    """

    def __init__(
        self,
        path: object,
        *,
        missing: Sequence[str] = (),
        unexpected: Sequence[str] = (),
        misshaped: Sequence[str] = (),
        hint: str = "",
    ) -> None:
        self.missing = tuple(missing)
        self.unexpected = tuple(unexpected)
        self.misshaped = tuple(misshaped)
        lists = (
            ("not in the file", missing),
            ("only in the file", unexpected),
            ("of another shape", misshaped),
        )
        found = [f"{len(names)} {what} ({some(names)})" for what, names in lists if names]
        super().__init__(f"the weights in {path} do not fit the network: {'; '.join(found)}", hint)


class FileUnreadable(Failure):
    """A file is not what it should be."""

    def __init__(self, path: object, problem: str, hint: str = "") -> None:
        super().__init__(f"cannot read {path}: {problem}", hint)


class FileUnwritable(Failure):
    """A file could not be written."""

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(f"cannot write {path}: {problem}", "choose another place with -o")


class LibraryBroken(Failure):
    """A library is installed and cannot be imported."""

    def __init__(self, library: str, extra: str, problem: str) -> None:
        super().__init__(
            f"{library} is installed and cannot be imported: {problem}",
            f"pip install --upgrade --force-reinstall 'cnninspect[{extra}]'",
        )


class SourceBroken(Failure):
    """Another package's source of models cannot be used."""

    def __init__(self, scheme: str, offered_by: str, problem: str) -> None:
        super().__init__(
            f"the source {scheme}: of {offered_by} cannot be used: {problem}",
            "this is a matter of that package, not of cnninspect",
        )


class BuildFailed(Failure):
    """The model could not be built."""

    def __init__(self, model: str, problem: str, hint: str = "") -> None:
        super().__init__(f"building {model} failed: {problem}", hint or "--debug shows where")


class RunFailed(Failure):
    """The model could not be run.

    `layer` is the path of the layer that was running, `trace` what had run up to there.
    """

    def __init__(
        self,
        problem: str,
        *,
        layer: str = "",
        layer_type: str = "",
        trace: Any = None,
        hint: str = "",
    ) -> None:
        self.layer = layer
        self.trace = trace
        at = f"{layer or 'the model itself'} ({layer_type})" if layer_type else layer
        super().__init__(
            f"running the model failed at {at}: {problem}" if at else f"running failed: {problem}",
            hint or "--input sets the input's shape, --debug shows where it failed",
        )


class ShapeMismatch(RunFailed):
    """The input does not fit a layer.  `got` and `wanted` are shapes as a person reads them."""

    def __init__(
        self,
        *,
        layer: str,
        layer_type: str,
        got: str,
        wanted: str,
        trace: Any = None,
        hint: str = "",
    ) -> None:
        self.got = got
        self.wanted = wanted
        super().__init__(
            f"it got {got} and wants {wanted}",
            layer=layer, layer_type=layer_type, trace=trace,
            hint=hint or "--input sets the input's shape, as in --input 3x224x224",
        )  # fmt: skip


class ExportFailed(Failure):
    """A model could not be written as ONNX.  `log` is all that the exporter said."""

    def __init__(self, model: str, problem: str, *, hint: str = "", log: str = "") -> None:
        super().__init__(
            f"exporting {model} failed: {problem}", hint or "--debug shows all that was said"
        )
        self.log = log
