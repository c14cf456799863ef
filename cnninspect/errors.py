"""Every error that cnninspect raises on purpose.

    CnnInspectError                 .hint: what to type next; .exit_code: what the command returns
    ├── UsageError                  2: what was typed
    │   ├── NotAModel               what was handed in is no model
    │   ├── AlreadyTraced           a trace, and what would have changed its run
    │   ├── UnknownArgument         a function has no such argument
    │   ├── UnknownModel            no source has that name
    │   ├── UnknownSetting          the family has no such setting
    │   ├── BadSetting              the setting's value cannot be used
    │   ├── BadReference            the reference cannot be read
    │   ├── BadInput                an input's shape or dtype cannot be read, or is not possible
    │   ├── UnknownLayer            the model has no layer of that path
    │   ├── UnknownChoice           an option's value is not among those allowed
    │   ├── BadOption               an option's value cannot be used
    │   ├── BadQuantity             a number with its unit cannot be read
    │   ├── Contradiction           limits that nothing can keep
    │   ├── UnknownKey              a file of settings has a key that means nothing
    │   ├── BadConfiguration        a file of defaults says something that cannot be
    │   ├── BadBudget               a budget file says something that cannot be
    │   ├── PatternMatchesNothing   a pattern for layers fits none of the model's
    │   ├── NothingToCheck          a gate without a limit
    │   ├── CannotScale             a model has no such size, or not in a way that can be told
    │   ├── MissingLibrary          an extra is not installed
    │   ├── NoPicture               a report has no picture
    │   ├── NotCalibrated           nothing was measured of this machine yet
    │   ├── NeedsModules            a trace or a graph, where a network of modules is needed
    │   ├── CannotTrain             a model has nothing that gradients could reach
    │   ├── LabelOutOfRange         a label names a class that the model does not have
    │   ├── UnusableData            data that this model cannot learn from or be judged on
    │   ├── FileMissing             there is no such file
    │   └── FileExists              the output is there already
    ├── Failure                     1: what failed
    │   ├── SomeModelsFailed        of several models, some could not be measured
    │   ├── LibraryBroken           a library is there and cannot be imported
    │   ├── SourceBroken            another package's source cannot be used
    │   ├── BuildFailed             the model could not be built
    │   ├── StateLeft               a run could not put back what the model keeps elsewhere
    │   ├── RunFailed               the model could not be run
    │   │   └── ShapeMismatch       the input does not fit: which layer, got, wanted
    │   ├── TooLarge                a model needs more memory than there is
    │   ├── CannotCompile           torch.compile has no compiler, or it failed
    │   ├── Diverged                training was stopped: its loss is no number any more
    │   ├── ExportFailed            a model could not be written as ONNX
    │   ├── WeightsMismatch         the weights of a file are not those of the network
    │   ├── FileUnreadable          a file is not what it should be
    │   └── FileUnwritable          a file could not be written
    └── AnswerIsNo                  3: the work was done and the answer is no
        ├── ExportMismatch          an exported file does not do what the model does
        ├── ExportUnexplained       --strict met counts of a file that differ for no known reason
        ├── DoesNotFit              not even a batch of one fits into the memory
        ├── UnsafeToLoad            --strict met a file of weights that could run code
        ├── Unexplained             --strict met a count that differs for no known reason
        ├── UnknownOperations       --strict met operations that nothing is known of
        ├── Unhealthy               --fail-on met a verdict on gradients
        ├── OverBudget              a model does not keep its limits
        ├── FoundByLint             something is wrong with the design of a model
        ├── BelowTarget             --fail-under: a measure of an evaluation is too low
        └── Moved                   a model is not what the lock file says, or another than before

Each class takes the facts and writes its own sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

LONGEST = 4000
"""Characters of a sentence; what a file or a library adds beyond is cut."""
LONG = 200
"""Characters of another error's text from which on only its first sentence is told."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean a, b or c?` with the nearest of `known`, or `""` where none is near."""
    by_name: dict[str, list[str]] = {}
    for choice in known:
        by_name.setdefault(choice.lower(), []).append(choice)
    found = get_close_matches(name.lower(), list(by_name), n=3, cutoff=0.6)
    if name.lower() in by_name:  # the same in another case
        found = [name.lower()]
    nearest = [choice for key in found for choice in by_name[key]][:3]
    if not nearest:
        return ""
    *first, last = nearest
    return f"did you mean {', '.join(first)} or {last}?" if first else f"did you mean {last}?"


