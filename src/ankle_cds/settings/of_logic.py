"""The parameters of the logic as a site sets them: by their CQL names, checked against the types it declares."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from ankle_cds.errors import ContentError
from ankle_cds.settings.site import Settings, together

if TYPE_CHECKING:
    from collections.abc import Mapping

_SPECIFICATION = "https://cql.hl7.org/02-authorsguide.html#parameters"
_INTEGER_LIMIT = 2**31


class Declared(Protocol):
    """What is asked of a parameter: its type as the logic declares it, such as `Integer` or `List<String>`."""

    @property
    def type(self) -> str:
        """The CQL type."""
        ...

    @property
    def default(self) -> Any:
        """The default value."""
        ...


PER_CALL = frozenset(
    {"EncounterId", "UnavailableInputs", "UserRoleCodes", "DraftOrderIds", "UnnamedDraftIds", "EvaluationSide"}
)
"""CQL parameters that belong to one call; a site cannot set them."""


def site_parameters(settings: Settings, declared: Mapping[str, Declared]) -> dict[str, Any]:
    """Give the site's parameters as CQL values, checked against what the logic declares.

    Raises ContentError for every name the logic does not declare and every value of another type, with the file and
    line it was written on.
    """
    found: dict[str, Any] = {}
    refused: list[ContentError] = []
    for name, value in settings.parameters.items():
        where = settings.line(name)
        if name in PER_CALL:
            refused.append(ContentError(f"{name} is set by each call; remove it here.", where=where))
        elif name not in declared:
            known = ", ".join(sorted(set(declared) - PER_CALL))
            refused.append(ContentError(f"{name} is not a parameter of the logic; use one of {known}.", where=where))
        else:
            try:
                found[name] = _cql_value(value, declared[name].type, declared[name].default)
            except ValueError as error:
                refused.append(ContentError(f"{name} must be {error}.", where=where, spec=_SPECIFICATION))
    if refused:
        raise together(refused)
    return found


def _cql_value(value: Any, declared: str, default: Any) -> Any:
    """Convert a JSON value to the Python form of a CQL value; ValueError says what the type asks for."""
    kind = re.sub(r"\{[^}]*\}|System\.|\s", "", declared)
    if inner := re.fullmatch(r"(?i:list)<(.+)>", kind):
        if not isinstance(value, list):
            raise ValueError(f"a list of {inner[1]}")  # one kind of refusal
        return [_cql_value(item, inner[1], None) for item in value]
    expected = {"Boolean": "true or false", "Integer": "a whole number", "Decimal": "a number", "String": "text"}
    if kind not in expected:
        raise ValueError(f"left to the content: a value of type {kind} cannot be written here")
    number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
    fits = {
        "Boolean": isinstance(value, bool),
        "Integer": isinstance(value, int) and number and abs(value) < _INTEGER_LIMIT,
        "Decimal": number,
        "String": isinstance(value, str),
    }[kind]
    if not fits:
        raise ValueError(expected[kind])
    if number and value < 0 and (default is None or default >= 0):
        raise ValueError("zero or more")
    return Decimal(value) if kind == "Decimal" else value
