"""Profiles: what a record must look like for the rules to see it, and the check that says so."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from ankle_cds import artifacts, stories, validate
from ankle_cds.errors import AnkleCdsError, ContentError
from ankle_cds.fhir import read_yaml, write_json
from ankle_cds.fhir.definitions import Element, r4
from ankle_cds.validate.examples import Example, Examples, ProfileExamples, examples_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Resource = dict[str, Any]

NAMES = sorted(path.stem for path in examples_folder().glob("Pai*.yaml"))
FINDINGS = "https://w3id.org/ankle-cds/CodeSystem/pai-findings"
# Code systems of FHIR itself, which the required bindings of its own elements and its extensible ones name.
FHIR_SYSTEMS = ("http://terminology.hl7.org/CodeSystem/", "http://unitsofmeasure.org")


EMPTY = Element({})


@pytest.fixture(scope="module")
def package() -> artifacts.Package:
    (only,) = artifacts.load_all().values()
    return only


@pytest.fixture(scope="module")
def examples(package: artifacts.Package) -> Examples:
    return validate.read_examples(package)


def errors(resource: Resource, of: ProfileExamples, package: artifacts.Package) -> set[tuple[str, str]]:
    found = validate.breaches(resource, of.profile, package.value_sets)
    return {(item.kind, item.rule) for item in found if item.severity == "error"}


def plain(value: Any) -> Any:
    """A copy that can be changed."""
    return json.loads(write_json(value))


# ---------------------------------------------------------------- examples


def test_every_case_feature_has_examples(
    package: artifacts.Package, examples: Examples, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two valid ones at least, three invalid ones at least; nothing is left without."""
    profiles = {profile.id for profile in validate.profiles(package)}
    assert examples.of.keys() == profiles == set(NAMES)
    assert all(len(of.valid) >= 2 and len(of.invalid) >= 3 for of in examples.of.values())
    with capsys.disabled():
        valid, invalid = (sum(len(getattr(of, name)) for of in examples.of.values()) for name in ("valid", "invalid"))
        print(f" {len(profiles)} profiles, {valid} valid and {invalid} invalid examples", end="")  # noqa: T201 -- the figures are the result


@pytest.mark.parametrize("name", NAMES)
def test_valid_examples_break_no_rule(name: str, package: artifacts.Package, examples: Examples) -> None:
    of = examples.of[name]
    for example in of.valid:
        assert not validate.breaches(example.resource, of.profile, package.value_sets), example.name


@pytest.mark.parametrize("name", NAMES)
def test_invalid_examples_break_the_named_rule_and_no_other(
    name: str, package: artifacts.Package, examples: Examples
) -> None:
    of = examples.of[name]
    for example in of.invalid:
        found = validate.breaches(example.resource, of.profile, package.value_sets)
        assert [(item.kind, item.rule) for item in found] == [example.breaks], example.name


def test_every_constraint_of_ours_is_broken_by_an_example(package: artifacts.Package, examples: Examples) -> None:
    """A constraint that no example breaks could be true of everything."""
    ours = {
        (profile["id"], constraint["key"])
        for profile in package.of_type("StructureDefinition")
        for element in profile["differential"]["element"]
        for constraint in element.get("constraint", ())
    }
    broken = {key for _, key in ours if any((("invariant", key) == e.breaks) for e in _invalid(examples))}
    assert {key for _, key in ours} == broken


def _invalid(examples: Examples) -> Iterator[Example]:
    for of in examples.of.values():
        yield from of.invalid


@pytest.mark.parametrize("name", NAMES)
def test_what_a_profile_requires_cannot_be_left_out(name: str, package: artifacts.Package, examples: Examples) -> None:
    """Each required element, taken out of a valid example, is missed by its name; by no rule of another kind."""
    of = examples.of[name]
    required = [
        element["id"]
        for element in package.get(of.profile.url)["differential"]["element"]
        if element.get("min", 0) > 0 and ":" not in element["id"]
    ]
    for identity in required:
        stem = identity.rpartition(".")[2].removesuffix("[x]")
        resource = {key: value for key, value in of.valid[0].resource.items() if not key.startswith(stem)}
        assert errors(resource, of, package) == {("minimum", identity)}