def nearest_or_all(name: str, known: Iterable[str], title: str) -> str:
    """All that is known after `title`, and before it the nearest, where one is near."""
    known = list(known)
    nearest, allowed = did_you_mean(name, known), f"{title}: {', '.join(known)}"
    return f"{nearest} ({allowed})" if nearest else allowed


def some(names: Sequence[str], shown: int = 3) -> str:
    """The first few of the names, and how many more there are."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")


INTERPRETER = "Traceback of TorchScript"


def first_line(problem: BaseException) -> str:
    """What somebody else's error says, in one line with its kind.

    That is its first line, with the next one if it ends with a colon; of a long one the first
    sentence.  TorchScript's interpreter says what was wrong at the end.
    """
    text, *more = str(problem).strip().splitlines() or [""]
    if INTERPRETER in (line[: len(INTERPRETER)] for line in more):
        return more[-1].strip().removeprefix("builtins.")[:LONG]
    if more and text.endswith(":"):
        text = f"{text} {more[0].strip()}"
    if len(text) > LONG:
        sentence, end, _ = text.partition(". ")
        text = f"{sentence}." if end else text
    text = text if len(text) <= LONG else f"{text[: LONG - 1]}…"
    return f"{type(problem).__name__}: {text}" if text else type(problem).__name__


class CnnInspectError(Exception):
    """Base of all errors: a sentence, and a hint at what to type next."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(_cut(message))
        self.hint = _cut(hint)

    def follow(self, reason: str) -> None:
        """Say what made it necessary to try what failed: `run for real, because …`."""
        self.args = (_cut(f"{self}; it was {reason}"),)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


class UsageError(CnnInspectError):
    """What was typed cannot be done."""

    exit_code = 2


class Failure(CnnInspectError):
    """What was typed makes sense, and it failed."""


class AnswerIsNo(CnnInspectError):
    """The work was done and the answer is no."""

    exit_code = 3


class NotAModel(UsageError):
    """What was handed in is no model.  `value` is what was handed in."""

    def __init__(self, value: object) -> None:
        kind = type(value).__name__
        what, hint = f"something of the type {kind}", "hand in the module itself"
        if isinstance(value, type):
            what, hint = f"the class {value.__name__}", f"make an instance: {value.__name__}(…)"
        elif value is None:
            what, hint = "None", "a function that ends without return gives None"
        elif isinstance(value, dict):
            what = f"a dictionary ({kind})"
            hint = "weights are no network: load them into the one that they belong to"
        elif isinstance(value, (list, tuple)):
            what = f"a {kind} of {len(value)}"
            hint = (
                "cnninspect.compare takes several models; torch.nn.Sequential makes one of layers"
            )
        elif callable(value) and not hasattr(value, "__dict__"):
            hint = "call it, and hand in the module that it returns"
        elif hasattr(value, "__code__"):
            what = f"the function {getattr(value, '__name__', kind)}"
            hint = "call it, and hand in the module that it returns"
        super().__init__(
            "a model is a reference such as 'resnet34', a torch.nn.Module, or a trace; "
            f"this is {what}",
            hint,
        )


class UnknownArgument(UsageError, TypeError):
    """A function has no argument of that name."""

    def __init__(self, function: str, name: str, known: Iterable[str]) -> None:
        hint = nearest_or_all(name, known, f"{function} takes") if known else ""
        super().__init__(f"{function} has no argument {name!r}", hint)


class AlreadyTraced(UsageError):
    """A trace was handed in, together with what would have changed the run that made it."""

    def __init__(self, model: str, names: Sequence[str]) -> None:
        super().__init__(
            f"{model} is traced already: {' and '.join(names)} would change nothing",
            "hand in the network, or trace it again with them",
        )


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
    """An option's value cannot be used."""

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


class BadConfiguration(UsageError):
    """A file of defaults says something that cannot be."""

    def __init__(self, place: str, problem: str, hint: str = "") -> None:
        super().__init__(f"{place}: {problem}", hint)


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


class NotCalibrated(UsageError):
    """Nothing was measured yet of the machine that is here, which is to be held against."""

    def __init__(self, name: str) -> None:
        device = name.partition("-")[2]
        where = f" --device {device}" if device else ""
        super().__init__(
            f"--device-spec {name}: this machine has not been measured",
            f"cnninspect time --calibrate{where} measures it, in seconds",
        )


class NoPicture(UsageError):
    """A picture of a report that has none."""

    def __init__(self, report: str) -> None:
        super().__init__(
            f"{report} has no picture", "its table is report.to_dataframe() or print(report)"
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
            f"label {label} is out of range: the model has {classes} classes, 0 to {classes - 1}",
            f"a model with more outputs fits, as MODEL@num_classes={enough}",
        )


