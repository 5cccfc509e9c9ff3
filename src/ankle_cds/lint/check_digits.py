"""Check digits of the code systems that have them: a mistyped code is found without asking anyone."""

from __future__ import annotations

import re

_SCT = re.compile(r"[1-9][0-9]{5,17}")
_LOINC = re.compile(r"([0-9]{1,7})-([0-9])")
_CONCEPT_PARTITIONS = {"00", "10"}  # core concept, extension concept
_EXTENSION = "10"
_D5 = 5
_BASE = 10


def verhoeff_holds(digits: str) -> bool:
    """Tell whether the last digit is the Verhoeff check digit of those before: the sum over D5 is zero.

    https://confluence.ihtsdotools.org/display/DOCRELFMT/Appendix+B%3A+Check-digit+Computation
    """
    check = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit)
        for _ in range(position % 8):
            value = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[value]
        check = _multiply(check, value)
    return check == 0


def luhn_holds(code: str) -> bool:
    """Tell whether a LOINC code ends in its mod 10 check digit. https://loinc.org/kb/faq/structure/ ."""
    match = _LOINC.fullmatch(code)
    if match is None:
        return False
    total = 0
    for position, digit in enumerate(reversed(match[1])):
        value = int(digit) * (1 if position % 2 else 2)
        total += value - 9 if value >= _BASE else value
    return -total % _BASE == int(match[2])


def is_concept_id(code: str) -> bool:
    """Tell whether a SNOMED CT id is one of a concept: length, partition and check digit."""
    return bool(_SCT.fullmatch(code)) and code[-3:-1] in _CONCEPT_PARTITIONS and verhoeff_holds(code)


def namespace(code: str) -> str | None:
    """Give the namespace of an extension concept, None for one of the core."""
    return code[-10:-3] if code[-3:-1] == _EXTENSION else None


def _multiply(left: int, right: int) -> int:
    """Multiply two elements of D5: 0 to 4 are rotations, 5 to 9 are reflections."""
    if left < _D5:
        return (left + right) % _D5 if right < _D5 else _D5 + (left + right) % _D5
    return _D5 + (left - right) % _D5 if right < _D5 else (left - right) % _D5
