"""The manifest: which artifacts the package holds and which of others it needs, each with its version.

https://hl7.org/fhir/uv/crmi/StructureDefinition-crmi-manifestlibrary.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ankle_cds.artifacts.externals import Externals
    from ankle_cds.fhir import Resource

_HL7 = "http://hl7.org/fhir/StructureDefinition/"


def write_manifest(
    manifest: Resource, resources: Mapping[str, Resource], used: Iterable[str], externals: Externals
) -> None:
    """Complete the manifest Library from what the other artifacts are and use.

    `resources` is every artifact by url, `used` every canonical that any of them uses.
    """
    manifest["type"] = {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/library-type", "code": "asset-collection"}]
    }
    others = [resource for url, resource in resources.items() if url != manifest["url"]]
    components = [
        {
            "extension": [{"url": f"{_HL7}artifact-isOwned", "valueBoolean": True}],
            "type": "composed-of",
            "display": resource["title"],
            "resource": f"{resource['url']}|{resource['version']}",
            "_resource": {
                "extension": [{"url": f"{_HL7}cqf-resourceType", "valueCode": resource["resourceType"]}],
            },
        }
        for resource in others
    ]
    own_extensions = {f"{_HL7}{name}" for name in ("artifact-isOwned", "cqf-resourceType", "cqf-expansionParameters")}
    urls = sorted(url for url in {*used, *own_extensions} if url and url not in resources)
    dependencies = [{"type": "depends-on", "resource": externals.pinned(url)} for url in urls]
    manifest["relatedArtifact"] = [*manifest.get("relatedArtifact", []), *components, *dependencies]
    systems = sorted(
        {
            include["system"]
            for resource in others
            if resource["resourceType"] == "ValueSet"
            for include in resource.get("compose", {}).get("include", [])
            if "system" in include and externals.versions.get(include["system"])
        }
    )
    if systems:
        manifest["contained"] = [
            {
                "resourceType": "Parameters",
                "id": "expansion",
                "parameter": [{"name": "system-version", "valueCanonical": externals.pinned(url)} for url in systems],
            }
        ]
        manifest["extension"] = [
            *manifest.get("extension", []),
            {"url": f"{_HL7}cqf-expansionParameters", "valueReference": {"reference": "#expansion"}},
        ]