@pytest.mark.parametrize("name", NAMES)
def test_required_bindings_and_patterns_are_asked(name: str, package: artifacts.Package, examples: Examples) -> None:
    """A code of nowhere in a bound or fixed element is refused under the element's name."""
    of = examples.of[name]
    for step, element in of.profile.elements.children.items():
        bound = element.definition.get("binding", {}).get("strength") == "required"
        stem = f"{step.removesuffix('[x]')}CodeableConcept" if step.endswith("[x]") else step
        if "CodeableConcept" not in element.types or stem not in of.valid[0].resource:
            continue
        if bound or "patternCodeableConcept" in element.definition:
            nowhere = {"coding": [{"system": "http://example.org/nowhere", "code": "x"}], "text": "x"}
            found = errors({**of.valid[0].resource, stem: nowhere}, of, package)
            assert ("binding" if bound else "pattern", element.id) in found


def test_examples_use_only_codes_of_our_value_sets(package: artifacts.Package, examples: Examples) -> None:
    """Also the wrong answers are answers to something."""
    members = frozenset().union(*package.value_sets.values())
    patterns = [dict(of.profile.elements.children.get("code", EMPTY).definition) for of in examples.of.values()]
    fixed = set(_codings(patterns))
    for of in examples.of.values():
        for example in (*of.valid, *of.invalid):
            for system, code in _codings(example.resource):
                known = (system, code) in members | fixed or system.startswith(FHIR_SYSTEMS)
                assert known, (
                    example.name,
                    system,
                    code,
                )


