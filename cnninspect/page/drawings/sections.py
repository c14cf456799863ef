"""Drawings on a page: a section for each module, the way into boxes and back out of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cnninspect.metrics.dataflow import Graph
from cnninspect.page.drawings.drawing import drawn
from cnninspect.page.drawings.svg import write_svg
from cnninspect.page.escaping import html_text

STYLE = """
.graphs nav{margin:.4rem 0;font-size:.95rem}
.graphs .view{clear:both;overflow:auto;border:1px solid var(--line);border-radius:8px;padding:4px;
 max-height:86vh}
.graphs section>p{margin:.3rem 0;color:var(--faint)}
.graphs .zoom{float:right}
.graphs .zoom button{min-width:2rem}
.graphs svg{max-width:none;display:block}
.graphs svg .edge{stroke:var(--edge)}
.graphs svg .head{fill:var(--edge)}
.graphs svg .outside{fill:var(--faint)}
.graphs svg .badge{fill:var(--accent)}
.graphs svg .frame{fill:var(--frame);stroke:var(--line)}
.graphs svg a{cursor:zoom-in}
.graphs svg a:hover rect,.graphs svg a:focus rect{stroke:var(--accent);stroke-width:2}
.graphs svg a:focus{outline:none}
.graphs svg .found rect{stroke:var(--accent);stroke-width:3}
.js .graphs section[hidden]{display:none}
@media print{.graphs .zoom{display:none}.graphs .view{max-height:none;overflow:visible;border:0}
 .graphs svg{max-width:100%;height:auto}}
"""

SCRIPT = """
document.documentElement.classList.add('js');
for (const graphs of document.querySelectorAll('.graphs')) {
  const sections = [...graphs.querySelectorAll('section')];
  const show = id => {
    const found = sections.find(s => s.id === id);
    if (!found) return false;
    for (const s of sections) s.hidden = s !== found;
    return true;
  };
  if (sections.length) show(sections[0].id);
  const follow = () => show(decodeURIComponent(location.hash.slice(1)));
  addEventListener('hashchange', () => {
    if (follow()) graphs.scrollIntoView({block: 'nearest'});
  });
  follow();
  for (const section of sections) {
    const view = section.querySelector('.view'), svg = view.querySelector('svg');
    const width = svg.viewBox.baseVal.width, height = svg.viewBox.baseVal.height;
    let scale = 1;
    const zoom = wanted => {
      scale = Math.min(8, Math.max(0.1, wanted));
      svg.setAttribute('width', width * scale);
      svg.setAttribute('height', height * scale);
    };
    const fit = () => zoom(Math.min(1, (view.clientWidth - 10) / width));
    if (graphs.clientWidth) zoom(Math.min(1, Math.max(0.6, (graphs.clientWidth - 12) / width)));
    section.querySelector('.zoom').hidden = false;
    section.querySelector('[data-zoom=in]').onclick = () => zoom(scale * 1.25);
    section.querySelector('[data-zoom=out]').onclick = () => zoom(scale / 1.25);
    section.querySelector('[data-zoom=fit]').onclick = fit;
    view.addEventListener('wheel', event => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoom(scale * (event.deltaY < 0 ? 1.15 : 1 / 1.15));
    }, {passive: false});
    let from = null;
    view.addEventListener('pointerdown', event => {
      if (event.pointerType === 'mouse' && event.button === 0)
        from = [event.clientX + view.scrollLeft, event.clientY + view.scrollTop];
    });
    addEventListener('pointermove', event => {
      if (!from) return;
      view.scrollLeft = from[0] - event.clientX;
      view.scrollTop = from[1] - event.clientY;
    });
    addEventListener('pointerup', () => { from = null; });
  }
}
"""
"""Which section is shown follows the address, so that the reader's own way back works.  Without
JavaScript all of them are there, one below the other."""


def sections(graphs: Sequence[Graph], *, prefix: str = "graph", human: bool = False) -> str:
    """The drawings of a network and of the insides of its modules, the whole one first.

    `prefix` begins the name of each section, which must be the page's own.
    """
    names = {graph.layer: f"{prefix}-{number}" for number, graph in enumerate(graphs)}
    links = {layer: f"#{name}" for layer, name in names.items()}
    parts = [_section(graph, names, links, human=human) for graph in graphs]
    return f'<div class="graphs">\n{"".join(parts)}</div>\n'


def _section(
    graph: Graph, names: Mapping[str, str], links: Mapping[str, str], *, human: bool
) -> str:
    path = _path_to(graph, links)
    notes = "".join(f"<p>{html_text(note)}</p>" for note in graph.notes)
    svg = write_svg(drawn(graph, human=human), is_file=False, links=dict(links))
    buttons = "".join(
        f'<button type="button" data-zoom="{what}" aria-label="{label}">{sign}</button>'
        for what, label, sign in (
            ("out", "smaller", "−"), ("fit", "fit to the width", "⇔"), ("in", "larger", "+"),
        )
    )  # fmt: skip
    return (
        f'<section id="{names[graph.layer]}">\n'
        f'<span class="zoom" hidden>{buttons}</span>'
        f'<nav aria-label="Path of the module">{path}</nav>{notes}\n'
        f'<div class="view" tabindex="0">{svg}</div>\n</section>\n'
    )


def _path_to(graph: Graph, links: Mapping[str, str]) -> str:
    """The modules that hold this one, each a link to its own drawing."""
    names = graph.layer.split(".") if graph.layer else []
    above = ["", *(".".join(names[: i + 1]) for i in range(len(names)))]
    steps = []
    for layer in above:
        text = html_text(layer.rpartition(".")[2] if layer else graph.model.name)
        if layer == graph.layer:
            steps.append(f"<b>{text}</b>")
        elif layer in links:
            steps.append(f'<a href="{links[layer]}">{text}</a>')
        else:
            steps.append(text)
    return " › ".join(steps)
