"""The example stories as they are published: charts as examples, and each story as a test with its expected answer.

tests/cdshooks/<CDS service>/<case>/          a hook request and the whole response
tests/plandefinition/<recommendation>/<case>/ the same request, and of the response the cards of one recommendation
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ankle_cds.fhir import read_json_file
from ankle_cds.publish.tarball import as_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ankle_cds.fhir import Resource
    from ankle_cds.stories import Story

_FILES = ("story.md", "request.json", "expected.json")


def examples(stories: Iterable[Story]) -> dict[str, tuple[Story, Resource]]:
    """Give each patient's record, with a story that is told of it, by its file name in the package."""
    charts = ((story, story.record()) for story in stories)
    return {f"{chart['resourceType']}-{chart['id']}.json": (story, chart) for story, chart in charts}


def example_entries(charts: Mapping[str, tuple[Story, Resource]]) -> list[Resource]:
    """Give the entries of the guide for the examples; one that claims a profile is an example of that profile."""
    return [
        {
            "reference": {"reference": f"{chart['resourceType']}/{chart['id']}"},
            "name": story.title,
            "description": f"Chart of the example story {story.id}.",
            **_example_of(chart),
        }
        for story, chart in charts.values()
    ]


def tests(stories: Iterable[Story]) -> dict[str, bytes]:
    """Give the files of all test cases by their path in the package."""
    return {path: data for story in stories for path, data in _of_story(story)}


def case_path(story: Story) -> str:
    """Give the folder of a story among the test cases."""
    return f"tests/cdshooks/{story.condition}/{story.id}"


def _of_story(story: Story) -> Iterator[tuple[str, bytes]]:
    contents = {name: (story.folder / name).read_bytes() for name in _FILES}
    contents["chart.json"] = as_json(story.chart())
    if story.drafts_file.exists():
        contents["drafts.json"] = story.drafts_file.read_bytes()
    for name, data in contents.items():
        yield f"{case_path(story)}/{name}", data
    cards: list[Any] = read_json_file(story.expected_file).get("cards", [])
    for recommendation in dict.fromkeys(card["source"]["topic"]["code"] for card in cards):
        own = [card for card in cards if card["source"]["topic"]["code"] == recommendation]
        folder = f"tests/plandefinition/{recommendation}/{story.id}"
        yield f"{folder}/chart.json", contents["chart.json"]
        yield f"{folder}/request.json", contents["request.json"]
        yield f"{folder}/expected.json", as_json({"cards": own})


def _example_of(resource: Resource) -> Resource:
    profiles = resource.get("meta", {}).get("profile", [])
    return {"exampleCanonical": profiles[0]} if profiles else {"exampleBoolean": True}
