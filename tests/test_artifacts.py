"""The built package: what can be derived is, what is published resolves, and the same content gives the same bytes."""

from __future__ import annotations

import base64
import copy
import json
import shutil
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import ankle_cds
from ankle_cds import artifacts, fhir, validate
from ankle_cds.errors import ContentError

BASE = Path(__file__).parent / "broken" / "_base"
CONTENT = Path(ankle_cds.__file__).parent / "content" / "posterior-ankle-impingement"
CANONICAL = "https://w3id.org/ankle-cds"
HL7 = "http://hl7.org/fhir/StructureDefinition/"


@pytest.fixture(scope="module")
def package() -> artifacts.Package:
    return artifacts.load(CONTENT)


@pytest.fixture
def toy_folder(tmp_path: Path) -> Path:
    shutil.copytree(BASE, tmp_path, dirs_exist_ok=True)
    shutil.copy(CONTENT / "logic" / "FHIRHelpers.cql", tmp_path / "content" / "logic")
    shutil.copy(CONTENT / "logic" / "elm" / "FHIRHelpers.json", tmp_path / "content" / "logic" / "elm")
    return tmp_path / "content"


@pytest.fixture
def toy(toy_folder: Path) -> artifacts.Package:
    return artifacts.load(toy_folder, profiles=toy_folder.parent / "profiles")


def extensions(resource: dict[str, Any], url: str) -> list[dict[str, Any]]:
    return [extension for extension in resource.get("extension", []) if extension["url"] == url]


