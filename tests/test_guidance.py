"""The whole journey below the door: request and data in, cards and reasons out."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import gc
import io
import json
import socket
from typing import Any

import pytest
from rich.console import Console

import charts
from ankle_cds import artifacts, guidance, prefetch, stories
from ankle_cds.cards import CardSettings
from ankle_cds.errors import ContentError, RequestError, RequestFault
from ankle_cds.explain import explain, in_words, render
from ankle_cds.fhir import read_json_file, write_json
from ankle_cds.hooks import read_request
from ankle_cds.prefetch import PatientData, State, read_drafts
from small_guideline import FakeTrace, small_guideline

NOW = dt.datetime(2026, 11, 22, 9, 30, tzinfo=dt.UTC)
SETTINGS = guidance.Settings(CardSettings(b"0" * 32))
HOOKS = ("encounter-start", "patient-view", "order-select", "order-sign")


def data(*resources: dict[str, Any], **given: Any) -> PatientData:
    found = {"keys": ("user",) * len(resources), "states": {}, "unavailable": frozenset(), "missing": ()}
    return PatientData(resources, **found | given)


EMPTY = data()


def request(hook: str = "encounter-start", **context: Any) -> Any:
    given = {"userId": "Practitioner/d1", "patientId": "p1", "encounterId": "e1"} | context
    document = {"hook": hook, "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea", "context": given}
    return read_request(document, HOOKS)


def respond(package: Any, hook: str = "encounter-start", data: PatientData | None = None, **context: Any) -> Any:
    asked = request(hook, **context)
    given = dataclasses.replace(data or EMPTY, drafts=read_drafts(asked))
    return guidance.respond(package, asked, given, SETTINGS, NOW)


def test_a_visit_about_one_side_is_evaluated_once() -> None:
    package = small_guideline()
    result = respond(package)
    assert [card["summary"] for card in result.cards] == ["Care is recommended (right)"]
    assert [one.side for one in result.evaluated] == [None]
    assert len(package.program.given) == 1


def test_a_call_leaves_nothing_behind_that_only_a_collection_would_free() -> None:
    """The service collects so seldom that what refers to itself would look like a leak for days."""
    package = small_guideline()
    respond(package)
    gc.collect()
    gc.disable()
    try:
        respond(package)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_visit_about_both_sides_is_evaluated_for_right_and_then_for_left() -> None:
    package = small_guideline()
    package.program.values["EncounterSide"] = "both"
    package.program.by_side = {
        "right": {"CareTitle": "Care (right)"},
        "left": {"CareTitle": "Care (left)", "CareDetail": "Left."},
    }
    result = respond(package)
    assert [card["summary"] for card in result.cards] == ["Care (right)", "Care (left)"]
    assert [one.side for one in result.evaluated] == ["right", "left"]


def test_the_title_of_a_joined_card_is_asked_of_the_logic() -> None:
    package = small_guideline()
    package.program.values |= {"EncounterSide": "both", "EmergencyApplies": True, "CareApplies": False}
    package.program.by_side = {"both": {"EmergencyTitle": "Emergency, whatever the logic says of both"}}
    (card,) = respond(package).cards
    assert card["summary"] == "Emergency, whatever the logic says of both"


@pytest.mark.parametrize("user", ["Patient/p1", "RelatedPerson/r1"])
def test_who_is_no_professional_gets_nothing_and_nothing_is_evaluated(user: str) -> None:
    package = small_guideline()
    result = respond(package, "patient-view", userId=user)
    assert (result.cards, result.reasons, package.program.given) == ((), (), [])


def test_the_request_sets_the_parameters_of_the_call() -> None:
    package = small_guideline()
    respond(package, data=data(unavailable=frozenset({"reports", "findings"})))
    assert package.program.given[0] == {
        "EncounterId": "e1",
        "EvaluationSide": None,
        "DraftOrderIds": [],
        "UnavailableInputs": ["findings", "reports"],
        "UserRoleCodes": [],
    }


ROLE = {
    "resourceType": "PractitionerRole",
    "id": "role1",
    "practitioner": {"reference": "Practitioner/d1"},
    "code": [{"coding": [{"system": "urn:roles", "code": "nurse"}, {"display": "no code"}]}],
}


@pytest.mark.parametrize(
    ("user", "codes"),
    [("PractitionerRole/role1", ["nurse"]), ("Practitioner/d1", ["nurse"]), ("Practitioner/d2", [])],
)
def test_the_role_of_the_user_counts_and_nobody_elses(user: str, codes: list[str]) -> None:
    package = small_guideline()
    respond(package, data=data(ROLE), userId=user)
    assert package.program.given[0]["UserRoleCodes"] == codes


@pytest.mark.parametrize("role", [{"code": "nurse"}, {"code": [None]}, {"code": [{"coding": {}}]}, {"practitioner": 1}])
def test_a_malformed_role_says_nothing(role: dict[str, Any]) -> None:
    package = small_guideline()
    supplied = {"resourceType": "PractitionerRole", "id": "role1"} | role
    respond(package, data=data(supplied), userId="PractitionerRole/role1")
    assert package.program.given[0]["UserRoleCodes"] == []


def test_selected_drafts_are_judged_and_all_of_them_when_none_is_selected() -> None:
    orders = {
        "resourceType": "Bundle",
        "entry": [
            {"resource": {"resourceType": "ServiceRequest", "id": "s1"}},
            {"resource": {"resourceType": "MedicationRequest", "id": "m1"}},
        ],
    }
    package = small_guideline()
    respond(package, "order-select", draftOrders=orders, selections=["MedicationRequest/m1"])
    respond(package, "order-sign", draftOrders=orders)
    given = [parameters["DraftOrderIds"] for parameters in package.program.given]
    assert given == [["MedicationRequest/m1"], ["ServiceRequest/s1", "MedicationRequest/m1"]]


def test_a_sites_parameters_reach_the_logic_and_cannot_override_the_call() -> None:
    package = small_guideline()
    site = guidance.Settings(SETTINGS.cards, {"MinimumAge": 9, "EncounterId": "other"})
    guidance.respond(package, request(), data(), site, NOW)
    assert package.program.given[0]["MinimumAge"] == 9
    assert package.program.given[0]["EncounterId"] == "e1"


def test_required_data_that_is_missing_refuses_the_call_and_names_the_key() -> None:
    """Never no cards: the caller is told what could not be had."""
    with pytest.raises(RequestError) as caught:
        respond(small_guideline(), data=data(missing=("conditions",), states={"conditions": State.UNAVAILABLE}))
    assert (caught.value.fault, caught.value.diagnostics) == (RequestFault.PRECONDITION, ("conditions",))


def test_a_package_that_cannot_be_run_is_refused_with_every_finding() -> None:
    package = small_guideline()
    guidance.check(package)
    package.plan("Care")["action"][0].pop("priority")
    package.activity("Drug")["kind"] = "DeviceRequest"
    with pytest.raises(ContentError) as caught:
        guidance.check(package)
    assert [cause.where for cause in caught.value.causes] == [
        "file.yaml:ActivityDefinition/Drug.kind",
        "file.yaml:PlanDefinition/Care.action[0].priority",
    ]


def explained(package: Any) -> tuple[dict[str, Any], str]:
    explanation = explain(respond(package), package)
    drawn = io.StringIO()
    render(explanation, Console(file=drawn, width=100, color_system=None))
    return explanation, drawn.getvalue()


def test_an_explanation_says_what_applied_what_did_not_and_what_is_not_known() -> None:
    package = small_guideline()
    package.program.values["EmergencyApplies"] = None
    test = FakeTrace("ForcedTest", True, (), ("Observation/o1",))
    package.program.traces["CareApplies"] = FakeTrace("CareApplies", True, (test, FakeTrace("PatternFits", None)))
    explanation, drawn = explained(package)
    assert json.loads(write_json(explanation)) == explanation
    found = {entry["id"]: entry for entry in explanation["recommendations"]}
    assert found["Care"]["applies"] is True
    assert found["Emergency"]["applies"] is False
    assert found["Emergency"]["conditions"][0]["value"] is None
    assert found["Care"]["conditions"][0]["features"]["uses"][0] == {
        "name": "ForcedTest",
        "value": True,
        "resources": ["Observation/o1"],
        "uses": [],
    }
    assert "Forced test  true  Observation/o1" in drawn
    assert "Pattern fits  unknown" in drawn
    assert "does not apply: not known" in drawn
    assert "Press drug  offered" in drawn


def test_a_button_that_is_not_offered_says_what_its_condition_asks() -> None:
    package = small_guideline()
    package.program.values["OfferDrug"] = False
    assert "Press drug  not offered  asks: The rule in words." in explained(package)[1]


def test_names_of_definitions_read_as_words() -> None:
    assert [in_words(name) for name in ("PatternFits", "R4Conditions", "FaamADLScore", "IsElite")] == [
        "Pattern fits",
        "R4 conditions",
        "Faam ADL score",
        "Is elite",
    ]


# ---------------------------------------------------------------- the embedded guideline


@pytest.fixture(scope="module")
def embedded() -> Any:
    return artifacts.load_all()["posterior-ankle-impingement"]


def opened(package: Any, *resources: dict[str, Any]) -> Any:
    """Give the guidance for a visit about the resources, at the time of `charts`."""
    record = (charts.patient(), charts.encounter(), *resources)
    given = data(*record)
    asked = request(encounterId=charts.ENCOUNTER.partition("/")[2])
    return guidance.respond(package, asked, given, SETTINGS, charts.NOW)


def both(*codes: str, value: str = "yes") -> list[dict[str, Any]]:
    return [charts.item(code, value, side=side) for side in ("right", "left") for code in codes]


REASONS = (charts.reason("right"), charts.reason("left"))
FLAGS = (
    *("acute-injury", "cannot-bear-weight", "weak-plantarflexion", "achilles-gap", "increased-passive-dorsiflexion"),
    *("hot-swollen-joint", "restricted-joint-movement", "fever-or-systemic-illness", "suspected-dvt"),
    *("open-injury", "deformity", "neurovascular-compromise"),
)


def test_the_embedded_guideline_can_be_run(embedded: Any) -> None:
    guidance.check(embedded)


def test_an_emergency_of_both_ankles_is_one_card_that_fits_however_much_is_recorded(embedded: Any) -> None:
    (card,) = opened(embedded, *REASONS, *both(*FLAGS)).cards
    assert card["summary"].endswith("today (both)")
    assert card["indicator"] == "critical"
    assert len(card["detail"]) <= 2000
    assert "(right, " in card["detail"]
    assert "(left, " in card["detail"]
    labels = [suggestion["label"] for suggestion in card["suggestions"]]
    assert [label.endswith("(right)") for label in labels] == [True] * 4 + [False] * 4
    assert not any("isRecommended" in suggestion for suggestion in card["suggestions"])
    for suggestion in card["suggestions"]:
        (action,) = suggestion["actions"]
        named = {coding["code"] for coding in action["resource"]["bodySite"][0]["coding"]}
        assert charts.SIDES["right" if suggestion["label"].endswith("(right)") else "left"] in named


def test_an_emergency_of_one_ankle_leaves_no_other_card_for_the_other(embedded: Any) -> None:
    emergency = charts.item("calf-squeeze-test", "positive", side="left")
    (card,) = opened(embedded, *REASONS, emergency, *charts.pattern(side="right")).cards
    assert card["summary"].endswith("today (left)")
    assert [suggestion.get("isRecommended") for suggestion in card["suggestions"]] == [True]


def test_an_assessment_of_both_ankles_fits_however_much_is_recorded(embedded: Any) -> None:
    places = ("behind-lateral-malleolus", "posterior-midline", "posteromedial", "achilles-tendon")
    found = [item for place in places for item in both("pain-location", value=place)]
    found += [
        item for what in ("running", "jumping", "kicking") for item in both("pain-provoking-activity", value=what)
    ]
    (card,) = opened(embedded, *REASONS, *found, *both("achilles-tendon-tenderness")).cards
    assert card["summary"].endswith("tenderness (both)")
    assert len(card["detail"]) <= 2000
    assert [suggestion["label"] for suggestion in card["suggestions"]] == [
        "Send the history form",
        "Record the examination",
    ]


def test_what_is_found_on_each_ankle_gives_each_its_own_card(embedded: Any) -> None:
    result = opened(embedded, *REASONS, *charts.pattern(side="left"))
    topics = [(card["source"]["topic"]["code"], card["summary"].rpartition(" ")[2]) for card in result.cards]
    assert topics == [("PaiRecordAssessment", "(right)"), ("PaiOrderLateralRadiograph", "(left)")]


def test_a_uuid_of_the_embedded_guideline_changes_when_a_fact_its_card_reads_changes(embedded: Any) -> None:
    record = (charts.reason("right"), *charts.pattern())

    def uuids(*extra: dict[str, Any]) -> dict[str, str]:
        found = opened(embedded, *record, *extra).cards
        return {card["source"]["topic"]["code"]: card["uuid"] for card in found}

    before, after = uuids(), uuids(charts.item("posterior-swelling", "mild"))
    assert before == uuids()
    assert before["PaiOrderLateralRadiograph"] != after["PaiOrderLateralRadiograph"]
    assert before["PaiStartConservativeCare"] == after["PaiStartConservativeCare"]


def test_every_request_group_of_the_embedded_guideline_is_valid_r4(embedded: Any) -> None:
    models = pytest.importorskip("fhir.resources.R4B", reason="fhir.resources is part of the extra 'build'")
    record = (charts.reason("right"), *charts.pattern())
    drafted = set()
    for extra in (
        (),
        (charts.item("open-injury", "yes"),),
        (charts.item("suspected-posterior-process-fracture", "yes"),),
    ):
        (one,) = opened(embedded, *record, *extra).evaluated
        group = one.applied.request_group
        models.get_fhir_model_class("RequestGroup").model_validate_json(write_json(group))
        for draft in group["contained"]:
            models.get_fhir_model_class(draft["resourceType"]).model_validate_json(write_json(draft))
            drafted.add(draft["resourceType"])
    assert drafted == {"ServiceRequest", "MedicationRequest", "CarePlan", "Condition"}


def test_the_explanation_of_a_real_chart_names_the_facts_and_stays_readable(embedded: Any) -> None:
    result = opened(embedded, charts.reason("right"), *charts.pattern())
    explanation = explain(result, embedded)
    assert len(explanation["recommendations"]) == 11
    drawn = io.StringIO()
    render(explanation, Console(file=drawn, width=140, color_system=None))
    text = drawn.getvalue()
    assert "Pattern fits  true" in text
    assert "Flag dvt  unknown" in text
    assert text.count("├── Encounter class allowed  true") == 1
    assert len(text.splitlines()) < 300


def test_the_guideline_runs_with_the_network_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Content, logic and terminology are in the package: a story is answered although no connection can be made."""

    def cut(*_: object) -> None:
        raise AssertionError("a connection was made")

    monkeypatch.setattr(socket.socket, "connect", cut)
    (package,) = artifacts.load_all().values()
    story = next(one for one in stories.read_all() if one.id == "dancer-first-visit-pattern-fits")
    asked = read_request(read_json_file(story.request_file))
    found = asyncio.run(prefetch.gather(asked, package, None))
    given = guidance.respond(package, asked, found, SETTINGS, story.clock)
    told = [card["source"]["topic"]["code"] for card in given.cards]
    assert told == [card.recommendation for card in story.expect]
