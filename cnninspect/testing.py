"""For test suites: a model's budget as an assertion.

from cnninspect.testing import assert_budget

def test_budget():
    assert_budget("net.py:make_model", max_params="22M", max_macs="4G")
"""

from __future__ import annotations

from typing import Any

from cnninspect.commands.check import check
from cnninspect.commands.check.report import BudgetCheck
from cnninspect.page.formats import render
from cnninspect.sources.open import Model


def assert_budget(model: Model | None = None, inputs: Any = None, **rules: Any) -> BudgetCheck:
    """See that a model keeps its limits; the arguments are those of `cnninspect.check`.

    Raises:
        AssertionError: it does not; the message is the table of limits.
        CnnInspectError: the limits cannot be used, or the model cannot be measured.
    """
    __tracebackhide__ = True  # pytest then shows the test that asked
    report = check(model, inputs, **rules)
    if not report.ok:
        raise AssertionError(render(report))
    return report
