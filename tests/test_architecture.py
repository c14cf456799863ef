"""The house rules that a reader relies on, checked by tools."""

import ast
import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import cnninspect
from cnninspect.commands.application import application

ROOT = Path(__file__).parents[1]
PACKAGE = Path(cnninspect.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {"torch", "onnx", "onnxscript", "onnxruntime", "fvcore", "numpy", "torchvision", "timm"}
COMMAND = typer.main.get_command(application())
COMMANDS = sorted(COMMAND.commands)


REPORT = """
import atexit, json, sys

@atexit.register
def report():
    print()
    print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def modules_imported_by(code, *arguments, **environment):
    """Top-level modules that a fresh process has imported after running `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{REPORT}\n{code}", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


RUN = (
    "import sys; sys.argv[0] = 'cnninspect'; from cnninspect.__main__ import main; sys.exit(main())"
)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("list",),
        ("list", "resnet*"),
        ("summary", "--help"),
        ("summary", "nosuch"),
    ],
    ids=" ".join,
)
def test_commands_that_build_no_model_import_no_torch(arguments):
    imported = modules_imported_by(RUN, *arguments)
    assert "cnninspect" in imported
    assert not imported & HEAVY


def test_shell_completion_imports_no_torch():
    completion = {"COMP_WORDS": "cnninspect su", "COMP_CWORD": "1"}
    imported = modules_imported_by(RUN, _CNNINSPECT_COMPLETE="complete_bash", **completion)
    assert "cnninspect" in imported
    assert not imported & HEAVY


def test_importing_the_package_imports_no_torch():
    imported = modules_imported_by("import cnninspect; cnninspect.__version__; dir(cnninspect)")
    assert not imported & (HEAVY | {"rich", "typer"})


def test_a_module_that_does_import_torch_is_noticed():
    assert "torch" in modules_imported_by("import torch")


def test_import_contracts_hold():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_commands_import_nothing_of_each_other_but_reports():
    folders = {path.parent.name for path in PACKAGE.glob("commands/*/command.py")}
    for path in PACKAGE.glob("commands/*/**/*.py"):
        own = path.relative_to(PACKAGE / "commands").parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            module = getattr(node, "module", None) or ""
            parts = module.split(".")
            if (
                parts[:2] == ["cnninspect", "commands"]
                and parts[2:3]
                and parts[2] in folders - {own}
            ):
                assert parts[3:] == ["report"], f"{path.relative_to(PACKAGE)} imports {module}"


def imported_files():
    """By file, the files of the package that it imports anywhere, but for types only."""
    names = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in MODULES}
    names = {name.removesuffix(".__init__"): name for name in names}
    found = {}
    for module, file in names.items():
        tree = ast.parse(PACKAGE.parent.joinpath(*file.split(".")).with_suffix(".py").read_text())
        found[module] = set()
        pending = list(tree.body)
        while pending:
            node = pending.pop()
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                continue
            pending += ast.iter_child_nodes(node)
            if isinstance(node, ast.Import):
                found[module] |= names.keys() & {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module in names:
                parts = {f"{node.module}.{alias.name}" for alias in node.names}
                of_package = {
                    alias.name for alias in node.names if f"{node.module}.{alias.name}" not in names
                }
                found[module] |= names.keys() & parts
                found[module] |= {node.module} if of_package else set()
        found[module].discard(module)
    return found


def test_no_files_import_each_other_in_a_circle():
    found = imported_files()
    assert sum(map(len, found.values())) > 1000
    is_done = False
    while not is_done:  # a file whose imports are all gone cannot be in one
        free = {module for module, imported in found.items() if not imported & found.keys()}
        found = {module: imported for module, imported in found.items() if module not in free}
        is_done = not free
    assert not found, {module: imported & found.keys() for module, imported in found.items()}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text())), f"{path.name} has no docstring"


def test_no_module_is_named_like_one_of_the_standard_library_or_like_nothing_at_all():
    vague = {"utils", "helpers", "common", "base", "core", "misc"}
    names = {path.stem for path in MODULES} | {path.parent.name for path in MODULES}
    assert not names & (set(sys.stdlib_module_names) | vague)


def test_every_module_can_be_imported_first():
    for module in pkgutil.walk_packages([str(PACKAGE)], "cnninspect."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_so_has_every_option(name):
    command = COMMAND.commands[name]
    assert command.help
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{name} {parameter.name} has no help"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_stands_in_the_docs(name):
    page = (ROOT / "docs" / "cli.md").read_text()
    section = re.search(rf"^## `{name}\b.*?(?=^## |\Z)", page, re.M | re.S)
    assert section, f"docs/cli.md has no section for {name}"
    for parameter in COMMAND.commands[name].params:
        for option in [o for o in parameter.opts if o.startswith("--")]:
            assert option in section.group(), f"docs/cli.md does not mention {option} of {name}"


@pytest.mark.parametrize("name", cnninspect.__all__)
def test_every_public_name_exists_and_says_what_it_is(name):
    value = getattr(cnninspect, name)
    assert isinstance(value, str) or value.__doc__


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nosuchname"):
        cnninspect.nosuchname  # noqa: B018


def text_files():
    kept = ("*.py", "*.md", "*.toml", "*.txt", "*.json", "*.csv", "*.typed", "run")
    for folder in ("cnninspect", "tests", "docs", ".ci"):
        for pattern in kept:
            yield from (ROOT / folder).rglob(pattern)
    for pattern in kept:
        yield from ROOT.glob(pattern)


def test_no_file_holds_a_path_of_somebodys_machine():
    machine_path = re.compile(r"(?<![\w.)}\"$*])/(?:work|root|home|Users|tmp/w|opt/pypi)/")
    found = {
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in text_files()
        for match in [machine_path.search(path.read_text())]
        if match
    }
    assert not found


def test_the_gate_runs_the_commands_of_the_readme():
    readme, gate = (ROOT / "README.md").read_text(), (ROOT / ".ci" / "run").read_text()
    main_job = "pip install -c constraints.txt . && cnninspect summary resnet34"
    install, test = "pip install -c constraints.txt -e '.[test]'", "pytest"
    assert main_job in readme
    assert f"{install} && {test}" in readme
    assert f'step user "{main_job}"\n' in gate
    assert f'step developer "{install}"\n' in gate
    assert f'step developer "{test} -n 2"\n' in gate  # the same, in two processes


@pytest.mark.parametrize("name", [n for n in cnninspect.__all__ if not n.startswith("_")])
def test_every_public_name_stands_in_the_docs(name):
    pages = "".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
    assert f"cnninspect.{name}" in pages
