"""Help: a sentence, examples that work, options in panels; topics; nothing of a program's types."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer

from cnninspect.commands import COMMANDS
from cnninspect.commands.application import application, manual_of_all, manual_of_command, run
from cnninspect.commands.help.topics import TOPICS
from cnninspect.commands.manual import COMMON, examples_of, help_text, topic_text
from cnninspect.page.formats import FORMATS

GROUP = typer.main.get_command(application())
EXAMPLES = [line for place in COMMANDS.values() for line, _ in examples_of(place)]
SLOW = {
    "activations": "real passes",
    "audit": "runs other tools",
    "evaluate": "needs trained weights",
    "export": "writes and runs ONNX files",
    "find": "measures a catalogue",
    "gradients": "real passes",
    "report": "draws everything",
    "sweep": "measures many networks",
    "time": "measures this machine",
    "train": "trains",
}
"""Commands whose examples are only parsed here, and why; tests of their own run them."""
ELSEWHERE = {
    "cnninspect list --source timm 'convnext*'": "imports timm",
    "cnninspect diff resnet18 checkpoint.pth": "needs a file of weights",
    "cnninspect weights mlp.safetensors": "needs a file of weights",
    "cnninspect weights before.safetensors after.safetensors": "needs files of weights",
    "cnninspect scale efficientnet_b0 --grid --top 5": "traces many networks",
    "cnninspect scale wrn28_10 --grid": "traces many networks",
}
"""Examples of quick commands that are only parsed, and why."""
NET = """
from torch import nn


class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        return self.head(self.body(x).flatten(1))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the examples speak of: a network of one's own under git, and a budget."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "net.py").write_text(NET)
    (folder / "budget.toml").write_text('[models."net.py:Net"]\nmax_params = "1M"\n')
    commit = ["-c", "user.name=n", "-c", "user.email=n@example.org", "commit", "-qm"]
    for arguments in (
        ["init", "-q"],
        ["add", "."],
        [*commit, "Add a network"],
        [*commit, "Change nothing", "--allow-empty"],
    ):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    return folder


def is_quick(line):
    return shlex.split(line)[1] not in SLOW and line not in ELSEWHERE


@pytest.mark.parametrize("line", [line for line in EXAMPLES if is_quick(line)])
def test_an_example_works_as_it_stands(line, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as left:
        run(shlex.split(line)[1:])
    assert left.value.code == 0, capsys.readouterr().err


@pytest.mark.parametrize("line", [line for line in EXAMPLES if not is_quick(line)])
def test_an_example_that_takes_long_is_typed_rightly(line):
    _, name, *arguments = shlex.split(line)
    command = GROUP.commands[name]
    command.make_context(name, arguments)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_opens_with_a_sentence_and_three_examples(name):
    manual = manual_of_command(GROUP.commands[name], name)
    assert re.fullmatch(r"[A-Z][^.]+\.", manual.sentence), manual.sentence
    assert len(manual.examples) == 3
    for line, shown in manual.examples:
        assert line.startswith(f"cnninspect {name}")
        assert shown[0].isupper()
        assert not shown.endswith(".")
    text = help_text(manual, width=80, color=False)
    assert text.index("Examples:") < text.index(f"{COMMON}:")
    assert not re.search(r"<\w+( range)?>|x>=", text), "types of a program"
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_shared_stands_under_common_options(name):
    panels = manual_of_command(GROUP.commands[name], name).panels
    (common,) = [panel for panel in panels if panel.title == COMMON]
    first = panels.index(common)
    assert {panel.title for panel in panels[:first]} <= {"Arguments"}
    elsewhere = " ".join(entry.name for panel in panels[first + 1 :] for entry in panel.entries)
    for option in ("--input", "--batch", "--format", "--output", "--level", "--columns"):
        assert option not in elsewhere.split()


def test_choices_and_defaults_are_told_in_words():
    manual = manual_of_command(GROUP.commands["summary"], "summary")
    entries = {entry.name.strip(): entry.text for panel in manual.panels for entry in panel.entries}
    assert entries["-b, --batch N"] == "Size of the batch. [default: 1]"
    assert entries["-f, --format FORMAT"].endswith(f"{', '.join(FORMATS)}. [default: table]")
    assert "default" not in entries["--fold"]


def test_a_long_line_of_an_example_is_folded_so_that_it_can_be_typed():
    manual = manual_of_command(GROUP.commands["summary"], "summary")
    text = help_text(manual, width=40, color=False)
    typed = text[text.index("  cnninspect summary net.py") :].partition("#")[0]
    assert "\\\n" in typed
    assert shlex.split(typed.replace("\\\n", " ")) == shlex.split(manual.examples[1][0])


def test_colours_change_no_letter():
    manual = manual_of_all(GROUP)
    plain, colored = (help_text(manual, width=80, color=color) for color in (False, True))
    assert plain != colored
    assert re.sub("\x1b\\[\\d+m", "", colored) == plain


def test_the_bare_command_prints_the_help_and_is_content(cnninspect_):
    bare, asked = cnninspect_(), cnninspect_("--help")
    assert bare == asked
    assert bare.code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in bare.out
    assert cnninspect_("nosuch").code == 2


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_is_printed_and_stands_in_the_docs(topic, cnninspect_):
    code, out, _ = cnninspect_("help", topic)
    found = TOPICS[topic]
    assert code == 0
    assert out.startswith(found.sentence[:40])
    assert out.rstrip("\n") == topic_text(
        found.sentence, found.more, found.panels, width=100, color=False
    )
    page = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
    assert f"`{topic}`" in page


def test_topics_are_listed_and_an_unknown_one_is_an_error_with_those_that_there_are(cnninspect_):
    listed = cnninspect_("help")
    assert listed.code == 0
    assert all(topic in listed.out for topic in TOPICS)
    code, _, err = cnninspect_("help", "exit-code")
    assert code == 2
    assert "exit-codes" in err


def test_the_topic_of_formats_names_every_format():
    (formats, _) = TOPICS["formats"].panels
    assert [entry.name for entry in formats.entries] == list(FORMATS)


def test_what_the_twelve_tasks_of_a_new_user_come_to_can_be_typed():
    page = (Path(__file__).parents[3] / "docs" / "contributing.md").read_text()
    section = page.partition("## Twelve tasks")[2].partition("## ")[0]
    lines = re.findall(r"`(cnninspect [^`]*)` \|$", section, re.M)
    assert len(lines) == 12
    for line in lines:
        _, name, *arguments = shlex.split(line)
        GROUP.commands[name].make_context(name, arguments)
