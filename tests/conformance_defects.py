"""Our own service made worse in one way at a time: what each check of the conformance tables has to notice.

A defect stands between the wire and the service: it changes what is asked, or what is told.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


@dataclass
class Asked:
    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def document(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def has_token(self) -> bool:
        return any(name == "authorization" for name, _ in self.headers)


@dataclass
class Told:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def document(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return None


Ask = Callable[[Asked], Asked]
Tell = Callable[[Asked, Told], Told]


@dataclass
class Switch:
    """Wraps applications; what is asked and told goes through the defect that is set, if one is."""

    ask: Ask = lambda asked: asked
    tell: Tell = lambda _asked, told: told

    def set(self, ask: Ask | None = None, tell: Tell | None = None) -> None:
        self.ask = ask or (lambda asked: asked)
        self.tell = tell or (lambda _asked, told: told)

    def __call__(self, app: ASGIApp) -> ASGIApp:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            body, more = b"", True
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
            asked = Asked(scope["method"], scope["path"], headers, body)
            changed = self.ask(Asked(**vars(asked)))
            kept = [(n, v) for n, v in changed.headers if n != "content-length"]
            kept += [("content-length", str(len(changed.body)))] if changed.body else []
            inner = scope | {"headers": [(n.encode("latin-1"), v.encode("latin-1")) for n, v in kept]}
            told: dict[str, Any] = {"body": b""}
            sent = iter([{"type": "http.request", "body": changed.body, "more_body": False}])

            async def take() -> Any:
                return next(sent, {"type": "http.disconnect"})

            async def keep(message: Any) -> None:
                if message["type"] == "http.response.start":
                    told.update(status=message["status"], headers=message["headers"])
                else:
                    told["body"] += message.get("body", b"")

            await app(inner, take, keep)
            plain = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in told["headers"]]
            answer = self.tell(asked, Told(told["status"], plain, told["body"]))
            out = [(n, v) for n, v in answer.headers if n.lower() != "content-length"]
            if answer.body or answer.status != 204:
                out.append(("content-length", str(len(answer.body))))
            start = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in out]
            await send({"type": "http.response.start", "status": answer.status, "headers": start})
            await send({"type": "http.response.body", "body": b"" if asked.method == "HEAD" else answer.body})

        return wrapped


SILENT = b'{"cards":[]}'


def answered(told: Told, document: Any, status: int | None = None) -> Told:
    return Told(told.status if status is None else status, told.headers, json.dumps(document).encode())


def of_entries(change: Callable[[dict[str, Any]], object]) -> Tell:
    """Change each entry of discovery."""

    def tell(asked: Asked, told: Told) -> Told:
        if asked.path != "/cds-services" or told.status != 200 or asked.method != "GET":
            return told
        document = told.document
        for entry in document["services"]:
            change(entry)
        return answered(told, document)

    return tell


def of_template(text: str) -> Tell:
    """Announce one more template."""
    return of_entries(lambda entry: entry["prefetch"].update(more=text))


def of_cards(change: Callable[[dict[str, Any]], object]) -> Tell:
    """Change each card."""

    def tell(_asked: Asked, told: Told) -> Told:
        document = told.document
        if told.status != 200 or not isinstance(document, dict) or not document.get("cards"):
            return told
        for card in document["cards"]:
            change(card)
        return answered(told, document)

    return tell


def of_suggestions(change: Callable[[dict[str, Any]], object]) -> Tell:
    return of_cards(lambda card: [change(one) for one in card["suggestions"]])


def of_actions(change: Callable[[dict[str, Any]], object]) -> Tell:
    return of_suggestions(lambda suggestion: [change(one) for one in suggestion["actions"]])


def of_links(change: Callable[[dict[str, Any]], object]) -> Tell:
    return of_cards(lambda card: [change(one) for one in card["links"]])


def status(was: Callable[[Asked, Told], bool], becomes: int, body: bytes = SILENT) -> Tell:
    """Answer otherwise where a condition holds."""
    return lambda asked, told: Told(becomes, told.headers, body) if was(asked, told) else told


def asked_so(condition: Callable[[Asked], bool]) -> Callable[[Asked, Told], bool]:
    return lambda asked, _told: condition(asked)


def told_so(condition: Callable[[Told], bool]) -> Callable[[Asked, Told], bool]:
    return lambda _asked, told: condition(told)


def is_refused(_asked: Asked, told: Told) -> bool:
    return 400 <= told.status < 500


def is_feedback(asked: Asked, _told: Told) -> bool:
    return asked.path.endswith("/feedback")


def is_call(asked: Asked) -> bool:
    return asked.method == "POST" and isinstance(asked.document, dict) and not asked.path.endswith("/feedback")


def of_request(change: Callable[[dict[str, Any]], object]) -> Ask:
    """Change the request before the service reads it."""

    def ask(asked: Asked) -> Asked:
        document = asked.document
        if is_call(asked):
            change(document)
            asked.body = json.dumps(document).encode()
        return asked

    return ask


def without_values(leave_out: Callable[[Any], bool]) -> Ask:
    """Lose prefetched values before the service sees them."""

    def change(document: dict[str, Any]) -> None:
        prefetch = document.get("prefetch")
        if isinstance(prefetch, dict):
            document["prefetch"] = {key: value for key, value in prefetch.items() if not leave_out(value)}

    return of_request(change)


def access(**members: Any) -> Ask:
    """Change the access to the FHIR server."""
    return of_request(lambda document: document.get("fhirAuthorization", {}).update(members))


def add_access(document: dict[str, Any]) -> None:
    if "fhirServer" in document and "fhirAuthorization" not in document:
        document["fhirAuthorization"] = {"access_token": "x", "token_type": "Bearer", "expires_in": 300}


def fetch(url: str) -> None:
    with suppress(OSError):
        urllib.request.urlopen(url, timeout=2).close()  # noqa: S310  # a server of the test


def read_later(asked: Asked, told: Told) -> Told:
    if is_call(asked) and "fhirServer" in asked.document:
        threading.Timer(0.15, fetch, [f"{asked.document['fhirServer']}/Patient/late"]).start()
    return told


def read_anybody(asked: Asked, told: Told) -> Told:
    """Read the FHIR server of a call, the next page of its data, and the key set of its token, whoever they are."""
    if is_call(asked):
        document = asked.document
        if isinstance(document.get("fhirServer"), str):
            fetch(f"{document['fhirServer']}/Patient/x")
        for value in (document.get("prefetch") or {}).values():
            for link in value.get("link", ()) if isinstance(value, dict) else ():
                fetch(link["url"])
    return told


def slow(_asked: Asked, told: Told) -> Told:
    time.sleep(0.51)
    return told


def counting(change: Callable[[dict[str, Any], int], object], wrap: Callable[..., Tell] = of_cards) -> Tell:
    """Change each time in another way."""
    numbers = iter(range(1_000_000))
    return wrap(lambda part: change(part, next(numbers)))


def the_first_again() -> Tell:
    """Answer every call with what the first one got."""
    kept: list[bytes] = []

    def tell(asked: Asked, told: Told) -> Told:
        if not is_call(asked) or told.status != 200:
            return told
        kept.append(told.body)
        return Told(200, told.headers, kept[0])

    return tell


def differing(asked: Asked, told: Told) -> Told:
    """Tell those who are not let in why."""
    return answered(told, {"reason": len(str(asked.headers))}) if told.status == 401 else told


def with_headers(*more: tuple[str, str], without: str = "") -> Tell:
    return lambda _asked, told: Told(
        told.status, [(n, v) for n, v in told.headers if n.lower() != without] + list(more), told.body
    )


def reflecting(asked: Asked, told: Told) -> Told:
    """Let in every origin, with credentials."""
    origin = next((value for name, value in asked.headers if name == "origin"), None)
    more = [("access-control-allow-origin", origin), ("access-control-allow-credentials", "true")] if origin else []
    return Told(told.status, [*told.headers, *more], told.body)


def echo(asked: Asked, told: Told) -> Told:
    return Told(told.status, told.headers, asked.body + asked.path.encode())


def drop(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda part: part.pop(name, None)


def put(**members: Any) -> Callable[[dict[str, Any]], object]:
    return lambda part: part.update(members)


def doubled(_asked: Asked, told: Told) -> Told:
    document = told.document
    if isinstance(document, dict) and document.get("services"):
        return answered(told, {"services": document["services"] * 2})
    return told


def with_token_is_let_in(asked: Asked, told: Told) -> bool:
    return asked.has_token and told.status == 401


def signed_with_rsa(asked: Asked, _told: Told) -> bool:
    # The beginning of a header with this algorithm, in base64url.
    return any(value.startswith("Bearer eyJhbGciOiAiUlMzODQ") for _, value in asked.headers)


REFUSED_IS_SILENT = (None, status(is_refused, 200))
TOKEN_IS_ENOUGH = (None, status(with_token_is_let_in, 200))
FEEDBACK_IS_NOT_READ = (None, status(is_feedback, 200))
EMPTY_SEARCH = {"resourceType": "Bundle", "type": "searchset", "total": 0}

DEFECTS: dict[str, tuple[Ask | None, Tell | None]] = {
    "listed_origins_may_read": (None, with_headers(without="access-control-allow-origin")),
    "other_origins_may_not": (None, reflecting),
    "calls_get_cards": (
        None,
        lambda _asked, told: Told(told.status, told.headers, told.body.replace(b"cards", b"card")),
    ),
    "silence_is_an_empty_array": (None, status(told_so(lambda told: told.body == SILENT), 200, b"{}")),
    "calls_are_prompt": (None, slow),
    "prefetch_is_taken": (
        None,
        status(asked_so(lambda asked: is_call(asked) and "fhirServer" not in asked.document), 412),
    ),
    "announced_data_are_enough": (None, of_entries(lambda entry: entry["prefetch"].pop("patient"))),
    "calls_are_repeatable": (None, counting(lambda card, at: card.update(summary=f"{at}"))),
    "nothing_is_kept": (None, the_first_again()),
    "extensions_are_accepted": (None, status(asked_so(lambda asked: b"org.example.conformance" in asked.body), 422)),
    "unknown_fields_are_ignored": (None, status(asked_so(lambda asked: b"notDefined" in asked.body), 422)),
    "encounter_start_is_served": (None, status(asked_so(lambda asked: b'"encounter-start"' in asked.body), 500)),
    "cards_have_own_uuids": (None, of_cards(put(uuid="same"))),
    "summaries_are_short": (None, of_cards(put(summary="x" * 140))),
    "details_are_texts": (None, of_cards(put(detail=5))),
    "details_hold_no_html": (None, of_cards(put(detail="<b>bold</b>"))),
    "indicators_are_known": (None, of_cards(put(indicator="hard-stop"))),
    "sources_are_objects": (None, of_cards(put(source="Example"))),
    "sources_have_labels": (None, of_cards(lambda card: card["source"].pop("label"))),
    "source_urls_are_absolute": (None, of_cards(lambda card: card["source"].update(url="/here"))),
    "source_urls_are_general": (None, of_cards(lambda card: card["source"].update(url="https://a.example/?p=1"))),
    "source_icons_are_absolute": (None, of_cards(lambda card: card["source"].update(icon="icon.png"))),
    "source_icons_are_square": (None, of_cards(lambda card: card["source"].update(icon="https://a.example/health"))),
    "topics_are_codings": (None, of_cards(lambda card: card["source"]["topic"].pop("system"))),
    "override_reasons_are_codings": (None, of_cards(put(overrideReasons=[{"display": "No"}]))),
    "override_reasons_are_readable": (None, of_cards(lambda card: card["overrideReasons"][0].pop("display"))),
    "discovery_is_found": (None, status(asked_so(lambda asked: asked.path == "/cds-services"), 404)),
    "discovery_stays": (None, counting(lambda entry, at: entry.update(title=f"{at}"), of_entries)),
    "discovery_lists_services": (
        None,
        lambda asked, told: answered(told, {"services": {}}) if asked.path == "/cds-services" else told,
    ),
    "entries_have_hook": (None, of_entries(drop("hook"))),
    "entries_have_title": (None, of_entries(put(title=" "))),
    "entries_have_description": (None, of_entries(drop("description"))),
    "entries_have_id": (None, of_entries(put(id="two/parts"))),
    "entries_have_prefetch": (None, of_entries(put(prefetch=["Patient/1"]))),
    "entries_say_usage": (None, of_entries(put(usageRequirements=5))),
    "discovery_refuses": (None, status(asked_so(lambda asked: asked.path == "/cds-services"), 200, b'{"services":[]}')),
    "services_are_found": (None, status(asked_so(is_call), 404)),
    "one_id_serves_hooks": (None, doubled),
    "entries_have_version": (None, of_entries(put(version="2.0"))),
    "entries_have_hook_version": (None, of_entries(put(hookVersion="9.9"))),
    "feedback_is_taken": (None, status(is_feedback, 500)),
    "feedback_names_a_card": FEEDBACK_IS_NOT_READ,
    "feedback_has_an_outcome": FEEDBACK_IS_NOT_READ,
    "acceptance_names_suggestions": FEEDBACK_IS_NOT_READ,
    "feedback_has_a_time": FEEDBACK_IS_NOT_READ,
    "override_reasons_are_taken": FEEDBACK_IS_NOT_READ,
    "comments_are_survived": (None, lambda asked, told: echo(asked, told) if is_feedback(asked, told) else told),
    "health_is_told": (None, status(asked_so(lambda asked: asked.path.startswith("/health")), 404)),
    "the_interface_is_described": (None, status(asked_so(lambda asked: asked.path == "/openapi.json"), 404)),
    "system_actions_are_actions": (
        None,
        lambda asked, told: answered(told, told.document | {"systemActions": [{}]}) if is_call(asked) else told,
    ),
    "missing_data_are_read": (
        of_request(lambda document: "fhirServer" in document and document["prefetch"].clear()),
        None,
    ),
    "either_way_gives_the_same": (
        None,
        lambda asked, told: Told(200, told.headers, SILENT) if b"fhirServer" in asked.body else told,
    ),
    "reads_carry_the_token": (access(access_token="another"), None),  # noqa: S106  # no password
    "nothing_is_read_without_token": (of_request(add_access), None),
    "expired_tokens_are_not_used": (access(expires_in=300), None),
    "short_tokens_end": (access(expires_in=300), None),
    "nothing_is_read_afterwards": (None, read_later),
    "refused_reads_are_survived": (None, status(told_so(lambda told: told.status == 412), 500)),
    "null_is_an_answer": (without_values(lambda value: value is None), None),
    "an_empty_bundle_is_an_answer": (without_values(lambda value: value == EMPTY_SEARCH), None),
    "a_failure_is_an_answer": (
        without_values(lambda value: isinstance(value, dict) and value.get("resourceType") == "OperationOutcome"),
        None,
    ),
    "any_key_may_be_missing": (None, status(told_so(lambda told: told.status == 412), 500)),
    "odd_values_are_survived": (
        None,
        status(asked_so(lambda asked: is_call(asked) and "x" in asked.document.get("prefetch", {}).values()), 500),
    ),
    "data_that_cannot_be_had_are_412": (None, status(told_so(lambda told: told.status == 412), 200)),
    "pages_are_followed_safely": (None, read_anybody),
    "hook_is_required": REFUSED_IS_SILENT,
    "foreign_hooks_are_refused": REFUSED_IS_SILENT,
    "instance_is_a_uuid": REFUSED_IS_SILENT,
    "context_is_required": REFUSED_IS_SILENT,
    "access_needs_a_server": REFUSED_IS_SILENT,
    "access_has_a_shape": REFUSED_IS_SILENT,
    "prefetch_may_be_left_out": REFUSED_IS_SILENT,
    "one_patient_is_meant": REFUSED_IS_SILENT,
    "services_take_post": REFUSED_IS_SILENT,
    "bad_bodies_are_refused": REFUSED_IS_SILENT,
    "large_bodies_are_refused": REFUSED_IS_SILENT,
    "refusals_are_outcomes": (None, status(is_refused, 400, b'{"detail":"no"}')),
    "refusals_tell_nothing": (None, echo),
    "suggestions_are_arrays": (None, of_cards(put(suggestions={}))),
    "suggestions_say_how_many": (None, of_cards(put(selectionBehavior="all"))),
    "only_suggestions_are_selected": (None, of_cards(drop("suggestions"))),
    "suggestions_have_labels": (None, of_suggestions(drop("label"))),
    "suggestions_have_own_uuids": (None, of_suggestions(put(uuid="same"))),
    "recommendations_are_true": (None, of_suggestions(put(isRecommended="yes"))),
    "one_of_many_is_recommended": (
        None,
        of_cards(lambda card: card.update(selectionBehavior="at-most-one", suggestions=[{"isRecommended": True}] * 2)),
    ),
    "actions_are_arrays": (None, of_suggestions(put(actions=[]))),
    "actions_belong_together": (None, of_suggestions(put(actionSelectionBehavior="any"))),
    "actions_have_types": (None, of_actions(put(type="replace"))),
    "actions_are_described": (None, of_actions(drop("description"))),
    "actions_carry_resources": (None, of_actions(put(resource={}))),
    "created_resources_are_new": (None, of_actions(lambda one: one.get("resource", {}).update(id="old"))),
    "updated_resources_are_whole": (None, of_actions(put(type="update", resource={"resourceType": "Task"}))),
    "deletions_carry_no_resource": (None, of_actions(put(type="delete"))),
    "deletions_name_what_was_sent": (None, of_actions(put(type="delete", resourceId="5"))),
    "links_are_arrays": (None, of_cards(put(links={}))),
    "links_have_labels": (None, of_links(put(label=""))),
    "links_are_absolute": (None, of_links(put(url="javascript:alert(1)"))),
    "links_have_types": (None, of_links(put(type="button"))),
    "app_contexts_are_texts": (None, of_links(put(appContext={}))),
    "app_contexts_are_smart": (None, of_links(put(appContext="x"))),
    "links_are_not_launched": (None, of_links(put(autolaunchable=True))),
    "templates_have_keys": (None, of_entries(lambda entry: entry["prefetch"].update({"two words": "Patient/1"}))),
    "templates_use_tokens": (None, of_template("Patient/{context.patientId}")),
    "tokens_are_delimited": (None, of_template("Patient/{context.patientId}")),
    "tokens_name_allowed_things": (None, of_template("Patient/{{patient.id}}")),
    "tokens_are_primitive": (None, of_template("Task?focus={{context.draftOrders}}")),
    "tokens_are_of_the_hook": (None, of_template("Task?focus={{context.appointmentId}}")),
    "queries_stay_simple": (None, of_template("Condition?patient={{context.patientId}}&_include=*")),
    "callers_are_authenticated": (None, status(told_so(lambda told: told.status == 401), 200)),
    "unsigned_tokens_are_refused": TOKEN_IS_ENOUGH,
    "shared_secrets_are_refused": TOKEN_IS_ENOUGH,
    "unknown_algorithms_are_refused": TOKEN_IS_ENOUGH,
    "keys_are_named": TOKEN_IS_ENOUGH,
    "tokens_are_typed": TOKEN_IS_ENOUGH,
    "strangers_are_refused": TOKEN_IS_ENOUGH,
    "tokens_are_for_this_address": TOKEN_IS_ENOUGH,
    "tokens_expire": TOKEN_IS_ENOUGH,
    "tokens_have_a_beginning": TOKEN_IS_ENOUGH,
    "tokens_are_used_once": TOKEN_IS_ENOUGH,
    "tenants_are_texts": TOKEN_IS_ENOUGH,
    "recommended_algorithms_are_accepted": (None, status(signed_with_rsa, 401)),
    "keys_may_be_exchanged_beforehand": TOKEN_IS_ENOUGH,
    "refusals_look_alike": (None, differing),
    "only_own_servers_are_read": (None, read_anybody),
    "everything_is_json": (None, with_headers(("content-type", "text/html"), without="content-type")),
    "nothing_is_empty": (None, of_cards(put(links=[]))),
    "extensions_are_objects": (None, of_cards(put(extension=[1]))),
}
