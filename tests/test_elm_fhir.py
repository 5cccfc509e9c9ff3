"""FHIR data through translated CQL: choices, primitives, extensions, dates, codes, FHIRHelpers as it is published."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ankle_cds import elm
from engine_probe import NOW, chart, condition, encounter, evaluate, kidney, observation, patient, program


@pytest.fixture
def ev() -> elm.Evaluation:
    return evaluate(chart(), Words=["a", "b"])


def test_a_primitive_gives_its_system_value(ev: elm.Evaluation) -> None:
    assert ev["Born"] == elm.Date(2008, 11, 20)
    assert ev["First names"] == ["Ann", "Bea", "Cyd"]
    assert ev["Birth date is a date"] is True


def test_a_fhir_element_keeps_its_type_and_json(ev: elm.Evaluation) -> None:
    gender = ev["Gender"]
    assert isinstance(gender, elm.Fhir)
    assert (gender.type, gender.json) == ("AdministrativeGender", "female")
    assert elm.to_json(ev["Latest kidney"])["id"] == "o2"


def test_a_retrieve_by_code_keeps_the_order_of_the_record_and_gives_each_resource_once() -> None:
    both = condition("c2", "knee")
    both["code"]["coding"] *= 2
    both["code"]["coding"].append(condition("x", "ankle")["code"]["coding"][0])
    record = [patient(), condition("c1", "knee"), both, condition("c3", "nose"), condition("c4", "ankle")]
    found = [row.json["id"] for row in evaluate(record)["Pains recorded"]]
    assert found == ["c1", "c2", "c4"]
    backwards = [row.json["id"] for row in evaluate(record[::-1])["Pains recorded"]]
    assert backwards == ["c4", "c2", "c1"]


def test_age_counts_the_birthday_itself_and_not_the_day_before() -> None:
    assert evaluate([patient()])["Age"] == 18
    assert evaluate([patient(birthDate="2008-11-21")])["Age"] == 17


def test_an_imprecise_birth_date_gives_an_uncertain_age_and_an_unknown_comparison() -> None:
    ev = evaluate([patient(birthDate="2008")])
    assert ev["Age"] == elm.Uncertainty(17, 18)
    assert ev["Is adult"] is None
    assert evaluate([patient(birthDate="2007")])["Is adult"] is True


def test_a_missing_birth_date_is_unknown() -> None:
    bare = patient()
    del bare["birthDate"]
    assert evaluate([bare])["Is adult"] is None


def test_an_extension_of_a_primitive_is_read_even_when_the_primitive_has_no_value() -> None:
    place = {"extension": [{"url": "http://example.org/place", "valueString": "Bern"}]}
    assert evaluate([patient(_birthDate=place)])["Birth place"] == ["Bern"]
    bare = patient(_birthDate=place)
    del bare["birthDate"]
    ev = evaluate([bare])
    assert ev["Birth place"] == ["Bern"]
    assert ev["Born"] is None


def test_a_choice_tells_its_type(ev: elm.Evaluation) -> None:
    kinds = ["quantity", "quantity", "quantity", "concept", "boolean", "string", "none", "other"]
    assert ev["Kinds of value"] == kinds


def test_a_choice_of_another_type_is_null_when_cast() -> None:
    ev = evaluate([patient(), kidney("o1", 1, "2026-01-01", valueQuantity=None, valueString="low")])
    assert ev["Kidney value"] is None
    assert ev["Kidney below"] is None


@pytest.mark.parametrize("value", [59.9, Decimal("59.9"), Decimal("59.90")])
def test_a_number_may_arrive_as_float_or_decimal(value: Any) -> None:
    ev = evaluate([patient(), kidney("o1", value, "2026-01-01")])
    assert ev["Kidney quantity"] == elm.Quantity(Decimal("59.9"), "mL/min")
    assert ev["Kidney below"] is True


def test_a_whole_number_compares_with_a_decimal() -> None:
    assert evaluate([patient(), kidney("o1", 60, "2026-01-01")])["Kidney number"] is False


def test_an_error_message_of_fhirhelpers_stops_the_evaluation_without_repeating_the_record() -> None:
    lab = kidney("o1", 55, "2026-01-01")
    lab["valueQuantity"]["comparator"] = "<"
    lab["valueQuantity"]["unit"] = "secret-unit"
    with pytest.raises(elm.EvaluationError) as caught:
        evaluate([patient(), lab])["Kidney quantity"]
    assert "FHIRHelpers.ToQuantity.ComparatorQuantityNotSupported" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_retrieve_selects_by_value_set_and_by_code(ev: elm.Evaluation) -> None:
    assert [row.json["id"] for row in ev["Pains recorded"]] == ["c1", "c2"]
    assert [row.json["id"] for row in ev["Ankle only"]] == ["c1"]


def test_a_code_of_another_system_is_not_selected() -> None:
    foreign = condition("c1", "ankle")
    foreign["code"]["coding"][0]["system"] = "http://example.org/other"
    ev = evaluate([patient(), foreign])
    assert ev["Pains recorded"] == []
    assert ev["In value set"] is False
    assert ev["Code matches"] is False


def test_with_and_without_join_on_references(ev: elm.Evaluation) -> None:
    assert ev["Observed in encounters"] == ["o2"]
    assert ev["Observed outside"] == ["o1", "o3", "o4", "o5", "o6", "o7", "o8"]


def test_sorting_follows_the_expression(ev: elm.Evaluation) -> None:
    assert [row.json["id"] for row in ev["Kidney results"]] == ["o2", "o1"]
    assert ev["By column"] == "c3"


def test_queries_over_several_sources_give_every_pair(ev: elm.Evaluation) -> None:
    assert [row["condition"] for row in ev["Pairs"]] == ["c1", "c2", "c3"]
    assert ev["Pairs"][0]["encounter"] == "e1"


def test_a_union_of_resources_holds_each_once(ev: elm.Evaluation) -> None:
    assert [row.json["id"] for row in ev["Everything sore"]] == ["c1", "c2"]


def test_an_open_period_covers_now(ev: elm.Evaluation) -> None:
    assert ev["Encounter covers now"] is True
    assert ev["Encounter start"] == elm.DateTime(2026, 11, 20, 9, 0, 0, offset=-300)
    over = encounter(period={"start": "2026-11-20T09:00:00-05:00", "end": "2026-11-20T09:29:59-05:00"})
    assert evaluate([patient(), over])["Encounter covers now"] is False


def test_days_are_counted_in_the_offset_of_the_evaluation() -> None:
    # 02:00 in UTC is still the day before at -05:00
    late = condition("c1", "ankle", onsetDateTime="2026-11-20T02:00:00Z")
    assert evaluate([patient(), late])["Recent words"] == ["c1 2026-11-19"]


def test_functions_are_chosen_by_signature(ev: elm.Evaluation) -> None:
    assert ev["Overloads"] == ["integer", "string", "decimal"]
    assert ev["Kidney words"] == "o2 amended"
    assert ev["Either"] == "word a"


def test_an_invalid_date_in_the_record_is_reported_without_repeating_it() -> None:
    with pytest.raises(elm.MalformedValue) as caught:
        evaluate([patient(birthDate="1990-13-77")])["Born"]
    assert "1990" not in str(caught.value)
    assert "EngineProbe" in str(caught.value)


@pytest.mark.parametrize(
    "broken",
    [
        {"birthDate": 19900101},
        {"birthDate": ["1990-01-01"]},
        {"birthDate": {"value": "1990-01-01"}},
        {"birthDate": "1990-01-01T00:00:00Z"},
    ],
)
def test_a_value_of_the_wrong_json_type_is_an_error_never_null(broken: dict[str, Any]) -> None:
    with pytest.raises(elm.MalformedValue):
        evaluate([patient(**broken)])["Born"]


def test_a_list_where_one_value_belongs_is_an_error_never_null() -> None:
    with pytest.raises(elm.MalformedValue):
        evaluate([patient(gender=["female"])])["Gender"]


def test_a_name_that_is_no_list_is_an_error_never_null() -> None:
    with pytest.raises(elm.MalformedValue):
        evaluate([patient(name={"given": ["Ann"]})])["First names"]


def test_two_patients_are_an_error() -> None:
    with pytest.raises(elm.EvaluationError):
        evaluate([patient(), patient(id="q")])["Age"]


def test_a_run_time_error_names_the_definition() -> None:
    with pytest.raises(elm.EvaluationError) as caught:
        evaluate([patient()])["Never asked"]
    assert "Never asked" in str(caught.value.where)


def test_what_is_not_asked_is_not_computed(ev: elm.Evaluation) -> None:
    """`Never asked` raises; asking for others does not touch it."""
    assert ev["Sum"] == 6
    assert ev["Total"] == 6


def test_unknown_and_false_are_kept_apart() -> None:
    assert evaluate([patient()])["Unknown"] is False
    assert evaluate([patient(), {"resourceType": "Procedure", "id": "x"}])["Unknown"] is None


def test_parameters_are_checked_against_their_declaration() -> None:
    assert evaluate([patient()], Words=["a"])["Given words"] == ["a"]
    assert evaluate([patient()])["Given words"] is None
    for wrong in ({"Words": "a"}, {"Days": "30"}, {"Days": True}, {"Nonsense": 1}):
        with pytest.raises(elm.EvaluationError):
            evaluate([patient()], **wrong)
    assert evaluate([patient(), kidney("o1", 65, "2026-01-01")], Threshold=70)["Kidney number"] is True


def test_parameters_describe_themselves() -> None:
    described = program().parameters
    assert (described["Days"].type, described["Days"].default) == ("System.Integer", 30)
    assert described["Words"].has_default is False
    assert (described["Since"].default, described["Since"].has_default) == (None, True)


def test_the_default_of_a_parameter_uses_the_evaluation_time() -> None:
    assert evaluate([patient()])["Since year"] == 2025


def test_the_evaluation_time_needs_an_offset() -> None:
    with pytest.raises(elm.EvaluationError):
        program().evaluate([], now=NOW.replace(tzinfo=None))


def test_a_resource_without_type_is_refused() -> None:
    with pytest.raises(elm.MalformedValue):
        evaluate([{"id": "x"}])["Age"]


def test_a_code_that_is_no_concept_is_an_error() -> None:
    with pytest.raises(elm.MalformedValue):
        evaluate([patient(), observation("o1", code="egfr")])["Kidney results"]
