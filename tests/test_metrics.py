"""What is counted is counted under our own names, at an address of its own, and tells nothing of anybody."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ankle_cds import artifacts, cli
from ankle_cds.errors import AnkleCdsError
from ankle_cds.service import create_app
from ankle_cds.stories import read_all
from certificates import free_port
from stub_service import NOW, PATH, SERVICE, development, hook_request, stub_app, without

if TYPE_CHECKING:
    from pathlib import Path

CARD = "4e0a3a1e-3f24-4e12-8ff0-0a52a9e1c6b2"
REASONS = "https://w3id.org/ankle-cds/CodeSystem/pai-override-reasons"


def calls(app: Any, *made: tuple[str, Any]) -> list[int]:
    async def run() -> list[int]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as http:
            return [(await http.post(path, json=body)).status_code for path, body in made]

    return asyncio.run(run())


def numbers(app: Any) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in app.metrics.text().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def overridden(reason: Any) -> Any:
    entry = {"card": CARD, "outcome": "overridden", "outcomeTimestamp": "2026-05-14T09:31:00Z"}
    return {"feedback": [entry | ({"overrideReason": {"reason": reason}} if reason else {})]}


def test_calls_are_counted_by_hook_and_status_and_refusals_by_fault() -> None:
    app = stub_app()
    refused = without(hook_request(), "hookInstance")
    assert calls(app, (PATH, hook_request()), (PATH, hook_request("patient-view")), (PATH, refused)) == [200, 200, 400]
    found = numbers(app)
    assert found['ankle_cds_requests_total{hook="encounter-start",status="200"}'] == 1
    assert found['ankle_cds_requests_total{hook="none",status="400"}'] == 1
    assert found['ankle_cds_refusals_total{fault="MISSING"}'] == 1
    assert found['ankle_cds_request_seconds_count{hook="patient-view"}'] == 1
    assert found["ankle_cds_in_flight"] == 0


def test_cards_and_missing_inputs_are_counted_by_name() -> None:
    package = artifacts.load_all()["posterior-ankle-impingement"]
    story = next(one for one in read_all() if one.expect)
    app = create_app({story.condition: package}, development(), lambda: story.clock)
    request = story.request_file.read_bytes()

    async def run() -> Any:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as http:
            headers = {"Content-Type": "application/json"}
            return (await http.post(f"/cds-services/{story.condition}", content=request, headers=headers)).json()

    cards = asyncio.run(run())["cards"]
    found = numbers(app)
    for card in cards:
        assert found[f'ankle_cds_cards_total{{recommendation="{card["source"]["topic"]["code"]}"}}'] == 1
    thin = stub_app()
    calls(
        thin, (PATH, {**hook_request(), "prefetch": {**hook_request()["prefetch"], "findings": {"resourceType": "X"}}})
    )
    assert [name for name in numbers(thin) if "unavailable_inputs_total" in name]


def test_answers_to_cards_are_counted_by_reason_and_no_caller_can_make_a_name() -> None:
    package = artifacts.load_all()["posterior-ankle-impingement"]
    app = create_app({SERVICE: package}, development(), lambda: NOW)
    ours = next(iter(app.metrics.reasons))
    bodies = [overridden(None), overridden(dict(zip(("system", "code"), ours, strict=True)))]
    bodies += [overridden({"system": "https://x.example", "code": name}) for name in ("canary", ours[1])]
    assert calls(app, *((f"{PATH}/feedback", body) for body in bodies)) == [200] * 4
    found = {name: value for name, value in numbers(app).items() if name.startswith("ankle_cds_feedback_total")}
    assert found == {
        'ankle_cds_feedback_total{outcome="overridden",reason="none"}': 1,
        f'ankle_cds_feedback_total{{outcome="overridden",reason="{ours[1]}"}}': 1,
        'ankle_cds_feedback_total{outcome="overridden",reason="other"}': 2,
    }
    assert "canary" not in app.metrics.text()


def test_they_are_given_at_an_address_of_their_own_and_nowhere_else() -> None:
    app = stub_app()
    port = app.metrics.serve("127.0.0.1", 0)
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
    assert "ankle_cds_build_info{" in answer.text
    assert calls(app, ("/metrics", {})) == [404]
    with pytest.raises(AnkleCdsError, match="choose another address"):
        app.metrics.serve("127.0.0.1", port)


# What would be served


SITE = """\
public_base_url: https://cds.example.org
memory: none
metrics_port: 9100
clients:
  - {iss: https://ehr.example.org, jku: [{url: https://ehr.example.org/jwks.json}]}
"""


def test_a_configuration_can_be_checked_without_serving(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(SITE.replace("port: 9100", f"port: {free_port()}"))
    assert cli.main(["serve", "--check-config", "--config", str(file)]) == 0
    said = capsys.readouterr().out
    for words in ("auth: jwt, 1 clients", "memory: none", "metrics: 127.0.0.1:", "nothing was started"):
        assert words in said


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("prot: 80", "prot is not a setting"),
        ("secret: short", "at least 32 characters"),
        ("parameters: {NoSuchParameter: 3}", "NoSuchParameter"),
    ],
)
def test_a_wrong_configuration_ends_with_2_and_its_line(
    line: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(f"{SITE}{line}\n")
    assert cli.main(["serve", "--check-config", "--config", str(file)]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert f"site.yaml:{SITE.count(chr(10)) + 1}" in said


def test_a_secret_is_not_repeated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "site.yaml"
    for secret in ("0123456789" * 4, "'short-canary'"):
        file.write_text(f"{SITE}secret: {secret}\n")
        assert cli.main(["serve", "--check-config", "--config", str(file)]) == 2
        said = capsys.readouterr()
        assert secret.strip("'") not in said.out + said.err
