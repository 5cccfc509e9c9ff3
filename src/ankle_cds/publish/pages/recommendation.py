"""The page of one recommendation: from the card back to the sentence or the study behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts.nodes import values_at
from ankle_cds.cards import INDICATORS
from ankle_cds.fhir import read_json_file, split_canonical
from ankle_cds.parameters import in_words
from ankle_cds.publish.cases import case_path
from ankle_cds.publish.pages import sources
from ankle_cds.publish.pages.markdown import bullets, file_link, link, page, quoted, section, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ankle_cds.artifacts import Package
    from ankle_cds.fhir import Resource
    from ankle_cds.publish.pages.logic import Logic
    from ankle_cds.stories import Story

_EXTENSIONS = {
    "Direction": "http://hl7.org/fhir/uv/cpg/StructureDefinition/cpg-directionOfRecommendation",
    "Strength": "http://hl7.org/fhir/StructureDefinition/cqf-strengthOfRecommendation",
    "Quality of evidence": "http://hl7.org/fhir/StructureDefinition/cqf-qualityOfEvidence",
}
_RATIONALE = "http://hl7.org/fhir/uv/cpg/StructureDefinition/cpg-rationale"


def write(package: Package, plan: Resource, logic: Logic, stories: Sequence[Story], above: Sequence[str]) -> str:
    """Write the page; `above` names the stages a recommendation stands in, from the pathway down."""
    own = [story for story in stories if any(card.recommendation == plan["id"] for card in story.expect)]
    return page(
        plan["title"],
        words(plan["description"]),
        "\n".join(f"> {_headline(action)}" for action in plan["action"]),
        f"The card names this page by {file_link(plan['url'], plan)}. Version {plan['version']}, {plan['date']}.",
        section("When it is shown", *(_conditions(action, logic) for action in plan["action"])),
        section("Where it stands", _flow(plan, logic, above)),
        section("How sure", *_ratings(plan)),
        section("What the source article says", bullets(sources.statements(package, plan))),
        section("What this product added", bullets(sources.evidence(package, plan))),
        section("What it offers", bullets(_offers(package, plan))),
        section("What it reads", bullets(_elements(package, plan)), *_other_records(plan)),
        section("Value sets it reads", bullets(_value_sets(package, plan))),
        section("Parameters it reads", bullets(_parameters(package, plan, logic))),
        section("Test cases", bullets(_case(story) for story in own)),
        section("One card in full", _card(plan, own)),
    )


def ratings(plan: Resource) -> dict[str, Resource]:
    """Give what is rated about a recommendation: direction, strength and quality, as CodeableConcepts by name."""
    values = {one["url"]: one for one, _ in values_at(plan, "action.extension")}
    return {name: values[url]["valueCodeableConcept"] for name, url in _EXTENSIONS.items() if url in values}


def rated(concept: Resource) -> str:
    """Write a rating in words, with its code where that is a grade."""
    return ", ".join(
        f"{one['display']} ({one['code']})" if len(one["code"]) == 1 else one["display"] for one in concept["coding"]
    )


def _headline(action: Resource) -> str:
    return f"**{INDICATORS[action['priority']]}** {words(action['title'])}"


def _conditions(action: Resource, logic: Logic) -> str:
    hooks = ", ".join(trigger["name"] for trigger in action.get("trigger", []))
    rules = [
        f"{words(one['expression']['description'])} ({_definition(one['expression'], logic)})"
        for one in action.get("condition", [])
    ]
    return "\n\n".join([*rules, f"Asked at: {hooks}."])


def _definition(expression: Resource, logic: Logic) -> str:
    name = expression["expression"]
    return f"`{name}`, line {logic.line(name)} of {file_link(logic.library['id'], logic.library)}"


def _flow(plan: Resource, logic: Logic, above: Sequence[str]) -> str:
    phases = {phase.number: phase for phase in logic.phases}
    lines = [" > ".join([link(above[0], "pathway.md"), *map(words, above[1:])])] if above else []
    lines += [
        f"Phase {number} of {len(phases)}, {phases[number].name.lower()}: card {place} of the phase."
        for number, place in logic.places(plan)
        if number in phases
    ]
    return bullets(lines)


def _ratings(plan: Resource) -> Iterator[str]:
    lines = []
    for name, concept in ratings(plan).items():
        text = f": {words(concept['text'])}" if concept.get("text") else ""
        lines.append(f"{name}: **{rated(concept)}**{text}")
    yield bullets(lines)
    for extension, _ in values_at(plan, "action.extension"):
        if extension["url"] == _RATIONALE:
            yield quoted(extension["valueMarkdown"])
    yield f"The scale: {link('ratings', 'ratings.md')}."


def _offers(package: Package, plan: Resource) -> list[str]:
    """List the buttons; those of an order set stand below its name."""
    found = []
    for action in [nested for top in plan["action"] for nested in top.get("action", [])]:
        target = package.resources.get(split_canonical(action.get("definitionCanonical", ""))[0])
        lines = [_offer(action, target)]
        for part in action.get("action", []):
            drafted = package.resources.get(split_canonical(part.get("definitionCanonical", ""))[0])
            lines.append(f"- {_offer(part, drafted)}")
        if target is not None and target["resourceType"] == "PlanDefinition":
            for child, _ in values_at(target, "action*"):
                if child.get("definitionCanonical"):
                    defined = package.resources.get(split_canonical(child["definitionCanonical"])[0])
                    lines.append(f"- {_offer(child, defined)}")
        found.append("\n".join(lines))
    return found


def _offer(action: Resource, target: Resource | None) -> str:
    parts = [f"**{words(action['title'])}**" + (" (preselected)" if action.get("precheckBehavior") == "yes" else "")]
    if action.get("description"):
        parts.append(words(action["description"]))
    asked = [str(one) for one, _ in values_at(action, "condition.expression.description")]
    if asked:
        parts.append(f"Offered when: {words(' '.join(asked))}")
    if target is not None:
        parts.append(f"Drafts {file_link(target['id'], target)}.")
    return " ".join(parts)


def _elements(package: Package, plan: Resource) -> list[str]:
    canonicals = [str(one) for part in ("input", "output") for one, _ in values_at(plan, f"action.{part}.profile")]
    profiles = [package.resources[one] for one in dict.fromkeys(canonicals) if one in package.resources]
    return [f"{file_link(one['title'], one)}: {words(one['description'])}" for one in profiles]


def _requirements(plan: Resource) -> list[Any]:
    return [one for one, _ in values_at(plan.get("contained", []), "dataRequirement")]


def _other_records(plan: Resource) -> Iterator[str]:
    asked = (one["valueString"] for need in _requirements(plan) for one in need.get("extension", []))
    queries = dict.fromkeys(query.partition("&code=")[0] for query in asked)
    if queries:
        yield "Records it asks for, as prefetch:"
        yield bullets(f"`{query}`" for query in queries)


def _value_sets(package: Package, plan: Resource) -> list[str]:
    urls = {str(url) for need in _requirements(plan) for url, _ in values_at(need, "codeFilter.valueSet")}
    for canonical, _ in values_at(plan, "action.input.profile"):
        bound = values_at(package.resources.get(str(canonical), {}), "differential.element.binding.valueSet")
        urls |= {str(url) for url, _ in bound}
    return [
        f"{file_link(one['title'], one)} ({len(package.value_sets[url])} codes): {words(one['description'])}"
        for url in sorted(urls)
        if (one := package.resources.get(url))
    ]


def _parameters(package: Package, plan: Resource, logic: Logic) -> list[str]:
    read = logic.parameters(plan)
    return [
        f"`{one.name}` {words(in_words(one.default, one.unit))} ({words(one.basis)})"
        for one in package.parameters
        if one.name in read and not one.per_call
    ]


def _case(story: Story) -> str:
    folder = f"../{case_path(story)}"
    links = [link(name, f"{folder}/{file}") for name, file in _CASE_FILES.items()]
    labels = ", ".join([*story.statements, *story.evidence])
    leans = f" Leans on {labels}." if labels else ""
    return f"**{words(story.title)}** ({story.hook}): {', '.join(links)}.{leans}"


def _card(plan: Resource, stories: Sequence[Story]) -> str:
    for story in stories:
        for card in read_json_file(story.expected_file).get("cards", []):
            if card["source"]["topic"]["code"] == plan["id"]:
                about = f'In the story "{words(story.title)}":'
                return "\n\n".join([about, quoted(f"**{card['summary']}**\n\n{card['detail']}")])
    return ""


_CASE_FILES = {"story": "story.md", "chart": "chart.json", "request": "request.json", "response": "expected.json"}
