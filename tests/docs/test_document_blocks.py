"""What the blocks of a document mean."""

import pytest
from documents import executed


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def block(info, *lines):
    return "\n".join(["Before.", "", f"```{info}", *lines, "```", "", "After.", ""])


def test_stale_output_of_a_command_is_replaced():
    stale = block("console", "$ cnninspect --version", "cnninspect 0.0.0-never")
    fresh = executed(stale)
    assert "never" not in fresh
    assert fresh.startswith("Before.\n\n```console\n$ cnninspect --version\n")
    assert fresh.endswith("\n```\n\nAfter.\n")
    assert executed(fresh) == fresh


def test_other_lines_and_blocks_are_left_alone():
    for text in (
        block("console", "$ pip install something", "Successfully installed something"),
        block("console no-run", "$ cnninspect --version", "whatever"),
        block("python no-run", "raise SystemExit"),
        block("text", "$ cnninspect --version"),
    ):
        assert executed(text) == text


def test_a_command_may_run_over_several_lines():
    fresh = executed(block("console", "$ cnninspect \\", "    --version", "stale"))
    assert "stale" not in fresh
    assert "$ cnninspect \\\n    --version\ncnninspect " in fresh


def test_the_exit_code_of_the_command_before_can_be_shown():
    fresh = executed(block("console", "$ cnninspect summary nosuchmodel", "$ echo $?", "stale"))
    assert "\n$ echo $?\n2\n```" in fresh


def test_a_pipe_is_given_to_a_shell():
    fresh = executed(block("console", "$ cnninspect --version | tr a-z A-Z"))
    assert "\nCNNINSPECT " in fresh


def test_python_examples_show_values_prints_and_errors():
    text = block(
        "python",
        ">>> 1 + 1",
        "3",
        ">>> print('a\\n\\nb')",
        ">>> {}['key']",
        "Traceback",
        ">>> x = 5",
    )
    assert executed(text) == block(
        "python",
        ">>> 1 + 1", "2",
        ">>> print('a\\n\\nb')", "a", "<BLANKLINE>", "b",
        ">>> {}['key']", "Traceback (most recent call last):", "  ...", "KeyError: 'key'",
        ">>> x = 5",
    )  # fmt: skip


def test_an_error_where_none_stood_is_not_written_down():
    with pytest.raises(KeyError):
        executed(block("python", ">>> {}['key']", "5"))


def test_a_defect_is_not_written_down(monkeypatch):
    import documents

    monkeypatch.setattr(documents, "run_here", lambda _line: (1, f"hint: {documents.DEFECT}\n"))
    with pytest.raises(AssertionError, match="cnninspect summary x"):
        executed(block("console", "$ cnninspect summary x"))


def test_python_blocks_share_their_names():
    text = block("python", "x = 6") + block(
        "python", ">>> for i in range(2):", "...     x += i", ">>> x"
    )
    assert ">>> x\n7\n" in executed(text)


def test_a_python_block_without_prompts_must_run():
    with pytest.raises(ZeroDivisionError):
        executed(block("python", "1 / 0"))


def test_a_named_python_block_is_written_to_its_file(tmp_path):
    text = block("python net.py", "WIDTH = 3")
    assert executed(text) == text
    assert (tmp_path / "net.py").read_text() == "WIDTH = 3\n"


def test_a_block_of_times_stays_where_only_times_differ(monkeypatch):
    import documents

    def printing(text):
        monkeypatch.setattr(documents, "run_here", lambda _: (0, text))

    said = block(
        "console times", "$ cnninspect time net", "conv1    1.25 ms   3.1", "machine  A, 2 threads"
    )
    printing("conv1  340 µs  <0.1\nmachine  B, 1 thread\nwhat to know of these times:\n  busy\n")
    assert executed(said) == said
    printing("conv2  1.25 ms  3.1\nmachine  A, 2 threads\n")
    assert "conv2" in executed(said)
