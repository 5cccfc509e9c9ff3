"""The service with a memory, over HTTP: what is shown again, what is kept, and what happens without it."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import sqlite3
import stat
import subprocess
import sys
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import create_engine, inspect, text

from ankle_cds import artifacts, cli, memory, service, settings, stories
from ankle_cds.errors import ContentError
from ankle_cds.fhir import read_json_file
from ankle_cds.memory import schema
from ankle_cds.service.admission import gate
from ankle_cds.service.remembering import Remembering, durations
from databases import both, new_database
from gatehouse import Gatehouse
from stub_service import PACKAGE, SERVICE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

STORIES = {story.id: story for story in stories.read_all()}
CARE = "dancer-first-visit-pattern-fits"
PATH = "/cds-services/posterior-ankle-impingement"
SECRET = "a secret of thirty-two characters"  # noqa: S105  # of a test
REFUSED = {"code": "patient-refuses", "system": "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"}


class Site:
    """A service with a memory, and the clock of its stories."""

    def __init__(self, app: Any, now: datetime) -> None:
        self.app = app
        self.now = now
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service.test")

    async def ask(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        answer = await self.client.post(PATH, json=body)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["cards"])

    async def say(self, card: dict[str, Any], **changes: Any) -> httpx.Response:
        entry = {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": "2026-05-14T16:30:00Z", **changes}
        return await self.client.post(f"{PATH}/feedback", json={"feedback": [entry]})


@pytest.fixture(scope="module")
def packages() -> dict[str, artifacts.Package]:
    return artifacts.load_all()


@asynccontextmanager
async def site(packages: Any, url: str, story: str = CARE, **given: Any) -> AsyncIterator[Site]:
    """Start the service for a story: its own clock, and the patience of a test."""
    decided = settings.load(
        environment={}, mode="development", memory=url, memory_timeout=10.0, request_deadline=60.0, **given
    )
    started: Site

    def clock() -> datetime:
        return started.now

    app = service.create_app(packages, decided, clock)
    started = Site(app, STORIES[story].clock)
    async with app.app.router.lifespan_context(app.app), started.client:
        yield started


def body(story: str = CARE, **context: Any) -> dict[str, Any]:
    made: dict[str, Any] = copy.deepcopy(read_json_file(STORIES[story].request_file))
    made["context"] |= context
    return made | {"hookInstance": str(uuid4())}


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


def topics(cards: list[dict[str, Any]]) -> list[str]:
    return [card["source"]["topic"]["code"] for card in cards]


def finding(made: dict[str, Any], code: str, value: str, system: str = "pai-answer") -> dict[str, Any]:
    """Add a finding to the record that a request carries, as another one of the same kind that stands there."""
    entries = made["prefetch"]["findings"]["entry"]
    one = copy.deepcopy(
        next(entry for entry in entries if "forced-plantarflexion-test" in json.dumps(entry["resource"]["code"]))
    )
    resource = one["resource"]
    resource["id"] = f"added-{code}"
    coding = resource["code"]["coding"][0]
    resource["code"] = {"coding": [{"system": coding["system"], "code": code}]}
    resource["valueCodeableConcept"] = {
        "coding": [{"system": coding["system"].replace("pai-findings", system), "code": value}]
    }
    entries.append({"fullUrl": f"urn:added:{code}", "resource": resource})
    return made


@both
def test_a_card_is_shown_once_and_again_with_a_new_fact(kind: str, packages: Any, tmp_path: Path) -> None:
    """T16, T17: sent again it is silent; with a fact that a card read, that card comes back, and no other."""

    async def work() -> None:
        async with site(packages, new_database(kind, tmp_path)) as ehr:
            first = topics(await ehr.ask(body()))
            assert first == ["PaiOrderLateralRadiograph", "PaiStartConservativeCare"]
            assert await ehr.ask(body()) == []
            assert topics(await ehr.ask(body(userId="Practitioner/another"))) == first
            with_fact = finding(body(), "pain-provoking-activity", "running", "pai-findings")
            assert topics(await ehr.ask(with_fact)) == ["PaiOrderLateralRadiograph"]

    run(work)


def test_a_declined_card_stays_away_and_an_emergency_comes_through(packages: Any, tmp_path: Path) -> None:
    """T18: the next encounter ten days later is silent; with an injury that cannot bear weight R1 is shown."""

    async def work() -> None:
        async with site(packages, new_database("sqlite", tmp_path)) as ehr:
            for card in await ehr.ask(body()):
                assert (await ehr.say(card, overrideReason={"reason": REFUSED})).status_code == 200
            ehr.now += timedelta(days=10)
            later = json.loads(json.dumps(body()).replace("ellison-visit", "ellison-second-visit"))
            assert later["context"]["encounterId"] == "ellison-second-visit"
            assert await ehr.ask(later) == []
            hurt = finding(finding(later, "acute-injury", "yes"), "cannot-bear-weight", "yes")
            assert topics(await ehr.ask(hurt | {"hookInstance": str(uuid4())})) == ["PaiRedFlagEmergency"]

    run(work)


def test_the_same_request_again_gets_the_same_bytes(packages: Any, tmp_path: Path) -> None:
    """12.3: a client that did not see the answer asks again; at another process too, for the secret is the same."""

    async def work() -> None:
        url = new_database("sqlite", tmp_path)
        asked = body()
        async with site(packages, url, secret=SECRET) as one, site(packages, url, secret=SECRET) as other:
            answers = [(await each.client.post(PATH, json=asked)).content for each in (one, other, one)]
            assert len(set(answers)) == 1
            assert json.loads(answers[0])["cards"]
            assert await other.ask(body()) == []

    run(work)


CANARIES = ["ellison", "Ellison", "Reyes", "canary-comment", "canary-user", "Practitioner/", "Patient/", "Encounter/"]


@pytest.mark.parametrize("comments", [False, True])
def test_the_database_holds_nothing_that_says_who_it_is_about(comments: bool, packages: Any, tmp_path: Path) -> None:
    """SF-D05: identifiers, names, dates and values of the record and of the user, and a comment unless it is wanted."""
    asked = body(userId="Practitioner/canary-user")
    names = {value for value in strings(asked["prefetch"]) if len(value) > 7 and not value.startswith("http")}

    async def work() -> None:
        async with site(packages, new_database("sqlite", tmp_path), feedback_store_comments=comments) as ehr:
            for card in await ehr.ask(asked):
                reason = {"reason": REFUSED, "userComment": "canary-comment <b>Ellison\n"}
                assert (await ehr.say(card, overrideReason=reason)).status_code == 200
            assert await ehr.ask(asked | {"hookInstance": str(uuid4())}) == []

    run(work)
    dump = "\n".join(sqlite3.connect(tmp_path / "memory.sqlite3").iterdump())
    raw = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    allowed = {"patient-refuses"} | ({"canary-comment", "Ellison"} if comments else set())
    searched = {*CANARIES, *names} - allowed
    assert len(searched) > 100
    found = {one for one in searched if one in dump or one.encode() in raw}
    assert found == set()
    assert ("canary-comment <b>Ellison" in dump) is comments
    assert dump.count("patient-refuses") == 2


def test_of_a_reason_nobody_offered_it_is_kept_only_that_it_was_another(packages: Any, tmp_path: Path) -> None:
    """Code and system of a reason are free text to whoever sends it: both could say who the patient is."""

    async def work() -> None:
        async with site(packages, new_database("sqlite", tmp_path)) as ehr:
            for card in await ehr.ask(body()):
                reason = {"code": "canary-code Ellison", "system": "https://canary-system.example", "display": "canary"}
                assert (await ehr.say(card, overrideReason={"reason": reason})).status_code == 200
            assert await ehr.ask(body() | {"hookInstance": str(uuid4())}) == []

    run(work)
    dump = "\n".join(sqlite3.connect(tmp_path / "memory.sqlite3").iterdump())
    assert not [one for one in ("canary", "Ellison") if one in dump]
    assert dump.count("'other'") == 2


def strings(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {each for part in value.values() for each in strings(part)}
    if isinstance(value, list):
        return {each for part in value for each in strings(part)}
    return {value} if isinstance(value, str) else set()


def test_without_its_database_cards_are_shown_and_feedback_is_not_taken(
    packages: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """F-24, SF-H09: nothing is hidden, nothing is lost silently, readiness and log say so, and it heals."""
    caplog.set_level(logging.INFO, "ankle_cds.service")

    async def work() -> None:
        async with site(packages, new_database("sqlite", tmp_path)) as ehr:
            (card, _) = await ehr.ask(body())
            database = sqlite3.connect(tmp_path / "memory.sqlite3")
            for table in ("memory_displays", "memory_answers", "memory_schema"):
                database.execute(f"ALTER TABLE {table} RENAME TO gone_{table}")
            assert len(await ehr.ask(body())) == 2
            answer = await ehr.say(card)
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "1"
            ready = await ehr.client.get("/health/ready")
            assert (ready.status_code, ready.json()["status"], ready.json()["memory"]) == (
                200,
                "degraded",
                "unavailable",
            )
            for table in ("memory_displays", "memory_answers", "memory_schema"):
                database.execute(f"ALTER TABLE gone_{table} RENAME TO {table}")
            database.close()
            assert (await ehr.client.get("/health/ready")).json()["memory"] == "ok"
            assert await ehr.ask(body()) == []
            assert (await ehr.say(card)).status_code == 200

    run(work)
    assert "shown without memory" in caplog.text
    assert "ellison" not in caplog.text


def test_what_expired_and_cannot_be_deleted_is_said(
    packages: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retention that is silently not kept would be found by nobody."""
    caplog.set_level(logging.INFO, "ankle_cds.service")
    monkeypatch.setattr("ankle_cds.service.remembering._PURGE_SECONDS", 0.02)

    async def work() -> None:
        async with site(packages, new_database("sqlite", tmp_path)):
            with sqlite3.connect(tmp_path / "memory.sqlite3") as database:
                database.execute("ALTER TABLE memory_displays RENAME TO gone")
            for _ in range(200):
                if "memory not purged" in caplog.text:
                    return
                await asyncio.sleep(0.02)

    run(work)
    assert "memory not purged" in caplog.text


