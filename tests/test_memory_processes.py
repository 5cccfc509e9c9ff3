"""Real server processes with one memory: killed in the middle, and two of them asked at the same time."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx
from sqlalchemy import create_engine, select

from ankle_cds import stories
from ankle_cds.memory.schema import ANSWERS, CARDS
from databases import both, new_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

STORY = next(story for story in stories.read_all() if story.id == "dancer-first-visit-pattern-fits")
BODY = STORY.request_file.read_text("utf-8")
SERVICE = f"/cds-services/{STORY.condition}"
KILLS = int(os.environ.get("MEMORY_KILLS", "3"))
CALLS = int(os.environ.get("MEMORY_CALLS", "120"))


class Server:
    """One process of the service, as a site starts it; `url` is where it listens."""

    def __init__(self, config: Path) -> None:
        command = [sys.executable, "-m", "ankle_cds.cli", "serve", "--dev", "--config", str(config), "--port", "0"]
        self.process = subprocess.Popen(  # noqa: S603  # ours
            [*command, "--clock", STORY.clock.isoformat()], stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        self.url = ""
        for line in self.process.stderr:
            if '"listening"' in line:
                self.url = f"http://127.0.0.1:{json.loads(line)['port']}"
                break
        assert self.url
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        for _ in range(600):
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/health/ready").status_code == 200:
                    break
            time.sleep(0.05)

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.lines += iter(self.process.stderr.readline, "")

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        self.process.wait(30)
        self._reader.join(30)
        assert self.process.stderr is not None
        self.process.stderr.close()


@contextmanager
def servers(url: str, folder: Path, count: int) -> Iterator[list[Server]]:
    config = folder / "site.yaml"
    # Patience, so that what is counted is the memory and not how busy this machine is.
    config.write_text(f"memory: {url}\nmemory_timeout: 10.0\nrequest_deadline: 60.0\n", "utf-8")
    started = [Server(config) for _ in range(count)]
    try:
        yield started
    finally:
        for server in started:
            if server.process.poll() is None:
                server.end(signal.SIGTERM)


def request_of(patient: str, user: str = "Practitioner/u1") -> dict[str, Any]:
    """Give the story as one of another patient, whose records all have names of their own."""
    body: dict[str, Any] = json.loads(BODY.replace("ellison", patient))
    body["hookInstance"] = str(uuid.uuid4())
    body["context"]["userId"] = user
    return body


def say(capsys: pytest.CaptureFixture[str], figures: str) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{figures}\n")


def feedback_on(card: dict[str, Any]) -> dict[str, Any]:
    suggestion = {"id": card["suggestions"][0]["uuid"]}
    entry = {"card": card["uuid"], "outcome": "accepted", "acceptedSuggestions": [suggestion]}
    return {"feedback": [entry | {"outcomeTimestamp": "2026-05-14T16:30:00Z"}]}


@both
def test_nothing_acknowledged_is_lost_by_kill_9(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """SIGKILL at random moments under load: every card sent and every feedback answered with 200 is in the database."""
    database = new_database(kind, tmp_path)
    shown: set[str] = set()
    answered: set[str] = set()
    moments = random.Random(7)  # noqa: S311  # no secret
    for turn in range(KILLS):
        with servers(database, tmp_path, 1) as (server,):

            def visit(number: int, url: str = server.url, turn: int = turn) -> None:
                with httpx.Client(base_url=url, timeout=60) as client:
                    sent = client.post(SERVICE, json=request_of(f"p{turn}x{number}"))
                    assert sent.status_code == 200
                    for card in sent.json()["cards"]:
                        shown.add(card["uuid"])
                        if client.post(f"{SERVICE}/feedback", json=feedback_on(card)).status_code == 200:
                            answered.add(card["uuid"])

            def until_killed(numbers: range) -> None:
                for number in numbers:
                    try:
                        visit(number)
                    except httpx.HTTPError:
                        return

            with ThreadPoolExecutor(4) as pool:
                before = len(answered)
                work = [pool.submit(until_killed, range(at * 10_000, at * 10_000 + 5_000)) for at in range(4)]
                while len(answered) < before + CALLS // KILLS and not all(one.done() for one in work):
                    time.sleep(0.02)
                time.sleep(moments.random() / 5)
                server.end(signal.SIGKILL)
                for one in work:
                    one.result(120)
    engine = create_engine(database)
    with engine.connect() as connection:
        kept = {row.uuid for row in connection.execute(select(CARDS.c.uuid))}
        known = {row.card for row in connection.execute(select(ANSWERS.c.card))}
    engine.dispose()
    figures = f"{len(shown)} cards and {len(answered)} feedbacks acknowledged, {KILLS} times SIGKILL"
    say(capsys, f"{kind}: {figures}; lost {len(shown - kept)} and {len(answered - known)}")
    assert len(answered) >= CALLS
    assert shown <= kept
    assert answered <= known


@both
def test_two_processes_never_show_a_card_twice(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same visit asked about at the same time at both, by two users: each card exactly once for each."""
    database = new_database(kind, tmp_path)
    visits = [(f"p{number}", f"Practitioner/u{user}") for number in range(8) for user in range(2)]
    calls = [(*visit, turn) for turn in range(max(2, CALLS // 20)) for visit in visits]
    with servers(database, tmp_path, 2) as running:

        def ask(patient: str, user: str, turn: int) -> list[tuple[str, str, str]]:
            url = running[turn % 2].url
            answer = httpx.post(url + SERVICE, json=request_of(patient, user), timeout=60)
            assert answer.status_code == 200
            return [(patient, user, card["source"]["topic"]["code"]) for card in answer.json()["cards"]]

        with ThreadPoolExecutor(8) as pool:
            found = Counter(card for cards in pool.map(lambda call: ask(*call), calls) for card in cards)
        lines = [line for server in running for line in server.lines]
    twice = sum(count - 1 for count in found.values())
    say(capsys, f"{kind}: {len(calls)} requests at 2 processes, {len(found)} cards, {twice} shown twice")
    assert not [line for line in lines if "without memory" in line]
    assert set(found) == {(*visit, card.recommendation) for visit in visits for card in STORY.expect}
    assert set(found.values()) == {1}


@both
def test_a_repeated_request_gets_its_cards_from_whichever_process(kind: str, tmp_path: Path) -> None:
    """A client that asks again with the same hookInstance, even at the same time elsewhere, is not left empty."""
    database = new_database(kind, tmp_path)
    with servers(database, tmp_path, 2) as running, ThreadPoolExecutor(8) as pool:
        for number in range(5):
            body = request_of(f"p{number}")

            def ask(turn: int, body: dict[str, Any] = body) -> str:
                answer = httpx.post(running[turn % 2].url + SERVICE, json=body, timeout=60)
                assert answer.status_code == 200
                return answer.text

            answers = set(pool.map(ask, range(8)))
            assert len(answers) == 1
            assert len(json.loads(answers.pop())["cards"]) == len(STORY.expect)
