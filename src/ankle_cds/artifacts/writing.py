"""Writes the built artifacts as JSON files; the same content gives the same bytes."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from ankle_cds.errors import ContentError
from ankle_cds.fhir import write_json

if TYPE_CHECKING:
    from pathlib import Path

    from ankle_cds.artifacts.package import Package
    from ankle_cds.fhir import Resource

_MAX_ARTIFACT = 1_000_000  # bytes (local policy): some servers refuse larger resources

_REVIEW_SOON = 90  # days before the end of the effective period (local policy)


def documents(package: Package, *, release: bool = False) -> dict[str, Resource]:
    """Give the artifacts by url as they are published: status as in the content, or `active` for a release."""
    return {url: _released(resource) if release else resource for url, resource in package.resources.items()}


def _released(resource: Resource) -> Resource:
    """Give the resource and what it contains with the status of a release."""
    released = {**resource, "status": "active"}
    if "contained" in resource:
        released["contained"] = [
            {**part, "status": "active"} if "status" in part else part for part in resource["contained"]
        ]
    return released


def write(package: Package, out: Path, *, release: bool = False) -> list[Path]:
    """Write one `<Type>-<id>.json` per artifact into `out` and give their paths in order.

    The status is that of the content, or `active` for a release. A file of that folder which looks like an artifact
    but is none of this package refuses the build, so that no artifact outlives its removal.
    """
    files = {
        out / f"{one['resourceType']}-{one['id']}.json": write_json(one, indent=2) + b"\n"
        for one in documents(package, release=release).values()
    }
    stale = sorted(set(out.glob("*-*.json")) - files.keys()) if out.is_dir() else []
    if stale:
        raise ContentError(
            f"{stale[0].name} is no artifact of this package; build into an empty folder.", where=str(out)
        )
    out.mkdir(parents=True, exist_ok=True)
    for path, data in files.items():
        path.write_bytes(data)
    return list(files)


def notices(package: Package, today: date) -> tuple[str, ...]:
    """List what an author should know about a package though nothing is wrong with it: size, and review due."""
    found = [
        f"{url} has {size} bytes; a server may refuse more than {_MAX_ARTIFACT}."
        for url, resource in package.resources.items()
        if (size := len(write_json(resource))) > _MAX_ARTIFACT
    ]
    end = package.get(package.pathway).get("effectivePeriod", {}).get("end")
    if end is not None:
        left = (date.fromisoformat(end) - today).days
        if left < 0:
            found.append(f"The content was to be reviewed by {end}; review it, then move effectivePeriod.")
        elif left <= _REVIEW_SOON:
            found.append(f"The content is to be reviewed by {end}, in {left} days.")
    return tuple(found)
