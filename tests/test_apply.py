"""$apply: what a plan asks for one patient at one time, as a RequestGroup, and why."""

from __future__ import annotations

import copy
import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from ankle_cds import elm
from ankle_cds.apply import Subject, apply, check, facts, feature
from ankle_cds.apply.elements import DRAFTS, TYPES
from ankle_cds.apply.paths import resolve
from ankle_cds.apply.values import convert
from ankle_cds.errors import ContentError
from ankle_cds.fhir import write_json
from small_guideline import BASE, FakeTrace, condition, dynamic, small_guideline

NOW = dt.datetime(2026, 11, 22, 9, 30, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=45)))
SUBJECT = Subject("p1", "e1")


def applied(package: Any, hook: str | None = "encounter-start", **values: Any) -> Any:
    package.program.values |= values
    evaluation = package.program.evaluate([], now=NOW, parameters={})
    return apply(package, f"{BASE}/PlanDefinition/Pathway", evaluation, subject=SUBJECT, now=NOW, hook=hook)


def actions(group: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}

    def below(level: list[dict[str, Any]]) -> None:
        for action in level:
            assert action["id"] not in found
            found[action["id"]] = action
            below(action.get("action", []))

    below(group.get("action", []))
    return found


def drafts(group: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {draft["id"]: draft for draft in group["contained"]}


def test_pathway_strategy_recommendation_and_order_set_are_nested_actions_of_one_request_group() -> None:
    group = applied(small_guideline()).request_group
    assert list(actions(group)) == [
        "Pathway.all",
        "Strategy.then",
        "Care.top",
        "Care.diagnosis",
        "Care.set",
        "CareSet.all",
        "CareSet.plan",
        "CareSet.drug",
        "Care.form",
    ]
    assert group["instantiatesCanonical"] == [f"{BASE}/PlanDefinition/Pathway|1.2.3"]
    assert group["authoredOn"] == "2026-11-22T09:30:00+05:45"
    assert (group["status"], group["intent"], group["encounter"]) == (
        "draft",
        "proposal",
        {"reference": "Encounter/e1"},
    )


@pytest.mark.parametrize("value", [False, None])
def test_false_and_unknown_do_not_apply_and_are_kept_apart_in_the_reasons(value: bool | None) -> None:
    result = applied(small_guideline(), CareApplies=value)
    assert "Care.top" not in actions(result.request_group)
    reason = next(reason for reason in result.reasons if reason.expression == "CareApplies")
    assert reason.value is value
    assert (reason.recommendation, reason.action, reason.rule) == ("Care", "Care.top", "The rule in words.")


def test_a_plan_of_which_nothing_applies_leaves_no_empty_action_behind() -> None:
    group = applied(small_guideline(), CareApplies=False).request_group
    assert "action" not in group
    group = applied(small_guideline(), OfferPlan=False, OfferDrug=False).request_group
    assert "Care.set" not in actions(group)


def test_every_action_has_a_resource_or_actions_never_both_or_neither() -> None:
    """R4 invariant rqg-1, also for a recommendation that has no draft left to offer."""
    group = applied(small_guideline(), EmergencyApplies=True, OfferImage=False).request_group
    for action in actions(group).values():
        assert ("resource" in action) != ("action" in action)
    emergency = actions(group)["Emergency.top"]["resource"]
    assert emergency["identifier"]["value"] == f"{BASE}/PlanDefinition/Emergency|1.2.3"


def test_conditions_below_one_that_does_not_hold_are_not_evaluated() -> None:
    result = applied(small_guideline())
    assert not {"OfferImage", "OfferReferral"} & {reason.expression for reason in result.reasons}


def test_the_reasons_of_an_order_set_belong_to_the_recommendation_that_offers_it() -> None:
    reason = next(reason for reason in applied(small_guideline()).reasons if reason.expression == "OfferDrug")
    assert (reason.recommendation, reason.plan, reason.action) == ("Care", "CareSet", "CareSet.drug")


def test_a_hook_considers_only_actions_that_it_triggers_and_no_hook_considers_all() -> None:
    assert "Care.top" in actions(applied(small_guideline(), "patient-view").request_group)
    assert "action" not in applied(small_guideline(), "order-sign").request_group
    assert "Care.top" in actions(applied(small_guideline(), None).request_group)


def test_a_draft_is_a_complete_proposal_for_this_patient_and_encounter() -> None:
    site = elm.Concept((elm.Code("344001", "http://snomed.info/sct"),), "Ankle")
    group = applied(
        small_guideline(),
        EmergencyApplies=True,
        BodySite=site,
        ReasonReference=["Condition/c1"],
        When=elm.Date(2027, 1, 3),
    ).request_group
    assert drafts(group)["ImageOrder"] == {
        "resourceType": "ServiceRequest",
        "id": "ImageOrder",
        "instantiatesCanonical": [f"{BASE}/ActivityDefinition/ImageOrder|1.2.3"],
        "status": "draft",
        "intent": "proposal",
        "priority": "stat",
        "code": {"coding": [{"system": "http://loinc.org", "code": "36592-4"}], "text": "Image"},
        "subject": {"reference": "Patient/p1"},
        "encounter": {"reference": "Encounter/e1"},
        "occurrenceDateTime": "2027-01-03",
        "authoredOn": "2026-11-22T09:30:00+05:45",
        "reasonReference": [{"reference": "Condition/c1"}],
        "supportingInfo": [{"reference": "Observation/o1"}],
        "bodySite": [{"coding": [{"system": "http://snomed.info/sct", "code": "344001"}], "text": "Ankle"}],
    }


def test_a_computed_element_that_is_null_is_left_out() -> None:
    group = applied(small_guideline(), EmergencyApplies=True).request_group
    assert not {"bodySite", "reasonCode", "reasonReference", "occurrenceDateTime"} & set(drafts(group)["ImageOrder"])


def test_computed_elements_of_the_action_and_of_its_resource_are_told_apart_by_their_path() -> None:
    group = applied(small_guideline(), EmergencyApplies=True).request_group
    image = actions(group)["Emergency.image"]
    assert image["precheckBehavior"] == "yes"
    assert "priority" not in image
    assert drafts(group)["ImageOrder"]["priority"] == "stat"


def test_without_an_encounter_no_draft_names_one() -> None:
    package = small_guideline()
    evaluation = package.program.evaluate([], now=NOW, parameters={})
    group = apply(package, f"{BASE}/PlanDefinition/Pathway", evaluation, subject=Subject("p1"), now=NOW).request_group
    assert "encounter" not in group
    assert all("encounter" not in draft for draft in group["contained"])


def test_the_template_of_a_proposed_diagnosis_becomes_the_draft() -> None:
    diagnosis = drafts(applied(small_guideline()).request_group)["Diagnosis"]
    assert diagnosis["resourceType"] == "Condition"
    assert diagnosis["code"] == {"text": "Suspected"}
    assert diagnosis["evidence"] == [
        {"detail": [{"reference": "Observation/o1"}, {"reference": "Observation/o2"}]},
    ]
    assert diagnosis["subject"] == {"reference": "Patient/p1"}
    assert diagnosis["recordedDate"] == "2026-11-22T09:30:00+05:45"
    assert not {"status", "intent"} & set(diagnosis)


def test_a_task_to_collect_information_names_its_form() -> None:
    form = drafts(applied(small_guideline()).request_group)["Form"]
    assert form["input"] == [
        {"type": {"text": "questionnaire"}, "valueCanonical": f"{BASE}/Questionnaire/Form"},
    ]
    assert (form["for"], form["instantiatesCanonical"]) == (
        {"reference": "Patient/p1"},
        f"{BASE}/ActivityDefinition/Form|1.2.3",
    )


def test_several_values_for_a_single_element_give_one_entry_each_of_the_list_above_it() -> None:
    parts = [elm.Concept((elm.Code("a", "urn:x"),)), elm.Concept((elm.Code("b", "urn:x"),))]
    plan = drafts(applied(small_guideline(), Parts=parts).request_group)["LoadPlan"]
    assert plan["activity"] == [
        {"detail": {"code": {"coding": [{"system": "urn:x", "code": code}]}, "status": "not-started"}}
        for code in ("a", "b")
    ]
    assert plan["instantiatesCanonical"] == [
        f"{BASE}/ActivityDefinition/LoadPlan|1.2.3",
        f"{BASE}/PlanDefinition/CareSet",
    ]


def test_the_same_input_gives_the_same_bytes_and_the_package_is_left_as_it_was() -> None:
    package = small_guideline()
    before = copy.deepcopy(package.resources)
    first = applied(package, EmergencyApplies=True).request_group
    assert write_json(first) == write_json(applied(package, EmergencyApplies=True).request_group)
    assert package.resources == before


def test_the_definition_behind_a_computed_title_is_named() -> None:
    assert applied(small_guideline()).expressions["Care.top"]["title"] == "CareTitle"


def test_relations_to_actions_that_do_not_apply_are_dropped() -> None:
    package = small_guideline()
    first, then = package.plan("Strategy")["action"]
    then["relatedAction"] = [{"actionId": first["id"], "relationship": "after-end"}]
    assert "relatedAction" not in actions(applied(package).request_group)["Strategy.then"]
    related = actions(applied(package, EmergencyApplies=True).request_group)["Strategy.then"]["relatedAction"]
    assert related == [{"actionId": "Strategy.first", "relationship": "after-end"}]


CODE = elm.Code("c", "urn:x", None, "Shown")


@pytest.mark.parametrize(
    ("value", "fhir_type", "expected"),
    [
        (None, "string", []),
        ([], "Reference", []),
        ([None, "Patient/1"], "Reference", [{"reference": "Patient/1"}]),
        ("text", "markdown", ["text"]),
        (CODE, "code", ["c"]),
        (CODE, "Coding", [{"system": "urn:x", "code": "c", "display": "Shown"}]),
        (CODE, "CodeableConcept", [{"coding": [{"system": "urn:x", "code": "c", "display": "Shown"}]}]),
        (elm.Concept((), "Only text"), "CodeableConcept", [{"text": "Only text"}]),
        (elm.Date(2026, 11), "dateTime", ["2026-11"]),
        (elm.DateTime(2026, 11, 22, 9, 30, 0, offset=60), "dateTime", ["2026-11-22T09:30:00+01:00"]),
        (elm.Interval(elm.Date(2026, 1, 1), None), "Period", [{"start": "2026-01-01"}]),
        (elm.FhirResource("Observation", {"resourceType": "Observation", "id": "o"}, "Observation/o"), "Reference",
         [{"reference": "Observation/o"}]),
        (elm.Fhir("CodeableConcept", {"text": "as it is"}), "CodeableConcept", [{"text": "as it is"}]),
        (False, "boolean", [False]),
    ],
)  # fmt: skip
def test_cql_values_become_fhir_elements(value: Any, fhir_type: str, expected: list[Any]) -> None:
    assert convert(value, fhir_type, "here") == expected


@pytest.mark.parametrize(
    ("value", "fhir_type"),
    [
        ("", "string"),
        (1, "string"),
        (True, "code"),
        ("two  blanks", "code"),
        ("not a reference", "Reference"),
        (Decimal(1), "CodeableConcept"),
        (elm.Concept((), None), "CodeableConcept"),
        (elm.DateTime(2026, 11, 22, 9), "dateTime"),
        ("text", "Timing"),
        (elm.Fhir("Coding", {"code": "c"}), "CodeableConcept"),
    ],
)
def test_a_value_that_does_not_fit_its_element_is_an_error_and_is_not_quoted(value: Any, fhir_type: str) -> None:
    with pytest.raises(ContentError) as caught:
        convert(value, fhir_type, "here")
    assert caught.value.where == "here"
    assert "not a reference" not in str(caught.value)


@pytest.mark.parametrize("path", ["colour", "code.colour", "category[0]", "code[0].text", "", "code..text", "%action"])
def test_a_path_that_names_no_known_element_is_refused(path: str) -> None:
    with pytest.raises(ContentError):
        resolve(path, "ServiceRequest", "here")


def test_a_path_with_an_index_reaches_the_entry_it_names() -> None:
    plan: dict[str, Any] = {}
    resolve("activity[0].detail.description", "CarePlan", "here").put(plan, ["first"])
    resolve("activity[1].detail.description", "CarePlan", "here").put(plan, ["second"])
    assert [entry["detail"]["description"] for entry in plan["activity"]] == ["first", "second"]
    with pytest.raises(ContentError):
        resolve("activity[3].detail.description", "CarePlan", "here").put(plan, ["gap"])
    with pytest.raises(ContentError):
        resolve("activity.detail.description", "CarePlan", "here").put(plan, ["which?"])
    with pytest.raises(ContentError):
        resolve("title", "CarePlan", "here").put(plan, ["one", "two"])


def test_a_condition_that_is_no_boolean_is_an_error_not_a_no() -> None:
    with pytest.raises(ContentError, match="Boolean"):
        applied(small_guideline(), CareApplies="yes")


def test_reasons_show_what_decided_and_withhold_what_a_person_wrote() -> None:
    package = small_guideline()
    test = FakeTrace("Test", True, (FakeTrace("Rows", [], resources=("Observation/o9",)),), ("Observation/o1",))
    note = FakeTrace("Note", "fell on the stairs", (), ("Observation/o2",))
    package.program.traces["CareApplies"] = FakeTrace("CareApplies", True, (test, note))
    shown = applied(package).reasons[1].feature(depth=2)
    assert [(part.name, part.value) for part in shown.uses] == [("Test", True), ("Note", {"withheld": True})]
    assert shown.uses[0].resources == ("Observation/o1",)
    assert applied(package).reasons[1].resources == ("Observation/o1", "Observation/o2", "Observation/o9")


def test_a_tree_that_is_cut_names_the_resources_nearest_below() -> None:
    rows = FakeTrace("Rows", [], (FakeTrace("Side", "left", (), ("Encounter/e1",)),), ("Observation/o9",))
    cut = feature(FakeTrace("Applies", True, (FakeTrace("Test", True, (rows,)),)), depth=2)
    assert cut.uses[0].resources == ("Observation/o9",)
    assert cut.uses[0].uses == ()


def test_facts_are_what_was_read_whatever_the_day() -> None:
    read = FakeTrace("Test", True, (), ("Observation/o1",))
    today = FakeTrace("CareApplies", True, (read, FakeTrace("EpisodeStart", elm.Date(2026, 11, 22))))
    tomorrow = FakeTrace("CareApplies", True, (read, FakeTrace("EpisodeStart", elm.Date(2026, 11, 23))))
    assert facts(today) == facts(tomorrow) == [["Test", True]]


def test_facts_do_not_follow_the_order_of_records_or_what_was_left_out() -> None:
    met = ("Observation/o1", "Observation/o2")
    one = FakeTrace("Sites", ["midline", "behind"], (), met)
    other = FakeTrace("Sites", ["behind", "midline"], (), met)
    left_out = (
        FakeTrace("Diagnosis", False, (), ("Condition/unrelated",)),
        FakeTrace("Plans", [], (), ("CarePlan/unrelated",)),
        FakeTrace("Score", None, (), ("Observation/unrelated",)),
        FakeTrace("Conditions", [elm.FhirResource("Condition", {}, "Condition/unrelated")], (), met),
    )
    assert facts(FakeTrace("CareApplies", True, (one,))) == facts(FakeTrace("CareApplies", True, (other, *left_out)))


def test_of_a_sentence_the_days_are_facts_and_what_is_counted_to_today_is_not() -> None:
    def told(line: str) -> list[Any]:
        return facts(FakeTrace("CareApplies", True, (FakeTrace("PlanFact", line, (), ("CarePlan/c1",)),)))

    assert told("Care: 14 weeks, since 2025-12-02") == told("Care: 15 weeks, since 2025-12-02")
    assert told("Care: 14 weeks, since 2025-12-02") != told("Care: 14 weeks, since 2025-12-03")


def test_the_small_guideline_passes_the_check() -> None:
    assert [str(error) for error in check(small_guideline())] == []


def broken(change: Any) -> list[ContentError]:
    package = small_guideline()
    change(package)
    return check(package)


def care(package: Any) -> dict[str, Any]:
    top: dict[str, Any] = package.plan("Care")["action"][0]
    return top


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda p: care(p)["condition"][0].update(kind="start"), "condition[0].kind"),
        (lambda p: care(p)["condition"][0]["expression"].update(language="text/fhirpath"), "expression.language"),
        (lambda p: care(p)["condition"][0]["expression"].update(expression="Nothing"), "expression.expression"),
        (lambda p: care(p)["condition"][0]["expression"].update(reference="urn:other"), "expression.reference"),
        (lambda p: care(p).update(transform="urn:map"), "transform"),
        (lambda p: care(p)["trigger"][0].update(type="periodic"), "trigger[0]"),
        (lambda p: care(p)["dynamicValue"][0].update(path="colour"), "dynamicValue[0].path"),
        (lambda p: care(p)["action"][1].update(definitionCanonical="urn:gone"), "definitionCanonical"),
        (lambda p: care(p)["action"][1].pop("definitionCanonical"), "action[1]"),
        (lambda p: care(p)["action"][0].update(action=[{"id": "x"}]), "definitionCanonical"),
        (lambda p: care(p)["action"][0].update(id="form"), "action[2].id"),
        (lambda p: care(p)["action"][1].update(dynamicValue=[dynamic("code", "NoCode")]), "dynamicValue[0].path"),
        (
            lambda p: care(p)["action"][1].update(definitionCanonical=f"{BASE}/PlanDefinition/Pathway"),
            "PlanDefinition/Pathway",
        ),
        (lambda p: p.activity("Drug").update(dosage=[{"text": "one"}]), "dosage"),
        (lambda p: p.activity("Drug").update(kind="DeviceRequest"), "kind"),
        (lambda p: p.activity("Drug").update(intent="order"), "intent"),
        (lambda p: p.activity("Drug").pop("productCodeableConcept"), "medicationCodeableConcept"),
        (lambda p: p.activity("Referral")["code"].pop("text"), "code"),
        (lambda p: p.activity("Drug").update(bodySite=[{"text": "x"}]), "bodySite"),
        (lambda p: p.activity("Referral").update(dynamicValue=[dynamic("subject", "NoCode")]), "dynamicValue[0].path"),
        (lambda p: p.activity("Referral").update(dynamicValue=[{"expression": {}}]), "dynamicValue[0]"),
    ],
)
def test_content_that_could_not_be_executed_is_found_at_load(change: Any, where: str) -> None:
    assert any(str(error.where).endswith(where) for error in broken(change)), [str(e) for e in broken(change)]


