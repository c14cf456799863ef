"""A person's own code: what runs, what is left behind, and what goes wrong."""

import sys
import textwrap

import pytest
from torch import nn

import cnninspect
from cnninspect.commands.application import run
from cnninspect.errors import (
    BadReference,
    BadSetting,
    BuildFailed,
    CnnInspectError,
    FileMissing,
    FileUnreadable,
    RunFailed,
    UnknownModel,
    UnknownSetting,
)

NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self, width: int = 4, bias=True):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, bias=bias)

    def forward(self, x):
        return self.conv(x)

def make(*, depth):
    return nn.Sequential(*[Net(3) for _ in range(depth)])

class Holder:
    @staticmethod
    def make():
        return Net(5)

net, number = Net(2), 5
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))
    return path


@pytest.mark.parametrize(
    ("after", "parameters"),
    [
        ("Net", 4 * 27 + 4),
        ("Net@width=8", 8 * 27 + 8),
        ("Net@width=8,bias=false", 8 * 27),
        ("make@depth=3", 3 * (3 * 27 + 3)),
        ("Holder.make", 5 * 27 + 5),
        ("net", 2 * 27 + 2),
    ],
)
@pytest.mark.parametrize("before", ["net.py:", "./net.py:", "net:", "a_package.net:"])
def test_classes_functions_and_modules_of_files_and_packages(folder, before, after, parameters):
    write(folder / "net.py", NET)
    write(folder / "a_package" / "net.py", NET)
    report = cnninspect.summarize(before + after)
    assert report.totals.parameters == parameters
    assert report.model.source == "python"


def test_nothing_is_left_behind(folder):
    write(folder / "net.py", "import sibling\nfrom sibling import Net\n")
    write(folder / "sibling.py", NET)
    path, modules = list(sys.path), set(sys.modules)
    cnninspect.summarize("net.py:Net")
    assert sys.path == path
    assert not {"net", "sibling"} & (set(sys.modules) - modules)
    assert not list(folder.rglob("net.*.pyc"))


def test_siblings_of_two_files_are_not_mixed_up(folder):
    for name, width in (("one", 2), ("two", 7)):
        write(folder / name / "net.py", "from sibling import Net")
        write(folder / name / "sibling.py", NET.replace("width: int = 4", f"width: int = {width}"))
    counted = [cnninspect.summarize(f"{n}/net.py:Net").totals.parameters for n in ("one", "two")]
    assert counted == [2 * 28, 7 * 28]


def test_a_file_is_read_anew_each_time(folder):
    for width in (2, 3):
        write(folder / "net.py", NET.replace("width: int = 4", f"width: int = {width}"))
        assert cnninspect.summarize("net.py:Net").totals.parameters == width * 28


@pytest.mark.parametrize("name", ["random.py", "torch.py", "with-dash.py"])
def test_a_file_may_be_called_like_a_module(folder, name):
    random = sys.modules["random"]
    write(folder / "nets" / name, NET.replace("from torch import nn", "import torch.nn as nn"))
    assert cnninspect.summarize(f"nets/{name}:Net").totals.parameters == 112
    assert sys.modules["random"] is random


def test_dataclasses_made_while_building_find_their_module(folder):
    write(
        folder / "net.py",
        """
        from __future__ import annotations
        from dataclasses import dataclass, field
        from torch import nn

        def make():
            @dataclass
            class Config:
                widths: list[int] = field(default_factory=list)
            return nn.Linear(3, 4)
        """,
    )
    assert cnninspect.summarize("net.py:make").totals.parameters == 16


def test_a_sibling_imported_while_building_is_found(folder):
    write(folder / "net.py", "def make():\n    from sibling import Net\n    return Net()")
    write(folder / "sibling.py", NET)
    assert cnninspect.summarize("net.py:make").totals.parameters == 112


def test_what_the_code_prints_does_not_mix_with_the_report(folder, capsys):
    net = NET.replace("return self.conv(x)", "print('running'); return self.conv(x)")
    write(folder / "net.py", "print('importing')\n" + net)
    with pytest.raises(SystemExit):
        run(["summary", "net.py:Net", "--format", "json"])
    out, err = capsys.readouterr()
    assert out.startswith("{")
    assert err == "importing\nrunning\n"


def test_a_module_that_the_file_holds_is_left_as_it_was(folder):
    write(folder / "net.py", NET + "\nnet.train()\nimport builtins\nbuiltins.kept_net = net\n")
    cnninspect.summarize("net.py:net")
    import builtins

    assert builtins.kept_net.training
    assert isinstance(builtins.kept_net, nn.Module)
    del builtins.kept_net


