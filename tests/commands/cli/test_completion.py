"""What the shell offers, asked as bash, zsh and fish ask."""

import os
import subprocess
import sys

import pytest

from cnninspect.commands import completion
from cnninspect.commands.application import run
from cnninspect.sources.open import trace
from cnninspect.zoo import catalogue

NET = """
raise RuntimeError("completion must not run this")


class Net:
    def __init__(self, width=8, *, act):
        pass


def make(depth=2): ...


def _private(): ...
"""


@pytest.fixture
def offered(monkeypatch, capsys):
    """Gives what is offered for the last of the words, which bash has taken apart."""

    def press_tab(*words, shell="bash"):
        monkeypatch.setenv(completion.VARIABLE, f"complete_{shell}")
        if shell == "bash":
            monkeypatch.setenv("COMP_WORDS", "\n".join(("cnninspect", *words)))
            monkeypatch.setenv("COMP_CWORD", str(len(words)))
        else:
            monkeypatch.setenv("_TYPER_COMPLETE_ARGS", " ".join(("cnninspect", *words)))
            monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        with pytest.raises(SystemExit):
            run([])
        return [line for line in capsys.readouterr().out.splitlines() if line]

    return press_tab


def test_names_of_the_zoo(offered):
    assert offered("summary", "resnet1") == [
        name for name in catalogue.names() if name.startswith("resnet1")
    ]
    assert "lenet5" in offered("compare", "resnet18", "le")
    assert "resnet34" in offered("diff", "resnet18", "res")
    assert offered("summary", "resnet1", shell="fish") == offered("summary", "resnet1")


def test_names_of_libraries_come_without_importing_them(offered):
    assert "resnet50" in offered("summary", "torchvision", ":", "resnet5")
    assert "convnext_tiny" in offered("summary", "timm", ":", "convnext_t")
    assert "timm:convnext_tiny" in offered("summary", "timm:convnext_t", shell="fish")
    assert all(name.startswith("torchvision:") for name in offered("summary", "torch"))


def test_settings_after_the_sign(offered):
    assert "@num_classes=1000" in offered("summary", "resnet34", "@", "num_c")
    whole = offered("summary", "resnet34@act", shell="fish")
    assert "resnet34@activation=relu" in whole
    assert "resnet34@activation=tanh" in whole
    more = offered("summary", "resnet34@num_classes=10,", shell="fish")
    assert "resnet34@num_classes=10,in_channels=3" in more
    assert not any("num_classes=1000" in line for line in more)
    assert offered("summary", "nosuch@a", shell="fish") == []


def test_a_file_of_ones_own_is_read_and_not_run(offered, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_net.py").write_text(NET)
    (tmp_path / "my_net.txt").write_text("")
    assert offered("summary", "my_") == ["my_net.py:"]
    assert offered("summary", "my_net.py", ":", "") == ["Net", "make"]
    assert offered("summary", "my_net.py:Net@", shell="fish") == [
        "my_net.py:Net@width=8",
        "my_net.py:Net@act=",
    ]
    assert offered("explain", "my_net.py:Net", "x", shell="fish") == []


def test_layers_of_a_named_network(offered):
    known = [layer.path for layer in trace("lenet5").layers if layer.path.startswith("c")]
    assert offered("explain", "lenet5", "c") == known
    assert offered("explain", "lenet5", "c") == known  # remembered
    assert offered("explain", "nosuch", "c") == []


@pytest.mark.parametrize(
    ("words", "some"),
    [
        (("summary", "lenet5", "--columns", "path,mac"), {"path,macs", "path,macs_share"}),
        (("compare", "lenet5", "--columns", "pa"), {"parameters", "paths"}),
        (("compare", "lenet5", "--sort", "ma"), {"macs"}),
        (("find", "--sort", "dep"), {"depth"}),
        (("summary", "lenet5", "--count-as", "thop"), {"thop"}),
        (("memory", "lenet5", "--optimizer", "adam"), {"adam", "adamw"}),
        (("train", "mlp", "--optimizer", "mom"), {"momentum"}),
        (("list", "--family", "dense"), {"densenet"}),
        (("list", "--source", "t"), {"torchvision", "timm"}),
        (("summary", "lenet5", "--device-spec", "a1"), {"a100"}),
        (("check", "lenet5", "--baseline", "lenet5_m"), {"lenet5_modern"}),
        (("help", "ex"), {"exit-codes"}),
        (("summary", "lenet5", "--format", "ma"), {"markdown"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_words_after_options(offered, words, some):
    found = offered(*words)
    assert some <= set(found)
    assert all(word.startswith(words[-1]) for word in found)


@pytest.mark.parametrize(
    ("words", "index", "joined", "position", "before"),
    [
        ("a b c", 2, "a b c", 2, ""),
        ("a summary timm : conv", 4, "a summary timm:conv", 2, "timm:"),
        ("a summary timm :", 3, "a summary timm:", 2, "timm:"),
        ("a summary r @ n = 10,a", 6, "a summary r@n=10,a", 2, "r@n="),
        ("a check --baseline = timm : x", 6, "a check --baseline=timm:x", 2, "timm:"),
        ("a summary r @ n", 4, "a summary r@n", 2, "r"),
        ("a summary timm:conv", 2, "a summary timm:conv", 2, ""),  # where : ends no word
        ("a diff n.py : Net n.py : O", 7, "a diff n.py:Net n.py:O", 3, "n.py:"),
    ],
)
def test_words_that_bash_took_apart_are_joined(words, index, joined, position, before):
    environment = {"COMP_WORDS": words.replace(" ", "\n"), "COMP_CWORD": str(index)}
    assert completion.mend_words(environment) == before
    assert environment["COMP_WORDS"] == joined.replace(" ", "\n")
    assert environment["COMP_CWORD"] == str(position)


def test_no_torch_is_imported_to_complete_models_columns_and_remembered_layers(tmp_path):
    code = "import sys; from cnninspect.__main__ import main\n"
    code += "try:\n    main()\nfinally:\n    assert 'torch' not in sys.modules"
    for words in ("summary\nresn", "summary\ntimm:res", "summary\nresnet34@n", "find\n--sort\nm"):
        environment = {
            **os.environ,
            completion.VARIABLE: "complete_bash",
            "COMP_WORDS": f"cnninspect\n{words}",
            "COMP_CWORD": str(words.count("\n") + 1),
        }
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
