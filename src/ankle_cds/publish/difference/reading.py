"""Reads one version: a package.tgz or the folder of a build. What cannot be read whole is refused."""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ankle_cds.errors import ContentError, RequestError
from ankle_cds.fhir import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ankle_cds.fhir import Resource

_ARTIFACT = re.compile(r"[A-Z][A-Za-z]+-[^/]+\.json")
_GUIDE = "ImplementationGuide"
_IDENTITY = ("resourceType", "id", "url", "version")
_DEPTH = 512
_LARGEST = 50_000_000  # bytes of one file: an archive that unpacks to more is no package of ours
_SEMVER = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
_SEMVER_RULE = "https://semver.org/spec/v2.0.0.html"


@dataclass(frozen=True, slots=True)
class Edition:
    """One version of a package: its name, version and release date, and its artifacts by canonical url."""

    name: str
    version: str
    date: str
    artifacts: dict[str, Resource]


def read(path: Path) -> Edition:
    """Read a package.tgz, or the folder a build wrote.

    Raises ContentError where it is neither, where a file is not strict JSON or no artifact, where two artifacts have
    one canonical url, where not exactly one guide tells the name of the package, and where a version is not semver.
    """
    artifacts: dict[str, Resource] = {}
    for name, data in _files(path):
        one = _artifact(data, f"{path}: {name}")
        if one["url"] in artifacts:
            raise ContentError(f"{one['url']} stands here twice; keep one of them.", where=f"{path}: {name}")
        artifacts[one["url"]] = one
    guides = [one for one in artifacts.values() if one["resourceType"] == _GUIDE]
    if len(guides) != 1 or not guides[0].get("packageId"):
        raise ContentError(
            f"A package is told by one ImplementationGuide with a packageId, and here are {len(guides)}; "
            "name the package.tgz or the whole folder that `ankle-cds build` wrote.",
            where=str(path),
        )
    (guide,) = guides
    return Edition(str(guide["packageId"]), str(guide["version"]), str(guide.get("date", "")), artifacts)


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Give the files of artifacts, by their name."""
    if path.is_dir():
        for file in sorted(path.iterdir()):
            if file.is_file() and _ARTIFACT.fullmatch(file.name):
                yield file.name, file.read_bytes()
        return
    try:
        with tarfile.open(path, mode="r:gz") as archive:
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                if member.isfile() and folder == "package" and _ARTIFACT.fullmatch(name):
                    if member.size > _LARGEST:
                        raise ContentError(
                            f"The file has more than {_LARGEST} bytes; it is no artifact of a package.",
                            where=f"{path}: {name}",
                        )
                    stream = archive.extractfile(member)
                    yield name, stream.read() if stream else b""
    except (OSError, tarfile.TarError, EOFError):
        raise ContentError(
            "This is neither a package.tgz nor a folder; name one that `ankle-cds build` wrote.", where=str(path)
        ) from None


def _artifact(data: bytes, where: str) -> dict[str, Any]:
    try:
        one = read_json(data, max_depth=_DEPTH)
    except RequestError as error:
        raise ContentError(f"{error.message} Build it again.", where=where, spec=error.spec) from None
    missing = [name for name in _IDENTITY if not isinstance(one, dict) or not isinstance(one.get(name), str)]
    if missing:
        raise ContentError(f"An artifact has {', '.join(missing)}; build it again.", where=where)
    if not _SEMVER.fullmatch(one["version"]):
        raise ContentError("The version is not major.minor.patch; correct it.", where=where, spec=_SEMVER_RULE)
    found: dict[str, Any] = one
    return found
