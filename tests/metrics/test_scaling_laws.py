"""Laws from samples made by hand."""

from fractions import Fraction

from cnninspect.commands.scale.analysis import Sample, laws_of
from cnninspect.metrics.summary import Counts


def samples(work, sizes=range(1, 7)):
    """`work` is multiply-accumulates by layer, as a function of the size."""
    return [
        Sample(Fraction(s), {path: Counts(macs=law(s)) for path, law in work.items()})
        for s in sizes
    ]


def macs_of(found):
    return next(law for law in laws_of(found) if law.quantity == "macs")


def test_each_term_names_the_layers_that_bring_it():
    law = macs_of(samples({"a": lambda s: 3 * s * s, "b": lambda s: s * s + 5, "c": lambda s: 2}))
    assert [(t.power, t.coefficient.fraction) for t in law.terms] == [(2, 4), (0, 7)]
    assert [(x.path, x.coefficient.fraction) for x in law.terms[0].layers] == [("a", 3), ("b", 1)]
    for term in law.terms:
        assert sum(x.coefficient.fraction for x in term.layers) == term.coefficient.fraction


def test_layers_that_come_with_the_size_are_told_by_what_holds_them():
    found = [
        Sample(Fraction(s), {"": Counts(), **{f"blocks.{i}": Counts(macs=8) for i in range(s)}})
        for s in range(1, 7)
    ]
    law = macs_of(found)
    assert [(t.power, t.coefficient.fraction) for t in law.terms] == [(1, 8)]
    assert [x.path for x in law.terms[0].layers] == ["blocks"]


def test_what_is_no_polynomial_has_no_terms_but_a_slope():
    law = macs_of(samples({"a": lambda s: s // 2 * 2 + 1}))
    assert not law.is_exact
    assert law.terms == ()
    assert law.exponent > 0


def test_a_constant_is_a_law_too():
    law = macs_of(samples({"a": lambda s: 9}))
    assert [(t.power, t.coefficient.fraction) for t in law.terms] == [(0, 9)]
    assert len(law.fitted_on) == 1
    assert len(law.checked_on) == 5
