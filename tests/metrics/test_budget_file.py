"""Budget files: what they may say, and where they are wrong."""

import pytest

from cnninspect.commands.check.budget_file import combined, parse_budget, typed_budget
from cnninspect.errors import (
    BadBudget,
    BadOption,
    BadQuantity,
    Contradiction,
    FileUnreadable,
    UnknownKey,
)

WHOLE = """\
# what we can afford
max_params = "25M"
forbid = "Dropout*"

[models.resnet34]
max_macs = 4_000_000_000
min_coverage = "99%"
baseline = "resnet18"
max_growth = { params = "90%", macs = 0.5 }
input = ["3x160x160"]
batch = 2

[models.resnet34.layers]
"layer4.*" = { max_params = "60%" }
fc = { max_macs = "1M", each = true }

[models."net.py:make@width=8"]
max_params = "1M"
"""


def test_a_model_has_its_own_rules_and_the_general_ones():
    content = parse_budget(WHOLE, "budget.toml")
    (name, budget), (other, narrow) = content.models
    assert (name, other) == ("resnet34", "net.py:make@width=8")
    assert [limit.name for limit in budget.limits] == ["max_params", "max_macs"]
    assert [rule.text for rule in budget.forbidden] == ["Dropout*"]
    assert budget.inputs == ("3x160x160",)
    assert budget.batch == 2
    assert [rule.pattern for rule in budget.layers] == ["layer4.*", "fc"]
    assert [rule.each for rule in budget.layers] == [False, True]
    assert [(g.quantity, float(g.bound.value)) for g in budget.growth] == [
        ("params", 0.9), ("macs", 0.5),
    ]  # fmt: skip
    assert [limit.bound.text for limit in narrow.limits] == ["1M"]  # its own replaces the general


def test_every_rule_knows_its_line():
    ((_, budget), _) = parse_budget(WHOLE, "budget.toml").models
    assert [limit.line for limit in budget.limits] == [2, 6]
    assert [rule.line for rule in budget.forbidden] == [3]
    assert [rule.line for rule in budget.layers] == [14, 15]
    assert budget.coverage_line == 7


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("max_prams = 1", UnknownKey, "max_params"),
        ("[models.a]\nmax_mac = 1", UnknownKey, "max_macs"),
        ('[models.a.layers]\nfc = { max_param = "1M" }', UnknownKey, "max_params"),
        ('max_growth = { parms = "1%" }', UnknownKey, "params"),
        ("max_params = true", BadBudget, "max_params = True"),
        ("max_params = [1]", BadBudget, "max_params"),
        ('max_params = "22X"', BadQuantity, "budget.toml:1"),
        ('min_coverage = "101%"', BadQuantity, "at most 100%"),
        ('min_coverage = "22M"', BadQuantity, "a share"),
        ("models = 3", BadBudget, "models"),
        ("[models]\na = 3", BadBudget, "a is no table"),
        ("layers = 3", BadBudget, "layers"),
        ("[layers]\nfc = 3", BadBudget, "fc"),
        ("[layers]\nfc = {}", BadBudget, "no limit"),
        ('[layers]\nfc = { max_params = "1M", each = 2 }', BadBudget, "each"),
        ("forbid = [1]", BadBudget, "forbid"),
        ("batch = 0", BadBudget, "batch"),
        ('mode = "test"', BadBudget, "eval or train"),
        ('max_params = "1M"\nmin_params = "2M"', Contradiction, "min_params = 2M"),
        ('min_macs = "2G"\n[models.a]\nmax_macs = "1G"', Contradiction, "of a"),
        ("max_params = ", FileUnreadable, "not TOML"),
    ],
)
def test_what_is_wrong_is_named(text, error, told):
    with pytest.raises(error) as caught:
        parse_budget(text, "budget.toml")
    assert told in f"{caught.value} {caught.value.hint}"


def test_the_line_of_a_mistake_is_told():
    with pytest.raises(UnknownKey, match=r"budget\.toml:4"):
        parse_budget("\n[models.a]\nmax_params = 1\nmax_mac = 2\n", "budget.toml")


def test_options_are_read_as_the_file_is():
    budget = typed_budget({"max_params": "22M", "min_macs": None, "forbid": ["LSTM"]})
    assert [limit.name for limit in budget.limits] == ["max_params"]
    assert budget.checks_something
    assert not typed_budget({"batch": 2}).checks_something
    with pytest.raises(BadQuantity, match=r"max.macs"):
        typed_budget({"max_macs": "much"})
    with pytest.raises(BadOption, match="batch"):
        typed_budget({"batch": 0})
    with pytest.raises(TypeError, match="max_prams"):
        typed_budget({"max_prams": 1})


def test_what_was_typed_replaces_the_file():
    general = parse_budget('max_params = "1M"\nmax_macs = "1G"', "budget.toml").general
    both = combined(general, typed_budget({"max_params": "2M"}))
    assert [(limit.name, limit.bound.text) for limit in both.limits] == [
        ("max_macs", "1G"), ("max_params", "2M"),
    ]  # fmt: skip