def _codings(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        if "system" in node and "code" in node:
            yield node["system"], node["code"]
        for value in node.values():
            yield from _codings(value)
    elif isinstance(node, list):
        for item in node:
            yield from _codings(item)


def test_a_component_of_another_kind_is_left_alone(package: artifacts.Package, examples: Examples) -> None:
    """Slices are open: only what has the code of a slice is asked its rules."""
    of = examples.of["PaiActivityExposure"]
    other = {"code": {"text": "Shoes worn"}, "valueString": "pointe shoes"}
    resource = plain(of.valid[0].resource)
    resource["component"] += [other, other]
    assert not errors(resource, of, package)


# ---------------------------------------------------------------- features

FACTS = [
    {"resourceType": "Patient", "id": "example", "birthDate": "1990-01-01"},
    {
        "resourceType": "Encounter",
        "id": "visit",
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": "Patient/example"},
    },
    {
        "resourceType": "Condition",
        "id": "example",
        "subject": {"reference": "Patient/example"},
        "code": {"coding": [{"system": FINDINGS, "code": "posterior-ankle-pain"}]},
    },
]


def feature(package: artifacts.Package, of: ProfileExamples, examples: Examples, *resources: Resource) -> Any:
    """Evaluate the feature expression of a profile on a patient in a visit, with these records."""
    (expression,) = {
        extension["valueExpression"]["expression"]
        for extension in package.get(of.profile.url)["extension"]
        if extension["url"].endswith("cpg-featureExpression")
    }
    side = {"EvaluationSide": side} if (side := _side(resources)) else {}
    parameters = {"EncounterId": "visit", **side}
    return package.program.evaluate([*FACTS, *resources], now=examples.clock, parameters=parameters)[expression]


def _side(resources: tuple[Resource, ...]) -> str | None:
    text = json.dumps([plain(resource) for resource in resources])
    return "left" if "7771000" in text or "M76.62" in text else "right" if "24028007" in text else None


@pytest.mark.parametrize("name", NAMES)
def test_the_logic_sees_what_the_profile_describes(name: str, package: artifacts.Package, examples: Examples) -> None:
    """Each valid example makes the feature known, or leaves it unknown where it says so; without it, it is absent.

    An inferred feature is not read from a record: it follows from the first examples of what it is inferred from.
    """
    of = examples.of[name]
    beside = [examples.of[other].valid[0].resource for other in of.read_with]
    absent = feature(package, of, examples, *beside)
    assert not absent, absent
    if of.inferred_from:
        facts = [examples.of[other].valid[0].resource for other in of.inferred_from]
        assert feature(package, of, examples, *facts) is True
        return
    for example in of.valid:
        value = feature(package, of, examples, *beside, example.resource)
        present = value is not None and value != [] and (of.profile.type == "Observation" or value is not False)
        assert present is example.known, (example.name, value)


def test_every_item_of_the_forms_has_a_profile(package: artifacts.Package) -> None:
    """What a form asks and the logic reads is described: each item links to the profile of its code."""
    by_code = {
        coding["code"]: profile
        for profile in validate.profiles(package)
        if "code" in profile.elements.children
        for coding in profile.elements.children["code"].definition.get("patternCodeableConcept", {}).get("coding", ())
    }
    linked = re.compile(r"StructureDefinition/(\w+)#")
    for form in package.of_type("Questionnaire"):
        for item in _items(form):
            codes = [coding["code"] for coding in item.get("code", ()) if coding["system"] == FINDINGS]
            target = linked.search(item.get("definition", ""))
            if target is not None and codes and codes[0] in by_code:
                assert by_code[codes[0]].id == target[1], item["linkId"]


def _items(node: Resource) -> Iterator[Resource]:
    for item in node.get("item", ()):
        yield item
        yield from _items(item)


def test_the_side_rule_names_exactly_the_laterality_codes(package: artifacts.Package) -> None:
    """The expression spells the codes, so that any validator can ask it; they are those of the value set."""
    members = {code for _, code in package.value_sets["https://w3id.org/ankle-cds/ValueSet/PaiLaterality"]}
    spelled = {
        frozenset(re.findall(r"'(\d+)'", constraint["expression"]))
        for profile in package.of_type("StructureDefinition")
        for element in profile["differential"]["element"]
        for constraint in element.get("constraint", ())
        if constraint["key"] == "pai-side"
    }
    assert spelled == {frozenset(members)}


def test_every_record_in_the_example_charts_is_what_its_profile_says(package: artifacts.Package) -> None:
    """The stories show records as the profiles want them."""
    found = 0
    for story in stories.read_all():
        for item in validate.check_file(story.chart(), [package]):
            found += item.profile is not None
            assert item.valid, (story.id, item.location, [breach.rule for breach in item.breaches])
    assert found > 150


# ---------------------------------------------------------------- snapshots


def test_a_snapshot_says_all_that_its_differential_says(package: artifacts.Package) -> None:
    """Every value of the differential stands in the snapshot; every element of the type stands there too."""
    for profile in package.of_type("StructureDefinition"):
        elements = {element["id"]: element for element in profile["snapshot"]["element"]}
        assert elements.keys() >= {element["id"] for element in r4().elements(profile["type"])}
        for written in profile["differential"]["element"]:
            made = elements[written["id"]]
            for key, value in written.items():
                if key in {"constraint", "extension"}:
                    keys = "key" if key == "constraint" else "valueCode"
                    assert {item[keys] for item in value} <= {item.get(keys) for item in made[key]}
                elif key == "type":
                    assert [entry["code"] for entry in made[key]] == [entry["code"] for entry in value]
                else:
                    assert made[key] == value, (profile["id"], written["id"], key)


def test_a_snapshot_keeps_what_the_differential_leaves_alone(package: artifacts.Package) -> None:
    base = {element["id"]: element for element in r4().elements("Observation")}
    profile = package.get("https://w3id.org/ankle-cds/StructureDefinition/PaiPainLocation")
    changed = {element["id"] for element in profile["differential"]["element"]}
    for element in profile["snapshot"]["element"]:
        if element["id"] not in changed:
            assert element == base[element["id"]]


def test_a_slice_brings_all_below_it_behind_what_is_sliced(package: artifacts.Package) -> None:
    profile = package.get("https://w3id.org/ankle-cds/StructureDefinition/PaiActivityExposure")
    ids = [element["id"] for element in profile["snapshot"]["element"]]
    below = [identity for identity in ids if identity.startswith("Observation.component.")]
    sliced = [identity for identity in ids if identity.startswith("Observation.component:hours.")]
    assert [item.replace(":hours", "") for item in sliced] == below
    assert ids.index("Observation.component:hours") == ids.index(below[-1]) + 1


# ---------------------------------------------------------------- authoring mistakes


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"profile": "PaiUnknown"}, "named after the profile"),
        ({"valid": [{"says": "x"}]}, "at least 2 examples"),
        ({"typo": "x"}, "`typo` is not known here"),
        ({"invalid": [{"says": "x", "without": ["nothing"], "breaks": {"a": "b"}}] * 3}, "elements that are there"),
        ({"invalid": [{"says": "x", "breaks": {"a": "b", "c": "d"}}] * 3}, "the one rule that is broken"),
    ],
)
def test_a_file_of_examples_that_is_not_understood_is_refused(
    change: Resource, said: str, tmp_path: Path, package: artifacts.Package
) -> None:
    for path in examples_folder().glob("*.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    changed = tmp_path / "PaiDeformity.yaml"
    changed.write_text(json.dumps({**read_yaml(changed).data, **change}), "utf-8")
    with pytest.raises(ContentError, match=said) as refused:
        validate.read_examples(package, tmp_path)
    assert refused.value.where is not None
    assert "PaiDeformity.yaml:" in refused.value.where


def test_an_example_that_breaks_another_rule_than_it_says_is_reported(
    tmp_path: Path, package: artifacts.Package
) -> None:
    for path in examples_folder().glob("*.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    changed = tmp_path / "PaiDeformity.yaml"
    text = changed.read_text("utf-8")
    changed.write_text(text.replace("{invariant: pai-side}", "{minimum: Observation.bodySite}", 1), "utf-8")
    (found,) = validate.check_examples(package, validate.read_examples(package, tmp_path))
    assert "should break minimum of Observation.bodySite and breaks invariant of pai-side" in found.message


def test_a_profile_without_examples_is_refused(tmp_path: Path, package: artifacts.Package) -> None:
    for path in examples_folder().glob("*.yaml"):
        if path.stem != "PaiDeformity":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ContentError, match="PaiDeformity has no examples"):
        validate.read_examples(package, tmp_path)


# ---------------------------------------------------------------- robustness


def test_no_wrong_shape_is_a_crash_or_passes(package: artifacts.Package, examples: Examples) -> None:
    """Whatever stands where something else should, the check answers; a value of another shape is never valid."""
    for name in ("PaiActivityExposure", "PaiConservativeCarePlan", "PaiEgfr", "PaiWorkingDiagnosis", "PaiSurgeryDone"):
        of = examples.of[name]
        for example in of.valid:
            for key in example.resource.keys() - {"id", "resourceType"}:
                for wrong in (
                    None,
                    "",
                    [],
                    {},
                    [None],
                    [[]],
                    [{}],
                    {"x": {}},
                    [{"extension": 5}],
                    5,
                    True,
                    [[{"a": 1}]],
                ):
                    changed = {**plain(example.resource), key: copy.deepcopy(wrong)}
                    assert errors(changed, of, package), (example.name, key, wrong)


def test_nothing_of_the_record_is_repeated(package: artifacts.Package, examples: Examples) -> None:
    """Every text, number and unknown name of a broken record is a secret; none comes back."""
    secret = "Zaphod1234"  # noqa: S105 -- stands for anything a patient would not want to be repeated
    of = examples.of["PaiImagingFinding"]
    for example in (of.valid[0], of.invalid[0]):
        for key in example.resource.keys() - {"resourceType", "meta"}:
            for value in (secret, [secret], {secret: secret}, {"coding": [{"system": secret, "code": secret}]}):
                changed = {**example.resource, key: value, f"{secret} {secret}": secret}
                report = validate.check_file(changed, [package])
                assert not report[0].valid
                said = json.dumps(validate.as_json(report)).replace(f"{secret} {secret}", secret)
                assert said.count(secret) == said.count(f".{secret}"), said


# ---------------------------------------------------------------- reports


def test_a_claimed_profile_goes_before_one_found_by_code(package: artifacts.Package, examples: Examples) -> None:
    resource = plain(examples.of["PaiDeformity"].valid[0].resource)
    (claimed,) = validate.check_file(resource, [package])
    del resource["meta"]
    (found,) = validate.check_file(resource, [package])
    assert (claimed.reason, found.reason) == ("claimed in meta.profile", "found by its code")
    assert claimed.profile == found.profile
    (named,) = validate.check_file(resource, [package], "PaiOpenInjury")
    assert {breach.rule for breach in named.breaches} == {"Observation.code"}


def test_a_resource_of_another_type_is_refused_by_the_named_profile(package: artifacts.Package) -> None:
    (checked,) = validate.check_file({"resourceType": "Patient", "id": "x"}, [package], "PaiOpenInjury")
    assert [breach.kind for breach in checked.breaches] == ["type"]


def test_a_resource_no_profile_is_about_is_asked_for_its_shape(package: artifacts.Package) -> None:
    right = {"resourceType": "Patient", "id": "x"}
    bundle = {"resourceType": "Bundle", "entry": [{"resource": right}, {"resource": {**right, "birthday": "x"}}, {}]}
    first, second = validate.check_file(bundle, [package])
    assert first.valid
    assert [breach.path for breach in second.breaches] == ["birthday"]
    assert second.location == ("entry", 1, "resource")


@pytest.mark.parametrize("data", [None, {"resourceType": "Bundle"}, {"resourceType": "Bundle", "entry": 5}])
def test_a_file_without_a_resource_is_not_called_valid(data: Any, package: artifacts.Package) -> None:
    with pytest.raises(AnkleCdsError, match="holds no resource"):
        validate.check_file(data, [package])


@pytest.mark.parametrize(
    "data", [[], 5, {}, {"resourceType": ""}, {"resourceType": "Bundle", "entry": [{"resource": 5}]}]
)
def test_what_is_no_resource_is_not_valid(data: Any, package: artifacts.Package) -> None:
    (checked,) = validate.check_file(data, [package])
    assert not checked.valid
