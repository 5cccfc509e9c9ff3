"""The pages about the whole: the way in, the pathway with its phases, the scale of the ratings, the parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ankle_cds.artifacts.nodes import values_at
from ankle_cds.cards import INDICATORS
from ankle_cds.fhir import split_canonical
from ankle_cds.parameters import in_words
from ankle_cds.publish.pages.markdown import bullets, code, file_link, link, page, section, table, words
from ankle_cds.publish.pages.recommendation import rated, ratings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ankle_cds.artifacts import Package
    from ankle_cds.artifacts.parameters import Parameter
    from ankle_cds.fhir import Resource
    from ankle_cds.publish.pages.logic import Logic


def stages(package: Package) -> Iterator[tuple[list[str], Resource]]:
    """Yield each recommendation in the order of the pathway, with the titles of the stages above it."""
    pathway = package.get(package.pathway)
    for stage in pathway["action"]:
        strategy = package.get(stage["definitionCanonical"])
        for step in strategy["action"]:
            yield [pathway["title"], stage["title"], step["title"]], package.get(step["definitionCanonical"])


def index(package: Package, found: Sequence[tuple[list[str], Resource]]) -> str:
    """Write the way in."""
    guide, pathway = package.get(package.guide), package.get(package.pathway)
    kinds = sorted({one["resourceType"] for one in package.resources.values()})
    return page(
        guide["title"],
        guide["description"],
        f"Version {guide['version']}, {guide['date']}. {words(pathway['usage'])}",
        section("Recommendations", bullets(_line(plan) for _, plan in found)),
        section(
            "The whole",
            bullets(
                [
                    f"{link('Pathway', 'pathway.md')}: the stages and phases in their order",
                    f"{link('Parameters', 'parameters.md')}: what a site can set, and what each default rests on",
                    f"{link('Ratings', 'ratings.md')}: the scale, and how each recommendation is rated",
                ]
            ),
        ),
        section("Resources", bullets(f"{kind}: {len(package.of_type(kind))}" for kind in kinds)),
    )


def pathway(package: Package, logic: Logic, found: Sequence[tuple[list[str], Resource]]) -> str:
    """Write the pathway: its stages for reading, its phases as the logic decides them."""
    plan = package.get(package.pathway)
    titles = {one["id"]: one["title"] for _, one in found}
    phases = []
    for phase in logic.phases:
        placed = sorted(
            (place, one["id"]) for _, one in found for number, place in logic.places(one) if number == phase.number
        )
        cards = ", ".join(link(titles[name], f"{name}.md") for _, name in placed)
        shown = f"Cards, in order: {cards}." if cards else "No card."
        phases.append(f"### {phase.number}. {phase.name}\n\n{shown}\n\n{code(phase.rule)}")
    rules = f"The rules stand in {file_link(logic.library['id'], logic.library)}."
    return page(
        plan["title"],
        words(plan["description"]),
        section("Stages", *(_stage(package, stage, number) for number, stage in enumerate(plan["action"], 1))),
        section("Phases", f"The first phase that is true decides which cards are shown. {rules}", *phases),
    )


def parameters(package: Package) -> str:
    """Write every parameter with default, unit and basis."""
    by_site = [one for one in package.parameters if not one.per_call]
    by_call = [one for one in package.parameters if one.per_call]
    limits = [
        f"{_KINDS[one.kind].format(one.bound)} {', '.join(f'`{name}`' for name in one.names)} ({words(one.because)})"
        for one in package.constraints
    ]
    return page(
        f"{package.get(package.guide)['title']}: Parameters",
        "What a site sets in its configuration holds in place of the default. What is marked local policy is a choice "
        "of this product, not a fact of the source article.",
        section("Set by a site", _table(by_site)),
        section("Set by each call", _table(by_call)),
        section("What must hold between values", bullets(limits)),
    )


def scale(package: Package, found: Sequence[tuple[list[str], Resource]]) -> str:
    """Write the scale of the ratings and how each recommendation is rated on it."""
    concepts = [concept for _, plan in found for concept in ratings(plan).values()]
    systems = {str(system) for system, _ in values_at(concepts, "coding.system")}
    scales = []
    for url in sorted(systems & package.resources.keys()):
        one = package.resources[url]
        grades = (f"**{own['code']}** {words(own['display'])}: {words(own['definition'])}" for own in one["concept"])
        scales.append(f"{file_link(one['title'], one)}: {words(one['description'])}\n\n{bullets(grades)}")
    rows = [
        [link(plan["title"], f"{plan['id']}.md"), *(words(rated(concept)) for concept in ratings(plan).values())]
        for _, plan in found
    ]
    head = ["Recommendation", *(ratings(found[0][1]) if found else [])]
    return page(
        f"{package.get(package.guide)['title']}: Ratings",
        section("The scale", *scales),
        section("How each recommendation is rated", table(head, rows) if rows else ""),
    )


_KINDS = {
    "ascending": "None below the one before:",
    "least": "At least {}:",
    "most": "At most {}:",
    "filled": "Not empty:",
    "https": "An https address:",
}


def _line(plan: Resource) -> str:
    levels = "/".join(dict.fromkeys(INDICATORS[action["priority"]] for action in plan["action"]))
    return f"{link(plan['title'], plan['id'] + '.md')} ({levels}): {words(plan['description'])}"


def _stage(package: Package, stage: Resource, number: int) -> str:
    strategy = package.get(stage["definitionCanonical"])
    steps = []
    for step in strategy["action"]:
        plan = package.get(split_canonical(step["definitionCanonical"])[0])
        steps.append(f"{link(step['title'], plan['id'] + '.md')}: {words(step['description'])}")
    return f"### {number}. {words(stage['title'])}\n\n{words(stage['description'])}\n\n{bullets(steps)}"


def _table(listed: Sequence[Parameter]) -> str:
    rows = []
    for one in listed:
        default = words(in_words(one.default, one.unit))
        reader = "service" if one.service else "logic"
        rows.append([f"`{one.name}`", words(one.type), default, reader, words(one.basis)])
    return table(["Name", "Type", "Default and unit", "Read by", "Basis"], rows) if rows else ""
