"""The checks of draft orders, one fixture each, on the logic that is published."""

from __future__ import annotations

from typing import Any

import pytest

from ankle_cds import artifacts
from cases_last import LAST_ORDER_CASES
from cases_orders import CHECKS, ORDER_CASES, OrderCase
from charts import NOW, encounter, patient, reason

ALL_ORDER_CASES = [*ORDER_CASES, *LAST_ORDER_CASES]


@pytest.fixture(scope="module")
def package() -> artifacts.Package:
    return artifacts.load_all()["posterior-ankle-impingement"]


def flattened(facts: list[Any]) -> list[Any]:
    return [one for fact in facts for one in (flattened(fact) if isinstance(fact, list) else [fact])]


def evaluate(package: artifacts.Package, case: OrderCase) -> Any:
    """Evaluate the logic on BASE, the facts and the drafts, as an order hook does."""
    chart = [*flattened(case.facts), *case.drafts]
    kinds = {resource["resourceType"] for resource in chart}
    chart += [] if "Patient" in kinds else [patient()]
    chart += [] if "Encounter" in kinds else [encounter()]
    chart += [reason()] if case.reasons is None else case.reasons
    drafts = [f"{draft['resourceType']}/{draft['id']}" for draft in case.drafts]
    given = {"EncounterId": "e1", "DraftOrderIds": drafts, **case.parameters}
    return package.program.evaluate(chart, now=NOW, parameters=given)


@pytest.mark.parametrize("case", ALL_ORDER_CASES, ids=[case.id for case in ALL_ORDER_CASES])
def test_the_checks_fire_as_the_specification_says(package: artifacts.Package, case: OrderCase) -> None:
    evaluation = evaluate(package, case)
    assert {check for check in CHECKS if evaluation[f"{check}Applies"]} == case.fires
    assert {name: evaluation[name] for name in case.also} == case.also


@pytest.mark.parametrize("case", ALL_ORDER_CASES, ids=[case.id for case in ALL_ORDER_CASES])
def test_the_words_of_a_check_fit_and_claim_nothing(package: artifacts.Package, case: OrderCase) -> None:
    evaluation = evaluate(package, case)
    for check in case.fires:
        plan = check.removesuffix("Critical").removesuffix("Warning")
        detail = evaluation[f"{check}Detail"]
        assert len(evaluation[f"{plan}Title"]) <= 139
        assert len(detail) <= 2000, len(detail)
        assert detail.startswith(("Critical:", "Warning:"))
        assert "**Recorded**\n\n- " in detail
        assert evaluation[f"{plan}Recorded"].startswith("**Also recorded**\n\n- ")
        for word in ("excluded", "ruled out", "no red flags", "diagnosed with", "not allergic", "safe ", "clear"):
            assert word not in detail.lower()


@pytest.mark.parametrize("case", ALL_ORDER_CASES, ids=[case.id for case in ALL_ORDER_CASES])
def test_a_check_has_one_level(package: artifacts.Package, case: OrderCase) -> None:
    evaluation = evaluate(package, case)
    for check in ("PaiNsaidOrderCheck", "PaiInjectionOrderCheck"):
        levels = [evaluation[f"{check}{level}Applies"] for level in ("Critical", "Warning")]
        assert evaluation[f"{check}Applies"] is (True in levels)
        assert levels != [True, True]
