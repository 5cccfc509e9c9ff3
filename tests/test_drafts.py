"""Every step of every card drafts what the specification says: resource, code, priority, category, reason, facts."""

from __future__ import annotations

from typing import Any

import pytest

from ankle_cds import artifacts, cards, guidance, hooks, prefetch
from ankle_cds.prefetch.drafts import Drafts
from cases_drafts import BLOOD_THINNER, FRACTURE, IMPINGEMENT
from cases_orders import NAPROXEN, drug
from charts import NOW, Resource, encounter, item, mri, patient, pattern, reason, xray
from test_logic import flattened

IMAGING, EVALUATION, EDUCATION = "363679005", "386053000", "409073007"
THREE_VIEWS = "Order ankle X-ray, AP, lateral and mortise"
DIAGNOSIS = "Record working diagnosis: posterior ankle impingement (provisional)"


@pytest.fixture(scope="module")
def package() -> artifacts.Package:
    return artifacts.load_all()["posterior-ankle-impingement"]


def drafts(
    package: artifacts.Package, facts: list[Any], signed: tuple[Resource, ...] = (), **given: Any
) -> dict[str, Resource]:
    """The drafts of all cards by their label, as a practitioner gets them: at a visit, or who signs these orders."""
    found = [*flattened(facts), *signed]
    found += [encounter(), reason()]
    found += [] if any(one["resourceType"] == "Patient" for one in found) else [patient()]
    hook = "order-sign" if signed else "encounter-start"
    context = {"userId": "Practitioner/u1", "patientId": "p1", "encounterId": "e1"}
    ordered = {"resourceType": "Bundle", "entry": [{"resource": one} for one in signed]}
    request = hooks.read_request(
        {
            "hook": hook,
            "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
            "context": context | ({"draftOrders": ordered} if signed else {}),
            "prefetch": {},
        },
        (hook,),
        plain_http=True,
    )
    data = prefetch.PatientData(
        resources=tuple(found),
        keys=("x",) * len(found),
        states={},
        unavailable=frozenset(),
        missing=(),
        fetched=(),
        drafts=Drafts(signed),
    )
    decided = guidance.Settings(cards=cards.CardSettings(uuid_key=b"0" * 32), parameters=given)
    given_cards = guidance.respond(package, request, data, decided, NOW).cards
    return {
        suggestion["label"]: action["resource"]
        for card in given_cards
        for suggestion in card.get("suggestions", ())
        for action in suggestion["actions"]
        if action["type"] == "create"
    }


def essence(draft: Resource) -> tuple[str, str, str | None, str | None, list[str]]:
    """What a draft comes down to: its kind, its last code, priority, category, and the facts it rests on."""
    concept = draft.get("code") or draft.get("medicationCodeableConcept") or {}
    category = draft.get("category") or [{}]
    facts = draft.get("supportingInfo") or draft.get("supportingInformation") or []
    return (
        draft["resourceType"],
        concept.get("coding", [{"code": ""}])[-1]["code"],
        draft.get("priority"),
        category[0].get("coding", [{"code": None}])[0]["code"],
        [one["reference"] for one in facts],
    )


def order(code: str, priority: str, category: str | None, *facts: str) -> tuple[str, str, str, str | None, list[str]]:
    return ("ServiceRequest", code, priority, category, [f"Observation/{fact}" for fact in facts])


def flag(code: str, value: str = "yes", *, side: str | None = "right") -> Resource:
    """A finding that can be told by its id, which is its code."""
    return item(code, value, id=code, side=side)


