"""Part `pictures`: what `graph` and `report` take beyond a trace, against `import torch`."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from figures import note
from processes import call_in_process
from tables import table

NETWORKS = ("resnet34", "resnet152", "googlenet", "densenet201")
TARGETS = {"graph": 0.5, "report": 1.0}


def seconds_of(reference: str) -> tuple[float, float, int]:
    """Processor time of the SVG and of the page beyond trace and summary; the page's own bytes.

    Nothing that they import is there before, as on the command line.
    """
    import cnninspect

    trace = cnninspect.trace(reference)
    cnninspect.render(cnninspect.summarize(trace))
    start = time.process_time()
    graph = cnninspect.graph(trace)
    from cnninspect.page.drawings.drawing import drawn
    from cnninspect.page.drawings.svg import write_svg

    write_svg(drawn(graph))
    middle = time.process_time()
    page = cnninspect.render(cnninspect.report(trace), format="html")
    end = time.process_time()
    from cnninspect.commands.report.webpage import plotly_script

    return middle - start, end - middle, len(page.encode()) - len(plotly_script().encode())


def import_torch() -> float:
    """Processor time of a fresh process that does no more than that."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def report(repeats: int, progress: Callable[[str], None]) -> str:
    """Markdown: seconds beyond the trace and the summary, and their ratio to `import torch`."""
    rows, imports = [], []
    for reference in NETWORKS:
        runs = []
        for _ in range(repeats):  # in turn with the import
            progress(f"pictures of {reference}")
            runs.append(call_in_process("pictures:seconds_of", reference=reference))
            imports.append(import_torch())
        graph, page, size = (statistics.median(column) for column in zip(*runs))
        own = imports[-repeats:]
        ratios = []
        for i, (name, most) in enumerate(TARGETS.items()):
            parts = [run[i] / torch for run, torch in zip(runs, own)]
            ratios.append(note(f"{name} of {reference} / import torch", parts, most=most))
        seconds = (f"{graph:.2f}", f"{ratios[0]:.2f}", f"{page:.2f}", f"{ratios[1]:.2f}")
        rows.append([f"`{reference}`", *seconds, f"{size / 1e6:.2f}"])
    torch = note("import torch, processor time", imports, unit="s")
    header = ("", "graph, s", "to import (≤ 0.5)", "report, s", "to import (≤ 1.0)", "page, MB")
    return f"{table(header, rows)}\n\n`import torch` takes {torch:.2f} s of processor time."
