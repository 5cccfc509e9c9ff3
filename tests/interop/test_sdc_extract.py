"""Another FHIRPath engine fills our extraction templates with the same Observations, and another SDC engine is asked.

Every difference stands with its reason in extraction-differences.tsv; one that is no longer there is removed.
"""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest
from toolchain import HERE, PROJECT, needs, node_folder, run

from ankle_cds import artifacts, forms
from ankle_cds.fhir import read_json_file, write_json
from responses import everything

pytestmark = [pytest.mark.interop, needs("node", "npm")]

DIFFERENCES = HERE / "extraction-differences.tsv"
FILLER = "fhirpath.js"


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """What the other engines make of every example response and of one that answers everything, by name of the case."""
    package = artifacts.load_all()["posterior-ankle-impingement"]
    known = forms.load(package)
    cases = {}
    for form in known.values():
        folder = PROJECT / "examples" / "forms" / form.id
        response = read_json_file(folder / "response.json")
        person = read_json_file(folder / "patient.json") if (folder / "patient.json").exists() else None
        cases[form.id] = (form, response, forms.extract(response, known, patient=person, where=form.id).bundle)
        whole = everything(form.id, status="amended")
        cases[f"{form.id}, all questions"] = (
            form,
            whole,
            forms.extract(whole, known, patient=None, where=form.id).bundle,
        )
    job = [
        {"id": name, "questionnaire": package.get(form.url), "response": response}
        for name, (form, response, _) in cases.items()
    ]
    theirs = json.loads(run(["node", node_folder(HERE / "sdc_extract") / "run.mjs"], stdin=write_json(job).decode()))
    return {name: {"ours": ours, **theirs[name]} for name, (_, _, ours) in cases.items()}


def by_address(bundle: dict[str, Any]) -> dict[str, Any]:
    """Return the entries of a Bundle by method and the identifier they are saved under."""
    plain = json.loads(json.dumps(bundle, default=float))
    entries = plain.get("entry", [])
    return {f"{e['request']['method']} {e['request']['url'].partition('|')[2].partition(':')[2]}": e for e in entries}


def explained() -> list[dict[str, str]]:
    """Return the rows of extraction-differences.tsv."""
    with DIFFERENCES.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_another_engine_fills_the_templates_with_the_same_observations(
    answers: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Entry by entry; what only one of the two gives is listed with its reason."""
    listed = {(row["form"], row["entry"]) for row in explained() if row["engine"] == FILLER}
    compared, different, found = 0, [], set()
    for name, answer in answers.items():
        ours, theirs = by_address(answer["ours"]), by_address(answer["filled"])
        for address in sorted(ours.keys() | theirs.keys()):
            compared += 1
            if ours.get(address) != theirs.get(address):
                key = (name, address.partition(" ")[2])
                found.add(key)
                if key not in listed:
                    different.append(f"{name} {address}: ours {ours.get(address)}, theirs {theirs.get(address)}")
    assert not different, "\n".join(different[:20])
    assert found == listed, "remove what no longer differs from extraction-differences.tsv"
    with capsys.disabled():
        print(f" {compared} entries compared, {len(found)} different and explained", end="")  # noqa: T201 -- the figures are the result
    assert compared > 200


def test_the_other_sdc_engine_says_that_it_cannot(answers: dict[str, Any]) -> None:
    """As long as it extracts nothing it must say so; when it learns to, its row goes and the Bundles are compared."""
    rows = [row for row in explained() if row["engine"].startswith("@aehrc/sdc-template-extract")]
    assert [row["form"] for row in rows] == ["*"]
    assert all(row["reason"].strip() for row in explained())
    for answer in answers.values():
        assert answer["aehrc"]["entries"] == 0
        assert any("does not contain any" in text for text in answer["aehrc"]["said"])
