"""Draft orders over HTTP: which are judged, what is needed to judge them, and what a card may do to them."""

from __future__ import annotations

import asyncio
import copy
import time
from typing import Any
from uuid import uuid4

import httpx
import pytest

from ankle_cds.elm import EvaluationError
from ankle_cds.errors import ContentError
from ankle_cds.guidance import check
from ankle_cds.service import create_app
from order_guideline import ORDER_HOOKS, REMOVE, order_guideline
from small_guideline import expression
from stub_service import NOW, authorization, bundle, development, fhir_server, http_answer, of_patient, outcome, patient

PATH = "/cds-services/small"
SETTINGS = development()


def draft(identity: str | None, code: str = "risky", side: str | None = None, **more: Any) -> dict[str, Any]:
    kind = "ServiceRequest" if code == "procedure" else "MedicationRequest"
    made = {"resourceType": kind, "status": "draft", "code": {"text": code}, "subject": {"reference": "Patient/p1"}}
    made |= {"id": identity} if identity is not None else {}
    return made | ({"bodySite": [{"text": side}]} if side else {}) | more


def asked(*drafts: Any, hook: str = "order-sign", **changes: Any) -> dict[str, Any]:
    """Give a complete request; `context` and `prefetch` in `changes` are merged, None takes a member out."""
    prefetch: dict[str, Any] = {
        "patient": patient(),
        "encounters": bundle(of_patient("Encounter", "e1")),
        "conditions": bundle(of_patient("Condition", "c1")),
        "allergies": bundle(),
        "orders": bundle(),
    }
    context: dict[str, Any] = {"userId": "Practitioner/d1", "patientId": "p1", "encounterId": "e1"}
    context["draftOrders"] = {"resourceType": "Bundle", "entry": [{"resource": one} for one in drafts]}
    prefetch.update(changes.pop("prefetch", {}))
    context.update(changes.pop("context", {}))
    for merged in (prefetch, context):
        for gone in [key for key, value in merged.items() if value is None]:
            del merged[gone]
    return {"hook": hook, "hookInstance": str(uuid4()), "context": context, "prefetch": prefetch, **changes}


def call(method: str, path: str, package: Any = None, settings: Any = SETTINGS, **given: Any) -> httpx.Response:
    async def run() -> httpx.Response:
        app = create_app({"small": package or order_guideline()}, settings, lambda: NOW)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as http:
            return await http.request(method, path, **given)

    return asyncio.run(run())


def post(document: Any, package: Any = None) -> httpx.Response:
    return call("POST", PATH, package, json=document)


def cards(document: Any, package: Any = None) -> list[dict[str, Any]]:
    response = post(document, package)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["cards"]
    return found


def actions(card: dict[str, Any]) -> list[list[tuple[str, str | None]]]:
    """Give type and resourceId of the actions of each suggestion."""
    return [[(one["type"], one.get("resourceId")) for one in each["actions"]] for each in card.get("suggestions", [])]


def test_the_guideline_of_these_tests_passes_the_checks_at_load() -> None:
    check(order_guideline())


def test_discovery_lists_the_order_hooks_with_the_templates_their_recommendations_need() -> None:
    services = call("GET", "/cds-services").json()["services"]
    assert [one["hook"] for one in services] == ["encounter-start", "patient-view", *ORDER_HOOKS]
    for one in services[2:]:
        assert "encounters" in one["prefetch"]
        assert not [template for template in one["prefetch"].values() if "encounterId" in template]


# ---------------------------------------------------------------- which drafts


@pytest.mark.parametrize("hook", ORDER_HOOKS)
def test_a_risky_draft_gets_a_card_that_names_the_draft_it_replaces(hook: str) -> None:
    (card,) = cards(asked(draft("m1"), hook=hook))
    assert card["indicator"] == "warning"
    assert card["selectionBehavior"] == "at-most-one"
    assert actions(card) == [[("delete", "MedicationRequest/m1"), ("create", None)]]
    delete, create = card["suggestions"][0]["actions"]
    assert delete == {"type": "delete", "description": "Remove the order.", "resourceId": "MedicationRequest/m1"}
    assert (create["resource"]["status"], create["resource"]["intent"]) == ("draft", "proposal")


def test_every_draft_concerned_is_deleted_by_the_one_suggestion() -> None:
    (card,) = cards(asked(draft("m1"), draft("m2")))
    assert actions(card) == [[("delete", "MedicationRequest/m1"), ("delete", "MedicationRequest/m2"), ("create", None)]]
    (card,) = cards(asked(draft("s1", "procedure"), draft("s2", "procedure")))
    assert actions(card) == [[("delete", "ServiceRequest/s1"), ("delete", "ServiceRequest/s2")]]


