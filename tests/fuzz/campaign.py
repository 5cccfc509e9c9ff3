"""Send the service whatever can be sent, and look at each answer, at its log, its memory and whether it lives.

    python tests/fuzz [--requests N] [--seed S] [--jwt] [--kind KIND ...] [--failures FOLDER] [--json]
    python tests/fuzz --replay FILE     send one kept request again, and say what is wrong with the answer
    python tests/fuzz --shrink FILE     and make its JSON smaller while the same is wrong

Every request follows from the seed and its number. One whose answer is wrong is kept in a file of FOLDER.
A run that is asked to end (SIGTERM) reports on what was sent so far.
Exit status 1 when an answer, a line of the log or the end of the process is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

HERE: Final = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import hostile  # noqa: E402 - the tests are not a package
import issuer  # noqa: E402
import kinds  # noqa: E402
from canaries import found  # noqa: E402
from exchange import Answer, BadAnswerError, Connection, post  # noqa: E402
from judge import Judge, LogReader, rows  # noqa: E402
from replaying import keep, kept, shrunk  # noqa: E402
from serving import MEMORY, SETTINGS, Served  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

CONNECTIONS: Final = 6
DEADLINE: Final = 20.0
_KEPT: Final = 3
_READINGS: Final = 8
_UUID: Final = re.compile(rb'(?<="uuid":")[0-9a-f-]{36}(?=")')


@dataclass(slots=True)
class Report:
    """What became of the requests."""

    requests: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    defects: Counter[str] = field(default_factory=Counter)
    memory: list[float] = field(default_factory=list)
    slowest: list[tuple[float, int, str]] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0

    def slow(self, milliseconds: float, number: int, kind: str) -> None:
        """Keep the ten that took longest."""
        self.slowest = sorted([*self.slowest, (round(milliseconds, 1), number, kind)], reverse=True)[:10]


class Campaign:
    """One service, the requests sent to it, and what was found."""

    def __init__(
        self,
        served: Served,
        *,
        seed: int = 1,
        tokens: issuer.Issuer | None = None,
        only: tuple[str, ...] = (),
        failures: Path | None = None,
        deadline: float = DEADLINE,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.served, self.seed, self.tokens, self.only = served, seed, tokens, only
        self.failures, self.deadline, self.told = failures, deadline, told
        self.report = Report()
        self.examples = kinds.EXAMPLES
        self.judge = Judge(frozenset(), clock_runs=tokens is not None)
        self._stopped = False
        self._closed, self._fhir = b"00001", b"00001"
        self._cards: deque[bytes] = deque([kinds.CARD.encode()], maxlen=50)
        self.told_metrics = b""

    async def run(self, requests: int) -> None:
        """Send each example unchanged, to know the answers, then this many requests."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop)
        async with self._ready() as connection:
            began, used = time.monotonic(), self.served.cpu()
            for name, body in self.examples.items():
                await self._one(connection, -1, self._example(name, body))
            self.report.memory.append(self.served.memory())
            numbers = iter(range(requests))
            marks = {requests * at // _READINGS for at in range(1, _READINGS)}
            await asyncio.gather(*(self._caller(numbers, marks) for _ in range(CONNECTIONS)))
            self.report.memory.append(self.served.memory())
            self.told_metrics = self.served.metrics() if self.served.alive else b""
            self.report.seconds, self.report.cpu = time.monotonic() - began, self.served.cpu() - used

    def _stop(self) -> None:
        """Send no more, and report on what was sent."""
        self._stopped = True

    async def replay(self, case: kinds.Case, *, shrink: bool) -> tuple[list[str], kinds.Case]:
        """Send a kept request again; where it is to be shrunk, leave out of its JSON what changes nothing."""
        async with self._ready() as connection:
            wrong, _ = await self.ask(connection, case)
            if shrink and wrong and case.body is not None:

                async def still(tried: kinds.Case) -> bool:
                    return (await self.ask(connection, tried))[0] == wrong

                case = await shrunk(case, still)
            return wrong, case

    @asynccontextmanager
    async def _ready(self) -> AsyncIterator[Connection]:
        """Begin what a run needs: the FHIR server that means ill, and the names that may be answered."""
        server = await hostile.start(self.seed)
        connection = Connection(self.served.host, self.served.port)
        self._fhir = b"%05d" % server.sockets[0].getsockname()[1]
        self.judge = Judge(await self._keys(connection), clock_runs=self.tokens is not None)
        try:
            yield connection
        finally:
            await connection.close()
            server.close()

    async def _keys(self, connection: Connection) -> frozenset[str]:
        """Ask for the names of the prefetch keys, which may stand in a refusal."""
        try:
            answer = await connection.ask(
                [(0, b"GET /cds-services HTTP/1.1\r\nHost: x\r\n\r\n")], seconds=self.deadline
            )
            return frozenset(key for entry in json.loads(answer.body)["services"] for key in entry["prefetch"])
        except (BadAnswerError, ValueError, KeyError, TypeError):
            self.report.defects["discovery cannot be read"] += 1
            return frozenset()

    def _example(self, name: str, body: bytes) -> kinds.Case:
        headers = [("Authorization", f"Bearer {kinds.TOKEN.decode()}")] if self.tokens else []
        pieces = ((0, post(kinds.SERVICE, body, headers)),)
        return kinds.Case("unchanged", pieces, kinds.ANSWERED, body, example=name)

    async def _caller(self, numbers: Iterator[int], marks: set[int]) -> None:
        connection = Connection(self.served.host, self.served.port)
        for number in numbers:
            if not self.served.alive or self._stopped:
                break
            if number in marks:
                self.report.memory.append(self.served.memory())
                self.told(
                    f"{number} requests, {self.report.memory[-1]:.0f} MiB, {sum(self.report.defects.values())} wrong"
                )
            case = kinds.case(self.seed, number, tokens=self.tokens is not None, only=self.only)
            await self._one(connection, number, case)
        await connection.close()

    async def _one(self, connection: Connection, number: int, case: kinds.Case) -> None:
        began = time.perf_counter()
        wrong, answer = await self.ask(connection, case)
        self.report.requests += 1
        self.report.kinds[case.kind] += 1
        self.report.statuses[str(answer.status) if answer else "closed"] += 1
        self.report.slow(1000 * (time.perf_counter() - began), number, case.kind)
        for defect in wrong:
            name = f"{case.kind}: {defect}"
            self.report.defects[name] += 1
            if self.report.defects[name] <= _KEPT and self.failures is not None:
                keep(self.failures, (self.seed, number), case, wrong, answer, jwt=self.tokens is not None)

    async def ask(self, connection: Connection, case: kinds.Case) -> tuple[list[str], Answer | None]:
        """Send one request; gives what is wrong with its answer, and the answer."""
        try:
            answer = await connection.ask(
                [(pause, self._filled(piece)) for pause, piece in case.pieces],
                seconds=self.deadline,
                head_only=case.head_only,
                end=case.end,
            )
        except BadAnswerError as error:
            closing = case.broken and "ended before" in str(error)
            return ([] if closing else [str(error)]), None
        if case.broken:
            await connection.close()  # what is left of it may be taken for another request
        self._cards.extend(_UUID.findall(answer.body))
        return self.judge.wrong(case, answer), answer

    def _filled(self, piece: bytes) -> bytes:
        piece = piece.replace(kinds.FHIR_PORT, self._fhir).replace(kinds.CLOSED_PORT, self._closed)
        piece = piece.replace(kinds.CARD.encode(), self._cards[len(piece) % len(self._cards)])
        while kinds.TOKEN in piece and self.tokens is not None:
            piece = piece.replace(kinds.TOKEN, self.tokens.token().encode(), 1)
        return piece

    def findings(self) -> tuple[dict[str, int], LogReader]:
        """Give all that was wrong in answers, log, metrics and memory; the process may have been stopped."""
        log = LogReader(self.served.log())
        beside = {"the metrics": self.told_metrics, "the memory": self.served.stored()}
        told = {
            f"a planted word in {name}: {hits[0]}": len(hits) for name, data in beside.items() if (hits := found(data))
        }
        return dict(self.report.defects) | dict(log.wrong) | told, log


def site(folder: Path, tokens: issuer.Issuer | None = None) -> dict[str, Any]:
    """Give the settings of a site that remembers what it shows, in a file of this folder."""
    own = tokens.settings() if tokens is not None else {}
    return {**SETTINGS, **own, "memory": f"sqlite:///{folder / MEMORY}"}


def summary(campaign: Campaign, found: dict[str, int], log: LogReader, alive: bool) -> dict[str, Any]:
    """Give the figures of a run."""
    report = campaign.report
    return {
        "seed": campaign.seed,
        "auth": "jwt" if campaign.tokens else "none",
        "requests": report.requests,
        "seconds": round(report.seconds),
        "cpu_ms_per_request": round(1000 * report.cpu / max(1, report.requests), 2),
        "kinds": dict(report.kinds.most_common()),
        "answers": dict(sorted(report.statuses.items())),
        "rows": dict(campaign.judge.rows.most_common()),
        "rows_never_seen": sorted(rows() - {name for row in campaign.judge.rows for name in row.split("/")}),
        "cards": campaign.judge.cards,
        "planted_words_in_resources_of_cards": dict(campaign.judge.shown.most_common()),
        "log": {
            "lines": dict(log.lines),
            "faults": dict(log.faults.most_common()),
            "slowest_ms": log.slowest,
            "read_back": log.read_back,
        },
        "memory_mib": [round(one, 1) for one in report.memory],
        "slowest": [{"ms": ms, "number": number, "kind": kind} for ms, number, kind in report.slowest],
        "stored_kib": round(len(campaign.served.stored()) / 1024),
        "alive": alive,
        "defects": found,
    }


def main() -> int:
    """Read the command line, run, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jwt", action="store_true", help="serve as in production: every call needs a token")
    parser.add_argument("--kind", action="append", default=[], choices=sorted(kinds.KINDS), help="only these")
    parser.add_argument("--failures", type=Path, default=Path("fuzz-failures"), metavar="FOLDER")
    parser.add_argument("--replay", type=Path, metavar="FILE")
    parser.add_argument("--shrink", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="print the report as one line of JSON")
    options = parser.parse_args()
    again = options.replay or options.shrink
    document, case = kept(again) if again else ({}, None)

    def told(line: str) -> None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokens = issuer.Issuer(folder) if options.jwt or document.get("jwt") else None
        with Served(folder, site(folder, tokens), **({"clock": None} if tokens else {})) as served:
            campaign = Campaign(
                served, seed=options.seed, tokens=tokens, only=tuple(options.kind), failures=options.failures, told=told
            )
            if case is not None:
                wrong, case = asyncio.run(campaign.replay(case, shrink=again == options.shrink))
                if options.shrink and wrong:
                    small = keep(
                        options.failures / "shrunk",
                        (document["seed"], document["number"]),
                        case,
                        wrong,
                        None,
                        jwt=tokens is not None,
                    )
                    told(f"kept as {small}")
            else:
                asyncio.run(campaign.run(options.requests))
            alive = served.alive
        wrongs, log = campaign.findings()
        report = summary(campaign, wrongs, log, alive)
    if case is not None:
        wrongs = dict.fromkeys(wrong, 1) | dict(log.wrong)
        sys.stdout.write("\n".join(wrongs) + "\n")
    else:
        sys.stdout.write(json.dumps(report, indent=None if options.json else 1) + "\n")
    return 1 if wrongs or not alive else 0
