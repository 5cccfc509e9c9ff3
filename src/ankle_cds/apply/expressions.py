"""Which expressions are executed: names of definitions of the published logic, nothing written inline."""

from __future__ import annotations

from typing import Any

from ankle_cds.errors import ContentError

LANGUAGE = "text/cql-identifier"
_SPEC = "https://hl7.org/fhir/R4/metadatatypes.html#Expression"


def identifier(expression: dict[str, Any], where: str) -> str:
    """Give the name of the definition an expression asks for; raise ContentError for any other kind of expression."""
    name = expression.get("expression")
    if expression.get("language") != LANGUAGE or not isinstance(name, str):
        raise ContentError(
            f"Only expressions in {LANGUAGE} are executed; name a definition of the logic.", where=where, spec=_SPEC
        )
    return name
