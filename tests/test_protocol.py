"""Where HTTP itself is broken the answer is one like all others; and what the process says is JSON, line by line."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest
from starlette.responses import Response

from ankle_cds.service import background
from ankle_cds.service.log import to_standard_error
from stub_service import PATH, development, hook_request, served, stub_app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNKED = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
HEALTH = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
NOT_HTTP = (400, "structure", "Request is not valid HTTP.")


def exchange(url: str, *texts: str) -> list[tuple[int, dict[str, str], Any]]:
    """Send each text as it is, and give every answer (status, headers, document) until the server closes."""
    host, port = url.removeprefix("http://").split(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        for text in texts:
            connection.sendall(text.encode("latin-1"))
            time.sleep(0.1)
        while chunk := connection.recv(65_536):
            received += chunk
    found = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        length = int(headers["content-length"])
        found.append((int(status.split()[1]), headers, json.loads(received[:length])))
        received = received[length:]
    return found


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served() as url:
        yield url


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (("canary\r\n\r\n",), NOT_HTTP),
        (("GET /canary HTTP/9.9\r\n\r\n",), NOT_HTTP),
        (("GET /cds-services HTTP/1.1\r\ncanary header\r\n\r\n",), NOT_HTTP),
        (("CANARY /cds-services HTTP/1.1\r\n\r\n",), NOT_HTTP),
        (("CONNECT canary:1 HTTP/1.1\r\nHost: x\r\n\r\n",), NOT_HTTP),
        (("GET /\xe9canary HTTP/1.1\r\nHost: x\r\n\r\n",), NOT_HTTP),
        (("\x00" * 100,), NOT_HTTP),
        ((CHUNKED, "canary\r\n"), NOT_HTTP),
        (("GET /cds-services HTTP/1.1\r\nX-Canary: " + "x" * 60_000,), (431, "too-long", "Request header too large.")),
        (
            ("GET /cds-services HTTP/1.1\r\n" + "".join(f"X-Canary-{n}: x\r\n" for n in range(5_000)),),
            (431, "too-long", "Request header too large."),
        ),
        (("GET /canary" + "x" * 60_000,), (414, "too-long", "Request header too large.")),
    ],
)
def test_broken_http_is_refused_as_everything_is(url: str, texts: tuple[str, ...], expected: Any) -> None:
    """B-47, and cds-hooks.md 3: JSON, the headers every answer has, and nothing of what was sent."""
    ((status, headers, body),) = exchange(url, *texts)
    (issue,) = body["issue"]
    assert (status, issue["code"], issue["details"]["text"]) == expected
    assert body["resourceType"] == "OperationOutcome"
    assert headers["content-type"] == "application/json"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["connection"] == "close"
    assert UUID(headers["x-request-id"])
    assert "server" not in headers
    assert "canary" not in json.dumps([headers, body]).lower()


def test_what_is_broken_later_does_not_take_the_answer_before_it(url: str) -> None:
    ((status, _, body),) = exchange(url, HEALTH + "canary\r\n\r\n")
    assert (status, body["status"]) == (200, "ok")


def test_what_is_broken_does_not_take_the_answer_of_one_before_it_that_still_waits(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Found by review: the refusal of the second was sent first, and read as the answer to the first."""
    with caplog.at_level(logging.INFO, "ankle_cds.service"):
        (first, _, body), (second, headers, _) = exchange(url, HEALTH + CHUNKED + "canary\r\n")
    assert (first, body["status"], second, headers["connection"]) == (200, "ok", 400, "close")
    lines = [json.loads(each.message) for each in caplog.records if each.name == "ankle_cds.service"]
    (line,) = [each for each in lines if each["status"] == second]
    assert (line["request"], line["fault"]) == (headers["x-request-id"], "NOT_HTTP")


def test_what_is_broken_after_its_answer_is_not_answered_again(url: str) -> None:
    """Found by review: the second answer would be taken for that to the next request."""
    ((status, _, _),) = exchange(url, CHUNKED.replace(PATH, "/unknown"), "canary\r\n")
    assert status == 404


def test_a_header_after_the_body_is_none(url: str) -> None:
    """RFC 9110, 6.5.1. Found by review: it was taken for one, unseen by whoever stands in front of the service."""
    head = CHUNKED.replace("Content-Type: application/json\r\n", "Connection: close\r\n")
    ((status, _, _),) = exchange(url, f"{head}2\r\n{{}}\r\n0\r\nContent-Type: application/json\r\n\r\n")
    assert status == 415


def test_headers_after_the_body_are_not_collected_for_ever(url: str) -> None:
    ((status, _, _),) = exchange(url, f"{CHUNKED}2\r\n{{}}\r\n0\r\n", "X-Canary: " + "x" * 60_000)
    assert status == 431


