"""README.md and docs/: every block prints what stands there.  `--rewrite-docs` mends them."""

import difflib
import re
from importlib.metadata import version
from pathlib import Path

import pytest
from documents import WIDTH, executed, run_here, run_in_shell

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
SHOWS = {"hf:": "transformers", "timm:": "timm"}
"""What a document says where it shows networks that another package builds anew with releases."""
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.fixture(autouse=True)
def _at_the_width_of_documents(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # what a document writes goes there
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.syspath_prepend(tmp_path)


def is_the_tested(package):
    """Whether the installed version is that of constraints.txt."""
    (tested,) = re.findall(rf"^{package}==([^;\s]+)", CONSTRAINTS.read_text(), re.M)
    return version(package) == tested


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_shows_what_its_blocks_print_today(path, rewrite_docs):
    written = path.read_text()
    for said, package in SHOWS.items():
        if said in written and not is_the_tested(package):
            pytest.skip(f"shows networks of another {package} than is installed")
    today = executed(written)
    if rewrite_docs:
        path.write_text(today)
        return
    name = str(path.relative_to(ROOT))
    changes = difflib.unified_diff(written.splitlines(), today.splitlines(), name, "today", n=2)
    assert today == written, "pytest tests/docs --rewrite-docs mends this:\n" + "\n".join(changes)


@pytest.mark.parametrize(
    "command",
    [
        "cnninspect --help",
        "cnninspect list",
        "cnninspect summary resnet18",
        "cnninspect summary resnet18 --format json",
        "cnninspect summary resnt18",
    ],
)
def test_a_command_prints_the_same_in_this_process_as_in_a_pipe(command):
    assert run_here(command) == run_in_shell(command)
