"""The pages of `report` and `graph`, as a reader has them: opened from a file, clicked through."""

from __future__ import annotations

import csv
import io

import pytest
from torch import nn

import cnninspect
from cnninspect.page.drawings.page import write_page

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{7*7}}"


@pytest.fixture(scope="module")
def page_of(tmp_path_factory):
    """Files of pages, each written once."""
    folder = tmp_path_factory.mktemp("pages")

    def write(name, text):
        path = folder / name
        path.write_text(text(), encoding="utf-8") if not path.exists() else None
        return path

    return write


@pytest.fixture
def report(page_of):
    def text():
        made = cnninspect.report(["resnet20", "lenet5"], parts=["memory", "roofline", "scale"])
        return cnninspect.render(made, format="html")

    return page_of("report.html", text)


@pytest.fixture
def graph(page_of):
    from cnninspect.commands.graph import graphs

    return page_of("graph.html", lambda: write_page(graphs("resnet20")))


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_opens_without_errors_and_fits(opened, report, width, scheme):
    page = opened(report, width, color_scheme=scheme)
    page.wait_for_selector("#icicle-0 .iciclelayer path")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    titles = page.locator("h2").all_text_contents()
    assert titles == ["Side by side", "Where the cost is", "The graph", "Layers",
                      "Memory during a training step", "Roofline", "Growth"]  # fmt: skip
    for name in ("chart-memory", "chart-roofline", "chart-scale"):
        assert page.locator(f"#{name} .scatterlayer .trace").count() >= 2
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")


def test_the_size_of_the_boxes_can_be_chosen(opened, report):
    page = opened(report)
    page.wait_for_selector("#icicle-0 .iciclelayer path")
    for size in ("parameters", "seconds", "activation_bytes", "saved_bytes"):
        page.select_option("select[data-chart=icicle-0]", size)
        values = page.evaluate("document.getElementById('icicle-0').data[0].values[0]")
        assert values == page.evaluate(
            f"JSON.parse(document.getElementById('charts').textContent)['icicle-0'].values.{size}[0]"
        )


def test_layers_can_be_searched_sorted_folded_and_copied(opened, report):
    page = opened(report)
    box = page.locator(".layer-table").first
    rows = box.locator("tbody tr:visible")
    every = rows.count()
    box.locator("input[type=search]").fill("layer2.0.conv")
    assert rows.locator("td:first-child").all_text_contents() == [
        "layer2.0.conv1", "layer2.0.conv2"
    ]  # fmt: skip
    box.locator("input[type=search]").fill("")
    assert rows.count() == every
    head = box.locator("th", has_text="MACs")
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    macs = [
        int(t.replace(",", "") or 0) for t in rows.locator("td:nth-child(6)").all_text_contents()
    ]
    assert macs == sorted(macs, reverse=True)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").click()
    assert rows.first.locator("td").first.text_content() == "resnet20"
    box.locator("select.level").select_option("1")
    assert rows.count() == 9
    box.locator("summary").click()
    box.locator(".columns input").first.uncheck()
    assert not box.locator("th", has_text="type").is_visible()
    box.locator(".copy").click()
    page.wait_for_selector(".layer-table[data-copied]")
    copied = list(csv.reader(io.StringIO(box.get_attribute("data-copied"))))
    assert copied[0][:2] == ["layer", "output"]
    assert [row[0] for row in copied[1:]][:2] == ["resnet20", "conv1"]


def test_a_row_leads_to_its_place_in_the_graph_and_in_the_icicle(opened, report):
    page = opened(report)
    row = page.locator(".layer-table").first.locator("tr", has_text="layer2.0.conv1").first
    row.locator("a[data-node]").click()
    assert page.locator("g.node.found").get_attribute("data-path") == "layer2.0.conv1"
    assert page.locator("g.node.found").is_visible()
    row.locator("a[data-module]").click()
    assert page.evaluate("document.getElementById('icicle-0').data[0].level") == "/layer2.0.conv1"


