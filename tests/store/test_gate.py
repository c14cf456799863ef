"""`cnninspect.check` with budget files and lock files."""

import json

import pytest

import cnninspect
from cnninspect.commands.check import lock_text
from cnninspect.errors import (
    BadBudget,
    BadQuantity,
    FileMissing,
    FileUnreadable,
    NothingToCheck,
    UnknownModel,
)
from cnninspect.testing import assert_budget


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_every_model_of_a_file_is_checked(write):
    path = write(
        "budget.toml", '[models.mlp]\nmax_params = "1k"\n[models.lenet5]\nmax_params = "1M"'
    )
    report = cnninspect.check(budget=path)
    assert [(limit.model, limit.ok, limit.line) for limit in report.limits] == [
        ("mlp", False, 2), ("lenet5", True, 4),
    ]  # fmt: skip
    assert [model.ok for model in report.models] == [False, True]
    assert not report.ok


def test_one_model_of_a_file_may_be_named_and_limits_typed(write):
    path = write(
        "budget.toml", '[models.mlp]\nmax_params = "1k"\n[models.lenet5]\nmax_params = "1M"'
    )
    report = cnninspect.check("mlp", budget=path, max_params="1M", max_macs="1M")
    assert report.ok
    assert [(limit.name, limit.text) for limit in report.limits] == [
        ("max_params", "1M"), ("max_macs", "1M"),
    ]  # fmt: skip


def test_general_limits_hold_for_any_model(write):
    path = write("budget.toml", 'max_params = "1M"')
    assert cnninspect.check("mlp", budget=path).ok
    with pytest.raises(NothingToCheck, match="names no model"):
        cnninspect.check(budget=path)


def test_a_model_that_the_file_has_no_limits_for_does_not_pass(write):
    path = write("budget.toml", '[models.lenet5]\nmax_params = "1M"')
    with pytest.raises(NothingToCheck) as caught:
        cnninspect.check("lenet6", budget=path)
    assert "lenet5" in caught.value.hint


def test_settings_of_the_file_are_used(write):
    path = write("budget.toml", '[models.resnet20]\nmax_macs = "1G"\ninput = "3x64x64"\nbatch = 2')
    report = cnninspect.check(budget=path)
    assert report.models[0].inputs[0].spec.shape == (2, 3, 64, 64)
    assert (
        report.limits[0].value == 2 * cnninspect.summarize("resnet20", (1, 3, 64, 64)).totals.macs
    )


def test_a_model_that_fails_does_not_hide_the_others(write):
    path = write("budget.toml", 'max_params = "1M"\n[models.nosuch]\n[models.mlp]\n')
    report = cnninspect.check(budget=path)
    assert not report.ok
    assert [problem.reference for problem in report.failed] == ["nosuch"]
    assert report.models[0].ok
    with pytest.raises(UnknownModel):
        cnninspect.check("nosuch", max_params=1)


def test_files_that_are_not_there_or_not_text_are_errors(write, tmp_path):
    with pytest.raises(FileMissing):
        cnninspect.check(budget=tmp_path / "none.toml")
    path = tmp_path / "budget.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileUnreadable, match="UTF-8"):
        cnninspect.check(budget=path)
    with pytest.raises(FileUnreadable):
        cnninspect.check(budget=tmp_path)


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path):
    path = tmp_path / "budget.toml"
    path.write_bytes(b'\xef\xbb\xbf[models.mlp]\nmax_params = "1M"\n')
    assert cnninspect.check(budget=path).ok


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('max_params = "60%"', "line 2 of the budget: max_params '60%'"),
        ('max_growth = "2%"', "line 2 of the budget: max_growth '2%'"),
    ],
)
def test_a_share_without_a_baseline_names_its_line(write, text, told):
    with pytest.raises(BadQuantity, match=told) as caught:
        cnninspect.check(budget=write("budget.toml", f"[models.mlp]\n{text}\n"))
    assert "--" not in caught.value.hint


@pytest.fixture
def locked(write):
    def lock(model, name="cnninspect.lock"):
        return write(name, lock_text(model, name)[0])

    return lock


def test_what_was_locked_has_not_moved(locked):
    report = cnninspect.check(locked=locked("lenet5_modern"))
    assert report.ok
    assert report.models[0].structure.startswith("sha256:")


