"""Part `remembered`: answers from memory against `import torch`, and whether they are the same."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from figures import note
from processes import call_in_process, time_process
from startup import BASELINE, COMMAND
from tables import table

TEN = (
    "vgg16", "resnet18", "resnet34", "resnet50", "resnet101", "densenet121", "googlenet",
    "alexnet", "efficientnet_b0", "wrn28_10",
)  # fmt: skip
SPACE = "mlp@num_classes=1..1000,resolution=16..115"
TARGETS = {
    ("summary", "resnet34"): 0.25,
    ("compare", *TEN): 0.35,
    ("memory", "resnet34"): None,
    ("summary", "densenet201"): None,
}
"""Questions, with the ratio of time to the baseline's that their second answer may take."""


@contextmanager
def own_folder() -> Iterator[str]:
    """A folder of what is remembered that nobody else has."""
    before = {name: os.environ.get(name) for name in ("CNNINSPECT_CACHE", "CNNINSPECT_FRESH")}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CNNINSPECT_CACHE"] = folder
        os.environ.pop("CNNINSPECT_FRESH", None)
        try:
            yield folder
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


def zoo_from_memory() -> tuple[int, int]:
    """In a process of its own: networks of the zoo, and those told differently from memory."""
    import cnninspect
    from cnninspect.store.traces import remembering, without_memory
    from cnninspect.zoo import catalogue

    differ = 0
    for name in catalogue.names():
        fresh = cnninspect.summarize(name)
        with remembering():
            cnninspect.summarize(name)
            again = cnninspect.summarize(name)
        data = json.loads(cnninspect.render(again, format="json"))
        notes = tuple(data["engine"]["notes"])
        data["engine"]["notes"] = list(without_memory(notes))
        same = json.dumps(data) == json.dumps(json.loads(cnninspect.render(fresh, format="json")))
        differ += not same or len(without_memory(notes)) == len(notes)
    return len(catalogue.names()), differ


def remember_points() -> None:
    """In a process of its own: put 100,000 points into the file, each with figures of its own."""
    from cnninspect.commands.sweep.measuring import How, space_key
    from cnninspect.commands.sweep.space import choices, parse_space
    from cnninspect.commands.sweep.table import written
    from cnninspect.metrics.summary import Totals
    from cnninspect.store.cache import Memory
    from cnninspect.store.tasks import Point

    space, how, texts = parse_space(SPACE), How(), {}
    for i, choice in enumerate(choices([space], sample=None, seed=0, sampler="random")):
        n, r = (int(value) for value in choice.values)
        size = 100 * r * r + (n + 1) * 100
        totals = Totals(size + n, size + n, 0, 4 * (size + n), size, 2 * size, 100 + n, 400, 4)
        texts[choice.key] = written(Point(choice.reference, totals, 2, f"{i:024x}"))
    key = space_key(space, how)
    assert key is not None
    Memory().keep_points(key, texts)


def in_turn(
    title: str,
    command: list[str],
    times: int,
    *,
    ratio: float | None = None,
    s: float | None = None,
) -> list[str]:
    """Medians of a command and of the baseline by the clock, and the ratio by both clocks.

    `ratio` and `s` are the most that may be.
    """
    pairs = [(time_process(command), time_process(BASELINE)) for _ in range(times)]
    ours = note(title, (run.seconds for run, _ in pairs), unit="s", most=s)
    theirs = statistics.median(run.seconds for _, run in pairs)
    by_clock = (a.seconds / b.seconds for a, b in pairs)
    ratios = [
        note(f"{title} / import torch", by_clock, most=ratio),
        statistics.median(a.processor_seconds / b.processor_seconds for a, b in pairs),
    ]
    own = statistics.median(run.processor_seconds for run, _ in pairs)
    return [*(f"{each:.2f}" for each in (ours, theirs, own, *ratios))]


def report(repeats: int, progress: Callable[[str], None]) -> str:
    """Markdown: second answers in turn with the baseline, the zoo, and a large design space."""
    rows = []
    load = os.getloadavg()[0]
    with own_folder() as folder:
        for arguments, target in TARGETS.items():
            progress(f"cnninspect {arguments[0]}, remembered")
            time_process([COMMAND, *arguments])
            title = f"`cnninspect {arguments[0]}` of {len(arguments) - 1}: {arguments[1]}"
            measured = in_turn(
                title.replace("`", ""), [COMMAND, *arguments], max(4 * repeats, 5), ratio=target
            )
            rows.append([title, *measured, f"≤ {target}" if target else ""])
        progress("100,000 remembered points")
        call_in_process("remembered:remember_points")
        picture = os.path.join(folder, "space.png")
        looks = ["--max-macs", "1M", "--plot", picture, "--force", "--quiet"]
        command = [COMMAND, "sweep", SPACE, *looks]
        measured = in_turn("sweep of 100,000 remembered points", command, max(repeats, 3), s=3)
        title = "`cnninspect sweep`, 100,000 points filtered and drawn"
        rows.append([title, *measured, "≤ 3 s"])
        progress("the whole zoo from memory")
        networks, differ = call_in_process("remembered:zoo_from_memory")
    header = ["", "s", "`import torch`, s", "processor s", "ratio", "of processor s", "target"]
    said = f"{networks} networks of the zoo: {differ} told from memory otherwise than afresh."
    busy = f"{load:.1f} processes wanted to run on {os.cpu_count()} cores before it began."
    return f"{table(header, rows)}\n\n{said} {busy}"
