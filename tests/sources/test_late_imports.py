"""What code imports only when it runs is found, by every question, and not left behind."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy
import pytest

import cnninspect

NET = """
from torch import nn
from beside import Marked

class Net(nn.Module):
    def __init__(self, width: int = 8):
        super().__init__()
        self.flat, self.fc, self.mark = nn.Flatten(), nn.Linear(64, width), Marked()

    def forward(self, x):
        from beside import Marked, double
        from inner.deep import shift
        assert type(self.mark) is Marked, "another copy of what was imported before"
        return double(shift(self.fc(self.flat(x))))

whole = Net(5)
"""
BESIDE = """
class Marked:
    pass

def double(x):
    import later
    return later.times(x, 2)
"""


@pytest.fixture
def net(tmp_path: Path) -> str:
    folder = tmp_path / "mine"
    (folder / "inner").mkdir(parents=True)
    (folder / "net.py").write_text(NET)
    (folder / "beside.py").write_text(BESIDE)
    (folder / "later.py").write_text("import net\n\ndef times(x, by):\n    return x * by\n")
    (folder / "inner" / "deep.py").write_text("def shift(x):\n    return x + 1\n")
    draws = numpy.random.default_rng(0)
    numpy.savez(tmp_path / "data.npz", x=draws.random((20, 1, 8, 8), "float32"), y=[0, 1] * 10)
    return f"{folder}/net.py:"


SHAPE = (1, 1, 8, 8)
QUESTIONS = {
    "trace": lambda net, _: cnninspect.trace(net, SHAPE),
    "summarize": lambda net, _: cnninspect.summarize(net, SHAPE, backward=True),
    "memory": lambda net, _: cnninspect.memory(net, SHAPE),
    "gradients": lambda net, _: cnninspect.gradients(net, (2, 1, 8, 8)),
    "activations": lambda net, _: cnninspect.activations(net, SHAPE),
    "lint": lambda net, _: cnninspect.lint(net, SHAPE),
    "graph": lambda net, _: cnninspect.graph(net, SHAPE),
    "scale": lambda net, _: cnninspect.scale(net, SHAPE, over="batch", sizes=(1, 2)),
    "time": lambda net, _: cnninspect.time(net, SHAPE, seconds=1e-4, runs=2, device_spec="a100"),
    "export_onnx": lambda net, path: cnninspect.export_onnx(net, path / "x.onnx", SHAPE),
    "train": lambda net, path: cnninspect.train(
        net, SHAPE, data=str(path / "data.npz"), epochs=1, batch=8
    ),
    "evaluate": lambda net, path: cnninspect.evaluate(
        net, SHAPE, data=str(path / "data.npz"), part="all"
    ),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_finds_what_forward_imports(name: str, net: str, tmp_path: Path) -> None:
    path, modules = list(sys.path), set(sys.modules)
    QUESTIONS[name](f"{net}Net", tmp_path)
    assert sys.path[: len(path)] == path  # libraries may add something of their own
    assert net.removesuffix("/net.py:") not in sys.path
    assert not {"net", "beside", "later", "inner", "inner.deep"} & (set(sys.modules) - modules)


def test_a_module_that_a_file_holds_finds_it_too(net: str) -> None:
    assert cnninspect.summarize(f"{net}whole", SHAPE).totals.macs == 64 * 5


def test_what_a_package_imports_when_it_runs_is_found(
    net: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(net.removesuffix("net.py:")))
    assert cnninspect.summarize("net:Net", SHAPE).totals.macs == 64 * 8
    assert "beside" not in sys.modules


def test_a_path_that_the_code_makes_for_itself_is_there_when_it_runs(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "widths.py").write_text("WIDTH = 3\n")
    (tmp_path / "net.py").write_text(
        "import os, sys, torch\n"
        "sys.path.append(os.path.join(os.path.dirname(__file__), 'parts'))\n"
        "class Net(torch.nn.Linear):\n"
        "    def __init__(self):\n"
        "        super().__init__(4, 2)\n"
        "    def forward(self, x):\n"
        "        import widths\n"
        "        return super().forward(x) * widths.WIDTH\n"
    )
    before = list(sys.path)
    assert cnninspect.summarize(f"{tmp_path}/net.py:Net", (1, 4)).totals.macs == 8
    assert sys.path == before
    assert "widths" not in sys.modules


def test_an_error_and_an_interrupt_leave_the_path_as_it_was(tmp_path: Path) -> None:
    code = (
        "import torch\n"
        "class Net(torch.nn.Linear):\n"
        "    def __init__(self, kind: str):\n"
        "        super().__init__(4, 2)\n"
        "        self.kind = kind\n"
        "    def forward(self, x):\n"
        "        import beside\n"
        "        raise beside.KINDS[self.kind]\n"
    )
    (tmp_path / "net.py").write_text(code)
    (tmp_path / "beside.py").write_text("KINDS = {'e': ValueError('x'), 'i': KeyboardInterrupt()}")
    before = list(sys.path)
    for kind, raised in (("e", cnninspect.CnnInspectError), ("i", KeyboardInterrupt)):
        with pytest.raises(raised):
            cnninspect.summarize(f"{tmp_path}/net.py:Net@kind={kind}", (1, 4))
        assert sys.path == before
        assert "beside" not in sys.modules


def test_threads_do_not_mix_up_what_lies_beside_two_files(tmp_path: Path) -> None:
    code = (
        "import torch\n"
        "class Net(torch.nn.Linear):\n"
        "    def __init__(self):\n"
        "        super().__init__(4, 2)\n"
        "    def forward(self, x):\n"
        "        import beside\n"
        "        return super().forward(x.repeat(beside.TIMES, 1))\n"
    )
    for times in (1, 2, 3):
        (tmp_path / str(times)).mkdir()
        (tmp_path / str(times) / "net.py").write_text(code)
        (tmp_path / str(times) / "beside.py").write_text(f"TIMES = {times}\n")
    found: dict[int, list[int]] = {}

    def trace(times: int) -> None:
        reference = f"{tmp_path}/{times}/net.py:Net"
        asked = (cnninspect.summarize(reference, (1, 4)) for _ in range(5))
        found[times] = [report.totals.macs for report in asked]

    threads = [threading.Thread(target=trace, args=(times,)) for times in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {times: [8 * times] * 5 for times in (1, 2, 3)}
