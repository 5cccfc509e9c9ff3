"""FHIRPath: the one evaluator, for the constraints of profiles and for the expressions of forms.

`compile_expression` reads an expression once and refuses what is outside the part that is supported, by name and place;
nothing is skipped and nothing is guessed. Supported: paths over FHIR R4 elements, `$this`, `%ucum` and the variables
that are given, literals (text, number, Boolean, quantity, `{}`), `and or xor implies`, `= != < <= > >=`, `in | & + -`,
`is`, `as`, and the functions listed in `functions.py`, `today`, `memberOf`. Names after `is` and `as` and in `as(...)`,
`ofType(...)` are FHIR types. Where an evaluator has to signal an error, UndecidedError is raised.

Two readings of our own: `as` on several items gives those of the type (FHIR's own constraint dom-3 rests on it), and
a plain number is never compared with a quantity. http://hl7.org/fhirpath/N1/ · https://hl7.org/fhir/R4/fhirpath.html
"""

from ankle_cds.fhirpath.compiling import Given, compile_expression
from ankle_cds.fhirpath.nodes import Node, pairs, root, typed
from ankle_cds.fhirpath.parsing import UnsupportedExpressionError
from ankle_cds.fhirpath.values import Collection, Context, Expression, UndecidedError, truth

__all__ = [
    "Collection",
    "Context",
    "Expression",
    "Given",
    "Node",
    "UndecidedError",
    "UnsupportedExpressionError",
    "compile_expression",
    "pairs",
    "root",
    "truth",
    "typed",
]
