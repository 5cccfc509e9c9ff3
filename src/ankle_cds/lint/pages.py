"""AC-94: the page of each recommendation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ankle_cds.lint.elements import HL7, actions, codes, extensions, tail
from ankle_cds.lint.looking import thing
from ankle_cds.lint.plans import RECOMMENDATION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.fhir import Resource
    from ankle_cds.lint.built import Built
    from ankle_cds.lint.looking import Look

_ENDINGS = (".md", ".html")


def _page(built: Built, name: str) -> str:
    """Give the text of the page of a recommendation; empty where the build wrote none."""
    found = [
        data.decode()
        for path, data in built.files.items()
        if path.endswith(_ENDINGS) and path.rsplit("/", 1)[-1].partition(".")[0].endswith(name)
    ]
    return "\n".join(found)


def ac_94_pages(built: Built) -> Iterator[Look]:
    """The build writes one page per recommendation."""
    for row in built.expected["recommendations"]:
        yield thing(f"page of {row['id']}", _page(built, row["id"]), "the build wrote none")


def ac_94_content(built: Built) -> Iterator[Look]:
    """The page tells title, labels, ratings, suggestions, data, value sets, stories, and an example call."""
    for plan in built.plans(RECOMMENDATION):
        page = _page(built, str(plan["id"]))
        for wanted in _wanted(built, plan):
            yield thing(f"page of {plan['id']}", wanted in page, f"does not tell {wanted}")
        for words, file in (('"hook"', "request.json"), ('"cards"', "expected.json")):
            yield thing(f"page of {plan['id']}", words in page or file in page, f"shows and links no {file}")


def _wanted(built: Built, plan: Resource) -> Iterator[str]:
    yield str(plan.get("title"))
    top = plan.get("action", [{}])[0]
    for entry in top.get("documentation", []):
        yield from (str(entry["label"]) for _ in range(1) if "label" in entry)
    for quality in extensions(top, f"{HL7}cqf-qualityOfEvidence"):
        yield from codes(quality, built.identity["grades"])
    for action, _ in actions(plan):
        if "definitionCanonical" in action:
            yield tail(action["definitionCanonical"])
    for part in plan.get("contained", []):
        for requirement in part.get("dataRequirement", []):
            yield str(requirement.get("type"))
            yield from (tail(one["valueSet"]) for one in requirement.get("codeFilter", []) if "valueSet" in one)
    yield from (case.id for case in built.cases if plan["id"] in case.recommendations)
