"""Rules about one value: its form, what it must be or hold, the range it lies in."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ankle_cds.fhir import canonical_json, split_reference
from ankle_cds.fhir.definitions import BASE, r4

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ankle_cds.fhir import Code

_MOST_CODES = 12  # codes named in a message; more are looked up in the value set
_DAY = 10  # characters of a date with a day
_DATES = frozenset({"date", "dateTime", "instant"})
_ANY = "Resource"


def form_problem(value: Any, kind: str) -> str | None:
    """Say what form a primitive value must have, None when it has it.

    https://hl7.org/fhir/R4/datatypes.html#primitive
    """
    primitive = r4().primitive(kind)
    if primitive is None:
        return None
    if _json_type(value) != primitive.json:
        return f"A JSON {primitive.json} is needed"
    if primitive.form is not None and not primitive.form.fullmatch(str(value)):
        return f"This has not the form of a FHIR {kind}"
    if kind in _DATES and len(value) >= _DAY:
        try:
            date.fromisoformat(value[:_DAY])
        except ValueError:
            return "The day does not exist"
    return None


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, Decimal)) else "string" if isinstance(value, str) else ""


def fits(pattern: Any, value: Any) -> bool:
    """Tell whether a value holds all that a pattern holds; each item of a list is held by some item.

    https://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.pattern_x_
    """
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(
            name in value and fits(item, value[name]) for name, item in pattern.items()
        )
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(fits(item, other) for other in value) for item in pattern)
    return canonical_json(pattern) == canonical_json(value)


def constant(definition: Mapping[str, Any], prefix: str) -> Any:
    """Give the value of `fixed[x]` or `pattern[x]` of an element, None where it has none."""
    return next((value for name, value in definition.items() if name.startswith(prefix)), None)


def out_of_range(definition: Mapping[str, Any], value: Any) -> str | None:
    """Say what number is wanted where an integer lies outside minValueInteger and maxValueInteger."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    least, most = definition.get("minValueInteger"), definition.get("maxValueInteger")
    if (least is None or value >= least) and (most is None or value <= most):
        return None
    return " and ".join(
        text for text, bound in ((f"at least {least}", least), (f"at most {most}", most)) if bound is not None
    )


def some_codes(members: Collection[Code]) -> str:
    """Name the codes of a small value set, in a fixed order; how many there are of a larger one."""
    codes = sorted({code for _, code in members})
    return ", ".join(codes) if len(codes) <= _MOST_CODES else f"{len(codes)} codes"


def wrong_target(definition: Mapping[str, Any], value: Any) -> str | None:
    """Say what a reference must point to, None when it does or when the reference does not tell the type."""
    text = value.get("reference") if isinstance(value, dict) else None
    named = split_reference(text) if isinstance(text, str) else None
    targets = [
        target.removeprefix(BASE)
        for entry in definition.get("type", ())
        if entry["code"] == "Reference"
        for target in entry.get("targetProfile", ())
    ]
    if named is None or not targets or _ANY in targets or named[0] in targets:
        return None
    return " or ".join(targets)
