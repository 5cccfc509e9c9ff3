"""What stands in deploy/ is right as far as it can be told here: linted, and the proxy run. No container is built."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import pytest
import yaml

from ankle_cds.settings import Settings
from programs import needs, run
from proxy import http_client, proxied
from responses import ROOT
from stub_service import PATH, hook_request, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certificates import Certificates

DEPLOY = ROOT / "deploy"


@needs("hadolint")
def test_the_dockerfile_is_without_a_finding() -> None:
    done = run("hadolint", "--no-color", DEPLOY / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


@needs("kubernetes-validate")
def test_the_manifests_are_what_kubernetes_takes() -> None:
    done = run("kubernetes-validate", "--strict", DEPLOY / "kubernetes.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@needs("systemd-analyze")
def test_the_unit_is_read_and_exposes_little() -> None:
    done = run("systemd-analyze", "verify", DEPLOY / "ankle-cds.service")
    faults = [line for line in done.stderr.splitlines() if "is not executable: No such file" not in line]
    assert faults == []
    rated = run("systemd-analyze", "security", "--offline=true", DEPLOY / "ankle-cds.service").stdout
    (exposure,) = re.findall(r"Overall exposure level for ankle-cds.service: ([0-9.]+)", rated)
    assert float(exposure) <= 2


def test_compose_names_what_it_uses() -> None:
    """There is no program here that reads it; what can be told is that nothing is named which is not there."""
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = document["services"]
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        build = service.get("build")
        assert build is None or (DEPLOY / build["context"] / build["dockerfile"]).is_file()
    ours = services["ankle-cds"]
    assert (ours["read_only"], ours["cap_drop"]) == (True, ["ALL"])
    assert all(port.startswith("127.0.0.1:") for port in ours["ports"])


@pytest.mark.parametrize("file", ["compose.yaml", "kubernetes.yaml", "ankle-cds.service", "Dockerfile"])
def test_every_setting_named_is_one(file: str) -> None:
    named = set(re.findall(r"\bANKLE_CDS_([A-Z_]+)", (DEPLOY / file).read_text()))
    assert {name.lower() for name in named} <= set(Settings.model_fields)


# The proxy


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Certificates]]:
    """The proxy of nginx.conf in front of a service; gives its address, and the certificates."""
    with served() as url, proxied(url, tmp_path_factory.mktemp("proxy")) as found:
        yield found


@needs("nginx")
def test_a_client_with_a_certificate_of_the_authority_reaches_the_service(proxy: tuple[str, Certificates]) -> None:
    url, made = proxy
    with http_client(made, "known") as http:
        answer = http.get(f"{url}/cds-services")
        assert answer.status_code == 200
        assert answer.json()["services"]
        assert answer.headers["x-request-id"]
        assert "server" not in answer.headers or answer.headers["server"] == "nginx"
        posted = http.post(f"{url}{PATH}", json=hook_request())
        assert posted.status_code == 200
        assert http.get(f"{url}/metrics").status_code == 404


@needs("nginx")
@pytest.mark.parametrize("signed_by", [None, "unknown"])
def test_any_other_client_does_not(signed_by: str | None, proxy: tuple[str, Certificates]) -> None:
    url, made = proxy
    with http_client(made, signed_by) as http:
        answer = http.get(f"{url}/cds-services")
        assert answer.status_code == 400
        assert "x-request-id" not in answer.headers


@needs("nginx")
def test_plain_http_on_the_port_gets_no_answer_of_the_service(proxy: tuple[str, Certificates]) -> None:
    url, _ = proxy
    answer = httpx.get(url.replace("https", "http") + "/cds-services", trust_env=False)
    assert answer.status_code == 400
    assert "x-request-id" not in answer.headers