def test_what_has_no_end_is_not_read(folder):
    (folder / "net.py").symlink_to("/dev/zero")
    with pytest.raises(FileUnreadable, match="not a regular file"):
        cnninspect.summarize("net.py:make")


BAD = {
    "a syntax error": ("def make(:\n", "make", FileUnreadable, "line 1: "),
    "no Python": ("\x00\x01", "make", FileUnreadable, ""),
    "an error while importing": ("1 / 0", "make", BuildFailed, "ZeroDivisionError"),
    "a missing import": ("import no_such_library", "make", BuildFailed, "no_such_library"),
    "an exit while importing": ("raise SystemExit(4)", "make", BuildFailed, "exit 4"),
    "no such name": (NET, "Nte", UnknownModel, "Nte"),
    "no name": (NET, "", BadReference, "names no class or function"),
    "a number": (NET, "number", BadReference, "number is of the type int"),
    "a missing argument": (NET, "make", BadReference, "must be told depth"),
    "an unknown setting": (NET, "Net@depth=3", UnknownSetting, "no setting 'depth'"),
    "a bad setting": (NET, "Net@width=wide", BadSetting, "width=wide"),
    "a setting of a made module": (NET, "net@width=3", UnknownSetting, "no setting 'width'"),
    "a raising constructor": (
        "def make(): raise ValueError('too narrow')", "make", BuildFailed, "too narrow",
    ),
    "an exit while building": ("def make(): exit(7)", "make", BuildFailed, "exit 7"),
    "no module returned": ("def make(): return 3", "make", BuildFailed, "of the type int"),
    "nothing returned": ("def make(): pass", "make", BuildFailed, "it made nothing"),
    "a failing forward": (
        NET.replace("return self.conv(x)", "raise KeyError('x')"), "Net", RunFailed, "KeyError",
    ),
    "a forward without code": (
        "from torch import nn\nclass Net(nn.Module):\n    def forward(self, x): return x @ 3",
        "Net@a=1", UnknownSetting, "no setting 'a'",
    ),
    "a download": (
        "import urllib.request\ndef make(): urllib.request.urlopen('http://w.invalid')", "make",
        BuildFailed, "reaches for the network (w.invalid:80)",
    ),
    "a download while running": (
        NET.replace("return self.conv(x)", "__import__('urllib.request').request.urlopen('http://w.invalid')"),
        "Net", RunFailed, "reaches for the network (w.invalid:80)",
    ),
    "a download while importing": (
        "import urllib.request\nurllib.request.urlopen('http://w.invalid')", "make",
        BuildFailed, "reaches for the network (w.invalid:80)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "name", "kind", "says"), BAD.values(), ids=BAD)
def test_each_mistake_is_one_clear_error(folder, capsys, text, name, kind, says):
    (folder / "net.py").write_text(text)
    reference = f"net.py:{name}" if name else "net.py"
    with pytest.raises(kind) as caught:
        cnninspect.summarize(reference)
    assert says in str(caught.value)
    with pytest.raises(SystemExit) as left:
        run(["summary", reference])
    out, err = capsys.readouterr()
    assert left.value.code == caught.value.exit_code in (1, 2)
    assert out == ""
    lines = [line for line in err.splitlines() if line.startswith(("error:", "hint:", "Traceback"))]
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"]


def test_a_missing_file_and_a_missing_module():
    with pytest.raises(FileMissing, match=r"no file nowhere\.py"):
        cnninspect.summarize("nowhere.py:make")
    with pytest.raises(BadReference, match="no_such_package"):
        cnninspect.summarize("no_such_package.net:make")
    with pytest.raises(BadReference, match="nowhere"):
        cnninspect.summarize("nowhere:make")


def test_a_file_without_a_name_says_what_it_has(folder):
    write(folder / "net.py", NET + "\nraise AssertionError('nobody asked to run this')")
    with pytest.raises(BadReference) as caught:
        cnninspect.summarize("net.py")
    assert caught.value.hint == "write net.py:Net, net.py:make, net.py:Holder"


def test_the_nearest_name_is_offered(folder):
    write(folder / "net.py", NET)
    with pytest.raises(UnknownModel) as caught:
        cnninspect.summarize("net.py:Ned")
    assert "did you mean" in caught.value.hint
    assert "Net" in caught.value.hint


def test_a_failing_import_leaves_the_path_as_it_was(folder):
    write(folder / "net.py", "import sibling\n1 / 0")
    write(folder / "sibling.py", "")
    path, modules = list(sys.path), set(sys.modules)
    with pytest.raises(CnnInspectError):
        cnninspect.summarize("net.py:make")
    assert sys.path == path
    assert not {"net", "sibling"} & (set(sys.modules) - modules)
