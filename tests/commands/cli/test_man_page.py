"""The man page: all commands and topics, in troff that says nothing by accident."""

import re
import sys
import types
from pathlib import Path

from cnninspect.commands import COMMANDS
from cnninspect.commands.help.topics import TOPICS
from cnninspect.commands.man_page import man_page


def test_it_holds_every_command_with_its_examples_and_every_topic():
    page = man_page()
    for name in COMMANDS:
        assert f"\n.SS {name} " in page
        assert f"\ncnninspect {name}" in page.replace("\\-", "-")
    for topic in TOPICS:
        assert f"\n.SH {topic.upper().replace('-', ' ')}\n" in page


def test_every_line_is_text_or_a_request_that_is_meant():
    for line in man_page().splitlines():
        assert line.isascii()
        assert not re.search(r"(?<!\\)-", line.removeprefix(".TH")) or line.startswith(".TH")
        if line.startswith((".", "'")):
            assert line.split()[0] in {".TH", ".SH", ".SS", ".PP", ".TP", ".RS", ".RE", ".nf",
                                       ".fi", ".B"}  # fmt: skip


def test_a_wheel_gets_it(tmp_path, monkeypatch):
    for name, offered in (
        ("hatchling.builders.hooks.plugin.interface", "BuildHookInterface"),
        ("hatchling.metadata.plugin.interface", "MetadataHookInterface"),
    ):
        parts = name.split(".")
        for end in range(1, len(parts)):
            package = ".".join(parts[:end])
            monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
        interface = types.ModuleType(name)
        setattr(interface, offered, object)
        monkeypatch.setitem(sys.modules, name, interface)
    root = Path(__file__).parents[3]
    names = {}
    exec((root / "hatch_build.py").read_text(), names)
    hook = names["ManPage"]()
    hook.root, hook.directory = str(root), str(tmp_path)
    data = {"shared_data": {}}
    hook.initialize("standard", data)
    ((source, target),) = data["shared_data"].items()
    assert target == "share/man/man1/cnninspect.1"
    assert Path(source).read_text() == man_page()
    hook.initialize("editable", {})
