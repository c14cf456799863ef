"""Design spaces: a reference whose settings have several values each, and the points in it.

    efficientnet_b0@width=0.5..2.0:0.1,depth=1..3:0.25,resolution=128|224

has 16 × 9 × 2 points.  A value is a list `a|b|c`, a range `from..to:step` with both ends (whole
numbers without a step go by 1; `:*2` multiplies), or one value.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, product, repeat
from pathlib import Path
from typing import Any, NamedTuple

from cnninspect.errors import BadOption, FileUnreadable, UsageError, first_line
from cnninspect.files import parse_toml, read_text
from cnninspect.sources.references import SETTINGS, split_settings

MOST_MULTIPLES = 1_000
"""Values of a range that multiplies: each has more digits than the one before."""
MOST_VALUES = 10**6
"""Values of one setting."""
MOST_POINTS = 10**6
"""Points that are measured without a sample; at 25 in a second they take eleven hours."""
PER_SECOND = 25
"""Models in a second on two cores, to say how long a space would take."""
SAMPLERS = ("random", "halton")
RANGE = re.compile(
    r"(?P<low>[+-]?[\d.]*?\d)\.\.(?P<high>[+-]?[\d.]*\d)(?::(?P<step>[*]?[+-]?[\d.]*\d))?"
)
PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53)


class BadSpace(UsageError):
    """A design space cannot be read, or has no points."""

    def __init__(self, text: str, problem: str, hint: str = "") -> None:
        super().__init__(
            f"cannot read the space {text!r}: {problem}",
            hint or "a space looks like 'efficientnet_b0@width=0.5..2.0:0.1,depth=1|1.5|2'",
        )


class TooManyPoints(UsageError):
    """A space has more points than anybody waits for."""

    def __init__(self, points: int) -> None:
        count = f"{points:,}" if points < 10**18 else f"some 10^{math.floor(math.log10(points))}"
        days = min(points, 10**18) / PER_SECOND / 86400
        long = f"{days:,.0f} days" if days < 1000 else f"{days / 365:,.0f} years"
        super().__init__(
            f"the space has {count} points, which take about {long}",
            f"--sample N measures N of them, by --seed; {MOST_POINTS:,} are the most without",
        )


@dataclass(frozen=True, slots=True)
class Axis:
    """A setting with the values that it takes."""

    name: str
    values: tuple[str, ...]
    """As they are written in a reference."""


@dataclass(frozen=True, slots=True)
class Space:
    """Every combination of the values of some settings of one model."""

    model: str
    """The reference without settings."""
    axes: tuple[Axis, ...]
    """The last one changes fastest."""

    @property
    def size(self) -> int:
        """Points in it."""
        return math.prod(len(axis.values) for axis in self.axes)

    def point(self, number: int) -> tuple[str, ...]:
        """The values of point `number`, in the order of the axes."""
        chosen = []
        for axis in reversed(self.axes):
            number, place = divmod(number, len(axis.values))
            chosen.append(axis.values[place])
        return tuple(reversed(chosen))

    def choices(self) -> Iterator[Choice]:
        """Every point, one after the other."""
        values = product(*(axis.values for axis in self.axes))
        pairs = product(*([f"{axis.name}={value}" for value in axis.values] for axis in self.axes))
        return map(Choice, repeat(self), values, pairs)

    def choice(self, number: int) -> Choice:
        """Point `number`."""
        values = self.point(number)
        pairs = tuple(f"{axis.name}={value}" for axis, value in zip(self.axes, values))
        return Choice(self, values, pairs)


def parse_space(text: str) -> Space:
    """A space as it is typed.

    Raises:
        BadSpace: it cannot be read, or a setting has no value.
    """
    body, *typed = SETTINGS.split(text, maxsplit=1)
    if not body.strip():
        raise BadSpace(text, "it names no model")
    axes = []
    for item in split_settings(typed[0]) if typed else ():
        name, equals, values = item.partition("=")
        if not equals or not name.strip():
            raise BadSpace(text, f"{item!r} is not setting=values")
        axes.append(Axis(name.strip(), values_of(values.strip(), name.strip(), text)))
    return _checked(Space(body.strip(), tuple(axes)), text)


def _checked(space: Space, text: str) -> Space:
    names = [axis.name for axis in space.axes]
    for axis in space.axes:
        if names.count(axis.name) > 1:
            raise BadSpace(text, f"{axis.name} is set twice")
    return space


def values_of(typed: str, name: str, text: str) -> tuple[str, ...]:
    """The values of a setting: ranges and single values, joined by `|`; each comes once.

    Raises:
        BadSpace: a part is empty, or a range is none.
    """
    found: dict[str, None] = {}
    for part in _parts(typed):
        if not part.strip():
            raise BadSpace(text, f"{name} has an empty value")
        found.update(dict.fromkeys(_range(part.strip(), name, text)))
    return tuple(found)


def _parts(typed: str) -> list[str]:
    """The text between `|`, those in brackets left alone."""
    parts, depth = [""], 0
    for sign in typed:
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "|" and depth <= 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _range(part: str, name: str, text: str) -> tuple[str, ...]:
    found = RANGE.fullmatch(part)
    if found is None:
        if ".." in part and not any(sign in part for sign in "/'\"([{"):
            raise BadSpace(
                text, f"{name}={part} is no range", "a range is from..to:step, as 1..3:0.5"
            )
        return (part,)
    try:
        low, high = Fraction(found["low"]), Fraction(found["high"])
        step = Fraction((found["step"] or "1").removeprefix("*"))
    except (ValueError, ZeroDivisionError):
        raise BadSpace(text, f"{name}={part} is no range") from None
    multiplies = (found["step"] or "").startswith("*")
    if high < low:
        raise BadSpace(
            text, f"{name}={part} runs backwards", f"write {found['high']}..{found['low']}"
        )
    if multiplies and (step <= 1 or low <= 0):
        raise BadSpace(
            text, f"{name}={part} does not grow", "multiply by more than 1, from above 0"
        )
    if step <= 0:
        raise BadSpace(text, f"{name}={part} has a step of {found['step']}", "a step is above 0")
    if found["step"] is None and (low.denominator > 1 or high.denominator > 1):
        raise BadSpace(text, f"{name}={part} has no step", f"write {part}:0.1")
    if multiplies:
        values, value = [], low
        while value <= high:
            values.append(value)
            value *= step
            if len(values) > MOST_MULTIPLES:
                raise BadSpace(
                    text, f"{name}={part} has over {MOST_MULTIPLES:,} values", "a larger factor"
                )
        return _as_written(values)
    steps = (high - low) // step
    if steps >= MOST_VALUES:
        raise BadSpace(text, f"{name}={part} has {steps + 1:,} values", "take a larger step")
    # In whole numbers of the finest part: a million fractions would take seconds.
    finest = math.lcm(low.denominator, step.denominator)
    numbers = range(int(low * finest), int((low + step * steps) * finest) + 1, int(step * finest))
    if len(numbers) == 1:
        return _as_written([low])
    if all(number % finest == 0 for number in (numbers[0], numbers.step)):
        return tuple(str(number // finest) for number in numbers)
    # Where one is a float all are: 1 would be of another type than 1.5.
    return tuple(repr(number / finest) for number in numbers)


def _as_written(values: Sequence[Fraction]) -> tuple[str, ...]:
    """Whole numbers, or where one is a float all of them."""
    if all(value.denominator == 1 for value in values):
        return tuple(str(value.numerator) for value in values)
    return tuple(repr(float(value)) for value in values)


def spaces_in(path: Path) -> tuple[Space, ...]:
    """The spaces of a TOML file: tables `[[space]]` with `model` and `[space.settings]`.

    A setting is a value, a list of values, text as on the command line, or a table `{from, to,
    step}`.

    Raises:
        FileMissing, FileUnreadable: it is not there, or no TOML.
        BadSpace: it describes none.
    """
    try:
        content = parse_toml(read_text(path))
    except ValueError as problem:
        raise FileUnreadable(path, f"it is not TOML: {first_line(problem)}") from problem
    tables = content.get("space")
    tables = [tables] if isinstance(tables, dict) else tables
    if not isinstance(tables, list) or not tables:
        raise BadSpace(str(path), "it has no [[space]]", EXAMPLE)
    if unknown := [key for key in content if key != "space"]:
        raise BadSpace(str(path), f"{unknown[0]} means nothing here", EXAMPLE)
    return tuple(_space_of(table, str(path)) for table in tables)


EXAMPLE = 'write [[space]], model = "resnet18", and [space.settings] with num_classes = [10, 100]'


def _space_of(table: Any, path: str) -> Space:
    if not isinstance(table, dict) or not isinstance(table.get("model"), str):
        raise BadSpace(path, "a [[space]] names no model", EXAMPLE)
    settings = table.get("settings", {})
    if not isinstance(settings, dict) or table.keys() - {"model", "settings"}:
        raise BadSpace(path, "a [[space]] has model and settings, and nothing else", EXAMPLE)
    base = parse_space(table["model"])
    axes = [Axis(name, _listed(value, name, path)) for name, value in settings.items()]
    return _checked(Space(base.model, (*base.axes, *axes)), path)


def _listed(value: Any, name: str, path: str) -> tuple[str, ...]:
    if isinstance(value, dict):
        if not {"from", "to"} <= value.keys() <= {"from", "to", "step"}:
            raise BadSpace(path, f"{name} is a table without from and to", EXAMPLE)
        step = f":{value['step']}" if "step" in value else ""
        return _range(f"{value['from']}..{value['to']}{step}", name, path)
    if isinstance(value, list):
        if not value:
            raise BadSpace(path, f"{name} has no value")
        return tuple(dict.fromkeys(_written(item) for item in value))
    if isinstance(value, str):
        return values_of(value, name, path)
    return (_written(value),)


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Choice(NamedTuple):
    """A point of one of several spaces."""

    space: Space
    values: tuple[str, ...]
    pairs: tuple[str, ...]
    """Each setting as it is written: `width=0.5`."""

    @property
    def reference(self) -> str:
        """What one types to name it."""
        return f"{self.space.model}@{','.join(self.pairs)}" if self.pairs else self.space.model

    @property
    def key(self) -> str:
        """Its settings, whatever order they were typed in."""
        return ",".join(sorted(self.pairs))

    @property
    def settings(self) -> dict[str, str]:
        """The value of each setting."""
        return dict(zip([axis.name for axis in self.space.axes], self.values))


def choices(
    spaces: Sequence[Space], *, sample: int | None, seed: int, sampler: str
) -> Iterator[Choice]:
    """The points of the spaces one after the other, or a sample of them.

    A sample has every point at most once.  `random` takes each with the same chance; `halton`
    spreads them evenly over the settings (Halton 1960), shifted by the seed.

    Raises:
        TooManyPoints: there are more than anybody waits for, and no sample was asked for.
        BadOption: a number cannot be used.
    """
    total = sum(space.size for space in spaces)
    if sample is None:
        if total > MOST_POINTS:
            raise TooManyPoints(total)
        return chain.from_iterable(space.choices() for space in spaces)
    if sample < 1:
        raise BadOption("--sample", sample, "1 or more")
    if sample > MOST_POINTS:
        raise TooManyPoints(sample)
    numbers = _halton(spaces, sample, seed) if sampler == "halton" else _random(total, sample, seed)
    return (_at(spaces, number) for number in numbers)


def _at(spaces: Sequence[Space], number: int) -> Choice:
    for space in spaces:
        if number < space.size:
            return space.choice(number)
        number -= space.size
    raise IndexError(number)


def _random(total: int, sample: int, seed: int) -> list[int]:
    """Numbers of distinct points, in ascending order, so that neighbours share their work."""
    chance = random.Random(seed)
    if sample >= total:
        return list(range(total))
    if total <= 10 * sample:
        return sorted(chance.sample(range(total), sample))
    found: set[int] = set()
    while len(found) < sample:
        found.add(chance.randrange(total))
    return sorted(found)


def _halton(spaces: Sequence[Space], sample: int, seed: int) -> list[int]:
    """The same, spread evenly over each setting; spaces get as many as they have a share of."""
    total = sum(space.size for space in spaces)
    found: list[int] = []
    before = 0
    for space in spaces:
        wanted = min(space.size, -(-sample * space.size // total))
        chance = random.Random(seed)
        shifts = [chance.random() for _ in space.axes]
        chosen: set[int] = set()
        for i in range(1, 20 * wanted + 1):
            number = 0
            for axis, prime, shift in zip(space.axes, PRIMES * len(space.axes), shifts):
                share = (_radical_inverse(i, prime) + shift) % 1.0
                number = number * len(axis.values) + int(share * len(axis.values))
            chosen.add(number)
            if len(chosen) >= wanted:
                break
        found += [before + number for number in sorted(chosen)]
        before += space.size
    return found[:sample]


def _radical_inverse(i: int, base: int) -> float:
    """The digits of `i` in a base, mirrored at the point: 6 = 110₂ becomes 0.011₂."""
    value, factor = 0.0, 1.0 / base
    while i:
        i, digit = divmod(i, base)
        value += digit * factor
        factor /= base
    return value
