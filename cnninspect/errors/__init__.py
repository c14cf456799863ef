"""Every error that cnninspect raises on purpose.

    CnnInspectError                 .hint: what to type next; .exit_code: what the command returns
    ├── UsageError                  2: what the person typed
    │   ├── UnknownModel            no source has that name
    │   ├── UnknownSetting          the family has no such setting
    │   ├── BadSetting              the setting's value is of no use
    │   ├── BadReference            the reference cannot be read
    │   ├── BadInput                an input's shape or dtype cannot be read, or is not possible
    │   ├── UnknownLayer            the model has no layer of that path
    │   ├── UnknownChoice           an option's value is not among those allowed
    │   ├── BadOption               an option's value is of no use
    │   ├── BadQuantity             a number with its unit cannot be read
    │   ├── Contradiction           limits that nothing can keep
    │   ├── UnknownKey              a file of settings has a key that means nothing
    │   ├── BadBudget               a budget file says something that cannot be
    │   ├── PatternMatchesNothing   a pattern for layers fits none of the model's
    │   ├── NothingToCheck          a gate without a limit
    │   ├── CannotScale             a model has no such size, or not in a way that can be told
    │   ├── MissingLibrary          an extra is not installed
    │   ├── NeedsModules            a trace or a graph, where a network of modules is needed
    │   ├── CannotTrain             a model has nothing that gradients could reach
    │   ├── LabelOutOfRange         a label names a class that the model does not have
    │   ├── FileMissing             there is no such file
    │   └── FileExists              the output is there already
    ├── Failure                     1: what failed
    │   ├── SomeModelsFailed        of several models, some could not be measured
    │   ├── LibraryBroken           a library is there and cannot be imported
    │   ├── SourceBroken            another package's source cannot be used
    │   ├── BuildFailed             the model could not be built
    │   ├── RunFailed               the model could not be run
    │   │   └── ShapeMismatch       the input does not fit: which layer, got, wanted
    │   ├── ExportFailed            a model could not be written as ONNX
    │   ├── WeightsMismatch         the weights of a file are not those of the network
    │   ├── FileUnreadable          a file is not what it should be
    │   └── FileUnwritable          a file could not be written
    └── AnswerIsNo                  3: the work was done and the answer is no
        ├── ExportMismatch          an exported file does not do what the model does
        ├── DoesNotFit              not even a batch of one fits into the memory
        ├── UnsafeToLoad            --strict met a file of weights that could run code
        ├── Unexplained             --strict met a count that differs for no known reason
        ├── UnknownOperations       --strict met operations that nothing is known of
        ├── Unhealthy               --fail-on met a verdict on gradients
        ├── OverBudget              a model does not keep its limits
        └── Moved                   a model is not what the lock file says, or another than before

Each class takes the facts and writes its own sentence.
"""

from __future__ import annotations

from cnninspect.errors.answers import (
    DoesNotFit,
    ExportMismatch,
    Moved,
    OverBudget,
    Unexplained,
    Unhealthy,
    UnknownOperations,
    UnsafeToLoad,
)
from cnninspect.errors.failures import (
    BuildFailed,
    ExportFailed,
    FileUnreadable,
    FileUnwritable,
    LibraryBroken,
    RunFailed,
    ShapeMismatch,
    SomeModelsFailed,
    SourceBroken,
    WeightsMismatch,
)
from cnninspect.errors.tree import (
    AnswerIsNo,
    CnnInspectError,
    Failure,
    UsageError,
)
from cnninspect.errors.usage import (
    BadBudget,
    BadInput,
    BadOption,
    BadQuantity,
    BadReference,
    BadSetting,
    CannotScale,
    CannotTrain,
    Contradiction,
    FileExists,
    FileMissing,
    LabelOutOfRange,
    MissingLibrary,
    NeedsModules,
    NothingToCheck,
    PatternMatchesNothing,
    UnknownChoice,
    UnknownKey,
    UnknownLayer,
    UnknownModel,
    UnknownSetting,
)
from cnninspect.errors.wording import did_you_mean, first_line

__all__ = [
    "AnswerIsNo",
    "BadBudget",
    "BadInput",
    "BadOption",
    "BadQuantity",
    "BadReference",
    "BadSetting",
    "BuildFailed",
    "CannotScale",
    "CannotTrain",
    "CnnInspectError",
    "Contradiction",
    "DoesNotFit",
    "ExportFailed",
    "ExportMismatch",
    "Failure",
    "FileExists",
    "FileMissing",
    "FileUnreadable",
    "FileUnwritable",
    "LabelOutOfRange",
    "LibraryBroken",
    "MissingLibrary",
    "Moved",
    "NeedsModules",
    "NothingToCheck",
    "OverBudget",
    "PatternMatchesNothing",
    "RunFailed",
    "ShapeMismatch",
    "SomeModelsFailed",
    "SourceBroken",
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
