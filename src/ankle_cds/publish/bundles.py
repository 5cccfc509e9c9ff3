"""Transaction Bundles: load one into a FHIR server, twice if need be, and nothing stands there twice.

Every entry is a conditional create by url and version, so that a published version is never overwritten.
https://hl7.org/fhir/uv/crmi/packaging.html · https://hl7.org/fhir/R4/http.html#ccreate
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ankle_cds.artifacts import closure
from ankle_cds.fhir import write_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ankle_cds.fhir import Resource

MAX_FILE = 3_000_000  # bytes (local policy): what a server or a proxy in front of it may refuse to take in one piece


def whole(guide: str, resources: Mapping[str, Resource]) -> list[Resource]:
    """Give the Bundles of everything: the guide first, then each artifact behind those it needs."""
    others = {url: resource for url, resource in resources.items() if url != guide}
    return _bundles(guide, closure(others, others), resources)


def of_one(url: str, resources: Mapping[str, Resource]) -> list[Resource]:
    """Give the Bundles of one artifact: itself first, then all it needs, and nothing else."""
    return _bundles(url, [other for other in closure([url], resources) if other != url], resources)


def names(stem: str, bundles: list[Resource]) -> list[str]:
    """Name the files of one set of Bundles: numbered in the order of loading where there are several."""
    if len(bundles) == 1:
        return [f"{stem}.json"]
    return [f"{stem}.{number}.json" for number in range(1, len(bundles) + 1)]


def encode(bundle: Resource) -> bytes:
    """Write a Bundle as it is measured: without spaces, with a final line break."""
    return write_json(bundle) + b"\n"


def _bundles(first: str, others: list[str], resources: Mapping[str, Resource]) -> list[Resource]:
    """Give one Bundle, or as many as the size asks for, to be loaded in their order.

    What an entry needs stands in its own Bundle or in an earlier one. Of several, the last begins with `first`.
    """
    opening = _entry(resources[first])
    parts: list[list[Any]] = [[]]
    sizes = [0]
    for entry in (_entry(resources[url]) for url in others):
        size = len(write_json(entry)) + 1
        if parts[-1] and sizes[-1] + size > MAX_FILE - _ENVELOPE:
            parts.append([])
            sizes.append(0)
        parts[-1].append(entry)
        sizes[-1] += size
    if parts[-1] and sizes[-1] + len(write_json(opening)) > MAX_FILE - _ENVELOPE:
        parts.append([])
    parts[-1].insert(0, opening)
    if len(parts) > 1:
        parts[-1][0] = _across(opening, {entry["fullUrl"] for entry in parts[-1]}, resources)
    return [{"resourceType": "Bundle", "type": "transaction", "entry": part} for part in parts]


_ENVELOPE = 200  # bytes of a Bundle around its entries


def _entry(resource: Resource) -> dict[str, Any]:
    return {
        "fullUrl": resource["url"],
        "resource": resource,
        "request": {"method": "POST", "url": resource["resourceType"], "ifNoneExist": _query(resource)},
    }


def _query(resource: Resource) -> str:
    return f"url={quote(resource['url'], safe='')}&version={quote(resource['version'], safe='')}"


def _across(entry: dict[str, Any], inside: Iterable[str], resources: Mapping[str, Resource]) -> dict[str, Any]:
    """Let a guide name what an earlier Bundle has loaded by its canonical: the server gave it an id of its own.

    https://hl7.org/fhir/R4/http.html#trules (conditional references)
    """
    resource = entry["resource"]
    listed = resource.get("definition", {}).get("resource")
    if resource["resourceType"] != "ImplementationGuide" or not listed:
        return entry
    outside = {f"{one['resourceType']}/{one['id']}": one for url, one in resources.items() if url not in set(inside)}

    def named(item: Resource) -> Resource:
        one = outside.get(item["reference"]["reference"])
        if one is None:
            return item
        query = f"{one['resourceType']}?{_query(one)}"
        return {**item, "reference": {"reference": query}}

    definition = {**resource["definition"], "resource": [named(item) for item in listed]}
    return {**entry, "resource": {**resource, "definition": definition}}
