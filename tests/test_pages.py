"""The pages: from a card back to the sentence or the study, with nothing on them that the content does not say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ankle_cds import artifacts, publish, stories
from ankle_cds.artifacts.nodes import values_at

LINK = re.compile(r"(?<!\\)\]\(([^)\s]+)\)")
BASE = "https://w3id.org/ankle-cds"


@pytest.fixture(scope="module")
def package() -> artifacts.Package:
    (package,) = artifacts.load_all().values()
    return package


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, package: artifacts.Package) -> Path:
    folder = tmp_path_factory.mktemp("built")
    publish.publish(package, folder)
    return folder


def recommendations(package: artifacts.Package) -> list[Any]:
    return [one for one in package.of_type("PlanDefinition") if one["type"]["coding"][0]["code"] == "eca-rule"]


def is_of_a_visit(plan: Any) -> bool:
    return {trigger["name"] for trigger in plan["action"][0]["trigger"]} == {"encounter-start", "patient-view"}


def page(out: Path, name: str) -> str:
    return (out / "pages" / name).read_text("utf-8")


def section(text: str, title: str) -> str:
    """The part of a page under one heading."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def flat(text: str) -> str:
    return " ".join(text.split())


def test_every_recommendation_has_a_page_and_the_guide_lists_them(out: Path, package: artifacts.Package) -> None:
    names = {path.name for path in (out / "pages").iterdir()}
    others = {"index.md", "pathway.md", "parameters.md", "ratings.md"}
    assert names == {f"{plan['id']}.md" for plan in recommendations(package)} | others
    listed = json.loads((out / f"ImplementationGuide-{package.id}.json").read_text("utf-8"))["definition"]["page"]
    assert {listed["nameUrl"], *(one["nameUrl"] for one in listed["page"])} == names
    assert all(page(out, one["nameUrl"]).startswith(f"# {one['title']}\n") for one in listed["page"])


def test_every_statement_stands_there_with_its_sentence(out: Path, package: artifacts.Package) -> None:
    """A clinician who reads S25 on a card finds on the page what the article says."""
    concepts = {one["code"]: one for one in package.get(package.statements)["concept"]}
    for plan in recommendations(package):
        text = section(page(out, f"{plan['id']}.md"), "What the source article says")
        labels = {one["label"] for one, _ in values_at(plan, "action.documentation") if one["type"] == "derived-from"}
        assert labels
        assert set(re.findall(r"^- \*\*(S\d+)\*\*", text, re.MULTILINE)) == labels
        for label in labels:
            assert f"**{label}** {concepts[label]['definition']}" in text


def test_every_record_of_evidence_stands_there_with_its_publication_and_its_mark(
    out: Path, package: artifacts.Package
) -> None:
    """What was read in another source only, or could not be confirmed, says so behind its label."""
    marks = set()
    for plan in recommendations(package):
        text = section(page(out, f"{plan['id']}.md"), "What this product added")
        cited = {one["label"]: one for one, _ in values_at(plan, "action.documentation") if "label" in one}
        labels = {label for label in cited if label in package.evidence}
        assert set(re.findall(r"^- \*\*(E-[A-Z0-9]+)\*\*", text, re.MULTILINE)) == labels
        for label in labels:
            record = package.evidence[label]
            mark = "" if record["label"] == "seen" else f" ({record['label']})"
            marks.add(mark)
            assert f"**{label}**{mark} {flat(record['statement'])}" in text.replace("\\<", "<")
            assert flat(record["citation"]) in text.replace("\\<", "<")
            if "url" in cited[label]:
                assert f"]({cited[label]['url']})" in text
    assert marks == {"", " (secondary)", " (unverified)"}


def test_a_page_says_rule_ratings_offers_data_and_place(out: Path, package: artifacts.Package) -> None:
    for plan in recommendations(package):
        text = page(out, f"{plan['id']}.md")
        for action in plan["action"]:
            assert action["title"] in text.split("## ")[0]
            (condition,) = action["condition"]
            shown = section(text, "When it is shown")
            assert flat(condition["expression"]["description"]) in shown
            assert condition["expression"]["expression"] in shown
            for trigger in action["trigger"]:
                assert trigger["name"] in shown
            for offer in action.get("action", []):
                assert f"**{offer['title']}**" in section(text, "What it offers")
        ratings = section(text, "How sure")
        for concept, _ in values_at(plan, "action.extension.valueCodeableConcept"):
            assert concept["coding"][0]["display"] in ratings
            assert flat(concept.get("text", "")) in ratings
        for profile, _ in values_at(plan, "action.input.profile"):
            assert f"../StructureDefinition-{profile.rsplit('/', 1)[-1]}.json" in section(text, "What it reads")
        for url, _ in values_at(plan["contained"], "dataRequirement.codeFilter.valueSet"):
            assert f"../ValueSet-{url.rsplit('/', 1)[-1]}.json" in section(text, "Value sets it reads")
        in_phase = re.search(r"^- Phase \d+ of 12, ", section(text, "Where it stands"), re.MULTILINE)
        assert bool(in_phase) is is_of_a_visit(plan)  # a check of orders belongs to no phase


