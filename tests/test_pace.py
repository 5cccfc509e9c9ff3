"""A client that floods the service with feedback is asked to come back later; nobody else notices."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ankle_cds import artifacts, conformance
from ankle_cds.service import background, create_app
from ankle_cds.service.answers import ServiceError
from ankle_cds.service.pace import Pace
from ankle_cds.settings import load
from charts import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATH = "/cds-services/posterior-ankle-impingement/feedback"
ENTRY = {
    "card": "4e0a3a1e-3f24-4e12-8ff0-0a52a9e1c6b2",
    "outcome": "overridden",
    "outcomeTimestamp": "2026-05-14T09:31:00Z",
}


@pytest.fixture
def send(tmp_path: Path) -> Iterator[Callable[[int, int], httpx.Response]]:
    """Give a function that sends so many entries for one of two clients; ten a minute are taken."""
    signers = [conformance.Signer.fresh(f"https://{name}.example", "https://cds.example") for name in ("one", "two")]
    clients: list[dict[str, Any]] = []
    for number, signer in enumerate(signers):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps({"keys": [key.public() for key in signer.keys]}), "utf-8")
        clients.append({"iss": signer.issuer, "key_set": str(file), "test": True})
    site = {"mode": "development", "port": 0, "auth": "jwt", "public_base_url": "https://cds.example"}
    settings = load(environment={}, **site, clients=clients, feedback_per_minute=10)
    app = create_app(artifacts.load_all(), settings, lambda: NOW)
    with background(app, settings) as url, httpx.Client(base_url=url, trust_env=False) as http:

        def feedback(client: int, entries: int) -> httpx.Response:
            headers = {"Authorization": f"Bearer {signers[client].token(PATH)}"}
            return http.post(PATH, json={"feedback": [ENTRY] * entries}, headers=headers)

        yield feedback


def test_a_flood_of_one_client_is_put_off_and_another_client_is_not(
    send: Callable[[int, int], httpx.Response],
) -> None:
    assert send(0, 6).status_code == 200
    assert send(0, 60).status_code == 200  # none is too large ever to be taken
    refused = send(0, 1)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["issue"][0]["code"] == "throttled"
    assert send(1, 1).status_code == 200


def test_what_was_overdrawn_is_made_up_with_time_and_no_more_than_a_minute_is_saved() -> None:
    now = 1_000.0
    pace = Pace(60, clock=lambda: now)

    def taken(entries: int) -> bool:
        try:
            pace.check("a")
        except ServiceError:
            return False
        pace.spend("a", entries)
        return True

    assert taken(90)
    assert not taken(1)
    now += 30  # one comes back each second: the debt is made up and nothing is left
    assert not taken(1)
    now += 1
    assert taken(1)
    assert not taken(1)
    now += 10_000
    assert taken(60)
    assert not taken(1)


def test_calls_that_were_let_in_together_overdraw_by_one_of_them_only() -> None:
    """Found by review: each was asked before its body came, and all of them together cost hours of refusals."""
    pace = Pace(60, clock=lambda: 1_000.0)
    pace.check("a")
    pace.check("a")
    pace.spend("a", 90)
    with pytest.raises(ServiceError):
        pace.spend("a", 90)
