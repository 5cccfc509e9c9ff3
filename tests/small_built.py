"""A built package small enough to read whole, in which every check of `ankle-cds lint` is green.

Its files are assembled from resources that a test may change first: what the check then says is the test.
"""

from __future__ import annotations

import base64
import copy
import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts.dependencies import uses
from ankle_cds.artifacts.narrative import narrate
from ankle_cds.lint import Built, Case

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Resource = dict[str, Any]
BASE = "https://example.org/toy"
HL7 = "http://hl7.org/fhir/StructureDefinition/"
CPG = "http://hl7.org/fhir/uv/cpg/StructureDefinition/cpg-"
CRMI = "http://hl7.org/fhir/uv/crmi/StructureDefinition/crmi-"
SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
LOGIC = f"{BASE}/Library/ToyLogic"
FINDINGS = f"{BASE}/CodeSystem/toy-findings"
STATEMENTS = f"{BASE}/CodeSystem/toy-source-statement"
STATEMENT = f"{BASE}/StructureDefinition/toy-source-statement"
SCT, ICD = "http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10-cm"
TODAY = date(2026, 11, 30)
WARNING = "Codes change; look again."
LIBRARY_TYPE = "http://terminology.hl7.org/CodeSystem/library-type"
PROCESS = "http://hl7.org/fhir/uv/cpg/CodeSystem/cpg-common-process-cs"
ACTIVITY_TYPE = "http://hl7.org/fhir/uv/cpg/CodeSystem/cpg-activity-type-cs"
PLAN_TYPE = "http://terminology.hl7.org/CodeSystem/plan-definition-type"
SYSTEM = "{urn:hl7-org:elm-types:r1}"
CQL = "library ToyLogic version '1.0.0'\nparameter AgeMinimum Integer default 8\n"


def coded(system: str, *codes: str) -> Resource:
    return {"coding": [{"system": system, "code": code} for code in codes]}


def extension(url: str, kind: str, value: Any) -> Resource:
    return {"url": url, f"value{kind}": value}


def expression(name: str) -> Resource:
    return {"language": "text/cql-identifier", "expression": name, "reference": LOGIC}


def translated(text: str) -> Resource:
    parts = [extension("lang", "Code", "es"), extension("content", "String", f"{text} (es)")]
    return {"extension": [{"url": f"{HL7}translation", "extension": parts}]}


def literal(name: str, kind: str, value: str) -> Resource:
    inner = {"type": "Literal", "valueType": f"{SYSTEM}{kind}", "value": value, "resultTypeName": f"{SYSTEM}{kind}"}
    return {
        "name": name,
        "context": "Patient",
        "accessLevel": "Public",
        "expression": inner,
        "resultTypeName": f"{SYSTEM}{kind}",
    }


def elm() -> Resource:
    retrieve = {
        "type": "Retrieve",
        "dataType": "{http://hl7.org/fhir}Condition",
        "templateId": f"{HL7}Condition",
        "codeProperty": "code",
        "codeComparator": "in",
        "codes": {"type": "ValueSetRef", "name": "ToyPain", "preserve": True},
    }
    applies = {"type": "Exists", "operand": retrieve, "resultTypeName": f"{SYSTEM}Boolean"}
    patient = {"type": "Retrieve", "dataType": "{http://hl7.org/fhir}Patient", "templateId": f"{HL7}Patient"}
    boolean = {"context": "Patient", "accessLevel": "Public", "resultTypeName": f"{SYSTEM}Boolean"}
    return {
        "library": {
            "identifier": {"id": "ToyLogic", "version": "1.0.0"},
            "schemaIdentifier": {"id": "urn:hl7-org:elm", "version": "r1"},
            "usings": {
                "def": [
                    {"localIdentifier": "System", "uri": "urn:hl7-org:elm-types:r1"},
                    {"localIdentifier": "FHIR", "uri": "http://hl7.org/fhir", "version": "4.0.1"},
                ]
            },
            "parameters": {
                "def": [
                    {
                        "name": "AgeMinimum",
                        "accessLevel": "Public",
                        "default": {"type": "Literal", "valueType": f"{SYSTEM}Integer", "value": "8"},
                        "parameterTypeSpecifier": {"type": "NamedTypeSpecifier", "name": f"{SYSTEM}Integer"},
                    }
                ]
            },
            "valueSets": {"def": [{"name": "ToyPain", "accessLevel": "Public", "id": f"{BASE}/ValueSet/ToyPain"}]},
            "contexts": {"def": [{"name": "Patient"}]},
            "statements": {
                "def": [
                    {
                        "name": "Patient",
                        "context": "Patient",
                        "expression": {"type": "SingletonFrom", "operand": patient},
                    },
                    {"name": "ToyAdviceApplies", "expression": applies, **boolean},
                    {"name": "PainRecorded", "expression": copy.deepcopy(applies), **boolean},
                    literal("ToyAdviceTitle", "String", "Rest (right)"),
                ]
            },
        }
    }


