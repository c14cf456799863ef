"""Limits: quantities that can be limited, and bounds as people type them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypedDict, Union

from cnninspect.errors import BadQuantity, Contradiction


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something of a network that can be limited."""

    name: str
    """As it is typed: `macs` in `--max-macs` and in `max_macs`."""
    field: str
    """The field of `Counts` that holds it; of `Figures` where there is none in `Counts`."""
    title: str
    """As a user reads it."""
    is_bytes: bool = False
    """Whether it is counted in bytes."""
    is_work: bool = False
    """Whether operations without a formula make it a lower bound."""
    is_time: bool = False
    """Whether it is a time, in whole nanoseconds."""


QUANTITIES = {
    quantity.name: quantity
    for quantity in (
        Quantity("params", "parameters", "parameters"),
        Quantity("trainable", "trainable_parameters", "trainable parameters"),
        Quantity("macs", "macs", "MACs", is_work=True),
        Quantity("flops", "flops", "FLOPs", is_work=True),
        Quantity("activations", "activations", "activations", is_work=True),
        Quantity("bytes", "parameter_bytes", "parameter bytes", is_bytes=True),
        Quantity("depth", "depth", "depth"),
        Quantity("latency", "latency_ns", "latency", is_time=True),
        Quantity("bound", "bound_ns", "least time", is_time=True),
    )
}
"""What can be limited, by name."""

Bounded = Union[str, int, float]
"""A bound as it may be given: `"25M"`, `"100MB"`, `"60%"` of the baseline, or a number."""


class LimitOptions(TypedDict, total=False):
    """Limits as keyword arguments; those left out hold nothing."""

    max_params: Bounded | None
    min_params: Bounded | None
    max_trainable: Bounded | None
    min_trainable: Bounded | None
    max_macs: Bounded | None
    min_macs: Bounded | None
    max_flops: Bounded | None
    min_flops: Bounded | None
    max_activations: Bounded | None
    min_activations: Bounded | None
    max_bytes: Bounded | None
    min_bytes: Bounded | None
    max_depth: Bounded | None
    min_depth: Bounded | None
    max_latency: str | None
    min_latency: str | None
    max_bound: str | None
    min_bound: str | None


@dataclass(frozen=True, slots=True)
class Bound:
    """A number that a user typed, or a share of another one."""

    text: str
    """As it was typed: `22M`, `95MiB`, `60%`."""
    value: Fraction
    """The number, exactly; of a share, 0.6 for `60%`."""
    is_share: bool = False
    """Whether it is a share of something that is known only later."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The most or the least that something may be."""

    quantity: str
    """A name of `QUANTITIES`."""
    is_max: bool
    """Whether it is the most; else the least."""
    bound: Bound
    line: int | None = None
    """The line of the budget file that sets it."""

    @property
    def name(self) -> str:
        """As it is typed in a budget file: `max_macs`."""
        return f"{'max' if self.is_max else 'min'}_{self.quantity}"

    def limit(self, whole: int = 0) -> int:
        """The largest whole number that keeps it, or the smallest; a share is one of `whole`."""
        value = self.bound.value * whole if self.bound.is_share else self.bound.value
        floor = value.numerator // value.denominator
        return floor if self.is_max or value.denominator == 1 else floor + 1

    def keeps(self, value: int, whole: int = 0) -> bool:
        """Whether a value is within it."""
        return value <= self.limit(whole) if self.is_max else value >= self.limit(whole)


DECIMAL = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
"""Powers of 1000, as in `6M` and in `6MB`."""
BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
"""Powers of 1024, as in `95MiB`."""
SPELLINGS = {"K": "k", "m": "M", "g": "G", "t": "T", "ki": "Ki"}
"""Other ways to write them that can mean nothing else here."""

_WHOLE = r"\d{1,3}(?:,\d{3})+|\d+(?:_\d+)*"  # a comma that is no separator is no number: 1,5M
_NUMBER = re.compile(
    rf"(?P<digits>[+-]?(?:{_WHOLE})?(?:\.\d+)?(?:[eE][+-]?\d{{1,2}})?)\s*(?P<unit>[^\d\s.,_]*)"
)
EXAMPLES = {False: "22M, 1.5G or 25_000_000", True: "100MB or 95MiB"}


def parse_bound(text: str, *, option: str, is_bytes: bool = False) -> Bound:
    """The number or the share that was typed after `option`.

    `6M` is 6·10^6; of bytes, `100MB` is 10^8 and `95MiB` 95·2^20; `60%` is a share of something
    that is known only later.

    >>> parse_bound("1.5G", option="--max-macs").value
    Fraction(1500000000, 1)
    >>> parse_bound("95MiB", option="--max-bytes", is_bytes=True).value
    Fraction(99614720, 1)
    >>> parse_bound("60%", option="--max-params")
    Bound(text='60%', value=Fraction(3, 5), is_share=True)

    Raises:
        BadQuantity: it cannot be read, is below 0, or has a unit of something else.
    """
    typed = text.strip()
    found = _NUMBER.fullmatch(typed)
    if found is None or not any(sign.isdigit() for sign in found["digits"]):
        raise BadQuantity(option, text, f"write {EXAMPLES[is_bytes]}, or a share such as 60%")
    number = _number(found["digits"], option, text)
    if number < 0:
        raise BadQuantity(option, text, "a limit is 0 or more")
    if found["unit"] == "%":
        return Bound(typed, number / 100, is_share=True)
    return Bound(typed, number * _factor(found["unit"], option, text, is_bytes=is_bytes))


