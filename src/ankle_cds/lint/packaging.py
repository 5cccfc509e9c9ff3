"""AC-90: the bundles and the archive of the package."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from ankle_cds.fhir import split_canonical
from ankle_cds.lint.built import ARCHIVE
from ankle_cds.lint.bundles import series
from ankle_cds.lint.elements import CPG, extensions, related
from ankle_cds.lint.looking import same, thing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.fhir import Resource
    from ankle_cds.lint.built import Built
    from ankle_cds.lint.bundles import Series
    from ankle_cds.lint.looking import Look

_MANIFEST, _INDEX = "package/package.json", "package/.index.json"
_NAMED = ("name", "version", "type", "license", "canonical", "url", "title", "description", "fhirVersions", "date")


def ac_90_tgz(built: Built) -> Iterator[Look]:
    """The archive has a manifest with all it must say, an index, and depends on nothing but R4."""
    archive = built.archive
    yield thing(ARCHIVE, archive, "the build wrote none")
    for name in (_MANIFEST, _INDEX):
        yield thing(f"{ARCHIVE} {name}", name in archive, "is missing")
    manifest = json.loads(archive.get(_MANIFEST, b"{}"))
    for name in _NAMED:
        yield thing(f"{ARCHIVE} {_MANIFEST}", manifest.get(name), f"{name} is missing")
    identity = built.identity
    yield thing(ARCHIVE, manifest.get("name") == identity["packageId"], f"is named {manifest.get('name')}")
    yield thing(ARCHIVE, manifest.get("dependencies") == identity["dependencies"], "depends on other packages")
    yield thing(ARCHIVE, manifest.get("fhirVersions") == [identity["fhirVersion"]], "is of another FHIR version")
    index = json.loads(archive.get(_INDEX, b"{}"))
    yield thing(f"{ARCHIVE} {_INDEX}", str(index.get("index-version")) == "2", "the index is of another version")


def ac_90_reproducible(built: Built) -> Iterator[Look]:
    """Two builds write the same bytes, the archive included."""
    yield thing(ARCHIVE, ARCHIVE in built.files, "the build wrote none")
    for path, data in built.files.items():
        again = built.again.get(path, b"")
        digests = [hashlib.sha256(part).hexdigest() for part in (data, again)]
        yield thing(path, digests[0] == digests[1], "differs in the second build")
    yield thing("build", built.files.keys() == built.again.keys(), "the second build wrote other files")


def ac_90_bundle(built: Built) -> Iterator[Look]:
    """The transaction, or a part of it, begins with the guide, and every artifact stands after all it depends on."""
    bundles = _whole(built)
    yield thing("Bundle", bundles, "the build wrote no bundle of the whole package")
    for bundle in bundles:
        yield thing(bundle.name, set(bundle.types) <= {"transaction", "collection"}, f"is a {bundle.types}")
        # The manifest and the guide name every artifact; what they name cannot stand before them.
        guides = {str(one.get("url")) for one in built.of_type("ImplementationGuide")}
        names_all = guides | {built.url("Library", built.identity["manifest"])}
        known = built.by_url.keys() - names_all
        place = {str(one.get("url")): index for index, one in enumerate(bundle.resources)}
        for index, one in enumerate(bundle.resources):
            if str(one.get("url")) in known:
                late = sorted(
                    url
                    for url in needed(one) & known
                    if place.get(url, -1) > index and not _circular(built, url, str(one.get("url")))
                )
                yield thing(f"{bundle.name} entry {index}", not late, f"stands before {late[:1]}, which it depends on")


def needed(one: Resource) -> set[str]:
    """Give the canonicals an artifact depends on, without their versions."""
    return {split_canonical(str(item["resource"]))[0] for item in related(one) if item.get("type") == "depends-on"}


def _whole(built: Built) -> list[Series]:
    guides = {str(one.get("url")) for one in built.of_type("ImplementationGuide")}
    return [bundle for bundle in series(built.files) if guides & set(bundle.leads)]


def _circular(built: Built, url: str, start: str) -> bool:
    """Tell whether two artifacts name each other, directly or through others: neither can stand first."""
    seen: set[str] = set()
    waiting = [url]
    while waiting:
        current = waiting.pop()
        if current == start:
            return True
        if current not in seen:
            seen.add(current)
            waiting += needed(built.by_url.get(current, {}))
    return False


def ac_90_conditional_create(built: Built) -> Iterator[Look]:
    """Every entry is created only where the server has no such version yet: none is overwritten."""
    for bundle in series(built.files):
        for index, entry in enumerate(bundle.entries):
            resource, request = entry.get("resource", {}), entry.get("request", {})
            if "url" in resource and "transaction" in bundle.types:
                wanted = {"url": [resource["url"]], "version": [resource.get("version")]}
                ok = request.get("method") == "POST" and parse_qs(str(request.get("ifNoneExist"))) == wanted
                yield thing(f"{bundle.name} entry {index}", ok, f"is not created by url and version: {request}")


def ac_90_closures(built: Built) -> Iterator[Look]:
    """There is a bundle for every recommendation, closed over all it depends on."""
    bundles = series(built.files)
    for row in built.expected["recommendations"]:
        url = built.url("PlanDefinition", row["id"])
        own = [bundle for bundle in bundles if url in bundle.leads and bundle not in _whole(built)]
        yield thing(f"PlanDefinition/{row['id']}", own, "has no bundle of its own")
        for bundle in own:
            held = {str(one.get("url")) for one in bundle.resources}
            wanted = set().union(*(needed(built.by_url.get(name, {})) - _upward(built, name) for name in held))
            missing = sorted((wanted & built.by_url.keys()) - held)
            yield thing(bundle.name, not missing, f"lacks {missing[:2]}")


def _upward(built: Built, name: str) -> set[str]:
    """Give what an artifact is part of or read by: that needs it, and not the other way round."""
    one = built.by_url.get(name, {})
    upward = {str(url) for part in ("partOf", "caseFeatureOf") for url in extensions(one, f"{CPG}{part}")}
    return upward | {str(one.get("valueSet"))}  # of a code system: the set of all its codes


def ac_90_guide(built: Built) -> Iterator[Look]:
    """The guide names every artifact and says how mustSupport is read."""
    for one in built.of_type("ImplementationGuide"):
        text = str(one.get("description", "")) + json.dumps(one.get("definition", {}), default=str)
        yield thing(f"ImplementationGuide/{one['id']}", "mustSupport" in text, "does not say how mustSupport is read")
        depends = {row.get("packageId"): row.get("version") for row in one.get("dependsOn", [])}
        yield same(one, "dependsOn", depends, dict(built.identity["dependencies"]))
    yield thing("ImplementationGuide", built.of_type("ImplementationGuide"), "the package has none")
