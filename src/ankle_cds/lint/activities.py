"""AC-40 to AC-44: the activities, and the drafts that were made of them in the reviewed answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ankle_cds.lint.elements import ACTIVITY_TYPE, CPG, codes, extensions, tail, texts
from ankle_cds.lint.looking import look, same, thing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.fhir import Resource
    from ankle_cds.lint.built import Built, Case
    from ankle_cds.lint.looking import Look

_NO_DOSE = ("dosage", "quantity", "timingTiming", "dosageInstruction", "dispenseRequest")

_SUBJECTS = ("subject", "for")
_REASONS = ("reasonReference", "reasonCode", "addresses", "evidence")


def ac_40_inventory(built: Built) -> Iterator[Look]:
    """The package has exactly the activities of the specification, each of its kind."""
    found = {str(one["id"]): one for one in built.of_type("ActivityDefinition")}
    rows = {row["id"]: row for row in built.expected["activities"]}
    for name, row in rows.items():
        yield thing(f"ActivityDefinition/{name}", name in found, "the package has no such activity")
        if name in found:
            yield same(found[name], "kind", found[name].get("kind"), row["kind"])
    for name in sorted(found.keys() - rows.keys()):
        yield thing(f"ActivityDefinition/{name}", ok=False, problem="the specification has no such activity")


def ac_40_pattern(built: Built) -> Iterator[Look]:
    """Profile, activity type, intent and doNotPerform are those CPG fixes for the kind."""
    for one in built.of_type("ActivityDefinition"):
        yield same(one, "intent", one.get("intent"), "proposal")
        yield same(one, "doNotPerform", one.get("doNotPerform"), expected=False)
        kinds = codes(one.get("code"), ACTIVITY_TYPE)
        rows = [row for row in built.expected["activityKinds"] if row["kind"] == one.get("kind")]
        fitting = [row for row in rows if kinds == ([row["type"]] if "type" in row else [])]
        yield look(one, "code", fitting, f"the activity type {kinds} does not belong to {one.get('kind')}")
        for row in fitting[:1]:
            wanted = built.profile(row["profile"]) if "profile" in row else None
            yield same(one, "profile", one.get("profile"), wanted)


def ac_40_forms(built: Built) -> Iterator[Look]:
    """Each activity that collects information names its form, and the form is in the package."""
    for row in built.expected["activities"]:
        one = built.get("ActivityDefinition", row["id"])
        if one is not None and "form" in row:
            url = built.url("Questionnaire", row["form"])
            yield same(one, "extension", extensions(one, f"{CPG}collectWith"), [url])
            yield look(one, "extension", url in built.by_url, f"the package has no form {row['form']}")


def ac_41_codes(built: Built) -> Iterator[Look]:
    """Each order may be drafted with the codes of the specification, side by side, and no others."""
    for row in built.expected["activities"]:
        one = built.get("ActivityDefinition", row["id"])
        if one is None or "codes" not in row:
            continue
        found = {
            code
            for concept in (one.get("code"), one.get("productCodeableConcept"))
            for coding in (concept or {}).get("coding", [])
            if coding.get("system") != ACTIVITY_TYPE
            for code in [str(coding.get("code"))]
        }
        if one.get("kind") == "CarePlan" and not found:
            found = _planned(built, row["id"])
        yield same(one, "code", found, set(row["codes"]))


def _planned(built: Built, name: str) -> set[str]:
    """Give the codes of the activities of a care plan, as drafted in the reviewed answers."""
    return {
        code
        for _, resource in _drafts(built)
        if name in {tail(url) for url in _instantiates(resource)}
        for activity in resource.get("activity", [])
        for code in codes(activity.get("detail", {}).get("code"))
    }


def ac_42_draft(built: Built) -> Iterator[Look]:
    """Every drafted request has status draft, a subject and a reason."""
    for case, resource in _drafts(built):
        where = f"examples {case.id} {resource['resourceType']}"
        if resource["resourceType"] != "Condition":
            yield thing(where, resource.get("status") == "draft", f"has status {resource.get('status')}")
        yield thing(where, any(name in resource for name in _SUBJECTS), "has no subject")
        if resource["resourceType"] not in {"Task", "Condition"}:
            places = [resource, *(activity.get("detail", {}) for activity in resource.get("activity", []))]
            reason = any(name in place for place in places for name in _REASONS)
            yield thing(where, reason, f"{_instantiates(resource)} has no reason")


def ac_42_side(built: Built) -> Iterator[Look]:
    """A drafted order names the side of its card in its body site, and no side where the card names none."""
    sides = built.expected["sideCodes"]
    for case in built.cases:
        for card in case.cards():
            said = str(card.get("summary", "")).rpartition("(")[2].rstrip(")")
            for suggestion in card.get("suggestions", []):
                for action in suggestion.get("actions", []):
                    resource = action.get("resource", {})
                    if resource.get("resourceType") not in {"ServiceRequest", "Condition"}:
                        continue
                    sites = resource.get("bodySite", [])
                    found = {code for site in sites for code in codes(site)} & set(sides.values())
                    known = {sides[said]} if said in sides else found if said == "both" and len(found) == 1 else set()
                    where = f"examples {case.id} {tail(next(iter(_instantiates(resource)), 'Condition'))}"
                    yield thing(where, found == known, f"the card says {said or 'no side'}, the draft {sorted(found)}")


def ac_42_coded(built: Built) -> Iterator[Look]:
    """No drafted order says only that something is ordered."""
    for case, resource in _drafts(built):
        concept = resource.get("code") or resource.get("medicationCodeableConcept") or {}
        if resource["resourceType"] not in {"Task", "CarePlan"}:
            said = [one for one in concept.get("coding", []) if one.get("system") != ACTIVITY_TYPE]
            where = f"examples {case.id} {resource['resourceType']}"
            yield thing(where, said or concept.get("text"), f"{_instantiates(resource)} has no code and no text")


def ac_43_no_dose(built: Built) -> Iterator[Look]:
    """No proposal of a product has a dose, a quantity or a dose word in any text; neither has its draft."""
    words = re.compile("|".join(built.expected["doseWords"]), re.IGNORECASE)
    for one in built.of_type("ActivityDefinition"):
        if one.get("kind") == "MedicationRequest":
            held = [name for name in _NO_DOSE if name in one]
            yield look(one, "", not held, f"has {', '.join(held)}")
            for text, path in texts(one):
                yield look(one, path, not words.search(text), "holds a dose word")
    for case, resource in _drafts(built):
        if resource["resourceType"] == "MedicationRequest":
            held = [name for name in _NO_DOSE if name in resource]
            yield thing(f"examples {case.id} MedicationRequest", not held, f"has {', '.join(held)}")


def ac_44_template(built: Built) -> Iterator[Look]:
    """The template of the working diagnosis is provisional and has one coding, our own, and a text."""
    row = built.expected["workingDiagnosis"]
    one = built.get("ActivityDefinition", row["activity"]) or {}
    templates = [part for part in one.get("contained", []) if part.get("resourceType") == "Condition"]
    yield same(one, "contained", len(templates), 1)
    for template in templates:
        codings = template.get("code", {}).get("coding", [])
        yield same(one, "contained[0].code", [_pair(coding) for coding in codings], [_pair(row["coding"])])
        yield look(one, "contained[0].code.text", template.get("code", {}).get("text"), "is missing")
        for element in ("clinicalStatus", "verificationStatus"):
            yield same(one, f"contained[0].{element}", codes(template.get(element)), [row[element]])
        category = [code for part in template.get("category", []) for code in codes(part)]
        yield same(one, "contained[0].category", category, [row["category"]])


def ac_44_drafted(built: Built) -> Iterator[Look]:
    """As drafted, the standard code stands beside ours where the site allows it, and nowhere else."""
    row = built.expected["workingDiagnosis"]
    allowed_somewhere = refused_somewhere = False
    for case, resource in _drafts(built):
        if resource["resourceType"] == "Condition":
            allowed = bool(case.parameters.get(row["parameter"], False))
            wanted = {_pair(row["coding"]), *([_pair(row["added"])] if allowed else [])}
            found = {_pair(coding) for coding in resource.get("code", {}).get("coding", [])}
            yield thing(f"examples {case.id} Condition", found == wanted, f"is coded {sorted(found)}")
            allowed_somewhere |= allowed
            refused_somewhere |= not allowed
    yield thing(f"{row['parameter']}: false", refused_somewhere, "no story shows it")
    yield thing(f"{row['parameter']}: true", allowed_somewhere, "no story shows it")


def _drafts(built: Built) -> Iterator[tuple[Case, Resource]]:
    """Yield every resource that a suggestion of a reviewed answer would create."""
    for case in built.cases:
        for card in case.cards():
            for suggestion in card.get("suggestions", []):
                for action in suggestion.get("actions", []):
                    if action.get("type") == "create" and "resource" in action:
                        yield case, action["resource"]


def _instantiates(resource: Resource) -> list[str]:
    found = resource.get("instantiatesCanonical", [])
    return [found] if isinstance(found, str) else list(found)


def _pair(coding: Any) -> tuple[str, str]:
    return str(coding.get("system")), str(coding.get("code"))
