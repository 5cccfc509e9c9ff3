"""Requests that others wrote: whatever they hold, each is answered or refused, and nothing ends the service.

They belong to their projects and do not stand here: `CDS_HOOKS_CORPORA` names a folder of them. Those looked at so far:
cqframework/opioid-cds-r4 (most of its requests are no JSON), inferno-framework/davinci-crd-test-kit, and
AHRQ-CDS/AHRQ-CDS-Connect-CQL-SERVICES.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ankle_cds import artifacts
from ankle_cds.service import background, create_app
from charts import NOW
from stub_service import development

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = os.environ.get("CDS_HOOKS_CORPORA")
FILES = sorted(path for path in Path(FOLDER).rglob("*") if path.is_file()) if FOLDER else []
OFFERED = {"encounter-start", "patient-view", "order-select", "order-sign"}
OK, BAD_REQUEST = 200, 400
SERVICE = "posterior-ankle-impingement"

pytestmark = pytest.mark.skipif(not FOLDER, reason="CDS_HOOKS_CORPORA names no folder of requests of other projects")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    settings = development()
    with background(create_app(artifacts.load_all(), settings, lambda: NOW), settings) as base:
        yield f"{base}/cds-services/{SERVICE}"


def document(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_a_request_of_another_project_is_answered_or_refused(file: Path, url: str) -> None:
    content = file.read_bytes()
    answer = httpx.post(url, content=content, headers={"Content-Type": "application/json"}, trust_env=False, timeout=60)
    sent = document(content)
    assert answer.status_code < 500
    if not isinstance(sent, dict):
        assert answer.status_code == BAD_REQUEST
    elif sent.get("hook") not in OFFERED:
        assert (answer.status_code, answer.json()["resourceType"]) == (BAD_REQUEST, "OperationOutcome")
    if answer.status_code == OK:
        assert isinstance(answer.json()["cards"], list)
    else:
        assert answer.json()["resourceType"] == "OperationOutcome"
