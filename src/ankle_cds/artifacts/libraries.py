"""What a FHIR Library says about its logic: source and translation, parameters, options, direct codes.

https://hl7.org/fhir/uv/crmi/StructureDefinition-crmi-computablelibrary.html
"""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts.logic import IMPLICIT, direct_codes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ankle_cds.artifacts.logic import Logic
    from ankle_cds.fhir import Resource


def embed(resource: Resource, logic: Logic) -> None:
    """Put source and translation into the Library, byte for byte as they are committed."""
    resource["type"] = {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/library-type", "code": "logic-library"}]
    }
    parts = (("text/cql", logic.cql or b""), ("application/elm+json", logic.elm_path.read_bytes()))
    resource["content"] = [{"contentType": kind, "data": base64.b64encode(data).decode()} for kind, data in parts]
    codes = [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/cqf-directReferenceCode",
            "valueCoding": {
                "system": system,
                "code": entry["id"],
                **({"display": entry["display"]} if entry.get("display") else {}),
            },
        }
        for entry, system in direct_codes(logic)
    ]
    options: dict[str, Any] = next(
        (note for note in logic.elm.get("annotation", []) if note.get("type") == "CqlToElmInfo"), {}
    )
    settings = [
        {"name": name, "valueString": str(options[name])}
        for name in ("translatorVersion", "translatorOptions", "signatureLevel")
        if options.get(name)
    ]
    if settings:
        resource["contained"] = [{"resourceType": "Parameters", "id": "options", "parameter": settings}]
        codes.append(
            {
                "url": "http://hl7.org/fhir/StructureDefinition/cqf-cqlOptions",
                "valueReference": {"reference": "#options"},
            }
        )
    if codes:
        resource["extension"] = [*resource.get("extension", []), *codes]


def parameters(logic: Logic, basis: Mapping[str, str]) -> list[Resource]:
    """Describe what goes into the library and what comes out of it, as ParameterDefinitions.

    The default and the type come from the translation, the documentation of an input is its basis.
    """
    inputs = []
    for entry in logic.defs("parameters"):
        kind, many = fhir_type(entry.get("parameterTypeSpecifier") or entry.get("resultTypeSpecifier") or entry)
        definition: Resource = {}
        default = _default(entry.get("default"), kind, many)
        if default:
            definition["extension"] = [{"url": "http://hl7.org/fhir/StructureDefinition/cqf-defaultValue", **default}]
        definition |= {"name": entry["name"], "use": "in", "min": 0, "max": "*" if many else "1"}
        if entry["name"] in basis:
            definition["documentation"] = basis[entry["name"]]
        inputs.append({**definition, "type": kind})
    outputs = []
    for entry in logic.defs("statements"):
        if entry.get("type") == "FunctionDef" or entry.get("accessLevel") == "Private":
            continue
        if entry["name"] in IMPLICIT:
            continue
        kind, many = fhir_type(entry.get("resultTypeSpecifier") or entry)
        outputs.append({"name": entry["name"], "use": "out", "min": 0, "max": "*" if many else "1", "type": kind})
    return inputs + outputs


def fhir_type(specifier: Mapping[str, Any]) -> tuple[str, bool]:
    """Translate an ELM result type into a FHIR type name and whether it repeats; `Any` where FHIR has no such type."""
    if specifier.get("type") == "ListTypeSpecifier":
        kind, _ = fhir_type(specifier["elementType"])
        return kind, True
    if specifier.get("type") == "IntervalTypeSpecifier":
        point, _ = fhir_type(specifier["pointType"])
        return ("Range" if point in {"Quantity", "integer", "decimal"} else "Period"), False
    name = specifier.get("name") if specifier.get("type") == "NamedTypeSpecifier" else specifier.get("resultTypeName")
    namespace, _, local = str(name).rpartition("}")
    if namespace.endswith("elm-types:r1"):
        return _SYSTEM_TYPES.get(local, "Any"), False
    return (local if namespace and "." not in local else "Any"), False


_SYSTEM_TYPES = {
    **{name: name.lower() for name in ("Boolean", "Integer", "Decimal", "String", "Date", "Time")},
    **{name: name for name in ("Quantity", "Ratio")},
    "DateTime": "dateTime",
    "Code": "Coding",
    "Concept": "CodeableConcept",
}


def _default(expression: Any, kind: str, many: bool) -> Resource | None:
    if not isinstance(expression, dict) or expression.get("type") == "Null":
        return None
    if many:
        items = expression.get("element", [])
        if not all(item.get("type") == "Literal" for item in items):
            return None
        texts = [str(item["value"]) for item in items]
        quoted = ", ".join("'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'" for text in texts)
        # The extension holds one simple value; the default of a list is written as the CQL list.
        return {"valueString": f"{{ {quoted} }}" if quoted else "{}"}
    while expression.get("type") in {"ToDecimal", "As", "ToString"}:
        expression = expression["operand"]
    if expression.get("type") != "Literal":
        return None
    text = str(expression["value"])
    value: Any = text
    if kind == "boolean":
        value = text == "true"
    elif kind in {"integer", "decimal"}:
        value = int(text) if kind == "integer" else Decimal(text)
    return {f"value{kind[:1].upper()}{kind[1:]}": value}