# The chart, and the drafts of the specification (part E) by label.
STEPS: tuple[tuple[str, list[Any], dict[str, Any]], ...] = (
    (
        "four steps",
        [flag("acute-injury"), flag("cannot-bear-weight")],
        {THREE_VIEWS: order("37666-5", "stat", IMAGING, "acute-injury", "cannot-bear-weight")},
    ),
    (
        "rupture",
        [flag("calf-squeeze-test", "positive")],
        {"Urgent orthopaedic referral": order("308481009", "stat", None, "calf-squeeze-test")},
    ),
    (
        "hot joint",
        [flag("hot-swollen-joint"), flag("restricted-joint-movement")],
        {
            "Same-day assessment for possible septic joint": order(
                "septic-joint-assessment", "stat", EVALUATION, "hot-swollen-joint", "restricted-joint-movement"
            )
        },
    ),
    (
        "deep vein thrombosis",
        [flag("suspected-dvt")],
        {"Assess by the local DVT pathway": order("dvt-pathway-assessment", "stat", EVALUATION, "suspected-dvt")},
    ),
    (
        "night pain",
        [flag("night-or-rest-pain")],
        {THREE_VIEWS: order("37666-5", "urgent", IMAGING, "night-or-rest-pain")},
    ),
    (
        "bone pain of a minor",
        [patient(age=17), flag("unexplained-bone-pain")],
        {"Order ankle X-ray within 48 hours": order("37666-5", "urgent", IMAGING, "unexplained-bone-pain")},
    ),
    (
        "fracture suspected",
        [{**FRACTURE, "id": "fracture"}],
        {
            THREE_VIEWS: order("37666-5", "urgent", IMAGING, "fracture"),
            "CT ankle": order("36428-1", "urgent", IMAGING, "fracture"),
        },
    ),
    (
        "synovitis elsewhere",
        [flag("other-joint-synovitis", side=None)],
        {"Urgent rheumatology referral": order("rheumatology-referral", "urgent", EVALUATION, "other-joint-synovitis")},
    ),
    (
        "nerve signs",
        [flag("progressive-neurological-signs")],
        {"Urgent nerve assessment": order("nerve-assessment", "urgent", EVALUATION, "progressive-neurological-signs")},
    ),
)


@pytest.mark.parametrize("name", [name for name, _, _ in STEPS])
def test_a_step_of_a_safety_card_is_a_whole_draft(package: artifacts.Package, name: str) -> None:
    (facts, expected) = next((facts, expected) for other, facts, expected in STEPS if other == name)
    found = drafts(package, facts)
    assert {label: essence(draft) for label, draft in found.items()} == expected
    for draft in found.values():
        assert [coding["code"] for coding in draft["bodySite"][0]["coding"]] == ["344001", "24028007"]
        assert [coding["code"] for coding in draft["reasonCode"][0]["coding"]] == ["posterior-ankle-pain"]


def test_the_first_visit_drafts_images_care_and_the_diagnosis(package: artifacts.Package) -> None:
    found = drafts(package, [{**one, "id": f"o{place}"} for place, one in enumerate(pattern())])
    facts = ("o0", "o1", "o2", "o3")
    orders = {label: essence(draft) for label, draft in found.items() if draft["resourceType"] == "ServiceRequest"}
    assert orders == {
        "Order lateral ankle X-ray": order("36592-4", "routine", IMAGING, *facts),
        "Add plantarflexed lateral view (local protocol)": order(
            "xr-ankle-lateral-plantarflexion", "routine", IMAGING, *facts
        ),
        "Add posterior impingement view (local protocol)": order(
            "xr-ankle-posterior-impingement-view", "routine", IMAGING, *facts
        ),
        "Refer to physical therapy": order("308447003", "routine", None, *facts),
        "Ice after activity": order("ice-after-activity", "routine", EDUCATION, *facts),
        "Recheck visit": order("185389009", "routine", None, *facts),
        "Heel lift, non-dance settings only; stop if worse": order("heel-lift", "routine", None, *facts),
    }
    assert found["Recheck visit"]["occurrenceDateTime"] == "2026-04-23"
    assert [part["text"] for part in found["Refer to physical therapy"]["orderDetail"]] == [
        "Flexibility, posterior chain strengthening, dance or sport technique"
    ]
    diagnosis = found[DIAGNOSIS]
    assert diagnosis["resourceType"] == "Condition"
    assert [one["reference"] for one in diagnosis["evidence"][0]["detail"]] == ["Observation/o2", "Observation/o3"]
    plan = found["Activity modification plan"]
    assert plan["resourceType"] == "CarePlan"
    assert [one["detail"]["code"]["coding"][0]["code"] for one in plan["activity"]] == ["activity-modification"]


def test_a_site_may_have_the_diagnosis_written_in_snomed_ct_too(package: artifacts.Package) -> None:
    found = drafts(package, pattern(), AllowSnomedImpingementCode=True)
    assert [coding["code"] for coding in found[DIAGNOSIS]["code"]["coding"]] == [
        "posterior-ankle-impingement",
        "240021001",
    ]


