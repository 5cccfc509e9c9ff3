"""The part of FHIRPath that the constraints of our profiles, and of the FHIR types they rest on, are written in.

`compile_expression` reads an expression once and refuses what is outside that part; nothing is skipped and nothing is
guessed. Supported: paths, `$this`, `%resource`, `%rootResource`, `%context`, `%ucum`, literals of text, numbers and
Booleans, `and or xor implies`, `= != < <= > >=`, `in`, `|`, `is`, `+` for texts, and the functions listed in
`functions.py`. Names after `is` and in `as(...)`, `ofType(...)` are FHIR types. https://hl7.org/fhirpath/N1/
"""

from ankle_cds.validate.fhirpath.compiling import compile_expression
from ankle_cds.validate.fhirpath.parsing import UnsupportedExpressionError
from ankle_cds.validate.fhirpath.values import Context, Expression, UndecidedError, truth

__all__ = ["Context", "Expression", "UndecidedError", "UnsupportedExpressionError", "compile_expression", "truth"]
