from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hand_built import basic_block_explained, conv, plain, summary_of
from hypothesis import given, settings
from markdown_it import MarkdownIt
from random_reports import any_names, summaries

from cnninspect.commands.explain.report import ExplainedOperation, ExplainedTensor, Explanation
from cnninspect.commands.list import Listing
from cnninspect.metrics.summary import Coverage, EngineInfo, Uncounted
from cnninspect.page.escaping import (
    csv_text,
    html_text,
    json_text,
    markdown_code,
    markdown_text,
    visible,
)
from cnninspect.page.formats import render
from cnninspect.page.page import Notice, Page
from cnninspect.page.terminal import write_terminal
from cnninspect.records.models import ModelEntry, ModelInfo, Setting
from cnninspect.records.operations import CostState

UNSEEN = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180f\u2800\u3164\ufe0f\uffa0\U000e0100"
"""Blank letters and marks, which their category does not tell."""


def hidden_in(text: str) -> list[str]:
    """Signs that do not show, line breaks aside, by Python's own table of Unicode."""
    categories = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return [
        f"U+{ord(sign):04X}"
        for sign in text
        if sign != "\n"
        and (unicodedata.category(sign) in categories or sign in UNSEEN or sign == "\xa0")
    ]


HOSTILE = (
    "[red]x[/red]",
    "\x1b[31mred",
    "\x9b31m",
    "\x1b]0;title\x07",
    "a|b`c",
    "a\\|b",
    "``x",
    "<script>alert(1)</script>",
    '"><img src=x>',
    "&lt;b&gt;",
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "two\nlines",
    "\ttab",
    "left\u202eright",
    "![x](javascript:y)",
    "http://evil,example/x",
    "__init__",
    "*bold*",
    "# heading",
    "half\ud800",
    " spaces ",
    "no\xa0break",
    "word\u2060joiner",
    "soft\u00adhyphen",
    "arabic\u061cmark",
    "vowel\u180eseparator",
    "tag\U000e0041",
    "private\ue000",
    "line\u2028separator",
    *(f"blank{sign}sign" for sign in UNSEEN),
    "::error file=x::forged",
    "  ::stop-commands::token",
    "##[error]forged",
    "x ##vso[task.setvariable]",
    "##teamcity[buildStatus status='SUCCESS']",
)


def hostile_summary(name: str):
    """A model with that name for a layer, a type, an operation, a note, itself."""
    layers = (
        plain("", name, (1, 3, 8, 8), (1, 4, 8, 8)),
        conv(name, 3, 4, 8, 1),
        plain(f"{name}.inner", name, (1, 4), (1, 4)),
    )
    return replace(
        summary_of(layers, name=name),
        model=ModelInfo(name, name, name),
        engine=EngineInfo("real", "real", 3, 3, (name,)),
        coverage=Coverage(3, 1, 1, 1),
        uncounted=(Uncounted(name, 1, (name,)),),
    )


