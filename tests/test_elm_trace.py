"""A trace tells which definitions and which resources a value came from; static requirements tell it beforehand."""

from __future__ import annotations

from ankle_cds import elm
from engine_probe import LABS, PAINS, chart, condition, evaluate, patient, program


def test_a_trace_lists_the_definitions_used_in_order() -> None:
    trace = evaluate(chart()).trace("Has pain")
    assert (trace.name, trace.value, trace.resources) == ("Has pain", True, ())
    (current,) = trace.uses
    (recorded,) = current.uses
    assert (current.name, recorded.name) == ("Current pains", "Pains recorded")
    both = evaluate(chart()).trace("Everything sore")
    assert [used.name for used in both.uses] == ["Pains recorded", "Ankle only"]


def test_a_trace_lists_the_resources_that_survived_the_definitions_own_query() -> None:
    (current,) = evaluate(chart()).trace("Has pain").uses
    assert current.resources == ("Condition/c1",)
    assert current.uses[0].resources == ("Condition/c1", "Condition/c2")
    assert evaluate(chart()).trace("Kidney results").resources == ("Observation/o1", "Observation/o2")


def test_a_trace_is_the_same_whatever_was_asked_before() -> None:
    ev = evaluate(chart())
    ev["Pains recorded"]
    ev["Has pain"]
    assert ev.trace("Has pain") == evaluate(chart()).trace("Has pain")


def test_a_trace_is_made_once_for_each_evaluation() -> None:
    ev = evaluate(chart())
    assert ev.trace("Has pain") is ev.trace("Has pain")
    assert ev.trace("Has pain") is not evaluate(chart()).trace("Has pain")


def test_a_value_that_was_already_known_is_still_a_use() -> None:
    ev = evaluate(chart())
    ev["Latest kidney"]
    assert [used.name for used in ev.trace("Kidney below").uses] == ["Kidney quantity"]
    assert [used.name for used in ev.trace("Kidney quantity").uses] == ["Latest kidney"]


def test_a_resource_without_an_id_is_named_by_its_place() -> None:
    nameless = condition("x", "ankle")
    del nameless["id"]
    ev = evaluate([patient(), condition("c1", "nose"), nameless])
    assert ev.trace("Pains recorded").resources == ("Condition/#2",)


def test_the_closure_reaches_through_definitions_and_functions() -> None:
    assert program().closure("Kidney below") == {
        f"EngineProbe.{name}" for name in ("Kidney below", "Kidney quantity", "Latest kidney", "Kidney results")
    }


def test_retrieves_are_known_without_data() -> None:
    (pains,) = program().retrieves(["Has pain"])
    assert (pains.resource_type, pains.code_property, pains.value_set) == ("Condition", "code", PAINS)
    assert (pains.codes, pains.definition) == (None, "Pains recorded")
    assert pains.locator is not None
    (kidneys,) = program().retrieves(["Kidney words"])
    assert kidneys.codes == (elm.Code("egfr", LABS),)
    both = program().retrieves(["Has pain", "Kidney words", "Age"])
    assert [row.resource_type for row in both] == ["Condition", "Observation", "Patient"]
    assert program().retrieves(["Sum"]) == ()


def test_definitions_describe_themselves() -> None:
    described = program().definitions["Current pains"]
    assert described.result_type == "List<FHIR.Condition>"
    assert (described.access, described.library) == ("Public", "EngineProbe")
    assert program().definitions["Is adult"].result_type == "System.Boolean"