class UnusableData(UsageError):
    """Data that nothing can be learnt from, or that a model cannot take."""

    def __init__(self, data: object, problem: str, hint: str = "") -> None:
        super().__init__(
            f"the data {data} cannot be used: {problem}",
            hint or "--data takes digits, a folder of class folders or a .npz file of x and y",
        )


class FileMissing(UsageError):
    """There is no such file."""

    def __init__(self, path: object, hint: str = "check the path") -> None:
        super().__init__(f"there is no file {path}", hint)


class FileExists(UsageError):
    """The output is there already and --force was not given."""

    def __init__(self, path: object) -> None:
        super().__init__(f"{path} exists already", "add --force to overwrite it")


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

    def __init__(self, path: object, problem: str, hint: str = "") -> None:
        super().__init__(f"cannot write {path}: {problem}", hint or "choose another place with -o")


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
        self.layer_type = layer_type
        self.trace = trace
        at = f"{layer or 'the model itself'} ({layer_type})" if layer_type else layer
        super().__init__(
            f"running the model failed at {at}: {problem}" if at else f"running failed: {problem}",
            hint or "--input sets the input's shape, --debug shows where it failed",
        )


class StateLeft(Failure):
    """A run left tensors without values with somebody, named in `owners`; they were taken out."""

    def __init__(self, owners: Sequence[str]) -> None:
        self.owners = tuple(owners)
        super().__init__(
            f"the model keeps what it works out in {', '.join(owners)}, which could not be put "
            "back as it was: what this run left there was taken out",
            "keep it in an attribute of the module instead",
        )


class TooLarge(Failure):
    """A model needs more memory than there is, as its trace says before it is built."""

    def __init__(self, model: str, needed: int, free: int, *, where: str, hint: str) -> None:
        super().__init__(
            f"{model} needs at least {needed:,} bytes on {where}, and {free:,} are free", hint
        )


class CannotCompile(Failure):
    """A network cannot be compiled: there is no compiler, or it failed."""

    def __init__(self, model: str, problem: str, hint: str = "") -> None:
        super().__init__(
            f"{model} cannot be compiled: {problem}",
            hint or "without --compile it runs as it is; --debug shows where it failed",
        )


class Diverged(Failure):
    """Training was stopped since its loss was no longer a number."""

    def __init__(self, model: str, *, epoch: int, step: int, layer: str) -> None:
        where = f", first in the output of {layer}" if layer else ""
        super().__init__(
            f"training {model} was stopped: its loss is not finite at step {step:,} "
            f"(epoch {epoch}){where}",
            "a smaller --lr, another --optimizer or normalisation may mend it",
        )


class ShapeMismatch(RunFailed):
    """The input does not fit a layer.  `got` and `wanted` are shapes as a user reads them."""

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


class UnsafeToLoad(AnswerIsNo):
    """With --strict: loading a file of weights would look up what may run any code."""

    def __init__(self, path: str, names: Sequence[str]) -> None:
        super().__init__(
            f"{path} asks for names that torch.load(weights_only=True) refuses: {some(names)}",
            "load it only if you trust its author, or ask for safetensors",
        )


class Unexplained(AnswerIsNo):
    """With --strict: a counter has another number, and nobody can say why."""

    def __init__(self, counters: Sequence[str]) -> None:
        has = "has a difference" if len(counters) == 1 else "have differences"
        super().__init__(
            f"{', '.join(counters)} {has} that nothing explains",
            "--by-layer shows the layers; --counter leaves a counter out by naming the others",
        )


class UnknownOperations(AnswerIsNo):
    """With --strict: some operations have no formula, so the count is not whole."""

    def __init__(self, operations: Sequence[str]) -> None:
        super().__init__(
            f"nothing is known of the cost of {', '.join(operations)}",
            "without --strict the rest is counted; cnninspect.register_cost adds a formula",
        )


class Unhealthy(AnswerIsNo):
    """With --fail-on: some models' gradients have a verdict that was named."""

    def __init__(self, verdicts: Sequence[tuple[str, str]]) -> None:
        said = ", ".join(f"{model}: {verdict}" for model, verdict in verdicts)
        rate = "a smaller --lr, " if " at step " in said else ""
        super().__init__(
            f"gradients are not as they should be ({said})",
            f"{rate}other weights (--init), normalisation or skip connections may mend it",
        )