def test_where_mri_cannot_be_done_an_ultrasound_is_drafted(package: artifacts.Package) -> None:
    found = drafts(
        package,
        [
            *({**one, "id": f"o{place}"} for place, one in enumerate(pattern())),
            {**xray(), "id": "xray"},
            flag("diagnosis-uncertain"),
            flag("mri-contraindicated", side=None),
        ],
    )
    draft = found["Order ankle ultrasound"]
    facts = ["DiagnosticReport/xray", *(f"Observation/o{place}" for place in range(4))]
    assert essence(draft) == ("ServiceRequest", "241505005", "routine", IMAGING, facts)
    assert [coding["code"] for coding in draft["bodySite"][0]["coding"]] == ["344001", "24028007"]
    assert not [label for label in found if "MRI" in label or "CT" in label]


def test_an_analgesic_in_place_of_an_nsaid_names_a_class_and_its_reason_and_no_drug(package: artifacts.Package) -> None:
    name, signed = "Replace with a non-NSAID analgesic", (drug(NAPROXEN),)
    plain = drafts(package, [BLOOD_THINNER], signed)[name]
    assert essence(plain)[:4] == ("MedicationRequest", "non-nsaid-analgesic", "routine", None)
    assert plain["medicationCodeableConcept"]["text"] == "Non-NSAID analgesic, clinician selects agent"
    assert [coding["code"] for coding in plain["reasonCode"][0]["coding"]] == ["posterior-ankle-pain"]
    assert "dosageInstruction" not in plain
    known = drafts(package, [BLOOD_THINNER, {**IMPINGEMENT, "id": "known"}], signed)[name]
    assert [one["reference"] for one in known["reasonReference"]] == ["Condition/known"]
    assert "reasonCode" not in known


@pytest.mark.parametrize("name", ["NSAID, clinician selects agent", "Topical NSAID, clinician selects product"])
def test_an_anti_inflammatory_names_a_class_and_its_reason_and_no_drug(package: artifacts.Package, name: str) -> None:
    topical = name.startswith("Topical")
    facts = [xray(), *([BLOOD_THINNER] if topical else [])]
    plain = drafts(package, [pattern(), *facts])[name]
    assert essence(plain)[:4] == ("MedicationRequest", "topical-nsaid" if topical else "372665008", "routine", None)
    assert plain["medicationCodeableConcept"]["text"] == name
    assert [coding["code"] for coding in plain["reasonCode"][0]["coding"]] == ["posterior-ankle-pain"]
    known = drafts(package, [pattern(), *facts, {**IMPINGEMENT, "id": "known"}])[name]
    assert [one["reference"] for one in known["reasonReference"]] == ["Condition/known"]
    assert "reasonCode" not in known
    assert known["supportingInformation"][0]["reference"] == "Condition/known"


def test_a_draft_gives_the_working_diagnosis_as_its_reason(package: artifacts.Package) -> None:
    found = drafts(package, [pattern(), {**IMPINGEMENT, "id": "known"}])
    orders = [draft for draft in found.values() if draft["resourceType"] == "ServiceRequest"]
    assert len(orders) == 7
    for draft in orders:
        assert [one["reference"] for one in draft["reasonReference"]] == ["Condition/known"]
    assert DIAGNOSIS not in found


@pytest.mark.parametrize("name", ["assessment", "unmatched"])
def test_a_form_is_a_task_that_names_it(package: artifacts.Package, name: str) -> None:
    found = drafts(package, [mri()] if name == "unmatched" else [])
    forms = {
        label: draft["input"][0]["valueCanonical"].split("/")[-1].split("|")[0]
        for label, draft in found.items()
        if draft["resourceType"] == "Task"
    }
    history = {"Send the history form": "PaiHistory"} if name == "assessment" else {}
    assert forms == {**history, "Record the examination": "PaiExam"}


def test_each_part_of_the_order_set_is_offered_once_and_as_an_option(package: artifacts.Package) -> None:
    (order_set,) = (one for one in package.of_type("PlanDefinition") if one["id"] == "PaiConservativeCareOrderSet")
    for part in order_set["action"][0]["action"]:
        assert part["cardinalityBehavior"] == "single", part["id"]
        assert part["requiredBehavior"] == "could", part["id"]
