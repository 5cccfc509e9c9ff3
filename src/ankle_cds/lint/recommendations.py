"""AC-22 to AC-25 and AC-27: what makes a recommendation a card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ankle_cds.lint.elements import CPG, HL7, LANGUAGE, PROCESS, actions, codes, extensions, labels, tail
from ankle_cds.lint.looking import look, same, thing
from ankle_cds.lint.plans import RECOMMENDATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ankle_cds.fhir import Resource
    from ankle_cds.lint.built import Built
    from ankle_cds.lint.looking import Look

_STRENGTH = "http://terminology.hl7.org/CodeSystem/recommendation-strength"
_QUALITY = "http://terminology.hl7.org/CodeSystem/evidence-quality"
_DIRECTION = "http://hl7.org/fhir/uv/cpg/CodeSystem/cpg-recommendation-direction-cs"
_ACTION_TYPE = "http://terminology.hl7.org/CodeSystem/action-type"
_LOWEST = {"D", "S"}  # grades whose certainty the HL7 code system can also tell


def _cards(built: Built) -> Iterator[tuple[Resource, dict[str, Any], str, Mapping[str, Any]]]:
    """Yield plan, top action, path and row of the specification for every card there may be."""
    for plan in built.plans(RECOMMENDATION):
        row = built.recommendation(plan)
        for index, action in enumerate(plan.get("action", [])):
            if row is not None:
                yield plan, action, f"action[{index}]", row


def ac_22_triggers(built: Built) -> Iterator[Look]:
    """A card is asked for by named events whose names are exactly the hooks of the specification."""
    for plan, action, path, row in _cards(built):
        triggers = action.get("trigger", [])
        named = [trigger.get("type") for trigger in triggers]
        yield look(plan, f"{path}.trigger", set(named) == {"named-event"}, "a trigger is no named event")
        hooks = [str(trigger.get("name")) for trigger in triggers]
        yield same(plan, f"{path}.trigger", sorted(hooks), sorted(row["hooks"]))


def f_07_all_hooks(built: Built) -> Iterator[Look]:
    """Each hook of the specification triggers at least one recommendation."""
    used = {t.get("name") for _, action, _, _ in _cards(built) for t in action.get("trigger", [])}
    for hook in sorted({hook for row in built.expected["recommendations"] for hook in row["hooks"]}):
        yield thing(f"hook {hook}", hook in used, "triggers nothing")


def ac_22_condition(built: Built) -> Iterator[Look]:
    """A top action has one applicability condition: a Boolean definition of the logic, by name, told in words."""
    logic = built.url("Library", built.identity["logic"])
    for plan, action, path, _ in _cards(built):
        conditions = action.get("condition", [])
        yield same(plan, f"{path}.condition", [one.get("kind") for one in conditions], ["applicability"])
        for condition in conditions:
            expression = condition.get("expression", {})
            where = f"{path}.condition[0].expression"
            yield same(plan, f"{where}.language", expression.get("language"), LANGUAGE)
            yield same(plan, f"{where}.reference", expression.get("reference"), logic)
            yield look(plan, f"{where}.description", expression.get("description"), "the rule is not told in words")
            name = str(expression.get("expression"))
            yield same(plan, f"{where}.expression", built.definitions.get(name, "undefined"), "Boolean")


def ac_22_exclusive(built: Built) -> Iterator[Look]:
    """The conditions are those of the specification, and no reviewed answer shows two cards of one recommendation."""
    for plan in built.plans(RECOMMENDATION):
        row = built.recommendation(plan)
        if row is not None:
            found = [
                one.get("expression", {}).get("expression")
                for action in plan.get("action", [])
                for one in action.get("condition", [])
            ]
            yield same(plan, "action", sorted(map(str, found)), sorted(row["conditions"]))
    for case in built.cases:
        shown = [
            (card.get("source", {}).get("topic", {}).get("code"), _site(card.get("summary", "")))
            for card in case.cards()
        ]
        yield thing(f"examples {case.id}", len(shown) == len(set(shown)), "two cards of one recommendation and side")


def _site(summary: str) -> str:
    return summary.rpartition("(")[2] if summary.endswith(")") else ""


def ac_23_ratings(built: Built) -> Iterator[Look]:
    """Strength, quality, direction and rationale are given, with codes of the declared systems."""
    for plan, action, path, row in _cards(built):
        strength = extensions(action, f"{HL7}cqf-strengthOfRecommendation")
        yield look(plan, path, len(strength) == 1 and codes(strength[0], _STRENGTH), "the strength is missing")
        quality = extensions(action, f"{HL7}cqf-qualityOfEvidence")
        ok = len(quality) == 1 and codes(quality[0], built.identity["grades"]) and quality[0].get("text")
        yield look(plan, path, ok, "the quality of evidence is missing, or has no grade or no text")
        direction = [codes(one, _DIRECTION) for one in extensions(action, f"{CPG}directionOfRecommendation")]
        yield same(plan, path, direction, [[row["direction"]]])
        rationale = extensions(action, f"{CPG}rationale")
        yield look(plan, path, len(rationale) == 1 and rationale[0], "the rationale is missing")


def ac_23_grade(built: Built) -> Iterator[Look]:
    """The grade is that of the specification; very low certainty is said for the lowest grades only."""
    for plan, action, path, row in _cards(built):
        quality: Any = next(iter(extensions(action, f"{HL7}cqf-qualityOfEvidence")), {})
        yield same(plan, path, codes(quality, built.identity["grades"]), [row["grade"]])
        yield same(plan, path, codes(quality, _QUALITY), ["very-low"] if row["grade"] in _LOWEST else [])


def f_16_against(built: Built) -> Iterator[Look]:
    """The recommendations against something are in the package and say so."""
    for row in built.expected["recommendations"]:
        if row["direction"] == "against":
            plan = built.get("PlanDefinition", row["id"]) or {}
            found = [
                code
                for action in plan.get("action", [])
                for one in extensions(action, f"{CPG}directionOfRecommendation")
                for code in codes(one, _DIRECTION)
            ]
            yield thing(f"PlanDefinition/{row['id']}", found and set(found) == {"against"}, "is missing or not against")


def ac_24_source(built: Built) -> Iterator[Look]:
    """The first documentation is the source of the card: a display, an https url, no document of its own."""
    for plan, action, path, _ in _cards(built):
        documentation = action.get("documentation", [])
        first = documentation[0] if documentation else {}
        ok = first.get("display") and str(first.get("url", "")).startswith("https://")
        yield look(plan, f"{path}.documentation[0]", ok, "has no display or no https url")
        hidden = [one for one in documentation if "url" in one.get("document", {})]
        yield look(plan, f"{path}.documentation", not hidden, "a document url would become the icon of the card")


def ac_24_labels(built: Built) -> Iterator[Look]:
    """The statements and evidence records cited are exactly those of the specification, and exist."""
    for plan, action, path, row in _cards(built):
        cited = {label for label, _ in labels(action.get("documentation", []), built.statement_extension)}
        yield same(plan, f"{path}.documentation", cited, {*row["statements"], *row["evidence"]})
        known = built.statements.keys() | built.evidence.keys()
        yield look(plan, f"{path}.documentation", cited <= known, f"{sorted(cited - known)} exist nowhere")


def ac_25_leaves(built: Built) -> Iterator[Look]:
    """Every action without children leads to an artifact or removes an order."""
    for plan in built.plans(RECOMMENDATION):
        for action, path in actions(plan):
            if not action.get("action"):
                target = built.by_url.get(str(action.get("definitionCanonical", "")).partition("|")[0])
                removes = "remove" in codes(action.get("type"), _ACTION_TYPE)
                yield look(plan, path, target or removes, "leads to nothing")


def ac_25_described(built: Built) -> Iterator[Look]:
    """Every nested action has id, title and description."""
    for plan in built.plans(RECOMMENDATION):
        for action, path in actions(plan):
            if path.count("action[") > 1:
                missing = [name for name in ("id", "title", "description") if not action.get(name)]
                yield look(plan, path, not missing, f"has no {', '.join(missing)}")


def ac_25_suggestions(built: Built) -> Iterator[Look]:
    """The suggestions are those of the specification in order, and those marked there may be preselected."""
    for plan, action, path, row in _cards(built):
        inner = list(actions(action))
        led = [tail(one["definitionCanonical"]) for one, _ in inner if "definitionCanonical" in one]
        yield same(plan, f"{path}.action", list(dict.fromkeys(led)), row.get("suggestions", []))
        removes = any("remove" in codes(one.get("type"), _ACTION_TYPE) for one, _ in inner)
        yield same(plan, f"{path}.action", removes, row.get("removes", False))
        marked = {tail(one.get("definitionCanonical", "")) for one, _ in inner if one.get("precheckBehavior") == "yes"}
        yield same(plan, f"{path}.action", marked, set(row.get("preselected", [])))


def ac_27_priority(built: Built) -> Iterator[Look]:
    """The priority is that of the specification, as are choice and number of cards."""
    for plan in built.plans(RECOMMENDATION):
        row = built.recommendation(plan)
        if row is None:
            continue
        tops = plan.get("action", [])
        found = {str(action.get("priority")) for action in tops}
        yield same(plan, "action.priority", found, set(row["priorities"]))
        yield look(plan, "action.priority", found <= {"routine", "urgent", "stat"}, "has no indicator")
        yield same(plan, "action", len(tops), row["topActions"])
        for index, action in enumerate(tops):
            if action.get("action"):
                where = f"action[{index}].selectionBehavior"
                yield same(plan, where, action.get("selectionBehavior"), row["selection"])
            where = f"action[{index}].cardinalityBehavior"
            yield same(plan, where, action.get("cardinalityBehavior"), row["cardinality"])


def ac_27_topic(built: Built) -> Iterator[Look]:
    """The first code is the topic of the card, which is the id; the second the Common Process."""
    for plan, action, path, row in _cards(built):
        concepts = action.get("code", [])
        first = codes(concepts[0], built.identity["topics"]) if concepts else []
        yield same(plan, f"{path}.code", first[:1], [plan["id"]])
        process = [code for concept in concepts for code in codes(concept, PROCESS)]
        yield same(plan, f"{path}.code", process, [row["process"]])


def f_08_override_reasons(built: Built) -> Iterator[Look]:
    """Every card of every reviewed answer offers exactly the reasons of the value set, in its order."""
    value_set = built.get("ValueSet", built.identity["overrideReasons"]) or {}
    includes = value_set.get("compose", {}).get("include", [])
    offered = [(part.get("system"), one["code"]) for part in includes for one in part.get("concept", [])]
    yield same(value_set, "compose", len(offered), built.identity["overrideReasonCount"])
    for case in built.cases:
        for index, card in enumerate(case.cards()):
            found = [(one.get("system"), one.get("code")) for one in card.get("overrideReasons", [])]
            yield thing(f"examples {case.id} card {index + 1}", found == offered, "other reasons than the value set")
