"""The envelope of a hook request is proven field by field, and a refusal names fields of the specification only."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from ankle_cds.errors import RequestError, RequestFault
from ankle_cds.hooks import HOOKS, read_request
from ankle_cds.service.feedback import read_feedback
from stub_service import BOTH, authorization, hook_request, without

CARD = "3f0b4f5a-9c1d-4e0f-8a57-2d1f5b6c7d8e"
WHEN = "2026-03-09T10:30:00Z"


def refused(document: Any, **given: Any) -> list[tuple[RequestFault, str]]:
    with pytest.raises(RequestError) as caught:
        read_request(document, BOTH, **given)
    error = caught.value
    return [(each.fault, ", ".join(each.diagnostics)) for each in (error, *error.others)]


def test_a_complete_request_is_read() -> None:
    request = read_request(hook_request(), BOTH)
    assert (request.hook, request.context.patient_id, request.context.encounter_id) == ("encounter-start", "p1", "e1")
    assert request.prefetch["patient"] == {"resourceType": "Patient", "id": "p1"}
    assert request.tolerated == ()


@pytest.mark.parametrize("document", [None, [], "text", 5, True])
def test_a_body_that_is_no_object_is_refused(document: Any) -> None:
    assert refused(document) == [(RequestFault.NOT_OBJECT, "")]


@pytest.mark.parametrize("field", ["hook", "hookInstance", "context"])
def test_a_missing_required_field_is_named(field: str) -> None:
    assert refused(without(hook_request(), field)) == [(RequestFault.MISSING, field)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("hook", value) for value in (None, "", 5, ["encounter-start"])),
        *(("hookInstance", value) for value in (None, "", "abc", 5, f"urn:uuid:{CARD}", f"{CARD}\n", f"{{{CARD}}}")),
        *(("context", value) for value in (None, {}, [], "x", 5)),
        *(("prefetch", value) for value in (None, [], "x", 5)),
        *(("fhirServer", value) for value in (None, "", 5, "fhir", "/fhir", "https://", "https://a b/", "file:///etc")),
        *(("fhirServer", value) for value in ("https://h\n.example", "http://[::1", "https://h:99999/", "gopher://h/")),
    ],
)
def test_a_field_of_the_wrong_type_is_named_and_its_value_is_not_shown(field: str, value: Any) -> None:
    assert refused(hook_request(**{field: value})) == [(RequestFault.BAD_VALUE, field)]


@pytest.mark.parametrize(
    "hook", ["appointment-book", "encounter-discharge", "order-sign", "Encounter-Start", "x" * 999]
)
def test_a_hook_that_is_not_offered_is_refused(hook: str) -> None:
    assert refused(hook_request(hook)) == [(RequestFault.HOOK, "hook")]


@pytest.mark.parametrize("field", ["userId", "patientId", "encounterId"])
def test_a_missing_context_field_is_named(field: str) -> None:
    assert refused(without(hook_request(), "context", field)) == [(RequestFault.MISSING, f"context.{field}")]


@pytest.mark.parametrize("hook", BOTH)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            ("patientId", value)
            for value in (None, "", 5, [], "a/b", "../../x?", "a&_include=", "a\x00", "x" * 65, "é")
        ),
        *(("patientId", value) for value in ("Encounter/p1", "Patient/Patient/p1", "p1\n", "https://h/Patient/p1")),
        *(("encounterId", value) for value in (None, "", 5, "Patient/e1", "e1 ")),
        *(("userId", value) for value in (None, "", 5, "d1", "practitioner/d1", "Practitioner/", "Practitioner/a/b")),
    ],
)
def test_context_ids_have_the_form_fhir_gives_ids(hook: str, field: str, value: Any) -> None:
    document = hook_request(hook)
    document["context"][field] = value
    assert refused(document) == [(RequestFault.BAD_VALUE, f"context.{field}")]


def test_ids_with_their_type_in_front_are_accepted_and_counted() -> None:
    document = hook_request()
    document["context"] |= {"patientId": "Patient/p1", "encounterId": "Encounter/e1"}
    request = read_request(document, BOTH)
    assert (request.context.patient_id, request.context.encounter_id) == ("p1", "e1")
    assert request.tolerated == ("patientId", "encounterId")


def test_patient_view_needs_no_encounter() -> None:
    request = read_request(without(hook_request("patient-view"), "context", "encounterId"), BOTH)
    assert request.context.encounter_id is None


def test_every_wrong_field_of_one_step_is_named_at_once() -> None:
    document = without(hook_request(hookInstance="abc"), "context")
    assert refused(document) == [(RequestFault.BAD_VALUE, "hookInstance"), (RequestFault.MISSING, "context")]


def test_unknown_fields_and_extensions_are_ignored() -> None:
    document = hook_request(extension=5, canary=[{"a": None}])
    document["context"] |= {"extension": "x", "canary": 1}
    assert read_request(document, BOTH).context.patient_id == "p1"


@pytest.mark.parametrize("value", [5, "x", [], [{}], {}, {"resource": {}}, None])
def test_prefetch_values_are_not_judged_here(value: Any) -> None:
    assert read_request(hook_request(prefetch={"patient": value, "unknown": value}), BOTH).prefetch["patient"] == value


def test_a_token_without_a_server_is_refused() -> None:
    document = hook_request(fhirAuthorization=authorization())
    assert refused(document) == [(RequestFault.AUTHORIZATION_WITHOUT_SERVER, "fhirAuthorization")]


@pytest.mark.parametrize(
    ("value", "field"),
    [
        *((value, "") for value in (None, [], "x", 5)),
        *(
            ({"access_token": token, "token_type": "Bearer"}, ".access_token")
            for token in (None, "", 5, "a b", "a\r\nb")
        ),
        *(({"access_token": "a", "token_type": kind}, ".token_type") for kind in (None, "", "bearer", "MAC")),
        ({"token_type": "Bearer"}, ".access_token"),
        ({"access_token": "a"}, ".token_type"),
    ],
)
def test_a_token_that_cannot_be_used_is_refused_as_a_bad_value(value: Any, field: str) -> None:
    document = hook_request(fhirServer="https://ehr.example/fhir", fhirAuthorization=value)
    assert refused(document) == [(RequestFault.BAD_VALUE, f"fhirAuthorization{field}")]


@pytest.mark.parametrize(("expires_in", "read"), [(300, 300), ("300", 300), (None, None), ("soon", None), (True, None)])
def test_what_is_not_needed_of_a_token_is_never_a_reason_to_refuse(expires_in: Any, read: int | None) -> None:
    access = {"access_token": "a", "token_type": "Bearer", "expires_in": expires_in, "scope": 5}
    document = hook_request(fhirServer="https://ehr.example/fhir", fhirAuthorization=access)
    found = read_request(document, BOTH).fhir_authorization
    assert found is not None
    assert (found.expires_in, found.scope, found.subject) == (read, None, None)


def test_a_token_never_goes_over_plain_http() -> None:
    document = hook_request(fhirServer="http://127.0.0.1/fhir", fhirAuthorization=authorization())
    assert refused(document) == [(RequestFault.INSECURE_SERVER, "fhirServer")]
    assert read_request(document, BOTH, plain_http=True).fhir_server == "http://127.0.0.1/fhir"


def test_a_plain_http_server_without_a_token_is_accepted() -> None:
    assert read_request(hook_request(fhirServer="http://ehr.example/fhir"), BOTH).fhir_authorization is None


def test_nothing_printed_about_a_request_shows_its_token_or_patient() -> None:
    document = hook_request(fhirServer="https://ehr.example/fhir", fhirAuthorization=authorization(patient="p1"))
    document["context"]["patientId"] = "canary-patient"
    shown = repr(read_request(document, BOTH))
    assert "canary" not in shown


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize("drafts", [None, [], {}, {"resourceType": "Patient"}, {"resourceType": "Bundle", "entry": 5}])
def test_draft_orders_are_a_bundle(hook: str, drafts: Any) -> None:
    context = {"userId": "Practitioner/d1", "patientId": "p1", "draftOrders": drafts}
    with pytest.raises(RequestError) as caught:
        read_request(hook_request(hook, context=context), tuple(HOOKS))
    assert caught.value.diagnostics[0].startswith("context.draftOrders")


@pytest.mark.parametrize("selections", [None, "MedicationRequest/m1", [5], ["m1"]])
def test_selections_are_references(selections: Any) -> None:
    drafts = {"resourceType": "Bundle"}
    context = {"userId": "Practitioner/d1", "patientId": "p1", "draftOrders": drafts, "selections": selections}
    with pytest.raises(RequestError) as caught:
        read_request(hook_request("order-select", context=context), tuple(HOOKS))
    assert (caught.value.fault, caught.value.diagnostics) == (RequestFault.BAD_VALUE, ("context.selections",))


def entry(**changes: Any) -> dict[str, Any]:
    return {"card": CARD, "outcome": "overridden", "outcomeTimestamp": WHEN, **changes}


def accepted(**changes: Any) -> dict[str, Any]:
    return entry(outcome="accepted", **({"acceptedSuggestions": [{"id": str(uuid4())}]} | changes))


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [accepted()],
        [entry()],
        [entry(overrideReason={"reason": {"code": "x", "system": "https://example.org"}})],
        [entry(overrideReason={"userComment": "<script>"})],
        [entry(acceptedSuggestions=5, unknown=[])],
        [accepted(overrideReason=5)],
        [entry(outcomeTimestamp="2026-03-09T10:30:00.123+00:00")],
        [entry(), accepted(), entry()],
    ],
)
def test_feedback_as_clients_send_it_is_accepted(entries: list[Any]) -> None:
    assert len(read_feedback({"feedback": entries})) == len(entries)


@pytest.mark.parametrize(
    ("entries", "fault", "field"),
    [
        (None, RequestFault.BAD_VALUE, "feedback"),
        ({}, RequestFault.BAD_VALUE, "feedback"),
        ([5], RequestFault.BAD_VALUE, "feedback"),
        ([without(entry(), "card")], RequestFault.MISSING, "feedback.card"),
        ([entry(card="abc")], RequestFault.BAD_VALUE, "feedback.card"),
        ([without(entry(), "outcome")], RequestFault.MISSING, "feedback.outcome"),
        ([entry(outcome="ignored")], RequestFault.BAD_VALUE, "feedback.outcome"),
        ([without(accepted(), "acceptedSuggestions")], RequestFault.MISSING, "feedback.acceptedSuggestions"),
        ([accepted(acceptedSuggestions=[])], RequestFault.BAD_VALUE, "feedback.acceptedSuggestions"),
        ([accepted(acceptedSuggestions=[{}])], RequestFault.MISSING, "feedback.acceptedSuggestions.id"),
        ([accepted(acceptedSuggestions=[{"id": "x"}])], RequestFault.BAD_VALUE, "feedback.acceptedSuggestions.id"),
        *(
            ([entry(overrideReason=value)], RequestFault.BAD_VALUE, "feedback.overrideReason")
            for value in (None, {}, [])
        ),
        (
            [entry(overrideReason={"reason": {"code": "x"}})],
            RequestFault.MISSING,
            "feedback.overrideReason.reason.system",
        ),
        ([entry(overrideReason={"userComment": 5})], RequestFault.BAD_VALUE, "feedback.overrideReason.userComment"),
        ([without(entry(), "outcomeTimestamp")], RequestFault.MISSING, "feedback.outcomeTimestamp"),
        *(
            ([entry(outcomeTimestamp=value)], RequestFault.BAD_VALUE, "feedback.outcomeTimestamp")
            for value in ("2026-03-09", "2026-03-09T10:30:00", "2026-03-09T10:30:00+02:00", "2026-02-30T10:30:00Z", 5)
        ),
        ([entry()] * 1001, RequestFault.BAD_VALUE, "feedback"),
        ([entry(), entry(card=5)], RequestFault.BAD_VALUE, "feedback.card"),
    ],
)
def test_one_bad_feedback_entry_refuses_all_of_them(entries: Any, fault: RequestFault, field: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_feedback({"feedback": entries})
    assert (caught.value.fault, caught.value.diagnostics) == (fault, (field,))
