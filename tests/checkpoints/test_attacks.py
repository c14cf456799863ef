"""Files that run code when torch.load opens them: PyTorch's own behaviour is the judge."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pickle_attacks import attacks

from cnninspect.checkpoints import read_checkpoint
from cnninspect.errors import CnnInspectError

NAMES = list(attacks("/nowhere/marker"))

JUDGE = """
import contextlib, json, os, sys, warnings
import torch
warnings.simplefilter("ignore")
ran = []
for number, name in enumerate(json.load(open(sys.argv[1]))):
    with contextlib.suppress(BaseException), open(os.devnull, "w") as nowhere:
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            torch.load(f"{number}.pth", weights_only=False)
    if os.path.lexists(f"{os.getcwd()}/m{number}"):
        ran.append(name)
print(json.dumps(ran))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every file by its number, each with a marker of its own."""
    made = tmp_path_factory.mktemp("attacks")
    for number, name in enumerate(NAMES):
        (made / f"{number}.pth").write_bytes(attacks(str(made / f"m{number}"))[name])
    return made


@pytest.fixture(scope="module")
def seen(folder: Path) -> dict[str, str]:
    """What is said of each file; read before the judge runs them."""
    found = {}
    for number, name in enumerate(NAMES):
        try:
            checkpoint = read_checkpoint(folder / f"{number}.pth")
        except CnnInspectError as problem:
            found[name] = f"refused: {problem}"
            continue
        asked = [item.name for item in checkpoint.globals if not item.allowed]
        found[name] = f"flagged: {', '.join(asked)}" if asked else "nothing"
    found["markers"] = " ".join(path.name for path in folder.glob("m*"))
    return found


@pytest.fixture(scope="module")
def ran(folder: Path, seen: dict[str, str]) -> set[str]:
    """The files whose code torch.load runs."""
    (folder / "names.json").write_text(json.dumps(NAMES))
    done = subprocess.run(
        [sys.executable, "-c", JUDGE, "names.json"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_there_are_a_hundred_and_most_of_them_work(ran: set[str]) -> None:
    assert len(NAMES) >= 108
    assert len(ran) >= 0.85 * len(NAMES)


def test_reading_them_runs_none(seen: dict[str, str]) -> None:
    assert seen["markers"] == ""


@pytest.mark.parametrize("name", NAMES)
def test_what_torch_would_run_is_flagged_or_refused(
    seen: dict[str, str], ran: set[str], name: str
) -> None:
    assert seen[name] != "nothing" or name not in ran
