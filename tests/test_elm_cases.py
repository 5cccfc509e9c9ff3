"""The engine's figures on the operator cases of the HL7 CQL specification tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ankle_cds.elm import __main__ as command
from ankle_cds.elm import cases

CASES = Path(__file__).parent / "data" / "elm-cases.json.gz"
BAR = 0.97
MOST_DISPUTED = 0.01


@pytest.fixture(scope="module")
def score() -> cases.Score:
    return cases.score(cases.read(CASES))


def test_every_case_is_accounted_for(score: cases.Score) -> None:
    assert score.right + len(score.refused) + len(score.wrong) + len(score.disputed) == 1135


def test_no_case_is_silently_wrong(score: cases.Score) -> None:
    assert score.wrong == []


def test_enough_cases_are_right_and_few_disputed(score: cases.Score) -> None:
    assert score.right >= BAR * 1135
    assert len(score.disputed) <= MOST_DISPUTED * 1135


def test_every_dispute_names_a_sentence_and_its_place() -> None:
    for name, dispute in cases.disputes().items():
        assert dispute["sentence"].strip(), name
        assert dispute["url"].startswith("https://cql.hl7.org/"), name


def test_a_wrong_answer_is_counted_as_wrong() -> None:
    integer = "{urn:hl7-org:elm-types:r1}Integer"
    one, two = ({"type": "Literal", "valueType": integer, "value": value} for value in ("1", "2"))
    found = cases.score([{"id": "a", "expression": one, "expected": two}])
    assert found.as_json() == {"right": 0, "refused": [], "wrong": ["a"], "disputed": []}


def test_an_unknown_operator_is_counted_as_refused() -> None:
    null = {"type": "Null"}
    found = cases.score([{"id": "a", "expression": {"type": "Teleport"}, "expected": null}])
    assert found.refused == ["a"]


def test_the_command_prints_the_figures_as_json(capsys: pytest.CaptureFixture[str], score: cases.Score) -> None:
    assert command.main(["cases", str(CASES), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == score.as_json()


def test_the_command_prints_the_figures_as_a_line(capsys: pytest.CaptureFixture[str], score: cases.Score) -> None:
    command.main(["cases", str(CASES)])
    first = capsys.readouterr().out.splitlines()[0]
    assert first == f"right {score.right}, refused 0, wrong 0, disputed {len(score.disputed)}"


def test_the_command_lists_the_operators(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["operators"]) == 0
    listed = capsys.readouterr().out
    assert "queries: Query" in listed
    assert "Retrieve" in listed
