"""The page for those who agree on an integration: what stands on it is what the service does."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ankle_cds import artifacts, conformance
from ankle_cds.errors import RequestFault, ServiceFault
from ankle_cds.service import background, create_app
from ankle_cds.settings import load
from charts import NOW

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = artifacts.load_all()["posterior-ankle-impingement"]
BASE = {"url": "https://ehr.example/r4"}
MEMORY = "sqlite:///memory.sqlite3"
SAFETY = {"Red Flag Emergency", "Urgent Workup", "NSAID Order Check", "Injection Order Check", "Surgery Order Check"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def fetched(token: Any = None, **site: Any) -> tuple[httpx.Response, list[dict[str, Any]]]:
    settings = load(environment={}, **{"mode": "development", "port": 0, **site})
    app = create_app({PACKAGE.service_id: PACKAGE}, settings, lambda: NOW)
    with background(app, settings) as url, httpx.Client(base_url=url, trust_env=False) as client:
        headers = {"Authorization": f"Bearer {token('/capabilities')}"} if token else {}
        answer = client.get("/capabilities", headers={"Accept": "text/html", **headers})
        discovery = client.get("/cds-services")
    return answer, discovery.json().get("services", [])


def rows(page: str) -> list[list[str]]:
    cells = [re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", page)]
    return [[html.unescape(re.sub(r"<[^>]+>", "", cell)) for cell in row] for row in cells if row]


def test_it_names_every_recommendation_with_its_hooks_and_those_safety_rests_on() -> None:
    answer, services = fetched()
    told = {row[0]: row[1:] for row in rows(answer.text) if row[0].startswith("Posterior Ankle Impingement ")}
    assert len(told) == 14
    offered = {entry["hook"] for entry in services}
    assert {hook for hooks, _ in told.values() for hook in hooks.split(" or ")} == offered
    warn = {name.removeprefix("Posterior Ankle Impingement ") for name, (_, level) in told.items() if level != "info"}
    assert warn == SAFETY
    assert [level for _, level in told.values()].index("info") == len(SAFETY)


def test_it_names_the_data_that_discovery_asks_for() -> None:
    answer, services = fetched()
    announced = {(key, entry["hook"]) for entry in services for key in entry["prefetch"]}
    told = {(row[0], hook) for row in rows(answer.text) if len(row) == 4 for hook in row[2].split(", ")}
    assert told == announced


def test_every_refusal_stands_on_it() -> None:
    told = {tuple(row) for row in rows(fetched()[0].text) if row[0].isdigit()}
    assert {(str(row.value.status), row.value.text) for row in (*RequestFault, *ServiceFault)} == told


@pytest.mark.parametrize(
    ("site", "said"),
    [
        ({}, "Callers are not asked for a token."),
        ({}, "Nothing: each call is answered as if it were the first."),
        ({"memory": MEMORY, "retention_days": 179, "parameters": {"SuppressDeclinedDays": 90}}, "for 179 days at most"),
        ({"memory": MEMORY, "feedback_store_comments": True}, "Comments of feedback are stored"),
        ({"memory": MEMORY}, "Comments of feedback are dropped"),
        ({"callback_total": 0.3}, "within 300 ms"),
        ({"fhir_servers": [BASE]}, "registered FHIR bases (here: 1)"),
        ({"parameters": {"AdultAge": 21}}, "21"),
        ({"spec_version": "3.0.0"}, "CDS Hooks 3.0.0"),
    ],
)
def test_it_says_what_this_site_has_set(site: dict[str, Any], said: str) -> None:
    assert said in html.unescape(fetched(**site)[0].text)


def test_it_loads_nothing_and_tells_no_secret() -> None:
    secret = "a secret of thirty-two characters and more"  # noqa: S105 -- not one
    answer, _ = fetched(memory=MEMORY, secret=secret, fhir_servers=[{"url": "https://inside.example/r4"}])
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.search(r"<(?:script|img|link|iframe)|\bsrc=|\bhref=", answer.text)
    assert secret not in answer.text
    assert "inside.example" not in answer.text


def test_where_discovery_needs_a_token_the_page_does_too(tmp_path: Path) -> None:
    signer = conformance.Signer.fresh("https://client.example", "https://cds.example")
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [key.public() for key in signer.keys]}), "utf-8")
    site = {
        "auth": "jwt",
        "discovery_auth": "required",
        "public_base_url": "https://cds.example",
        "clients": [{"iss": signer.issuer, "key_set": str(file), "test": True, "fhir_servers": [BASE]}],
    }
    assert fetched(**site)[0].status_code == 401
    answer, _ = fetched(signer.token, **site)
    assert answer.status_code == 200
    assert "registered FHIR bases (here: 1)" in answer.text
    assert "Every call needs a signed token." in answer.text
