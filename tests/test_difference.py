"""`ankle-cds diff`, from outside: the real package, changed in one way, and the version step that this needs."""

from __future__ import annotations

import base64
import copy
import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ankle_cds import artifacts, cli, publish
from ankle_cds.publish import difference
from ankle_cds.publish.difference import Step
from ankle_cds.publish.difference.steps import made

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
CONTENT = ROOT / "src" / "ankle_cds" / "content" / "posterior-ankle-impingement"
OLD, DATE = "0.1.0", "2026-11-22"
BASE = "https://w3id.org/ankle-cds"

Artifacts = dict[str, Any]


def build(content: Path, out: Path) -> Path:
    publish.publish(artifacts.load(content, profiles=ROOT / "profiles"), out, stories=())
    return out


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(CONTENT, tmp_path_factory.mktemp("old") / "fhir")


@pytest.fixture(scope="module")
def few(old: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of the package: enough to be refused."""
    kept = [name for name in read(old) if name.startswith(("Impl", "CodeSystem", "Library-PaiConcepts"))]
    return write({name: read_one(old, name) for name in kept}, tmp_path_factory.mktemp("few"))


def read_one(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text("utf-8"))


def read(folder: Path) -> Artifacts:
    return {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("[A-Z]*-*.json")}


def write(held: Artifacts, folder: Path, version: str = OLD, date: str = DATE) -> Path:
    """Write artifacts as a build of that version and date would."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, one in held.items():
        if one["resourceType"] == "Library":
            encode(one, lambda text: text.replace(OLD, version))
        text = json.dumps(one, ensure_ascii=False).replace(OLD, version).replace(DATE, date)
        (folder / f"{name}.json").write_text(text, "utf-8")
    return folder


def encode(library: Any, change: Callable[[str], str], kind: str = "") -> None:
    for part in library.get("content", []):
        if kind in part["contentType"]:
            part["data"] = base64.b64encode(change(base64.b64decode(part["data"]).decode()).encode()).decode()


def told(capsys: pytest.CaptureFixture[str], *words: Any) -> tuple[int, Any]:
    code = cli.main(["diff", *map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.fixture
def compare(old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any]]:
    """Change the package, write it as a version, and compare."""

    def run(change: Callable[[Artifacts], None], version: str) -> tuple[int, Any]:
        held = read(old)
        change(held)
        return told(capsys, old, write(held, tmp_path / "new", version, "2027-01-15"))

    return run


def action(held: Artifacts) -> Any:
    return held["PlanDefinition-PaiOrderLateralRadiograph"]["action"][0]


def code_removed(held: Artifacts, name: str = "PaiAchillesDisorder") -> None:
    one = held[f"ValueSet-{name}"]
    gone = one["expansion"]["contains"].pop(0)
    for part in one["compose"]["include"]:
        part["concept"] = [each for each in part.get("concept", []) if each["code"] != gone["code"]]


def code_added(held: Artifacts) -> None:
    one = held["ValueSet-PaiAchillesDisorder"]
    new = {"code": "1", "display": "New"}
    one["compose"]["include"][0]["concept"].append(new)
    one["expansion"]["contains"].insert(0, {"system": "http://snomed.info/sct", **new})


def default_changed(held: Artifacts) -> None:
    def change(text: str) -> str:
        document = json.loads(text)
        (one,) = [each for each in document["library"]["parameters"]["def"] if each["name"] == "AdultAge"]
        assert one["default"]["value"] == "18"
        one["default"]["value"] = "21"
        return json.dumps(document)

    encode(held["Library-PaiLogic"], change, "elm")


def rule_changed(held: Artifacts) -> None:
    def change(text: str) -> str:
        document = json.loads(text)
        (one,) = [each for each in document["library"]["statements"]["def"] if each["name"] == "IsMinor"]
        one["expression"] = {"type": "Not", "operand": one["expression"]}
        return json.dumps(document)

    encode(held["Library-PaiLogic"], change, "elm")


def rule_moved(held: Artifacts) -> None:
    """A comment was added: every definition stands a line further down."""
    encode(held["Library-PaiLogic"], lambda text: text.replace("/*\n", "/*\nA comment.\n", 1), "cql")
    encode(held["Library-PaiLogic"], lambda text: text.replace('"locator":"10', '"locator":"11'), "elm")


def recommendation_added(held: Artifacts) -> None:
    one = copy.deepcopy(held["PlanDefinition-PaiOrderAdvancedImaging"])
    one |= {"id": "PaiNew", "name": "PaiNew", "url": f"{BASE}/PlanDefinition/PaiNew"}
    held["PlanDefinition-PaiNew"] = one
    way = {"id": "new", "title": "New", "definitionCanonical": one["url"]}
    held["PlanDefinition-PaiImagingStrategy"]["action"].append(way)
    topic = {"code": "PaiNew", "display": "New", "definition": "New."}
    held["CodeSystem-pai-card-topic"]["concept"].append(topic)
    held["CodeSystem-pai-card-topic"]["count"] += 1

    def define(text: str) -> str:
        document = json.loads(text)
        definitions = document["library"]["statements"]["def"]
        definitions.append({**definitions[-1], "name": "PaiNewApplies"})
        return json.dumps(document)

    encode(held["Library-PaiLogic"], define, "elm")


def recommendation_removed(held: Artifacts) -> None:
    del held["PlanDefinition-PaiOrderAdvancedImaging"]


def everywhere(held: Artifacts) -> None:
    for one in held.values():
        one["publisher"] = "Another publisher"


def narrower(held: Artifacts) -> None:
    held["StructureDefinition-PaiAchillesCondition"]["differential"]["element"][1]["min"] = 1


CHANGES: dict[str, tuple[Callable[[Artifacts], Any], str, str, str]] = {
    "a code gone from a set the rules read": (
        code_removed,
        "major",
        "ValueSet/PaiAchillesDisorder",
        "member[http://snomed.info/sct|11654001]",
    ),
    "a code gone from a list of answers": (
        lambda held: code_removed(held, "PaiAnswer"),
        "minor",
        "ValueSet/PaiAnswer",
        "member[",
    ),
    "a new code in a set": (code_added, "minor", "ValueSet/PaiAchillesDisorder", "member[http://snomed.info/sct|1]"),
    "another name of a code": (
        lambda held: held["ValueSet-PaiEgfr"]["expansion"]["contains"][0].update(display="Other"),
        "patch",
        "ValueSet/PaiEgfr",
        "member[",
    ),
    "a text": (
        lambda held: held["PlanDefinition-PaiPathway"].update(description="Said better."),
        "patch",
        "PlanDefinition/PaiPathway",
        "description",
    ),
    "what a button says": (
        lambda held: action(held)["action"][0].update(title="Order no X-ray"),
        "major",
        "PlanDefinition/PaiOrderLateralRadiograph",
        "action[order-lateral-radiograph].action[order-lateral-radiograph-view].title",
    ),
    "a condition": (
        lambda held: action(held)["condition"][0]["expression"].update(expression="Deceased"),
        "major",
        "PlanDefinition/PaiOrderLateralRadiograph",
        "action[order-lateral-radiograph].condition[applicability].expression.expression",
    ),
    "what a condition is called": (
        lambda held: action(held)["condition"][0]["expression"].update(description="Said better."),
        "patch",
        "PlanDefinition/PaiOrderLateralRadiograph",
        "action[order-lateral-radiograph].condition[applicability].expression.description",
    ),
    "the strength": (
        lambda held: action(held)["extension"][0]["valueCodeableConcept"]["coding"][0].update(code="strong-x"),
        "major",
        "PlanDefinition/PaiOrderLateralRadiograph",
        "action[order-lateral-radiograph].extension[cqf-strengthOfRecommendation]",
    ),
    "a parameter's default": (default_changed, "major", "Library/PaiLogic", "parameters[AdultAge].default.value"),
    "a rule": (rule_changed, "major", "Library/PaiLogic", "statements[IsMinor]"),
    "a comment in the logic": (rule_moved, "patch", "Library/PaiLogic", "text/cql"),
    "a new recommendation": (recommendation_added, "minor", "PlanDefinition/PaiNew", ""),
    "a recommendation gone": (recommendation_removed, "major", "PlanDefinition/PaiOrderAdvancedImaging", ""),
    "a question": (
        lambda held: held["Questionnaire-PaiExam"]["item"][0]["item"].pop(4),
        "minor",
        "Questionnaire/PaiExam",
        "item[ankle].item[",
    ),
    "the words of a question": (
        lambda held: held["Questionnaire-PaiHistory"]["item"][0].update(text="Said better?"),
        "patch",
        "Questionnaire/PaiHistory",
        "item[",
    ),
    "what is drafted": (
        lambda held: held["ActivityDefinition-PaiLateralRadiographOrder"].update(priority="urgent"),
        "major",
        "ActivityDefinition/PaiLateralRadiographOrder",
        "priority",
    ),
    "which records a profile fits": (
        narrower,
        "major",
        "StructureDefinition/PaiAchillesCondition",
        "differential.elem",
    ),
    "metadata of all": (everywhere, "patch", "ConceptMap/PaiFindingsToStandard", "publisher"),
    "generated parts only": (
        lambda held: held["StructureDefinition-PaiAchillesCondition"]["snapshot"]["element"].pop(),
        "patch",
        "StructureDefinition/PaiAchillesCondition",
        "snapshot",
    ),
}
STEPS = {"none": OLD, "patch": "0.1.1", "minor": "0.2.0", "major": "1.0.0"}


def needing(*steps: str) -> Callable[[Artifacts], None]:
    """Make all changes that need one of these steps."""

    def change(held: Artifacts) -> None:
        for one, needed, *_ in CHANGES.values():
            if needed in steps:
                one(held)

    return change


@pytest.fixture(scope="module")
def every(old: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, difference.Artifact]:
    held = read(old)
    needing(*STEPS)(held)
    found = difference.between(old, write(held, tmp_path_factory.mktemp("every") / "new", "1.0.0"))
    return {f"{one.type}/{one.id}": one for one in found.artifacts}


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_needs_the_step_of_the_specification(name: str, every: dict[str, difference.Artifact]) -> None:
    _, needed, artifact, path = CHANGES[name]
    steps = {one.step.word for one in every[artifact].changes if one.path.startswith(path)}
    assert steps == {needed}
    assert every[artifact].needed >= Step[needed.upper()]


@pytest.mark.parametrize(
    ("changes", "needed"),
    [((), "none"), (("patch",), "patch"), (("patch", "minor"), "minor"), (("patch", "minor", "major"), "major")],
)
def test_a_version_step_is_at_least_what_the_difference_needs(
    changes: tuple[str, ...], needed: str, compare: Callable[..., tuple[int, Any]]
) -> None:
    """Exactly the step of the largest change is enough, and the next smaller one is not."""
    code, found = compare(needing(*changes), STEPS[needed])
    assert (found["needed"], found["made"], found["enough"], code) == (needed, needed, True, 0)
    if needed != "none":
        words = list(STEPS)
        smaller = words[words.index(needed) - 1]
        code, found = compare(needing(*changes), STEPS[smaller])
        assert (found["needed"], found["made"], found["enough"], code) == (needed, smaller, False, 1)


def test_nothing_else_is_told(compare: Callable[..., tuple[int, Any]]) -> None:
    """A release renews version and date everywhere; only what an author changed is told."""
    _, found = compare(code_removed, "1.0.0")
    assert [one["id"] for one in found["artifacts"]] == ["PaiAchillesDisorder"]
    _, found = compare(recommendation_added, "0.2.0")
    by_name = {one["id"]: one["needed"] for one in found["artifacts"]}
    assert by_name == dict.fromkeys(("PaiNew", "PaiImagingStrategy", "pai-card-topic", "PaiLogic"), "minor")


def test_what_an_author_changed_is_found_in_a_build_of_it(
    old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The content itself is changed and built: what follows from that does not count for more, nor drown it."""
    content = tmp_path / CONTENT.name
    shutil.copytree(CONTENT, content)
    text = (content / "value-sets" / "PaiAchillesDisorder.yaml").read_text("utf-8")
    assert 'value: "M76.6"' in text
    (content / "value-sets" / "PaiAchillesDisorder.yaml").write_text(text.replace('value: "M76.6"', 'value: "M76.61"'))
    plan = content / "plans" / "PaiPathway.yaml"
    plan.write_text(plan.read_text("utf-8").replace("title: ", "title: Revised ", 1), "utf-8")
    code, found = told(capsys, old / "package.tgz", build(content, tmp_path / "fhir"))
    assert (code, found["needed"], found["made"]) == (1, "major", "none")
    own = {
        one["id"]: [change["path"] for change in one["changes"] if "generated" not in change]
        for one in found["artifacts"]
    }
    assert {name: paths for name, paths in own.items() if paths and name != "PaiAchillesDisorder"} == {
        "PaiPathway": ["title"]
    }
    assert {path for path in own["PaiAchillesDisorder"] if path.startswith("member")} == {
        "member[http://hl7.org/fhir/sid/icd-10-cm|M76.6]",
        "member[http://hl7.org/fhir/sid/icd-10-cm|M76.60]",
        "member[http://hl7.org/fhir/sid/icd-10-cm|M76.62]",
    }


def test_a_release_of_the_same_version_needs_no_step_but_a_return_to_draft_does(
    old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    released = tmp_path / "released"
    publish.publish(artifacts.load(CONTENT, profiles=ROOT / "profiles"), released, release=True, stories=())
    code, found = told(capsys, old, released)
    assert (code, found["needed"]) == (0, "none")
    code, found = told(capsys, released, old)
    assert (code, found["needed"]) == (1, "patch")


def test_an_artifact_that_keeps_its_version_is_told(
    old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = read(old)
    code_added(held)
    new = write(held, tmp_path / "new", "0.2.0")
    path = new / "ValueSet-PaiAchillesDisorder.json"
    path.write_text(path.read_text().replace("0.2.0", OLD))
    code, found = told(capsys, old, new)
    assert (code, found["made"], found["enough"]) == (1, "minor", False)
    (late,) = [one for one in found["artifacts"] if not one["enough"]]
    assert (late["id"], late["made"]) == ("PaiAchillesDisorder", "none")


@pytest.mark.parametrize(
    ("before", "after", "step"),
    [
        ("1.2.3", "2.0.0", Step.MAJOR),
        ("1.2.3", "1.3.0", Step.MINOR),
        ("1.2.3", "1.2.4", Step.PATCH),
        ("1.2.3", "1.2.3", Step.NONE),
        ("1.2.3", "1.2.3+build", Step.NONE),
        ("1.10.0", "1.9.0", Step.BACK),
        ("2.0.0-rc.2", "2.0.0-rc.10", Step.PATCH),
        ("2.0.0-rc.1", "2.0.0", Step.PATCH),
        ("2.0.0", "2.0.0-rc.1", Step.BACK),
    ],
)
def test_the_step_between_two_numbers(before: str, after: str, step: Step) -> None:
    assert made(before, after) is step


# On a terminal


def test_the_drawing_says_what_changed_why_it_matters_and_what_to_do(
    old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    held = read(old)
    code_removed(held)
    everywhere(held)
    recommendation_added(held)
    assert cli.main(["diff", str(old), str(write(held, tmp_path / "new", "0.2.0"))]) == 1
    drawn = capsys.readouterr().out
    for words in (
        "0.1.0 → 0.2.0",
        "major  ValueSet PaiAchillesDisorder",
        "major: who a recommendation applies to: the rules read this set",
        "member[http://snomed.info/sct|11654001]",
        "was: Achilles tendinitis (disorder)",
        "minor  PlanDefinition PaiNew",
        "now: Another publisher",
        "Needed: major step. Made: minor step. Not enough: the version has to be 1.0.0 or later.",
    ):
        assert words in drawn
    assert drawn.count("Another publisher") == 1
    assert drawn.index(" major  ") < drawn.index(" minor  ") < drawn.index(" patch  ")
    assert len(drawn.splitlines()) < 60


# What cannot be read


def pack(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def other_package(folder: Path, few: Path) -> Path:
    held = read(few)
    (guide,) = [one for one in held.values() if one["resourceType"] == "ImplementationGuide"]
    guide["packageId"] = "other"
    return write(held, folder)


def cut(folder: Path, few: Path) -> Path:
    folder.mkdir()
    files = {f"package/{path.name}": path.read_bytes() for path in few.iterdir()}
    whole = pack(folder / "package.tgz", files)
    whole.write_bytes(whole.read_bytes()[:5000])
    return whole


def broken(name: str, data: bytes) -> Callable[[Path, Path], Path]:
    def make(folder: Path, few: Path) -> Path:
        write(read(few), folder)
        (folder / name).write_bytes(data)
        return folder

    return make


def garbled(folder: Path, few: Path) -> Path:
    held = read(few)
    held["Library-PaiConcepts"]["content"][1]["data"] = "!"
    folder.mkdir()
    for name, one in held.items():
        (folder / f"{name}.json").write_text(json.dumps(one))
    return folder


def empty(folder: Path, _: Path) -> Path:
    folder.mkdir()
    return folder


VALUE_SET = {"resourceType": "ValueSet", "id": "X", "url": f"{BASE}/ValueSet/X"}
UNREADABLE: dict[str, tuple[Callable[[Path, Path], Path], tuple[str, ...]]] = {
    "a folder of something else": (empty, ("told by one ImplementationGuide", "name the package.tgz", "at ")),
    "no archive": (lambda folder, _: folder.with_suffix(".tgz"), ("neither a package.tgz nor a folder", "new.tgz")),
    "half an archive": (cut, ("neither a package.tgz nor a folder", "package.tgz")),
    "no JSON": (broken("ValueSet-X.json", b"{"), ("not valid JSON", "ValueSet-X.json")),
    "a name twice": (broken("ValueSet-X.json", b'{"id": "a", "id": "b"}'), ("ValueSet-X.json",)),
    "no artifact": (broken("ValueSet-X.json", b'{"id": "x"}'), ("resourceType, url, version", "ValueSet-X.json")),
    "a version that is none": (
        broken("ValueSet-X.json", json.dumps({**VALUE_SET, "version": "1"}).encode()),
        ("not major.minor.patch", "ValueSet-X.json", "semver"),
    ),
    "an artifact twice": (
        broken(
            "ValueSet-X.json",
            json.dumps({**VALUE_SET, "url": f"{BASE}/CodeSystem/pai-answer", "version": OLD}).encode(),
        ),
        ("stands here twice",),
    ),
    "logic that is no logic": (garbled, ("cannot be decoded", "Library/PaiConcepts")),
    "another package": (other_package, ("other", "two versions of one package")),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_refused_with_place_and_remedy(
    name: str, few: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.tgz").write_bytes(b"no archive")
    make, said = UNREADABLE[name]
    assert cli.main(["diff", str(few), str(make(tmp_path / "new", few))]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    for words in said:
        assert words in printed.err


def test_a_path_that_leads_nowhere_is_a_mistake_of_the_command_line(
    few: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["diff", str(few), "nowhere"]) == cli.USAGE
    assert "nowhere" in capsys.readouterr().err


def test_an_archive_that_unpacks_to_too_much_is_refused(
    few: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = pack(tmp_path / "large.tgz", {"package/ValueSet-X.json": b" " * 50_000_001})
    assert cli.main(["diff", str(few), str(large)]) == 2
    assert "ValueSet-X.json" in capsys.readouterr().err
