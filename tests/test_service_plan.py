"""The published pathway is the CDS service: what is changed in its resources changes in discovery and on the cards.

https://github.com/HL7/cds-hooks-clinical-reasoning, profile cdshooksserviceplandefinition: one endpoint, and of each
action title, description, priority, trigger, condition, type, selectionBehavior and definition are supported.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from ankle_cds import artifacts, stories
from ankle_cds.errors import ContentError
from ankle_cds.service import background, create_app
from ankle_cds.settings import load

PACKAGE = artifacts.load_all()["posterior-ankle-impingement"]
STORY = next(one for one in stories.read_all() if one.id == "dancer-first-visit-pattern-fits")
PLAN = "PaiOrderLateralRadiograph.yaml"
CLAIM = "http://hl7.org/fhir/uv/cds-hooks-clinical-reasoning/StructureDefinition/cdshooksserviceplandefinition"
ENDPOINT = "http://hl7.org/fhir/StructureDefinition/cqf-cdsHooksEndpoint"

Card = dict[str, Any] | None
Look = Callable[[Card], Any]


def changed(folder: Path, *changes: tuple[str, str], plan: str = PLAN) -> artifacts.Package:
    """Give the package with one plan rewritten; each text stands in it."""
    content = folder / "content"
    shutil.copytree(PACKAGE.folder, content)
    file = content / "plans" / plan
    for old, new in changes:
        assert old in file.read_text("utf-8")
        for one in (file, content / "translations" / "es.yaml"):
            one.write_text(one.read_text("utf-8").replace(old, new), "utf-8")
    return artifacts.load(content)


def served(package: artifacts.Package) -> tuple[list[dict[str, Any]], Card]:
    """Give discovery, and the card of the plan for the patient of the story, None where none came."""
    settings = load(environment={}, mode="development", port=0, request_deadline=60.0)
    app = create_app({package.service_id: package}, settings, lambda: STORY.clock)
    with background(app, settings) as url, httpx.Client(base_url=url, trust_env=False) as client:
        services = client.get("/cds-services").json()["services"]
        answer = client.post(
            f"/cds-services/{package.service_id}", json=json.loads(STORY.request_file.read_text("utf-8"))
        )
    assert answer.status_code == 200
    cards = {card["source"]["topic"]["code"]: card for card in answer.json()["cards"]}
    return services, cards.get("PaiOrderLateralRadiograph")


def first(card: Card) -> Any:
    assert card is not None
    return card["suggestions"][0]


CHANGES: dict[str, tuple[tuple[tuple[str, str], ...], Look, Any]] = {
    "title of the action": (
        (("expression: PaiOrderLateralRadiographTitle", "expression: PaiStartConservativeCareTitle"),),
        lambda card: card and card["summary"].startswith("Start first-line care"),
        True,
    ),
    "description of the action": (
        (("expression: PaiOrderLateralRadiographDetail", "expression: PaiStartConservativeCareDetail"),),
        lambda card: card and "Conservative care is first-line" in card["detail"],
        True,
    ),
    "priority": (
        (
            ("priority: routine", "priority: urgent"),
            ("expression: PaiOrderLateralRadiographDetail", "expression: PaiUrgentWorkupDetail"),
        ),
        lambda card: card and card["indicator"],
        "warning",
    ),
    "trigger": ((("{type: named-event, name: encounter-start}\n      - ", ""),), lambda card: card, None),
    "condition": (
        (("expression: PaiOrderLateralRadiographApplies", "expression: PaiRedFlagEmergencyApplies"),),
        lambda card: card,
        None,
    ),
    "selectionBehavior": (
        (("selectionBehavior: any", "selectionBehavior: at-most-one"),),
        lambda card: card and card["selectionBehavior"],
        "at-most-one",
    ),
    "title of an order": (
        (("Order lateral ankle X-ray", "Order another picture"),),
        lambda card: first(card)["label"],
        "Order another picture",
    ),
    "description of an order": (
        (("Order a lateral X-ray of the painful ankle, routine.", "Ask for it."),),
        lambda card: first(card)["actions"][0]["description"],
        "Ask for it.",
    ),
    "condition of an order": (
        (("expression: OfferWorkingDiagnosis", "expression: PaiRedFlagEmergencyApplies"),),
        lambda card: card and len(card["suggestions"]),
        3,
    ),
    "definition of an order": (
        (("ActivityDefinition/PaiLateralRadiographOrder", "ActivityDefinition/PaiPosteriorImpingementViewOrder"),),
        lambda card: first(card)["actions"][0]["resource"]["code"]["text"],
        "Ankle X-ray, posterior impingement view (local protocol)",
    ),
}


@pytest.fixture(scope="module")
def published() -> tuple[list[dict[str, Any]], Card]:
    return served(PACKAGE)


@pytest.mark.parametrize("name", CHANGES)
def test_what_the_plan_says_is_what_the_service_does(
    name: str, published: tuple[list[dict[str, Any]], Card], tmp_path: Path
) -> None:
    """M-05 to M-12: no element of the plan is repeated in code."""
    changes, look, expected = CHANGES[name]
    assert look(published[1]) != expected
    assert look(served(changed(tmp_path, *changes))[1]) == expected


def test_title_and_description_of_the_pathway_are_those_of_the_service(tmp_path: Path) -> None:
    edits = (
        ("title: Posterior Ankle Impingement Pathway", "title: Another Title"),
        ("Recommendations for", "Words on"),
    )
    services, _ = served(changed(tmp_path, *edits, plan="PaiPathway.yaml"))
    assert {entry["title"] for entry in services} == {"Another Title"}
    assert all(entry["description"].startswith("Words on suspected") for entry in services)


def test_the_service_is_found_under_the_endpoint_the_pathway_names(tmp_path: Path) -> None:
    edit = ("/cds-services/posterior-ankle-impingement", "/cds-services/another-address")
    services, _ = served(changed(tmp_path, edit, plan="PaiPathway.yaml"))
    assert {entry["id"] for entry in services} == {"another-address"}


def test_hooks_are_those_the_recommendations_are_triggered_by(published: tuple[list[dict[str, Any]], Card]) -> None:
    plans = PACKAGE.of_type("PlanDefinition")
    named = {
        trigger["name"]
        for plan in plans
        for action in plan["action"]
        for trigger in action.get("trigger", ())
        if trigger["type"] == "named-event"
    }
    assert {entry["hook"] for entry in published[0]} == named


def test_exactly_the_pathway_claims_to_be_the_service_and_has_its_one_endpoint() -> None:
    claimed = [plan for plan in PACKAGE.of_type("PlanDefinition") if CLAIM in plan["meta"]["profile"]]
    assert [plan["url"] for plan in claimed] == [PACKAGE.pathway]
    assert [one["url"] for one in claimed[0]["extension"]].count(ENDPOINT) == 1


@pytest.mark.parametrize("element", ["participant", "transform"])
def test_what_could_not_be_done_is_refused_and_not_left_out(element: str, tmp_path: Path) -> None:
    value = {"participant": "[{type: practitioner}]", "transform": "https://example.org/StructureMap/x"}[element]
    edit = ("    priority: routine\n", f"    priority: routine\n    {element}: {value}\n")
    settings = load(environment={}, mode="development", port=0)
    package = changed(tmp_path, edit)
    with pytest.raises(ContentError) as refused:
        create_app({package.service_id: package}, settings, lambda: STORY.clock)
    [cause] = refused.value.causes
    file, _, line = (cause.where or "").rpartition(":")
    assert file == str(package.folder / "plans" / PLAN)
    assert element in Path(file).read_text("utf-8").splitlines()[int(line) - 1]