def test_what_moved_is_told_layer_by_layer(locked, write):
    path = locked("resnet20@num_classes=5")
    path.write_text(path.read_text().replace("resnet20@num_classes=5", "resnet20"))
    report = cnninspect.check("resnet20", locked=path)
    assert not report.ok
    assert report.limits[0].name == "locked"
    (difference,) = report.differences
    assert {change.new.path for change in difference.changes} == {"", "fc"}


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("macs", "MACs 9 → "),
        ("parameters", "parameters 9 → "),
        ("buffers", "buffers or trainable parameters"),
        ("trainable_parameters", "buffers or trainable parameters"),
    ],
)
def test_totals_alone_that_moved_are_noticed(locked, field, said):
    path = locked("mlp")
    content = json.loads(path.read_text())
    content["models"]["mlp"]["totals"][field] = 9
    path.write_text(json.dumps(content))
    report = cnninspect.check("mlp", locked=path)
    assert not report.ok
    assert said in report.limits[0].reason
    assert report.limits[0].value == 0


def test_a_structure_that_moved_is_noticed_where_totals_stayed(locked):
    path = locked("mlp")
    content = json.loads(path.read_text())
    content["models"]["mlp"]["structure"] = "sha256:0"
    path.write_text(json.dumps(content))
    assert not cnninspect.check("mlp", locked=path).ok


def test_what_moved_because_of_the_input_says_so(write):
    path = write("cnninspect.lock", lock_text("resnet20", "none.lock", input=["3x64x64"])[0])
    report = cnninspect.check("resnet20", locked=path, input=["3x32x32"], mode="train")
    assert "input 1×3×64×64 float32 → 1×3×32×32 float32; mode eval → train" in (
        report.limits[0].reason
    )


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("resnet20", {"input": ["2x3x64x64"], "mode": "train"}),
        ("lstm", {"input": ["2x9x28"]}),
        ("resnet20", {"batch": 3}),
    ],
)
def test_a_model_is_run_as_it_was_when_it_was_locked(write, model, settings):
    path = write("cnninspect.lock", lock_text(model, "none.lock", **settings)[0])
    report = cnninspect.check(model, locked=path, baseline=model, max_growth="0%")
    assert report.ok
    assert len(report.limits) == 5
    assert report.models[0].inputs == cnninspect.check(locked=path).models[0].inputs


def test_a_baseline_that_is_not_there_names_its_line(write):
    text = '[models.mlp]\nbaseline = "mpl"\nmax_growth = "2%"\n'
    with pytest.raises(
        BadBudget, match=r"budget.toml:2: baseline: .*no model called 'mpl'"
    ) as told:
        cnninspect.check(budget=write("budget.toml", text))
    assert "did you mean mlp" in told.value.hint


def test_models_are_put_beside_those_that_are_there(locked):
    path = locked("mlp")
    text, differences = lock_text("lenet5", path)
    assert differences == ()
    path.write_text(text)
    assert len(cnninspect.check(locked=path).models) == 2
    assert lock_text("mlp", path)[0] == text


def test_what_moved_is_told_before_it_is_written(locked):
    path = locked("mlp")
    path.write_text(path.read_text().replace('"macs": 25600', '"macs": 25601'))
    _, differences = lock_text("mlp", path)
    assert differences == ()  # the hash is what counts, and that was left as it was
    path.write_text(path.read_text().replace("sha256:", "sha256:0"))
    _, (difference,) = lock_text("mlp", path)
    assert difference.changes[0].what == ("macs",)


def test_a_model_that_is_not_locked_is_an_error(locked):
    with pytest.raises(BadBudget, match="no model 'lenet5'"):
        cnninspect.check("lenet5", locked=locked("mlp"))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": "cnninspect.lock/1", "models": {"a": 1}}']
)
def test_a_damaged_lock_file_is_an_error(write, text):
    with pytest.raises(FileUnreadable):
        cnninspect.check("mlp", locked=write("cnninspect.lock", text))


def test_a_lock_file_may_be_the_baseline(locked):
    path = locked("lenet5_modern")
    report = cnninspect.check("lenet5_modern", baseline=str(path), max_growth="0%")
    assert report.ok
    bigger = cnninspect.check("lenet5_modern@num_classes=11", baseline=str(path), max_growth="0%")
    assert [limit.ok for limit in bigger.limits] == [False, False, False, False]


def test_a_line_of_a_lock_file_is_a_layer(locked):
    text = locked("mlp").read_text()
    layers = len(cnninspect.trace("mlp").layers)
    assert sum('"path"' in line for line in text.splitlines()) == layers
    assert max(line.count('"path"') for line in text.splitlines()) == 1


def test_the_assertion_passes_or_shows_the_table():
    report = assert_budget("mlp", max_params="1M")
    assert report.ok
    with pytest.raises(AssertionError, match=r"FAIL  parameters +≤ 1,000 +28,326") as caught:
        assert_budget("mlp", max_params="1k")
    assert str(caught.value).startswith("over budget: 1 of 1 limit")  # pytest's summary shows it