class Cells(HTMLParser):
    """The tags of an HTML text, and the texts of its cells row by row."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def as_github_shows(text: str) -> Cells:
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return Cells(parser.render(text))


@pytest.mark.parametrize("name", HOSTILE)
def test_terminal_prints_names_as_they_are_spelt(name):
    text = render(hostile_summary(name), width=None)
    assert visible(name).strip() in text
    assert not hidden_in(text)


@pytest.mark.parametrize("name", HOSTILE)
def test_colours_are_ours_alone(name):
    text = render(hostile_summary(name), width=100, color=True)
    ours = re.sub(r"\x1b\[(0|1|2|3[2367])m", "", text)
    assert not hidden_in(ours)


def test_line_breaks_in_names_add_no_lines():
    one_line, two_lines = (hostile_summary(name) for name in ("two,lines", "two\nlines"))
    assert render(two_lines).count("\n") == render(one_line).count("\n")


@pytest.mark.parametrize("name", HOSTILE)
def test_markdown_shows_names_and_nothing_else(name):
    page = as_github_shows(render(hostile_summary(name), format="markdown"))
    assert page.tags <= {
        "h3", "table", "thead", "tbody", "tr", "th", "td", "code", "ul", "li", "strong",
        "blockquote", "p",
    }  # fmt: skip
    assert {len(row) for row in page.rows} == {7}
    assert page.rows[2][0].strip() == visible(name).strip()
    assert page.rows[2][1].strip() == "Conv2d"
    assert page.rows[4][1].strip() == visible(name).strip()


@given(any_names)
def test_markdown_code_and_text_read_back_as_written(name):
    for written in (markdown_code(name), markdown_text(name)):
        page = as_github_shows(f"| a | b |\n| - | - |\n| x{written} | y |\n")
        assert page.rows[1][0].strip() == f"x{visible(name)}".strip()
        assert page.rows[1][1].strip() == "y"


@pytest.mark.parametrize("name", HOSTILE)
def test_html_shows_names_and_nothing_else(name):
    page = Cells(render(hostile_summary(name), format="html"))
    assert page.tags <= {
        "div", "p", "b", "span", "table", "thead", "tbody", "tr", "th", "td", "ul", "li",
    }  # fmt: skip
    assert page.rows[2][0].endswith(visible(name))


@pytest.mark.parametrize("name", HOSTILE)
def test_csv_holds_no_formula(name):
    text = render(hostile_summary(name), format="csv")
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) == 4
    assert rows[2][0].removeprefix("'") == visible(name)
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell.lstrip()[:1] in ("=", "+", "-", "@")]


def test_csv_leaves_harmless_names_alone():
    assert csv_text("layer1.0.conv1") == "layer1.0.conv1"


@pytest.mark.parametrize("name", HOSTILE)
def test_json_keeps_names_and_is_safe_to_print(name):
    text = render(hostile_summary(name), format="json")
    assert json.loads(text)["layers"][1]["path"] == name
    assert not hidden_in(text)


def hostile_listing(name: str) -> Listing:
    setting = Setting(name, name, name, choices=(name,))
    entries = (ModelEntry(name, name, name, 1, 2000, name, (setting,)),)
    return Listing(entries)


def hostile_explanation(name: str) -> Explanation:
    report = basic_block_explained()
    operation = ExplainedOperation(name, name, 1, CostState.COUNTED, 1, name, name)
    tensor = ExplainedTensor(name, (1,), name, 1, trainable=True, shared_with=name)
    return replace(
        report,
        layer=replace(report.layer, path=name, type=name),
        operations=(operation,),
        parameters=(tensor,),
    )


@pytest.mark.parametrize("make", [hostile_listing, hostile_explanation])
@pytest.mark.parametrize("name", HOSTILE)
def test_other_reports_are_as_safe(make, name):
    report = make(name)
    for written_as in ("table", "markdown", "html", "csv", "json", "latex"):
        text = render(report, format=written_as)
        assert not hidden_in(text)
    tags = as_github_shows(render(report, format="markdown")).tags
    assert not tags & {"script", "img", "a", "em", "pre", "h1", "b"}
    assert not Cells(render(report, format="html")).tags & {"script", "img", "a", "em", "h1"}


@pytest.mark.parametrize("written_as", ["table", "markdown", "html", "csv", "json", "latex"])
@given(summary=summaries(any_names))
@settings(max_examples=40, deadline=None)
def test_any_name_whatever_can_be_written(summary, written_as):
    text = render(summary, format=written_as)
    assert not hidden_in(text)
    text.encode("utf-8")


@pytest.mark.parametrize(
    "sign", ["\u061c", "\xad", "\u3164", "\ufeff", "\ud800", "\U000e0041", "\x7f"]
)
def test_a_sign_that_does_not_show_is_spelt_by_its_number(sign):
    code = ord(sign)
    spelt = f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    assert visible(f"a{sign}b") == f"a{spelt if code < 65536 else f'{chr(92)}U{code:08x}'}b"
    assert json.loads(json_text(json.dumps(f"a{sign}b", ensure_ascii=False))) == f"a{sign}b"


def test_letters_of_every_script_stay_as_they_are():
    assert visible("é Ω 漢字 한글 العربية हिन्दी 👍") == "é Ω 漢字 한글 العربية हिन्दी 👍"


COMMAND = re.compile(r"(?m)^\s*::|##[a-z]*\[", re.IGNORECASE)
"""What the logs of GitHub, Azure and TeamCity take for a command."""


@pytest.mark.parametrize("written_as", ["table", "csv", "json", "markdown"])
@pytest.mark.parametrize("name", [name for name in HOSTILE if "::" in name or "##" in name])
def test_no_line_is_a_command_to_a_log(name, written_as):
    assert not COMMAND.search(render(hostile_summary(name), format=written_as, width=60))


@pytest.mark.parametrize("width", range(20, 40))
def test_a_word_that_is_broken_begins_no_line_as_a_command(width):
    page = Page("::title", "", (Notice("a" * 30 + "::error::forged ::warning::forged"),))
    text = write_terminal(page, width=width, color=False)
    assert "forged" in text.replace("\n", "")
    assert not COMMAND.search(text)


def test_what_a_medium_would_act_on_is_taken_away():
    assert csv_text("  =1+1") == "'  =1+1"
    assert csv_text("\u3000＝1") == "\\u3000＝1"
    assert csv_text("a;=1; +2;b") == "a;'=1; '+2;b"
    assert markdown_text("@user and x@y") == "&#64;user and x@y"
    assert html_text("\"'") == "&quot;&#x27;"
