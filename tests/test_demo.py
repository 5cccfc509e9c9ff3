"""The demonstration plays stories over HTTP, draws the answers in words, and tells by its exit code if they agree."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from ankle_cds import demo, stories
from ankle_cds.errors import AnkleCdsError
from ankle_cds.fhir import read_json_file

if TYPE_CHECKING:
    from pathlib import Path

FITS = "dancer-first-visit-pattern-fits"
FLAG = "hot-joint-for-five-days"
SILENT = "achilles-pain"
REFUSED = "encounter-not-sent"


def play(*names: str, width: int = 80, color: bool = False, **options: Any) -> tuple[int, str]:
    screen = Console(file=io.StringIO(), width=width, force_terminal=color, color_system="truecolor" if color else None)
    code = demo.run(names=names, console=screen, **options)
    assert isinstance(screen.file, io.StringIO)
    return code, screen.file.getvalue()


def test_every_level_and_outcome_is_a_word() -> None:
    code, text = play(FITS, FLAG, SILENT, REFUSED)
    assert code == 0
    for words in ("INFO", "CRITICAL", "No card: no recommendation applies.", "ERROR 412", "encounter"):
        assert words in text
    assert "\x1b" not in text


def test_a_card_is_drawn_with_what_a_clinician_needs_of_it() -> None:
    _, text = play(FITS, width=110)
    body = read_json_file(stories.folder() / "posterior-ankle-impingement" / FITS / "expected.json")
    flat = re.sub(r"[\s│]+", " ", text)
    for card in body["cards"]:
        assert card["summary"] in flat
        assert card["source"]["label"] in flat
        for suggestion in card["suggestions"]:
            assert f"[ {suggestion['label']} ]" in flat
    assert "Why" in text
    assert "Observation/ellison-forced-plantarflexion-test" in flat


@pytest.mark.parametrize("width", [80, 100, 120])
def test_nothing_is_wider_than_the_terminal(width: int) -> None:
    _, text = play(FITS, FLAG, width=width)
    assert max(len(line) for line in text.splitlines()) <= width


def test_colour_changes_no_words() -> None:
    plain = re.sub(r"\d+\.\d|127\.0\.0\.1:\d+", "", play(FLAG)[1])
    coloured = re.sub(
        r"\x1b\][^\x1b]*\x1b\\|\x1b\[[0-9;?]*[A-Za-z]|\d+\.\d|127\.0\.0\.1:\d+", "", play(FLAG, color=True)[1]
    )
    words = [word for word in plain.split() if word.isalpha()]
    assert set(words) <= set(coloured.split())


def test_the_last_table_says_which_story_went_as_expected() -> None:
    code, text = play(SILENT, REFUSED)
    assert code == 0
    assert "2 of 2 stories as expected" in text
    assert text.count("the same") == 2


def test_another_answer_than_expected_is_an_exit_code(tmp_path: Path) -> None:
    copied = _copy(tmp_path, SILENT)
    (copied / "expected.json").write_text('{"cards": [{"indicator": "info", "source": {"topic": {"code": "Other"}}}]}')
    code, text = play(SILENT, examples=tmp_path)
    assert code == demo.DIFFERENT
    assert "DIFFERENT: no card" in text
    assert "Other" in text


def test_update_writes_what_was_played_and_then_everything_agrees(tmp_path: Path) -> None:
    copied = _copy(tmp_path, FITS)
    before = {name: (copied / name).read_bytes() for name in ("request.json", "expected.json")}
    for name in before:
        (copied / name).unlink()
    code, _ = play(FITS, update=True, examples=tmp_path)
    assert code == 0
    assert {name: (copied / name).read_bytes() for name in before} == before


def test_json_is_the_whole_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.run(names=[SILENT, REFUSED], as_json=True) == 0
    results = json.loads(capsys.readouterr().out)
    assert [(one["story"], one["same"], one["status"]) for one in results] == [
        (SILENT, True, 200),
        (REFUSED, True, 412),
    ]


def test_an_unknown_story_is_answered_with_the_known_ones() -> None:
    with pytest.raises(AnkleCdsError, match=SILENT):
        demo.run(names=["no-such-story"])


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_printed_curl_line_works_while_the_service_is_kept() -> None:
    screen = Console(file=io.StringIO(), width=80)
    answers: list[str] = []

    def somebody_pastes_the_line() -> None:
        assert isinstance(screen.file, io.StringIO)
        (line,) = (line for line in screen.file.getvalue().splitlines() if line.startswith("curl "))
        answers.append(subprocess.run(line, shell=True, check=True, capture_output=True, text=True).stdout)  # noqa: S602  # as a person would: in a shell

    assert demo.run(names=[FITS], keep=True, console=screen, wait=somebody_pastes_the_line) == 0
    folder = stories.folder() / "posterior-ankle-impingement" / FITS
    assert json.loads(answers[0]) == json.loads((folder / "expected.json").read_text())


def _copy(root: Path, name: str) -> Path:
    source = stories.folder() / "posterior-ankle-impingement" / name
    return shutil.copytree(source, root / "posterior-ankle-impingement" / name)
