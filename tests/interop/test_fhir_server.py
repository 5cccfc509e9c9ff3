"""HAPI FHIR, the server most sites know: what is read from it gives the same cards as what is sent along.

https://cds-hooks.hl7.org/2.0/#fhir-resource-access
"""

from __future__ import annotations

import queue
import shutil
import statistics
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

import httpx
import pytest
from toolchain import HERE, java_classpath, needs

from ankle_cds import artifacts, prefetch, stories
from ankle_cds.conformance.subject import without_uuids
from ankle_cds.fhir import reference, write_json
from ankle_cds.service import background, create_app
from ankle_cds.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.stories import Story

pytestmark = [pytest.mark.interop, needs("java", "javac", "mvn")]

PAGE = 6  # resources; the server is told so, so that the longer results come in pages
STARTS = 300.0  # seconds: a busy machine starts it slowly
LIGHT = ("-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error")
# The site waits as long as it may: the server shares this machine with the service and is not warm.
PATIENT = {"callback_total": 10, "callback_connect": 10, "callback_read": 10, "request_deadline": 60}
ACCESS = {"access_token": "t", "token_type": "Bearer", "expires_in": 300, "scope": "user/*.rs"}
MARK = "GET /Basic/mark"  # a request of ours, after all those we want to know

PACKAGES = artifacts.load_all()
CHOSEN = (
    *("dancer-first-visit-pattern-fits", "on-apixaban", "pregnant-twenty-two-weeks", "kidney-function-twenty-eight"),
    *("nurse-opens-the-chart", "calf-squeeze-positive", "child-cannot-take-four-steps", "old-problem-list-entry"),
    *("unlisted-medicine", "x-ray-ninety-days-ago", "left-in-the-booking-text", "unknown-birth-date"),
    *("5-dancer-back-on-stage", "2-gymnast-both-examined", "5-gymnast-two-injections-drafted", "2-heels-examined"),
    *(
        "7-heels-another-drug-drafted",
        "2-pregnant-dancer-twenty-two-weeks",
        "3-pregnant-dancer-ibuprofen-at-twenty-two",
    ),
    *("09-runner-two-months", "4-elite-excision-of-the-wrong-side", "2-kicker-fracture-suspected"),
)
STORIES = {story.id: story for story in stories.read_all() if story.id in CHOSEN}


class Hapi:
    """The server's process and what was stored in it; `url` is its FHIR base."""

    def __init__(self, output: IO[str]) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._stored: dict[str, set[str]] = {}
        threading.Thread(target=self._listen, args=(output,), daemon=True).start()
        try:
            self.url = self._lines.get(timeout=STARTS)
        except queue.Empty:
            pytest.fail(f"HAPI did not answer within {STARTS:.0f} s", pytrace=False)
        if not self.url:
            pytest.fail("HAPI ended before it could answer", pytrace=False)
        self.http = httpx.Client(base_url=self.url, trust_env=False, timeout=60)

    def _listen(self, output: IO[str]) -> None:
        for line in output:
            self._lines.put(line.strip())
        self._lines.put("")  # it has ended

    def hold(self, chart: dict[str, Any]) -> None:
        """Store a chart, in place of what it held of the same patient, and forget who asked for what."""
        resources = {reference(entry["resource"]) or "": entry["resource"] for entry in chart["entry"]}
        (patient,) = (name for name in resources if name.startswith("Patient/"))
        gone = sorted(self._stored.get(patient, set()) - set(resources))
        self._change("batch", [{"request": {"method": "DELETE", "url": name}} for name in gone])
        changes = [{"resource": one, "request": {"method": "PUT", "url": name}} for name, one in resources.items()]
        self._change("transaction", changes)
        self._stored[patient] = set(resources)
        self.asked()

    def _change(self, kind: str, entries: list[dict[str, Any]]) -> None:
        bundle = write_json({"resourceType": "Bundle", "type": kind, "entry": entries})
        answer = self.http.post("", content=bundle, headers={"Content-Type": "application/fhir+json"})
        assert answer.status_code == httpx.codes.OK, answer.text[:2000]
        done = [entry["response"]["status"] for entry in answer.json().get("entry", ())]
        assert all(status.startswith("2") for status in done), done

    def asked(self) -> list[str]:
        """Give what was asked for since last time, without the base."""
        self.http.get(MARK.removeprefix("GET "))
        found = []
        while (line := self._lines.get(timeout=60).replace(self.url, "")) != MARK:
            found.append(line)
        return found