@pytest.mark.parametrize(
    "change",
    [
        lambda p: care(p)["condition"][0].update(kind="stop"),
        lambda p: care(p)["condition"][0]["expression"].update(language="text/cql"),
        lambda p: care(p)["dynamicValue"][0]["expression"].update(language="text/fhirpath"),
        lambda p: care(p)["dynamicValue"][0].update(path="colour"),
        lambda p: p.activity("Drug").update(kind="DeviceRequest"),
    ],
)
def test_content_nobody_checked_is_refused_when_it_is_applied(change: Any) -> None:
    package = small_guideline()
    change(package)
    with pytest.raises(ContentError) as caught:
        applied(package)
    assert caught.value.where


def test_a_condition_whose_definition_is_no_boolean_is_found_at_load() -> None:
    package = small_guideline()
    care(package)["action"][0]["condition"] = condition("CareTitle")
    assert [error.where for error in check(package)] == [
        "PlanDefinition/Care.action[0].action[0].condition[0].expression.expression"
    ]


def r4_model(name: str) -> Any:
    """Give the published R4B model of a type, which agrees with R4 in the elements used here."""
    pytest.importorskip("fhir.resources", reason="fhir.resources is part of the extra 'build'")
    from fhir.resources.R4B import get_fhir_model_class  # noqa: PLC0415 - only where the extra is installed

    return get_fhir_model_class(name)


def test_the_request_group_and_its_drafts_are_valid_r4() -> None:
    values = {"When": elm.Date(2027, 1, 3), "Parts": [elm.Code("a", "urn:x")], "BodySite": elm.Code("b", "urn:x")}
    group = applied(small_guideline(), EmergencyApplies=True, **values).request_group
    r4_model("RequestGroup").model_validate_json(write_json(group))
    assert len(group["contained"]) == 5
    for draft in group["contained"]:
        r4_model(draft["resourceType"]).model_validate_json(write_json(draft))


def test_every_row_of_the_element_table_is_an_element_of_r4() -> None:
    parts = {
        "Task.input": "TaskInput",
        "CarePlan.activity": "CarePlanActivity",
        "CarePlan.activity.detail": "CarePlanActivityDetail",
        "Condition.evidence": "ConditionEvidence",
        "RequestGroup.action": "RequestGroupAction",
    }
    for name, elements in TYPES.items():
        model = r4_model(parts.get(name, name))
        fields = {field.alias or key: str(field.annotation) for key, field in model.model_fields.items()}
        for element, declared in elements.items():
            assert element in fields, (name, element)
            assert ("List[" in fields[element]) == declared.endswith("*"), (name, element)
    assert set(DRAFTS) <= set(TYPES)
