"""The proxy of deploy/nginx.conf, run for a test in front of a service that listens on this machine."""

from __future__ import annotations

import ssl
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from certificates import Certificates, free_port, listens
from programs import found
from responses import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CONFIGURATION = ROOT / "deploy" / "nginx.conf"


@contextmanager
def proxied(url: str, folder: Path) -> Iterator[tuple[str, Certificates]]:
    """Put the proxy in front of `url`; gives the address of the proxy, and the certificates it was started with."""
    made = Certificates(folder)
    port = free_port()
    text = _CONFIGURATION.read_text()
    assert "listen 8443 ssl" in text
    assert "127.0.0.1:8080" in text
    text = text.replace("listen 8443 ssl", f"listen 127.0.0.1:{port} ssl")
    (folder / "nginx.conf").write_text(text.replace("127.0.0.1:8080", url.removeprefix("http://")))
    command = [str(found("nginx")), "-p", str(folder), "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off;"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)  # noqa: S603 -- ours
        try:
            for _ in range(100):
                if server.poll() is not None or listens(port):
                    break
                time.sleep(0.1)
            assert server.poll() is None, (folder / "log").read_text()
            yield f"https://localhost:{port}", made
        finally:
            server.terminate()
            server.wait(10)


def http_client(made: Certificates, signed_by: str | None) -> httpx.Client:
    """Make a client that shows the certificate of the `known` or the `unknown` authority, or none."""
    tls = ssl.create_default_context(cafile=str(made.file("server.pem")))
    if signed_by:
        tls.load_cert_chain(made.file(f"{signed_by}-client.pem"), made.file(f"{signed_by}-client.key"))
    return httpx.Client(verify=tls, trust_env=False)
