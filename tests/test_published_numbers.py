"""Numbers in print, recomputed: every row of papers.json and torchvision.json that the zoo has.

Printed numbers agree if they are less than one unit of their last digit away, since some are
rounded and some cut off; exact counts agree exactly.  Which network a row means, and what it
counts, stands in data/recomputed_papers.txt, with a reason for each number that is left out.
"""

import json
from pathlib import Path
from typing import NamedTuple

import pytest
from published_measures import measured, traced

from cnninspect.zoo import catalogue

DATA = Path(__file__).parent / "data"
PAPERS = json.loads((DATA / "papers.json").read_text())["papers"]
TORCHVISION = json.loads((DATA / "torchvision.json").read_text())["torchvision"]
QUANTITIES = {"params": "parameters", "macs": "macs", "connections": "connections"}
"""What a row may print, and how it is counted unless something else is known."""
OTHER_INPUTS = {
    3: "224 pixels, as printed, do not fit; 227 do",
    **dict.fromkeys(range(128, 133), "a block's, not its network's"),
    **dict.fromkeys(range(155, 159), "in words"),
}
"""Rows whose input does not stand in the file as a shape that the network gets."""


class Row(NamedTuple):
    """What a row of papers.json is in the zoo."""

    number: int
    arch: str
    reference: str
    """What to summarise; empty: nothing in the zoo."""
    layer: str
    """The layer that the row speaks of; empty: the whole network."""
    less: str
    """A network to take away, where a difference is printed."""
    cells: dict[str, str]
    """What a printed number counts, or `no: ` and why it is left out."""

    def count(self, measure):
        whole = measured(measure, traced(self.reference), self.layer)
        return whole - measured(measure, traced(self.less)) if self.less else whole


def rows():
    lines = (DATA / "recomputed_papers.txt").read_text().splitlines()
    header, *rest = [line for line in lines if not line.startswith("#")]
    names = header.split(" | ")[3:]
    for line in rest:
        number, arch, reference, *cells = [cell.strip() for cell in line.split("|")]
        reference, _, less = reference.partition(" minus ")
        reference, _, layer = reference.partition(" at ")
        printed = {name: cell for name, cell in zip(names, cells) if cell}
        yield Row(int(number), arch, reference, layer, less, printed)


ROWS = tuple(rows())


@pytest.mark.parametrize(
    ("row", "quantity"),
    [
        pytest.param(row, quantity, id=f"{row.number}-{row.reference or row.arch}-{quantity}")
        for row in ROWS
        for quantity in row.cells
    ],
)
def test_a_number_of_a_paper_is_recomputed_or_left_out_for_a_reason(row, quantity):
    cell = row.cells[quantity]
    if not row.reference:
        assert cell.startswith("no: ")
        return
    is_left_out = cell.startswith("no: ")
    count = row.count(QUANTITIES[quantity] if is_left_out else cell)
    printed = PAPERS[row.number][quantity]
    precision = PAPERS[row.number].get(f"{quantity}_precision", 1)
    agrees = abs(count - printed) < precision
    assert agrees is not is_left_out, f"{count:,} for {printed:,}"


def test_every_row_and_number_of_the_papers_stands_in_the_table():
    assert [(row.number, row.arch) for row in ROWS] == [
        (i, paper["arch"]) for i, paper in enumerate(PAPERS)
    ]
    for row, paper in zip(ROWS, PAPERS):
        printed = set(QUANTITIES) & set(paper) or {"params"}  # a reason also where none is
        assert set(row.cells) == printed, row


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.reference], ids=lambda row: f"{row.number}-{row.reference}"
)
def test_a_network_gets_the_input_that_its_paper_prints(row):
    shape = traced(row.reference).inputs[0].spec.shape[1:]
    agrees = "x".join(map(str, shape)) == PAPERS[row.number]["input"]
    assert agrees is (row.number not in OTHER_INPUTS)


IN_THE_ZOO = [
    row
    for row in TORCHVISION
    if row["model"] in catalogue.names() and row["task"] == "classification"
]


@pytest.mark.parametrize("row", IN_THE_ZOO, ids=lambda row: row["weights"])
def test_numbers_of_torchvision_are_recomputed(row):
    trace = traced(row["model"], tuple(row["ops_input_assumed"]))
    assert measured("parameters", trace) == row["num_params"]
    assert abs(measured("torchvision", trace) / 1e9 - row["ops_gmacs"]) < 0.001


def test_what_is_left_out_of_torchvision_is_not_in_the_zoo_or_is_no_classifier():
    left_out = [row for row in TORCHVISION if row not in IN_THE_ZOO]
    assert len(IN_THE_ZOO) > 30
    for row in left_out:
        assert row["model"] not in catalogue.names() or row["task"] != "classification", row