def test_a_slow_database_is_not_waited_for(packages: Any, tmp_path: Path) -> None:
    """A hook call waits `memory_timeout`, the loop not at all, and the cards are shown."""

    async def work() -> None:
        async with site(packages, new_database("sqlite", tmp_path)) as ehr:
            assert len(await ehr.ask(body())) == 2
            decided = settings.load(
                environment={},
                mode="development",
                memory=f"sqlite:///{tmp_path / 'memory.sqlite3'}",
                memory_timeout=0.05,
                request_deadline=60.0,
            )
            app = service.create_app(packages, decided, lambda: ehr.now)
            lock = sqlite3.connect(tmp_path / "memory.sqlite3", isolation_level=None)
            async with app.app.router.lifespan_context(app.app):
                hasty = Site(app, ehr.now)
                lock.execute("BEGIN IMMEDIATE")
                assert len(await hasty.ask(body())) == 2
                lock.execute("ROLLBACK")
                lock.close()
                await hasty.client.aclose()

    run(work)


@both
def test_a_token_used_at_one_process_is_used_at_all(kind: str, tmp_path: Path) -> None:
    """J57: at another worker and after a restart it is refused."""
    url = new_database(kind, tmp_path)

    def store() -> memory.Memory:
        made = memory.Store(memory.connect(memory.read_url(url)), memory.Keys(b"0" * 32), keep=timedelta(days=180))
        none = timedelta(0)
        return memory.Memory(made, memory.Durations(none, none, none), patience=timedelta(seconds=10))

    one, other = store(), store()
    with Gatehouse(replay=memory.SharedReplay(one)) as house:
        token = f"Bearer {house.token()}"
        assert house.send(token).status_code == 200
        assert house.send(token).status_code == 401
        house.app = house.another(memory.SharedReplay(other))
        assert house.send(token).status_code == 401
        assert house.send(f"Bearer {house.token()}").status_code == 200
        again = [f"Bearer {house.token()}"] * 20
        assert sorted(house.send_all(again))[:2] == [200, 401]
    one.close()
    other.close()


