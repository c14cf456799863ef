"""Models at a revision of git: the code as it was, from a folder that is always cleaned up."""

import importlib
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch

import cnninspect
from cnninspect.errors import BadOption, BadReference, CnnInspectError
from cnninspect.sources.revisions import at_revision, with_revision

NET = """
from torch import nn

from {package}widths import WIDTH


class Net(nn.Module):
    def __init__(self, classes=10):
        from {package}widths import WIDTH as again  # an import that runs late

        super().__init__()
        assert again == WIDTH
        self.first, self.last = nn.Linear(4, WIDTH), nn.Linear(WIDTH, classes)

    def forward(self, x):
        return self.last(self.first(x))


class Broken(nn.Module):
    def __init__(self):
        raise ValueError("broken")
"""


def git(folder, *arguments):
    author = ("-c", "user.name=n", "-c", "user.email=n@example.org")
    done = subprocess.run(["git", "-C", folder, *author, *arguments], check=True,
                          capture_output=True, text=True)  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Two commits and a change that is not committed: widths 3, 5 and 7."""
    folder = tmp_path / "repository"
    (folder / "nets").mkdir(parents=True)
    git(folder, "init", "-q")
    for width in (3, 5):
        (folder / "nets" / "widths.py").write_text(f"WIDTH = {width}\n")
        if width == 5:
            (folder / "nets" / "net.py").write_text(NET.format(package=""))
        else:
            (folder / "nets" / "net.py").write_text("# first\n" + NET.format(package=""))
        torch.save({"w": torch.zeros(width, 2)}, folder / "w.pth")
        git(folder, "add", ".")
        git(folder, "commit", "-qm", f"Width {width}")
    git(folder, "tag", "v2")
    (folder / "nets" / "widths.py").write_text("WIDTH = 7\n")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.chdir(folder)
    yield folder
    assert list(scratch.iterdir()) == []


def parameters(width, classes=10):
    return 4 * width + width + width * classes + classes


@pytest.mark.parametrize(
    ("reference", "width"),
    [
        ("nets/net.py:Net", 7),
        ("nets/net.py:Net@{HEAD}", 5),
        ("nets/net.py:Net@{v2}", 5),
        ("nets/net.py:Net@{HEAD~1}", 3),
        ("python:nets/net.py:Net@{HEAD~1}", 3),
        ("./nets/../nets/net.py:Net@{HEAD~1}", 3),
    ],
)
def test_a_network_is_as_it_was_with_what_it_imports(repository, reference, width):
    trace = cnninspect.trace(reference, inputs=[(1, 4)])
    assert sum(p.spec.numel for layer in trace.layers for p in layer.parameters) == parameters(
        width
    )
    assert trace.model.reference == reference


def test_settings_follow_the_revision(repository):
    summary = cnninspect.summarize("nets/net.py:Net@{HEAD~1}@classes=2", inputs=[(1, 4)])
    assert summary.totals.parameters == parameters(3, 2)
    assert with_revision("net.py:Net@classes=2", "v1") == "net.py:Net@{v1}@classes=2"
    with pytest.raises(BadReference):
        with_revision("net.py:Net@{v1}", "v2")


def test_an_absolute_path_and_another_folder_do_as_well(repository, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for path in (repository / "nets" / "net.py", Path("repository") / "nets" / "net.py"):
        summary = cnninspect.summarize(f"{path}:Net@{{HEAD~1}}", inputs=[(1, 4)])
        assert summary.totals.parameters == parameters(3)


def test_diff_against_a_revision(repository):
    report = cnninspect.diff("nets/net.py:Net", inputs=[(1, 4)], base="HEAD~1")
    assert report.old.parameters == parameters(3)
    assert report.new.parameters == parameters(7)
    assert report.old.model.reference == "nets/net.py:Net@{HEAD~1}"
    same = cnninspect.diff("nets/net.py:Net@{v2}", "nets/net.py:Net@{HEAD}", inputs=[(1, 4)])
    assert same.is_empty


def test_files_of_weights_have_revisions_too(repository):
    report = cnninspect.diff("w.pth@{HEAD~1}", "w.pth")
    assert [tensor.old for tensor in report.misshapen] == [(3, 2)]
    assert report.old == "w.pth@{HEAD~1}"


def test_a_training_step_and_several_models(repository):
    assert cnninspect.memory("nets/net.py:Net@{HEAD~1}", inputs=[(2, 4)]).model.reference.endswith(
        "@{HEAD~1}"
    )
    compared = cnninspect.compare(["nets/net.py:Net@{HEAD~1}", "nets/net.py:Net"], inputs=[(1, 4)])
    assert [m.totals.parameters for m in compared.models] == [parameters(3), parameters(7)]


def test_modules_of_the_repository_that_are_imported_are_hidden_and_come_back(
    repository, monkeypatch
):
    (repository / "nets" / "__init__.py").write_text("")
    (repository / "nets" / "net.py").write_text(NET.format(package="nets."))
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "A package, of width 7")
    (repository / "nets" / "widths.py").write_text("WIDTH = 9\n")
    monkeypatch.syspath_prepend(str(repository))

    importlib.import_module("nets.widths")
    before, path = sys.modules["nets.widths"], list(sys.path)
    summary = cnninspect.summarize("nets/net.py:Net@{HEAD}", inputs=[(1, 4)])
    assert summary.totals.parameters == parameters(7)
    assert sys.modules["nets.widths"] is before
    assert sys.path == path
    for name in [name for name in sys.modules if name.partition(".")[0] == "nets"]:
        monkeypatch.delitem(sys.modules, name)


def test_the_repository_is_only_read(repository):
    def state():
        index = (repository / ".git" / "index").read_bytes()
        files = sorted(map(str, repository.rglob("*")))
        return (
            index,
            files,
            git(repository, "status", "--short"),
            git(repository, "worktree", "list"),
        )

    state()  # looking at the state refreshes the index
    before = state()
    cnninspect.summarize("nets/net.py:Net@{HEAD~1}", inputs=[(1, 4)])
    with pytest.raises(CnnInspectError):
        cnninspect.summarize("nets/net.py:Broken@{HEAD~1}")
    index, files, *rest = state()
    assert index == before[0]
    assert [f for f in files if "__pycache__" not in f] == [
        f for f in before[1] if "__pycache__" not in f
    ]
    assert rest == list(before[2:])


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("nets/net.py:Net@{nosuch}", "no revision 'nosuch'"),
        ("nets/net.py:Net@{--help}", "no revision"),
        ("nets/other.py:Net@{HEAD}", "nets/other.py was not there at HEAD"),
        ("gone/net.py:Net@{HEAD}", "gone/net.py was not there"),
        ("resnet18@{HEAD}", "only a file"),
        ("torchvision:resnet18@{HEAD}", "only a file"),
        ("os.path:join@{HEAD}", "only a file"),
    ],
)
def test_what_cannot_be_is_said(repository, reference, says):
    with pytest.raises(BadReference, match=says) as raised:
        cnninspect.summarize(reference)
    assert raised.value.exit_code == 2
    assert raised.value.hint


def test_errors_in_the_code_speak_of_the_file_as_it_was_typed(repository):
    with pytest.raises(CnnInspectError) as raised:
        cnninspect.summarize("nets/net.py:Nett@{HEAD}")
    assert "nets/net.py" in str(raised.value)
    assert "scratch" not in str(raised.value)
    assert "Net" in raised.value.hint


def test_outside_a_repository_and_for_live_modules_it_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "net.py").write_text(NET)
    with pytest.raises(BadReference, match="no git repository"):
        cnninspect.summarize("net.py:Net@{HEAD}")
    with pytest.raises(BadOption):
        cnninspect.diff(torch.nn.Linear(2, 2), base="HEAD")
    with pytest.raises(BadOption):
        cnninspect.diff("mlp")
    with pytest.raises(BadReference), at_revision("mlp"):
        pass


def test_a_question_that_is_not_traced_says_so(repository):
    with pytest.raises(BadReference, match="as they are"):
        cnninspect.gradients("nets/net.py:Net@{HEAD}")