LONGEST = 40
"""Signs of the longest number that is meant."""


def _number(digits: str, option: str, text: str) -> Fraction:
    if len(digits) > LONGEST:
        raise BadQuantity(option, text, f"a number has {LONGEST} digits at most")
    return Fraction(re.sub("[_,]", "", digits))


TIMES = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "min": 60 * 10**9}
"""Units of time in nanoseconds."""


def parse_time(text: str, *, option: str) -> Bound:
    """The time that was typed after `option`, in nanoseconds.

    >>> parse_time("20ms", option="--max-latency").value
    Fraction(20000000, 1)

    Raises:
        BadQuantity: it is no time: it has no unit, or one of something else.
    """
    typed = text.strip()
    found = _NUMBER.fullmatch(typed)
    is_number = found is not None and any(sign.isdigit() for sign in found["digits"])
    if found is None or not is_number or found["unit"] not in TIMES:
        raise BadQuantity(option, text, "write a time with its unit: 20ms, 500us or 1.5s")
    number = _number(found["digits"], option, text)
    if number < 0:
        raise BadQuantity(option, text, "a limit is 0 or more")
    return Bound(typed, number * TIMES[found["unit"]])


def parse_share(text: str, *, option: str) -> Bound:
    """The share that was typed after `option`: `2%`, or 0.02.

    Raises:
        BadQuantity: it is no share.
    """
    bound = parse_bound(text, option=option)
    if not bound.is_share and not (re.fullmatch(r"[\d.]+", text.strip()) and bound.value <= 1):
        raise BadQuantity(option, text, "write a share, such as 2%")
    return Bound(bound.text, bound.value, is_share=True)


def _factor(unit: str, option: str, text: str, *, is_bytes: bool) -> int:
    """What a unit multiplies by."""
    prefix = unit
    if is_bytes:
        prefix = re.sub(r"(?i:bytes?)$|B$", "", unit)
        if unit.endswith("b") or re.search(r"(?i)bits?$", unit):
            raise BadQuantity(option, text, "it is counted in bytes: write MB or MiB")
    else:
        prefix = _without_noun(unit, option, text, are_flops="flops" in option)
    prefix = SPELLINGS.get(prefix, prefix)
    if prefix in DECIMAL:
        return DECIMAL[prefix]
    if prefix in BINARY and is_bytes:
        return BINARY[prefix]
    known = "kB, MB, GB, TB, KiB, MiB, GiB" if is_bytes else "k, M, G, T (10^3 to 10^12)"
    raise BadQuantity(option, text, f"there is no unit {unit!r} here; units are {known}")


def _without_noun(unit: str, option: str, text: str, *, are_flops: bool) -> str:
    """The prefix of a unit of counts: `M` for `M`, `MMACs`, `Mparams`; `G` for `B`, a billion.

    `are_flops` says whether what is limited are FLOPs, which are two to a MAC.
    """
    if unit == "B":
        return "G"
    if re.fullmatch(r"(?i)[kmgtp]i?b(ytes?)?|bytes?", unit):
        raise BadQuantity(option, text, "it is a count, not bytes: write 6M; --max-bytes is bytes")
    if are_flops and re.search(r"(?i)macs?$", unit):
        raise BadQuantity(option, text, "this limit is FLOPs, two to a MAC; --max-macs is MACs")
    if are_flops:
        return re.sub(r"(?i)flops?$", "", unit)
    if re.search(r"(?i)flops?$", unit):
        raise BadQuantity(option, text, "limits are MACs, two FLOPs each; --max-flops is FLOPs")
    return re.sub(r"(?i)(macs?|params?|parameters?|elements?)$", "", unit)


def limits_of(typed: Iterable[tuple[str, str | None]]) -> tuple[Limit, ...]:
    """The limits in pairs of a name such as `max_macs` and what was typed; None: nothing.

    Raises:
        BadQuantity: a number cannot be read.
        Contradiction: nothing can keep them all.
    """
    limits = tuple(
        limit_of(name, text, option=f"--{name.replace('_', '-')}")
        for name, text in typed
        if text is not None
    )
    check_consistency(limits)
    return limits


def limit_of(name: str, text: str, *, option: str, line: int | None = None) -> Limit:
    """The limit of that name, such as `max_macs`.

    Raises:
        BadQuantity: the number cannot be read.
    """
    side, _, quantity = name.partition("_")
    if QUANTITIES[quantity].is_time:
        return Limit(quantity, side == "max", parse_time(text, option=option), line)
    bound = parse_bound(text, option=option, is_bytes=QUANTITIES[quantity].is_bytes)
    return Limit(quantity, side == "max", bound, line)


def check_consistency(limits: Iterable[Limit], where: str = "") -> None:
    """See that something can keep all limits of one thing; `where` says which.

    Raises:
        Contradiction: the least of something is above its most.
    """
    limits = tuple(limits)
    for least in (limit for limit in limits if not limit.is_max):
        for most in (limit for limit in limits if limit.is_max):
            alike = (least.quantity, least.bound.is_share) == (most.quantity, most.bound.is_share)
            if alike and least.bound.value > most.bound.value:
                raise Contradiction(
                    QUANTITIES[least.quantity].title,
                    f"{least.name} = {least.bound.text}",
                    f"{most.name} = {most.bound.text}",
                    where,
                )
