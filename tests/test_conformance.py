"""Each row of CDS Hooks is shown for our own service over real HTTP, and each check notices what it is there for."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from ankle_cds import artifacts, conformance, stories
from ankle_cds.client import RawClient
from ankle_cds.conformance import State, Subject
from ankle_cds.conformance.checks import calls
from ankle_cds.conformance.samples import Sample
from ankle_cds.conformance.subject import cards_of, without_uuids
from ankle_cds.conformance.tables import PROOF
from ankle_cds.lint import Reports
from ankle_cds.service import background, create_app
from ankle_cds.settings import load
from conformance_cases import SHOWN
from conformance_defects import DEFECTS, SILENT, Switch, Told, of_cards, put

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ankle_cds.conformance import Found, Result

ROWS = {row.key: row for row in conformance.rows()}
APPLICABLE = [key for key, row in ROWS.items() if row.how in {"http", "test"}]
NOT_USED = {
    "cds-hooks_2.0@94": "every card has suggestions",
    "cds-hooks_2.0@132": "no action is of type update",
}
"""Rows about something our service does without, each with what the examination says then."""


@pytest.fixture(scope="module")
def found() -> Mapping[str, Found]:
    with conformance.own() as subject:
        return conformance.run(subject)


@pytest.fixture(scope="module")
def results(found: Mapping[str, Found]) -> Mapping[str, Result]:
    return {result.row.key: result for result in conformance.judge(found, own=True)}


@pytest.mark.parametrize("key", APPLICABLE)
def test_row(key: str, results: Mapping[str, Result]) -> None:
    """Every row that applies is seen to hold over HTTP, or shown by a test of its own where it cannot be seen."""
    row, result = ROWS[key], results[key]
    if row.how == "test":
        assert result.state is State.NOT_OBSERVABLE
        SHOWN[key]()
    elif key in NOT_USED:
        assert (result.state, result.reason) == (State.NOT_APPLICABLE, NOT_USED[key])
    else:
        assert result.findings == ()
        assert (result.state, result.good) == (State.PASS, result.seen)
        assert result.seen > 0


def test_no_row_is_missing() -> None:
    """120 requirements of a service, 41 behaviours of a client, 17 differences of the ballot; each has its proof."""
    rows = conformance.rows()
    assert Counter(row.binds for row in rows) == {"service": 120, "client": 41, "delta": 17}
    assert len(ROWS) == len(rows)
    assert {row.by for row in rows if row.how == "http"} <= set(conformance.all_checks())
    assert set(SHOWN) == {row.key for row in rows if row.how == "test"}
    assert all(row.by for row in rows)
    assert all(row.proof == f"{PROOF}[{row.key}]" for row in rows if row.how == "test")


def test_what_is_open_is_said() -> None:
    """What the product lacks, and what it never does, stands in the table with the reason."""
    assert not {key for key, row in ROWS.items() if row.how == "open"}
    assert {key for key, row in ROWS.items() if row.how == "no"} == {"cds-hooks_2.0@75", "H3-09"}


def test_every_check_is_asked_for() -> None:
    """A check that no row and no feature names would be work done and dropped."""
    named = {row.by for row in ROWS.values()} | {part for one in conformance.features() for part in one.parts}
    assert set(conformance.all_checks()) - named == {"templates_use_tokens"} - named


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[Switch, Subject]]:
    """Our service behind a switch, called with a few stories: one with cards, one silent, one that deletes a draft."""
    packages = artifacts.load_all()
    told = [(story, json.loads(story.expected_file.read_text("utf-8"))) for story in stories.read_all()]
    chosen = [
        next(story for story, body in told if body.get("cards")),
        next(story for story, body in told if body.get("cards") == []),
        next(story for story, body in told if '"delete"' in json.dumps(body)),
        next(story for story, body in told if '"at-most-one"' in json.dumps(body)),
    ]
    switch = Switch()
    with conformance.own(packages=packages, chosen=chosen, wrap=switch) as subject:
        yield switch, subject


def fresh(subject: Subject) -> Subject:
    """The same service, with nothing remembered of what it answered."""
    guarded = subject.guarded
    return Subject(
        subject.base,
        subject.client,
        given=subject.given,
        signer=subject.signer,
        origin=subject.origin,
        records=subject.records,
        foreign=subject.foreign,
        guarded=fresh(guarded) if guarded is not None else None,
        metrics=subject.metrics,
    )


def test_numbers_that_are_told_nowhere_are_missed(stage: tuple[Switch, Subject]) -> None:
    """They have an address of their own, which the switch does not stand before."""
    switch, subject = stage
    switch.set()
    silent = fresh(subject)
    silent.metrics = None
    assert conformance.examine(conformance.all_checks()["metrics_are_told"], silent).problems


@pytest.mark.parametrize("name", ["data", "x.y", "Org.example.data", "org.example.da ta"])
def test_an_extension_under_a_name_that_anybody_may_use_is_noticed(name: str, stage: tuple[Switch, Subject]) -> None:
    switch, subject = stage
    switch.set(None, of_cards(put(extension={name: {"told": True}})))
    try:
        found = conformance.examine(conformance.all_checks()["extensions_are_objects"], fresh(subject))
    finally:
        switch.set()
    assert found.problems


@pytest.mark.parametrize("name", sorted(conformance.all_checks().keys() - {"metrics_are_told"}))
def test_each_check_can_fail(name: str, stage: tuple[Switch, Subject], monkeypatch: pytest.MonkeyPatch) -> None:
    """The service as it is passes; with one thing broken the check that is there for it fails."""
    monkeypatch.setattr(calls, "_CALLS", 1)
    switch, subject = stage
    check = conformance.all_checks()[name]
    switch.set()
    assert conformance.examine(check, fresh(subject)).problems == ()
    switch.set(*DEFECTS[name])
    try:
        broken = conformance.examine(check, fresh(subject))
    finally:
        switch.set()
    assert broken.problems, broken.reason or "nothing was noticed"


@pytest.mark.parametrize("supports", [[], ["actionSelectionBehavior"]])
def test_clients_that_support_it_are_told_how_actions_go_together(supports: list[str], tmp_path: Path) -> None:
    """H3-05: a client registered with it gets actionSelectionBehavior, any other gets the same cards without."""
    story = next(one for one in stories.read_all() if one.expect)
    expected = json.loads(story.expected_file.read_text("utf-8"))["cards"]
    signer = conformance.Signer.fresh("https://client.example", "https://cds.example")
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [key.public() for key in signer.keys]}), "utf-8")
    client = {"iss": signer.issuer, "key_set": str(file), "supports": supports}
    site = load(
        environment={},
        public_base_url="https://cds.example",
        clients=[client],
        port=0,
        request_deadline=60.0,
        memory="none",
    )
    app = create_app(artifacts.load_all(), site, lambda: story.clock)
    with background(app, site) as url, RawClient() as http:
        sample = Sample(story.id, story.condition, json.loads(story.request_file.read_text("utf-8")))
        subject = Subject(url, http, given=[sample], signer=signer)
        cards = cards_of(subject.post(sample, sample.document()))
    found = [one.pop("actionSelectionBehavior", None) for card in cards for one in card["suggestions"]]
    assert set(found) == ({"all"} if supports else {None})
    assert {card["source"].pop("icon") for card in cards} == {"https://cds.example/icon.png"}
    assert [without_uuids(card) for card in cards] == [without_uuids(card) for card in expected]


def test_nothing_is_passed_unseen(stage: tuple[Switch, Subject]) -> None:
    """A service that never answers with a card passes no row about cards, and is told what would help."""
    switch, subject = stage
    silent = fresh(subject)
    switch.set(None, lambda _asked, told: Told(told.status, told.headers, SILENT) if told.status == 200 else told)
    try:
        found = conformance.examine(conformance.all_checks()["summaries_are_short"], silent)
    finally:
        switch.set()
    assert not found.looks
    assert not found.unused
    assert "--request" in found.reason


def test_reports_of_tests_are_taken_in(found: Mapping[str, Found]) -> None:
    """What a run of the tests has shown of a row counts for our own service, and for no other."""
    key = "cds-hooks_2.0@2"
    for passed, state in ((True, State.PASS), (False, State.FAIL)):
        reports = Reports({"tests.test_conformance": [(f"test_row[{key}]", passed)]})
        judged = {one.row.key: one for one in conformance.judge(found, own=True, reports=reports)}
        assert judged[key].state is state
        skipped = Reports(reports.tests, skipped=frozenset({("tests.test_conformance", f"test_row[{key}]")}))
        judged = {one.row.key: one for one in conformance.judge(found, own=True, reports=skipped)}
        assert judged[key].state is State.NOT_OBSERVABLE
        other = {one.row.key: one for one in conformance.judge(found, own=False, reports=reports)}
        assert other[key].state is State.NOT_OBSERVABLE


def test_the_figures_of_others_are_those_they_were_given() -> None:
    """Sums over what is known of each: HealthChain 51 of 196, AHRQ 79 of 202, HAPI 62 of 138; our goal 214 of 216."""
    features = conformance.features()
    sums = [conformance.weighted((one.others[at], one.weight) for one in features) for at in range(3)]
    assert sums == [(51, 196), (79, 202), (62, 138)]
    assert conformance.weighted((one.goal, one.weight) for one in features) == (214, 216)


def test_scores_follow_from_what_was_found(found: Mapping[str, Found], results: Mapping[str, Result]) -> None:
    """Full where all parts hold, less where one lacks or was not seen, none where nothing was seen."""
    scores = {one.feature.number: one for one in conformance.score(found, list(results.values()))}
    assert scores[1].score == 2
    assert scores[33].score == 1
    assert "test_memory_rules" in scores[33].because
    assert scores[37].score is None
    assert scores[39].score == 2
    assert scores[42].score == 2
