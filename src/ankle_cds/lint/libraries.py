"""AC-50 to AC-52: the logic as it is published, its parameters, and the manifest of the package."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Any

from ankle_cds import elm
from ankle_cds.errors import ContentError
from ankle_cds.fhir import read_json, read_json_file, split_canonical
from ankle_cds.lint.bundles import series
from ankle_cds.lint.elements import EVIDENCE, HL7, LOCAL_POLICY, STATEMENT, codes, extensions, members, related, tail
from ankle_cds.lint.looking import look, same, thing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.fhir import Resource
    from ankle_cds.lint.built import Built
    from ankle_cds.lint.looking import Look

_PARTS = ["text/cql", "application/elm+json"]
_LIBRARY_TYPES = "http://terminology.hl7.org/CodeSystem/library-type"
_PARAMETER = re.compile(
    r"^parameter\s+\"?(\w+)\"?\s+(?P<type>[\w<>]+)(?:\s+default\s+(?P<default>.+?))?\s*$", re.MULTILINE
)
_PER_CALL = "per call"


def ac_50_both_contents(built: Built) -> Iterator[Look]:
    """Every logic library carries its CQL and its ELM, and nothing else."""
    for one in _logic(built):
        yield same(one, "content", [part.get("contentType") for part in one["content"]], _PARTS)
        yield same(one, "type", codes(one.get("type"), _LIBRARY_TYPES), ["logic-library"])
        yield look(one, "content", _part(one, "text/cql"), "the CQL is empty")


def ac_50_inventory(built: Built) -> Iterator[Look]:
    """The libraries are those of the specification; what one includes is in the package or pinned in the manifest."""
    names = {str(one["id"]) for one in built.of_type("Library")}
    manifest: Resource = built.get("Library", built.identity["manifest"]) or {}
    pinned = {tail(str(part.get("resource")).partition("|")[0]) for part in manifest.get("relatedArtifact", [])}
    for name in built.expected["inventory"]["Library"]:
        yield thing(f"Library/{name}", name in names, "the package has no such library")
    for name, library in built.elm.items():
        for entry in library.get("includes", {}).get("def", []):
            included = tail(entry["path"])
            known = included in names | pinned
            yield thing(f"Library/{name}", known, f"includes {included}, which is neither in the package nor pinned")


def ac_50_hashes(built: Built) -> Iterator[Look]:
    """The CQL in the package is the CQL that was translated: its digest is the one the translator noted."""
    sums = built.content / "logic" / "elm" / "SHA256SUMS"
    lines = sums.read_text("utf-8").splitlines() if sums.is_file() else []
    noted = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for one in _logic(built):
        digest = hashlib.sha256(_part(one, "text/cql")).hexdigest()
        yield same(one, "content", digest, noted.get(f"{one['id']}.cql"))


def ac_50_no_error(built: Built) -> Iterator[Look]:
    """The translation of no library holds an error."""
    for name, library in built.elm.items():
        errors = [note.get("message") for note in library.get("annotation", []) if note.get("errorSeverity") == "error"]
        yield thing(f"Library/{name}", not errors, f"the translation failed: {errors}")


def ac_50_executable(built: Built) -> Iterator[Look]:
    """The ELM in the package compiles: every node is one that the engine executes."""
    try:
        program = _program(built)
    except ContentError as error:
        yield thing("Library", ok=False, problem=error.message)
    else:
        for name in program.definitions:
            yield thing(f"Library.{name}", ok=True, problem="")


def ac_51_parameters(built: Built) -> Iterator[Look]:
    """The parameters published are those of the CQL, each with its default and with what it rests on."""
    for one in _logic(built):
        declared = {match[1]: match for match in _PARAMETER.finditer(_part(one, "text/cql").decode())}
        published = {part["name"]: part for part in one.get("parameter", []) if part.get("use") == "in"}
        yield same(one, "parameter", set(published), set(declared))
        for name, part in published.items():
            where = f"parameter({name})"
            default = declared[name]["default"] if name in declared else None
            has = bool(extensions(part, f"{HL7}cqf-defaultValue"))
            yield look(one, where, has == (default not in {None, "null"}), "the default is not that of the CQL")
            basis = str(part.get("documentation", ""))
            ok = EVIDENCE.search(basis) or STATEMENT.search(basis) or _says_why(basis)
            yield look(one, where, ok, "rests on no evidence record and does not say local policy")


def ac_51_requirements(built: Built) -> Iterator[Look]:
    """The data requirements are the retrieves of the ELM."""
    try:
        program = _program(built)
    except ContentError as error:
        yield thing("Library", ok=False, problem=error.message)
        return
    wanted = {
        (one.resource_type, split_canonical(one.value_set)[0] if one.value_set else "", _coded(one.codes or ()))
        for one in program.retrieves(program.definitions)
    }
    one = built.get("Library", built.identity["logic"]) or {}
    found = {
        (
            str(requirement.get("type")),
            next((str(part["valueSet"]) for part in requirement.get("codeFilter", []) if "valueSet" in part), ""),
            tuple(
                sorted(
                    (c["system"], c["code"]) for part in requirement.get("codeFilter", []) for c in part.get("code", [])
                )
            ),
        )
        for requirement in one.get("dataRequirement", [])
    }
    for entry in sorted(wanted | found):
        problem = "is required but not retrieved" if entry in found else "is retrieved but not required"
        yield look(one, f"dataRequirement({entry[0]} {entry[1] or entry[2]})", entry in wanted & found, problem)


def ac_92_parameter_table(built: Built) -> Iterator[Look]:
    """Name, type, default and basis of every parameter are those of the specification."""
    one = built.get("Library", built.identity["logic"]) or {}
    published = {part["name"]: part for part in one.get("parameter", []) if part.get("use") == "in"}
    rows = {row["name"]: row for row in built.expected["parameters"]}
    for name in sorted(published.keys() - rows.keys()):
        yield look(one, f"parameter({name})", ok=False, problem="the specification has no such parameter")
    for name, row in rows.items():
        part = published.get(name)
        if part is None:
            yield look(one, f"parameter({name})", ok=False, problem="is missing")
            continue
        many = row["type"].startswith("List<")
        kind = row["type"].removeprefix("List<").removesuffix(">").lower()
        yield same(one, f"parameter({name}).type", (part["type"], part.get("max")), (kind, "*" if many else "1"))
        default = next((str(value) for value in extensions(part, f"{HL7}cqf-defaultValue")), None)
        yield same(one, f"parameter({name}).default", _plain(default), _plain(row.get("default")))
        basis = str(part.get("documentation", ""))
        yield look(one, f"parameter({name})", row["basis"] in basis.lower() + basis, f"does not name {row['basis']}")


def ac_52_manifest(built: Built) -> Iterator[Look]:
    """The manifest is an asset collection without content that owns every artifact of the package."""
    one = built.get("Library", built.identity["manifest"]) or {}
    yield same(one, "type", codes(one.get("type"), _LIBRARY_TYPES), ["asset-collection"])
    yield look(one, "content", "content" not in one, "the manifest has content")
    owned = [item for item in related(one) if item.get("type") == "composed-of"]
    listed = {split_canonical(str(item.get("resource")))[0] for item in owned}
    yield same(one, "relatedArtifact", listed, set(built.by_url) - {str(one.get("url"))})
    for index, item in enumerate(owned):
        kind = next(iter(extensions(item.get("_resource", {}), f"{HL7}cqf-resourceType")), None)
        own = extensions(item, f"{HL7}artifact-isOwned") == [True]
        target = built.by_url.get(split_canonical(str(item.get("resource")))[0], {})
        ok = own and kind == target.get("resourceType")
        yield look(one, f"relatedArtifact[{index}]", ok, "is not owned, or the resource type is missing or wrong")


def ac_52_pinned(built: Built) -> Iterator[Look]:
    """Every component has the version of its artifact; every dependency one, where its publisher's is known."""
    one = built.get("Library", built.identity["manifest"]) or {}
    unknown = set(built.expected["withoutKnownVersion"])
    for index, item in enumerate(related(one)):
        url, version = split_canonical(str(item.get("resource", "")))
        if item.get("type") == "composed-of":
            target = built.by_url.get(url, {}).get("version")
            yield same(one, f"relatedArtifact[{index}]", version, target)
        elif item.get("type") == "depends-on":
            known = any(url.startswith(base) for base in unknown)
            yield look(one, f"relatedArtifact[{index}]", version or known, f"{url} has no version")
    parameters = extensions(one, f"{HL7}cqf-expansionParameters")
    yield look(one, "extension", parameters, "the versions used by expansions are not given")


