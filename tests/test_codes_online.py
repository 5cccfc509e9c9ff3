"""The script that asks a terminology server says of each code what the server said; only all active is green."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlparse

import pytest

from responses import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SCRIPT = ROOT / ".ci" / "codes_online"
TABLE = ROOT / "src" / "ankle_cds" / "content" / "posterior-ankle-impingement" / "codes.tsv"
STEP = "codes: each is active on a terminology server"
ASTRAY = "240021001"  # the code of which a server says something else
Said = "tuple[int, dict[str, Any]]"


def told(**values: Any) -> dict[str, Any]:
    parts = [{"name": name, "valueBoolean": value} for name, value in values.items()]
    return {"resourceType": "Parameters", "parameter": parts}


def property_inactive(said: dict[str, Any]) -> dict[str, Any]:
    part = [{"name": "code", "valueCode": "inactive"}, {"name": "value", **said}]
    return {"resourceType": "Parameters", "parameter": [{"name": "property", "part": part}]}


OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "not-found"}]}


def active(operation: str) -> tuple[int, dict[str, Any]]:
    return 200, told(result=True) if operation == "$validate-code" else property_inactive({"valueBoolean": False})


@contextmanager
def terminology(astray: Callable[[str], tuple[int, dict[str, Any]]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlparse(self.path)
            operation = asked.path.rpartition("/")[2]
            code = parse_qs(asked.query)["code"][0]
            status, body = (astray if code == ASTRAY else active)(operation)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/fhir"
        server.shutdown()


def ask(server: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 -- the arguments are ours
        [sys.executable, SCRIPT, server, "--out", folder / "codes.tsv", "--steps", folder / "steps"],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_all_active_is_a_passed_step_and_a_dated_table(tmp_path: Path) -> None:
    with terminology(active) as server:
        done = ask(server, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "steps").read_text() == f"{STEP}\n"
    header, *rows = [line.split("\t") for line in (tmp_path / "codes.tsv").read_text().splitlines()]
    assert header == ["date", "server", "system", "code", "result"]
    with TABLE.open(encoding="utf-8", newline="") as file:
        codes = {
            (row["system"], row["code"]) for row in csv.DictReader(file, delimiter="\t") if row["status"] == "verified"
        }
    assert {(row[2], row[3]) for row in rows} == codes
    assert len(codes) > 300
    assert {(row[1], row[4]) for row in rows} == {(server, "active")}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"$validate-code": (200, told(result=False))}, "not in the code system"),
        ({"$validate-code": (404, OUTCOME)}, "not in the code system"),
        ({"$validate-code": (200, told(result=True, inactive=True))}, "inactive"),
        ({"$lookup": (200, property_inactive({"valueBoolean": True}))}, "inactive"),
        ({"$lookup": (200, property_inactive({"valueCode": "true"}))}, "inactive"),
        ({"$lookup": (404, OUTCOME)}, "in the code system, status not said"),
    ],
)
def test_one_code_that_is_not_active_is_named(said: dict[str, Any], words: str, tmp_path: Path) -> None:
    with terminology(lambda operation: said.get(operation) or active(operation)) as server:
        done = ask(server, tmp_path)
    assert done.returncode == 1
    assert f"http://snomed.info/sct|{ASTRAY}: {words}\n" in done.stderr
    assert not (tmp_path / "steps").exists()


def test_a_server_that_fails_or_is_not_there_is_told_from_a_code_that_is_wrong(tmp_path: Path) -> None:
    with terminology(lambda _: (500, OUTCOME)) as server:
        assert ask(server, tmp_path).returncode == 3
    done = ask(server, tmp_path)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "codes.tsv").exists()
