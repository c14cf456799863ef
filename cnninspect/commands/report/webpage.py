"""The page of a report: one file of HTML with its charts, pictures and tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from cnninspect.commands.report.charts import (
    SIZES,
    Chart,
    gradients_by_depth,
    growth,
    icicle,
    identity,
    memory_over_the_step,
    rooflines,
)
from cnninspect.commands.report.report import Overview, Portrait
from cnninspect.commands.report.scripts import CHARTS, STYLE, TABLES
from cnninspect.errors import MissingLibrary
from cnninspect.metrics.summary import LayerSummary
from cnninspect.page.document import write_document
from cnninspect.page.drawings import sections as pictures
from cnninspect.page.escaping import html_text, json_text
from cnninspect.page.footers import about, footer, warnings
from cnninspect.page.formats import renderer_of
from cnninspect.page.page import Block, Cell, Column, Fact, Facts, Heading, Kind, Page, Style, Table
from cnninspect.page.quantities import scaled_time, shapes_text, share, sizes
from cnninspect.records.reports import Report, installed_version
from cnninspect.records.traces import parent_of


def plotly_script() -> str:
    """Plotly's JavaScript, from the package; importing that is not needed for it.

    Raises:
        MissingLibrary: it is not installed.
    """
    found = find_spec("plotly")
    places = found.submodule_search_locations if found is not None else None
    for place in places or ():
        script = Path(place) / "package_data" / "plotly.min.js"
        if script.is_file():
            # Were it to hold the end of a script, the page would end there.
            return script.read_text(encoding="utf-8").replace("</script", "<\\/script")
    raise MissingLibrary("plotly", "report", "a report")


def write_report(report: Overview) -> str:
    """The whole page."""
    charts: dict[str, Chart] = {}
    names = ", ".join(portrait.summary.model.name for portrait in report.models)
    body = "".join(
        part
        for part in (
            _header(report, names),
            _comparison(report),
            _cost(report, charts),
            _graphs(report),
            _layers(report),
            _gradients(report, charts),
            _memory(report, charts),
            _roofline(report, charts),
            _scaling(report, charts),
        )
    )
    data = json_text(json.dumps(charts, ensure_ascii=False, separators=(",", ":")))
    data = data.replace("<", "\\u003c")
    body += f'<script type="application/json" id="charts">{data}</script>\n'
    return write_document(
        f"{names} · cnninspect",
        body,
        styles=[STYLE, pictures.STYLE],
        scripts=[plotly_script(), CHARTS, pictures.SCRIPT, TABLES],
        sets_styles=True,
    )


# --- what every section is made of ---


def _section(name: str, title: str, lead: str, content: str) -> str:
    return (
        f'<section id="{name}" aria-labelledby="{name}-title">\n'
        f'<h2 id="{name}-title">{title}</h2>\n<p class="faint">{lead}</p>\n{content}</section>\n'
    )


def _each(report: Overview, parts: Sequence[str]) -> str:
    """One part for each model, side by side, under its name where there are several."""
    if len(parts) == 1:
        return parts[0]
    named = "".join(
        f"<div><h3>{html_text(portrait.summary.model.name)}</h3>{part}</div>"
        for portrait, part in zip(report.models, parts)
    )
    return f'<div class="pair">{named}</div>\n'


def _figure(chart: Chart, name: str, caption: str) -> str:
    label = html_text(str(chart["label"]))
    return (
        f'<figure class="needs-js"><div class="chart" id="{name}" role="img" '
        f'aria-label="{label}"></div><figcaption>{html_text(caption)}</figcaption></figure>\n'
    )


def _page(report: Report) -> str:
    """A report as its own command writes it."""
    renderer = renderer_of(type(report))
    page: Page = renderer.page(report, renderer.view(width=None))
    about_ = f"<p>{html_text(page.title)} {html_text(page.about)}</p>"
    return about_ + "".join(part for block in page.blocks for part in _block(block))


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Table):
        yield from _table(block)
    elif isinstance(block, Facts):
        if block.title:
            yield f"<h3>{html_text(block.title)}</h3>"
        yield _facts(block)
    else:
        items = "".join(f"<li>{html_text(item)}</li>" for item in block.items)
        mark = ' class="warning"' if block.style in (Style.WARNING, Style.BAD) else ""
        yield f"<p{mark}>{html_text(block.text)}</p>" + (f"<ul>{items}</ul>" if items else "")


def _facts(facts: Facts) -> str:
    rows = "".join(
        f'<tr><th scope="row">{html_text(fact.label)}</th><td>{html_text(fact.text)}</td></tr>'
        for fact in facts.facts
    )
    return f'<table class="facts"><tbody>{rows}</tbody></table>\n'


def _table(table: Table) -> Iterator[str]:
    if table.title:
        yield f"<h3>{html_text(table.title)}</h3>"
    heads = "".join(
        f'<th scope="col"{_side(column)}>{html_text(column.header.replace(chr(10), " "))}</th>'
        for column in table.columns
    )
    yield f'<div class="wide" tabindex="0"><table><thead><tr>{heads}</tr></thead><tbody>'
    for row in table.rows:
        if isinstance(row, Heading):
            text = f"<b>{html_text(row.text)}</b> {html_text(row.about)}"
            yield f'<tr><td class="prose" colspan="{len(table.columns)}">{text}</td></tr>'
        else:
            cells = (_cell(cell, column) for cell, column in zip(row, table.columns))
            yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table></div>\n"
    for remark in table.remarks:
        yield f'<p class="faint">{html_text(remark)}</p>'


def _cell(cell: Cell, column: Column) -> str:
    text = html_text(cell.full or cell.text) + html_text(cell.mark)
    return f"<td{_side(column)}>{text}</td>"


def _side(column: Column) -> str:
    if column.kind in (Kind.NUMBER, Kind.SHAPE):
        return ' class="r"'
    return {Kind.PATH: ' class="mono"', Kind.PROSE: ' class="prose"'}.get(column.kind, "")


# --- the sections ---


def _header(report: Overview, names: str) -> str:
    """What these models are."""
    versions = [
        f"{package} {installed}"
        for package in ("cnninspect", "torch", "onnx")
        if (installed := installed_version(package))
    ]
    parts = []
    for portrait in report.models:
        summary = portrait.summary
        facts = (
            Fact("reference", summary.model.reference),
            Fact("source", summary.model.source),
            Fact("run", about(summary)),
            *footer(summary, human=False).facts,
            *(Fact("left out", note) for note in portrait.notes),
        )
        gaps = "".join(part for gap in warnings(summary.uncounted) for part in _block(gap))
        parts.append(gaps + _facts(Facts(facts)))
    notes = "".join(f'<p class="warning">{html_text(note)}</p>' for note in report.notes)
    links = "".join(f'<a href="#{name}">{title}</a>' for name, title in _contents(report))
    return (
        f"<header><h1>{html_text(names)}</h1>\n"
        f'<p class="faint">by {html_text(", ".join(versions))}; without any request to anywhere. '
        "<noscript>JavaScript is off: texts, tables and pictures of the network are here, charts "
        f"are not.</noscript></p>\n"
        f'<nav class="contents" aria-label="Sections">{links}</nav>\n{notes}'
        f"{_each(report, parts)}</header>\n"
    )


def _contents(report: Overview) -> Iterator[tuple[str, str]]:
    if report.comparison is not None:
        yield "compare", "Side by side"
    yield from (("cost", "Where the cost is"), ("graph", "The graph"), ("layers", "Layers"))
    titles = {
        "gradients": "Gradients",
        "memory": "Memory",
        "roofline": "Roofline",
        "scale": "Growth",
    }
    yield from ((part, titles[part]) for part in report.parts)


def _comparison(report: Overview) -> str:
    if report.comparison is None:
        return ""
    lead = "Each figure with its ratio to that of the first model."
    return _section("compare", "Side by side", lead, _page(report.comparison))


def _cost(report: Overview, charts: dict[str, Chart]) -> str:
    parts = []
    for number, portrait in enumerate(report.models):
        name = f"icicle-{number}"
        charts[name] = chart = icicle(portrait)
        options = "".join(
            f'<option value="{size}">{SIZES[size]}</option>' for size in chart["values"]
        )
        select = (
            f'<div class="tools needs-js"><label>size <select data-chart="{name}">{options}'
            "</select></label></div>"
        )
        caption = "A click goes into a module, one on the bar above goes back."
        parts.append(select + _figure(chart, name, caption))
    lead = (
        "The tree of modules, the whole network on top: the wider a box, the more of the size "
        "chosen it has. Pointing at it shows the numbers and the formula behind them."
    )
    return _section("cost", "Where the cost is", lead, _each(report, parts))


def _graphs(report: Overview) -> str:
    parts = [
        pictures.sections(portrait.graphs, prefix=f"graph-{number}")
        for number, portrait in enumerate(report.models)
    ]
    lead = (
        "What feeds what: boxes are modules, arrows are tensors with their shapes, the colour is "
        "the share of the MACs. Boxes with a dark border can be gone into by a click."
    )
    return _section("graph", "The graph", lead, _each(report, parts))


COLUMNS = ("layer", "type", "output", "parameters", "% ", "MACs", "%", "activation bytes",
           "receptive field", "least time", "saved bytes", "see")  # fmt: skip
NUMBERS = frozenset(("parameters", "% ", "MACs", "%", "activation bytes", "least time",
                     "saved bytes"))  # fmt: skip


def _layers(report: Overview) -> str:
    parts = [_layer_table(portrait, number) for number, portrait in enumerate(report.models)]
    lead = (
        "Every layer with everything under it. A click on a header sorts, a second one turns the "
        f"order around, a third one ends it; least times are on {html_text(report.device)}."
    )
    return _section("layers", "Layers", lead, "".join(parts))


def _layer_table(portrait: Portrait, number: int) -> str:
    summary = portrait.summary
    columns = [c for c in COLUMNS if c != "saved bytes" or portrait.memory is not None]
    heads = "".join(
        f'<th scope="col"{" class=r" if c in NUMBERS else ""}><button type="button">'
        f"{c.strip()}</button></th>"
        for c in columns
    )
    saved = {}
    if portrait.memory is not None:
        saved = {layer.path: layer.total.saved_bytes for layer in portrait.memory.layers}
    places = _places(portrait, number)
    rows = "".join(_layer_row(x, portrait, (places, saved, number)) for x in summary.layers)
    deepest = max(layer.level for layer in summary.layers)
    levels = "".join(f'<option value="{n}">down to level {n}</option>' for n in range(1, deepest))
    checks = "".join(
        f'<label><input type="checkbox" checked value="{i}"> {c.strip()}</label>'
        for i, c in enumerate(columns)
        if i
    )
    name = html_text(summary.model.name)
    return (
        f'<div class="layer-table"><h3>{name}</h3><div class="tools needs-js">'
        f'<label>search <input type="search" aria-label="search the layers of {name}"></label>'
        f'<label>fold <select class="level"><option value="">every level</option>{levels}'
        "</select></label>"
        f'<details><summary>columns</summary><div class="columns">{checks}</div></details>'
        '<button type="button" class="copy">copy as CSV</button><span role="status"></span></div>'
        f'<div class="wide" tabindex="0"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></div>\n"
    )


def _layer_row(
    layer: LayerSummary,
    portrait: Portrait,
    around: tuple[dict[str, tuple[str, str]], dict[str, int], int],
) -> str:
    places, saved, number = around
    whole = portrait.summary.totals
    seconds = layer.roofline.total.seconds if layer.roofline else 0.0
    cells = [
        f'<td class="mono">{html_text(layer.path or portrait.summary.model.name)}</td>',
        f"<td>{html_text(layer.type)}</td>",
        f"<td>{shapes_text(layer.output_shapes)}</td>",
        _number(layer.total.parameters),
        _number(layer.total.parameters, share(layer.total.parameters, whole.parameters)),
        _number(layer.total.macs),
        _number(layer.total.macs, share(layer.total.macs, whole.macs)),
        _number(layer.total.activation_bytes),
        f"<td>{sizes(layer.receptive_field)}</td>",
        _number(seconds, scaled_time(seconds) if seconds else ""),
    ]
    if portrait.memory is not None:
        cells.append(_number(saved.get(layer.path, 0)))
    section, node = _place_of(layer.path, places)
    in_graph = f'<a href="#{section}" data-node="{html_text(node)}">graph</a>'
    in_icicle = (
        f'<a href="#cost" data-chart="icicle-{number}" '
        f'data-module="{html_text(identity(layer.path))}">size</a>'
    )
    cells.append(f"<td>{in_graph} {in_icicle}</td>")
    return f'<tr data-level="{layer.level}">{"".join(cells)}</tr>'


def _number(value: float, text: str | None = None) -> str:
    shown = f"{value:,}" if text is None else text
    return f'<td class="r" data-value="{value}">{shown if value else ""}</td>'


def _places(portrait: Portrait, number: int) -> dict[str, tuple[str, str]]:
    """Section and node of each module that is drawn; the first drawing that has it."""
    found: dict[str, tuple[str, str]] = {"": (f"graph-{number}-0", "")}
    for place, graph in enumerate(portrait.graphs):
        for node in graph.nodes:
            if node.kind == "module":
                found.setdefault(node.module, (f"graph-{number}-{place}", node.path))
    return found


def _place_of(path: str, places: dict[str, tuple[str, str]]) -> tuple[str, str]:
    """Where a module is drawn; what holds it, where it is folded into others."""
    while path not in places:
        path = parent_of(path)
    return places[path]


def _asked(name: str, chart: Chart | None, charts: dict[str, Chart], caption: str) -> str:
    """A chart where there is one."""
    if chart is None:
        return ""
    charts[name] = chart
    return _figure(chart, name, caption)


def _gradients(report: Overview, charts: dict[str, Chart]) -> str:
    if "gradients" not in report.parts:
        return ""
    lead = "Whether what is learnt at the end reaches the beginning: a level line is a good sign."
    if report.gradients is None:
        return _section("gradients", "Gradients by depth", lead, "<p>Not measured.</p>")
    caption = "Norm of the loss's gradient by each layer's output, the first layer on the left."
    figure = _asked("chart-gradients", gradients_by_depth(report), charts, caption)
    return _section("gradients", "Gradients by depth", lead, figure + _page(report.gradients))


def _memory(report: Overview, charts: dict[str, Chart]) -> str:
    if "memory" not in report.parts:
        return ""
    caption = "Bytes allocated after each call: it rises while the forward pass saves, then falls."
    figure = _asked("chart-memory", memory_over_the_step(report), charts, caption)
    pages = [
        _page(p.memory) if p.memory is not None else "<p>Not measured.</p>" for p in report.models
    ]
    lead = "What a step of training needs, and when."
    return _section("memory", "Memory during a training step", lead, figure + _each(report, pages))


def _roofline(report: Overview, charts: dict[str, Chart]) -> str:
    if "roofline" not in report.parts:
        return ""
    caption = "On the slope a layer waits for memory, on the flat part it computes."
    figure = _asked("chart-roofline", rooflines(report), charts, caption)
    lead = f"Layers by their FLOPs for each byte, under the roofs of {html_text(report.device)}."
    return _section("roofline", "Roofline", lead, figure)


def _scaling(report: Overview, charts: dict[str, Chart]) -> str:
    if "scale" not in report.parts:
        return ""
    figure = _asked("chart-scale", growth(report), charts, "MACs at several sizes.")
    pages = [
        _page(p.scaling) if p.scaling is not None else "<p>Not measured.</p>" for p in report.models
    ]
    lead = "By which law it grows."
    return _section("scale", "Growth", lead, figure + _each(report, pages))