class TestTheRealContent:
    def test_it_loads_and_every_artifact_has_the_shape_of_fhir_r4(self, package: artifacts.Package) -> None:
        assert package.service_id == "posterior-ankle-impingement"
        assert validate.check(package) == ()

    def test_two_builds_are_byte_identical(self, package: artifacts.Package, tmp_path: Path) -> None:
        first = artifacts.write(package, tmp_path / "first")
        second = artifacts.write(artifacts.load(CONTENT), tmp_path / "second")
        assert [path.name for path in first] == [path.name for path in second]
        assert all(one.read_bytes() == two.read_bytes() for one, two in zip(first, second, strict=True))

    def test_load_is_fast_enough_to_start_a_service(self) -> None:
        """It takes 1 to 1.5 seconds of processor time; the limit leaves room for a slower machine."""
        start = time.process_time()
        artifacts.load(CONTENT)
        assert time.process_time() - start < 4

    def test_url_name_version_and_dates_are_those_of_the_package(self, package: artifacts.Package) -> None:
        for url, resource in package.resources.items():
            assert url == resource["url"] == f"{CANONICAL}/{resource['resourceType']}/{resource['id']}"
            assert resource["version"] == package.version
            assert resource["status"] == "draft"
            assert resource["experimental"] is True
            assert resource["date"] == "2026-11-22"
            assert resource["name"][0].isupper()

    def test_every_artifact_says_what_it_is_for_and_when_it_was_reviewed(self, package: artifacts.Package) -> None:
        for resource in package.resources.values():
            reviewed = [item["valueDate"] for item in extensions(resource, f"{HL7}resource-lastReviewDate")]
            assert resource.get("lastReviewDate", *reviewed) == "2026-04-27"
            assert all(resource[element] for element in ("title", "description", "publisher", "copyright"))
            purposes = [item["valueMarkdown"] for item in extensions(resource, f"{HL7}artifact-purpose")]
            assert resource.get("purpose", *purposes)

    def test_claimed_levels_and_stated_levels_agree(self, package: artifacts.Package) -> None:
        for resource in package.resources.values():
            profiles = resource["meta"]["profile"]
            assert len(set(profiles)) == len(profiles)
            stated = {item["valueCode"] for item in extensions(resource, f"{HL7}cqf-knowledgeCapability")}
            assert {"shareable", "publishable"} <= stated
            claimed = {level for level in ("shareable", "publishable") if any(f"-{level}" in url for url in profiles)}
            assert claimed == {"shareable", "publishable"}

    def test_a_questionnaire_states_its_version_algorithm_twice(self, package: artifacts.Package) -> None:
        """SDC asks for the cross-version extension beside the one of CRMI."""
        url = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Questionnaire.versionAlgorithm[x]"
        for form in package.of_type("Questionnaire"):
            assert len(extensions(form, url)) == len(extensions(form, f"{HL7}artifact-versionAlgorithm")) == 1

    def test_source_and_translation_are_embedded_byte_for_byte(self, package: artifacts.Package) -> None:
        library = package.get(f"{CANONICAL}/Library/PaiLogic")
        content = {part["contentType"]: base64.b64decode(part["data"]) for part in library["content"]}
        assert content == {
            "text/cql": (CONTENT / "logic" / "PaiLogic.cql").read_bytes(),
            "application/elm+json": (CONTENT / "logic" / "elm" / "PaiLogic.json").read_bytes(),
        }

    def test_every_parameter_is_published_with_default_and_basis(self, package: artifacts.Package) -> None:
        library = package.get(f"{CANONICAL}/Library/PaiLogic")
        inputs = {item["name"]: item for item in library["parameter"] if item["use"] == "in"}
        assert inputs.keys() == package.program.parameters.keys()
        assert all(item["documentation"] for item in inputs.values())
        window = inputs["AssessmentWindowDays"]
        assert (window["type"], window["max"]) == ("integer", "1")
        assert extensions(window, f"{HL7}cqf-defaultValue")[0]["valueInteger"] == 30

    def test_the_standard_library_is_run_but_not_published(self, package: artifacts.Package) -> None:
        """Another library under its name would take its place on a server."""
        assert not any(resource["id"] == "FHIRHelpers" for resource in package.resources.values())
        needed = [
            item["resource"]
            for item in package.get(f"{CANONICAL}/Library/PaiLogic")["relatedArtifact"]
            if "resource" in item
        ]
        assert "http://hl7.org/fhir/Library/FHIRHelpers|4.0.1" in needed

    def test_an_icd_family_is_expanded_with_every_descendant(self, package: artifacts.Package) -> None:
        url = f"{CANONICAL}/ValueSet/PaiReasonNonSpecific"
        icd = "http://hl7.org/fhir/sid/icd-10-cm"
        assert {(icd, "M25.57"), (icd, "M25.571"), (icd, "M25.572"), (icd, "M25.579")} <= package.value_sets[url]

    def test_every_expansion_is_dated_counted_and_versioned(self, package: artifacts.Package) -> None:
        for value_set in package.of_type("ValueSet"):
            expansion = value_set["expansion"]
            assert expansion["total"] == len(expansion["contains"]) == len(package.value_sets[value_set["url"]])
            assert expansion["timestamp"] == value_set["date"]
            versioned = {item["valueString"].partition("|")[0] for item in expansion["parameter"]}
            assert versioned == {member["system"] for member in expansion["contains"]}

    def test_the_manifest_lists_every_other_artifact_once(self, package: artifacts.Package) -> None:
        manifest = package.get(f"{CANONICAL}/Library/PaiManifest")
        listed = [item["resource"] for item in manifest["relatedArtifact"] if item["type"] == "composed-of"]
        others = [f"{url}|{package.version}" for url in package.resources if url != manifest["url"]]
        assert sorted(listed) == sorted(others)
        assert "content" not in manifest

    def test_dependencies_outside_the_package_are_in_the_manifest(self, package: artifacts.Package) -> None:
        manifest = package.get(f"{CANONICAL}/Library/PaiManifest")
        listed = {
            item["resource"].partition("|")[0] for item in manifest["relatedArtifact"] if item["type"] == "depends-on"
        }
        for resource in package.resources.values():
            for profile in resource["meta"]["profile"]:
                assert profile in listed

    def test_a_hook_asks_only_for_what_its_recommendations_read(self, package: artifacts.Package) -> None:
        by_key = {item.key: item for item in package.inputs}
        assert by_key["encounter"].hooks == ("encounter-start",)
        assert by_key["encounters"].hooks == ("patient-view", "order-select", "order-sign")
        assert by_key["reports"].hooks == ("encounter-start", "patient-view")
        assert by_key["safetyLabs"].pattern.count("http://loinc.org|") == 14

    def test_no_template_is_too_long_for_a_url(self, package: artifacts.Package) -> None:
        assert all(len(item.pattern) < 1000 for item in package.inputs)

    def test_effective_data_requirements_hold_the_prefetch_queries(self, package: artifacts.Package) -> None:
        plan = package.get(f"{CANONICAL}/PlanDefinition/PaiRedFlagEmergency")
        (library,) = [part for part in plan["contained"] if part["id"] == "effective-data-requirements"]
        queries = {item["valueString"] for need in library["dataRequirement"] for item in need["extension"]}
        assert queries <= {item.pattern for item in package.inputs}
        assert {need["type"] for need in library["dataRequirement"]} >= {
            "Patient",
            "Encounter",
            "Condition",
            "Observation",
        }

    def test_a_case_feature_names_the_recommendations_that_read_it(self, package: artifacts.Package) -> None:
        profile = package.get(f"{CANONICAL}/StructureDefinition/PaiCalfSqueezeTest")
        url = "http://hl7.org/fhir/uv/cpg/StructureDefinition/cpg-caseFeatureOf"
        readers = {item["valueCanonical"] for item in extensions(profile, url)}
        assert f"{CANONICAL}/PlanDefinition/PaiRedFlagEmergency" in readers

    def test_every_artifact_can_be_read_by_a_person(self, package: artifacts.Package) -> None:
        for resource in package.resources.values():
            assert resource["text"]["status"] == "generated"
            assert resource["text"]["div"].startswith('<div xmlns="http://www.w3.org/1999/xhtml"><h2>')

    @pytest.mark.parametrize(
        ("today", "words"),
        [("2026-11-22", None), ("2027-01-27", "in 90 days"), ("2027-04-27", "in 0 days"), ("2027-04-28", "was to be")],
    )
    def test_a_review_that_is_due_is_noticed(self, today: str, words: str | None, package: artifacts.Package) -> None:
        said = [notice for notice in artifacts.notices(package, date.fromisoformat(today)) if "review" in notice]
        assert len(said) == (0 if words is None else 1)
        assert all(str(words) in notice for notice in said)