def test_a_draft_without_an_id_is_judged_and_never_deleted() -> None:
    (card,) = cards(asked(draft(None)))
    assert actions(card) == [[("create", None)]]
    assert card["suggestions"][0]["label"] == "Replace it"
    (card,) = cards(asked(draft(None, "procedure")))
    assert not {"suggestions", "selectionBehavior"} & set(card)


@pytest.mark.parametrize("identity", [5, "", "a b", "x" * 65, {"a": 1}, "a/b"])
def test_an_id_that_is_none_counts_as_no_id(identity: Any) -> None:
    (card,) = cards(asked(draft(None, id=identity)))
    assert actions(card) == [[("create", None)]]


def test_of_two_drafts_only_the_one_the_client_named_is_deleted() -> None:
    (card,) = cards(asked(draft("m1"), draft(None)))
    assert actions(card) == [[("delete", "MedicationRequest/m1"), ("create", None)]]


def test_the_id_made_for_a_draft_is_the_same_in_every_call_and_each_draft_has_its_own() -> None:
    package = order_guideline()
    for _ in range(2):
        cards(asked(draft(None), draft(None), draft(None, "harmless")), package)
    first, *_, last = [given["DraftOrderIds"] for given in package.program.given]
    assert first == last
    assert len(set(first)) == 3


def test_the_logic_is_told_which_drafts_have_no_name_where_it_asks() -> None:
    package = order_guideline()
    package.program.parameters["UnnamedDraftIds"] = None
    cards(asked(draft("m1"), draft(None)), package)
    given = package.program.given[-1]
    assert given["UnnamedDraftIds"] == given["DraftOrderIds"][1:]


@pytest.mark.parametrize(
    ("selections", "count"),
    [
        (["MedicationRequest/m1"], 1),
        (["ServiceRequest/s9"], 0),
        (["ServiceRequest/s9", "MedicationRequest/m1"], 1),
        ([], 1),
        (None, 1),
    ],
)
def test_only_selected_drafts_are_judged_and_all_when_none_is(selections: Any, count: int) -> None:
    document = asked(draft("m1"), draft("h1", "harmless"), hook="order-select", context={"selections": selections})
    assert len(cards(document)) == count
    other = asked(draft("m1"), draft("h1", "harmless"), hook="order-select")
    other["context"]["selections"] = ["MedicationRequest/h1"]
    assert cards(other) == []


def test_a_draft_without_an_id_is_judged_at_order_select_only_when_nothing_is_selected() -> None:
    assert cards(asked(draft(None), hook="order-select", context={"selections": ["MedicationRequest/m1"]})) == []
    assert len(cards(asked(draft(None), hook="order-select"))) == 1


def test_a_draft_the_ehr_has_already_saved_counts_once() -> None:
    """The draft in the request is the newer one."""
    package = order_guideline()
    seen: list[Any] = []
    package.program.values["DrugDetail"] = lambda resources, _parameters: (
        seen.extend(one for one in resources if one["resourceType"] == "MedicationRequest") or "Warning: look."
    )
    saved = draft("m1", "harmless")
    (card,) = cards(asked(draft("m1"), draft("m1"), prefetch={"orders": bundle(saved, draft("m2"))}), package)
    assert [(one["id"], one["code"]["text"]) for one in seen[:2]] == [("m2", "risky"), ("m1", "risky")]
    assert len({one["id"] for one in seen}) == 2
    assert actions(card) == [[("delete", "MedicationRequest/m1"), ("create", None)]]


def test_two_versions_of_a_draft_are_both_judged_and_deleted_once() -> None:
    package = order_guideline()
    (card,) = cards(asked(draft("m1"), draft("m1", authoredOn="2026-03-09")), package)
    assert card["detail"].count("- risky") == 2
    assert actions(card) == [[("delete", "MedicationRequest/m1"), ("create", None)]]


def test_an_order_on_record_is_no_draft() -> None:
    assert cards(asked(prefetch={"orders": bundle(draft("m1"))})) == []


