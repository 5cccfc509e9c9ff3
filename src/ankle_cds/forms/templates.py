"""Fills an extraction template: what SDC says of templateExtractContext and templateExtractValue, nothing about forms.

https://hl7.org/fhir/uv/sdc/extraction.html#template-based-extraction
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ankle_cds.errors import ContentError
from ankle_cds.forms.expressions import compile_expression, values

if TYPE_CHECKING:
    from ankle_cds.fhirpath import Collection, Context

_SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
_CONTEXT = f"{_SDC}templateExtractContext"
_VALUE = f"{_SDC}templateExtractValue"
_SPEC = "https://hl7.org/fhir/uv/sdc/extraction.html"

Template = Callable[["Context", "Collection"], list[Any]]


def compile_template(node: Any, variables: frozenset[str]) -> Template:
    """Compile a template; filled, it gives the elements that stand in its place: none, one or several.

    An element whose context or value gives nothing is left out; one whose context gives several is repeated. Raises
    ContentError for an expression that cannot be executed.
    """
    if not isinstance(node, dict):
        return lambda _context, _focus: [node]
    own = {part["url"]: part for part in node.get("extension", []) if part.get("url") in {_CONTEXT, _VALUE}}
    others = [part for part in node.get("extension", []) if part.get("url") not in own]
    rest = {name: value for name, value in node.items() if name != "extension"}
    if others:
        rest["extension"] = others
    if _VALUE in own:
        if rest or _CONTEXT in own:
            raise ContentError(
                "An element with templateExtractValue holds nothing else; move the rest out of it.", spec=_SPEC
            )
        value = compile_expression(str(own[_VALUE].get("valueString")), variables)
        return lambda context, focus: values(value(context, focus))
    body = _compile_object(rest, variables)
    if _CONTEXT not in own:
        return body
    repeated = compile_expression(str(own[_CONTEXT].get("valueString")), variables)
    return lambda context, focus: [filled for found in repeated(context, focus) for filled in body(context, [found])]


def _compile_object(node: dict[str, Any], variables: frozenset[str]) -> Template:
    # `_name` computes the primitive `name`, and replaces one that stands there. https://hl7.org/fhir/R4/json.html#primitive
    members = {name: _compile_member(value, variables) for name, value in node.items() if f"_{name}" not in node}
    for name in members:
        parts = node[name] if isinstance(node[name], list) else [node[name]]
        if name.startswith("_") and not all(_computes(part) for part in parts):
            raise ContentError(f"`{name}` has no templateExtractValue; give it one or remove it.", spec=_SPEC)

    def fill(context: Context, focus: Collection) -> list[Any]:
        filled: dict[str, Any] = {}
        for name, member in members.items():
            found = member(context, focus)
            if not found:
                continue
            if isinstance(node[name], list):
                filled[name.removeprefix("_")] = found
            elif len(found) == 1:
                filled[name.removeprefix("_")] = found[0]
            else:
                raise ContentError(f"Several values for `{name}`, which holds one; correct the template.", spec=_SPEC)
        return [filled] if filled else []

    return fill


def _computes(part: Any) -> bool:
    return isinstance(part, dict) and any(extension.get("url") == _VALUE for extension in part.get("extension", []))


def _compile_member(value: Any, variables: frozenset[str]) -> Template:
    if not isinstance(value, list):
        return compile_template(value, variables)
    items = [compile_template(item, variables) for item in value]
    return lambda context, focus: [filled for item in items for filled in item(context, focus)]