def test_a_lost_database_lets_no_token_through(tmp_path: Path) -> None:
    """J61: 503, and readiness says that calls are not answered."""
    given = {"memory": f"sqlite:///{tmp_path / 'memory.sqlite3'}", "secret": SECRET}
    with Gatehouse(**given) as house:
        assert gate(house.settings)
        remembering = Remembering.of({SERVICE: PACKAGE}, house.settings)
        assert remembering is not None
        house.app = house.another(remembering.replay())
        assert house.send(f"Bearer {house.token()}").status_code == 200
        database = sqlite3.connect(tmp_path / "memory.sqlite3")
        database.execute("DROP TABLE memory_tokens")
        database.close()
        assert house.send(f"Bearer {house.token()}").status_code == 503
        remembering.memory.close()


def production(folder: Path, words: str) -> settings.Settings:
    path = folder / "site.yaml"
    path.write_text("auth: none\nauthenticated_by: the gateway\n" + words, "utf-8")
    return settings.load(path, environment={})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "secret is missing"),
        ("secret: short\n", "at least 32 characters"),
        ("secret_file: short.txt\n", "at least 32 characters"),
        ("secret_file: absent.txt\n", "No such file"),
        (f"secret: {SECRET}\nmemory: mysql://u:hidden@h/d\n", "sqlite:///FILE or postgresql://"),
        (f"secret: {SECRET}\nmemory: 'sqlite://'\n", "needs a file"),
        (f"secret: {SECRET}\nmemory: sqlite:///absent/m.sqlite3\n", "cannot be opened"),
        (f"secret: {SECRET}\nretention_days: 30\n", "SuppressDeclinedDays is longer than retention_days (30)"),
        (f"secret: {SECRET}\nretention_days: 181\n", "retention_days"),
        ("memory: none\nparameters:\n  SuppressDeclinedDays: 30\n", "site.yaml:5"),
        (
            "memory: none\nparameters:\n  SuppressFallbackHours: 5\n",
            "SuppressFallbackHours: with `memory: none` no card",
        ),
    ],
)
def test_a_memory_that_would_not_be_safe_is_refused(
    packages: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, said: str
) -> None:
    """Before anything is served, naming the place, and without repeating what is secret."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.txt").write_text("short-secret-of-a-file\n", "utf-8")
    with pytest.raises(ContentError) as caught:
        service.create_app(packages, production(tmp_path, words), lambda: STORIES[CARE].clock)
    assert said in str(caught.value)
    for secret in ("hidden", SECRET, "short-secret", ": short"):
        assert secret not in str(caught.value)


def test_a_silence_is_no_contradiction_where_a_memory_was_only_left_out(packages: Any) -> None:
    """A site's configuration can be tried with `--dev`, which has none unless it is asked for."""
    own = settings.load(environment={}, mode="development", parameters={"SuppressDeclinedDays": 30})
    assert service.create_app(packages, own, lambda: STORIES[CARE].clock)