@pytest.mark.parametrize("kind", ["Observation", "AllergyIntolerance", "Patient", "Encounter"])
def test_what_is_no_order_is_neither_judged_nor_evidence(kind: str) -> None:
    package = order_guideline()
    (card,) = cards(asked(draft("m1"), of_patient(kind, "p1")), package)
    assert card["indicator"] == "warning"
    assert package.program.given[-1]["DraftOrderIds"] == ["MedicationRequest/m1"]


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize("subject", ["Patient/p2", "https://ehr.example/fhir/Patient/p2", "Group/p1"])
def test_a_draft_of_another_patient_is_dropped(subject: str) -> None:
    foreign = draft("m2", subject={"reference": subject})
    assert cards(asked(foreign)) == []
    (card,) = cards(asked(foreign, draft("m1")))
    assert actions(card)[0][0] == ("delete", "MedicationRequest/m1")


UNREADABLE = [
    {"resource": None},
    {},
    {"resource": {"id": "m2"}},
    {"resource": {"resourceType": 5}},
    5,
    None,
    [],
    {"resource": draft("m2", subject="Patient/p1")},
    {"resource": draft("m2", subject={"reference": 5})},
    {"resource": draft("m2") | {"code": "risky"}},
]


@pytest.mark.parametrize("entry", UNREADABLE)
def test_a_draft_that_cannot_be_read_is_never_passed_over_in_silence(entry: Any) -> None:
    """Others are still judged; with no card for them, no card would say that this one is all right too."""
    document = asked(draft("m1"))
    document["context"]["draftOrders"]["entry"].append(entry)
    (card,) = cards(document)
    assert actions(card)[0][0] == ("delete", "MedicationRequest/m1")
    for drafts in ([draft("m1", "harmless")], []):
        document["context"]["draftOrders"]["entry"] = [*({"resource": one} for one in drafts), entry]
        response = post(document)
        assert response.status_code == 400
        (issue,) = response.json()["issue"]
        assert (issue["code"], issue["diagnostics"]) == ("value", "context.draftOrders")


@pytest.mark.parametrize("entry", UNREADABLE)
def test_a_draft_that_is_not_selected_need_not_be_readable(entry: Any) -> None:
    document = asked(draft("m1"), hook="order-select", context={"selections": ["MedicationRequest/m1"]})
    document["context"]["draftOrders"]["entry"].append(entry)
    assert len(cards(document)) == 1


@pytest.mark.parametrize(
    "orders", [None, 5, "Bundle", [], {}, {"resourceType": "List"}, {"resourceType": "Bundle", "entry": 5},
               {"resourceType": "Bundle", "entry": {}}, {"resourceType": "Bundle", "entry": None}]
)  # fmt: skip
@pytest.mark.parametrize("hook", ORDER_HOOKS)
def test_draft_orders_that_are_no_bundle_are_refused(orders: Any, hook: str) -> None:
    document = asked(hook=hook)
    document["context"]["draftOrders"] = orders
    response = post(document)
    assert response.status_code == 400
    assert response.json()["issue"][0]["diagnostics"].startswith("context.draftOrders")


def test_a_bundle_without_entries_has_nothing_to_judge() -> None:
    document = asked(prefetch=dict.fromkeys(("patient", "encounters", "conditions", "allergies", "orders")))
    del document["context"]["draftOrders"]["entry"]
    assert cards(document) == []


@pytest.mark.parametrize("identity", ["different", None, "same"])
def test_five_thousand_drafts_are_judged_in_reasonable_time(identity: str | None) -> None:
    made = [draft(f"m{at}" if identity == "different" else identity, authoredOn=at) for at in range(5_000)]
    package = order_guideline()
    began = time.perf_counter()
    response = call("POST", PATH, package, json=asked(*made))
    assert response.status_code == 200, response.text[:200]
    assert time.perf_counter() - began < 10
    assert len(package.program.given[-1]["DraftOrderIds"]) == (1 if identity == "same" else 5_000)


def test_nothing_of_a_draft_is_in_a_refusal() -> None:
    document = asked(draft("canary", subject="canary"))
    assert "canary" not in post(document).text


# ---------------------------------------------------------------- what is needed


NOTHING = dict.fromkeys(("patient", "encounters", "conditions", "allergies", "orders"))


def test_without_a_relevant_draft_nothing_is_needed_and_nothing_is_read() -> None:
    reads: list[str] = []

    def handle(target: str, _headers: Any) -> bytes:
        reads.append(target)
        return http_answer(outcome(), "404 Not Found")

    with fhir_server(handle) as base:
        access = {"fhirServer": base, "fhirAuthorization": authorization()}
        assert cards(asked(draft("h1", "harmless"), prefetch=NOTHING, **access)) == []
        assert reads == []
        assert post(asked(draft("m1"), prefetch=NOTHING, **access)).status_code == 412
        assert reads


