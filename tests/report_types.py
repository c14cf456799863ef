"""Every type of report of the package."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import cnninspect
from cnninspect.records.reports import Report


def report_types() -> list[type[Report]]:
    """Every type of report that has a JSON form."""
    package = Path(cnninspect.__file__).parent
    for path in [*package.glob("metrics/*.py"), *package.glob("records/*.py")]:
        import_module(f"cnninspect.{path.parent.name}.{path.stem}")
    for path in package.glob("commands/*/report.py"):
        import_module(f"cnninspect.commands.{path.parent.name}.report")
    found, pending = [], [Report]
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        # A class with slots is made twice; only the second one has the name.
        is_named = getattr(import_module(kind.__module__), kind.__name__, None) is kind
        if kind.__module__.startswith("cnninspect.") and kind.schema and is_named:
            found.append(kind)
    return sorted(found, key=lambda kind: kind.schema)
