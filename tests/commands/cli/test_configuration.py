"""Defaults from files: which counts, what they may set, and what `config` shows of them."""

import json

import pytest

from cnninspect.commands.defaults import KEYS, read_defaults
from cnninspect.errors import BadConfiguration, CnnInspectError, UnknownKey

PROJECT = """
[project]
name = "mine"

[tool.cnninspect]
format = "csv"
columns = ["path", "macs"]

[tool.cnninspect.compare]
columns = ["model", "macs"]
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder within a project that sets defaults; commands are typed there."""
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    return tmp_path


def test_defaults_take_the_place_of_what_is_not_typed(project, cnninspect_):
    assert cnninspect_("summary", "mlp").out.splitlines()[0] == "path,own_macs,total_macs"
    assert cnninspect_("compare", "mlp", "lenet5").out.splitlines()[0] == "model,macs"
    typed = cnninspect_("summary", "mlp", "--format", "table", "--columns", "path,type").out
    assert "MACs" not in typed.splitlines()[2]


def test_the_nearest_file_counts_and_its_own_goes_before_the_projects(project, cnninspect_):
    (project / "a" / "cnninspect.toml").write_text('format = "markdown"\nhuman = true\n')
    (project / "a" / "pyproject.toml").write_text('[tool.cnninspect]\nformat = "json"\n')
    (project / "a" / "b" / "pyproject.toml").write_text('[tool.other]\nname = "cnninspect"\n')
    assert cnninspect_("summary", "mlp").out.startswith("### mlp")
    assert "28.3 k" in cnninspect_("summary", "mlp").out
    assert "28,326" in cnninspect_("summary", "mlp", "--no-human").out


def test_a_value_that_a_command_cannot_have_is_left_out(project, cnninspect_):
    (project / "a" / "b" / "cnninspect.toml").write_text('level = "all"\ndevice = "auto"\n')
    assert cnninspect_("summary", "mlp").code == 0
    assert cnninspect_("memory", "mlp").code == 0


def test_columns_of_networks_are_not_asked_of_files_of_weights(project, cnninspect_):
    import torch

    torch.save({"a.weight": torch.zeros(2, 3)}, "w.pth")
    assert cnninspect_("summary", "w.pth").code == 0


@pytest.mark.parametrize(
    ("line", "kind", "says"),
    [
        ('format = "xml"', BadConfiguration, "'xml'"),
        ("level = -1", BadConfiguration, "level"),
        ("level = true", BadConfiguration, "level"),
        ('columns = "path"', BadConfiguration, "columns"),
        ('columns = ["pat"]', BadConfiguration, "'pat'"),
        ('human = "yes"', BadConfiguration, "human"),
        ('device = "gpu"', BadConfiguration, "'gpu'"),
        ("jobs = 0", BadConfiguration, "jobs"),
        ('colums = ["path"]', UnknownKey, "colums"),
        ("[compare]\nbatch = 2", UnknownKey, "compare"),
        ("a = = 1", BadConfiguration, "line 1"),
    ],
)
def test_what_cannot_be_is_one_error_that_names_the_file(line, kind, says, tmp_path):
    (tmp_path / "cnninspect.toml").write_text(line)
    with pytest.raises(kind) as raised:
        read_defaults(tmp_path)
    assert str(tmp_path / "cnninspect.toml") in str(raised.value)
    assert says in str(raised.value)
    assert raised.value.exit_code == 2
    assert raised.value.hint


def test_a_damaged_file_stops_commands_but_not_help(tmp_path, monkeypatch, cnninspect_):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cnninspect.toml").write_text("format = 1")
    assert cnninspect_("list").code == 2
    assert cnninspect_("config").code == 2
    assert cnninspect_("list", "--help").code == 0
    assert cnninspect_("help", "configuration").code == 0


def test_a_project_file_that_is_not_ours_to_read_is_passed_over(tmp_path):
    (tmp_path / "pyproject.toml").write_text("a = = 1")
    assert read_defaults(tmp_path) == ()
    (tmp_path / "pyproject.toml").write_text('[tool]\ncnninspect = "x"')
    with pytest.raises(CnnInspectError, match="no table"):
        read_defaults(tmp_path)


def test_config_shows_each_default_and_where_it_comes_from(project, cnninspect_):
    code, out, _ = cnninspect_("config", "--format", "json")
    report = json.loads(out)
    assert code == 0
    assert report["schema"] == "cnninspect.config/1"
    assert report["file"] == str(project / "pyproject.toml")
    rows = {(row["key"], *row["commands"]): row for row in report["settings"]}
    assert {key for key, *_ in rows} == set(KEYS)
    assert rows["format",]["value"] == "csv"
    assert rows["format",]["place"] == "pyproject.toml"
    assert rows["human",]["place"] == "built in"
    assert rows["columns", "compare"]["value"] == ["model", "macs"]


def test_keys_stand_in_the_topic():
    from cnninspect.commands.help.topics import TOPICS

    names = [entry.name for entry in TOPICS["configuration"].panels[0].entries]
    assert set(KEYS) <= set(names)