def test_exactly_the_stories_that_fire_a_recommendation_stand_on_its_page(
    out: Path, package: artifacts.Package
) -> None:
    told = [one for one in stories.read_all() if not one.after]
    for plan in recommendations(package):
        firing = {one.id for one in told if any(card.recommendation == plan["id"] for card in one.expect)}
        text = section(page(out, f"{plan['id']}.md"), "Test cases")
        assert set(re.findall(r"/([a-z0-9-]+)/request\.json\)", text)) == firing
        assert set(re.findall(r"/([a-z0-9-]+)/expected\.json\)", text)) == firing


def test_the_card_shown_is_a_card_that_was_reviewed(out: Path, package: artifacts.Package) -> None:
    for plan in recommendations(package):
        text = section(page(out, f"{plan['id']}.md"), "One card in full")
        lines = [line.removeprefix("> ").removeprefix(">") for line in text.splitlines() if line.startswith(">")]
        summary, detail = lines[0].strip("*"), "\n".join(lines[2:]).replace("\\<", "<")
        cards = [
            card for one in stories.read_all() for card in json.loads(one.expected_file.read_text()).get("cards", [])
        ]
        assert (summary, detail) in {(card["summary"], card["detail"]) for card in cards}


def test_every_link_leads_to_a_file_that_was_built(out: Path) -> None:
    found = 0
    for path in (out / "pages").glob("*.md"):
        for target in LINK.findall(path.read_text("utf-8")):
            if not target.startswith("https://"):
                found += 1
                assert (path.parent / target).resolve().is_file(), f"{path.name}: {target}"
    assert found > 200


def test_the_pages_are_markdown_without_html(out: Path) -> None:
    for path in (out / "pages").glob("*.md"):
        prose = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        assert not re.findall(r"(?<!\\)<[A-Za-z/!?]", prose), path.name


def test_the_pathway_has_the_phases_in_the_order_of_the_logic(out: Path, package: artifacts.Package) -> None:
    text = section(page(out, "pathway.md"), "Phases")
    phases = re.findall(r"^### (\d+)\. (.+)$", text, re.MULTILINE)
    assert [int(number) for number, _ in phases] == list(range(1, 13))
    assert [name for _, name in phases][:5] == [
        "Red flag",
        "Urgent",
        "Postoperative",
        "Imaging unmatched",
        "Assessment",
    ]
    assert phases[-1][1] == "None"
    first = text.partition("### 2.")[0]
    assert "(PaiRedFlagEmergency.md)" in first
    assert all(f"({plan['id']}.md)" in text for plan in recommendations(package) if is_of_a_visit(plan))
    stages = section(page(out, "pathway.md"), "Stages")
    titles = [action["title"] for action in package.get(package.pathway)["action"]]
    assert re.findall(r"^### \d+\. (.+)$", stages, re.MULTILINE) == titles


def test_the_page_of_parameters_has_each_with_default_unit_and_basis(out: Path, package: artifacts.Package) -> None:
    rows = [row.split(" | ") for row in page(out, "parameters.md").splitlines() if row.startswith("| `")]
    by_name = {row[0].strip("| `"): row for row in rows}
    assert set(by_name) == {one.name for one in package.parameters}
    assert by_name["AdultAge"][2] == "18 years"
    assert by_name["EgfrStop"][2] == "30.0 mL/min/1.73 m2"
    assert by_name["MaxCardsView"][2:4] == ["2 cards", "service"]
    for one in package.parameters:
        assert flat(one.basis) in by_name[one.name][4]


def test_no_clinical_word_stands_in_the_generator() -> None:
    """Every clinical sentence comes from the content."""
    for path in Path(publish.__file__).parent.rglob("*.py"):
        text = path.read_text("utf-8").replace("ankle_cds", "").replace("ankle-cds", "")
        assert not re.search(r"(?i)ankle|impinge|x-ray|tender|nsaid|pain\b|inject|surg", text), path.name
