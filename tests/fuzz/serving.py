"""The service as its own process: what it says on standard error, how much memory and CPU it uses, whether it lives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CLOCK = "2026-09-30T12:00:00-05:00"
"""The time at which all requests are evaluated: about the middle of the examples."""
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "posterior-ankle-impingement"
SERVE = ("-m", "ankle_cds.cli", "serve", "--port", "0")
MEMORY = "memory.sqlite3"
"""The file of the memory, in the folder of the process."""
_SECRET = "known to anybody who reads this: for the fuzzer only"  # noqa: S105 - it guards nothing
SETTINGS = {
    "body_timeout": 1.0,
    "emit_extensions": True,
    "feedback_per_minute": 1_000_000_000,  # that a flood is put off is tried elsewhere
    "metrics_port": 0,
    "secret": _SECRET,
}
"""What the site of a campaign sets, beside its memory."""
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_START_SECONDS = 60.0
_STOP_SECONDS = 15.0


class Served:
    """`ankle-cds serve` with these settings, on a free port; everything it writes goes into one file of `folder`.

    `clock` is the time of evaluation; without one, it is served as in production. Another `program` can be tried, which
    says in the same way on which port it listens.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any] | None = None,
        *,
        clock: str | None = CLOCK,
        program: Sequence[str] = SERVE,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        command = [*program]
        if clock is not None:
            command += ["--dev", "--clock", clock]
        if settings:
            written = folder / "site.yaml"
            written.write_text(yaml.safe_dump(dict(settings)), "utf-8")
            command += ["--config", str(written)]
        self.folder = folder
        self.log_file = folder / "server.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANKLE_CDS_")}
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603 - this Python, and our own words
                [sys.executable, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
        self.host, self.port = "127.0.0.1", self._listening()

    def _port(self, event: str) -> int | None:
        for line in self.log_file.read_text("utf-8", "replace").splitlines():
            if f'"event": "{event}"' in line:
                return int(json.loads(line)["port"])
        return None

    def _listening(self) -> int:
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            if (port := self._port("listening")) is not None:
                return port
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"The service did not start:\n{self.log_file.read_text('utf-8', 'replace')}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_given: object) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def memory(self) -> float:
        """Give the resident memory in MiB; 0 where the process has ended."""
        try:
            return int(self._proc("statm").split()[1]) * _PAGE / 2**20
        except OSError:
            return 0.0

    def cpu(self) -> float:
        """Give the seconds of CPU the process has used, its own and the system's for it; 0 where it has ended."""
        try:
            fields = self._proc("stat").rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def _proc(self, name: str) -> str:
        return Path(f"/proc/{self.process.pid}/{name}").read_text("utf-8")

    def stop(self) -> None:
        """Ask the process to end, and see to it that it does."""
        if self.alive:
            self.process.terminate()
            try:
                self.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def log(self) -> bytes:
        """Give everything the process has written."""
        return self.log_file.read_bytes()

    def metrics(self) -> bytes:
        """Give the metrics of the running process; none where it serves none."""
        port = self._port("metrics")
        if port is None:
            return b""
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            return bytes(answer.read())

    def stored(self) -> bytes:
        """Give every byte of the files of the memory; none where it has none."""
        return b"".join(file.read_bytes() for file in sorted(self.folder.glob(f"{MEMORY}*")))


def example_requests() -> dict[str, bytes]:
    """Give the example requests, in one line each, by the path of their folder."""
    return {
        str(file.parent.relative_to(EXAMPLES)): json.dumps(json.loads(file.read_bytes()), ensure_ascii=False).encode()
        for file in sorted(EXAMPLES.rglob("request.json"))
    }
