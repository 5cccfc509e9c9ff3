"""A drug that is named by reference is the same drug: the cards are those of the order that has the code itself."""

from __future__ import annotations

import asyncio
import copy
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ankle_cds import artifacts, stories
from ankle_cds.prefetch.medications import medications, with_medication
from ankle_cds.service import create_app
from properties import unnamed
from stub_service import development

if TYPE_CHECKING:
    from collections.abc import Callable

STORY = next(story for story in stories.read_all() if story.id.endswith("heels-naproxen-signed"))
PACKAGES = artifacts.load_all()


def cards(request: dict[str, Any]) -> list[dict[str, Any]]:
    async def run() -> httpx.Response:
        app = create_app(PACKAGES, development(), lambda: STORY.clock)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service.test") as http:
            return await http.post(f"/cds-services/{STORY.condition}", json=request)

    answer = asyncio.run(run())
    assert answer.status_code == 200
    found: list[dict[str, Any]] = unnamed(answer.json()["cards"])
    return found


def asked() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((STORY.expected_file.parent / "request.json").read_text("utf-8"))
    return document


def beside(entries: list[dict[str, Any]], order: dict[str, Any], name: str, **entry: Any) -> None:
    """Take the code out of an order and put it into a Medication of its own among the same entries."""
    drug = {"resourceType": "Medication", "id": "drug", "code": order.pop("medicationCodeableConcept")}
    order["medicationReference"] = {"reference": name}
    entries.append({"resource": drug, **entry})


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("Medication/drug", {}),
        ("https://ehr.example.org/fhir/Medication/drug", {"fullUrl": "https://ehr.example.org/fhir/Medication/drug"}),
        ("https://ehr.example.org/fhir/Medication/drug", {}),
        ("Medication/drug/_history/3", {}),
        ("urn:uuid:6f0a3a2e-5b5f-4a51-9a0e-0b7f6f3f9d11", {"fullUrl": "urn:uuid:6f0a3a2e-5b5f-4a51-9a0e-0b7f6f3f9d11"}),
    ],
    ids=["relative", "full URL", "absolute", "versioned", "uuid"],
)
@pytest.mark.parametrize("hook", ["order-sign", "order-select"])
def test_a_drafted_drug_beside_its_order_is_the_drug_of_the_order(name: str, entry: dict[str, Any], hook: str) -> None:
    """Also where only the order is selected: the Medication is no order, it says what the order is for."""
    request = asked()
    request["hook"] = hook
    entries = request["context"]["draftOrders"]["entry"]
    draft = entries[0]["resource"]
    if hook == "order-select":
        request["context"]["selections"] = [f"MedicationRequest/{draft['id']}"]
    expected = cards(copy.deepcopy(request))
    assert expected
    beside(entries, draft, name, **entry)
    assert cards(request) == expected


def test_a_current_drug_that_came_along_in_the_search_is_read() -> None:
    """The apixaban she takes is why naproxen gets the card."""
    request = asked()
    entries = request["prefetch"]["medicationRequests"]["entry"]
    order = next(one["resource"] for one in entries if "apixaban" in json.dumps(one).lower())
    expected = cards(copy.deepcopy(request))
    beside(entries, order, "Medication/drug", search={"mode": "include"})
    assert cards(request) == expected


def drug(identity: str | None, code: str, url: Any = None) -> tuple[dict[str, Any], Any]:
    made: dict[str, Any] = {"resourceType": "Medication", "code": {"text": code}}
    return made | ({"id": identity} if identity else {}), url


def referred(name: Any, **other: Any) -> dict[str, Any]:
    return {"resourceType": "MedicationRequest", "medicationReference": {"reference": name}, **other}


@pytest.mark.parametrize(
    "order",
    [
        lambda: referred("Medication/other"),
        lambda: referred("Medication/two"),
        lambda: referred("#one"),
        lambda: referred(7),
        lambda: {"resourceType": "MedicationRequest", "medicationReference": "Medication/one"},
        lambda: {"resourceType": "MedicationRequest", "medicationCodeableConcept": {"text": "one"}},
    ],
    ids=["not sent", "two with one name", "contained already", "no text", "no reference", "a code"],
)
def test_what_is_not_known_is_left_as_it_is(order: Callable[[], dict[str, Any]]) -> None:
    known = medications([drug("one", "one"), drug("two", "two"), drug("two", "three"), drug(None, "four")])
    assert with_medication(order(), known) == order()


def test_what_is_contained_already_keeps_its_name() -> None:
    earlier = {"resourceType": "Practitioner", "id": "medication"}
    order = referred("Medication/one", contained=[earlier])
    made = with_medication(order, medications([drug("one", "one"), drug("one", "one", "urn:uuid:1")]))
    assert made["medicationReference"] == {"reference": "#medication-"}
    assert made["contained"] == [earlier, {"resourceType": "Medication", "id": "medication-", "code": {"text": "one"}}]
    assert order["contained"] == [earlier]
