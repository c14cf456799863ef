"""Pictures of the dataflow: the figures of papers, and places that can be read."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnninspect
from cnninspect.page.drawings.bitmap import write_bitmap
from cnninspect.page.drawings.drawing import drawn
from cnninspect.page.drawings.items import Group, Rect, Words, text_width
from cnninspect.page.drawings.layout import laid_out
from cnninspect.page.drawings.page import write_page
from cnninspect.page.drawings.svg import write_svg

SVG = "{http://www.w3.org/2000/svg}"
BLOCKS = {
    "residual_block.svg": ("resnet34", "layer2.0"),
    "se_block.svg": ("se_resnet18", "layer1.0"),
    "inception_module.svg": ("googlenet", "inception3a"),
    "dense_block.svg": ("densenet121", "features.denseblock1"),
    "mbconv.svg": ("efficientnet_b0", "features.3.1"),
    "lstm_over_time.svg": ("lstm", "recurrent"),
}


@pytest.fixture(scope="module")
def graphs():
    return {name: cnninspect.graph(ref, layer=layer) for name, (ref, layer) in BLOCKS.items()}


@pytest.mark.parametrize("name", BLOCKS)
def test_the_picture_of_a_block_is_the_one_on_file(graphs, name, check_golden):
    check_golden(write_svg(drawn(graphs[name])), name)


@pytest.mark.parametrize("name", BLOCKS)
def test_no_box_lies_on_another_and_texts_stay_inside(graphs, name):
    drawing = drawn(graphs[name])
    groups = [item for item in drawing.items if isinstance(item, Group)]
    assert {group.path for group in groups} == {node.path for node in graphs[name].nodes}
    fronts = [[i for i in group.items if isinstance(i, Rect)][-1] for group in groups]
    for one, other in combinations(fronts, 2):
        beside = one.x + one.width <= other.x + 0.1 or other.x + other.width <= one.x + 0.1
        above = one.y + one.height <= other.y + 0.1 or other.y + other.height <= one.y + 0.1
        assert beside or above
    for group, box in zip(groups, fronts):
        for words in [i for i in group.items if isinstance(i, Words)]:
            assert box.x <= words.x <= box.x + box.width
            assert text_width(words.text, words.size, words.is_bold) <= box.width
            assert box.y <= words.y <= box.y + box.height
    for box in fronts:
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= drawing.width
        assert box.y + box.height <= drawing.height


@pytest.mark.parametrize("name", BLOCKS)
def test_a_picture_is_well_formed_and_says_what_it_shows(graphs, name):
    root = ET.fromstring(write_svg(drawn(graphs[name])))
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert BLOCKS[name][0] in root.get("aria-label")
    heads = [path for path in root.iter(f"{SVG}path") if path.get("marker-end")]
    assert len(heads) >= len({(e.source, e.target) for e in graphs[name].edges}) * 0.5


def test_foreign_text_is_text_in_every_picture(graphs):
    evil = "</title><script>alert(1)</script>\"'&\u202e\x1b[31m"
    graph = graphs["residual_block.svg"]
    nodes = tuple(
        replace(node, path=f"{node.path}{evil}", type=evil, module=f"{node.module}{evil}")
        for node in graph.nodes
    )
    edges = tuple(
        replace(edge, source=f"{edge.source}{evil}", target=f"{edge.target}{evil}")
        for edge in graph.edges
    )
    bad = replace(
        graph, nodes=nodes, edges=edges, frames=(), type=evil, layer=f"layer2.0{evil}",
        model=replace(graph.model, name=evil), notes=(evil,),
    )  # fmt: skip
    for text in (write_svg(drawn(bad)), cnninspect.render(bad, format="html")):
        tags = {element.tag for element in ET.fromstring(text).iter()}
        assert tags <= {
            f"{SVG}{name}"
            for name in ("svg", "title", "defs", "marker", "path", "rect", "text", "g", "a")
        }
        assert "\u202e" not in text
        assert "\x1b" not in text
    page = write_page([bad])
    assert page.count("<script>") == 1
    assert "alert(1)</script>" not in page


def test_bitmaps_have_the_size_of_the_picture(graphs):
    image = pytest.importorskip("PIL.Image")
    import io

    drawing = drawn(graphs["residual_block.svg"])
    png = image.open(io.BytesIO(write_bitmap(drawing, "png")))
    assert png.width / png.height == pytest.approx(drawing.width / drawing.height, rel=0.01)
    pdf = write_bitmap(drawing, "pdf")
    assert pdf.startswith(b"%PDF")
    assert pdf == write_bitmap(drawing, "pdf")


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=30))
def test_boxes_of_a_layer_keep_apart_and_arrows_go_down(pairs):
    arrows = [(a, b) for a, b in pairs if a < b]
    widths = [20.0 + 7 * i for i in range(12)]
    layout = laid_out(widths, arrows)
    assert all(layout.layers[a] < layout.layers[b] for a, b in arrows)
    for (a, b), track in zip(arrows, layout.tracks):
        assert len(track) == layout.layers[b] - layout.layers[a] - 1
    for a, b in combinations(range(12), 2):
        if layout.layers[a] == layout.layers[b]:
            apart = abs(layout.columns[a] - layout.columns[b])
            assert apart >= (widths[a] + widths[b]) / 2
    assert min(x - w / 2 for x, w in zip(layout.columns, widths)) >= -1e-9


def test_a_chain_is_a_straight_line_and_so_is_its_shortcut():
    layout = laid_out([50.0] * 5, [(0, 1), (1, 2), (2, 3), (0, 3), (3, 4)])
    assert len(set(layout.columns)) == 1
    (track,) = [track for track in layout.tracks if track]
    assert len(set(track)) == 1


def test_nothing_to_draw_is_an_empty_layout():
    assert laid_out([], []).width == 0


@pytest.mark.parametrize(
    ("above", "path", "left"),
    [
        ("", "a.b", "a.b"), ("a", "a.b.c", "b.c"), ("a", "ab.c", "ab.c"), ("x", "y", "y"),
        ("layer1", "layer1.0.conv", "layer1.0.conv"), ("net.layer1", "net.layer1.2", "layer1.2"),
    ],
)  # fmt: skip
def test_a_path_loses_what_stands_above_it(above, path, left):
    from cnninspect.page.drawings.boxes import below

    assert below(above, path) == left
