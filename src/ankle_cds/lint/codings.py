"""AC-61: the checks TC-1 to TC-18 of the terminology reference, each by its number."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ankle_cds.artifacts.findings import Findings
from ankle_cds.artifacts.terminology import read_table
from ankle_cds.lint.check_digits import is_concept_id, luhn_holds, namespace
from ankle_cds.lint.elements import codes, concepts, members, texts, walk
from ankle_cds.lint.looking import look, same, thing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.fhir import Resource
    from ankle_cds.lint.built import Built
    from ankle_cds.lint.looking import Look

_COLUMNS = ("concept_key", "system", "code", "display", "status", "evidence", "note")
_STATUS = {"verified", "unverified", "rejected"}
_SCT, _LOINC = "http://snomed.info/sct", "http://loinc.org"
_RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
_ICD = "http://hl7.org/fhir/sid/icd-10-cm"
_TAG = re.compile(r" \([^()]+\)$")
_PROCEDURE_NUMBER = re.compile(r"(?<![\d.#/-])\d{5}(?![\d-])")
_LOCAL_PATH = re.compile(r"(?:/(?:home|root|work|tmp)/|[A-Z]:\\)")


def _table(built: Built) -> list[tuple[int, dict[str, str]]]:
    return read_table(built.content / "codes.tsv", _COLUMNS, Findings())


def _verified(built: Built) -> dict[tuple[str, str], set[str]]:
    """Give every code that may be used with its displays: verified rows, and descendants of verified families."""
    found: dict[tuple[str, str], set[str]] = {}
    for _, row in _table(built):
        if row["status"] == "verified":
            shown = {row["display"], _TAG.sub("", row["display"])}
            found.setdefault((row["system"], row["code"]), set()).update(shown)
    columns = ("code", "parent", "display", "billable")
    for _, row in read_table(built.content / "icd-10-cm.tsv", columns, Findings()):
        found.setdefault((_ICD, row["code"]), set()).add(row["display"])
    return found


def _codings(built: Built) -> Iterator[tuple[Resource, str, str, str, str | None]]:
    """Yield every coding of the package, members of value sets and targets of the map included."""
    for one in built.resources:
        for node, path in walk({key: value for key, value in one.items() if key != "text"}):
            system = node.get("system")
            if isinstance(system, str) and ":" in system:
                if isinstance(node.get("code"), str):
                    yield one, path, system, node["code"], node.get("display")
                for concept in node.get("concept", []):
                    yield one, path, system, str(concept.get("code")), concept.get("display")
            target = node.get("target")
            if isinstance(target, str) and isinstance(node.get("element"), list):
                for element in node["element"]:
                    for mapped in element.get("target", []):
                        if "code" in mapped:
                            yield one, path, target, str(mapped["code"]), mapped.get("display")


def ac_61_tc_01_table(built: Built) -> Iterator[Look]:
    """TC-1: the table of codes has its shape, a status in every row, no quotes and no path of a machine."""
    findings = Findings()
    rows = read_table(built.content / "codes.tsv", _COLUMNS, findings)
    yield thing("codes.tsv", not findings.items, findings.items[0].message if findings.items else "")
    least = built.expected["minimumCodeRows"]
    yield thing("codes.tsv", len(rows) >= least, f"has {len(rows)} rows; at least {least}")
    for line, row in rows:
        ok = row["status"] in _STATUS and not _LOCAL_PATH.search(row["evidence"])
        ok = ok and not any(cell.startswith('"') and cell.endswith('"') for cell in row.values())
        yield thing(f"codes.tsv:{line}", ok, "the status, a quote or a path of a machine is wrong")


def ac_61_tc_02_snomed_ct(built: Built) -> Iterator[Look]:
    """TC-2: every verified SNOMED CT id is one of a concept, with the right check digit."""
    for line, row in _table(built):
        if row["system"] == _SCT and row["status"] == "verified":
            yield thing(f"codes.tsv:{line}", is_concept_id(row["code"]), f"{row['code']} is no concept id")


def ac_61_tc_03_loinc(built: Built) -> Iterator[Look]:
    """TC-3: every verified LOINC code has the right check digit."""
    for line, row in _table(built):
        if row["system"] == _LOINC and row["status"] == "verified":
            yield thing(f"codes.tsv:{line}", luhn_holds(row["code"]), f"{row['code']} has a wrong check digit")


def ac_61_tc_04_not_drafted(built: Built) -> Iterator[Look]:
    """TC-4: no draft carries an ICD-10-CM code, neither as authored nor in a reviewed answer."""
    for one in built.of_type("ActivityDefinition"):
        parts = [one.get("code"), one.get("productCodeableConcept"), *one.get("contained", [])]
        found = [node for part in parts for node, _ in walk(part) if node.get("system") == _ICD]
        yield look(one, "code", not found, "may draft an ICD-10-CM code")
    for case in built.cases:
        resources = [
            action.get("resource", {})
            for card in case.cards()
            for suggestion in card.get("suggestions", [])
            for action in suggestion.get("actions", [])
        ]
        made = [{key: value for key, value in one.items() if key != "reasonCode"} for one in resources]
        found = [node for one in made for node, _ in walk(one) if node.get("system") == _ICD]
        yield thing(f"examples {case.id}", not found, "drafts an ICD-10-CM code that is no reason")


def ac_61_tc_05_rxnorm(built: Built) -> Iterator[Look]:
    """TC-5: every verified RxNorm code is digits, and its row names the term type."""
    for line, row in _table(built):
        if row["system"] == _RXNORM and row["status"] == "verified":
            named = re.search(r"\b(?:IN|PIN|MIN|SCD|SBD|ingredient)\b", row["note"] + row["evidence"] + row["display"])
            yield thing(f"codes.tsv:{line}", row["code"].isdigit() and named, "is not digits or names no term type")


def ac_61_tc_06_single_source(built: Built) -> Iterator[Look]:
    """TC-6: every standard code used is a verified row, or an ICD-10-CM descendant of one."""
    allowed = _verified(built)
    systems = {row["system"] for _, row in _table(built)} - {""}
    for one, path, system, code, _ in _codings(built):
        if system in systems and system not in built.by_url:
            yield look(one, path, (system, code) in allowed, f"{code} of {system} is not verified")


def ac_61_tc_07_display(built: Built) -> Iterator[Look]:
    """TC-7: every display is that of the table."""
    allowed = _verified(built)
    for one, path, system, code, display in _codings(built):
        if (system, code) in allowed and display is not None:
            yield look(one, path, display in allowed[system, code], f'the display of {code} is "{display}"')


def ac_61_tc_08_rejected(built: Built) -> Iterator[Look]:
    """TC-8: no rejected or unverified code occurs."""
    verified = _verified(built)
    bad = {(row["system"], row["code"]) for _, row in _table(built) if row["status"] != "verified"} - verified.keys()
    used = [(str(one.get("url")), code) for one, _, system, code, _ in _codings(built) if (system, code) in bad]
    for one in built.resources:
        found = [code for url, code in used if url == one.get("url")]
        yield look(one, "", not found, f"uses {found[:1]}")


def ac_61_tc_09_copyright(built: Built) -> Iterator[Look]:
    """TC-9: value sets, code systems and maps carry the notice of every system they use, and of no other."""
    notices = built.expected["systemNotices"]
    for one in built.of_type("ValueSet", "CodeSystem", "ConceptMap"):
        used = {system for system, _, _ in members(one)} | {group.get("target") for group in one.get("group", [])}
        said = {system for system, word in notices.items() if word in str(one.get("copyright"))}
        yield same(one, "copyright", said, used & notices.keys())


def ac_61_tc_10_namespaces(built: Built) -> Iterator[Look]:
    """TC-10: codes of a national extension stand in sets of that jurisdiction only."""
    countries = built.expected["nationalNamespaces"]
    for one in built.of_type("ValueSet"):
        places = {code for part in one.get("jurisdiction", []) for code in codes(part)}
        for system, code, _ in members(one):
            space = namespace(code) if system == _SCT else None
            country = countries.get(space) if space else None
            yield look(one, f"expansion({code})", country is None or country in places, f"is a code of {country} only")


def ac_61_tc_11_versions(built: Built) -> Iterator[Look]:
    """TC-11: a definition names the version of a code system only where it is known."""
    known = built.expected["knownVersions"]
    for one in built.of_type("ValueSet"):
        for index, part in enumerate(one.get("compose", {}).get("include", [])):
            version = part.get("version")
            ok = version is None or known.get(part.get("system")) == version
            yield look(one, f"compose.include[{index}].version", ok, f"{version} is not known")


def ac_61_tc_16_no_cpt(built: Built) -> Iterator[Look]:
    """TC-16: no CPT coding, and no five-digit procedure number in a text."""
    cpt = built.expected["cptSystem"]
    for one in built.resources:
        used = [path for node, path in walk(one) if node.get("system") == cpt]
        yield look(one, used[0] if used else "", not used, "has a CPT coding")
    for one in built.of_type("PlanDefinition", "ActivityDefinition", "Questionnaire"):
        for text, path in texts(one):
            bare = re.sub(r"\(?https?://\S+", "", text)
            yield look(one, path, not _PROCEDURE_NUMBER.search(bare), "holds a five-digit number")


def ac_61_tc_14_local_codes(built: Built) -> Iterator[Look]:
    """TC-14: every local code used is a concept of its code system."""
    own = {url: {concept["code"] for concept, _ in concepts(one)} for url, one in built.by_url.items()}
    for one, path, system, code, _ in _codings(built):
        if built.by_url.get(system, {}).get("resourceType") == "CodeSystem":
            yield look(one, path, code in own[system], f"{code} is no concept of {system}")
