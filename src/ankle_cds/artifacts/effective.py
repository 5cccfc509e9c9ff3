"""Writes what the logic needs into the artifacts, and finds which prefetch inputs each hook asks for.

Every plan carries the effective data requirements of all it can evaluate; the logic Library carries its own.
https://hl7.org/fhir/uv/crmi/StructureDefinition-crmi-effectiveDataRequirements.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ankle_cds.artifacts import requirements
from ankle_cds.artifacts.nodes import objects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ankle_cds import elm
    from ankle_cds.artifacts.findings import Findings
    from ankle_cds.artifacts.logic import Logic
    from ankle_cds.artifacts.reading import Source
    from ankle_cds.artifacts.requirements import Code, Input, Need
    from ankle_cds.fhir import Document, Resource

_MODULE = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/library-type", "code": "module-definition"}]}
_EFFECTIVE = "http://hl7.org/fhir/uv/crmi/StructureDefinition/crmi-effectiveDataRequirements"


def derive(
    program: elm.Program,
    sources: Mapping[str, Source],
    *,
    logics: Mapping[str, Logic],
    members: Mapping[str, frozenset[Code]],
    settings: Document,
    findings: Findings,
) -> tuple[Input, ...]:
    """Give the inputs, narrowed to the hooks that read them; write the data requirements of plans and logic.

    `members` are the codes of every value set by url, `settings` is package.yaml. What no input brings, and an input
    that nothing reads, become findings.
    """
    base = str(settings.data["canonicalBase"])
    resources = {url: source.resource for url, source in sources.items()}
    by_hook = requirements.hook_expressions(resources)
    own_reads = _parameters_named(logics)

    def needs(names: set[str]) -> tuple[Need, ...]:
        return requirements.needs(program.retrieves(sorted(names & program.definitions.keys())), members, logics)

    def parameters(names: set[str]) -> frozenset[str]:
        reached = frozenset().union(*(program.closure(name) for name in names & program.definitions.keys()))
        return frozenset().union(*(read for name, read in own_reads.items() if name in reached))

    inputs = requirements.assign_hooks(
        requirements.read_inputs(settings, base, members, findings),
        {hook: needs(names) for hook, names in by_hook.items()},
        {hook: parameters(names) for hook, names in by_hook.items()},
        findings,
    )
    for resource in resources.values():
        if resource["resourceType"] == "PlanDefinition":
            wanted = needs(requirements.expressions(resource, resources))
            if wanted:
                _contain(resource, requirements.data_requirements(wanted, inputs))
    wanted = needs(set(program.definitions))
    if wanted:
        primary = resources[f"{base}/Library/{settings.data['logic']}"]
        primary["dataRequirement"] = requirements.data_requirements(wanted, inputs)
    return inputs


def _contain(plan: Resource, wanted: list[Resource]) -> None:
    library = {
        "resourceType": "Library",
        "id": "effective-data-requirements",
        "status": plan["status"],
        "type": _MODULE,
        "dataRequirement": wanted,
    }
    plan["contained"] = [*plan.get("contained", []), library]
    extension = {"url": _EFFECTIVE, "valueCanonical": f"#{library['id']}"}
    plan["extension"] = [*plan.get("extension", []), extension]


def _parameters_named(logics: Mapping[str, Logic]) -> dict[str, frozenset[str]]:
    """Map each definition and function of our libraries, as `Library.Name`, to the parameters it names itself."""
    reads: dict[str, frozenset[str]] = {}
    for library in logics.values():
        for entry in library.defs("statements") if library.cql is not None else ():
            name = f"{library.name}.{entry['name']}"
            found = {str(node["name"]) for node, _ in objects(entry) if node.get("type") == "ParameterRef"}
            reads[name] = reads.get(name, frozenset()) | found
    return reads