@pytest.mark.parametrize(
    ("changes", "status", "keys"),
    [
        ({}, 200, None),
        ({"prefetch": {"patient": None}}, 412, "patient"),
        ({"prefetch": {"encounters": None}}, 412, "encounters"),
        ({"prefetch": NOTHING}, 412, "patient, encounters"),
        ({"prefetch": {"conditions": None, "allergies": None}}, 200, None),
    ],
)
def test_what_must_be_had_for_a_relevant_draft(changes: Any, status: int, keys: str | None) -> None:
    response = post(asked(draft("m1"), **changes))
    assert response.status_code == status
    assert (response.json()["issue"][0]["diagnostics"] if keys else None) == keys


def test_a_draft_with_its_own_reason_needs_no_encounter() -> None:
    reason = draft("m1", reasonCode=[{"text": "why"}])
    assert len(cards(asked(reason, prefetch={"encounters": None}))) == 1
    assert len(cards(asked(reason, prefetch={"encounters": None}, context={"encounterId": None}))) == 1
    assert cards(asked(draft("m1"), prefetch=NOTHING, context={"encounterId": None})) == []


def test_two_patients_are_a_conflict_also_where_no_draft_is_relevant() -> None:
    assert post(asked(draft("h1", "harmless"), prefetch={"patient": patient("p2")})).status_code == 422


@pytest.mark.parametrize("user", ["Patient/p1", "Device/x"])
def test_nobody_but_a_professional_gets_cards(user: str) -> None:
    assert cards(asked(draft("m1"), prefetch=NOTHING, context={"userId": user})) == []


def test_an_unavailable_input_is_told_to_the_logic_and_a_draft_is_none() -> None:
    package = order_guideline()
    document = asked(draft("m1"), prefetch={"conditions": bundle(of_patient("Condition", "c1"), 5)})
    document["context"]["draftOrders"]["entry"].append({})
    cards(document, package)
    assert package.program.given[-1]["UnavailableInputs"] == ["conditions"]


# ---------------------------------------------------------------- sides and cards


def procedures(*sides: str) -> list[dict[str, Any]]:
    return [draft(f"s-{side}", "procedure", side) for side in sides]


def test_drafts_for_both_sides_are_evaluated_for_right_then_for_left_and_one_card_tells_of_the_other() -> None:
    package = order_guideline()
    (card,) = cards(asked(*procedures("left", "right")), package)
    assert [given["EvaluationSide"] for given in package.program.given] == [None, None, "right", "left"]
    assert card["summary"] == "Procedure check (right)"
    assert actions(card) == [[("delete", "ServiceRequest/s-right")]]
    assert card["detail"] == (
        "Warning: look.\n\n**Recorded**\n\n- procedure, right\n\n**Also recorded**\n\n- procedure, left"
    )


def test_drafts_of_one_side_are_evaluated_once_whatever_the_visit_is_about() -> None:
    package = order_guideline()
    package.program.values["EncounterSide"] = "both"
    (card,) = cards(asked(*procedures("left")), package)
    assert card["summary"] == "Procedure check"


def test_the_side_of_the_orders_does_not_count_at_a_view_hook() -> None:
    package = order_guideline()
    package.program.values["OrderSide"] = "both"
    document = asked(hook="patient-view")
    del document["context"]["draftOrders"]
    assert [card["summary"] for card in cards(document, package)] == ["Care is recommended (right)"]


def allergic(*drafts: dict[str, Any]) -> dict[str, Any]:
    return asked(*drafts, prefetch={"allergies": bundle(of_patient("AllergyIntolerance", "a1"))})


def test_one_card_in_the_order_of_the_content_and_the_others_under_the_heading_the_content_gives() -> None:
    (card,) = cards(allergic(draft("m1"), *procedures("left")))
    assert (card["source"]["topic"]["code"], card["indicator"]) == ("Drugs", "critical")
    assert card["detail"].endswith("**Also recorded**\n\n- procedure, left")
    (card,) = cards(asked(draft("m1"), *procedures("left")))
    assert (card["source"]["topic"]["code"], card["indicator"]) == ("Procedures", "warning")
    assert card["detail"].endswith("**Also recorded**\n\n- risky, no side")


def test_what_is_the_same_for_both_sides_is_told_once() -> None:
    (card,) = cards(allergic(draft("m1"), *procedures("left", "right")))
    assert card["detail"].count("risky") == 1
    assert card["detail"].endswith("**Also recorded**\n\n- procedure, right\n- procedure, left")
    assert actions(card) == [[("delete", "MedicationRequest/m1"), ("create", None)]]


