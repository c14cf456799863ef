"""A drawing as SVG: one file or one element, nothing fetched, all foreign text escaped."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

from cnninspect.page.drawings.items import EDGE, Drawing, Group, Item, Line, Rect, Words
from cnninspect.page.escaping import html_text

FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


def write_svg(
    drawing: Drawing, *, is_file: bool = True, links: dict[str, str] | None = None
) -> str:
    """The drawing as SVG.

    `links` has the address of the inside of each module that has one.  Without `is_file`, it is an
    element for a page, whose style sheet may colour what has a class.
    """
    size = f'width="{_number(drawing.width)}" height="{_number(drawing.height)}"'
    box = f'viewBox="0 0 {_number(drawing.width)} {_number(drawing.height)}"'
    body = [line for item in drawing.items for line in _item(item, links or {})]
    # Pages hold several drawings: each has an arrow head of its own name.
    head = f"head-{sha256(''.join(body).encode()).hexdigest()[:8]}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} role="img" '
        f'aria-label="{html_text(drawing.title)}" font-family="{FONT}">',
        f"<title>{html_text(drawing.title)}</title>",
        f'<defs><marker id="{head}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0.8 8 4 0 7.2z" fill="{EDGE}" '
        'class="head"/></marker></defs>',
    ]
    if is_file:
        lines.append('<rect width="100%" height="100%" fill="#ffffff"/>')
    lines += [line.replace("url(#head)", f"url(#{head})") for line in body]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _item(item: Item, links: dict[str, str]) -> Iterator[str]:
    if isinstance(item, Group):
        yield from _group(item, links)
    elif isinstance(item, Rect):
        role = f' class="{item.role}"' if item.role else ""
        yield (
            f'<rect x="{_number(item.x)}" y="{_number(item.y)}" width="{_number(item.width)}" '
            f'height="{_number(item.height)}" rx="{_number(item.radius)}" fill="{item.fill}" '
            f'stroke="{item.stroke}"{role}/>'
        )
    elif isinstance(item, Line):
        start, *rest = item.points
        path = f"M{_pair(start)}" + "".join(
            f"C{_pair(rest[i])} {_pair(rest[i + 1])} {_pair(rest[i + 2])}"
            for i in range(0, len(rest), 3)
        )
        end = ' marker-end="url(#head)"' if item.has_head else ""
        title = f"<title>{html_text(item.title)}</title>" if item.title else ""
        yield (
            f'<path d="{path}" fill="none" stroke="{EDGE}" stroke-width="1.2" class="edge"{end}>'
            f"{title}</path>"
        )
    else:
        yield _words(item)


def _words(item: Words) -> str:
    anchor = f' text-anchor="{item.anchor}"' if item.anchor != "start" else ""
    weight = ' font-weight="bold"' if item.is_bold else ""
    role = f' class="{item.role}"' if item.role else ""
    return (
        f'<text x="{_number(item.x)}" y="{_number(item.y)}" font-size="{_number(item.size)}" '
        f'fill="{item.color}"{anchor}{weight}{role}>{html_text(item.text)}</text>'
    )


def _group(group: Group, links: dict[str, str]) -> Iterator[str]:
    link = links.get(group.inside) if group.inside else None
    if link is not None:
        label = html_text(f"{group.title}\nshow what is in it")
        yield f'<a href="{html_text(link)}" class="inside" aria-label="{label}">'
    yield f'<g class="node" data-path="{html_text(group.path)}">'
    yield f"<title>{html_text(group.title)}</title>"
    for item in group.items:
        yield from _item(item, links)
    yield "</g>"
    if link is not None:
        yield "</a>"


def _number(value: float) -> str:
    """A number with one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")


def _pair(point: tuple[float, float]) -> str:
    return f"{_number(point[0])} {_number(point[1])}"
