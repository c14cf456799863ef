"""Names of classes come from data, and stand in headers as well as in cells."""

import csv
import re

import pytest

import cnninspect
from cnninspect.page.formats import FORMATS

NAMES = [
    "a\n::error::b", "a\r::add-mask::b", "\u2028::error::b", "\x1b[31mb", "##[error]b",
    "##vso[task]b", "\u202eb", "=1+1", "<script>b</script>", "| b |",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_no_format_of_an_evaluation_is_forged_by_the_name_of_a_class(tmp_path, name):
    path = tmp_path / "p.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [["label", "prediction"], [name, name], [name, "x"], ["x", name]]
        )
    report = cnninspect.evaluate(predictions=path)
    for format_ in FORMATS:
        text = cnninspect.render(report, format=format_)
        assert not re.search(r"^\s*::|##\[|##vso\[", text, re.MULTILINE), format_
        assert format_ != "csv" or not re.search(r"(^|,)=1", text, re.MULTILINE)
        assert format_ not in ("html", "markdown") or "<script>b" not in text
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e]", text), format_
