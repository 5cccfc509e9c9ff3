"""Which codes a coded value has, and whether one of them is a member of a value set.

https://hl7.org/fhir/R4/terminologies.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

Code = tuple[str, str]


def coded(value: Any, kind: str) -> Iterator[tuple[str | None, str]]:
    """Yield system and code of each coding of a coded value; the system of a bare code is None."""
    if kind == "CodeableConcept" and isinstance(value, dict):
        codings = value.get("coding")
        for coding in codings if isinstance(codings, list) else ():
            yield from coded(coding, "Coding")
    elif kind in {"Coding", "Quantity"} and isinstance(value, dict):
        if isinstance(value.get("system"), str) and isinstance(value.get("code"), str):
            yield value["system"], value["code"]
    elif isinstance(value, str):
        yield None, value


def in_value_set(value: Any, kind: str, members: Collection[Code]) -> bool:
    """Tell whether at least one coding is a member; a bare code is one when any system of the set has it."""
    plain = {code for _, code in members}
    return any(code in plain if system is None else (system, code) in members for system, code in coded(value, kind))
