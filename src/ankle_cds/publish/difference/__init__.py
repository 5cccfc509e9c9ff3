"""Two versions of a package, artifact by artifact: what changed, which version step that needs, and which was made.

    reading    a package.tgz or the folder of a build, as artifacts by canonical url
    views      an artifact as it is compared: what a build always renews is masked, what it generates is one element
    elements   two documents, element by element
    steps      major, minor, patch: what each change needs, and which step two version numbers make
    drawing    the report

major  changes who a recommendation applies to or what it says
minor  a new artifact, a refined questionnaire, a new code in a set
patch  wording, metadata

A change that is none of these by name counts as major: a step too large is harmless, one too small is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ankle_cds.errors import ContentError
from ankle_cds.publish.difference import views
from ankle_cds.publish.difference.drawing import as_json, draw
from ankle_cds.publish.difference.elements import compare
from ankle_cds.publish.difference.reading import read
from ankle_cds.publish.difference.steps import Change, Step, judged, made

if TYPE_CHECKING:
    from pathlib import Path

    from ankle_cds.fhir import Resource
    from ankle_cds.publish.difference.reading import Edition

__all__ = ["Artifact", "Change", "Difference", "Step", "as_json", "between", "draw"]


@dataclass(frozen=True, slots=True)
class Artifact:
    """One artifact of either version; its `state` is added, removed, changed, or same but for version and date.

    `made` is the step from its own version in the older package to that in the newer; None for one that has no two.
    """

    type: str
    id: str
    url: str
    state: str
    changes: tuple[Change, ...]
    needed: Step
    made: Step | None

    @property
    def enough(self) -> bool:
        """Whether the version of this artifact went up as far as its changes need."""
        return self.made is None or self.made >= self.needed


@dataclass(frozen=True, slots=True)
class Difference:
    """The whole comparison: the two version numbers, the step made, and every artifact of either, sorted by type."""

    package: str
    old: str
    new: str
    made: Step
    artifacts: tuple[Artifact, ...]

    @property
    def needed(self) -> Step:
        """The largest step any artifact needs."""
        return max((one.needed for one in self.artifacts), default=Step.NONE)

    @property
    def enough(self) -> bool:
        """Whether the package, and each artifact, went up as far as the changes need."""
        return self.made >= self.needed and all(one.enough for one in self.artifacts)


def between(old: Path, new: Path) -> Difference:
    """Compare two versions, each a package.tgz or the folder of a build.

    Raises ContentError where one of them cannot be read, is no whole package, or is a version of another package.
    """
    before, after = read(old), read(new)
    if before.name != after.name:
        raise ContentError(
            f"{old} holds {before.name}, and {new} holds {after.name}; compare two versions of one package.",
            where=str(new),
        )
    urls = sorted({*before.artifacts, *after.artifacts}, key=lambda url: url.split("/")[-2:])
    found = tuple(_artifact(url, before, after) for url in urls)
    return Difference(before.name, before.version, after.version, made(before.version, after.version), found)


def _artifact(url: str, before: Edition, after: Edition) -> Artifact:
    old, new = before.artifacts.get(url), after.artifacts.get(url)
    held: Resource = new or old or {}
    kind, name = str(held["resourceType"]), str(held["id"])
    if old is None or new is None:
        state = "added" if old is None else "removed"
        (change,) = judged(views.kind(held, after), [((), state, None, None)])
        return Artifact(kind, name, url, state, (change,), change.step, None)
    status = not views.goes_on(old, new)
    documents = views.view(old, before, status=status), views.view(new, after, status=status)
    changes = judged(views.kind(old, before), compare(*documents))
    needed = max((change.step for change in changes), default=Step.NONE)
    step = made(str(old["version"]), str(new["version"]))
    return Artifact(kind, name, url, "changed" if changes else "same", changes, needed, step)
