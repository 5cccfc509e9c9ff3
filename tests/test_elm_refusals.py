"""What the engine cannot execute is refused at load, with operator, library and place; nothing is silently wrong."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ankle_cds import elm
from ankle_cds.errors import ContentError
from engine_probe import NOW, VALUE_SETS, documents

SYSTEM = "{urn:hl7-org:elm-types:r1}"
ONE = {"type": "Literal", "valueType": f"{SYSTEM}Integer", "value": "1"}


def library(*definitions: dict[str, Any], **sections: Any) -> dict[str, Any]:
    identifier = {"id": "Small", "version": "1"}
    return {"library": {"identifier": identifier, "statements": {"def": list(definitions)}, **sections}}


def definition(expression: dict[str, Any], name: str = "D") -> dict[str, Any]:
    return {"name": name, "context": "Patient", "locator": "3:1-3:20", "expression": expression}


def refused(*definitions: dict[str, Any], **sections: Any) -> ContentError:
    with pytest.raises(ContentError) as caught:
        elm.load([library(*definitions, **sections)])
    return caught.value


def test_an_unknown_operator_is_named_with_its_library_and_place() -> None:
    (cause,) = refused(definition({"type": "Teleport", "locator": "3:5-3:9"})).causes
    assert "Teleport" in cause.message
    assert "Small" in cause.message
    assert cause.where == "Small:3:5-3:9 (D)"
    assert cause.spec


def test_every_finding_is_listed_not_only_the_first() -> None:
    error = refused(
        definition({"type": "List", "element": [{"type": "Teleport"}, {"type": "Guess"}]}, "A"),
        definition({"type": "Wish"}, "B"),
    )
    assert [cause.where for cause in error.causes] == ["Small:3:1-3:20 (A)"] * 2 + ["Small:3:1-3:20 (B)"]
    assert "Guess" in str(error)
    assert "Wish" in str(error)


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        ({"type": "Abs", "operand": ONE, "speed": 3}, "speed"),
        ({"type": "ExpressionRef", "name": "Nowhere"}, "Nowhere"),
        ({"type": "FunctionRef", "name": "Nothing", "operand": [ONE]}, "Nothing"),
        ({"type": "ParameterRef", "name": "Missing"}, "Missing"),
        ({"type": "AliasRef", "name": "X"}, "X"),
        ({"type": "IdentifierRef", "name": "x"}, "unresolved identifier"),
        ({"type": "CodeRef", "name": "Missing"}, "Missing"),
        ({"type": "ValueSetRef", "name": "Missing"}, "Missing"),
        ({"type": "As", "operand": ONE, "asType": "Integer"}, "type specifier"),
        ({"type": "Is", "operand": ONE, "isType": f"{SYSTEM}Unicorn"}, "System.Unicorn"),
        ({"type": "Is", "operand": ONE, "isType": "{http://example.org/model}Thing"}, "Thing"),
        ({"type": "Convert", "operand": ONE, "toType": f"{SYSTEM}Unicorn"}, "Unicorn"),
        ({"type": "DurationBetween", "operand": [ONE, ONE], "precision": "Fortnight"}, "Fortnight"),
        ({"type": "DurationBetween", "operand": [ONE, ONE]}, "no precision"),
        ({"type": "SameAs", "operand": [ONE, ONE], "precision": "Week"}, "Week"),
        ({"type": "Instance", "classType": "{http://hl7.org/fhir}Quantity", "element": []}, "FHIR.Quantity"),
        ({"type": "Literal", "valueType": f"{SYSTEM}Integer", "value": "2147483648"}, "Integer"),
        ({"type": "Literal", "valueType": f"{SYSTEM}Decimal", "value": "0.123456789"}, "limits"),
        ({"type": "Add", "operand": [ONE]}, "Add"),
        ({"type": "Add", "operand": [ONE, ONE, ONE]}, "Add"),
        ({"type": "Add"}, "KeyError"),
        ({"type": "Retrieve", "dataType": "{http://example.org/model}Thing"}, "Thing"),
        (
            {"type": "Retrieve", "dataType": "{http://hl7.org/fhir}Condition", "templateId": "http://example.org/p"},
            "profile",
        ),
        ({"type": "Retrieve", "dataType": "{http://hl7.org/fhir}Condition", "include": [{"a": 1}]}, "include"),
        ({"type": "Collapse", "operand": [{"type": "List"}, {"type": "Quantity", "value": 1}]}, "per"),
        ({"type": "InCodeSystem", "code": ONE}, "InCodeSystem"),
        ({"type": "Children", "source": ONE}, "Children"),
        ("nonsense", "node without a type"),
    ],
)
def test_what_is_not_supported_is_refused_at_load(expression: Any, what: str) -> None:
    assert what in str(refused(definition(expression)))


def test_a_property_of_fhir_data_without_its_type_is_refused() -> None:
    patients = {"type": "Retrieve", "dataType": "{http://hl7.org/fhir}Patient"}
    patient = {"type": "SingletonFrom", "operand": patients}
    expression = {"type": "Property", "path": "birthDate", "source": patient}
    assert "without a static type" in str(refused(definition(expression)))


def test_a_value_set_whose_codes_are_not_given_is_refused() -> None:
    with pytest.raises(ContentError) as caught:
        elm.load(documents(), primary="EngineProbe", value_sets={})
    assert all("http://example.org/ValueSet/pains" in cause.message for cause in caught.value.causes)
    assert {cause.where for cause in caught.value.causes} >= {"EngineProbe:31:26-31:45 (Pains recorded)"}


def test_a_missing_library_is_refused() -> None:
    with pytest.raises(ContentError, match="FHIRHelpers"):
        elm.load(documents()[:1], primary="EngineProbe", value_sets=VALUE_SETS)


def test_another_version_of_a_library_is_refused() -> None:
    probe, helpers = copy.deepcopy(documents())
    helpers["library"]["identifier"]["version"] = "4.0.2"
    with pytest.raises(ContentError, match=r"given is 4\.0\.2"):
        elm.load([probe, helpers], primary="EngineProbe", value_sets=VALUE_SETS)


def test_an_unknown_primary_library_is_refused() -> None:
    with pytest.raises(ContentError, match="Nowhere"):
        elm.load([library(definition(ONE))], primary="Nowhere")


def test_the_same_library_twice_is_refused() -> None:
    with pytest.raises(ContentError, match="second library"):
        elm.load([library(definition(ONE)), library(definition(ONE))])


def test_something_that_is_no_library_is_refused() -> None:
    with pytest.raises(ContentError):
        elm.load([{"resourceType": "Library"}])


def test_a_translators_error_in_the_elm_is_refused() -> None:
    note = {"errorSeverity": "error", "message": "Could not resolve X", "startLine": 7, "startChar": 2}
    error = refused(definition({"type": "Null"}), annotation=[note])
    assert "Could not resolve X" in str(error)
    assert "7:2" in str(error)


def test_another_data_model_is_refused() -> None:
    using = {"def": [{"localIdentifier": "QICore", "uri": "http://hl7.org/fhir/us/qicore", "version": "4.1.1"}]}
    assert "qicore" in str(refused(definition(ONE), usings=using))


def test_another_release_of_fhir_is_refused() -> None:
    using = {"def": [{"localIdentifier": "FHIR", "uri": "http://hl7.org/fhir", "version": "5.0.0"}]}
    assert "5.0.0" in str(refused(definition(ONE), usings=using))


def test_a_definition_that_uses_itself_is_refused() -> None:
    error = refused(
        definition({"type": "ExpressionRef", "name": "B"}, "A"), definition({"type": "ExpressionRef", "name": "A"}, "B")
    )
    assert "recursion" in str(error)


def test_another_context_and_a_retrieve_outside_the_patient_are_refused() -> None:
    practitioner = {**definition(ONE), "context": "Practitioner"}
    assert "Practitioner" in str(refused(practitioner))
    everyone = {**definition({"type": "Retrieve", "dataType": "{http://hl7.org/fhir}Patient"}), "context": "Unfiltered"}
    assert "Patient context" in str(refused(everyone))


def test_an_external_function_is_refused_only_when_it_can_be_reached() -> None:
    outside = {"name": "Outside", "type": "FunctionDef", "external": True, "context": "Patient", "operand": []}
    other = {"library": {"identifier": {"id": "Other"}, "statements": {"def": [outside]}}}
    include = {"def": [{"localIdentifier": "O", "path": "Other"}]}
    calling = definition({"type": "FunctionRef", "name": "Outside", "libraryName": "O", "operand": []})
    assert (
        elm.load([library(definition(ONE), includes=include), other], primary="Small").evaluate([], now=NOW)["D"] == 1
    )
    with pytest.raises(ContentError, match="external function"):
        elm.load([library(calling, includes=include), other], primary="Small")


def test_ambiguous_overloads_are_refused() -> None:
    function = {"name": "F", "type": "FunctionDef", "context": "Patient", "expression": ONE}
    operands = [[{"name": "x", "operandType": f"{SYSTEM}{kind}"}] for kind in ("Integer", "String")]
    functions = [{**function, "operand": operand} for operand in operands]
    call = {"type": "FunctionRef", "name": "F", "operand": [{"type": "Null"}]}
    assert "ambiguous" in str(refused(definition(call), *functions))
    typed = {**call, "signature": [{"type": "NamedTypeSpecifier", "name": f"{SYSTEM}String"}]}
    assert elm.load([library(definition(typed), *functions)]).evaluate([], now=NOW)["D"] == 1


def test_one_parameter_name_with_two_types_is_refused() -> None:
    def with_parameter(name: str, kind: str) -> dict[str, Any]:
        parameters = {"def": [{"name": "Days", "parameterType": f"{SYSTEM}{kind}"}]}
        made = library(definition(ONE), parameters=parameters)
        made["library"]["identifier"]["id"] = name
        return made

    with pytest.raises(ContentError, match="second parameter 'Days'"):
        elm.load([with_parameter("A", "Integer"), with_parameter("B", "String")], primary="A")
    assert elm.load([with_parameter("A", "Integer"), with_parameter("B", "Integer")], primary="A").parameters