def ac_52_same_lists(built: Built) -> Iterator[Look]:
    """Manifest, implementation guide, bundle and archive list the same artifacts."""
    manifest = built.get("Library", built.identity["manifest"]) or {}
    whole = {f"{one.get('resourceType')}/{one.get('id')}" for one in built.resources}
    listed = {
        f"{built.by_url[url].get('resourceType')}/{built.by_url[url].get('id')}"
        for item in related(manifest)
        if item.get("type") == "composed-of" and (url := split_canonical(str(item["resource"]))[0]) in built.by_url
    }
    guides = [f"ImplementationGuide/{one['id']}" for one in built.of_type("ImplementationGuide")]
    manifest_name = f"Library/{manifest.get('id')}"
    yield thing("manifest", listed | {manifest_name} == whole, "lists other artifacts than the package holds")
    yield thing("ImplementationGuide", guides, "the package has none")
    for guide in built.of_type("ImplementationGuide"):
        rows = guide.get("definition", {}).get("resource", [])
        found = {str(row.get("reference", {}).get("reference")) for row in rows if not _is_example(row)}
        yield same(guide, "definition.resource", found, whole - set(guides))
    guide_urls = {str(one.get("url")) for one in built.of_type("ImplementationGuide")}
    bundles = [bundle for bundle in series(built.files) if guide_urls & set(bundle.leads)]
    yield thing("Bundle", bundles, "the build wrote no bundle of the whole package")
    for bundle in bundles:
        found = {f"{one.get('resourceType')}/{one.get('id')}" for one in bundle.resources}
        missing = sorted(whole - found)
        yield thing(bundle.name, not missing, f"does not hold {missing[:5]}")
    packed = {
        f"{resource.get('resourceType')}/{resource.get('id')}"
        for path, data in built.archive.items()
        if re.fullmatch(r"package/[^/]+\.json", path)
        and "resourceType" in (resource := read_json(data, max_depth=512))
        and resource["resourceType"] != "Bundle"
    }
    yield thing("package.tgz", packed == whole, f"holds {len(packed)} artifacts where the build has {len(whole)}")


