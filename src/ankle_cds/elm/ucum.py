"""Units of measure: a strict subset of UCUM, enough to know when two units measure the same thing.

No package on PyPI fits: the maintained ones bring a physics library and a parser generator for what a rule needs here.
Every unit that this grammar reads converts exactly; a unit it does not read (or whose scale has another zero, as degree
Celsius) is comparable only with itself, character by character. Calendar durations convert as the CQL specification
says: weeks to milliseconds among themselves and to UCUM; years and months only among themselves.
https://ucum.org/ucum and https://cql.hl7.org/09-b-cqlreference.html#equal
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import Final

Dimension = tuple[tuple[str, int], ...]

_PREFIXES: Final = {
    "P": 15,
    "T": 12,
    "G": 9,
    "M": 6,
    "k": 3,
    "h": 2,
    "da": 1,
    "d": -1,
    "c": -2,
    "m": -3,
    "u": -6,
    "n": -9,
    "p": -12,
    "f": -15,
}
# atom: (factor, dimension, takes a prefix)
_ATOMS: Final[dict[str, tuple[Fraction, dict[str, int], bool]]] = {
    "m": (Fraction(1), {"L": 1}, True),
    "s": (Fraction(1), {"T": 1}, True),
    "g": (Fraction(1), {"M": 1}, True),
    "rad": (Fraction(1), {"A": 1}, True),
    "K": (Fraction(1), {"C": 1}, True),
    "C": (Fraction(1), {"Q": 1}, True),
    "cd": (Fraction(1), {"F": 1}, True),
    "%": (Fraction(1, 100), {}, False),
    "[ppth]": (Fraction(1, 1000), {}, False),
    "[ppm]": (Fraction(1, 10**6), {}, False),
    # UCUM makes a mole a plain number; here it stays a dimension, so that an amount never compares with a score
    "mol": (Fraction(1), {"N": 1}, True),
    "osm": (Fraction(1), {"N": 1}, True),
    "eq": (Fraction(1), {"N": 1}, True),
    "U": (Fraction(1, 60 * 10**6), {"N": 1, "T": -1}, True),
    "kat": (Fraction(1), {"N": 1, "T": -1}, True),
    "[iU]": (Fraction(1), {"[iU]": 1}, True),
    "[IU]": (Fraction(1), {"[iU]": 1}, True),
    "[arb'U]": (Fraction(1), {"[arb'U]": 1}, False),
    "l": (Fraction(1, 1000), {"L": 3}, True),
    "L": (Fraction(1, 1000), {"L": 3}, True),
    "min": (Fraction(60), {"T": 1}, False),
    "h": (Fraction(3600), {"T": 1}, False),
    "d": (Fraction(86_400), {"T": 1}, False),
    "wk": (Fraction(604_800), {"T": 1}, False),
    "mo": (Fraction(2_629_800), {"T": 1}, False),
    "a": (Fraction(31_557_600), {"T": 1}, False),
    "Hz": (Fraction(1), {"T": -1}, True),
    "N": (Fraction(1000), {"L": 1, "M": 1, "T": -2}, True),
    "Pa": (Fraction(1000), {"L": -1, "M": 1, "T": -2}, True),
    "J": (Fraction(1000), {"L": 2, "M": 1, "T": -2}, True),
    "W": (Fraction(1000), {"L": 2, "M": 1, "T": -3}, True),
    "bar": (Fraction(10**8), {"L": -1, "M": 1, "T": -2}, True),
    "m[Hg]": (Fraction(133_322_000), {"L": -1, "M": 1, "T": -2}, True),
    "cal": (Fraction(4184), {"L": 2, "M": 1, "T": -2}, True),
    "t": (Fraction(10**6), {"M": 1}, True),
    "[lb_av]": (Fraction(45_359_237, 10**5), {"M": 1}, False),
    "[oz_av]": (Fraction(45_359_237, 16 * 10**5), {"M": 1}, False),
    "[in_i]": (Fraction(254, 10**4), {"L": 1}, False),
    "[ft_i]": (Fraction(3048, 10**4), {"L": 1}, False),
    "[pH]": (Fraction(1), {"[pH]": 1}, False),
    "Cel": (Fraction(1), {"Cel": 1}, False),
    "[degF]": (Fraction(1), {"[degF]": 1}, False),
    # pi is not exact: degrees are their own dimension, comparable with degrees only
    "deg": (Fraction(1), {"deg": 1}, False),
}
_CALENDAR: Final = {
    **dict.fromkeys(("year", "years"), (Fraction(12), "month")),
    **dict.fromkeys(("month", "months"), (Fraction(1), "month")),
    **dict.fromkeys(("week", "weeks"), (Fraction(604_800), "T")),
    **dict.fromkeys(("day", "days"), (Fraction(86_400), "T")),
    **dict.fromkeys(("hour", "hours"), (Fraction(3600), "T")),
    **dict.fromkeys(("minute", "minutes"), (Fraction(60), "T")),
    **dict.fromkeys(("second", "seconds"), (Fraction(1), "T")),
    **dict.fromkeys(("millisecond", "milliseconds"), (Fraction(1, 1000), "T")),
}
_TOKEN: Final = re.compile(r"\{[^{}]*\}|[./()]|10\*|10\^|[+-]?\d+|(?:[A-Za-z%']|\[[^\[\]]*\])+", re.ASCII)


@lru_cache(maxsize=512)
def measure(unit: str) -> tuple[Fraction, Dimension]:
    """Give the unit's factor to base units and its dimension; a unit that is not read is a dimension of its own."""
    if unit in _CALENDAR:
        factor, dimension = _CALENDAR[unit]
        return factor, ((dimension, 1),)
    try:
        factor, powers = _Reader(unit).read()
    except ValueError:
        return Fraction(1), ((f"unread {unit}", 1),)
    return factor, tuple(sorted((name, power) for name, power in powers.items() if power))


