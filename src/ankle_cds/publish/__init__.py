"""Everything that leaves the house, made from one built package and its stories; the same content, the same bytes.

<Type>-<id>.json     every artifact
package.tgz          the FHIR npm package: artifacts, examples, tests
bundle*.json         transaction Bundles of everything
bundles/             transaction Bundles of each recommendation with what it needs
pages/               what a clinician reads to follow a card back to its sources
tests/               the stories, as request and expected response

tarball   the package          bundles   the Bundles
cases     examples and tests   pages     the pages
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ankle_cds import artifacts
from ankle_cds.artifacts.narrative import narrate
from ankle_cds.errors import ContentError
from ankle_cds.publish import bundles, cases, pages, tarball
from ankle_cds.stories import read_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ankle_cds.artifacts import Package
    from ankle_cds.fhir import Resource
    from ankle_cds.stories import Story

__all__ = ["Published", "publish"]

TGZ = "package.tgz"
_OWN = (
    "*-*.json",
    "bundle.json",
    "bundle.*.json",
    f"{TGZ}*",
    *(f"{name}/**/*" for name in ("bundles", "pages", "tests")),
)


@dataclass(frozen=True, slots=True)
class Published:
    """What a build wrote: the files by path, how many artifacts, and what an author should know about their size."""

    files: tuple[str, ...]
    artifacts: int
    notices: tuple[str, ...]


def publish(package: Package, out: Path, *, release: bool = False, stories: Sequence[Story] | None = None) -> Published:
    """Write everything into `out`; the status is that of the content, or `active` for a release.

    A file that an earlier build wrote and this one does not is refused, so that nothing outlives its removal. `stories`
    are those of the condition (default: the embedded ones). One that needs a memory is left out: an engine has none.
    """
    embedded = [one for one in read_all() if one.condition == package.service_id] if stories is None else stories
    told = [one for one in embedded if not one.after]
    resources = artifacts.documents(package, release=release)
    written = pages.write(package, told)
    guide = _with_examples(resources[package.guide], cases.examples(told), written)
    files = {_name(one): tarball.as_json(one) for one in (resources | {package.guide: guide}).values()}
    count = len(files)
    tests = cases.tests(told)
    files[TGZ] = _tgz(files, guide, resources, cases.examples(told), tests)
    digest = hashlib.sha256(files[TGZ]).hexdigest()
    files[f"{TGZ}.sha256"] = f"{digest}  {TGZ}\n".encode()
    files |= tests
    files |= {f"pages/{name}": text.encode() for name, text in written.items()}
    files |= _bundle_files("bundle", bundles.whole(package.guide, resources))
    for plan in pages.recommendations(package):
        files |= _bundle_files(f"bundles/{plan['id']}", bundles.of_one(plan["url"], resources))
    _write(files, out)
    return Published(tuple(files), count, _notices(files))


def _with_examples(
    guide: Resource, charts: Mapping[str, tuple[Story, Resource]], written: Mapping[str, str]
) -> Resource:
    """Give the guide of the package: what it lists in Bundles, and the examples and pages that stand beside it here."""
    definition = {
        "resource": [*guide["definition"]["resource"], *cases.example_entries(charts)],
        "page": pages.listing(written),
    }
    complete = {**guide, "definition": definition}
    return {**complete, "text": narrate(complete)}


def _tgz(
    files: Mapping[str, bytes],
    guide: Resource,
    resources: Mapping[str, Resource],
    charts: Mapping[str, tuple[Story, Resource]],
    tests: Mapping[str, bytes],
) -> bytes:
    base = guide["url"].removesuffix(f"/{guide['resourceType']}/{guide['id']}")
    documents: dict[str, Any] = {
        "package.json": tarball.package_json(guide, base),
        ".index.json": tarball.index({_name(one): one for one in resources.values()}),
        "example/.index.json": tarball.index({name: chart for name, (_, chart) in charts.items()}),
        **{f"example/{name}": chart for name, (_, chart) in charts.items()},
    }
    encoded = {name: tarball.as_json(document) for name, document in documents.items()}
    return tarball.pack([*files.items(), *encoded.items(), *tests.items()], guide["date"])


def _name(resource: Resource) -> str:
    return f"{resource['resourceType']}-{resource['id']}.json"


def _bundle_files(stem: str, found: list[Resource]) -> dict[str, bytes]:
    return {name: bundles.encode(bundle) for name, bundle in zip(bundles.names(stem, found), found, strict=True)}


def _write(files: Mapping[str, bytes], out: Path) -> None:
    wanted = {out / name for name in files}
    present = {path for pattern in _OWN for path in out.glob(pattern) if path.is_file()} if out.is_dir() else set()
    stale = sorted(present - wanted)
    if stale:
        raise ContentError(
            f"{stale[0].relative_to(out)} is no artifact of this package; build into an empty folder.", where=str(out)
        )
    for name, data in files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _notices(files: Mapping[str, bytes]) -> tuple[str, ...]:
    return tuple(
        f"{name} has {len(data)} bytes; a server may refuse more than {bundles.MAX_FILE}."
        for name, data in files.items()
        if len(data) > bundles.MAX_FILE and not name.startswith(TGZ)
    )
