"""The FHIR npm package: the same files give the same bytes. https://hl7.org/fhir/packages.html ."""

from __future__ import annotations

import gzip
import io
import tarfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ankle_cds.fhir import write_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ankle_cds.fhir import Resource

FILE_MODE = 0o644
_INDEX_VERSION = 2


def package_json(guide: Resource, base: str) -> dict[str, Any]:
    """Describe the package as npm and FHIR want it; everything in it stands in the guide. The clock is not asked."""
    day = datetime.fromisoformat(guide["date"])
    return {
        "name": guide["packageId"],
        "version": guide["version"],
        "canonical": base,
        "url": guide["url"],
        "title": guide["title"],
        "description": guide["description"].partition("\n")[0],
        "type": "IG",
        "fhirVersions": list(guide["fhirVersion"]),
        "dependencies": {one["packageId"]: one["version"] for one in guide.get("dependsOn", [])},
        "date": day.strftime("%Y%m%d%H%M%S"),
        "author": guide["publisher"],
        "maintainers": [{"name": contact["name"]} for contact in guide.get("contact", []) if "name" in contact],
        "license": guide["license"],
    }


def index(resources: Mapping[str, Resource]) -> dict[str, Any]:
    """List the resources of one folder, by file name, as `.index.json` does."""
    elements = ("resourceType", "id", "url", "version", "kind", "type")
    return {
        "index-version": _INDEX_VERSION,
        "files": [
            {
                "filename": name,
                **{element: one[element] for element in elements if isinstance(one.get(element), str)},
            }
            for name, one in sorted(resources.items())
        ],
    }


def pack(files: Iterable[tuple[str, bytes]], date: str) -> bytes:
    """Pack files into a tgz below `package/`: sorted, dated with the release, owned by nobody."""
    moment = datetime.fromisoformat(date)
    stamp = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    tar_bytes = io.BytesIO()
    with tarfile.open(fileobj=tar_bytes, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in sorted(files):
            member = tarfile.TarInfo(f"package/{name}")
            member.size, member.mtime, member.mode = len(data), stamp, FILE_MODE
            tar.addfile(member, io.BytesIO(data))
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", mtime=0) as stream:
        stream.write(tar_bytes.getvalue())
    return packed.getvalue()


def as_json(document: Any) -> bytes:
    """Write a JSON file of the package as people read it: indented, one final line break."""
    return write_json(document, indent=2) + b"\n"
