"""Writes the built artifacts as JSON files; the same content gives the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ankle_cds.errors import ContentError
from ankle_cds.fhir import write_json

if TYPE_CHECKING:
    from pathlib import Path

    from ankle_cds.artifacts.package import Package


_MAX_ARTIFACT = 1_000_000  # bytes (local policy): some servers refuse larger resources


def write(package: Package, out: Path, *, release: bool = False) -> list[Path]:
    """Write one `<Type>-<id>.json` per artifact into `out` and give their paths in order.

    The status is that of the content, or `active` for a release. A file of that folder which looks like an artifact
    but is none of this package refuses the build, so that no artifact outlives its removal.
    """
    files = {}
    for resource in package.resources.values():
        document = {**resource, "status": "active"} if release else resource
        files[out / f"{resource['resourceType']}-{resource['id']}.json"] = write_json(document, indent=2) + b"\n"
    stale = sorted(set(out.glob("*-*.json")) - files.keys()) if out.is_dir() else []
    if stale:
        raise ContentError(
            f"{stale[0].name} is no artifact of this package; build into an empty folder.", where=str(out)
        )
    out.mkdir(parents=True, exist_ok=True)
    for path, data in files.items():
        path.write_bytes(data)
    return list(files)


def notices(package: Package) -> tuple[str, ...]:
    """List what an author should know about a package though nothing is wrong with it."""
    sizes = {url: len(write_json(resource)) for url, resource in package.resources.items()}
    return tuple(
        f"{url} has {size} bytes; a server may refuse more than {_MAX_ARTIFACT}."
        for url, size in sizes.items()
        if size > _MAX_ARTIFACT
    )
