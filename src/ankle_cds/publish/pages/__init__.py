"""The pages: Markdown for people, made from artifacts, evidence registry and stories, and from nothing else.

recommendation   one page each: from the card back to the sentence or the study
overview         the way in, pathway, parameters, ratings
sources          statements and evidence as they are cited
logic            what is read from the published rules
markdown         how it is written down
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ankle_cds.publish.pages import overview, recommendation
from ankle_cds.publish.pages.logic import Logic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ankle_cds.artifacts import Package
    from ankle_cds.fhir import Resource
    from ankle_cds.stories import Story

_HOME = "index.md"


def recommendations(package: Package) -> list[Resource]:
    """Give the recommendations in the order of the pathway."""
    return [plan for _, plan in overview.stages(package)]


def write(package: Package, stories: Sequence[Story]) -> dict[str, str]:
    """Write every page, by file name; the way in comes first."""
    logic = Logic(package)
    found = list(overview.stages(package))
    return {
        _HOME: overview.index(package, found),
        "pathway.md": overview.pathway(package, logic, found),
        **{f"{plan['id']}.md": recommendation.write(package, plan, logic, stories, above) for above, plan in found},
        "parameters.md": overview.parameters(package),
        "ratings.md": overview.scale(package, found),
    }


def listing(written: Mapping[str, str]) -> Resource:
    """List the pages as a guide does. https://hl7.org/fhir/R4/implementationguide.html ."""

    def entry(name: str) -> Resource:
        return {"nameUrl": name, "title": written[name].partition("\n")[0].removeprefix("# "), "generation": "markdown"}

    others = [entry(name) for name in written if name != _HOME]
    return {**entry(_HOME), "page": others}
