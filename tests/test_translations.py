"""Every word on forms and cards stands in Spanish too, means the same as the English, and decides nothing."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import ankle_cds
from ankle_cds import artifacts, stories
from ankle_cds.artifacts.nodes import objects
from ankle_cds.demo.stage import Stage
from ankle_cds.fhir import bundle_entries, read_json_file, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.artifacts import Package
    from ankle_cds.stories import Story

CONTENT = Path(ankle_cds.__file__).parent / "content" / "posterior-ankle-impingement"
STORIES = stories.read_all()
EXTENSION = "http://hl7.org/fhir/StructureDefinition/translation"
MAX_SUMMARY = 139
LONGEST_SIDE = " (izquierda)"
CLINICAL = ("pai-findings", "pai-answer", "pai-test-result")
ONE_PLAN_PER_CARD = ("eca-rule", "order-set")
# The same word in both languages.
SAME = {"No", "Os trigonum", "Posteromedial"}
# What the English may not say either, of anything that is not known; "variante normal" is an anatomical term (S3).
BANNED = re.compile(
    r"\b(?:exclu(?:id[oa]s?|ye)|descarta(?:d[oa]s?)?|segur[oa]s?|(?<!variante )normal(?:es)?"
    r"|diagnosticad[oa]s?|(?:sin|ning[uú]n) (?:signos? de alarma|alergias?)|no alérgic[oa]s?)\b",
    re.IGNORECASE,
)
# Words of caution: where the English has one, the Spanish has its counterpart, and nowhere else.
CAUTION = {
    r"\bsuspected\b": r"\bsospecha\b",
    r"\bprovisional\b": r"\bprovisional\b",
    r"\bpossible\b": r"\bposible\b",
    r"\bunverified\b": r"\bno verificad[oa]\b",
    r"\bsecondary source\b": r"\bfuente secundaria\b",
    r"\blocal polic(?:y|ies)\b": r"\bpolítica local\b",
    r"\blocal protocol\b": r"\bprotocolo local\b",
    r"\brecorded\b": r"\bregistrad[oa]s?\b",
    r"\bUnexplained\b": r"\bsin explicación\b",
    r"\burgent\b": r"\burgente\b",
    r"\bconsider(?:ed)?\b": r"\bconsider[ea]\b",
}
FIGURES = re.compile(r"\b(?:[SE]-?[A-Z]*[0-9]+|[0-9]+)\b")
ENGLISH = re.compile(r"\b(?:the|and|of|with|pain|ankle|test|if|not|is|are|your|or)\b", re.IGNORECASE)


class Text(NamedTuple):
    """A text people read, its Spanish (None where there is none), and where it stands."""

    english: str
    spanish: str | None
    where: str


def spanish_of(element: dict[str, Any] | None) -> str | None:
    """Read the translation extension of a primitive as a form renderer would; a repeated element has none here."""
    for extension in element.get("extension", []) if isinstance(element, dict) else []:
        parts = {part["url"]: part for part in extension.get("extension", [])}
        if extension["url"] == EXTENSION and parts["lang"]["valueCode"] == "es":
            return str(parts["content"]["valueString"])
    return None


def designated(concept: dict[str, Any]) -> str | None:
    """Read the designation of a concept."""
    return next((str(one["value"]) for one in concept.get("designation", []) if one["language"] == "es"), None)


def walk(node: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    for inner in node.get(name, []):
        yield inner
        yield from walk(inner, name)


def readable(package: Package) -> Iterator[Text]:
    """List every text of forms, answers and cards: written apart from the list in package.yaml, to compare with it."""
    for form in package.of_type("Questionnaire"):
        yield Text(form["title"], spanish_of(form.get("_title")), form["id"])
        for item in walk(form, "item"):
            yield from of_item(item, f"{form['id']} {item['linkId']}")
    for value_set in answer_sets(package):
        yield from of_answers(value_set)
    for system in package.of_type("CodeSystem"):
        if system["id"] in CLINICAL:
            yield from (Text(one["display"], designated(one), system["id"]) for one in system["concept"])
    for plan in package.of_type("PlanDefinition"):
        if plan["type"]["coding"][0]["code"] in ONE_PLAN_PER_CARD:
            titled = (action for action in walk(plan, "action") if "title" in action)
            yield from (Text(action["title"], spanish_of(action.get("_title")), plan["id"]) for action in titled)


def of_item(item: dict[str, Any], where: str) -> Iterator[Text]:
    if "text" in item:
        yield Text(item["text"], spanish_of(item.get("_text")), where)
    for option in item.get("answerOption", []):
        coding = option["valueCoding"]
        yield Text(coding["display"], spanish_of(coding.get("_display")), where)


def answer_sets(package: Package) -> list[dict[str, Any]]:
    """Give the value sets of the answers, each as the forms contain it, and as it is published."""
    found = []
    for form in package.of_type("Questionnaire"):
        named = {item["answerValueSet"].removeprefix("#") for item in walk(form, "item") if "answerValueSet" in item}
        contained = [part for part in form["contained"] if part["id"] in named]
        assert len(contained) == len(named)
        found += [*contained, *(package.get(part["url"]) for part in contained)]
    return found


def of_answers(value_set: dict[str, Any]) -> Iterator[Text]:
    listed = [concept for include in value_set["compose"]["include"] for concept in include.get("concept", [])]
    for member in (*value_set["expansion"]["contains"], *listed):
        yield Text(member["display"], designated(member), value_set["id"])


@pytest.fixture(scope="module")
def package() -> Package:
    return artifacts.load(CONTENT)


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """The same content without any translation."""
    folder = tmp_path_factory.mktemp("english") / "content"
    shutil.copytree(CONTENT, folder, ignore=shutil.ignore_patterns("translations"))
    return artifacts.load(folder)


@pytest.fixture(scope="module")
def texts(package: Package) -> list[Text]:
    return list(readable(package))


def entries() -> dict[str, str]:
    return dict(read_yaml(CONTENT / "translations" / "es.yaml").data["texts"])


def test_every_text_of_forms_answers_and_cards_has_its_spanish(
    texts: list[Text], capsys: pytest.CaptureFixture[str]
) -> None:
    missing = [text for text in texts if text.spanish is None]
    figures = f"{len(texts) - len(missing)} of {len(texts)} places, {len({text.english for text in texts})} texts"
    with capsys.disabled():
        print(f" {figures} in Spanish", end="")  # noqa: T201 -- the figures are the result
    assert len(texts) > 300
    assert missing == []


def test_a_text_has_one_translation_wherever_it_stands_and_no_other_is_written(texts: list[Text]) -> None:
    assert {text.english: text.spanish for text in texts} == entries()
    assert all(entries()[text.english] == text.spanish for text in texts), "one text, two translations"


def test_what_is_written_is_spanish() -> None:
    for english, spanish in entries().items():
        assert (english == spanish) is (english in SAME), english
        assert english in SAME or not ENGLISH.search(spanish), spanish


def test_nothing_says_that_the_unknown_is_absent_safe_or_normal() -> None:
    assert [spanish for spanish in entries().values() if BANNED.search(spanish)] == []
    said = ("Fractura descartada.", "No hay ningún signo de alarma", "Es seguro", "Radiografía normal", "No alérgico")
    assert all(BANNED.search(sentence) for sentence in said)
    assert not BANNED.search("Un os trigonum es una variante normal")


@pytest.mark.parametrize(("english", "spanish"), CAUTION.items())
def test_a_word_of_caution_stands_in_both_languages_or_in_none(english: str, spanish: str) -> None:
    for ours, theirs in entries().items():
        said = bool(re.search(english, ours, re.IGNORECASE))
        assert said is bool(re.search(spanish, theirs, re.IGNORECASE)), (ours, theirs)


def test_labels_and_figures_are_the_same() -> None:
    for english, spanish in entries().items():
        assert sorted(FIGURES.findall(english)) == sorted(FIGURES.findall(spanish)), (english, spanish)
        assert ("?" in english) is ("¿" in spanish) is ("?" in spanish), english


def test_a_summary_fits_a_card_with_its_side(package: Package) -> None:
    summaries = [
        spanish_of(action.get("_title"))
        for plan in package.of_type("PlanDefinition")
        if plan["type"]["coding"][0]["code"] == "eca-rule"
        for action in plan["action"]
    ]
    assert summaries
    for summary in summaries:
        assert summary is not None
        assert len(summary + LONGEST_SIDE) <= MAX_SUMMARY, summary


def test_a_translation_is_said_to_be_spanish_and_nothing_else(package: Package) -> None:
    for resource in package.resources.values():
        for node, _ in objects(resource):
            for extension in node.get("extension", []):
                if extension["url"] == EXTENSION:
                    lang, words = extension["extension"]
                    assert lang == {"url": "lang", "valueCode": "es"}
                    assert set(words) == {"url", "valueString"}
            assert {one["language"] for one in node.get("designation", [])} <= {"es"}


def without_translations(value: Any) -> Any:
    """Take the translations out of a resource again."""
    if isinstance(value, list):
        return [without_translations(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {
        name: without_translations(inner)
        for name, inner in value.items()
        if name != "designation" and not (name.startswith("_") and spanish_of(inner))
    }


def test_translations_change_nothing_but_themselves(package: Package, english: Package) -> None:
    """Every artifact but the manifest, which also names the extension, is the English one plus the translations."""
    assert list(package.resources) == list(english.resources)
    for url, resource in package.resources.items():
        if not url.endswith("/PaiManifest"):
            assert without_translations(resource) == english.resources[url], url
    there, here = ([replace(one, where="") for one in every.inputs] for every in (package, english))
    assert there == here
    assert package.value_sets == english.value_sets


@pytest.fixture(scope="module")
def stages(package: Package, english: Package) -> Iterator[tuple[Stage, Stage]]:
    with Stage({package.service_id: package}) as translated, Stage({english.service_id: english}) as untranslated:
        yield translated, untranslated


@pytest.mark.parametrize("story", STORIES, ids=[story.id for story in STORIES])
def test_no_definition_no_card_and_nothing_applied_reads_a_translation(
    story: Story, package: Package, english: Package, stages: tuple[Stage, Stage]
) -> None:
    request = read_json_file(story.request_file)
    translated, untranslated = (stage.play(story, request) for stage in stages)
    assert translated.body == untranslated.body == read_json_file(story.expected_file)
    groups = [
        [one.applied.request_group for one in played.guidance.evaluated] if played.guidance else []
        for played in (translated, untranslated)
    ]
    assert groups[0] == groups[1]
    assert EXTENSION not in str(groups[0])

    chart = [entry.resource for entry in bundle_entries(story.chart()) if entry.resource is not None]
    given = {**story.parameters, "EncounterId": story.encounter}
    first, second = (one.program.evaluate(chart, now=story.clock, parameters=given) for one in (package, english))
    assert package.program.definitions.keys() == english.program.definitions.keys()
    for name in package.program.definitions:
        assert repr(first[name]) == repr(second[name]), name


def test_what_a_file_says_stays_as_it_was_written(package: Package) -> None:
    for source in package.sources.values():
        assert source.authored == read_yaml(source.document.path).data, source.id
