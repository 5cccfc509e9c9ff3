"""A plain JSON form of any CQL value, for traces, explanations and comparison with other engines."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ankle_cds.elm.temporal import Date, DateTime, Time
from ankle_cds.elm.values import Code, CodeSystem, Concept, Fhir, Interval, Quantity, Ratio, Uncertainty, ValueSet


def to_json(value: Any) -> Any:  # noqa: PLR0911  # one return for each kind of value
    """Give the JSON form: dates and times as `Date(...)`'s ISO 8601 text, Decimals as numbers, structures as objects.

    A FHIR element gives its own JSON; parts of a code or quantity that are null are left out. Raises TypeError for what
    is no CQL value.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (Date, DateTime)):
        return str(value)
    if isinstance(value, Time):
        return f"T{value}"
    if isinstance(value, Fhir):
        return value.json
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {name: to_json(item) for name, item in value.items()}
    return _structure(value)


def _structure(value: Any) -> dict[str, Any]:
    if isinstance(value, Interval):
        return {
            "low": to_json(value.low),
            "lowClosed": value.low_closed,
            "high": to_json(value.high),
            "highClosed": value.high_closed,
        }
    if isinstance(value, Uncertainty):
        return {"low": to_json(value.low), "high": to_json(value.high), "uncertain": True}
    if isinstance(value, Concept):
        codes = [to_json(code) for code in value.codes]
        return {"codes": codes} if value.display is None else {"codes": codes, "display": value.display}
    if isinstance(value, (Code, CodeSystem, Quantity, Ratio, ValueSet)):
        return {name: to_json(item) for name, item in value._asdict().items() if item is not None}
    raise TypeError(f"a {type(value).__name__} is no CQL value")