class TestAPackage:
    def test_what_is_built_cannot_be_changed(self, toy: artifacts.Package) -> None:
        """Every request reads the same artifacts; a changed one would reach the next patient."""
        plan = toy.get(f"{CANONICAL}/PlanDefinition/ToyAdvice")
        with pytest.raises(TypeError, match="never changed"):
            plan["title"] = "x"
        with pytest.raises(TypeError, match="never changed"):
            plan["action"].append({})
        with pytest.raises(TypeError, match="never changed"):
            plan["action"][0].update(title="x")
        own = copy.deepcopy(plan)
        own["action"][0]["title"] = "x"
        assert plan["action"][0]["title"] == "Ankle pain is recorded"
        assert json.loads(json.dumps(plan)) == plan

    def test_a_canonical_is_found_with_and_without_version(self, toy: artifacts.Package) -> None:
        url = f"{CANONICAL}/PlanDefinition/ToyAdvice"
        assert toy.get(url) is toy.get(f"{url}|0.1.0")
        with pytest.raises(ContentError, match=r"ToyAdvice\|0\.2\.0"):
            toy.get(f"{url}|0.2.0")

    def test_a_place_in_an_artifact_is_a_line_of_its_author(self, toy: artifacts.Package) -> None:
        url = f"{CANONICAL}/PlanDefinition/ToyAdvice"
        line = toy.where(url, "action", 0, "priority")
        assert line.endswith("plans/ToyAdvice.yaml:14")
        assert toy.locate("PlanDefinition/ToyAdvice.action[0].priority") == line

    def test_an_authored_element_wins_over_the_shared_one(self, toy_folder: Path) -> None:
        path = toy_folder / "activities" / "ToyRest.yaml"
        path.write_text(path.read_text() + "publisher: Somebody else\n")
        package = artifacts.load(toy_folder, profiles=toy_folder.parent / "profiles")
        assert package.get(f"{CANONICAL}/ActivityDefinition/ToyRest")["publisher"] == "Somebody else"
        assert package.get(f"{CANONICAL}/PlanDefinition/ToyAdvice")["publisher"] == "The ankle-cds project"

    def test_what_a_type_lacks_becomes_its_extension(self, toy_folder: Path) -> None:
        settings = toy_folder / "package.yaml"
        settings.write_text(settings.read_text().replace("  purpose:", "  lastReviewDate: 2026-04-27\n  purpose:"))
        listed = toy_folder / "externals.yaml"
        listed.write_text(
            listed.read_text().replace("- cqf-cqlOptions", "- cqf-cqlOptions\n      - resource-lastReviewDate")
        )
        package = artifacts.load(toy_folder, profiles=toy_folder.parent / "profiles")
        assert package.get(f"{CANONICAL}/PlanDefinition/ToyAdvice")["lastReviewDate"] == "2026-04-27"
        value_set = package.get(f"{CANONICAL}/ValueSet/ToyPain")
        assert "lastReviewDate" not in value_set
        assert extensions(value_set, f"{HL7}resource-lastReviewDate")[0]["valueDate"] == "2026-04-27"

    def test_statements_carried_are_derived_from_the_labels(self, toy: artifacts.Package) -> None:
        related = toy.get(f"{CANONICAL}/PlanDefinition/ToyAdvice")["relatedArtifact"]
        assert {"type": "derived-from", "label": "S1", "display": "Rest helps"} in related

    def test_dependencies_are_traced_not_typed(self, toy: artifacts.Package) -> None:
        related = toy.get(f"{CANONICAL}/PlanDefinition/ToyAdvice")["relatedArtifact"]
        needed = [item["resource"] for item in related if item["type"] == "depends-on"]
        assert f"{CANONICAL}/ActivityDefinition/ToyRest" in needed
        assert f"{CANONICAL}/Library/ToyLogic" in needed
        assert len(set(needed)) == len(needed)

    def test_a_release_is_active_and_otherwise_the_same(self, toy: artifacts.Package, tmp_path: Path) -> None:
        drafts = [fhir.read_json_file(path) for path in artifacts.write(toy, tmp_path / "draft")]
        released = [fhir.read_json_file(path) for path in artifacts.write(toy, tmp_path / "release", release=True)]
        assert {resource["status"] for resource in released} == {"active"}
        parts = [part for resource in released for part in resource.get("contained", ()) if "status" in part]
        assert {part["status"] for part in parts} == {"active"}
        for part in [*released, *parts]:
            part["status"] = "draft"
        assert released == drafts

    def test_an_artifact_does_not_outlive_its_removal(self, toy: artifacts.Package, tmp_path: Path) -> None:
        out = tmp_path / "out"
        out.mkdir()
        (out / "PlanDefinition-ToyGone.json").write_text("{}")
        with pytest.raises(ContentError, match=r"ToyGone\.json is no artifact"):
            artifacts.write(toy, out)

    def test_a_folder_is_found_because_it_is_there(self, toy_folder: Path) -> None:
        """A new condition is a new folder, not a line in a list."""
        toys = artifacts.load_all(toy_folder.parent, profiles=toy_folder.parent / "profiles")
        assert set(toys) == {"toy"}
        assert set(artifacts.load_all()) == {"posterior-ankle-impingement"}

    def test_a_profile_of_no_condition_is_refused(self, toy_folder: Path) -> None:
        """It would otherwise be left out without a word."""
        (toy_folder.parent / "profiles" / "Stray.yaml").write_text("resourceType: StructureDefinition\nid: Stray\n")
        with pytest.raises(ContentError, match="belongs to no condition") as caught:
            artifacts.load_all(toy_folder.parent, profiles=toy_folder.parent / "profiles")
        assert str(caught.value.where).endswith("profiles/Stray.yaml:1")