@dataclass
class Small:
    """The parts of a package before they become files; `files` change what was assembled last of all."""

    content: Path
    resources: dict[str, Resource]
    expected: dict[str, Any]
    cases: list[dict[str, Any]]
    elm: Resource
    root: Path
    discovery: list[Resource]
    today: date = TODAY
    released: list[Callable[[dict[str, Resource]], None]] = field(default_factory=list)
    packed: list[Callable[[dict[str, bytes]], None]] = field(default_factory=list)
    bundled: list[Callable[[Resource], None]] = field(default_factory=list)
    files: list[Callable[[dict[str, bytes]], None]] = field(default_factory=list)
    again: list[Callable[[dict[str, bytes]], None]] = field(default_factory=list)

    def of(self, name: str) -> Resource:
        """Give the resource with this `Type/id`."""
        return self.resources[name]

    def built(self) -> Built:
        """Assemble the files, as a build would write them."""
        files = {file_name(one): dumped(one) for one in self.resources.values()}
        guide = [one for one in self.resources.values() if one["resourceType"] == "ImplementationGuide"]
        if guide:
            files["Bundle-whole.json"] = dumped(self.bundle([*guide, *order(self.resources)]))
        if guide and "PlanDefinition/ToyAdvice" in self.resources:
            closure = [self.resources["PlanDefinition/ToyAdvice"], *order(self.resources, "PlanDefinition/ToyAdvice")]
            files["Bundle-ToyAdvice.json"] = dumped(self.bundle(closure))
        files["pages/ToyAdvice.md"] = page(self).encode()
        archive = {f"package/{name}": data for name, data in files.items() if not name.startswith(("Bundle", "pages"))}
        archive |= {f"package/{folder}/{name}": data for (folder, name), data in examples().items()}
        archive["package/package.json"] = json.dumps(
            {
                **dict.fromkeys(("type", "license", "canonical", "url", "title", "description"), "toy"),
                "name": "toy.package",
                "version": "1.0.0",
                "date": "20261122000000",
                "fhirVersions": ["4.0.1"],
                "dependencies": {"hl7.fhir.r4.core": "4.0.1"},
            }
        ).encode()
        archive["package/.index.json"] = json.dumps({"index-version": 2, "files": []}).encode()
        for change in self.packed:
            change(archive)
        files["package.tgz"] = tgz(archive)
        again = dict(files)
        released = copy.deepcopy(self.resources)
        for one in released.values():
            for part in (one, *one.get("contained", [])):
                if "status" in part and part["resourceType"] not in {"Condition", "Observation"}:
                    part["status"] = "active"
        for change in self.released:
            change(released)
        for change in self.files:
            change(files)
        for change in self.again:
            change(again)
        return Built(
            files=files,
            again=again,
            released={file_name(one): dumped(one) for one in released.values()},
            expected=self.expected,
            content=self.content,
            today=self.today,
            root=self.root,
            discovery=tuple(self.discovery),
            cases=tuple(Case(**case) for case in self.cases),
        )

    def bundle(self, resources: list[Resource]) -> Resource:
        whole: Resource = {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [
                {
                    "resource": one,
                    "request": {
                        "method": "POST",
                        "url": one["resourceType"],
                        "ifNoneExist": f"url={one['url']}&version={one['version']}",
                    },
                }
                for one in resources
            ],
        }
        for change in self.bundled:
            change(whole)
        return whole


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def file_name(one: Resource) -> str:
    return f"{one['resourceType']}-{one['id']}.json"


