"""How reports look: pure functions from a report to text.

`render` is the way in.  To teach it another report, write one file with a `RENDERER` (see
`renderers`), which turns the report into a `Page` (see `pages`) and into rows for CSV, and add a
line to `RENDERERS`.  The rest is there:

* `terminal` (with `fitting`), `markdown`, `webpage` write any page
* `plain_data` writes JSON and CSV
* `quantities` are numbers for people, `escaping` makes foreign text harmless, `lettering` spells
  what an encoding does not have
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from cnninspect.errors import UnknownChoice
from cnninspect.page.ascii_fallback import drawn, spelled_page
from cnninspect.page.markdown import write_markdown
from cnninspect.page.plain_data import write_csv, write_json
from cnninspect.page.renderers import Renderer
from cnninspect.page.terminal import write_terminal
from cnninspect.page.webpage import write_html
from cnninspect.records.reports import Report

FORMATS = ("table", "json", "csv", "markdown", "html")
"""What `render` can write; `html` is for notebooks."""

RENDERERS = {
    "BudgetCheck": "cnninspect.commands.check.rendering",
    "Audit": "cnninspect.commands.audit.rendering",
    "Checkpoint": "cnninspect.commands.summary.weights_rendering",
    "Comparison": "cnninspect.commands.compare.rendering",
    "CompoundGrid": "cnninspect.commands.scale.grid_rendering",
    "Difference": "cnninspect.commands.diff.rendering",
    "Explanation": "cnninspect.commands.explain.rendering",
    "ExportReport": "cnninspect.commands.export.rendering",
    "Finding": "cnninspect.commands.find.rendering",
    "GradientProfile": "cnninspect.commands.gradients.rendering",
    "Listing": "cnninspect.commands.list.rendering",
    "PathProfile": "cnninspect.commands.gradients.paths_rendering",
    "BatchFit": "cnninspect.commands.memory.fit_rendering",
    "Memory": "cnninspect.commands.memory.rendering",
    "Scaling": "cnninspect.commands.scale.rendering",
    "Summary": "cnninspect.commands.summary.rendering",
    "TensorDifference": "cnninspect.commands.diff.tensors_rendering",
}
"""Type of report to the module whose `RENDERER` writes it, imported when it is needed."""


def render(report: Report, *, format: str = "table", **options: Any) -> str:  # noqa: A002
    """The report as text that ends with a line break.

    `options` are the fields of the report's view: those of `renderers.View` for all, and what the
    report's own file adds.  `columns` may also be text, as after `--columns`.

    Raises:
        UnknownChoice: there is no such format, column or order.
        BadOption: an option's value is of no use.
        TypeError: the report's view has no option of that name.
    """
    renderer = renderer_of(type(report))
    if format not in (*FORMATS, *renderer.writers):
        raise UnknownChoice("--format", format, (*FORMATS, *renderer.writers))
    if isinstance(columns := options.get("columns"), str):
        options["columns"] = tuple(name.strip() for name in columns.split(","))
    view = renderer.view(**options)
    if format in renderer.writers:
        return renderer.writers[format](report, view)
    if format == "json":
        return write_json(renderer.data(report, view))
    if format == "csv":
        return write_csv(*renderer.rows(report, view))
    page = spelled_page(renderer.page(report, view), view.encoding)
    if format == "html":
        return write_html(page)
    if format == "markdown":
        text = write_markdown(page)
    else:
        text = write_terminal(page, width=view.width, color=view.color, has_room=view.has_room)
    return drawn(text, view.encoding)


def renderer_of(kind: type[Report]) -> Renderer[Any, Any]:
    """What writes reports of that type."""
    for ancestor in kind.__mro__:
        if ancestor.__name__ in RENDERERS:
            module = import_module(RENDERERS[ancestor.__name__])
            return module.RENDERER  # type: ignore[no-any-return]
    raise TypeError(f"there is no renderer for {kind.__name__}")


class _CallablePackage(ModuleType):
    """Lets `cnninspect.page.formats(report)` be the function, though this package has the same name."""

    def __call__(self, report: Report, **options: Any) -> str:
        return render(report, **options)


sys.modules[__name__].__class__ = _CallablePackage
