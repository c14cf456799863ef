"""Part `linting`: what `lint` says of other people's networks, and how long it takes to say it.

By itself, `python tests/benchmarks/linting.py torchvision timm` prints a line of JSON for each
model with all that is found, to be read: all classifiers of torchvision, and of timm the first
model of each of its modules, then the one in the middle of each, until there are 150.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from figures import note
from tables import table

SPEED = (
    "resnet34", "resnet152", "densenet201", "torchvision:vgg16", "torchvision:efficientnet_b7",
    "torchvision:mobilenet_v3_small", "torchvision:vit_l_16", "timm:convnext_tiny",
)  # fmt: skip
MOST = 150
"""Models of timm that are looked at."""


def classifiers() -> Iterator[str]:
    """Every classifier of torchvision."""
    import cnninspect

    for entry in cnninspect.models(source="torchvision").entries:
        if not entry.family.startswith(("detection", "segmentation", "video", "optical_flow")):
            yield f"torchvision:{entry.name}"


def one_of_each_module() -> Iterator[str]:
    """Models of timm: of each module the first, then the one in the middle of each."""
    from cnninspect.sources import timm as source

    source.entries()
    import timm

    modules = timm.list_modules()
    names = {module: timm.list_models(module=module) for module in modules}
    firsts = [found[0] for found in names.values() if found]
    middles = [found[len(found) // 2] for found in names.values() if len(found) > 1]
    for name in list(dict.fromkeys([*firsts, *middles]))[:MOST]:
        yield f"timm:{name}"


def survey(sources: list[str]) -> None:
    """Prints what is found, model by model."""
    import cnninspect

    everything = {"torchvision": classifiers, "timm": one_of_each_module}
    for source in sources:
        for reference in everything[source]():
            try:
                report = cnninspect.lint(reference, preview=True)
                found: Any = report.to_dict()["findings"]
            except cnninspect.CnnInspectError as problem:
                found = f"{type(problem).__name__}: {problem}"
            print(json.dumps({"model": reference, "findings": found}), flush=True)


def seconds_of(reference: str) -> tuple[float, float, float]:
    """Seconds of tracing, of summarising that trace, and of all rules on it: the least of five."""
    import cnninspect

    traces, summaries, lints = [], [], []
    for _ in range(5):
        gc.collect()
        start = time.process_time()
        trace = cnninspect.trace(reference)
        traced = time.process_time()
        cnninspect.summarize(trace)
        summarised = time.process_time()
        cnninspect.lint(trace)
        traces.append(traced - start)
        summaries.append(summarised - traced)
        lints.append(time.process_time() - summarised)
    return min(traces), min(summaries), min(lints)


def report(repeats: int, progress: Callable[[str], None]) -> str:
    """Markdown: milliseconds of lint against those of summary, on the same trace."""
    rows: list[list[str]] = []
    ratios: list[tuple[float, float]] = []
    for reference in SPEED:
        progress(f"lint of {reference}")
        trace, summary, lint = seconds_of(reference)
        ratios.append((lint / (trace + summary), lint / summary))
        numbers = [f"{1000 * value:.1f}" for value in (trace, summary, lint)]
        rows.append([f"`{reference}`", *numbers, *(f"{ratio:.2f}" for ratio in ratios[-1])])
    note("lint / trace and summary", [statistics.geometric_mean(r for r, _ in ratios)], most=1.0)
    means = [f"{statistics.geometric_mean(column):.2f}" for column in zip(*ratios)]
    rows.append(["geometric mean", "", "", "", *means])
    header = (
        "", "trace, ms", "summary, ms", "lint, ms", "to trace and summary (≤ 1.0)", "to summary",
    )  # fmt: skip
    return table(header, rows)


if __name__ == "__main__":
    survey(sys.argv[1:])
