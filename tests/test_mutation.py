"""A small, fixed part of the mutation check; all of it is `python tests/mutation --all`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "mutation"))

import laboratory
import run


@pytest.fixture(scope="module")
def bench() -> laboratory.Laboratory:
    return laboratory.Laboratory()


@pytest.mark.parametrize(("library", "size"), [("PaiLogic", 150), ("PaiCommon", 50)])
def test_a_broken_rule_is_noticed_by_a_case_or_explained(bench: laboratory.Laboratory, library: str, size: int) -> None:
    assert bench.wrong == []
    report = run.Report()
    for mutated in run.sampled(list(bench.every(library, [])), size):
        report.take(library, mutated.key, bench.killer(mutated), mutated.mutant.locator)
    assert report.survivors == []
    assert report.tallies[library]["killed"] > size * 0.9


def test_a_broken_rule_that_no_case_reads_survives(bench: laboratory.Laboratory) -> None:
    """The check itself can fail: without cases nothing is noticed."""
    mutated = next(bench.every("PaiLogic", ["AchillesSignCount"]))
    assert bench.killer(mutated)
    index = mutated.unit.index
    reads, likely = bench.reads[index], bench.likely[index]
    bench.reads[index], bench.likely[index] = [], []
    try:
        assert bench.killer(mutated) is None
    finally:
        bench.reads[index], bench.likely[index] = reads, likely


def test_a_broken_plan_activity_or_value_set_is_noticed_or_explained() -> None:
    report = run.Report()
    assert run.run_plans(report, 40) == []
    assert report.survivors == []
    assert set(report.tallies) == {"PlanDefinition", "ActivityDefinition", "ValueSet", "declarations"}


def test_every_explanation_names_one_mutant_and_a_reason() -> None:
    lines = (run.HERE / "equivalent.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    assert all(len(row) == 3 and len(row[2]) > 30 for row in rows)
    assert len({(row[0], row[1]) for row in rows}) == len(rows)
