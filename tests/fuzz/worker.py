"""Tries files one after the other: a line `kind<TAB>number` in, a line of JSON with what came out.

It is a process of its own, so that one that crashes or never returns takes nothing with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
SECONDS = 10
"""Of the processor that a file may take, however busy the machine is."""
MEMORY = 12 << 30
"""Bytes of addresses, of which torch alone reserves some."""
NAMES = {
    "safetensors": "f.safetensors", "torch.save": "f.pth", "torch.save, old": "f.bin",
    "index of files": "f.safetensors.index.json", "GGUF": "f.gguf",
    "ONNX": "f.onnx", "torch.export": "f.pt2",
    "TorchScript": "f.pt", "configuration": "config.json", "budget": "f.toml", "lock": "f.lock",
    "image": "images/a/f.png", "LiteRT": "f.tflite", "arrays": "f.npz", "data set": "d.npz",
    "weights that are loaded": "w.pth", "predictions": "f.csv", "settings": "f.yaml",
}  # fmt: skip


TABLES = ("safetensors", "torch.save", "torch.save, old", "index of files", "GGUF", "LiteRT")


class TooLong(BaseException):
    """A file took more than its time."""


def attempt(kind: str) -> None:
    """What a user would do with the file of that kind in this folder."""
    import cnninspect
    from cnninspect.checkpoints import read_checkpoint
    from cnninspect.page.formats import render

    name = NAMES[kind]
    if kind in TABLES:
        for format_ in ("table", "json"):
            render(read_checkpoint(name), format=format_)
    elif kind == "budget":
        cnninspect.check("lenet5", budget=name)
    elif kind == "lock":
        cnninspect.check("lenet5", locked=name)
    elif kind == "weights that are loaded":
        loaded = "shallow_cnn@resolution=8,channels=2"
        cnninspect.trace(loaded, weights=name)
        cnninspect.weights(name)
    elif kind == "predictions":
        render(cnninspect.evaluate(predictions=name))
    elif kind == "arrays":
        from cnninspect.sources.input_text import read_values

        list(read_values(name, None, None))
    elif kind == "data set":
        from cnninspect.engine.real_passes.data_sets import load_data

        load_data(name, (3, 8, 8))
    elif kind == "settings":
        from cnninspect.sources.config_objects import read_configuration

        read_configuration(name)
    elif kind == "image":
        from cnninspect.engine.real_passes.batches import Folder, Stream

        Stream(Folder(Path("images")), 0).batch(2, 3, (8, 8))
    else:
        inputs = {"TorchScript": (1, 3, 8, 8)}.get(kind)
        reference = f"hf:{name}" if kind == "configuration" else name
        render(cnninspect.summarize(reference, inputs))


def outcome_of(kind: str, number: int) -> dict[str, object]:
    """What comes of one file: `opened`, `refused`, `raw` for what is no error of ours, `hang`."""
    from inputs import made

    from cnninspect.errors import CnnInspectError

    path = Path(NAMES[kind])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(made(kind, number))
    before = sorted(str(p) for p in Path().rglob("*"))
    began, result, detail = time.monotonic(), "opened", ""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        attempt(kind)
    except CnnInspectError as problem:
        result = "refused"
        if len(str(problem)) > 4000:
            result, detail = "raw", "an error of more than 4,000 characters"
    except TooLong:
        result, detail = "hang", "more than its time"
    except BaseException as problem:
        if isinstance(problem, KeyboardInterrupt):
            raise
        result, detail = "raw", "".join(traceback.format_exception(problem))[-1500:]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    left = sorted({str(p) for p in Path().rglob("*")} - set(before))
    path.unlink()
    seconds = time.monotonic() - began
    return {
        "result": "wrote" if left else result,
        "detail": detail or str(left),
        "seconds": seconds,
    }


def main() -> None:
    """Try what is asked for on stdin until it ends."""

    def stop(*_: object) -> None:
        raise TooLong

    signal.signal(signal.SIGPROF, stop)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w")
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere:
        os.chdir(folder)
        os.makedirs("images/a")
        for place, text in (("a.safetensors", b""), ("b.bin", b"")):
            Path(place).write_bytes(text)
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            for line in sys.stdin:
                kind, number = line.rstrip("\n").split("\t")
                answers.write(json.dumps(outcome_of(kind, int(number))) + "\n")
                answers.flush()


if __name__ == "__main__":
    main()
