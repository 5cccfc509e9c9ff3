"""Starts uvicorn: in front until stopped, or in the background of the same process for demonstrations and tests."""

from __future__ import annotations

import gc
import socket
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from ankle_cds.errors import AnkleCdsError
from ankle_cds.service import log
from ankle_cds.service.protocol import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp

    from ankle_cds.service.app import Door
    from ankle_cds.settings import Settings

DEVELOPMENT_WARNING = (
    "DEVELOPMENT MODE: calls are not authenticated and http FHIR servers on this machine are read. "
    "Never point it at real patients."
)
TEST_WARNING = (
    "DEVELOPMENT MODE: test clients, whose keys anybody may know, are let in and http FHIR servers on this machine are "
    "read. Never point it at real patients."
)
OPEN_WARNING = (
    "OPEN IN PRODUCTION: auth is %s, so callers without a token are answered. The site says that they are "
    "authenticated by: %s"
)
_GC_THRESHOLD = (100_000, 50, 1_000)
_START_SECONDS = 10.0
_BACKLOG = 2_048  # what uvicorn asks for, too


def run(app: Door, settings: Settings) -> None:
    """Serve `app` at the host and port of the settings until the process is told to stop.

    Where the settings name a port for metrics they are given there, and nowhere else.
    """
    log.to_standard_error()
    warn(settings)
    freeze()
    listening = _listen(settings.host, settings.port)
    if settings.metrics_port is not None:
        port = app.metrics.serve(settings.metrics_host, settings.metrics_port)
        log.write("metrics", host=settings.metrics_host, port=port, path="/metrics")
    log.write("listening", host=settings.host, port=listening.getsockname()[1], path="/cds-services")
    uvicorn.Server(_config(app, settings)).run(sockets=[listening])


@contextmanager
def background(app: ASGIApp, settings: Settings) -> Iterator[str]:
    """Serve `app` from a thread of this process while the context is open; gives the base URL (port 0: a free one)."""
    listening = _listen(settings.host, settings.port)
    server = uvicorn.Server(_config(app, settings))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    host, port = listening.getsockname()[:2]
    try:
        for _ in range(int(_START_SECONDS / 0.01)):
            if server.started:
                break
            thread.join(0.01)
        yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join(_START_SECONDS)
        listening.close()


def warn(settings: Settings) -> None:
    """Say what is not protected: loudly to who sits in front of it, else as a line of the log."""
    if settings.effective_auth == "jwt":
        text = TEST_WARNING if settings.development else ""
    elif settings.development:
        text = DEVELOPMENT_WARNING
    else:
        text = OPEN_WARNING % (settings.effective_auth, settings.authenticated_by)
    if not text:
        return
    if sys.stderr.isatty():
        rule = "!" * 78
        sys.stderr.write(f"{rule}\n!! {text}\n{rule}\n")
    else:
        log.write_warning("not protected", message=text)


def freeze() -> None:
    """Keep what was loaded at start out of garbage collection, and collect less often: it is never garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLD)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)  # from here on callers wait in line while the application starts
    except OSError as error:
        raise AnkleCdsError(f"Cannot listen on {host}:{port} ({error.strerror}); choose another address.") from None
    return listening


def _config(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=Protocol,
        log_config=None,  # `log` writes what there is to say
        access_log=False,  # our own line says more, and nothing about the caller's address
        server_header=False,
        proxy_headers=False,  # addresses are never built from what a request claims
        ws="none",
        lifespan="on",
        timeout_graceful_shutdown=int(settings.request_deadline) + 1,
    )
