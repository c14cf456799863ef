"""Whole outputs, compared with files that somebody has read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hand_built import basic_block_explained, listing_of_families, odd_network, resnet10

from cnninspect.page.formats import render

ALL_COLUMNS = (
    "path", "type", "calls", "input", "output", "kernel", "stride", "parameters", "macs",
    "activations", "activation_bytes", "receptive_field", "matrix", "matrix_bytes",
)  # fmt: skip
CASES = {
    "resnet10_at_80.txt": (resnet10, {"width": 80}),
    "resnet10_at_120.txt": (resnet10, {"width": 120}),
    "resnet10_at_160.txt": (resnet10, {"width": 160}),
    "resnet10_at_48.txt": (resnet10, {"width": 48, "level": 2}),
    "resnet10_in_colour.txt": (resnet10, {"width": 100, "color": True, "level": 2}),
    "resnet10_whole.txt": (resnet10, {"width": 100, "level": None, "fold": True}),
    "resnet10_folded_human.txt": (resnet10, {"width": 100, "fold": True, "human": True}),
    "resnet10_by_parameters.txt": (resnet10, {"width": 100, "sort": "parameters", "top": 6}),
    "resnet10_every_column.txt": (resnet10, {"width": None, "columns": ALL_COLUMNS, "fold": True}),
    "resnet10.md": (resnet10, {"format": "markdown", "fold": True}),
    "resnet10.csv": (resnet10, {"format": "csv"}),
    "resnet10.json": (resnet10, {"format": "json", "level": 1}),
    "resnet10.html": (resnet10, {"format": "html", "level": 1}),
    "odd_at_100.txt": (odd_network, {"width": 100}),
    "odd_at_48.txt": (odd_network, {"width": 48}),
    "odd_list.txt": (odd_network, {"width": 100, "sort": "convention"}),
    "odd_in_colour.txt": (
        odd_network,
        {"width": 100, "color": True, "columns": ("type", "output", "parameters", "macs")},
    ),
    "odd.md": (odd_network, {"format": "markdown"}),
    "explained_at_80.txt": (basic_block_explained, {"width": 80}),
    "explained_at_120.txt": (basic_block_explained, {"width": 120}),
    "explained.md": (basic_block_explained, {"format": "markdown"}),
    "explained.json": (basic_block_explained, {"format": "json"}),
    "explained.csv": (basic_block_explained, {"format": "csv"}),
    "list_at_80.txt": (listing_of_families, {"width": 80}),
    "list.md": (listing_of_families, {"format": "markdown"}),
    "list.csv": (listing_of_families, {"format": "csv"}),
}


@pytest.mark.parametrize("name", CASES)
def test_output_is_the_one_on_file(name, check_golden, fixed_versions):
    make, options = CASES[name]
    check_golden(render(make(), **options), name)


def test_list_of_one_family_tells_its_paper_and_settings(check_golden):
    listing = listing_of_families()
    family = tuple(entry for entry in listing.entries if entry.family == "resnet")
    check_golden(render(replace(listing, entries=family), width=80), "list_of_one_family.txt")


def test_list_of_nothing_says_so():
    assert render(replace(listing_of_families(), entries=())) == "0 models\n"
