"""The topics of `cnninspect help TOPIC`, which the man page holds, too, and docs link to."""

from __future__ import annotations

from dataclasses import dataclass

from cnninspect.commands.manual import Entry, Panel


@dataclass(frozen=True, slots=True)
class Topic:
    """Something that concerns every command."""

    sentence: str
    """What it is about."""
    panels: tuple[Panel, ...]
    more: tuple[str, ...] = ()
    """Paragraphs that follow the sentence."""


def _panel(title: str, *entries: tuple[str, str]) -> Panel:
    return Panel(title, tuple(Entry(name, text) for name, text in entries))


TOPICS: dict[str, Topic] = {
    "references": Topic(
        "A reference says which model: a name, your own code, or a file.",
        (
            _panel(
                "Names",
                ("resnet34", "The built-in zoo; cnninspect list shows all."),
                ("resnet34@num_classes=10,in_channels=1", "The same with settings; any reference "
                 "whose model has parameters to set may carry them."),
                ("torchvision:resnet50", "A network of torchvision, from its architecture alone."),
                ("timm:convnext_tiny", "A network of timm, from its architecture alone."),
                ("hf:config.json, hf:DIR", "A configuration of transformers."),
            ),
            _panel(
                "Your own code",
                ("net.py:Net", "A class, or a function that returns a module, in a file."),
                ("net.py:Net@width=16", "The same, with arguments."),
                ("package.module:Class", "The same, from a package that can be imported."),
                ("net.py:Net@{HEAD~1}", "The code as it was at a revision of git, with what it "
                 "imports from its repository; model.onnx@{v1} is a file as it was."),
            ),
            _panel(
                "Files",
                ("model.onnx", "An ONNX graph."),
                ("program.pt2, scripted.pt", "A program of torch.export or TorchScript."),
                ("weights.safetensors, .pth, .bin", "A table of weights, read without unpickling; "
                 "also .ckpt, .gguf, .tflite."),
                ("saved.json", "A report that summary --format json wrote, in compare, diff and "
                 "check."),
            ),
        ),
        (
            "An explicit scheme wins, then the suffix of a file, then the zoo; every report says "
            "which source it was. No weights are ever downloaded.",
        ),
    ),
    "inputs": Topic(
        "Without --input a network gets the input that it was made for, and the report says so.",
        (
            _panel(
                "Shapes",
                ("3x224x224", "A tensor; --batch N puts the batch in front."),
                ("8x3x224x224", "The full shape, told apart by the rank that the network expects."),
                ("tokens:int64:1x128", "With a name and a dtype."),
                ("batch.image:3x64x64", "A tensor in a dictionary that is the argument batch."),
            ),
            _panel(
                "Values",
                ("mode=fast, sizes=[[4,4]]", "A value as it is, for the argument of that name."),
                ("lengths:int64=[5,3]", "A tensor with these values."),
                ("x=@x.npy, x=@batch.npz:key", "A tensor from a file of NumPy."),
                ("@batch.npz", "Every array of the file, each for the argument of its name."),
            ),
        ),
        ("Repeat --input for a network with several inputs, in the order of forward.",),
    ),
    "formats": Topic(
        "Every report is written in the format that --format names, to stdout or to -o FILE.",
        (
            _panel(
                "Formats",
                ("table", "For a terminal, as wide and as colourful as that is."),
                ("json", "All that is known, raw numbers, with the name of its schema; the schemas "
                 "are in docs/schemas."),
                ("csv", "A row for each layer or model, raw numbers."),
                ("markdown", "Tables for a document or a pull request."),
                ("html", "One file without scripts."),
                ("latex", "Tables for a paper, with the rules of booktabs."),
            ),
            _panel(
                "Numbers",
                ("21,797,672", "Counts are exact integers; --human writes 21.8 M."),
                ("MB, MiB", "10^6 and 2^20 bytes, always written out."),
                ("—", "None at all."),
                ("≥, ?", "A lower bound, where an operation has no formula; nothing is known."),
            ),
        ),
        ("Pictures are written by --plot FILE.png, .svg or .pdf.",),
    ),
    "exit-codes": Topic(
        "The exit code says whether the work was done, and what the answer was.",
        (
            _panel(
                "Exit codes",
                ("0", "Done."),
                ("1", "Failed: a model that cannot be built or run, a file that cannot be read. "
                 "Of several models, some failed. With diff --exit-code: they differ."),
                ("2", "Typed wrongly: an unknown name, option, layer or input."),
                ("3", "The answer is no: over budget, --fail-on, --fail-under, --strict with "
                 "unknown operations, an export that does not match."),
                ("130", "Stopped by Ctrl-C."),
            ),
        ),
        ("An error is a line and a hint on stderr; --debug shows where it was raised.",),
    ),
    "environment": Topic(
        "What the command reads of its environment.",
        (
            _panel(
                "Variables",
                ("COLUMNS", "Characters to a line; else the terminal's, and 100 in a pipe."),
                ("NO_COLOR", "No colours, if it is not empty."),
                ("FORCE_COLOR", "Colours in a pipe, too."),
                ("TERM", "No colours, if it is dumb."),
                ("CNNINSPECT_CACHE", "The folder for what is remembered; else cnninspect in "
                 "XDG_CACHE_HOME or the system's cache folder."),
                ("CNNINSPECT_FRESH", "What is remembered is traced and measured again."),
                ("OMP_NUM_THREADS", "Threads of PyTorch, for what really runs: gradients, train."),
            ),
        ),
    ),
    "configuration": Topic(
        "Defaults for options, from [tool.cnninspect] in pyproject.toml or from cnninspect.toml.",
        (
            _panel(
                "Keys",
                ("format", 'For --format: "markdown".'),
                ("level", 'For --level: a number, or "all".'),
                ("columns", 'For --columns of summary: ["path", "macs"].'),
                ("human", "For --human: true or false."),
                ("device", 'For --device: "cpu" or "cuda".'),
                ("jobs", "For --jobs: a number."),
                ("[tool.cnninspect.compare]", "The same keys for one command alone; "
                 "[compare] in cnninspect.toml."),
            ),
        ),
        (
            "The nearest file counts, from the working directory upwards; in one folder "
            "cnninspect.toml goes before pyproject.toml. What is typed goes before both. "
            "cnninspect config shows what is in force and where it comes from. Python functions "
            "read neither.",
        ),
    ),
}  # fmt: skip
