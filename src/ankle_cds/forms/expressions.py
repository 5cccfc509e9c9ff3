"""Expressions of forms: FHIRPath that may ask for the day, refused or failing with what the author or user can do.

http://hl7.org/fhirpath/N1/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ankle_cds import fhirpath
from ankle_cds.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ankle_cds.fhirpath import Collection, Context, Expression

_SPEC = "http://hl7.org/fhirpath/N1/"


def compile_expression(text: str, variables: frozenset[str]) -> Expression:
    """Compile an expression that may refer to `variables`; raise ContentError for whatever cannot be executed here.

    Evaluated, it raises ContentError where it has no answer for what is recorded.
    """
    try:
        expression = fhirpath.compile_expression(text, fhirpath.Given(variables, today=True))
    except fhirpath.UnsupportedExpressionError as error:
        raise ContentError(f"The expression cannot be executed: {error}; write it otherwise.", spec=_SPEC) from None

    def evaluate(context: Context, focus: Collection) -> Collection:
        try:
            return expression(context, focus)
        except fhirpath.UndecidedError as error:
            raise ContentError(
                f"An expression has no answer: {error}; correct the expression or the record.", spec=_SPEC
            ) from None

    return evaluate


def values(found: Iterable[fhirpath.Node]) -> list[Any]:
    """Give the JSON values of some items; an element with nothing but extensions has none."""
    return [item.value for item in found if item.value is not None]
