"""A small, fixed part of the fuzz campaign, and the proof that it finds what it looks for; the rest: `tests/fuzz`."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "fuzz"))

import campaign
import canaries
import issuer
import judge
import kinds
import replaying
from serving import Served

BROKEN = Path(__file__).parent / "fuzz" / "broken_service.py"


def test_nothing_that_can_be_sent_is_a_mistake_of_ours_or_shown_or_logged(tmp_path: Path) -> None:
    with Served(tmp_path, campaign.site(tmp_path)) as served:
        run = campaign.Campaign(served, seed=20260930, failures=tmp_path / "failures")
        asyncio.run(run.run(1_400))
        alive = served.alive
    found, log = run.findings()
    assert found == {}
    assert alive
    assert run.report.requests == 1_400 + len(kinds.EXAMPLES)
    # The campaign would prove nothing if everything were refused at the door, or nothing were planted.
    assert run.report.statuses["200"] > 400
    assert {"NOT_JSON", "DUPLICATE_NAME", "TOO_DEEP", "BAD_VALUE", "PRECONDITION", "CONFLICT"} <= set(run.judge.rows)
    assert run.judge.cards > 200
    assert log.lines["request"] > 1_300
    assert b"ankle_cds_cards_total" in run.told_metrics
    assert b"PaiStartConservativeCare" in served.stored()
    assert b"other" in served.stored()  # feedback about cards it gave, with reasons nobody offered


def test_nothing_is_wrong_where_every_call_needs_a_token(tmp_path: Path) -> None:
    tokens = issuer.Issuer(tmp_path)
    with Served(tmp_path, campaign.site(tmp_path, tokens), clock=None) as served:
        run = campaign.Campaign(served, tokens=tokens, only=("wrong_token", "planted", "feedback", "truncated"))
        asyncio.run(run.run(120))
    found, _ = run.findings()
    assert found == {}
    assert run.judge.rows["UNAUTHORIZED"] > 10
    assert run.report.statuses["200"] > 100


def tried(folder: Path, defect: str, *only: str, requests: int = 12, deadline: float = 5.0) -> tuple[str, bool]:
    """Give what the campaign says of a service with this defect, and whether the service lived."""
    with Served(folder, program=(str(BROKEN), defect), clock=None) as served:
        run = campaign.Campaign(served, only=only, failures=folder / "failures", deadline=deadline)
        run.examples = dict(list(kinds.EXAMPLES.items())[:3])
        asyncio.run(run.run(requests))
        alive = served.alive
    return "\n".join(run.findings()[0]), alive


def test_a_service_without_a_defect_has_none(tmp_path: Path) -> None:
    assert tried(tmp_path, "none", "planted", "unchanged", "truncated") == ("", True)


@pytest.mark.parametrize(
    ("defect", "said"),
    [
        ("traceback", "the answer speaks of code: b'Traceback'"),
        ("traceback", "status 500 is not one"),
        ("our_own_error", "an error of our own"),
        ("echo", "diagnostics that are no name of a field or key"),
        ("echo", "a planted word in an answer without cards"),
        ("echo_as_text", "an issue that is no row of the table"),
        ("not_json", "the body is not a JSON object"),
        ("not_json", "Content-Type text/html"),
        ("shows_the_name", "a planted word in a card at .cards.detail"),
        ("shows_html", "a card with HTML in it"),
        ("null", "an empty value: extension"),
        ("status", "status 418"),
        ("no_id", "no request id"),
        ("logs_the_body", "a planted word in the log"),
        ("logs_a_trace", "KeyError at app.py:1 answer"),
        ("prints", "a line that is not one of ours: Traceback"),
    ],
)
def test_a_defect_of_a_service_is_found(tmp_path: Path, defect: str, said: str) -> None:
    found, alive = tried(tmp_path, defect, "planted", "unchanged")
    assert said in found
    assert alive


@pytest.mark.parametrize("name", ["the memory", "the metrics"])
def test_a_planted_word_beside_the_answers_is_found(tmp_path: Path, name: str) -> None:
    with Served(tmp_path, program=(str(BROKEN), "none"), clock=None) as served:
        run = campaign.Campaign(served, only=("planted",))
        run.examples = {}
        asyncio.run(run.run(1))
    word = f"x{canaries.MARK}1x1".encode()
    if name == "the memory":
        (tmp_path / "memory.sqlite3-wal").write_bytes(word)
    else:
        run.told_metrics = word
    assert f"a planted word in {name}: {canaries.MARK}1x1" in run.findings()[0]


def test_another_answer_to_the_same_request_is_found(tmp_path: Path) -> None:
    found, _ = tried(tmp_path, "unlike_the_first", "unchanged", requests=100)
    assert "another answer than the first to the same request" in found


def test_cards_for_what_is_not_json_are_found(tmp_path: Path) -> None:
    assert "cards for what is not JSON" in tried(tmp_path, "reads_anything", "truncated")[0]


@pytest.mark.parametrize("defect", ["hangs", "too_short"])
def test_an_answer_that_does_not_come_is_found(tmp_path: Path, defect: str) -> None:
    assert "no whole answer in time" in tried(tmp_path, defect, "planted", requests=6, deadline=0.3)[0]


def test_the_end_of_the_process_is_found(tmp_path: Path) -> None:
    found, alive = tried(tmp_path, "dies", "planted")
    assert "the connection ended before the answer did" in found
    assert not alive


def test_a_request_follows_from_its_seed_and_number() -> None:
    assert kinds.case(7, 11) == kinds.case(7, 11)
    made = [kinds.case(7, number) for number in range(400)]
    assert len({case.pieces for case in made}) > 380
    assert set(Counter(case.kind for case in made)) > set(kinds.KINDS) - {"wrong_token", "large", "slow"}


def test_a_kept_request_can_be_sent_again_and_made_smaller(tmp_path: Path) -> None:
    found, _ = tried(tmp_path / "first", "shows_the_name", "planted")
    assert found
    file = next((tmp_path / "first" / "failures").iterdir())
    document, case = replaying.kept(file)
    with Served(tmp_path / "second", program=(str(BROKEN), "shows_the_name"), clock=None) as served:
        run = campaign.Campaign(served)
        wrong, smaller = asyncio.run(run.replay(case, shrink=True))
    assert wrong == document["wrong"]
    assert case.body is not None
    assert smaller.body is not None
    left: Any = json.loads(smaller.body)
    assert set(left) == {"prefetch"}
    assert len(smaller.body) < 200 < len(case.body)


@pytest.mark.parametrize("form", [str, lambda word: word.encode().hex(), lambda word: word.lower()])
def test_a_planted_word_is_found_in_any_form(form: Any) -> None:
    assert canaries.found(f"x {form(canaries.MARK)}12x1 y".encode())


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_a_planted_word_is_found_inside_base64(before: str) -> None:
    from base64 import b64encode  # noqa: PLC0415 - needed here only

    assert canaries.found(b64encode(f"{before}{canaries.MARK}12x1 and more".encode()))
    assert not canaries.found(b64encode(b"nothing was planted here"))


def test_a_log_of_ours_has_nothing_wrong() -> None:
    log = b'{"event": "request", "ms": 1.5, "status": 400, "fault": "NOT_JSON"}\n{"event": "not protected"}\n'
    read = judge.LogReader(log)
    assert read.wrong == {}
    assert read.faults == {"NOT_JSON": 1}
