"""AC-10 to AC-13: what holds for the text, the references, the shape and the size of every artifact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts import narrative
from ankle_cds.artifacts.dependencies import uses
from ankle_cds.artifacts.externals import read_externals
from ankle_cds.artifacts.findings import Findings
from ankle_cds.artifacts.terminology import read_table
from ankle_cds.fhir import split_canonical
from ankle_cds.lint.elements import related, tail
from ankle_cds.lint.looking import look, same, thing
from ankle_cds.validate import shape_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ankle_cds.fhir import Resource
    from ankle_cds.lint.built import Built
    from ankle_cds.lint.looking import Look

_EXPLAINED = "tests/interop/explained-warnings.tsv"


def ac_10_narrative(built: Built) -> Iterator[Look]:
    """Every artifact has a generated text, equal to the text generated from it again."""
    for one in built.resources:
        text = one.get("text", {})
        yield same(one, "text.status", text.get("status"), "generated")
        bare = {name: value for name, value in one.items() if name != "text"}
        yield look(one, "text.div", narrative.narrate(bare) == text, "differs from what is generated from the artifact")


def ac_11_citation(built: Built) -> Iterator[Look]:
    """Every knowledge artifact cites the article."""
    for one in built.resources:
        kinds = [item.get("type") for item in related(one)]
        if one.get("resourceType") != "ImplementationGuide":
            yield look(one, "relatedArtifact", "citation" in kinds, "cites nothing")


def ac_11_derived_from(built: Built) -> Iterator[Look]:
    """Plans, activities, forms and feature profiles name the statements they are derived from, or evidence only."""
    for one in built.of_type("PlanDefinition", "ActivityDefinition", "Questionnaire", "StructureDefinition"):
        labels = {str(item.get("label")) for item in related(one) if item.get("label")}
        policy = "local policy" in str(one.get("description", "")) + str(one.get("purpose", "")) + str(one.get("usage"))
        derived = labels & (built.statements.keys() | built.evidence.keys())
        based = bool(derived) or policy or one.get("type") == "Extension"
        yield look(one, "relatedArtifact", based, "names no statement, no evidence record and no local policy")


def ac_11_traced(built: Built) -> Iterator[Look]:
    """`depends-on` is the set of canonicals an artifact uses; nothing more, nothing less."""
    for one in built.resources:
        if one.get("id") == built.identity["manifest"] or one.get("resourceType") == "ImplementationGuide":
            continue  # list the whole package (AC-52)
        listed = {split_canonical(str(item["resource"]))[0] for item in related(one) if _needs(item)}
        traced = {use.url for use in uses(authored(one)) if use.content and use.url not in {"", one.get("url")}}
        logic = built.elm.get(str(one.get("id")), {})
        traced |= {entry["id"] for part in ("valueSets", "codeSystems") for entry in _defs(logic, part)}
        included = {tail(entry["path"]) for entry in _defs(logic, "includes")}
        traced |= {url for url in listed if tail(url) in included}
        yield same(one, "relatedArtifact", listed, traced)
        yield look(one, "relatedArtifact", included <= set(map(tail, listed)), "an included library is not listed")


def ac_11_resolves(built: Built) -> Iterator[Look]:
    """Every canonical is that of an artifact of the package or of the list of external ones."""
    externals = read_externals(built.content / "externals.yaml", Findings()).versions
    for one in built.resources:
        inside = {f"#{part.get('id')}" for part in one.get("contained", [])}
        lost = [
            use.canonical
            for use in uses(authored(one))
            if use.url not in built.by_url and use.url not in externals and use.canonical not in inside
        ]
        yield look(one, "", not lost, f"{lost[0] if lost else ''} is defined nowhere")


def authored(one: Resource) -> Resource:
    """Give the artifact without its snapshot: what it repeats of the base is not what it uses."""
    return {name: value for name, value in one.items() if name != "snapshot"}


def _defs(logic: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = logic.get(part, {}).get("def", [])
    return entries


def _needs(item: dict[str, object]) -> bool:
    return item.get("type") == "depends-on" and isinstance(item.get("resource"), str)


def ac_12_shape(built: Built) -> Iterator[Look]:
    """Every artifact parses with the FHIR models and has no element that R4 does not know."""
    for one in built.resources:
        problems = shape_problems(one)
        where = ".".join(map(str, problems[0].location)) if problems else ""
        yield look(one, where, not problems, problems[0].message if problems else "")


def ac_12_explained(built: Built) -> Iterator[Look]:
    """Every warning that the validator of HL7 may give is listed with its reason."""
    if built.root is not None:
        findings = Findings()
        rows = read_table(built.root / _EXPLAINED, ("id", "message", "files", "reason"), findings)
        yield thing(_EXPLAINED, not findings.items, "cannot be read")
        for line, row in rows:
            yield thing(f"{_EXPLAINED}:{line}", row["reason"].strip(), "the warning has no reason")


def ac_13_size(built: Built) -> Iterator[Look]:
    """No artifact is larger than its limit; no file, nor the Library of the logic, is larger than that of files."""
    artifact, file = built.identity["maxArtifactBytes"], built.identity["maxFileBytes"]
    logic = f"Library-{built.identity['logic']}.json"
    for path, data in {**built.files, **built.archive}.items():
        if path.endswith(".tgz"):
            continue  # the package itself, whose files are looked at one by one
        name = path.rsplit("/", 1)[-1]
        limit = artifact if name.endswith(".json") and name != logic and "bundle" not in path.lower() else file
        yield thing(path, len(data) <= limit, f"has {len(data)} bytes; at most {limit}")
