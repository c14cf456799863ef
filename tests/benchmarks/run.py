"""Measures cnninspect against its peers: `python tests/benchmarks/run.py --help`.

A part is a module with `report(repeats, progress) -> Markdown`; to add one, name it in `PARTS` and
give it a place in docs/benchmark.md.  Needs the extra `bench`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

import figures
import machine
from tables import insert

PARTS = (
    "startup", "remembered", "design_space", "cluster", "tracing", "depth", "counting", "large",
    "sweep", "any_network",
    "memory", "peak", "gradients", "training", "budgets", "files", "latency", "linting",
    "pictures",
)  # fmt: skip
DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"latency": "time.md", "cluster": "scale-out.md"}
"""Where a part stands, unless in benchmark.md."""


def main() -> None:
    """Runs the parts that were asked for, prints their tables and may write them to the page."""
    parser = argparse.ArgumentParser(description="Measures cnninspect against its peers.")
    parser.add_argument("--part", choices=PARTS, action="append", help="all of them by default")
    parser.add_argument("--repeats", type=int, default=5, help="processes for each measurement")
    parser.add_argument(
        "--write", action="store_true", help="into their pages, and figures into docs/benchmark/"
    )
    parser.add_argument(
        "--check", action="store_true",
        help="measure nothing: 3 is the exit code if the last run of a part has missed a target",
    )  # fmt: skip
    parser.add_argument("--plot", action="store_true", help="draw the runs so far, and no more")
    options = parser.parse_args()
    if options.check:
        said, is_missed = figures.check()
        print(said)
        sys.exit(3 if is_missed else 0)
    if options.plot:
        figures.plot()
        return
    for part in options.part or PARTS:
        content = importlib.import_module(part).report(options.repeats, progress)
        content = f"{content}\n\n{machine.describe()}"
        print(content, end="\n\n")
        line = figures.record(part, figures.taken())
        if options.write:
            figures.append(line)
            page = DOCS / PAGES.get(part, "benchmark.md")
            page.write_text(insert(page.read_text(), part, content))


def progress(text: str) -> None:
    """Shows on stderr what is measured now."""
    print(f"… {text}", file=sys.stderr)


if __name__ == "__main__":
    main()
