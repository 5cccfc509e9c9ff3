"""Half an hour of ordinary load: does the service stay quick, does its memory stay flat, does it make no mistake?

    python tests/load.py [--minutes 30] [--connections 4] [--rate 50] [--json]

Every example request in turn, at a steady rate over a few connections, against the service in a process of its own.
Latency on a machine with other work is that of the machine; CPU per request and memory are those of the service. The
slope of memory is that of the line of least squares through one reading in five seconds, after the warm-up.

Exit status 1 when an answer was not that of the first round, or the service did not live to the end.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent / "fuzz"))

from exchange import BadAnswerError, Connection, post
from serving import Served, example_requests

PATH = "/cds-services/posterior-ankle-impingement"
SECONDS = 15.0
READING = 5.0


class Load:
    """The answers and the readings of one run."""

    def __init__(self, served: Served, connections: int, rate: float) -> None:
        self.served = served
        self.connections = connections
        self.pace = connections / rate
        self.bodies = list(example_requests().values())
        self.expected: dict[int, int] = {}
        self.latencies: list[float] = []
        self.outcomes: Counter[str] = Counter()
        self.readings: list[tuple[float, float]] = []
        self.numbers = itertools.count()
        self.began = time.monotonic()

    async def first_round(self) -> None:
        """Ask for each request once, to know its status."""
        connection = Connection(self.served.host, self.served.port)
        for at, body in enumerate(self.bodies):
            answer = await connection.ask([(0, post(PATH, body))], seconds=SECONDS)
            self.expected[at] = answer.status
        await connection.close()

    async def run(self, seconds: float, warm_up: float, told: Any) -> dict[str, Any]:
        """Ask for this long; gives the report."""
        await self.first_round()
        used, self.began = self.served.cpu(), time.monotonic()
        until = self.began + seconds
        watching = asyncio.ensure_future(self._watch(told))
        await asyncio.gather(*(self._caller(at, until) for at in range(self.connections)))
        watching.cancel()
        used = self.served.cpu() - used
        return self._report(time.monotonic() - self.began, used, warm_up)

    async def _caller(self, at: int, until: float) -> None:
        connection = Connection(self.served.host, self.served.port)
        due = time.monotonic() + at * self.pace / self.connections
        while (now := time.monotonic()) < until and self.served.alive:
            await asyncio.sleep(max(0.0, due - now))
            due = max(due + self.pace, now)
            number = next(self.numbers) % len(self.bodies)
            began = time.perf_counter()
            try:
                answer = await connection.ask([(0, post(PATH, self.bodies[number]))], seconds=SECONDS)
            except BadAnswerError as error:
                self.outcomes[str(error)] += 1
                continue
            self.latencies.append(1000 * (time.perf_counter() - began))
            same = answer.status == self.expected[number]
            self.outcomes[str(answer.status) if same else f"{answer.status} for {self.expected[number]}"] += 1
        await connection.close()

    async def _watch(self, told: Any) -> None:
        minute = 0
        while True:
            now = time.monotonic() - self.began
            self.readings.append((now, self.served.memory()))
            if now >= 60 * minute:
                cpu = 1000 * self.served.cpu() / max(1, len(self.latencies) + len(self.bodies))
                line = f"minute {minute:3}  {len(self.latencies):7} requests  {self.readings[-1][1]:7.1f} MiB"
                told(f"{line}  {cpu:.2f} ms CPU a request")
                minute += 1
            await asyncio.sleep(READING)

    def _report(self, seconds: float, used: float, warm_up: float) -> dict[str, Any]:
        later = [(at, memory) for at, memory in self.readings if at >= warm_up]
        slope = statistics.linear_regression(*zip(*later, strict=True)).slope * 3600 if len(later) > 2 else None
        cuts = statistics.quantiles(self.latencies, n=1000) if len(self.latencies) > 1 else [0.0] * 999
        wrong = {name: count for name, count in self.outcomes.items() if not name.isdigit()}
        return {
            "seconds": round(seconds),
            "requests": sum(self.outcomes.values()),
            "answers": dict(sorted(self.outcomes.items())),
            "errors": sum(wrong.values()),
            "ms": {name: round(cuts[at], 2) for name, at in (("p50", 499), ("p90", 899), ("p99", 989), ("p99.9", 998))},
            "ms_max": round(max(self.latencies, default=0.0), 1),
            "cpu_ms_per_request": round(1000 * used / max(1, len(self.latencies)), 3),
            "memory_mib": {
                "start": round(self.readings[0][1], 1),
                "after_warm_up": round(later[0][1], 1) if later else None,
                "end": round(self.readings[-1][1], 1),
            },
            "memory_slope_mib_per_hour": round(slope, 2) if slope is not None else None,
            "load_average": round(os.getloadavg()[0], 1),
            "alive": self.served.alive,
            "failures_in_log": self.served.log().count(b'"event": "failure"'),
        }


def main() -> int:
    """Read the command line, run, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--warm-up", type=float, default=5.0, metavar="MINUTES", help="left out of the slope")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second, over all connections")
    parser.add_argument("--json", action="store_true", help="print the report as one line of JSON")
    options = parser.parse_args()

    def told(line: str) -> None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    with tempfile.TemporaryDirectory() as folder, Served(Path(folder)) as served:
        load = Load(served, options.connections, options.rate)
        report = asyncio.run(load.run(60 * options.minutes, 60 * options.warm_up, told))
    sys.stdout.write(json.dumps(report, indent=None if options.json else 2) + "\n")
    return 0 if report["alive"] and not report["errors"] and not report["failures_in_log"] else 1


if __name__ == "__main__":
    sys.exit(main())
