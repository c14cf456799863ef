"""Registering one's own operators, by hand and by entry point."""

from importlib.metadata import EntryPoint

import pytest

from cnninspect.costs import cost_of, register, register_free, register_unknown, registry
from cnninspect.costs import registry as plugins
from cnninspect.records.operations import Cost, CostState, Operation, TensorSpec

SCAN = Operation("mylib.scan", (("x", TensorSpec((2, 3))),), (TensorSpec((2, 3)),))


@pytest.fixture(autouse=True)
def _tables_as_they_were(monkeypatch):
    for table in ("_counted", "_free", "_unknown"):
        monkeypatch.setattr(registry, table, dict(getattr(registry, table)))


def test_a_formula_may_return_plain_macs():
    register("mylib.scan", lambda operation: 7 * operation.tensor("x").numel)
    costed = cost_of(SCAN)
    assert costed.state is CostState.COUNTED
    assert costed.cost == Cost(macs=42, activations=6)


def test_a_formula_may_return_a_cost():
    register("mylib.scan", lambda operation: Cost(macs=5, activations=1))
    assert cost_of(SCAN).cost == Cost(macs=5, activations=1)


def test_an_operation_may_be_free_or_unknown_for_a_reason():
    register_free("mylib.scan", "it only moves data")
    register_unknown("mylib.solve", "its steps depend on values")
    assert cost_of(SCAN).reason == "it only moves data"
    solve = cost_of(Operation("mylib.solve", (), ()))
    assert (solve.state, solve.reason) == (CostState.UNKNOWN, "its steps depend on values")


@pytest.mark.parametrize("again", [register, register_free, register_unknown])
@pytest.mark.parametrize("name", ["aten.mm", "aten.add", "aten._fft_r2c"])
def test_registering_a_name_twice_raises(again, name):
    with pytest.raises(ValueError, match=f"{name} is registered already"):
        again(name, "reason")


def test_a_formula_in_place_serves_the_variant_with_an_underscore():
    register("mylib.scan", lambda operation: 3)
    in_place = Operation("mylib.scan_", SCAN.arguments, SCAN.outputs)
    assert cost_of(in_place).cost.macs == 3


def test_a_formula_that_fails_makes_the_operation_unknown():
    register("mylib.scan", lambda operation: operation.tensor("weight").numel)
    costed = cost_of(SCAN)
    assert costed.state is CostState.UNKNOWN
    assert "KeyError" in costed.reason
    assert "weight" in costed.reason


def count_scan(operation):
    return 11


@pytest.fixture
def offers(monkeypatch):
    """Entry points that installed packages seem to have."""
    entries = []
    monkeypatch.setattr(plugins, "entry_points", lambda group: tuple(entries))
    plugins._offers.cache_clear()
    plugins.formula_of.cache_clear()
    yield lambda name, value: entries.append(EntryPoint(name, value, plugins.GROUP))
    plugins._offers.cache_clear()
    plugins.formula_of.cache_clear()


def test_a_package_offers_a_formula_by_entry_point(offers):
    offers("mylib.scan", f"{__name__}:count_scan")
    assert cost_of(SCAN).cost == Cost(macs=11, activations=6)
    assert cost_of(Operation("mylib.scan_", (), ())).cost.macs == 11


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("no_such_package:formula", "ModuleNotFoundError"),
        (f"{__name__}:no_such_formula", "AttributeError"),
        (f"{__name__}:SCAN", "not a function"),
    ],
)
def test_a_broken_offer_is_reported_as_the_reason(offers, value, problem):
    offers("mylib.scan", value)
    costed = cost_of(SCAN)
    assert costed.state is CostState.UNKNOWN
    assert value in costed.reason
    assert problem in costed.reason


def test_an_offer_does_not_replace_a_formula_of_the_table(offers):
    offers("aten.relu", f"{__name__}:count_scan")
    assert cost_of(Operation("aten.relu", (), ())).state is CostState.FREE