class OverBudget(AnswerIsNo):
    """A model does not keep its limits; the report says which."""

    def __init__(self, broken: int, checked: int) -> None:
        is_one = checked == 1
        super().__init__(f"{broken} of {checked} {'limit' if is_one else 'limits'} exceeded")


class FoundByLint(AnswerIsNo):
    """Something as bad as was asked for is wrong with a network; the report says what."""

    def __init__(self, *, errors: int, warnings: int) -> None:
        counted = ((errors, "error"), (warnings, "warning"))
        found = [f"{n} {noun}{'' if n == 1 else 's'}" for n, noun in counted if n]
        super().__init__(f"found {' and '.join(found)}")


class Moved(AnswerIsNo):
    """A model is not what it was; the report says where."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what, hint)


class DoesNotFit(AnswerIsNo):
    """Not even a batch of one fits.

    `helps` are pairs: what to do, and the bytes it then takes; `also` is what may help, too.
    """

    def __init__(
        self,
        model: str,
        needed: int,
        limit: int,
        helps: Sequence[tuple[str, int]],
        also: Sequence[str] = (),
    ) -> None:
        tried = [
            f"{what} takes {less:,} bytes{', which fits' if less <= limit else ''}"
            for what, less in helps
        ]
        super().__init__(
            f"{model} does not fit: a batch of one needs {needed:,} bytes, "
            f"{needed - limit:,} more than the {limit:,} there are",
            "; ".join([*tried, *also]),
        )


class ExportMismatch(AnswerIsNo):
    """An exported file does not do what the model does; it was not kept.  `report` tells all."""

    def __init__(self, model: str, report: Any) -> None:
        at = report.mismatch
        where = f"first in {at.path} ({at.type})" if at else "in its outputs"
        error = at.max_rel_error if at else max(r.max_rel_error for r in report.verification)
        allowed = report.verification[0].tolerance
        differs = f"differs {where} by {error:.2g} of the largest element; {allowed:g} is allowed"
        if error == float("inf"):
            differs = "fails, or gives other shapes or what is no number"
        super().__init__(
            f"the file does not do what {model} does: it {differs}",
            "the file was not kept; --no-verify writes it as it is"
            if report.exporter == "dynamo"
            else "the file was not kept; this exporter fixes whatever depends on data",
        )
        self.report = report


class ExportUnexplained(AnswerIsNo):
    """With --strict: an exported file has other counts for no known reason; it was not kept."""

    def __init__(self, model: str, report: Any) -> None:
        found = [
            f"{abs(d.change):,} {'MACs' if d.quantity == 'macs' else d.quantity} "
            f"{'more' if d.change > 0 else 'less'}"
            for d in report.unexplained
        ]
        super().__init__(
            f"the file has {' and '.join(found)} than {model}, which is not explained",
            "the file was not kept; without --strict it is",
        )
        self.report = report


__all__ = [
    "AnswerIsNo",
    "BadBudget",
    "BadInput",
    "BadOption",
    "BadQuantity",
    "BadReference",
    "BadSetting",
    "BuildFailed",
    "CannotCompile",
    "CannotScale",
    "CannotTrain",
    "CnnInspectError",
    "Contradiction",
    "DoesNotFit",
    "ExportFailed",
    "ExportMismatch",
    "ExportUnexplained",
    "Failure",
    "FileExists",
    "FileMissing",
    "FileUnreadable",
    "FileUnwritable",
    "FoundByLint",
    "LabelOutOfRange",
    "LibraryBroken",
    "MissingLibrary",
    "Moved",
    "NeedsModules",
    "NotCalibrated",
    "NothingToCheck",
    "OverBudget",
    "PatternMatchesNothing",
    "RunFailed",
    "ShapeMismatch",
    "SomeModelsFailed",
    "SourceBroken",
    "StateLeft",
    "TooLarge",
    "Unexplained",
    "Unhealthy",
    "UnknownChoice",
    "UnknownKey",
    "UnknownLayer",
    "UnknownModel",
    "UnknownOperations",
    "UnknownSetting",
    "UnsafeToLoad",
    "UsageError",
    "WeightsMismatch",
    "did_you_mean",
    "first_line",
]


class BelowTarget(AnswerIsNo):
    """Measures of an evaluation are below what `--fail-under` asks for."""

    def __init__(self, missed: Sequence[tuple[str, float, float]]) -> None:
        texts = ", ".join(f"{name} {value:.4f} < {least:g}" for name, value, least in missed)
        super().__init__(f"below what was asked for: {texts}")