@pytest.fixture(scope="module")
def hapi() -> Iterator[Hapi]:
    java = shutil.which("java")
    assert java is not None
    command = [java, *LIGHT, "-cp", java_classpath(HERE / "fhir_server", "FhirServer"), "FhirServer", str(PAGE)]
    with subprocess.Popen(  # noqa: S603 -- the arguments are ours
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        server = Hapi(process.stdout)
        yield server
        server.http.close()
        process.stdin.close()  # with which it ends


@contextmanager
def service(story: Story) -> Iterator[str]:
    """Serve the guideline at the time of a story, as its site has configured it; gives the URL to post to."""
    given: dict[str, Any] = {"mode": "development", "port": 0, "parameters": dict(story.parameters), **PATIENT}
    settings = Settings(**given)
    with background(create_app(PACKAGES, settings, lambda: story.clock), settings) as url:
        yield f"{url}/cds-services/{story.condition}"


def post(url: str, request: dict[str, Any]) -> tuple[int, bytes]:
    """Give the status and the bytes of the answer, without the uuids that are new in each."""
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(url, content=write_json(request), headers=headers, timeout=60, trust_env=False)
    return answer.status_code, write_json(without_uuids(answer.json()))


def sent(story: Story) -> dict[str, Any]:
    """Give the request with everything the chart holds, also what the story leaves out."""
    templates = prefetch.templates(PACKAGES[story.condition], story.hook)
    return replace(story, omit=(), unavailable=(), empty=()).request(templates)


def called(request: dict[str, Any], hapi: Hapi) -> dict[str, Any]:
    return {**request, "prefetch": {}, "fhirServer": hapi.url, "fhirAuthorization": ACCESS}


def test_what_is_read_from_hapi_gives_the_same_cards_as_what_is_sent_along(
    hapi: Hapi, capsys: pytest.CaptureFixture[str]
) -> None:
    """FC-16, FC-09: byte by byte, with results in pages; and nothing is asked for twice."""
    assert set(STORIES) == set(CHOSEN)
    cards = reads = pages = 0
    took = []
    for story in STORIES.values():
        request = sent(story)
        hapi.hold(story.chart())
        with service(story) as url:
            before = post(url, request)
            began = time.perf_counter()
            after = post(url, called(request, hapi))
            took.append(1000 * (time.perf_counter() - began))
        asked = hapi.asked()
        assert after == before, story.id
        assert len(set(asked)) == len(asked), story.id
        assert all(one.startswith("GET ") for one in asked), story.id
        following = [one for one in asked if "_getpages=" in one]
        assert len(asked) - len(following) == len(request["prefetch"]), story.id
        cards, reads, pages = cards + after[1].count(b'"summary"'), reads + len(asked), pages + len(following)
    with capsys.disabled():
        figures = f"{len(took)} calls, {cards} cards, {reads} reads, {pages} of them further pages"
        print(f" {figures}; {statistics.median(took):.0f} ms a call", end="")  # noqa: T201 -- the figures are the result
    assert cards > len(STORIES)
    assert pages > len(STORIES)


def test_a_patient_whom_hapi_does_not_know_is_412(hapi: Hapi) -> None:
    """R-06: 404 for what was never there, 410 for what was deleted."""
    story = STORIES["on-apixaban"]
    hapi.hold(story.chart())
    request = called(sent(story), hapi)
    with service(story) as url:
        assert hapi.http.delete(f"/Encounter/{story.encounter}").status_code == httpx.codes.OK
        assert post(url, request)[0] == httpx.codes.PRECONDITION_FAILED
        request["context"] = request["context"] | {"patientId": "nobody"}
        status, body = post(url, request)
    assert status == httpx.codes.PRECONDITION_FAILED
    assert b'"diagnostics":"patient, encounter' in body