def test_a_long_body_is_not_counted_as_the_head_after_it(url: str) -> None:
    text = json.dumps(hook_request(extension="x" * 60_000))
    chunk = f"{len(text):x}\r\n{text}\r\n"
    head = CHUNKED.replace("Host: x", "Host: x\r\nConnection: close")
    ((status, _, _),) = exchange(url, f"{head}{chunk}0\r\n", "\r\n")
    assert status == 200


def test_the_body_of_a_request_to_upgrade_is_no_request(url: str) -> None:
    """RFC 9110, 7.8. Found by review: what looked like a request in the body was answered as one."""
    upgrade = f"Host: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: {len(HEALTH)}"
    head = f"POST {PATH} HTTP/1.1\r\n{upgrade}\r\nContent-Type: application/json\r\n\r\n"
    for texts in ((head, HEALTH), (head + HEALTH,), (head + HEALTH, HEALTH)):
        ((status, headers, _),) = exchange(url, *texts)
        assert (status, headers["connection"]) == (400, "close")


def test_requests_that_wait_behind_others_are_not_collected_for_ever(url: str) -> None:
    """Found by review: one connection that sent faster than it was answered filled 2 GB in ten seconds."""
    found = exchange(url, HEALTH * 1_000)
    assert 1 < len(found) < 100
    assert {status for status, _, _ in found} == {200}
    assert found[-1][1]["connection"] == "close"


def test_a_head_without_end_is_not_collected_while_another_request_is_answered() -> None:
    """Found by review: it was measured, and then collected on for as long as the answer took."""
    answering = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for name in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{name}.complete"})
            return
        await asyncio.to_thread(answering.wait, 10)
        await Response("{}")(scope, receive, send)

    with background(app, development()) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(f"{HEALTH}GET / HTTP/1.1\r\nX-Long: ".encode())
            time.sleep(0.1)
            tracemalloc.start()
            try:
                for _ in range(20):
                    connection.sendall(b"x" * 1_000_000)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            answering.set()
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")
    assert peak < 8_000_000


def test_a_connection_is_kept_however_many_heads_it_carries(url: str) -> None:
    """Each head is measured by itself."""
    one = HEALTH.replace("\r\n\r\n", f"\r\nX-Long: {'x' * 9_000}\r\n\r\n")
    last = HEALTH.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
    assert [status for status, _, _ in exchange(url, *([one] * 8), last)] == [200] * 9


def test_a_body_above_the_limit_of_a_head_is_no_head(url: str) -> None:
    document = hook_request(extension="x" * 500_000)
    assert httpx.post(f"{url}{PATH}", json=document, trust_env=False).status_code == 200


def test_broken_http_is_counted_and_logged_under_the_id_that_was_given(caplog: pytest.LogCaptureFixture) -> None:
    settings = development()
    app = stub_app(settings)
    with caplog.at_level(logging.INFO, "ankle_cds.service"), background(app, settings) as url:
        ((_, headers, _),) = exchange(url, "canary\r\n\r\n")
    (line,) = [json.loads(each.message) for each in caplog.records if each.name == "ankle_cds.service"]
    assert line == {"event": "request", "request": headers["x-request-id"], "status": 400, "fault": "NOT_HTTP"}
    assert 'ankle_cds_refusals_total{fault="NOT_HTTP"} 1.0' in app.metrics.text()


def test_who_is_still_sending_when_the_service_ends_is_told_to_come_back() -> None:
    """Found by trying: the cancelled call was answered by a text of the HTTP server's."""
    settings = development(request_deadline=1, body_timeout=60)
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    with background(stub_app(settings), settings) as url:
        host, port = url.removeprefix("http://").split(":")
        connection = socket.create_connection((host, int(port)), timeout=10)
        connection.sendall(head.encode())
        time.sleep(0.2)
    with connection:
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1\r\n" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["issue"][0]["code"] == "throttled"


# The log of the process

COMMAND = [sys.executable, "-m", "ankle_cds.cli", "serve", "--dev", "--port", "0"]


@contextmanager
def serving(folder: Path, errors: Any) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path), "ANKLE_CDS_REQUEST_DEADLINE": "1"}
    with subprocess.Popen(COMMAND, stderr=errors, env=environment, cwd=folder) as process:  # noqa: S603  # ours
        try:
            yield process
        finally:
            process.kill()


