"""What a person typed that cannot be done: the command returns 2."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cnninspect.errors.tree import UsageError
from cnninspect.errors.wording import did_you_mean, nearest_or_all


class UnknownModel(UsageError):
    """No source has a model of that name."""

    def __init__(
        self, name: str, known: Iterable[str], source: str = "", *, hint: str = ""
    ) -> None:
        where = f" in {source}" if source else ""
        super().__init__(
            f"there is no model called {name!r}{where}",
            did_you_mean(name, known) or hint or "cnninspect list shows every name",
        )


class UnknownSetting(UsageError):
    """The model has no such setting."""

    def __init__(self, model: str, key: str, known: Sequence[str]) -> None:
        described = "; ".join(known)
        super().__init__(
            f"{model} has no setting {key!r}",
            f"it has: {described}" if known else "it has no settings",
        )


class BadSetting(UsageError):
    """A setting's value is not of its type, or out of its range."""

    def __init__(self, model: str, key: str, value: str, expected: str) -> None:
        super().__init__(f"{model}: {key}={value} is not possible", f"{key} must be {expected}")


class BadReference(UsageError):
    """A reference cannot be read."""

    def __init__(self, text: str, problem: str, hint: str = "") -> None:
        super().__init__(
            f"cannot read the reference {text!r}: {problem}",
            hint
            or "a reference looks like resnet34, resnet34@num_classes=10 or torchvision:resnet50",
        )


class BadInput(UsageError):
    """An input cannot be read or is not possible."""

    def __init__(self, text: str, problem: str, hint: str = "") -> None:
        super().__init__(
            f"input {text!r}: {problem}" if text else problem,
            hint or "write --input 3x224x224, 8x3x224x224 or tokens:int64:1x128",
        )


class UnknownLayer(UsageError):
    """The model has no layer of that path."""

    def __init__(self, model: str, path: str, known: Iterable[str]) -> None:
        super().__init__(
            f"{model} has no layer {path!r}",
            did_you_mean(path, known) or f"cnninspect summary {model} shows every layer",
        )


class UnknownChoice(UsageError):
    """An option's value is not among those allowed."""

    def __init__(self, option: str, value: str, known: Iterable[str]) -> None:
        hint = nearest_or_all(value, known, f"{option} takes")
        super().__init__(f"{option} {value!r} is not known", hint)


class BadOption(UsageError):
    """An option's value is of no use."""

    def __init__(self, option: str, value: object, expected: str) -> None:
        super().__init__(f"{option} {value} is not possible", f"{option} must be {expected}")


class BadQuantity(UsageError):
    """A number with its unit cannot be read."""

    def __init__(self, option: str, text: str, expected: str) -> None:
        super().__init__(f"{option} {text!r} is not possible", expected)


class Contradiction(UsageError):
    """Limits that nothing can keep."""

    def __init__(self, title: str, least: str, most: str, where: str = "") -> None:
        place = f" of {where}" if where else ""
        super().__init__(
            f"the limits on the {title}{place} contradict each other: {least} and {most}",
            "the least must not be above the most",
        )


class UnknownKey(UsageError):
    """A file of settings has a key that means nothing."""

    def __init__(self, place: str, key: str, known: Iterable[str]) -> None:
        hint = nearest_or_all(key, known, "keys here")
        super().__init__(f"{place}: there is no key {key!r}", hint)


class BadBudget(UsageError):
    """A budget file says something that cannot be."""

    def __init__(self, place: str, problem: str, hint: str = "") -> None:
        super().__init__(f"{place}: {problem}", hint)


class PatternMatchesNothing(UsageError):
    """A pattern for layers fits none of the model's, so what is said of them says nothing."""

    def __init__(self, pattern: str, model: str, known: Iterable[str]) -> None:
        super().__init__(
            f"no layer of {model} fits {pattern!r}",
            did_you_mean(pattern, known) or f"cnninspect summary {model} shows every layer",
        )


class NothingToCheck(UsageError):
    """A gate that checks nothing must not pass."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(f"there is nothing to check {what}", hint)


class CannotScale(UsageError):
    """A model has no such size, or not in a way that can be told."""

    def __init__(self, model: str, over: str, problem: str, hint: str = "") -> None:
        super().__init__(f"{model} cannot be scaled over its {over}: {problem}", hint)


class MissingLibrary(UsageError):
    """A library that this needs is not installed."""

    def __init__(self, library: str, extra: str, needed_for: str) -> None:
        super().__init__(
            f"{needed_for} needs {library}, which is not installed",
            f"pip install 'cnninspect[{extra}]'",
        )


class NeedsModules(UsageError):
    """A trace, or the graph in a file, where only a network of modules will do."""

    def __init__(self, model: str, what_it_is: str, needed_for: str) -> None:
        super().__init__(
            f"{needed_for} needs a network of modules, and {model} is {what_it_is}",
            "give the network that it was made from",
        )


class CannotTrain(UsageError):
    """A model has nothing that gradients could reach."""

    def __init__(self, model: str, problem: str, hint: str = "") -> None:
        super().__init__(f"{model} cannot be trained: {problem}", hint)


class LabelOutOfRange(UsageError):
    """A label names a class that the model does not have.

    `wanted` is how many classes the labels tell apart, where that is known.
    """

    def __init__(self, label: int, classes: int, wanted: int = 0) -> None:
        self.label, self.classes = label, classes
        enough = max(label + 1, classes, wanted)
        super().__init__(
            f"label {label} is out of range: the model tells {classes} classes apart, "
            f"0 to {classes - 1}",
            f"a model with more outputs fits, as MODEL@num_classes={enough}",
        )


class FileMissing(UsageError):
    """There is no such file."""

    def __init__(self, path: object, hint: str = "check the path") -> None:
        super().__init__(f"there is no file {path}", hint)


class FileExists(UsageError):
    """The output is there already and --force was not given."""

    def __init__(self, path: object) -> None:
        super().__init__(f"{path} exists already", "add --force to overwrite it")
