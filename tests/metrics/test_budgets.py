"""Networks held against budgets."""

import pytest
import torch
from torch import nn

import cnninspect
from cnninspect.errors import BadQuantity, NothingToCheck, PatternMatchesNothing


class Tiny(nn.Module):
    """12 + 4·5 parameters in three layers of two types."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(3, 4, bias=False), nn.Dropout(), nn.Linear(4, 4, bias=False)
        )
        self.head = nn.Linear(4, 1, bias=False)

    def forward(self, x):
        return self.head(self.body(x))


def check(**rules):
    return cnninspect.check(Tiny(), (1, 3), **rules)


def one(report):
    (limit,) = report.limits
    return limit


def test_limits_of_the_whole_are_kept_up_to_their_number():
    assert one(check(max_params=32)).ok
    broken = check(max_params=31)
    assert not broken.ok
    assert (one(broken).limit, one(broken).value) == (31, 32)


@pytest.mark.parametrize(
    ("pattern", "parameters"),
    [("body", 28), ("body.*", 28), ("*.0", 12), ("head", 4), ("*", 32), ("b*", 28)],
)
def test_layers_that_a_pattern_fits_count_together_and_each_once(pattern, parameters):
    limit = one(check(layers={pattern: {"max_params": 0}}))
    assert limit.value == parameters
    assert limit.layers == pattern


def test_a_share_of_layers_is_one_of_the_network():
    limit = one(check(layers={"body": {"max_params": "50%"}}))
    assert (limit.limit, limit.value, limit.ok) == (16, 28, False)
    assert "32" in limit.reason


def test_each_layer_by_itself_is_told_by_the_worst():
    limit = one(check(layers={"body.*": {"max_params": 14, "each": True}}))
    assert (limit.value, limit.ok) == (16, False)
    assert "body.2" in limit.reason
    assert "body.0" not in limit.reason


def test_forbidden_types_are_found_by_pattern_or_full_name():
    assert one(check(forbid="torch.nn.Dropout")).value == 1
    assert one(check(forbid="Drop*")).reason == "body.1"
    assert one(check(forbid="LSTM")).ok


def test_growth_is_measured_against_the_baseline():
    report = cnninspect.check(
        "lenet5_modern", baseline="lenet5_modern@num_classes=9", max_growth={"params": "0.1%"}
    )
    limit = one(report)
    assert not limit.ok
    assert limit.value == 61_706
    assert limit.limit == 61_682  # 61,621 and a thousandth of it
    loose = cnninspect.check(
        "lenet5_modern", baseline="lenet5_modern@num_classes=9", max_growth="2%"
    )
    assert loose.ok
    assert len(loose.limits) == 4


def test_a_share_of_the_whole_is_one_of_the_baseline():
    report = cnninspect.check("mlp", baseline="lenet5_modern", max_params="40%")
    assert one(report).limit == 24_682
    with pytest.raises(BadQuantity, match=r"max.params"):
        cnninspect.check("mlp", max_params="40%")


def test_unknown_operations_make_a_limit_on_work_fail_unless_so_much_is_allowed():
    class Odd(nn.Module):
        def forward(self, x):
            return torch.fft.fft2(x).real

    rules = {"inputs": (1, 3, 8, 8)}
    assert cnninspect.check(Odd(), **rules, max_params=10).ok
    strict = cnninspect.check(Odd(), **rules, max_macs="1G")
    assert [(limit.name, limit.ok) for limit in strict.limits] == [
        ("max_macs", True), ("min_coverage", False),
    ]  # fmt: skip
    assert "fft" in strict.limits[1].reason
    assert cnninspect.check(Odd(), **rules, max_macs="1G", min_coverage="0%").ok


def test_a_pattern_that_fits_nothing_is_an_error():
    with pytest.raises(PatternMatchesNothing, match=r"boddy\.\*"):
        check(layers={"boddy.*": {"max_params": 10}})


@pytest.mark.parametrize(
    "rules",
    [{}, {"batch": 2}, {"baseline": "mlp", "max_params": "10M"}],
    ids=["nothing", "settings", "baseline for nothing"],
)
def test_a_gate_that_checks_nothing_does_not_pass(rules):
    with pytest.raises(NothingToCheck):
        cnninspect.check("mlp", **rules)


def test_growth_needs_a_baseline():
    with pytest.raises(BadQuantity, match=r"max.growth"):
        cnninspect.check("mlp", max_growth="2%")


def test_bytes_follow_the_dtype_asked_for():
    assert check(max_bytes="32B", dtype="int8").ok
    assert not check(max_bytes="32B").ok
    assert one(check(layers={"head": {"max_bytes": 0}}, dtype="float16")).value == 8
