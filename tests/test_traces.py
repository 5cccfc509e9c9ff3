"""Traces say where the time of a request went, and nothing of anybody; without the setting there are none."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ankle_cds import artifacts, cli
from ankle_cds.errors import ContentError
from ankle_cds.service import background, create_app
from ankle_cds.settings import Settings, load
from ankle_cds.stories import read_all
from certificates import free_port
from stub_service import (
    PATH,
    authorization,
    bundle,
    development,
    fhir_server,
    hook_request,
    http_answer,
    of_patient,
    served,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
FIVE = {"read", "parse", "gather", "evaluate", "encode"}


class Collector:
    """What a collector was sent: the bytes as they came, and the spans in them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.bodies: list[bytes] = []

    @property
    def spans(self) -> list[Any]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        groups = [scope for each in requests for resource in each.resource_spans for scope in resource.scope_spans]
        return [span for group in groups for span in group.spans]

    def named(self, name: str) -> Any:
        (span,) = (span for span in self.spans if span.name == name)
        return span

    def inside(self, parent: Any) -> list[Any]:
        return [span for span in self.spans if span.parent_span_id == parent.span_id]


@contextmanager
def collector(status: int = 200) -> Iterator[Collector]:
    """Take traces on a real socket."""
    found = Collector("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_given: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}/v1/traces"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def traced(to: Collector, document: Any, headers: Any = (), path: str = PATH, **given: Any) -> httpx.Response:
    """Make one call of a service that sends its traces; they have been sent when this returns."""
    with served(development(traces=to.url), **given) as url:
        return httpx.post(f"{url}{path}", json=document, headers=list(headers), trust_env=False)


def of(span: Any) -> dict[str, Any]:
    """Give the attributes of a span as Python values."""

    def value(one: Any) -> Any:
        kind = one.WhichOneof("value")
        return [value(each) for each in one.array_value.values] if kind == "array_value" else getattr(one, kind)

    return {each.key: value(each.value) for each in span.attributes}


def test_a_call_is_one_tree_a_span_for_each_part_and_each_fhir_read() -> None:
    headers_seen: list[dict[str, str]] = []

    def answer(target: str, headers: dict[str, str]) -> bytes:
        headers_seen.append(headers)
        if "AllergyIntolerance" in target:
            return http_answer(b"down", "500 Broken")
        return http_answer(bundle(of_patient("Condition", "c1")) if "Condition" in target else bundle())

    document = without(without(hook_request(), "prefetch", "conditions"), "prefetch", "allergies")
    with collector() as to, fhir_server(answer) as fhir:
        document |= {"fhirServer": fhir, "fhirAuthorization": authorization()}
        settings = development(traces=to.url, callback_total=10, callback_read=10)
        with served(settings) as url:
            response = httpx.post(f"{url}{PATH}", json=document, trust_env=False)
        assert response.status_code == 200
        server = to.named(f"POST {PATH}")
        parts = {span.name: span for span in to.inside(server)}
        reads = {of(span)["ankle_cds.input"]: span for span in to.inside(parts["gather"])}
    assert (server.kind, server.parent_span_id, server.status.code) == (2, b"", 0)
    assert of(server) == {
        "http.request.method": "POST",
        "http.route": PATH,
        "url.path": PATH,
        "url.scheme": "http",
        "http.response.status_code": 200,
        "ankle_cds.hookInstance": document["hookInstance"],
        "ankle_cds.hook": "encounter-start",
        "ankle_cds.plan": "Pathway|0.1.0",
        "ankle_cds.actions": ["Stub"],
        "ankle_cds.unavailable": ["allergies"],
        "ankle_cds.request": response.headers["x-request-id"],
    }
    assert set(parts) == FIVE
    assert [len(to.inside(span)) for name, span in parts.items() if name != "gather"] == [0] * 4
    assert {span.name for span in reads.values()} == {"fhir read"}
    assert {span.kind for span in reads.values()} == {3}
    assert of(reads["conditions"]) == {"ankle_cds.input": "conditions", "ankle_cds.state": "available"}
    failed = of(reads["allergies"])
    assert (failed["ankle_cds.state"], failed["error.type"]) == ("unavailable", "500")
    assert (reads["conditions"].status.code, reads["allergies"].status.code) == (0, 2)
    assert len({span.trace_id for span in to.spans}) == 1
    assert headers_seen
    assert not [
        name for headers in headers_seen for name in headers if name in {"traceparent", "tracestate", "baggage"}
    ]


def test_the_span_of_the_memory_stands_beside_the_others(tmp_path: Path) -> None:
    story = next(one for one in read_all() if one.expect)
    with collector() as to:
        settings = development(traces=to.url, memory=f"sqlite:///{tmp_path}/memory.sqlite3")
        app = create_app({story.condition: artifacts.load_all()[story.condition]}, settings, lambda: story.clock)
        with background(app, settings) as url:
            path = f"/cds-services/{story.condition}"
            headers = {"content-type": "application/json"}
            body = story.request_file.read_bytes()
            cards = httpx.post(f"{url}{path}", content=body, headers=headers, trust_env=False).json()["cards"]
        assert {span.name for span in to.inside(to.named(f"POST {path}"))} == FIVE | {"memory"}
        assert of(to.named(f"POST {path}"))["ankle_cds.actions"] == [card["source"]["topic"]["code"] for card in cards]


def test_a_refused_request_is_no_failure_of_ours() -> None:
    with collector() as to:
        assert traced(to, without(hook_request(), "hookInstance")).status_code == 400
        server = to.named(f"POST {PATH}")
        assert (server.status.code, of(server)["http.response.status_code"]) == (0, 400)
        assert of(server)["ankle_cds.fault"] == "MISSING"
        assert [span.status.code for span in to.inside(server)] == [0, 0]


def test_a_failure_is_marked_with_its_class_and_never_its_message() -> None:
    def broken(*_given: Any) -> Any:
        raise KeyError("canary-value")

    with collector() as to:
        assert traced(to, hook_request(), respond=broken).status_code == 500
        server, part = to.named(f"POST {PATH}"), to.named("evaluate")
        for span in (server, part):
            assert (span.status.code, span.status.message, len(span.events)) == (2, "", 0)
            assert of(span)["error.type"] == "KeyError"
        assert of(server)["http.response.status_code"] == 500
        assert b"canary" not in b"".join(to.bodies)


def test_a_call_that_came_too_late_is_marked_with_its_status() -> None:
    with collector() as to:
        with served(development(traces=to.url, request_deadline=1e-9)) as url:
            assert httpx.post(f"{url}{PATH}", json=hook_request(), trust_env=False).status_code == 503
        assert (to.named(f"POST {PATH}").status.code, of(to.named(f"POST {PATH}"))["error.type"]) == (2, "503")


def test_nothing_of_patient_user_or_token_is_sent() -> None:
    """Ids, names, values, tokens, the URL of the FHIR server, free text of feedback, and headers of the caller."""

    def answer(_target: str, _headers: dict[str, str]) -> bytes:
        return http_answer(bundle(of_patient("Condition", "canary-condition", "Patient/canary-patient")))

    document = without(hook_request(), "prefetch", "conditions")
    document["context"] = {
        "userId": "Practitioner/canary-user",
        "patientId": "canary-patient",
        "encounterId": "canary-encounter",
    }
    document["prefetch"] |= {
        "patient": {"resourceType": "Patient", "id": "canary-patient", "name": [{"family": "canary-name"}]},
        "encounter": of_patient("Encounter", "canary-encounter", "Patient/canary-patient"),
    }
    entry = {
        "card": "4e0a3a1e-3f24-4e12-8ff0-0a52a9e1c6b2",
        "outcome": "overridden",
        "overrideReason": {"userComment": "canary-comment"},
        "outcomeTimestamp": "2026-03-09T10:30:00Z",
    }
    headers = [
        ("authorization", "Bearer canary-jwt"),
        ("traceparent", f"00-{TRACE}-{PARENT}-01"),
        ("tracestate", "vendor=canary-state"),
        ("baggage", "patient=canary-baggage"),
        ("user-agent", "canary-agent"),
    ]
    with collector() as to, fhir_server(answer) as fhir:
        document |= {"fhirServer": f"{fhir}/canary-base", "fhirAuthorization": authorization()}
        with (
            served(development(traces=to.url, callback_total=10, callback_read=10)) as url,
            httpx.Client(base_url=url, headers=headers, trust_env=False) as http,
        ):
            assert http.post(PATH, json=document).status_code == 200
            assert http.post(f"{PATH}/feedback", json={"feedback": [entry]}).status_code == 200
            assert http.post(PATH, json={**document, "hook": "canary-hook"}).status_code == 400
            assert http.get("/Patient/canary-path?name=canary-query").status_code == 404
            assert http.request("CANARY", PATH).status_code in {400, 405}
        assert len([span for span in to.spans if span.kind == 2]) >= 4
        assert "conditions" in {of(span).get("ankle_cds.input") for span in to.spans}
        sent = b"".join(to.bodies).lower()
    assert b"canary" not in sent
    assert b"127.0.0.1" not in sent
    assert b"4e0a3a1e" not in sent


def test_a_path_that_is_none_of_ours_has_only_its_method() -> None:
    with collector() as to:
        assert traced(to, {}, path="/nowhere").status_code == 404
        assert of(to.named("POST")).keys() & {"http.route", "url.path"} == set()


@pytest.mark.parametrize(
    ("headers", "continued"),
    [
        ([("traceparent", f"00-{TRACE}-{PARENT}-01")], True),
        ([("traceparent", f"cc-{TRACE}-{PARENT}-01-later")], True),
        ([("traceparent", f"00-{TRACE}-{PARENT}-01-more")], False),
        ([("traceparent", f"ff-{TRACE}-{PARENT}-01")], False),
        ([("traceparent", f"00-{'0' * 32}-{PARENT}-01")], False),
        ([("traceparent", f"00-{TRACE}-{'0' * 16}-01")], False),
        ([("traceparent", f"00-{TRACE.upper()}-{PARENT}-01")], False),
        ([("traceparent", "")], False),
        ([("traceparent", "x" * 5_000)], False),
        ([("traceparent", f"00-{TRACE}-{PARENT}-01"), ("traceparent", f"00-{TRACE}-{PARENT}-01")], False),
    ],
)
def test_the_callers_trace_is_continued_and_a_broken_one_ignored(headers: Any, continued: bool) -> None:
    """https://www.w3.org/TR/trace-context/#traceparent-header ."""
    with collector() as to:
        assert traced(to, hook_request(), headers).status_code == 200
        server = to.named(f"POST {PATH}")
    assert (server.trace_id.hex() == TRACE) is continued
    assert server.parent_span_id.hex() == (PARENT if continued else "")


def test_a_caller_that_does_not_record_is_not_recorded() -> None:
    with collector() as to:
        assert traced(to, hook_request(), [("traceparent", f"00-{TRACE}-{PARENT}-00")]).status_code == 200
    assert to.spans == []


@contextmanager
def silent_collector() -> Iterator[str]:
    """Take connections and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1/traces"


@pytest.mark.parametrize("kind", ["down", "silent", "broken"])
def test_a_collector_that_does_not_do_its_part_changes_no_answer_and_holds_up_no_end(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    document = hook_request()
    with served() as url:
        expected = httpx.post(f"{url}{PATH}", json=document, trust_env=False)

    def tried(endpoint: str) -> tuple[list[httpx.Response], float]:
        with served(development(traces=endpoint)) as url, httpx.Client(trust_env=False, timeout=5) as http:
            found = [http.post(f"{url}{PATH}", json=document) for _ in range(300)]
            began = time.monotonic()
        return found, time.monotonic() - began

    with caplog.at_level(logging.WARNING):
        if kind == "down":
            answers, seconds = tried(f"http://127.0.0.1:{free_port()}/v1/traces")
        elif kind == "silent":
            with silent_collector() as endpoint:
                answers, seconds = tried(endpoint)
        else:
            with collector(503) as to:
                answers, seconds = tried(to.url)
    assert {(each.status_code, each.content) for each in answers} == {(200, expected.content)}
    assert seconds < 6
    assert "canary" not in caplog.text


def test_without_the_setting_nothing_of_opentelemetry_is_loaded(tmp_path: Path) -> None:
    program = """
import sys
from ankle_cds.service import background
from stub_service import *
import httpx
with served() as url:
    httpx.post(f"{url}{PATH}", json=hook_request(), trust_env=False).raise_for_status()
print([name for name in sys.modules if name.partition(".")[0] in {"opentelemetry", "requests", "google"}])
"""
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(  # noqa: S603  # ours
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment, cwd=tmp_path
    )
    assert done.stdout.strip() == "[]"


SITE = """\
public_base_url: https://cds.example.org
memory: none
clients:
  - {iss: https://ehr.example.org, jku: [{url: https://ehr.example.org/jwks.json}]}
"""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("traces: collector", "an http(s) URL"),
        ("traces: https://collector.example.org", "the whole address, such as"),
        ("traces: https://me:secret@collector.example.org/v1/traces", "without user"),
        ("traces: http://collector.example.org/v1/traces", "Write https"),
        ("traces: http://127.0.0.1.example.org/v1/traces", "Write https"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_with_its_line(
    line: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(f"{SITE}{line}\n")
    assert cli.main(["serve", "--check-config", "--config", str(file)]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "site.yaml:5" in said
    assert "secret" not in said


@pytest.mark.parametrize("endpoint", ["https://collector.example.org/v1/traces", "http://127.0.0.1:4318/v1/traces"])
def test_a_configuration_says_where_traces_go_and_sends_nothing_to_say_so(
    endpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(f"{SITE}traces: {endpoint}\n")
    before = set(threading.enumerate())
    assert cli.main(["serve", "--check-config", "--config", str(file)]) == 0
    assert f"traces: {endpoint}" in capsys.readouterr().out
    assert set(threading.enumerate()) <= before


def test_without_the_extra_the_setting_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith(("opentelemetry", "ankle_cds.service.collector"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    file = tmp_path / "site.yaml"
    file.write_text("traces: https://collector.example.org/v1/traces\n")
    settings = load(file, environment={}, mode="development")
    with pytest.raises(ContentError, match=r"pip install 'ankle-cds\[otel\]'") as caught:
        create_app({}, settings, lambda: None)  # type: ignore[arg-type,return-value]
    assert "site.yaml:1" in str(caught.value)


def test_the_default_is_nowhere() -> None:
    assert Settings().traces is None
    assert json.loads(json.dumps(Settings().model_dump(mode="json")))["traces"] is None
