"""The description of the interface is true: what it permits is answered, and every answer is as it says."""

from __future__ import annotations

import asyncio
import copy
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate as validate_openapi

from ankle_cds import artifacts
from ankle_cds.service import background, create_app
from charts import NOW
from programs import needs, run
from responses import ROOT
from stub_service import development

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PACKAGES = artifacts.load_all()
APP = create_app(PACKAGES, development(public_base_url="https://cds.example.org"), lambda: NOW)
STORIES = sorted(path.parent for path in (ROOT / "examples").rglob("request.json"))
FEEDBACK = {
    "feedback": [
        {
            "card": "4e0a3a1e-3f24-4e12-8ff0-0a52a9e1c6b2",
            "outcome": "overridden",
            "outcomeTimestamp": "2026-05-14T09:31:00Z",
            "overrideReason": {"reason": {"code": "x", "system": "https://x.example"}, "userComment": "no"},
        },
        {
            "card": "4e0a3a1e-3f24-4e12-8ff0-0a52a9e1c6b3",
            "outcome": "accepted",
            "outcomeTimestamp": "2026-05-14T09:31:00Z",
            "acceptedSuggestions": [{"id": "4e0a3a1e-3f24-4e12-8ff0-0a52a9e1c6b4"}],
        },
    ]
}


def fetch(path: str) -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(APP)
        async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as http:
            return await http.get(path)

    answer = asyncio.run(run())
    assert answer.status_code == 200, answer.text
    return answer


def get(path: str) -> Any:
    return fetch(path).json()


def validator(name: str) -> Draft202012Validator:
    schema = get(f"/schemas/{name}.json")
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())


def _component(name: str) -> Draft202012Validator:
    document = get("/openapi.json")
    return Draft202012Validator({"components": document["components"], "$ref": f"#/components/schemas/{name}"})


REQUEST, RESPONSE, OUTCOME = validator("request"), validator("response"), _component("OperationOutcome")


def test_the_document_is_openapi_and_names_every_address() -> None:
    document = get("/openapi.json")
    validate_openapi(document)
    assert document["servers"] == [{"url": "https://cds.example.org"}]
    service = "/cds-services/posterior-ankle-impingement"
    assert {path for path in document["paths"] if path.startswith("/cds-services")} == {
        "/cds-services",
        service,
        f"{service}/feedback",
    }
    for path, item in document["paths"].items():
        if "get" in item:
            assert fetch(path).headers["content-type"].partition(";")[0] in item["get"]["responses"]["200"]["content"]


@pytest.mark.parametrize("folder", STORIES, ids=lambda folder: "-".join(folder.parts[-2:]))
def test_every_example_is_as_described(folder: Any) -> None:
    REQUEST.validate(json.loads((folder / "request.json").read_text()))
    expected = json.loads((folder / "expected.json").read_text())
    (RESPONSE if "cards" in expected else OUTCOME).validate(expected)


def test_discovery_and_feedback_are_as_described() -> None:
    validator("discovery").validate(get("/cds-services"))
    validator("feedback").validate(FEEDBACK)


def _broken(document: Any, change: Callable[[Any], Any]) -> Any:
    changed = copy.deepcopy(document)
    change(changed)
    return changed


EXAMPLE = ROOT / "examples" / "posterior-ankle-impingement" / "dancer-first-visit-pattern-fits"
CARDS: dict[str, Callable[[Any], Any]] = {
    "no uuid": lambda cards: cards[0].pop("uuid"),
    "no source": lambda cards: cards[0].pop("source"),
    "long summary": lambda cards: cards[0].update(summary="x" * 140),
    "unknown indicator": lambda cards: cards[0].update(indicator="hard-stop"),
    "unknown member": lambda cards: cards[0].update(note="x"),
    "suggestions without behaviour": lambda cards: [card.pop("selectionBehavior", None) for card in cards],
}
REQUESTS: dict[str, Callable[[Any], Any]] = {
    "hook not offered": lambda request: request.update(hook="appointment-book"),
    "no instance": lambda request: request.pop("hookInstance"),
    "no patient": lambda request: request["context"].pop("patientId"),
    "null for an encounter": lambda request: request["context"].update(encounterId=None),
    "user without a type": lambda request: request["context"].update(userId="d1"),
    "token without a server": lambda request: request.update(
        fhirAuthorization={"access_token": "x", "token_type": "Bearer"}
    ),
}


def _expected() -> Any:
    for folder in STORIES:
        answer = json.loads((folder / "expected.json").read_text())
        if any("suggestions" in card for card in answer.get("cards", ())):
            return answer
    raise AssertionError("no example has a card with suggestions")


@pytest.mark.parametrize("case", CARDS)
def test_an_answer_that_is_no_answer_of_ours_is_told_apart(case: str) -> None:
    assert not RESPONSE.is_valid(_broken(_expected(), lambda answer: CARDS[case](answer["cards"])))


@pytest.mark.parametrize("case", REQUESTS)
def test_a_request_that_is_refused_is_not_described_as_one(case: str) -> None:
    request = json.loads((EXAMPLE / "request.json").read_text())
    changed = _broken(request, REQUESTS[case])
    assert not REQUEST.is_valid(changed)


@needs("schemathesis")
def test_what_another_program_makes_of_the_description_holds(tmp_path: Path) -> None:
    """Thousands of requests made from the description alone; more of them with `--max-examples`.

    That what is described is accepted is not asked: FHIR has rules no JSON Schema says (no NUL in a string, numbers
    that a decimal can hold), and the examples show it.
    """
    checks = ["--checks", "all", "--exclude-checks", "positive_data_acceptance"]
    settings = development()
    with background(create_app(PACKAGES, settings, lambda: NOW), settings) as url:
        report = ["--no-color", "--report-dir", tmp_path]
        done = run(
            "schemathesis", "run", f"{url}/openapi.json", "--seed", "1", "--max-examples", "15", *checks, *report
        )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "No issues found" in done.stdout


def test_the_examples_are_found() -> None:
    assert len(STORIES) > 80