def test_a_site_that_shows_more_cards_is_told_nothing_twice() -> None:
    settings = development(parameters={"MaxCardsOrder": 2})

    async def run() -> httpx.Response:
        app = create_app({"small": order_guideline()}, settings, lambda: NOW)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service.test") as http:
            return await http.post(PATH, json=asked(draft("m1"), *procedures("left")))

    found = asyncio.run(run()).json()["cards"]
    assert [card["source"]["topic"]["code"] for card in found] == ["Procedures", "Drugs"]
    assert "Also recorded" not in str(found)


def test_what_is_recorded_of_others_is_cut_before_the_facts_and_never_breaks_the_card() -> None:
    package = order_guideline()
    facts = "\n".join(f"- own {at} {'x' * 100}" for at in range(10))
    others = "\n".join(f"- other {at} {'y' * 200}" for at in range(10))
    package.program.values |= {
        "DrugDetail": f"Critical: look.\n\n**Recorded**\n\n{facts}\n\n**About**\n\nLimits.",
        "ProcedureRecorded": f"**Also recorded**\n\n{others}",
    }
    (card,) = cards(allergic(draft("m1"), *procedures("left")), package)
    assert len(card["detail"]) <= 2000
    assert "own 9" in card["detail"]
    assert "other 0" in card["detail"]
    assert "other 9" not in card["detail"]
    assert card["detail"].index("- and ") < card["detail"].index("**About**")


def test_uuids_change_with_a_fact_that_only_the_hidden_card_reads() -> None:
    def uuid(*drafts: dict[str, Any], **given: Any) -> str:
        (card,) = cards(asked(*drafts, hookInstance="d1577c69-dfbe-44ad-ba6d-3e05e953b2ea", **given))
        return str(card["uuid"])

    assert uuid(*procedures("left")) == uuid(*procedures("left"))
    assert uuid(*procedures("left")) != uuid(*procedures("left"), draft("m1"))


# ---------------------------------------------------------------- content that cannot be run


def group(package: Any) -> dict[str, Any]:
    found: dict[str, Any] = package.plan("Drugs")["action"][0]["action"][0]
    return found


def removal(package: Any) -> dict[str, Any]:
    found: dict[str, Any] = group(package)["action"][0]
    return found


def creation(package: Any) -> dict[str, Any]:
    found: dict[str, Any] = group(package)["action"][1]
    return found


ORDERS = [{"path": "resource", "expression": expression("DrugDrafts")}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: removal(p).pop("dynamicValue"), "names the orders it removes"),
        (lambda p: removal(p).update(definitionCanonical=creation(p)["definitionCanonical"]), "leads to nothing else"),
        (lambda p: creation(p).update(dynamicValue=[ORDERS[0] | {"path": "action.resource"}]), "Only an action of"),
        (lambda p: group(p).update(dynamicValue=ORDERS), "Only an action of type remove"),
        (lambda p: creation(p).update(type={"coding": [{"code": "update"}]}), "create, remove"),
        (lambda p: removal(p)["type"]["coding"].append({"code": "create"}), "create, remove"),
    ],
)
def test_a_removal_that_does_not_say_of_what_is_found_at_load(change: Any, message: str) -> None:
    package = order_guideline()
    removal(package)["type"] = copy.deepcopy(REMOVE)
    change(package)
    with pytest.raises(ContentError, match=message):
        check(package)


@pytest.mark.parametrize("target", ["MedicationRequest/other", "Patient/p1"])
def test_a_card_that_would_delete_what_was_not_drafted_is_never_sent(target: str) -> None:
    package = order_guideline()
    package.program.values["DrugDrafts"] = [target]
    response = post(asked(draft("m1")), package)
    assert response.status_code == 500
    assert "other" not in response.text


def test_logic_without_definitions_for_orders_needs_what_the_package_requires() -> None:
    package = order_guideline()
    for name in ("GateOrderClosed", "GateOrderNeedsPatient", "GateOrderNeedsEncounters", "OrderSide"):
        del package.program.values[name]
    package.program.values["GateClosed"] = lambda *_: True
    assert post(asked(draft("m1"), prefetch={"patient": None}), package).status_code == 412
    assert len(cards(asked(*procedures("left", "right")), package)) == 1


def test_logic_that_stumbles_before_data_are_read_is_asked_again_with_them() -> None:
    package = order_guideline()

    def closed(resources: Any, parameters: Any) -> bool:
        if not any(one["resourceType"] == "Patient" for one in resources):
            raise EvaluationError("no patient")
        return not parameters["DraftOrderIds"]

    package.program.values["GateOrderClosed"] = closed
    assert len(cards(asked(draft("m1")), package)) == 1