def test_a_file_as_memory_loads_nothing_of_another_database(tmp_path: Path) -> None:
    program = """
import sys
from datetime import timedelta
from ankle_cds import memory
engine = memory.connect(memory.read_url("sqlite:///memory.sqlite3"))
memory.Store(engine, memory.Keys(bytes(32)), keep=timedelta(days=1))
print([name for name in sys.modules if name.startswith(("sqlalchemy.dialects.postgresql", "psycopg"))])
"""
    done = subprocess.run(  # noqa: S603  # ours
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "[]"


def test_the_secret_comes_from_a_file_or_the_environment_and_is_never_told(tmp_path: Path) -> None:
    (tmp_path / "s.txt").write_text(f"{SECRET}\n", "utf-8")
    written = [
        settings.load(environment={}, secret_file=str(tmp_path / "s.txt")),
        settings.load(environment={"ANKLE_CDS_SECRET": SECRET}),
        settings.load(environment={"ANKLE_CDS_SECRET": "1" * 40}),
    ]
    keys = [one.key("memory") for one in written]
    assert keys[0] == keys[1] != keys[2]
    assert keys[0] != written[0].key("card uuids")
    assert all(SECRET not in repr(one) for one in written)
    nobody = settings.load(environment={}, memory="none")
    assert nobody.key("memory") != settings.load(environment={}, memory="none").key("memory")


def test_only_its_owner_can_read_the_file(tmp_path: Path) -> None:
    memory.connect(memory.read_url(f"sqlite:///{tmp_path / 'm.sqlite3'}")).dispose()
    assert stat.S_IMODE((tmp_path / "m.sqlite3").stat().st_mode) == 0o600


def test_the_windows_are_those_of_the_site(packages: Any) -> None:
    """Not repeated in code: content and site say how long a card is silent."""
    given = durations(packages, settings.load(environment={}, mode="development"))
    assert (given.declined.days, given.more_information.days, given.fallback) == (180, 14, timedelta(hours=24))
    own = settings.load(environment={}, mode="development", parameters={"SuppressDeclinedDays": 30})
    assert durations(packages, own).declined.days == 30


@both
def test_tables_of_an_earlier_release_become_those_of_this_one(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Step by step, once, keeping what is there; tables of a later release are refused."""
    url = new_database(kind, tmp_path)
    engine = memory.connect(memory.read_url(url))
    with engine.begin() as connection:
        assert memory.migrate(connection) == (0, 1)
        connection.execute(text("INSERT INTO memory_tokens (token, expires) VALUES ('t', 1)"))

    def step(connection: Any) -> None:
        connection.execute(text("ALTER TABLE memory_tokens ADD COLUMN added INTEGER"))

    monkeypatch.setattr(schema, "STEPS", (step,))
    for expected in ((1, 2), (2, 2)):
        with engine.begin() as connection:
            assert memory.migrate(connection) == expected
    assert "added" in {column["name"] for column in inspect(engine).get_columns("memory_tokens")}
    with engine.connect() as connection:
        assert connection.execute(text("SELECT token, added FROM memory_tokens")).all() == [("t", None)]
    monkeypatch.setattr(schema, "STEPS", ())
    with pytest.raises(ContentError, match="later release"), engine.begin() as connection:
        memory.migrate(connection)
    engine.dispose()


@both
def test_what_is_too_old_is_deleted_and_small_groups_are_not_told(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """12.1: retention by command; counts below 11 stay untold."""
    url = new_database(kind, tmp_path)
    config = tmp_path / "site.yaml"
    config.write_text(f"memory: {url}\nsecret: {SECRET}\n", "utf-8")

    def command(*words: str) -> Any:
        assert cli.main(["memory", *words, "--config", str(config), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    assert command("status") == {"version": 0, "wanted": 1, "rows": {}, "answers": []}
    assert command("purge") == {"deleted": {}}
    assert command("migrate") == {"before": 0, "after": 1}
    engine = create_engine(url)
    row = "(:id, 'c', 'R', 's', 'u', 'f', :yes, '', :no, 1, :expires)"
    columns = '(id, card, recommendation, subject, "user", facts, accepted, suggestions, commented, at, expires)'
    with engine.begin() as connection:
        for number in range(21):
            values = {"id": str(number), "yes": number < 11, "no": False, "expires": 1 if number == 20 else 2**60}
            connection.execute(text(f"INSERT INTO memory_answers {columns} VALUES {row}"), values)  # noqa: S608
    engine.dispose()
    counts = {one["outcome"]: one["count"] for one in command("status")["answers"]}
    assert counts == {"accepted": 11, "overridden": None}
    assert command("purge")["deleted"]["answers"] == 1
    assert command("purge", "--all")["deleted"]["answers"] == 20
    assert cli.main(["memory", "status", "--config", str(config)]) == 0
    assert "answers: 0" in capsys.readouterr().out


def test_a_site_without_a_memory_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "site.yaml").write_text("memory: none\n", "utf-8")
    assert cli.main(["memory", "status", "--config", str(tmp_path / "site.yaml")]) == 1
    assert "no memory" in capsys.readouterr().err
