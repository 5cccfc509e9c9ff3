"""What is looked at: the files a build wrote, read again as plain JSON, and the tables they are compared with."""

from __future__ import annotations

import base64
import functools
import io
import json
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts.libraries import fhir_type
from ankle_cds.fhir import read_json, read_yaml
from ankle_cds.lint.elements import level

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from ankle_cds.fhir import Resource

ARCHIVE = "package.tgz"
_DEPTH = 512


@dataclass(frozen=True, slots=True)
class Case:
    """One example story: what it leans on, the time and parameters it is played with, and the reviewed answer."""

    id: str
    tags: tuple[str, ...]
    statements: tuple[str, ...]
    evidence: tuple[str, ...]
    parameters: Mapping[str, Any]
    today: date
    recommendations: tuple[str, ...]
    chart: Resource
    body: Mapping[str, Any]

    def cards(self) -> list[dict[str, Any]]:
        """Give the cards of the answer; a refusal has none."""
        return list(self.body.get("cards", []))


@dataclass(frozen=True)
class Built:
    """A built package and what it is measured against.

    `files` are the bytes of every file a build wrote, by path; `again` those of a second build, `released` those of a
    release build. `expected` is acceptance.yaml. `content` is the folder of the author, `root` the checkout the program
    runs in, None where it is installed. `discovery` is what the service tells of its hooks, `cases` the stories.
    """

    files: Mapping[str, bytes]
    again: Mapping[str, bytes]
    released: Mapping[str, bytes]
    expected: Mapping[str, Any]
    content: Path
    today: date
    root: Path | None = None
    discovery: tuple[Mapping[str, Any], ...] = ()
    cases: tuple[Case, ...] = ()

    @functools.cached_property
    def resources(self) -> tuple[Resource, ...]:
        """Every artifact of the build, in order of its file name."""
        return _resources(self.files)

    @functools.cached_property
    def release(self) -> tuple[Resource, ...]:
        """Every artifact of the release build."""
        return _resources(self.released)

    @functools.cached_property
    def by_url(self) -> dict[str, Resource]:
        """Each artifact by its canonical url."""
        return {str(resource.get("url")): resource for resource in self.resources}

    @functools.cached_property
    def archive(self) -> dict[str, bytes]:
        """The files of the FHIR package by their path in it; empty where the build wrote none."""
        return unpack(self.files[ARCHIVE]) if ARCHIVE in self.files else {}

    @functools.cached_property
    def elm(self) -> dict[str, Mapping[str, Any]]:
        """The translated logic that each Library carries, by library name."""
        found = {}
        for resource in self.of_type("Library"):
            for part in resource.get("content", []):
                if part.get("contentType") == "application/elm+json":
                    document = json.loads(base64.b64decode(part["data"]))
                    found[str(resource["id"])] = document.get("library", document)
        return found

    @functools.cached_property
    def definitions(self) -> dict[str, str]:
        """Each public definition of the logic with the name of its result type in CQL; empty for a list or tuple."""
        return {str(one["name"]): _local(one) for one in self._public}

    @functools.cached_property
    def types(self) -> dict[str, str]:
        """Each public definition with the FHIR type of its result, or of the members of the list it is."""
        return {str(one["name"]): fhir_type(one.get("resultTypeSpecifier") or one)[0] for one in self._public}

    @property
    def _public(self) -> list[Mapping[str, Any]]:
        statements = self.elm.get(self.identity["logic"], {}).get("statements", {}).get("def", [])
        return [
            one
            for one in statements
            if one.get("type") != "FunctionDef" and one.get("accessLevel", "Public") == "Public"
        ]

    @functools.cached_property
    def evidence(self) -> dict[str, dict[str, Any]]:
        """The records of evidence by id."""
        path = self.content / "evidence.yaml"
        rows = read_yaml(path).data["evidence"] if path.is_file() else []
        return {str(row["id"]): row for row in rows}

    @functools.cached_property
    def statements(self) -> dict[str, str]:
        """The statements of the source article: code and paraphrase."""
        url = self.identity["statements"]
        return {
            str(concept["code"]): str(concept.get("display", ""))
            for concept in self.by_url.get(url, {}).get("concept", [])
        }

    @property
    def identity(self) -> Mapping[str, Any]:
        """Names and limits that hold for the whole package."""
        identity: Mapping[str, Any] = self.expected["identity"]
        return identity

    @property
    def statement_extension(self) -> str:
        """The url of the extension that cites a statement."""
        return str(self.identity["statementExtension"])

    def url(self, kind: str, name: str) -> str:
        """Give the canonical url of an artifact of ours."""
        return f"{self.identity['canonicalBase']}/{kind}/{name}"

    def get(self, kind: str, name: str) -> Resource | None:
        """Give an artifact by type and id, None where the package does not hold it."""
        return self.by_url.get(self.url(kind, name))

    def of_type(self, *kinds: str) -> list[Resource]:
        """Give all artifacts of these types."""
        return [resource for resource in self.resources if resource.get("resourceType") in kinds]

    def plans(self, code: str) -> list[Resource]:
        """Give the plans of one level, by its type code."""
        return [plan for plan in self.of_type("PlanDefinition") if level(plan) == code]

    def recommendation(self, resource: Resource) -> Mapping[str, Any] | None:
        """Give the row of the specification for a recommendation."""
        return next((row for row in self.expected["recommendations"] if row["id"] == resource.get("id")), None)

    def profile(self, short: str) -> str:
        """Write out a profile named as `BASE name`."""
        base, _, name = short.partition(" ")
        return f"{self.expected['bases'][base]}{name}"


def _local(definition: Mapping[str, Any]) -> str:
    return str(definition.get("resultTypeName", "")).rpartition("}")[2]


def read_folder(folder: Path) -> dict[str, bytes]:
    """Read every file below a folder, by its path in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def unpack(data: bytes) -> dict[str, bytes]:
    """Read the files of a gzipped tar archive, in their order."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        for member in archive:
            stream = archive.extractfile(member)
            if stream is not None:
                found[member.name] = stream.read()
    return found


def _resources(files: Mapping[str, bytes]) -> tuple[Resource, ...]:
    """Read the artifacts among the files of a build: those at its top that have a canonical url, bundles left out."""
    found = []
    for path, data in files.items():
        if "/" not in path and path.endswith(".json"):
            resource = read_json(data, max_depth=_DEPTH)
            if isinstance(resource, dict) and "resourceType" in resource and resource["resourceType"] != "Bundle":
                found.append(resource)
    return tuple(found)
