"""How files of weights look, compared with files that somebody has read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cnninspect.commands.summary.weights_rendering import ITSELF, tree_of
from cnninspect.errors import BadOption, UnknownChoice
from cnninspect.page.formats import render
from cnninspect.records.checkpoint import Checkpoint, PickledGlobal, StoredTensor
from cnninspect.records.operations import TensorSpec


def stored(name: str, *shape: int, dtype: str = "float32", shares: str | None = None):
    spec = TensorSpec(shape, dtype)
    strides, step = [], 1
    for size in reversed(shape):
        strides.insert(0, step)
        step *= size
    return StoredTensor(name, spec, spec.nbytes, f"data/{len(name)}", 0, tuple(strides), shares)


def block(path: str, width: int):
    return (
        stored(f"{path}.norm.weight", width),
        stored(f"{path}.norm.bias", width),
        stored(f"{path}.mlp.fc.weight", 4 * width, width),
    )


def weights() -> Checkpoint:
    """Everything that a table can show: blocks alike, shared bytes, odd names, foreign classes."""
    return Checkpoint(
        reference="run/last.pth",
        format="pytorch zip",
        tensors=(
            stored("model.embed.weight", 1000, 64),
            *(tensor for i in range(3) for tensor in block(f"model.blocks.{i}", 64)),
            *block("model.blocks.3", 32),
            stored("model.head.weight", 1000, 64, shares="model.embed.weight"),
            stored("model.steps", dtype="int64"),
            stored("\x1b[31mred"),
        ),
        globals=(
            PickledGlobal("collections.OrderedDict", allowed=True),
            PickledGlobal("posix.system", allowed=False),
            PickledGlobal("wandb.\x1b]0;Config", allowed=False),
        ),
        metadata=(("epoch", "12"), ("arch", "tiny")),
        file_bytes=600_000,
        notes=("x was made by posix.system", "torch.load would refuse 2 of the names"),
    )


CASES = {
    "checkpoint_at_80.txt": {"width": 80},
    "checkpoint_at_120.txt": {"width": 120},
    "checkpoint_at_56.txt": {"width": 56, "level": 2},
    "checkpoint_whole_folded.txt": {"width": 100, "level": None, "fold": True},
    "checkpoint_human.txt": {"width": 100, "human": True, "level": 1},
    "checkpoint_in_colour.txt": {"width": 100, "color": True, "level": 1},
    "checkpoint_largest.txt": {"width": 100, "top": 3},
    "checkpoint_by_name.txt": {"width": 120, "sort": "path", "columns": ("elements", "stride")},
    "checkpoint.md": {"format": "markdown", "level": 2},
    "checkpoint.csv": {"format": "csv"},
    "checkpoint.json": {"format": "json"},
}


@pytest.mark.parametrize("name", CASES)
def test_a_file_of_weights_is_the_one_on_file(name, check_golden, fixed_versions):
    check_golden(render(weights(), **CASES[name]), name)


def test_what_would_run_code_stands_before_everything_else():
    text = render(weights())
    assert text.index("posix.system") < text.index("all tensors")
    safe = replace(weights(), globals=weights().globals[:1], notes=())
    assert "may run any code" not in render(safe)


def test_many_foreign_names_are_counted():
    many = tuple(PickledGlobal(f"some.Class{i}", allowed=False) for i in range(40))
    text = render(replace(weights(), globals=many))
    assert "asks for 40 names" in text
    assert "and 28 more" in text
    assert "some.Class20" not in text


def test_a_tree_adds_up_and_counts_shared_bytes_once():
    root = tree_of(weights().tensors, None)
    assert root.elements == weights().elements == 64000 + 3 * 16512 + 4160 + 2
    assert root.nbytes == weights().tensor_bytes
    pending = [root]
    while pending:
        node = pending.pop()
        pending += node.children
        if node.children:
            assert sum(child.elements for child in node.children) == node.elements
            assert sum(len(child.tensors) for child in node.children) == len(node.tensors)


def test_a_module_that_holds_one_thing_stands_on_one_line_with_it():
    names = [child.name for child in tree_of(weights().tensors, None).children[0].children]
    assert names == ["embed.weight", "blocks", "head.weight", "steps"]
    cut = tree_of(weights().tensors, 2).children[0].children
    assert [child.name for child in cut] == names
    assert cut[0].tensor is not None


def test_a_tensor_that_has_the_name_of_a_module_is_shown_within_it():
    root = tree_of((stored("a", 2), stored("a.b", 3), stored("", 4)), None)
    assert [child.name for child in root.children] == ["a", ITSELF]
    assert [child.name for child in root.children[0].children] == [ITSELF, "b"]
    assert root.elements == 9


def test_a_lone_tensor_is_the_whole_file():
    lone = replace(weights(), tensors=(stored("", 3, 4),))
    assert "all tensors    3×4  float32        12" in render(lone)
    assert "(the file itself)" in render(lone, sort="bytes")


def test_only_runs_that_are_alike_are_folded():
    text = render(weights(), fold=True, level=None)
    assert "0–2" in text
    assert "×3" in text
    assert "│  │  └─ 3 " in text


def test_a_file_without_tensors_says_so():
    assert "0 tensors · 0 elements · 0 bytes" in render(replace(weights(), tensors=()))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"columns": ("macs",)}, UnknownChoice),
        ({"sort": "macs"}, UnknownChoice),
        ({"level": -1}, BadOption),
        ({"top": 0}, BadOption),
        ({"fold": True, "top": 3}, BadOption),
    ],
)
def test_what_is_of_no_use_is_refused(options, error):
    with pytest.raises(error):
        render(weights(), **options)


def test_columns_of_networks_have_their_like():
    for name in ("parameters", "parameter_bytes", "output"):
        assert render(weights(), columns=(name,))
    assert render(weights(), sort="parameters") == render(weights(), sort="elements")


@pytest.mark.parametrize("options", [{}, {"sort": "bytes"}, {"level": 0}])
def test_the_total_is_computed_once_and_not_anew_for_every_row(options, monkeypatch):
    asked = []
    total = Checkpoint.elements.fget

    def counting(report):
        asked.append(None)
        return total(report)

    monkeypatch.setattr(Checkpoint, "elements", property(counting))
    counts = []
    for size in (10, 100):
        asked.clear()
        tensors = tuple(stored(f"a{i}.weight", 3) for i in range(size))
        render(replace(weights(), tensors=tensors), **options)
        counts.append(len(asked))
    assert counts[0] == counts[1] < 10


def test_a_long_value_is_cut_in_a_table_and_whole_in_data():
    report = replace(weights(), metadata=(("notes", "x" * 1_000_000),))
    text = render(report)
    assert "(1,000,000 characters)" in " ".join(text.split())
    assert len(text) < 10_000
    assert "x" * 1_000_000 in render(report, format="json")


def test_names_of_many_levels_make_a_tree_without_copies_of_their_rest():
    names = ["x"] * 90
    tensors = tuple(stored(".".join([*names, str(i)]), 1) for i in range(3))
    (module,) = tree_of(tensors, None).children
    assert module.name == ".".join(names)
    assert [child.name for child in module.children] == ["0", "1", "2"]
    assert [child.path for child in module.children] == [t.name for t in tensors]