def _logic(built: Built) -> list[Resource]:
    return [one for one in built.of_type("Library") if one.get("content")]


def _part(one: Resource, kind: str) -> bytes:
    return next((base64.b64decode(part["data"]) for part in one["content"] if part.get("contentType") == kind), b"")


def _program(built: Built) -> elm.Program:
    """Compile the ELM of the package; a library of others that it does not hold is taken from the author's folder."""
    documents: list[dict[str, Any]] = [{"library": library} for library in built.elm.values()]
    others = sorted((built.content / "logic" / "elm").glob("*.json"))
    documents += [read_json_file(path) for path in others if path.stem not in built.elm]
    sets = {
        str(one["url"]): frozenset((system, code) for system, code, _ in members(one))
        for one in built.of_type("ValueSet")
    }
    return elm.load(documents, primary=built.identity["logic"], value_sets=sets)


def _says_why(basis: str) -> bool:
    return LOCAL_POLICY in basis.lower() or _PER_CALL in basis.lower()


def _coded(found: Any) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((str(code.system), str(code.code)) for code in found))


def _plain(default: str | None) -> str | None:
    """Write a default without what makes no difference: spaces in a list, quotes, letter case of a Boolean."""
    if default is None:
        return None
    text = re.sub(r"\s*([{},])\s*", r"\1", default.strip())
    return text.lower() if text in {"True", "False"} else text


def _is_example(row: Any) -> bool:
    return row.get("exampleBoolean") is True or "exampleCanonical" in row