def ratio(unit: str, to: str) -> Fraction | None:
    """Give how many of `to` make one `unit`; None when they do not measure the same thing."""
    if unit == to:
        return Fraction(1)
    (factor, dimension), (to_factor, to_dimension) = measure(unit), measure(to)
    return factor / to_factor if dimension == to_dimension else None


class _Reader:
    """Reads one UCUM expression: terms joined by `.` and `/`, exponents, parentheses, annotations."""

    def __init__(self, unit: str) -> None:
        self.tokens: list[str] = []
        position = 0
        while position < len(unit):
            match = _TOKEN.match(unit, position)
            if not match:
                raise ValueError(unit)
            self.tokens.append(match.group())
            position = match.end()
        self.at = 0

    def read(self) -> tuple[Fraction, dict[str, int]]:
        result = self._term()
        if self.at != len(self.tokens):
            raise ValueError("text after the unit")
        return result

    def _peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self.at += 1
        return token

    def _term(self) -> tuple[Fraction, dict[str, int]]:
        factor, powers = Fraction(1), dict[str, int]()
        sign = 1
        if self._peek() == "/":
            self._next()
            sign = -1
        while True:
            part, part_powers = self._component()
            factor *= part**sign
            for name, power in part_powers.items():
                powers[name] = powers.get(name, 0) + sign * power
            operator = self._peek()
            if operator not in (".", "/"):
                return factor, powers
            self._next()
            sign = 1 if operator == "." else -1

    def _component(self) -> tuple[Fraction, dict[str, int]]:
        token = self._next()
        if token == "(":  # noqa: S105  # a token of the grammar
            inner = self._term()
            if self._next() != ")":
                raise ValueError("parenthesis")
            return inner
        if token.startswith("{"):
            return Fraction(1), {}
        if token.isdigit():
            factor, powers = Fraction(int(token)), dict[str, int]()
        elif token in ("10*", "10^"):
            factor, powers = Fraction(10), {}
        else:
            factor, powers = _atom(token)
        exponent = self._peek()
        if exponent.lstrip("+-").isdigit() and not token.isdigit():
            self._next()
            factor, powers = factor ** int(exponent), {name: power * int(exponent) for name, power in powers.items()}
        if self._peek().startswith("{"):
            self._next()
        return factor, powers


def _atom(token: str) -> tuple[Fraction, dict[str, int]]:
    if token in _ATOMS:
        factor, powers, _ = _ATOMS[token]
        return factor, powers
    for prefix, exponent in _PREFIXES.items():
        known = _ATOMS.get(token[len(prefix) :]) if token.startswith(prefix) else None
        if known and known[2]:
            return known[0] * Fraction(10) ** exponent, known[1]
    raise ValueError(token)
