"""Any file at all is opened or refused by one clear error, in time, and leaves nothing behind.

`pytest tests/fuzz --campaign 10000` tries so many, and prints the table of docs/security.md.
"""

from __future__ import annotations

from collections import Counter

import pytest
from campaign import BAD, GOOD, run, table
from inputs import SEEDS, made, whole

FEW = {"ONNX": 150, "torch.export": 60, "TorchScript": 80, "configuration": 60, "budget": 150,
       "lock": 100, "weights that are loaded": 80, "predictions": 100, "data set": 100,
       "settings": 100, "LiteRT": 100, "arrays": 100}  # fmt: skip
"""Files of the kinds that take long; 300 of the others."""


def numbers(kind: str) -> range:
    return range(FEW.get(kind, 300))


@pytest.fixture(scope="module")
def outcomes() -> dict[str, list[tuple[int, str, str]]]:
    """What came of the files of each kind."""
    found: dict[str, list[tuple[int, str, str]]] = {kind: [] for kind in SEEDS}
    for kind, number, result, detail in run((k, n) for k in SEEDS for n in numbers(k)):
        found[kind].append((number, result, detail))
    return found


@pytest.mark.parametrize("kind", SEEDS)
def test_every_file_is_opened_or_refused(outcomes, kind: str) -> None:
    wrong = [(number, result, detail) for number, result, detail in outcomes[kind]
             if result not in GOOD]  # fmt: skip
    assert not wrong, "\n".join(f"{kind} {n}: {r} {d}" for n, r, d in wrong[:5])
    assert len(outcomes[kind]) == len(numbers(kind))


@pytest.mark.parametrize("kind", SEEDS)
def test_some_files_of_each_kind_are_refused(outcomes, kind: str) -> None:
    assert any(result == "refused" for _, result, _ in outcomes[kind])


@pytest.mark.parametrize("kind", ["budget", "configuration", "index of files"])
def test_the_files_are_damaged(kind: str) -> None:
    assert sum(made(kind, number) not in whole(kind) for number in range(10)) >= 8


def test_a_file_is_the_same_in_every_run() -> None:
    assert made("budget", 3) == made("budget", 3) != made("budget", 4)


def test_a_campaign(pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]) -> None:
    files = pytestconfig.getoption("--campaign")
    if not files:
        pytest.skip("--campaign N tries N files")
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in SEEDS}
    kinds, wrong = list(SEEDS), []
    for kind, number, result, detail in run((kinds[i % len(kinds)], i) for i in range(files)):
        counts[kind][result] += 1
        if result in BAD:
            wrong.append(f"{kind} {number}: {result} {detail}")
    with capsys.disabled():
        print("\n" + table(counts))
        print("\n".join(wrong))
    assert not wrong
