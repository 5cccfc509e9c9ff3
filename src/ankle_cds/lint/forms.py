"""AC-80: the questionnaires, item by item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ankle_cds.lint.elements import HL7, SDC, answerable, extensions, has_extension, items, members, tail
from ankle_cds.lint.looking import look, same, thing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ankle_cds.fhir import Resource
    from ankle_cds.lint.built import Built
    from ankle_cds.lint.looking import Look

_CHOICES = {"choice", "open-choice"}
_MAX_LINK = 255


def forms(built: Built) -> Iterator[tuple[Resource, Mapping[str, Any]]]:
    """Yield every form of the package with its row of the specification."""
    for row in built.expected["forms"]:
        one = built.get("Questionnaire", row["id"])
        if one is not None:
            yield one, row


def ac_80_inventory(built: Built) -> Iterator[Look]:
    """The package has exactly the forms of the specification."""
    found = {str(one["id"]) for one in built.of_type("Questionnaire")}
    wanted = {row["id"] for row in built.expected["forms"]}
    for name in sorted(found | wanted):
        yield thing(f"Questionnaire/{name}", name in found & wanted, "is missing, or is not in the specification")


def ac_80_items(built: Built) -> Iterator[Look]:
    """Each form asks exactly the items of the specification: type, repetition and named answers."""
    for one, row in forms(built):
        rows = {item["linkId"]: item for item in row["items"]}
        asked = {str(item.get("linkId")): (item, path) for item, path in answerable(one)}
        yield same(one, "item", set(asked), set(rows))
        for link, (item, path) in asked.items():
            if link in rows:
                wanted = rows[link]
                repeats = (item.get("type"), bool(item.get("repeats")))
                yield same(one, path, repeats, (wanted["type"], wanted.get("repeats", False)))
                yield from _answers(built, one, item, path, wanted)


def _answers(built: Built, one: Resource, item: Resource, path: str, wanted: Mapping[str, Any]) -> Iterator[Look]:
    name = wanted.get("answers")
    if item.get("type") not in _CHOICES or name is None:
        return
    if name == "side":
        sides = {option.get("valueCoding", {}).get("code") for option in item.get("answerOption", [])}
        codes = {built.expected["sideCodes"][side] for side in ("left", "right")}
        yield same(one, f"{path}.answerOption", sides, codes)
        return
    value_set = str(item.get("answerValueSet", ""))
    if value_set.startswith("#"):
        contained = [part for part in one.get("contained", []) if f"#{part.get('id')}" == value_set]
        url = str(contained[0].get("url", "")) if contained else ""
        yield same(one, f"{path}.answerValueSet", tail(url) or value_set.removeprefix("#"), name)
    elif value_set:
        yield same(one, f"{path}.answerValueSet", tail(value_set), name)
    else:
        options = {option.get("valueCoding", {}).get("code") for option in item.get("answerOption", [])}
        known = {code for _, code, _ in members(built.get("ValueSet", name) or {})}
        also = set(built.expected["alsoOffered"])
        ok = bool(known) and options - also == known - also
        yield look(one, f"{path}.answerOption", ok, f"are not the members of {name}")


def ac_80_code_and_definition(built: Built) -> Iterator[Look]:
    """Every item a person answers has one code and one element of a feature, but for those that set others."""
    without = set(built.expected["formsWithoutCode"])
    for one in built.of_type("Questionnaire"):
        for item, path in answerable(one):
            codes, definition = item.get("code", []), str(item.get("definition", ""))
            if item.get("linkId") in without:
                yield look(
                    one, path, not codes and not definition, "has a code or a definition; it sets those of others"
                )
                continue
            profile = built.by_url.get(definition.partition("#")[0], {})
            yield look(one, path, len(codes) == 1 and profile, f"{item.get('linkId')} has no code or no profile")


def ac_80_form_and_profile(built: Built) -> Iterator[Look]:
    """Code, type and answers of an item are those of the element it is defined by."""
    for one in built.of_type("Questionnaire"):
        for item, path in answerable(one):
            url, _, element_id = str(item.get("definition", "")).partition("#")
            elements = {e["id"]: e for e in built.by_url.get(url, {}).get("differential", {}).get("element", [])}
            if not elements:
                continue
            yield look(one, path, element_id in elements, f"{element_id} is no element of {tail(url)}")
            coded = elements.get(element_id.replace("value[x]", "code"), {}).get("patternCodeableConcept", {})
            pattern = [(part.get("system"), part.get("code")) for part in coded.get("coding", [])]
            found = [(part.get("system"), part.get("code")) for part in item.get("code", [])]
            yield look(one, f"{path}.code", not pattern or found == pattern, f"is {found}; the profile has {pattern}")
            bound = elements.get(element_id, {}).get("binding", {}).get("valueSet")
            asked = str(item.get("answerValueSet", ""))
            ok = not asked or asked.startswith("#") or asked == bound
            yield look(one, f"{path}.answerValueSet", ok, f"is {asked}; the profile binds {bound}")


def ac_80_sided_items(built: Built) -> Iterator[Look]:
    """The side is asked once, first in a repeating group of one or two that holds every sided item."""
    group_id = built.expected["sidedGroup"].rstrip(".")
    for one, row in forms(built):
        groups = [(item, path) for item, path in items(one) if item.get("linkId") == group_id]
        yield same(one, "item", len(groups), 1)
        for group, path in groups:
            yield look(one, path, group.get("repeats") is True, "the group does not repeat")
            yield same(one, path, extensions(group, f"{HL7}questionnaire-maxOccurs"), [2])
            inner = [str(item.get("linkId")) for item, _ in items(group)]
            first = inner[:1]
            yield same(one, path, first, [f"{group_id}.side"])
            sided = {item["linkId"] for item in row["items"] if item["linkId"].startswith(f"{group_id}.")}
            yield look(one, path, sided <= set(inner), f"{sorted(sided - set(inner))} stand outside the group")


def ac_80_required(built: Built) -> Iterator[Look]:
    """Nothing but the side is required."""
    side = f"{built.expected['sidedGroup']}side"
    for one in built.of_type("Questionnaire"):
        found = {str(item.get("linkId")) for item, _ in answerable(one) if item.get("required")}
        yield same(one, "item", found, {side})


def ac_80_core(built: Built) -> Iterator[Look]:
    """A form with core items has as many as the specification says, before the section that follows them."""
    for one, row in forms(built):
        if "coreItems" in row:
            group = next((item for item, _ in items(one) if item.get("linkId") == row["coreIn"]), {})
            links = [str(item.get("linkId")) for item in group.get("item", [])]
            places = [links.index(name) for name in (row["coreAfter"], row["coreBefore"]) if name in links]
            core = places[1] - places[0] - 1 if len(places) == len((row["coreAfter"], row["coreBefore"])) else 0
            yield same(one, "item", core, row["coreItems"])


def ac_80_opened(built: Built) -> Iterator[Look]:
    """The items that open after an answer, or by an expression, are those of the specification."""
    for one, row in forms(built):
        found = {str(item.get("linkId")) for item, _ in answerable(one) if "enableWhen" in item}
        by_expression = {
            str(item.get("linkId")) for item, _ in answerable(one) if has_extension(item, f"{SDC}enableWhenExpression")
        }
        opened = {item["linkId"] for item in row["items"] if item.get("conditional") and not item.get("byExpression")}
        yield same(one, "item", found, opened)
        wanted = {item["linkId"] for item in row["items"] if item.get("byExpression")}
        yield same(one, "item", by_expression, wanted)


def ac_80_structure(built: Built) -> Iterator[Look]:
    """Link ids are unique and short, groups have items, and a multi-choice offers that none applies."""
    none = built.expected["noneOfThese"]
    for one in built.of_type("Questionnaire"):
        links = [str(item.get("linkId")) for item, _ in items(one)]
        for item, path in items(one):
            link = str(item.get("linkId"))
            yield look(one, path, links.count(link) == 1 and len(link) <= _MAX_LINK, f"{link} stands twice or is long")
            if item.get("type") == "group":
                yield look(one, path, item.get("item"), "the group has no items")
        for row in built.expected["forms"]:
            if row["id"] == one["id"]:
                yield from _none_offered(built, one, row, none)


def _none_offered(built: Built, one: Resource, row: Mapping[str, Any], none: str) -> Iterator[Look]:
    rows = {item["linkId"]: item for item in row["items"]}
    for item, path in answerable(one):
        name = rows.get(str(item.get("linkId")), {}).get("answers")
        if item.get("repeats") and item.get("type") in _CHOICES and name:
            listed = {code for _, code, _ in members(built.get("ValueSet", name) or {})}
            offered = {option.get("valueCoding", {}).get("code") for option in item.get("answerOption", [])}
            if none in listed:
                yield look(one, path, not offered or none in offered, f"does not offer {none}")


def ac_80_summary(built: Built) -> Iterator[Look]:
    """Each form ends in a hidden, calculated, read-only summary without a score."""
    for one in built.of_type("Questionnaire"):
        last = list(one.get("item", []))[-1:] or [{}]
        ok = last[0].get("readOnly") is True and has_extension(last[0], f"{SDC}calculatedExpression")
        ok = ok and extensions(last[0], f"{HL7}questionnaire-hidden") == [True]
        yield look(one, "item", ok, "the last item is no hidden calculated summary")