def port_of(read: Any) -> int:
    """Wait for the line that names the port; `read` gives what was written so far."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for line in read().splitlines():
            if '"listening"' in line:
                return int(json.loads(line)["port"])
        time.sleep(0.05)
    raise AssertionError(read())


def test_every_line_from_start_to_end_is_json(tmp_path: Path) -> None:
    """Also of a broken request, of an upgrade, and of a call that is cancelled because the service ends."""
    file = tmp_path / "log"
    with file.open("wb") as errors, serving(tmp_path, errors) as process:
        url = f"http://127.0.0.1:{port_of(file.read_text)}"
        assert httpx.get(f"{url}/health/ready", trust_env=False).status_code == 200
        exchange(url, "canary\r\n\r\n")
        exchange(url, HEALTH.replace("\r\n\r\n", "\r\nConnection: Upgrade, close\r\nUpgrade: canary\r\n\r\n"))
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as late:
            late.sendall(f"{CHUNKED}5\r\ncan".encode())
            time.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == -signal.SIGTERM
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    events = [line["event"] for line in lines]
    assert events[:2] == ["not protected", "listening"]
    assert [line["status"] for line in lines if line["event"] == "request"] == [200, 400, 200, 503]
    (others,) = (line for line in lines if line["event"] == "log")
    assert (others["logger"], others["level"]) == ("uvicorn.error", "error")
    assert "canary" not in file.read_text()


def test_who_sits_in_front_of_it_is_warned_loudly(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with serving(tmp_path, theirs):
        os.close(theirs)
        said = b""
        while b"listening" not in said:
            said += os.read(ours, 1_024)
    os.close(ours)
    assert said.startswith(b"!!!!!!!!")
    assert b"!! DEVELOPMENT MODE: calls are not authenticated" in said


def test_of_an_error_of_others_only_the_class_and_the_lines_are_told() -> None:
    program = """
import logging
from ankle_cds.service.log import to_standard_error
to_standard_error()
to_standard_error()
try:
    raise ValueError("canary-error")
except ValueError:
    logging.getLogger("asyncio").exception("Task exception was never retrieved\\nfuture: canary-future")
logging.getLogger("httpx").info("GET https://ehr.example/Patient/canary")
import warnings
warnings.warn("spoken")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    first, second = [json.loads(line) for line in done.stderr.splitlines()]
    assert first == {
        "event": "log",
        "level": "error",
        "logger": "asyncio",
        "message": "Task exception was never retrieved",
        "error": "ValueError",
        "trace": ["<string>:7 <module>"],
    }
    assert second["logger"] == "py.warnings"


def test_a_process_that_has_a_log_of_its_own_keeps_it() -> None:
    before = list(logging.getLogger().handlers)
    to_standard_error()
    assert logging.getLogger().handlers == before


@pytest.fixture(scope="module")
def impatient() -> Iterator[str]:
    """A service that gives a head, like a body, half a second."""
    with served(development(body_timeout=0.5)) as url:
        yield url


def ended(url: str, first: str, drop: str, seconds: float = 4.0) -> tuple[bytes, float]:
    """Send something, then a drop every tenth of a second; gives what came back and how long the connection lasted."""
    host, port = url.removeprefix("http://").split(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=0.1) as connection:
        connection.sendall(first.encode())
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            try:
                chunk = connection.recv(65_536)
                if not chunk:
                    break
                received += chunk
                continue
            except TimeoutError:
                pass
            except ConnectionError:
                break
            try:
                connection.sendall(drop.encode())
            except ConnectionError:
                break
        return received, time.monotonic() - began


@pytest.mark.parametrize(
    ("first", "drop", "answers"),
    [
        ("", "", 0),
        ("GET /health HTTP/1.1\r\nX-Slow: ", "x", 0),
        ("G", "", 0),
        (HEALTH, "\r\n", 1),
        (HEALTH + "GET /hea", "l", 1),
        (HEALTH + "GET /hea", "", 1),
        (f"{HEALTH}GET /health HTTP/1.1\r\n", "X: y\r\n", 1),
        ("POST /no-such-path HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", "x", 1),
    ],
)
def test_a_client_that_only_waits_is_not_waited_for(impatient: str, first: str, drop: str, answers: int) -> None:
    """SF-C07, SF-C08: connections are few; one is not kept open by a byte now and then."""
    received, seconds = ended(impatient, first, drop)
    assert received.count(b"HTTP/1.1 ") == answers
    assert 0.3 < seconds < 2.0


def test_a_head_and_a_body_have_each_their_time(impatient: str) -> None:
    body = json.dumps(hook_request()).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
    whole = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    host, port = impatient.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        for piece in (whole[:20], whole[20 : len(head)], whole[len(head) : -20], whole[-20:]):
            connection.sendall(piece)
            time.sleep(0.22)
        received = connection.recv(65_536)
    assert received.startswith(b"HTTP/1.1 200 ")


def test_a_client_that_takes_its_time_between_calls_is_waited_for(impatient: str) -> None:
    with httpx.Client(base_url=impatient, trust_env=False) as client:
        first = client.get("/health")
        time.sleep(1.0)
        second = client.get("/health")
        used = [one.extensions["network_stream"].get_extra_info("client_addr") for one in (first, second)]
    assert (first.status_code, second.status_code) == (200, 200)
    assert used[0] == used[1]
