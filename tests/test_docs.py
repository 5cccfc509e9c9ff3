"""The documentation cannot lie: its commands parse, its links lead somewhere, its statuses are those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ankle_cds import cli
from ankle_cds.errors import RequestFault

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
COMMAND = re.compile(
    r"(?:^|[`\s&/])ankle-cds "
    r"((?:demo|serve|explain|populate|extract|parameters|memory|build|diff|validate|lint|conformance)(?:\\\n|[^`|&\n\\])*)"
)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)?(?:#([^)]*))?\)")


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_command_is_one_the_program_knows(page: Path) -> None:
    """Each `ankle-cds ...` in the text parses; a removed option or command fails here."""
    for line in COMMAND.findall(page.read_text("utf-8")):
        cli.parser().parse_args(_complete(shlex.split(line.replace("\\\n", " "))))


def _complete(words: list[str]) -> list[str]:
    """A command named without its required arguments is still a command."""
    if words == ["explain"]:
        return [*words, "CHART.json"]
    if words == ["diff"]:
        return [*words, "OLD", "NEW"]
    if words[0] == "build" and "--out" not in words:
        return [*words, "--out", "DIR"]
    return [word.rstrip(",.;") for word in words]


def test_commands_are_found() -> None:
    """The pattern above finds the commands of the README; finding none would make the test empty."""
    assert len(COMMAND.findall((ROOT / "README.md").read_text("utf-8"))) >= 5


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_link_leads_somewhere(page: Path) -> None:
    """Each relative link names a file of the repository, each anchor a heading of that file."""
    for path, anchor in LINK.findall(page.read_text("utf-8")):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_ehr_page_knows_every_status() -> None:
    """Every status a caller can be refused with, routing and authentication aside, stands in the page for EHRs."""
    page = (ROOT / "docs/ehr.md").read_text("utf-8")
    routing = {401, 404, 405, 414, 431}
    assert {fault.value.status for fault in RequestFault} - routing <= {
        int(found) for found in re.findall(r"\b4\d\d\b", page)
    }


def test_exit_codes_are_documented() -> None:
    """The exit codes of the program stand in the guide for contributors."""
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert all(f"{code} " in guide for code in (0, 1, 2, 3, cli.USAGE))