def test_a_click_goes_into_a_block_and_the_way_back_works(opened, graph):
    page = opened(graph)
    shown = page.locator("section:not([hidden])")
    assert shown.count() == 1
    assert shown.locator("nav").text_content() == "resnet20"
    page.locator("g[data-path='layer2.0']:visible").click()
    assert shown.locator("nav").text_content() == "resnet20 › layer2 › 0"
    assert shown.locator("g[data-path='layer2.0.conv1']").is_visible()
    shown.locator("nav a").first.click()
    assert shown.locator("nav").text_content() == "resnet20"
    page.go_back()
    assert shown.locator("nav").text_content() == "resnet20 › layer2 › 0"


def test_boxes_are_reached_by_the_keyboard_and_named_for_screen_readers(opened, graph):
    page = opened(graph)
    link = page.locator("section:not([hidden]) a.inside").first
    assert "BasicBlock" in link.get_attribute("aria-label")
    link.focus()
    page.keyboard.press("Enter")
    assert "›" in page.locator("section:not([hidden]) nav").text_content()
    assert page.get_by_role("navigation", name="Path of the module").count() == 1
    assert page.get_by_role("button", name="larger").is_visible()


def test_a_picture_is_zoomed(opened, graph):
    page = opened(graph)
    svg = page.locator("section:not([hidden]) svg")
    before = svg.bounding_box()["width"]
    page.get_by_role("button", name="larger").click()
    assert svg.bounding_box()["width"] == pytest.approx(1.25 * before, rel=0.01)
    page.get_by_role("button", name="fit to the width").click()
    assert svg.bounding_box()["width"] <= before + 1


def test_on_a_narrow_screen_a_picture_begins_small_enough_to_read_on(opened, graph):
    page = opened(graph, 390)
    svg = page.locator("section:not([hidden]) svg")
    natural = page.evaluate("document.querySelector('svg').viewBox.baseVal.width")
    assert svg.bounding_box()["width"] <= max(390, 0.6 * natural + 1)


@pytest.mark.parametrize("name", ["graph", "report"])
def test_without_javascript_texts_tables_and_pictures_are_there(opened, request, name):
    page = opened(request.getfixturevalue(name), java_script_enabled=False)
    assert page.locator("svg:visible").count() >= 4
    if name == "report":
        assert page.locator("h2", has_text="Layers").is_visible()
        assert page.locator("td", has_text="layer2.0.conv1").first.is_visible()
        assert not page.locator("input[type=search]").first.is_visible()
        assert page.locator("noscript").is_visible()


def test_nothing_that_a_model_says_runs_or_asks_for_anything(opened, tmp_path):
    layer = type(EVIL, (nn.Linear,), {})
    net = nn.Sequential()
    net.add_module(EVIL.replace(".", ""), layer(4, 4))
    net.add_module("</title><base href=//evil>", nn.Sequential(layer(4, 4), nn.ReLU()))
    net.__class__ = type(EVIL, (nn.Sequential,), {})
    made = cnninspect.report({EVIL: net, "b": net}, inputs=[(1, 4)], parts=["all"])
    path = tmp_path / "<b>&'.html"
    path.write_text(cnninspect.render(made, format="html"), encoding="utf-8")
    page = opened(path)
    page.wait_for_selector("#icicle-0 .iciclelayer path")
    page.wait_for_timeout(300)
    assert page.locator("img").count() == 0
    assert page.locator("base").count() == 0
    assert page.locator("script").count() == 5
    assert page.title().startswith("</script><script>alert(1)")
    assert page.locator("h1").text_content().startswith("</script><script>alert(1)")


def test_the_policy_of_the_page_forbids_requests_and_foreign_scripts(browser, report):
    page = browser.new_page()
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(report.as_uri())
    page.evaluate(
        """() => {
            const script = document.createElement('script');
            script.textContent = 'window.ran = true';
            document.body.append(script);
            const image = document.createElement('img');
            image.src = 'http://127.0.0.1:9/x.png';
            document.body.append(image);
        }"""
    )
    page.wait_for_timeout(200)
    assert page.evaluate("window.ran") is None
    assert page.evaluate("fetch('http://127.0.0.1:9/').then(() => 1, () => 0)") == 0
    assert any("img-src" in text for text in said)
    assert any("connect-src" in text or "default-src" in text for text in said)