def tgz(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def order(resources: dict[str, Resource], start: str | None = None) -> list[Resource]:
    """Give the resources, each after what it depends on; from `start` only what it reaches, itself left out."""
    by_url = {one["url"]: one for one in resources.values()}
    done: dict[str, Resource] = {}
    whole = {"Library/ToyManifest", "ImplementationGuide/toy.package"}

    def visit(one: Resource, seen: tuple[str, ...]) -> None:
        if one["url"] in done or one["url"] in seen:
            return
        for item in one.get("relatedArtifact", []) + [
            part["valueRelatedArtifact"] for part in one.get("extension", []) if "valueRelatedArtifact" in part
        ]:
            url = item.get("resource", "").partition("|")[0]
            if item["type"] == "depends-on" and url in by_url:
                visit(by_url[url], (*seen, one["url"]))
        done[one["url"]] = one

    if start is not None:
        visit(resources[start], ())
        done.pop(resources[start]["url"])
        return list(done.values())
    for name, one in resources.items():
        if name not in whole:
            visit(one, ())
    return (
        [*done.values(), resources["Library/ToyManifest"]] if "Library/ToyManifest" in resources else [*done.values()]
    )


def examples() -> dict[tuple[str, str], bytes]:
    """Give a valid and an invalid record of the one feature, and a filled form with what it becomes."""
    record = {"resourceType": "Observation", "meta": {"profile": [f"{BASE}/StructureDefinition/ToyPainRecorded"]}}
    response = {"resourceType": "QuestionnaireResponse", "questionnaire": f"{BASE}/Questionnaire/ToyForm"}
    return {
        ("example", "valid.json"): dumped(record),
        ("example", "invalid-record.json"): dumped(record),
        ("tests/Questionnaire/ToyForm/empty", "response.json"): dumped(response),
        ("tests/Questionnaire/ToyForm/empty", "expected.json"): dumped({"resourceType": "Bundle"}),
    }


def page(small: Small) -> str:
    plan = small.resources.get("PlanDefinition/ToyAdvice", {"title": "", "contained": []})
    return f'{plan["title"]} S1 E-TOY1 grade D ToyRest ToyCollect Condition ToyPain story-one story-two "hook" "cards"'


def complete(resources: dict[str, Resource]) -> None:
    """Write what follows from the others: dependencies, the manifest, the text."""
    own = {one["url"] for one in resources.values()}
    native = {"PlanDefinition", "ActivityDefinition", "Library"}
    for name, one in resources.items():
        if name in {"Library/ToyManifest", "ImplementationGuide/toy.package"}:
            continue
        urls = dict.fromkeys(use.url for use in uses(one) if use.content and use.url not in {"", one["url"]})
        if name == "Library/ToyLogic":
            urls[f"{BASE}/ValueSet/ToyPain"] = None
        items = [{"type": "depends-on", "resource": url if url in own else f"{url}|1"} for url in urls]
        if one["resourceType"] in native:
            one.setdefault("relatedArtifact", []).extend(items)
        else:
            one["extension"] += [extension(f"{HL7}artifact-relatedArtifact", "RelatedArtifact", item) for item in items]
    others = [one for one in resources.values() if one["id"] != "ToyManifest"]
    resources["Library/ToyManifest"]["relatedArtifact"] += [
        *(
            {
                "type": "composed-of",
                "resource": f"{one['url']}|{one['version']}",
                "extension": [extension(f"{HL7}artifact-isOwned", "Boolean", value=True)],
                "_resource": {"extension": [extension(f"{HL7}cqf-resourceType", "Code", one["resourceType"])]},
            }
            for one in others
        ),
        {"type": "depends-on", "resource": f"{HL7}Condition|4.0.1"},
    ]
    for one in resources.values():
        one["text"] = narrate(one)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def embedded(document: Resource) -> list[Resource]:
    parts = (("text/cql", CQL.encode()), ("application/elm+json", dumped(document)))
    return [{"contentType": kind, "data": base64.b64encode(data).decode()} for kind, data in parts]
