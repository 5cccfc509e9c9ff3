"""What answers say beyond CDS Hooks: nothing, but to those who ask for it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from ankle_cds import artifacts, conformance, stories
from ankle_cds.service import background, create_app
from ankle_cds.settings import load
from charts import FINDINGS, concept

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PACKAGES = artifacts.load_all()
STORY = next(one for one in stories.read_all() if one.id == "dancer-first-visit-pattern-fits")
PATH = "/cds-services/posterior-ankle-impingement"
CONTENT = "org.w3id.ankle-cds.content"
DATA = "org.w3id.ankle-cds.data"
FAILED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
SITE: Mapping[str, Any] = {"mode": "development", "port": 0, "request_deadline": 60.0}


def served(
    body: dict[str, Any] | None, packages: Mapping[str, artifacts.Package] | None = None, token: Any = None, **site: Any
) -> Any:
    """Give what a site answers to a call, or to discovery where there is no body: what the published schema permits."""
    settings = load(environment={}, **{**SITE, **site})
    app = create_app(packages or PACKAGES, settings, lambda: STORY.clock)
    with background(app, settings) as url, httpx.Client(base_url=url, trust_env=False) as client:
        headers = {"Authorization": f"Bearer {token(PATH)}"} if token else {}
        answer = client.post(PATH, json=body, headers=headers) if body else client.get("/cds-services")
        schema = client.get(f"/schemas/{'response' if body else 'discovery'}.json").json()
    assert answer.status_code == 200, answer.text
    Draft202012Validator(schema).validate(answer.json())
    return answer.json()


def call(**prefetch: Any) -> dict[str, Any]:
    """Give the request of the story with other things under some keys; Ellipsis leaves the key out."""
    body: dict[str, Any] = json.loads(STORY.request_file.read_text("utf-8"))
    body["prefetch"] = {key: value for key, value in {**body["prefetch"], **prefetch}.items() if value is not ...}
    return body


def incomplete(body: dict[str, Any], key: str) -> Any:
    page = dict(body["prefetch"][key])
    return {**page, "link": [{"relation": "next", "url": "https://elsewhere.example/next"}]}


def test_nothing_is_added_unless_a_site_asks_for_it() -> None:
    assert all("extension" not in entry for entry in served(None)["services"])
    assert set(served(call(allergies=FAILED))) == {"cards"}


def test_an_answer_names_the_keys_that_could_not_be_had_and_those_that_are_partial() -> None:
    body = call(allergies=FAILED, procedures=..., carePlans=7)
    body["prefetch"]["findings"] = incomplete(body, "findings")
    told = served(body, emit_extensions=True)
    expected = {"unavailable": ["allergies", "carePlans", "procedures"], "partial": ["findings"]}
    assert told["extension"] == {DATA: expected}
    assert told["cards"]


def test_records_that_cannot_be_read_make_a_key_partial() -> None:
    body = call()
    entries = body["prefetch"]["findings"]["entry"]
    code = concept(FINDINGS, "suspected-dvt")
    spoilt = {**entries[0]["resource"], "id": "spoilt", "code": code, "effectiveDateTime": 20260307}
    body["prefetch"]["findings"] = {**body["prefetch"]["findings"], "entry": [*entries, {"resource": spoilt}]}
    assert served(body, emit_extensions=True)["extension"] == {DATA: {"partial": ["findings"]}}


def test_no_card_is_no_reason_to_keep_quiet_about_it() -> None:
    """A visit for another reason, of which not all was read: no card, and the reader is told what was not seen."""
    body = call(allergies=FAILED)
    body["prefetch"]["encounter"] = {**body["prefetch"]["encounter"], "status": "finished"}
    told = served(body, emit_extensions=True)
    assert told == {"cards": [], "extension": {DATA: {"unavailable": ["allergies"]}}}


def test_where_everything_was_had_nothing_is_added() -> None:
    assert set(served(call(), emit_extensions=True)) == {"cards"}


def test_discovery_tells_which_content_answers() -> None:
    package = next(iter(PACKAGES.values()))
    plan = package.get(package.pathway)
    told = served(None, emit_extensions=True)["services"]
    found = [entry["extension"] for entry in told]
    assert found == [found[0]] * len(told)
    assert set(found[0]) == {CONTENT}
    content = found[0][CONTENT]
    assert (content["version"], content["lastReviewDate"]) == (package.version, plan["lastReviewDate"])
    assert content["sha256"] == served(None, emit_extensions=True)["services"][0]["extension"][CONTENT]["sha256"]
    url = package.guide
    changed = {**package.resources, url: {**package.resources[url], "title": "Another title"}}
    other = {name: replace(one, resources=changed) for name, one in PACKAGES.items()}
    [another] = {
        entry["extension"][CONTENT]["sha256"] for entry in served(None, other, emit_extensions=True)["services"]
    }
    assert another != content["sha256"]


@pytest.mark.parametrize("site", [False, True])
@pytest.mark.parametrize("client", [None, False, True])
def test_what_is_said_of_a_client_goes_before_what_is_said_of_all(
    client: bool | None, *, site: bool, tmp_path: Path
) -> None:
    signer = conformance.Signer.fresh("https://client.example", "https://cds.example")
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [key.public() for key in signer.keys]}), "utf-8")
    entry = {"iss": signer.issuer, "key_set": str(file), "test": True}
    given = {} if client is None else {"emit_extensions": client}
    told = served(
        call(allergies=FAILED),
        token=signer.token,
        auth="jwt",
        public_base_url="https://cds.example",
        clients=[{**entry, **given}],
        emit_extensions=site,
    )
    assert ("extension" in told) is (site if client is None else client)
