"""AC-81 and AC-82: what the forms claim, how answers become records, and the translations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ankle_cds.fhir import read_json, write_json
from ankle_cds.lint.elements import HL7, SDC, answerable, codes, concepts, extensions, has_extension, items, walk
from ankle_cds.lint.looking import look, same, thing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.fhir import Resource
    from ankle_cds.lint.built import Built
    from ankle_cds.lint.looking import Look

_TRANSLATION = f"{HL7}translation"
_TEMPLATE = f"{SDC}templateExtract"
_BUNDLE = f"{SDC}templateExtractBundle"
_CONTEXT = f"{SDC}launchContext"
_CONTEXTS = {"patient", "encounter", "user"}


def ac_81_profiles(built: Built) -> Iterator[Look]:
    """A form claims a profile of the forms standard exactly where it has what the invariant of the profile asks for."""
    rows = built.expected["sdcProfiles"]
    for one in built.of_type("Questionnaire"):
        claimed = set(one.get("meta", {}).get("profile", []))
        used = {str(part.get("url")) for node, _ in walk(one) for part in node.get("extension", [])}
        for row in rows:
            needed = {built.profile(name) for name in row.get("needsExtension", [])}
            fits = not needed or bool(needed & used)
            profile = built.profile(row["profile"])
            problem = "is not claimed" if fits else "is claimed without what it asks for"
            yield look(one, "meta.profile", (profile in claimed) == fits, f"{row['profile']} {problem}")
        known = {built.profile(row["profile"]) for row in rows}
        other = {url for url in claimed if url.startswith(built.expected["bases"]["SDC"])} - known
        yield look(one, "meta.profile", not other, f"claims {sorted(other)}")


def ac_81_invariants(built: Built) -> Iterator[Look]:
    """No item holds two ways of the same: conditions, first values, answers and options."""
    for one in built.of_type("Questionnaire"):
        for item, path in items(one):
            twice = "enableWhen" in item and has_extension(item, f"{SDC}enableWhenExpression")
            yield look(one, path, not twice, "has enableWhen and an expression (sdc-behave-2)")
            twice = "initial" in item and has_extension(item, f"{SDC}initialExpression")
            yield look(one, path, not twice, "has initial and an expression (sdc-behave-1)")
            twice = has_extension(item, f"{SDC}answerExpression") and (
                "answerOption" in item or "answerValueSet" in item
            )
            yield look(one, path, not twice, "has answers and an expression (sdc-1)")
            many = len(item.get("enableWhen", [])) > 1
            yield look(one, path, not many or "enableBehavior" in item, "has several conditions and no behaviour")


def ac_81_templates(built: Built) -> Iterator[Look]:
    """Every finding is extracted by one contained template; the items that set others by none."""
    without = set(built.expected["formsWithoutCode"]) | set(built.expected["components"])
    for one in built.of_type("Questionnaire"):
        bundle = extensions(one, _BUNDLE)
        named = {str(node["reference"]) for node, _ in walk(one) if str(node.get("reference", "")).startswith("#")}
        inside = {f"#{part.get('id')}" for part in one.get("contained", [])}
        used = {
            str(value) for node, _ in walk(one) for key, value in node.items() if str(value) in inside and key != "id"
        }
        for item, path in answerable(one):
            link = str(item.get("linkId"))
            own = [part for part in item.get("extension", []) if part.get("url") == _TEMPLATE]
            if link in without:
                yield look(one, path, not own, "is extracted by itself; it sets elements of other records")
            else:
                covered = bool(bundle) and _in_bundle(one, link)
                yield look(one, path, len(own) == 1 or covered, f"{link} is not extracted")
        for part in one.get("contained", []):
            if part.get("resourceType") == "Observation":
                known = f"#{part.get('id')}" in named | used
                yield look(one, "contained", known, f"the template {part.get('id')} is used by no item")


def _in_bundle(one: Resource, link: str) -> bool:
    """Tell whether a bundle template of the form reads the answer of an item."""
    contained = [part for part in one.get("contained", []) if part.get("resourceType") == "Bundle"]
    return any(f"'{link}'".encode() in write_json(part) for part in contained)


def ac_81_side_extracted(built: Built) -> Iterator[Look]:
    """The template of a sided item writes site and side; that of another item writes no body site."""
    site = built.expected["bodySite"]
    base = re.escape(built.url("StructureDefinition", ""))
    for one in built.of_type("Questionnaire"):
        templates = [part for part, _ in walk(one.get("contained", [])) if part.get("resourceType") == "Observation"]
        for template in templates:
            # Given as it is, or by an expression that computes it.
            named = re.search(rf"{base}[A-Za-z0-9-]+", write_json(template.get("meta", {})).decode())
            url = named[0] if named else ""
            elements = built.by_url.get(url, {}).get("differential", {}).get("element", [])
            sided = any(element["path"].endswith(".bodySite") for element in elements)
            found = site in codes(template.get("bodySite"))
            where = f"contained({template.get('id')})"
            yield look(one, where, bool(url) and found == sided, "side of template and profile differ, or no profile")


def ac_81_population(built: Built) -> Iterator[Look]:
    """Each form knows patient, encounter and user, and asks the side with what the encounter already says."""
    side = f"{built.expected['sidedGroup']}side"
    for one in built.of_type("Questionnaire"):
        named = {
            str(extensions(part, "name")[0].get("code"))
            for part in one.get("extension", [])
            if part.get("url") == _CONTEXT and extensions(part, "name")
        }
        yield same(one, "extension", named & _CONTEXTS, _CONTEXTS)
        first = [item for item, _ in items(one) if item.get("linkId") == side]
        ok = bool(first) and has_extension(first[0], f"{SDC}initialExpression")
        yield look(one, "item", ok, "the side is not populated from the encounter")


def ac_81_filled(built: Built) -> Iterator[Look]:
    """Every coded question is filled with what is recorded."""
    for one in built.of_type("Questionnaire"):
        for item, path in answerable(one):
            if "code" in item:
                filled = any(
                    has_extension(item, f"{SDC}{name}") for name in ("initialExpression", "observationLinkPeriod")
                )
                yield look(one, path, filled, "nothing fills this question")


def ac_81_never_used(built: Built) -> Iterator[Look]:
    """No other way of extraction is used."""
    never = re.compile("|".join(built.expected["extractionNeverUsed"]))
    for one in built.of_type("Questionnaire"):
        used = [(str(part.get("url")), path) for node, path in walk(one) for part in node.get("extension", [])]
        found = [(url, path) for url, path in used if never.search(url)]
        yield look(one, found[0][1] if found else "", not found, f"uses {found[0][0] if found else ''}")


def ac_82_spanish(built: Built) -> Iterator[Look]:
    """Every title, question, help text and option of the forms is there in the second language too."""
    language = built.expected["translation"]
    for one in built.of_type("Questionnaire"):
        yield look(one, "title", _translated(one.get("_title"), language), "is not translated")
        for item, path in items(one):
            if "text" in item:
                yield look(one, f"{path}.text", _translated(item.get("_text"), language), "is not translated")
            for index, option in enumerate(item.get("answerOption", [])):
                where = f"{path}.answerOption[{index}]"
                coding = option.get("valueCoding", {})
                ok = _translated(coding.get("_display"), language) or _designated(built, coding, language)
                yield look(one, where, ok, "is not translated")


def ac_82_spanish_codes(built: Built) -> Iterator[Look]:
    """Every answer that a form offers by a value set has a display in the second language."""
    language = built.expected["translation"]
    for kind in built.expected["translatedSystems"]:
        one = built.by_url.get(kind, {})
        for concept, path in concepts(one):
            kinds = {str(v) for p in concept.get("property", []) if p.get("code") == "kind" for v in p.values()}
            if not kinds or kinds & {"item", "answer"}:
                yield look(one, path, _has_designation(concept, language), f"{concept['code']} is not translated")


def _translated(element: Any, language: str) -> bool:
    parts = element.get("extension", []) if isinstance(element, dict) else []
    return any(
        part.get("url") == _TRANSLATION
        and any(str(code).startswith(language) for code in extensions(part, "lang"))
        and any(str(text).strip() for text in extensions(part, "content"))
        for part in parts
    )


def _designated(built: Built, coding: Any, language: str) -> bool:
    one = built.by_url.get(str(coding.get("system")), {})
    return any(
        concept["code"] == coding.get("code") and _has_designation(concept, language) for concept, _ in concepts(one)
    )


def _has_designation(concept: Any, language: str) -> bool:
    return any(str(part.get("language", "")).startswith(language) for part in concept.get("designation", []))


def ac_82_filled(built: Built) -> Iterator[Look]:
    """Each form has a filled example: a response, and the resources that are extracted from it."""
    for row in built.expected["forms"]:
        found = [
            path
            for path, data in {**built.files, **built.archive, **_kept(built)}.items()
            if row["id"] in path and path.endswith(".json") and _is_response(data)
        ]
        paired = [path for path in found if _beside(built, path)]
        yield thing(f"Questionnaire/{row['id']}", paired, "has no response with what is extracted from it")


def _kept(built: Built) -> dict[str, bytes]:
    """Give the examples of forms that stand in the checkout."""
    if built.root is None:
        return {}
    paths = sorted((built.root / "examples" / "forms").glob("*/*.json"))
    return {path.relative_to(built.root).as_posix(): path.read_bytes() for path in paths}


def _beside(built: Built, path: str) -> bool:
    folder = path.rpartition("/")[0]
    files = {**built.files, **built.archive, **_kept(built)}
    return any(other != path and other.rpartition("/")[0] == folder and "expected" in other for other in files)


def _is_response(data: bytes) -> bool:
    document = read_json(data, max_depth=512)
    return isinstance(document, dict) and document.get("resourceType") == "QuestionnaireResponse"
