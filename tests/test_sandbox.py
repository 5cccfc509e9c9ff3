"""What docs/ehr.md says of the CDS Hooks sandbox, a client in a browser: calls in the form in which it makes them."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ankle_cds import stories
from ankle_cds.demo.stage import Stage
from ankle_cds.fhir import read_json_file
from ankle_cds.settings import load
from stub_service import PATH, hook_request, served
from tokens import encode, jwk, key, nonce, sign

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.demo.stage import Played

STORY = stories.read(stories.folder() / "posterior-ankle-impingement/heels-and-apixaban/3-heels-naproxen-signed")
PAGE = Path(__file__).parent.parent / "docs/ehr.md"
SANDBOX = "https://sandbox.cds-hooks.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
INGREDIENT, PRODUCT = "7258", "198014"
REASON = {
    "coding": [{"system": "https://w3id.org/ankle-cds/CodeSystem/pai-findings", "code": "posterior-ankle-impingement"}]
}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage() as running:
        yield running


def signed(stage: Stage, *drugs: str, encounter: bool = False, **more: Any) -> Played:
    """Sign a prescription as its Rx Sign does: the category is no list, and nothing names encounter or requester."""
    request = read_json_file(STORY.request_file)
    draft = {
        "resourceType": "MedicationRequest",
        "id": "request-123",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": f"Patient/{STORY.patient}"},
        "authoredOn": "2026-11-28",
        "category": {"coding": [{"code": "community"}]},
        "dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 1, "code": "{pill}"}}]}],
        "medicationCodeableConcept": {"text": "Naproxen", "coding": [{"system": RXNORM, "code": one} for one in drugs]},
    } | more
    request["context"]["draftOrders"] = {"resourceType": "Bundle", "entry": [{"resource": draft}]}
    if not encounter:
        del request["context"]["encounterId"]
    return stage.play(STORY, request)


def topics(played: Played) -> list[str]:
    assert played.status == 200
    return [card["source"]["topic"]["code"] for card in played.body["cards"]]


def test_a_draft_is_judged_for_its_encounter_or_for_its_reason(stage: Stage) -> None:
    assert topics(signed(stage, INGREDIENT)) == []
    assert topics(signed(stage, INGREDIENT, encounter=True)) == ["PaiNsaidOrderCheck"]
    assert topics(signed(stage, INGREDIENT, reasonCode=[REASON])) == ["PaiNsaidOrderCheck"]


def test_a_drug_is_known_by_its_ingredient(stage: Stage) -> None:
    assert topics(signed(stage, PRODUCT, encounter=True)) == []
    assert topics(signed(stage, PRODUCT, INGREDIENT, encounter=True)) == ["PaiNsaidOrderCheck"]


def test_a_reason_that_is_no_list_is_refused_and_not_passed_over(stage: Stage) -> None:
    played = signed(stage, INGREDIENT, reasonCode=REASON)
    assert (played.status, played.body["issue"][0]["diagnostics"]) == (400, "context.draftOrders")


def test_the_configuration_of_the_page_lets_the_sandbox_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Preflight, discovery, call and feedback from its origin, each with a token for the very address it calls."""
    found = re.search(r"--config sandbox\.yaml`:\n\n```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    (tmp_path / "sandbox.yaml").write_text(found[1], "utf-8")
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [jwk(key("sandbox"), "k1")]}), "utf-8")
    monkeypatch.chdir(tmp_path)
    settings = load(tmp_path / "sandbox.yaml", environment={}, mode="development", port=0)
    (origin,) = settings.cors_origins
    feedback = {"feedback": [{"card": hook_request()["hookInstance"], "outcome": "overridden"}]}
    feedback["feedback"][0]["outcomeTimestamp"] = "2026-11-28T12:07:51.693Z"
    calls = (("GET", "/cds-services", None), ("POST", PATH, hook_request()), ("POST", f"{PATH}/feedback", feedback))
    with served(settings) as url, httpx.Client(base_url=url, headers={"Origin": origin}, trust_env=False) as browser:
        for method, path, body in calls:
            wanted = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization"}
            asked = browser.options(path, headers=wanted)
            assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, origin)
            token = {"Authorization": _bearer(f"{settings.public_base_url}{path}")}
            answers = [browser.request(method, path, json=body, headers=token) for _ in range(2)]
            once = [200, 200] if method == "GET" else [200, 401]  # discovery is open
            assert [one.status_code for one in answers] == once
            assert {one.headers["access-control-allow-origin"] for one in answers} == {origin}
        assert browser.get("/cds-services/").status_code == 404


def _bearer(audience: str) -> str:
    now = int(time.time())
    head = {"alg": "ES384", "typ": "JWT", "kid": "k1", "jku": f"{SANDBOX}/.well-known/jwks.json"}
    body = {"iss": SANDBOX, "aud": audience, "exp": now + 300, "iat": now, "jti": nonce()}
    text = f"{encode(head)}.{encode(body)}"
    return f"Bearer {text}.{encode(sign(key('sandbox'), 'ES384', text))}"
