"""The part of FHIRPath that constraints are written in: what it answers, and that it refuses the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ankle_cds.fhir import read_json
from ankle_cds.fhir.definitions import r4
from ankle_cds.validate.fhirpath import (
    Context,
    UndecidedError,
    UnsupportedExpressionError,
    compile_expression,
    truth,
)
from ankle_cds.validate.nodes import root

OBSERVATION = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "s", "code": "a"}, {"system": "s", "code": "b"}], "text": "it's"},
    "subject": {"reference": "#p"},
    "contained": [{"resourceType": "Patient", "id": "p"}],
    "effectivePeriod": {"start": "2026-05-01", "end": "2026-05"},
    "valueQuantity": {"value": 1.10, "unit": "cm", "system": "http://unitsofmeasure.org", "code": "cm"},
    "component": [{"code": {"coding": [{"system": "s", "code": "b"}]}, "valueInteger": 3}],
    "referenceRange": [
        {"low": {"value": 1, "code": "cm"}, "high": {"value": 2, "code": "cm"}},
        {"low": {"value": 1, "code": "cm"}, "high": {"value": 2, "code": "mm"}},
    ],
    "note": [{"text": "x", "_time": {"extension": [{"url": "u", "valueCode": "c"}]}}],
    "issued": "2026-05-14T09:30:00-07:00",
}


def ask(expression: str, resource: Any = OBSERVATION) -> Any:
    """The values of the answer, evaluated on a whole resource."""
    node = root(read_json(json.dumps(resource).encode()))
    return [item.value for item in compile_expression(expression)(Context(node, node, node), [node])]


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("status", ["final"]),
        ("Observation.status", ["final"]),
        ("status = 'final'", [True]),
        ("status != 'final'", [False]),
        ("status in ('final' | 'amended')", [True]),
        ("bodySite in ('final' | 'amended')", []),
        ("bodySite = 'x'", []),
        ("code.coding.code", ["a", "b"]),
        ("code.coding.code = ('a' | 'b')", [True]),
        ("code.coding.where(code = 'a').count()", [1]),
        ("code.coding.all(system = 's')", [True]),
        ("code.coding.all(code = 'a')", [False]),
        ("code.coding.exists(code = 'b')", [True]),
        ("code.coding.select(code)", ["a", "b"]),
        ("code.coding.intersect(%resource.component.code.coding).code", ["b"]),
        (r"code.text = 'it\'s'", [True]),
        ("code.text.contains('t') and code.text.startsWith('it')", [True]),
        ("code.text.substring(3)", ["s"]),
        ("code.text.length() >= 4", [True]),
        ("value.exists()", [True]),
        ("value is Quantity", [True]),
        ("value is Age", [False]),
        ("value.value.toString()", ["1.1"]),
        ("component.value", [3]),
        ("component.value + 'x'", UndecidedError),
        ("'#' + contained.id = subject.reference", [True]),
        ("subject.reference.substring(1) in %rootResource.contained.id", [True]),
        ("descendants().where(reference = '#p').count()", [1]),
        ("descendants().as(code).count() >= 2", [True]),
        ("effective.start <= effective.end", []),
        ("effective.start.toString().length() >= 10 and effective.end.toString().length() >= 10", [False]),
        ("effective.start < issued", [True]),
        ("effective.start = effective.end", []),
        ("referenceRange.all(low <= high)", [False]),
        ("referenceRange.where(low <= high).count()", [1]),
        ("note.time.hasValue()", [False]),
        ("note.time.extension.value", ["c"]),
        ("note.`text`", ["x"]),
        ("iif(status = 'final', 'yes', 'no')", ["yes"]),
        ("(1 | 1 | 2).count()", [2]),
        ("code.coding.trace('x', code).count()", [2]),
        ("status.hasValue().not()", [False]),
        ("code.coding.code.select($this = 'c').allFalse()", [True]),
        ("(status | code.text) = 'final'", [False]),
        ("code.coding.code < 'b'", UndecidedError),
        ("value < 3", UndecidedError),
        ("component.value < 4 and component.value > 2 and component.value <= 3", [True]),
        ("children().count() = 11", [True]),
        ("code.coding.empty() or bodySite.empty()", [True]),
    ],
)
def test_it_answers_as_the_specification_says(expression: str, answer: Any) -> None:
    if answer is UndecidedError:
        with pytest.raises(UndecidedError):
            ask(expression)
    else:
        assert ask(expression) == answer


@pytest.mark.parametrize(
    ("a", "b", "wanted"),  # of and, or, xor, implies
    [
        ("true", "true", (True, True, False, True)),
        ("true", "false", (False, True, True, False)),
        ("true", "{}", (None, True, None, None)),
        ("false", "{}", (False, None, None, True)),
        ("{}", "true", (None, True, None, True)),
        ("{}", "{}", (None, None, None, None)),
    ],
)
def test_unknown_is_neither_true_nor_false(a: str, b: str, wanted: tuple[bool | None, ...]) -> None:
    """The four operators on true, false and empty."""
    left, right = (text.replace("{}", "bodySite.text = 'x'") for text in (a, b))
    node = root(OBSERVATION)
    for operator, answer in zip(("and", "or", "xor", "implies"), wanted, strict=True):
        found = compile_expression(f"({left}) {operator} ({right})")(Context(node, node, node), [node])
        assert truth(found) is answer, operator


def test_operators_bind_as_in_the_specification() -> None:
    """`|` before `=`, `=` before `and`, `and` before `or`, `or` before `implies`."""
    assert ask("status = 'x' or status = 'final' and code.text = 'y' implies false") == [True]
    assert ask("code.coding.code = 'a' | 'b'") == [True]
    assert ask("'final' = status in true") == [True]


@pytest.mark.parametrize(
    "expression",
    [
        "exists()) and true",
        "code.coding.where(code = 'x'",
        "%x >= 3",
        "a..b",
        "",
        "status =",
        "status = 'final",
        "codding.exists()",
        "matches('x')",
        "where()",
        "code.as(Cod)",
        "status is 'code'",
        "status and",
        "and",
        "code.coding[0]",
        "status ~ 'final'",
        "@2026",
        "{}",
        "1 - 1",
        "status 'final'",
        "code,text",
        r"'\u0041'",
    ],
)
def test_what_is_not_supported_is_refused_before_it_is_asked(expression: str) -> None:
    with pytest.raises(UnsupportedExpressionError):
        compile_expression(expression)


def test_every_constraint_of_fhir_itself_can_be_asked() -> None:
    """Those of all types at hand compile; HTML alone is not looked into."""
    refused = set()
    for name in ("Observation", "Condition", "Procedure", "CarePlan", "Extension", "Timing", "Dosage", "Narrative"):
        for element in r4().elements(name):
            for constraint in element.get("constraint", ()):
                try:
                    compile_expression(constraint["expression"])
                except UnsupportedExpressionError:
                    refused.add(constraint["key"])
    assert refused == {"txt-1", "txt-2"}
