"""From a folder of authored files to a package: each step completes the resources or adds findings, none hides them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from ankle_cds import elm
from ankle_cds.artifacts import (
    checks,
    dependencies,
    effective,
    expansion,
    forms,
    guide,
    labels,
    libraries,
    logic,
    metadata,
    parameters,
    plans,
    requirements,
    snapshot,
    translations,
)
from ankle_cds.artifacts.externals import read_externals
from ankle_cds.artifacts.findings import Findings
from ankle_cds.artifacts.frozen import freeze
from ankle_cds.artifacts.manifest import write_manifest
from ankle_cds.artifacts.narrative import narrate
from ankle_cds.artifacts.nodes import values_at
from ankle_cds.artifacts.package import Package
from ankle_cds.artifacts.reading import Source, check_names, read_sources, registry
from ankle_cds.artifacts.shapes import PACKAGE
from ankle_cds.artifacts.terminology import Terminology, check_codes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ankle_cds.fhir import Resource

_FEATURE = "http://hl7.org/fhir/uv/cpg/StructureDefinition/cpg-featureExpression"
_FEATURE_OF = "http://hl7.org/fhir/uv/cpg/StructureDefinition/cpg-caseFeatureOf"
_WARNING = "http://hl7.org/fhir/StructureDefinition/valueset-warning"


def build(folder: Path, profiles: Path) -> Package:
    """Build the package of one content folder; raise ContentError listing every mistake with file and line."""
    return _Builder(folder, profiles).build()


class _Builder:
    """The state of one build: the sources by url, what was read beside them, and the findings."""

    def __init__(self, folder: Path, profiles: Path) -> None:
        self.folder = folder
        self.findings = Findings()
        document = registry(folder / "package.yaml", PACKAGE, self.findings)
        if document is None:
            self.findings.raise_any(str(folder))
            raise AssertionError  # a file that could not be read is a finding
        self.document = document
        self.settings = document.data
        self.base = str(self.settings["canonicalBase"])
        self.externals = read_externals(folder / "externals.yaml", self.findings)
        read = read_sources(folder, profiles, str(self.settings["prefix"]), self.findings)
        self.findings.raise_any(str(folder))
        for source in read:
            check_names(source, str(self.settings["prefix"]), self.findings)
            metadata.merge(source, self.settings)
        self.sources = {str(source.resource["url"]): source for source in read}
        self.logic_url = f"{self.base}/Library/{self.settings['logic']}"
        self.manifest_url = f"{self.base}/Library/{self.settings['manifest']}"
        self.guide_url = f"{self.base}/{guide.TYPE}/{self.settings['id']}"
        self.statements_url = f"{self.base}/CodeSystem/{self.settings.get('statements')}"
        self.evidence = labels.read_evidence(folder / "evidence.yaml", self.findings)
        self.logics = logic.read_logic(folder / "logic", self.externals, self.findings)
        self.terminology = Terminology()
        self.members: dict[str, frozenset[tuple[str, str]]] = {}

    def build(self) -> Package:
        """Run the steps in order; nothing is compiled or derived from content that already has mistakes."""
        self._read_terminology()
        self._check_labels()
        self._check_plans()
        translations.translate(self.folder, self.document, self.sources, self.findings)
        self._embed_logic()
        program = self._compile()
        self.findings.raise_any(str(self.folder))
        inputs = effective.derive(
            program,
            self.sources,
            logics=self.logics,
            members=self.members,
            settings=self.document,
            findings=self.findings,
        )
        for source in self.sources.values():
            metadata.claim_profiles(source.resource, self.settings.get("profiles", []))
        described = self._describe_parameters(program)
        forms.derive(self.sources, self.settings, self.members, self.findings)
        self._complete(program)
        resources = self._finish()
        pathway, service = checks.endpoints(self.sources)[0][:2]
        return Package(
            folder=self.folder,
            id=str(self.settings["id"]),
            version=str(self.settings["version"]),
            service_id=service,
            pathway=pathway,
            resources=MappingProxyType(resources),
            program=program,
            inputs=inputs,
            value_sets=MappingProxyType(self.members),
            guide=self.guide_url,
            statements=self.statements_url,
            evidence=MappingProxyType(self.evidence),
            parameters=described[0],
            constraints=described[1],
            sources=MappingProxyType(self.sources),
        )

    def _of_type(self, name: str) -> list[Source]:
        return [source for source in self.sources.values() if source.type == name]

    def _read_terminology(self) -> None:
        for source in self._of_type("CodeSystem"):
            self.terminology.add_code_system(source.resource)
            count = len(self.terminology.concepts[str(source.resource["url"])])
            if source.authored.get("count", count) != count:
                self.findings.refuse(f"There are {count} concepts; correct the count.", source.where("count"))
            source.resource["count"] = count
        self.terminology.add_externals(self.folder, self.externals, self.findings)
        for source in self.sources.values():
            check_codes(source, self.terminology, self.findings)
        sets = {str(source.resource["url"]): source for source in self._of_type("ValueSet")}
        expander = expansion.Expander(sets, self.terminology, self.findings)
        for url, source in sets.items():
            members = expander.members(url)
            self.members[url] = frozenset(members)
            expansion.expand(source, members, self.externals)
            text = self.settings.get("valueSetWarning")
            if text:
                extension = {"url": _WARNING, "valueMarkdown": text}
                source.resource["extension"] = [*source.resource.get("extension", []), extension]

    def _check_labels(self) -> None:
        concepts = self.terminology.concepts.get(self.statements_url, {})
        statements = {code: concept.displays[0] for code, concept in concepts.items()}
        extension = f"{self.base}/StructureDefinition/{self.settings.get('statements')}"
        self.labels = labels.Labels(statements, self.evidence, extension)
        for source in self.sources.values():
            self.labels.check(source, self.findings)
        primary = self.logics.get(str(self.settings["logic"]))
        if primary is None:
            self.findings.refuse(
                f"No translated library {self.settings['logic']} in logic/elm; run the translator.",
                self.document.where("logic"),
            )
        else:
            names = {str(entry["name"]): primary.where(entry.get("locator")) for entry in primary.defs("parameters")}
            self.labels.check_basis(self.document, names, self.findings)

    def _check_plans(self) -> None:
        plan_checks = plans.PlanChecks(self.sources, self.findings)
        for source in self._of_type("PlanDefinition"):
            plan_checks.check(source)
        checks.check_titles(self.sources, self.findings)
        checks.check_endpoint(self.sources, self.document.where(), self.findings)
        primary = self.logics.get(str(self.settings["logic"]))
        if primary is None:
            return
        results = {
            str(entry["name"]): str(entry.get("resultTypeName", "a list, interval or tuple"))
            for entry in primary.defs("statements")
            if entry.get("type") != "FunctionDef" and entry.get("accessLevel", "Public") == "Public"
        }
        for source in self.sources.values():
            checks.check_expressions(source, self.logic_url, results, self.findings)

    def _embed_logic(self) -> None:
        for name, library in self.logics.items():
            for entry, system in logic.direct_codes(library):
                refusal = self.terminology.refusal(system, entry["id"], entry.get("display"))
                if refusal:
                    self.findings.refuse(refusal, library.where(entry.get("locator")))
            url = f"{self.base}/Library/{name}"
            if url in self.sources and library.cql is not None:
                basis = parameters.documentation(self.settings) if name == self.settings["logic"] else {}
                libraries.embed(self.sources[url].resource, library)
                described = libraries.parameters(library, basis)
                if described:
                    self.sources[url].resource["parameter"] = described
            elif library.cql is not None and name not in self.externals.libraries:
                self.findings.refuse(
                    f"No Library publishes this source; write libraries/{name}.yaml.", f"{library.cql_path}:1"
                )
        for source in self._of_type("Library"):
            written = (self.folder / "logic" / f"{source.id}.cql").is_file()
            if not written and source.resource["url"] != self.manifest_url:
                self.findings.refuse(f"No logic/{source.id}.cql belongs to this Library; add it.", source.where("id"))

    def _compile(self) -> elm.Program:
        self.findings.raise_any(str(self.folder))
        documents = [{"library": library.elm} for library in self.logics.values()]
        return elm.load(documents, primary=str(self.settings["logic"]), value_sets=self.members)

    def _describe_parameters(
        self, program: elm.Program
    ) -> tuple[tuple[parameters.Parameter, ...], tuple[parameters.Constraint, ...]]:
        described = (
            *parameters.of_logic(self.document, program, self.findings),
            *parameters.of_service(self.document),
        )
        return described, parameters.constraints(self.document, described, self.findings)

    def _resolve(self, resources: Mapping[str, Resource]) -> dict[str, list[dependencies.Use]]:
        """Give the canonicals each resource uses; raise ContentError where one does not resolve."""
        used = {url: dependencies.uses(resource) for url, resource in resources.items()}
        for url, resource in resources.items():
            checked = Source(self.sources[url].document, resource)
            dependencies.resolve(checked, used[url], self.sources, self.externals, self.findings)
        self.findings.raise_any(str(self.folder))
        return used

    def _complete(self, program: elm.Program) -> None:
        """Write what follows from the other artifacts: readers of a feature, statements carried, dependencies."""
        resources = {url: source.resource for url, source in self.sources.items()}
        self._name_readers(program, resources)
        used = self._resolve(resources)
        for url, source in self.sources.items():
            if url in (self.manifest_url, self.guide_url):  # they list every artifact, each in its own way
                continue
            resource = source.resource
            present = {(item.get("type"), item.get("label")) for item in resource.get("relatedArtifact", [])}
            carried = [
                item for item in self.labels.derived_from(resource) if (item["type"], item["label"]) not in present
            ]
            needed = dependencies.depends_on(url, used[url], self.sources, self.externals)
            listed = {item["resource"]: item for item in [*needed, *self._logic_uses(source)]}
            resource["relatedArtifact"] = [*resource.get("relatedArtifact", []), *carried, *listed.values()]

    def _logic_uses(self, source: Source) -> list[Resource]:
        """List the libraries, value sets and code systems a CQL library declares."""
        library = self.logics.get(source.id) if source.type == "Library" else None
        if library is None:
            return []
        names = [str(entry["path"]).rsplit("/", 1)[-1] for entry in library.defs("includes")]
        urls = [self.externals.libraries.get(name, f"{self.base}/Library/{name}") for name in names]
        urls += [entry["id"] for part in ("valueSets", "codeSystems") for entry in library.defs(part)]
        for part in ("valueSets", "codeSystems"):
            for entry in library.defs(part):
                if entry["id"] not in self.sources and entry["id"] not in self.externals.versions:
                    self.findings.refuse(
                        f"{entry['id']} is defined nowhere; write the file, or list it in externals.yaml.",
                        library.where(entry.get("locator")),
                    )
        return [
            {"type": "depends-on", "resource": self.externals.pinned(url) if url not in self.sources else url}
            for url in urls
        ]

    def _name_readers(self, program: elm.Program, resources: dict[str, Resource]) -> None:
        """Write into every case feature which recommendations read it."""
        reached = {}
        for url, plan in resources.items():
            if plans.level(plan) == "eca-rule":
                names = requirements.expressions(plan, resources) & program.definitions.keys()
                reached[url] = frozenset().union(*(program.closure(name) for name in names))
        for source in self._of_type("StructureDefinition"):
            extensions = source.resource.get("extension", [])
            features = {
                f"{self.settings['logic']}.{name}"
                for extension in extensions
                if extension.get("url") == _FEATURE
                for name, _ in values_at(extension, "valueExpression.expression")
            }
            readers = [url for url, names in reached.items() if features & names]
            known = {item.get("valueCanonical") for item in extensions if item.get("url") == _FEATURE_OF}
            added = [{"url": _FEATURE_OF, "valueCanonical": url} for url in sorted(set(readers) - known)]
            if added:
                source.resource["extension"] = [*extensions, *added]

    def _snapshots(self, resources: dict[str, Resource]) -> None:
        """Write the snapshot of every profile; the canonicals FHIR names in it are not ours to resolve."""
        for source in self._of_type("StructureDefinition"):
            elements = snapshot.snapshot(source, self.findings)
            if elements is not None:
                resource = resources[str(source.resource["url"])]
                resource["snapshot"] = {"element": elements}
                resource["differential"] = resource.pop("differential")  # FHIR writes the snapshot first
        self.findings.raise_any(str(self.folder))

    def _finish(self) -> dict[str, Resource]:
        """Write guide, manifest, snapshots and narrative, and freeze."""
        resources = {url: metadata.place(source.resource) for url, source in sorted(self.sources.items())}
        if self.manifest_url not in resources:
            self.findings.refuse(
                f"No libraries/{self.settings['manifest']}.yaml; add it.", self.document.where("manifest")
            )
        if [source.resource["url"] for source in self._of_type(guide.TYPE)] != [self.guide_url]:
            message = f"Exactly one guide lists the package; write guide/{self.settings['id']}.yaml."
            self.findings.refuse(message, self.document.where("id"))
        else:
            guide.write_guide(resources[self.guide_url], resources)
        used = self._resolve(resources)  # again: what was derived refers to others too
        urls = {use.url for uses in used.values() for use in uses}
        write_manifest(resources[self.manifest_url], resources, urls, self.externals)
        self._snapshots(resources)
        finished = {}
        for url, resource in resources.items():
            resource["text"] = narrate(resource)
            finished[url] = freeze(metadata.place(resource))
        return finished
