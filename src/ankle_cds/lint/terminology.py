"""AC-60, AC-62 and AC-63: value sets, code systems and the map to standard codes."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

from ankle_cds.artifacts.findings import Findings
from ankle_cds.artifacts.terminology import read_table
from ankle_cds.lint.elements import EVIDENCE, HL7, LOCAL_POLICY, concepts, extensions, members
from ankle_cds.lint.looking import look, same, thing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.fhir import Resource
    from ankle_cds.lint.built import Built
    from ankle_cds.lint.looking import Look

_EQUIVALENCE = frozenset(
    (
        "relatedto",
        "equivalent",
        "equal",
        "wider",
        "subsumes",
        "narrower",
        "specializes",
        "inexact",
        "unmatched",
        "disjoint",
    )
)
_UNMATCHED = "unmatched"
_MONTHS_A_YEAR = 12


def ac_60_definition(built: Built) -> Iterator[Look]:
    """Every value set is defined in exactly one way."""
    for one in built.of_type("ValueSet"):
        ways = ["compose" in one] + [
            bool(extensions(one, f"{HL7}{name}")) for name in ("valueset-rules-text", "valueset-expression")
        ]
        yield look(one, "compose", sum(ways) == 1, "is defined in several ways, or in none")
        yield same(one, "immutable", one.get("immutable"), expected=False)


def ac_60_expansion(built: Built) -> Iterator[Look]:
    """Every value set has an expansion with identifier, time, total, and the version of each code system."""
    for one in built.of_type("ValueSet"):
        expansion = one.get("expansion", {})
        missing = [name for name in ("identifier", "timestamp", "total", "parameter") if name not in expansion]
        yield look(one, "expansion", not missing, f"has no {', '.join(missing)}")
        yield same(one, "expansion.total", expansion.get("total"), len(expansion.get("contains", [])))
        said = {
            str(part.get("valueString", part.get("valueUri"))).partition("|")[0]
            for part in expansion.get("parameter", [])
            if part.get("name") in {"system-version", "version"}
        }
        said |= {part["system"] for part in expansion.get("contains", []) if "version" in part}
        systems = {system for system, _, _ in members(one)}
        yield look(one, "expansion.parameter", systems <= said, f"no version of {sorted(systems - said)}")


def ac_60_equals_definition(built: Built) -> Iterator[Look]:
    """The expansion holds what the definition says, families with all their descendants, and nothing else (TC-15)."""
    for one in built.of_type("ValueSet"):
        found = [(system, code) for system, code, _ in members(one)]
        yield same(one, "expansion.contains", set(found), _defined(built, one))
        yield look(one, "expansion.contains", len(found) == len(set(found)), "a member stands twice")


def ac_60_warning(built: Built) -> Iterator[Look]:
    """The warning of the expansion profile is there once, letter for letter."""
    for one in built.of_type("ValueSet"):
        texts = [str(text) for text in extensions(one, f"{HL7}valueset-warning")]
        digests = [hashlib.sha256(text.strip().encode()).hexdigest() for text in texts]
        yield same(one, "extension", digests, [built.expected["expansionWarningSha256"]])


def ac_60_age(built: Built) -> Iterator[Look]:
    """No expansion is older than twelve months."""
    limit = built.expected["maxExpansionMonths"]
    for one in built.of_type("ValueSet"):
        day = str(one.get("expansion", {}).get("timestamp", ""))[:10]
        made = date.fromisoformat(day) if day else date.min
        months = (built.today.year - made.year) * _MONTHS_A_YEAR + built.today.month - made.month
        yield look(one, "expansion.timestamp", months <= limit, f"is {months} months old; at most {limit}")


def _defined(built: Built, one: Resource, seen: tuple[str, ...] = ()) -> set[tuple[str, str]]:
    """Give what a definition says: concepts, systems of ours, families by the table of descendants, other sets."""
    compose = one.get("compose", {})
    parts: dict[str, set[tuple[str, str]]] = {}
    for name in ("include", "exclude"):
        parts[name] = set()
        for include in compose.get(name, []):
            listed = [_listed(built, include)] if "system" in include else []
            for url in include.get("valueSet", []):
                other = built.by_url.get(str(url).partition("|")[0], {})
                listed.append(_defined(built, other, (*seen, str(url))) if url not in seen else set())
            parts[name] |= set.intersection(*listed) if listed else set()
    return parts["include"] - parts["exclude"]


def _listed(built: Built, include: Resource) -> set[tuple[str, str]]:
    system = include["system"]
    if "concept" in include:
        return {(system, concept["code"]) for concept in include["concept"]}
    if "filter" in include:
        roots = [str(one["value"]) for one in include["filter"] if one.get("op") == "is-a"]
        return {(system, code) for root in roots for code in descendants(built, root)}
    url = next((url for url, one in built.by_url.items() if url == system), None)
    return {(system, concept["code"]) for concept, _ in concepts(built.by_url[url])} if url else set()


def descendants(built: Built, root: str) -> set[str]:
    """Give a code of a hierarchy and everything below it in the table of the content folder."""
    below: dict[str, list[str]] = {}
    columns = ("code", "parent", "display", "billable")
    for _, row in read_table(built.content / "icd-10-cm.tsv", columns, Findings()):
        below.setdefault(row["parent"], []).append(row["code"])
    known = {code for codes in below.values() for code in codes}
    found, waiting = set(), [root] if root in known else []
    while waiting:
        code = waiting.pop()
        found.add(code)
        waiting += below.get(code, [])
    return found


def ac_62_complete(built: Built) -> Iterator[Look]:
    """The code systems of the specification are there: case-sensitive, complete, counted, with their value set."""
    found = {str(one["id"]) for one in built.of_type("CodeSystem")}
    for name in built.expected["inventory"]["CodeSystem"]:
        yield thing(f"CodeSystem/{name}", name in found, "the package has no such code system")
    for one in built.of_type("CodeSystem"):
        listed = list(concepts(one))
        yield same(one, "caseSensitive", one.get("caseSensitive"), expected=True)
        yield same(one, "content", one.get("content"), "complete")
        yield look(one, "concept", listed, "holds no concept")
        yield same(one, "count", one.get("count"), len(listed))
        yield look(one, "valueSet", one.get("valueSet") in built.by_url, "names no value set of the package")
        nested = any("concept" in concept for concept, _ in listed)
        yield look(one, "hierarchyMeaning", not nested or one.get("hierarchyMeaning"), "is missing")


def ac_62_concepts(built: Built) -> Iterator[Look]:
    """Every concept stands once, with display and definition, and says what it rests on."""
    for one in built.of_type("CodeSystem"):
        counts = Counter(concept["code"] for concept, _ in concepts(one))
        for concept, path in concepts(one):
            yield look(one, path, counts[concept["code"]] == 1, f"{concept['code']} stands twice")
            named = concept.get("display") and concept.get("definition")
            yield look(one, path, named, f"{concept['code']} has no display or no definition")
            yield look(one, path, _based(built, one, concept), f"{concept['code']} rests on nothing")


def _based(built: Built, one: Resource, concept: Resource) -> bool:
    if one.get("url") in {built.identity["statements"], built.identity["topics"]}:
        return True  # are themselves what others rest on, and the names of cards
    values = " ".join(
        str(value) for prop in concept.get("property", []) for key, value in prop.items() if key.startswith("value")
    )
    traced = any(prop.get("code") in {"sourceStatement", "evidence"} for prop in concept.get("property", []))
    text = f"{concept.get('definition', '')} {values} {one.get('description', '')} {one.get('purpose', '')}"
    return traced or LOCAL_POLICY in text.lower() or bool(EVIDENCE.search(text))


def ac_63_complete(built: Built) -> Iterator[Look]:
    """Every concept of the kinds that are mapped stands in the map, and nothing that is not a concept."""
    source = built.by_url.get(built.identity["findings"], {})
    kinds = set(built.expected["mappedKinds"])
    codes = {concept["code"] for concept, _ in concepts(source)}
    wanted = {
        concept["code"]
        for concept, _ in concepts(source)
        for prop in concept.get("property", [])
        if prop.get("code") == "kind" and str(prop.get("valueCode", prop.get("valueString"))) in kinds
    }
    mapped = {element["code"] for one in built.of_type("ConceptMap") for element, _ in _elements(one)}
    for code in sorted(wanted):
        yield look(source, f"concept({code})", code in mapped, "is not in the map")
    for code in sorted(mapped - codes):
        yield look(source, f"concept({code})", ok=False, problem="is mapped but is no concept")


def ac_63_comments(built: Built) -> Iterator[Look]:
    """Every relation is one of R4, and a concept without a standard code says why."""
    for one in built.of_type("ConceptMap"):
        for element, path in _elements(one):
            targets = element.get("target", [])
            yield look(one, path, targets, f"{element['code']} says neither a target nor that there is none")
            for target in targets:
                relation = target.get("equivalence")
                yield look(one, path, relation in _EQUIVALENCE, f"{relation} is no relation of R4")
                said = relation != _UNMATCHED or target.get("comment")
                yield look(one, path, said, f"{element['code']} is unmatched without a comment")


def _elements(one: Resource) -> Iterator[tuple[Resource, str]]:
    for index, group in enumerate(one.get("group", [])):
        for place, element in enumerate(group.get("element", [])):
            yield element, f"group[{index}].element[{place}]"
