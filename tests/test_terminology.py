"""The codes are what they say: each number is well formed, verified by a named source, and used with its own display.

`codes.tsv` is the only list of standard codes, `icd-10-cm.tsv` the only list of ICD-10-CM families; value sets, code
systems, concept map, plans, forms and CQL may hold nothing else. All checks run offline.

To renew `icd-10-cm.tsv` after a value set has gained a family, run this file with ANKLE_CDS_WRITE_ICD_10_CM=1 once.
"""

from __future__ import annotations

import csv
import functools
import importlib
import os
import re
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from ankle_cds.fhir import read_yaml
from ankle_cds.lint.check_digits import luhn_holds, verhoeff_holds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).parents[1]
CONTENT = ROOT / "src" / "ankle_cds" / "content" / "posterior-ankle-impingement"
BASE = "https://w3id.org/ankle-cds"
SCT = "http://snomed.info/sct"
LNC = "http://loinc.org"
RXN = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
CPT = "http://www.ama-assn.org/go/cpt"
STANDARD = (SCT, LNC, RXN, ICD)
FINDINGS = f"{BASE}/CodeSystem/pai-findings"

# The statements their owners ask for, one paragraph each in this order; %s is the kind of resource.
COPYRIGHT = {
    SCT: (
        "This %s includes content from SNOMED CT, which is copyright © 2002+ International Health Terminology "
        "Standards Development Organisation (IHTSDO), and distributed by agreement between IHTSDO and HL7. "
        "Implementer use of SNOMED CT is not covered by this agreement."
    ),
    LNC: (
        "This material contains content from LOINC (http://loinc.org). LOINC is copyright © 1995-2020, Regenstrief "
        "Institute, Inc. and the Logical Observation Identifiers Names and Codes (LOINC) Committee and is available "
        "at no cost under the license at http://loinc.org/license. LOINC® is a registered United States trademark of "
        "Regenstrief Institute, Inc"
    ),
    RXN: (
        "Using RxNorm codes of type SAB=RXNORM does not require a UMLS license; access to the full set of RxNorm "
        "definitions, and additional use of other RxNorm structures and information, requires one. Implementers must "
        "acquire a license to use RxNorm in their own right."
    ),
    ICD: (
        "ICD-10-CM is maintained by the National Center for Health Statistics (NCHS). ICD-10 is copyright World "
        "Health Organization."
    ),
}
KNOWN_VERSIONS = {LNC: "2.69", ICD: "2026"}


class CodeRow(NamedTuple):
    """One row of codes.tsv, all text."""

    concept_key: str
    system: str
    code: str
    display: str
    status: str
    evidence: str
    note: str


class IcdRow(NamedTuple):
    """One row of icd-10-cm.tsv; billable is "true" or "false"."""

    code: str
    parent: str
    display: str
    billable: str


Coding = tuple[str, str]  # (system, code)


# What the files hold


def rows(name: str) -> list[list[str]]:
    """Cells of a table without its comment lines; the first row is the header."""
    text = (CONTENT / name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return list(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


@functools.cache
def code_table() -> tuple[CodeRow, ...]:
    return tuple(CodeRow(*row) for row in rows("codes.tsv")[1:])


@functools.cache
def verified() -> dict[Coding, str]:
    return {(row.system, row.code): row.display for row in code_table() if row.status == "verified"}


@functools.cache
def icd_families() -> dict[str, IcdRow]:
    return {row[0]: IcdRow(*row) for row in rows("icd-10-cm.tsv")[1:]}


@functools.cache
def resources(folder: str) -> dict[str, dict[str, Any]]:
    """Every authored resource of one content folder by its id."""
    return {path.stem: read_yaml(path).data for path in sorted((CONTENT / folder).glob("*.yaml"))}


@functools.cache
def concepts() -> dict[Coding, dict[str, Any]]:
    """Every concept that the project defines, by (system, code)."""
    return {
        (f"{BASE}/CodeSystem/{id_}", concept["code"]): concept
        for id_, system in resources("code-systems").items()
        for concept in system["concept"]
    }


@functools.cache
def evidence() -> dict[str, dict[str, Any]]:
    return {record["id"]: record for record in read_yaml(CONTENT / "evidence.yaml").data["evidence"]}


def family(root: str) -> set[str]:
    """ICD-10-CM code `root` with everything below it in the published table."""
    members = {root}
    for row in icd_families().values():  # tabular order: a parent stands before its children
        if row.parent in members:
            members.add(row.code)
    return members


@functools.cache
def expand(id_: str) -> dict[Coding, str]:
    """Every member of a value set with its display, as an engine has to see it."""
    members: dict[Coding, str] = {}
    for include in resources("value-sets")[id_]["compose"]["include"]:
        system = include["system"]
        for concept in include.get("concept", ()):
            members[system, concept["code"]] = concept["display"]
        for rule in include.get("filter", ()):
            assert (system, rule["property"], rule["op"]) == (ICD, "concept", "is-a"), id_
            for code in family(rule["value"]):
                members[ICD, code] = icd_families()[code].display
        if "concept" not in include and "filter" not in include:
            members |= {key: concept["display"] for key, concept in concepts().items() if key[0] == system}
    return members


def filter_roots() -> set[str]:
    return {
        rule["value"]
        for resource in resources("value-sets").values()
        for include in resource["compose"]["include"]
        for rule in include.get("filter", ())
    }


def read_by_logic() -> list[str]:
    """Ids of the sets that rules read; the others say in their description that none does."""
    return [
        id_
        for id_, resource in resources("value-sets").items()
        if "No rule reads this set" not in resource["description"]
    ]


def codings(value: Any) -> Iterator[dict[str, Any]]:
    """Every element with a system and a code, at any depth."""
    if isinstance(value, dict):
        if isinstance(value.get("system"), str) and isinstance(value.get("code"), str):
            yield value
        for inner in value.values():
            yield from codings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from codings(inner)


@functools.cache
def used_codings() -> tuple[tuple[str, str, str, str | None], ...]:
    """(place, system, code, display) of every coding in the authored content, CQL included."""
    found: list[tuple[str, str, str, str | None]] = []
    for folder in ("plans", "activities", "questionnaires", "libraries"):
        for id_, resource in resources(folder).items():
            found += [(id_, c["system"], c["code"], c.get("display")) for c in codings(resource)]
    for path in sorted((ROOT / "profiles").glob("*.yaml")):
        found += [(path.stem, c["system"], c["code"], c.get("display")) for c in codings(read_yaml(path).data)]
    for id_, resource in resources("value-sets").items():
        for include in resource["compose"]["include"]:
            found += [(id_, include["system"], c["code"], c.get("display")) for c in include.get("concept", ())]
    for id_, resource in resources("concept-maps").items():
        for group in resource["group"]:
            for element in group["element"]:
                found.append((id_, group["source"], element["code"], element.get("display")))
                found += [(id_, group["target"], t["code"], t["display"]) for t in element["target"] if "code" in t]
    for path in sorted((CONTENT / "logic").glob("*.cql")):
        text = path.read_text(encoding="utf-8")
        systems = dict(re.findall(r"^codesystem \"([^\"]+)\": '([^']+)'", text, re.MULTILINE))
        declared = re.findall(
            r"^code \"[^\"]+\": '([^']+)' from \"([^\"]+)\"(?: display '([^']+)')?", text, re.MULTILINE
        )
        found += [(path.stem, systems[system], code, display or None) for code, system, display in declared]
    return tuple(found)


def systems_of(resource: dict[str, Any]) -> set[str]:
    if resource["resourceType"] == "ConceptMap":
        return {group["target"] for group in resource["group"]}
    return {include["system"] for include in resource.get("compose", {}).get("include", ())}


# The numbers themselves


@functools.cache
def icd_release() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package imports pkg_resources, which setuptools has deprecated
        return importlib.import_module("simple_icd_10_cm")


def icd_table_of_release() -> str:
    """Text of icd-10-cm.tsv as the pinned ICD-10-CM release gives it for the families that the value sets name."""
    icd = icd_release()
    wanted = filter_roots().union(*(icd.get_descendants(root) for root in filter_roots()))
    release = "ICD-10-CM, CMS tabular list dated April-1-2026, as packaged in simple-icd-10-cm 1.5.0"
    lines = [f"# {release}: every family that a value set includes with is-a", "code\tparent\tdisplay\tbillable"]
    for code in icd.get_all_codes(with_dots=True):
        if code in wanted:
            billable = "true" if icd.is_leaf(code) else "false"
            lines.append(f"{code}\t{icd.get_parent(code)}\t{icd.get_description(code)}\t{billable}")
    return "\n".join(lines) + "\n"


# codes.tsv


def test_code_table_has_its_shape_and_no_local_path() -> None:
    table = rows("codes.tsv")
    assert table[0] == list(CodeRow._fields)
    assert len(table) >= 450
    assert {len(row) for row in table} == {7}
    assert {row.status for row in code_table()} == {"verified", "unverified", "rejected"}
    assert all(row.evidence for row in code_table())
    assert not [row for row in code_table() if re.search(r"(^|\s)(/|[A-Z]:\\|~/|\.\.?/)", row.evidence)]
    assert not [cell for row in table for cell in row if cell != cell.strip() or re.fullmatch(r'".*"', cell)]


def test_a_verified_code_stands_with_one_display_and_is_nowhere_unverified_or_rejected() -> None:
    displays: dict[Coding, set[str]] = {}
    for row in code_table():
        if row.status == "verified":
            assert row.system in STANDARD
            displays.setdefault((row.system, row.code), set()).add(row.display)
        else:
            assert (row.system, row.code) not in verified()
    assert not {key: names for key, names in displays.items() if len(names) != 1 or "" in names}


@pytest.mark.parametrize("code", ["7771000", "240021001", "1326551000000102", "566341000119106"])
def test_verhoeff_accepts_known_snomed_ct_ids(code: str) -> None:
    assert verhoeff_holds(code)


@pytest.mark.parametrize("code", ["48511005", "429668003", "91602001"])
def test_verhoeff_names_the_snomed_ct_mistakes_in_circulation(code: str) -> None:
    assert not verhoeff_holds(code)
    assert (SCT, code, "rejected") in {(row.system, row.code, row.status) for row in code_table()}


def test_every_verified_snomed_ct_id_is_a_concept_id() -> None:
    for system, code in verified():
        if system == SCT:
            assert re.fullmatch(r"[1-9][0-9]{5,17}", code), code
            assert verhoeff_holds(code), code
            assert code[-3:-1] in {"00", "10"}, code  # partition: concept, core or extension
            if code[-3:-1] == "10":
                assert code[-10:-3] in {"1000119", "1000124", "1000000"}, code  # international by decision, US, UK


@pytest.mark.parametrize(
    ("code", "holds"), [("36592-4", True), ("72514-3", True), ("72748-4", False), ("37047-4", False)]
)
def test_loinc_check_digit_on_known_vectors(code: str, holds: bool) -> None:
    assert luhn_holds(code) is holds


def test_every_verified_loinc_code_has_the_right_check_digit() -> None:
    assert not [code for system, code in verified() if system == LNC and not luhn_holds(code)]


def test_every_verified_rxnorm_code_is_digits_and_its_term_type_is_named() -> None:
    for row in code_table():
        if row.system == RXN and row.status == "verified":
            assert row.code.isdigit()
            assert re.search(r"ingredient \(IN\)|\bSCD\b", row.note), row


def test_every_icd_10_cm_row_exists_in_the_release_with_the_same_title_and_says_when_it_is_not_billable() -> None:
    icd = icd_release()
    for row in code_table():
        if row.system == ICD:
            assert icd.is_valid_item(row.code), row.code
            assert icd.get_description(row.code) == row.display, row.code
            assert ("NOT billable" in row.note) is not icd.is_leaf(row.code), row.code


# icd-10-cm.tsv


def test_icd_10_cm_table_equals_the_pinned_release() -> None:
    path = CONTENT / "icd-10-cm.tsv"
    expected = icd_table_of_release()
    if os.environ.get("ANKLE_CDS_WRITE_ICD_10_CM") == "1":
        path.write_text(expected, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == expected


def test_every_family_a_value_set_includes_is_a_verified_row() -> None:
    assert filter_roots() == {root for root in filter_roots() if (ICD, root) in verified()}
    assert set(icd_families()) == set().union(*(family(root) for root in filter_roots()))


# Value sets


def test_every_coding_in_the_content_is_verified_or_a_concept_of_ours_and_shows_its_display() -> None:
    known = verified() | {key: concept["display"] for key, concept in concepts().items()}
    checked = [use for use in used_codings() if use[1] in STANDARD or use[1].startswith(BASE)]
    assert not [(place, code) for place, system, code, _ in checked if (system, code) not in known]
    # A display may leave out the semantic tag of SNOMED CT, which patients would read: Right (qualifier value).
    accepted = {key: {None, text, re.sub(r" \([a-z ]+\)$", "", text)} for key, text in known.items()}
    wrong = [(place, code, shown) for place, system, code, shown in checked if shown not in accepted[system, code]]
    assert not wrong


def test_every_member_of_a_value_set_is_written_with_its_display_and_once() -> None:
    for id_, resource in resources("value-sets").items():
        listed = [
            (include["system"], concept["code"])
            for include in resource["compose"]["include"]
            for concept in include.get("concept", ())
        ]
        assert not [key for key, times in Counter(listed).items() if times > 1], id_
        assert all(c["display"] for i in resource["compose"]["include"] for c in i.get("concept", ())), id_
        assert expand(id_), id_


def test_every_value_set_names_its_reason_to_exist_and_its_file() -> None:
    titles: Counter[str] = Counter()
    for folder in ("value-sets", "code-systems", "concept-maps"):
        for id_, resource in resources(folder).items():
            assert resource["id"] == id_
            assert resource["title"]
            assert resource["description"]
            assert resource["purpose"]
            titles[resource["title"]] += 1
    assert not [title for title, times in titles.items() if times > 1]


def test_copyright_statements_are_those_of_the_systems_used_and_no_others() -> None:
    kinds = {"value-sets": "value set", "code-systems": "code system", "concept-maps": "concept map"}
    for folder, kind in kinds.items():
        for id_, resource in resources(folder).items():
            used = systems_of(resource)
            text = resource.get("copyright", "")
            expected = "\n\n".join(text % kind if "%s" in text else text for s, text in COPYRIGHT.items() if s in used)
            assert text.startswith(expected), id_
            others = [s for s, text_ in COPYRIGHT.items() if s not in used and text_.replace("%s", kind) in text]
            assert not others, id_


def test_national_extension_codes_stand_only_under_their_own_jurisdiction() -> None:
    for id_, resource in (resources("value-sets") | resources("concept-maps")).items():
        countries = {c["code"] for concept in resource.get("jurisdiction", ()) for c in concept["coding"]} or {"US"}
        codes = {code for place, system, code, _ in used_codings() if place == id_ and system == SCT}
        extensions = {code[-10:-3] for code in codes if code[-3:-1] == "10"}
        assert "1000000" not in extensions or countries == {"GB"}, id_
        assert "1000124" not in extensions or countries == {"US"}, id_


def test_a_code_system_version_is_given_only_where_it_is_known() -> None:
    for id_, resource in resources("value-sets").items():
        for include in resource["compose"]["include"]:
            assert include.get("version") in {None, KNOWN_VERSIONS.get(include["system"])}, id_


def test_no_rejected_or_unverified_code_occurs_in_the_content() -> None:
    refused = {(row.system, row.code) for row in code_table() if row.status != "verified" and row.code}
    assert len(refused) >= 15
    assert not [use for use in used_codings() if use[1:3] in refused]
    rejected = [re.escape(row.code) for row in code_table() if row.status == "rejected"]
    pattern = re.compile(rf"(?<![\w.-])(?:{'|'.join(rejected)})(?![\w-])")
    for folder in (CONTENT, ROOT / "profiles", ROOT / "examples"):
        for path in sorted(folder.rglob("*")):
            if path.suffix in {".yaml", ".cql", ".json", ".md"}:
                assert not pattern.search(path.read_text(encoding="utf-8")), path.name


def test_no_draft_carries_an_icd_10_cm_code() -> None:
    for folder in ("activities", "plans"):
        for id_, resource in resources(folder).items():
            assert ICD not in {coding["system"] for coding in codings(resource)}, id_


def test_no_cpt_code_and_no_five_digit_procedure_number_in_a_text() -> None:
    assert CPT not in {system for _, system, _, _ in used_codings()}
    for folder in ("value-sets", "code-systems", "concept-maps"):
        for id_, resource in resources(folder).items():
            for text in (resource["title"], resource["description"], resource["purpose"]):
                assert not re.search(r"(?<![\w.-])[0-9]{5}(?![\w.-])", text), id_
    for key, concept in concepts().items():
        assert not re.search(r"(?<![\w.-])[0-9]{5}(?![\w.-])", concept["definition"]), key


def test_every_value_set_the_cql_declares_exists() -> None:
    for path in sorted((CONTENT / "logic").glob("*.cql")):
        declared = re.findall(r"^valueset \"[^\"]+\": '([^']+)'", path.read_text(encoding="utf-8"), re.MULTILINE)
        missing = [url for url in declared if url.removeprefix(f"{BASE}/ValueSet/") not in resources("value-sets")]
        assert not missing, path.name


# Sides, and sets that must not overlap

_LIMB = re.compile(r"ankle|foot|\bleg\b|lower limb|calcaneus|achilles", re.IGNORECASE)
SIDE_SETS = {"PaiCodedRight": "right", "PaiCodedLeft": "left", "PaiCodedBilateral": "bilateral"}


@pytest.mark.parametrize(("id_", "word"), SIDE_SETS.items())
def test_a_side_set_holds_exactly_the_members_whose_display_says_that_side_of_the_limb(id_: str, word: str) -> None:
    says_side = {
        key
        for other in read_by_logic()
        if other not in SIDE_SETS
        for key, display in expand(other).items()
        if re.search(rf"\b{word}\b", display, re.IGNORECASE) and _LIMB.search(display)
    }
    assert set(expand(id_)) == says_side


def disjoint(*ids: str) -> bool:
    members = [set(expand(id_)) for id_ in ids]
    return sum(map(len, members)) == len(set().union(*members))


def test_sets_that_lead_to_different_advice_share_no_code() -> None:
    assert disjoint(*SIDE_SETS)
    assert disjoint("PaiNsaid", "PaiNsaidClass", "PaiTopicalNsaid")
    assert disjoint("PaiReasonSpecific", "PaiReasonResidual", "PaiReasonNonSpecific")
    assert disjoint("PaiXrayAnkle", "PaiMriAnkle", "PaiCtAnkle", "PaiUltrasoundAnkle")


def test_sets_that_are_part_of_another_lie_inside_it() -> None:
    def inside(part: str, *whole: str) -> bool:
        return set(expand(part)) <= set().union(*(expand(id_) for id_ in whole))

    assert inside("PaiDiagnosis", "PaiReasonSpecific")
    assert inside("PaiSteroidInjection", "PaiInjectionProcedure")
    assert inside("PaiGenericProcedure", "PaiXrayAnkle", "PaiInjectionProcedure", "PaiSurgeryProcedure")
    assert inside("PaiNsaid", "PaiNsaidAllergy")


def test_a_header_and_a_seventh_character_code_match_their_family_and_neighbours_do_not() -> None:
    assert {(ICD, "M25.87"), (ICD, "M25.871")} <= set(expand("PaiReasonResidual"))
    assert (ICD, "M24.874") not in expand("PaiReasonResidual")  # foot, not ankle
    assert {(ICD, "S93.40"), (ICD, "S93.401D")} <= set(expand("PaiReasonNonSpecific"))
    assert (ICD, "M25.474") not in expand("PaiReasonNonSpecific")
    assert (ICD, "K25.4") in expand("PaiUlcerGiBleed")


def test_a_wish_for_more_information_is_offered_as_a_reason_but_does_not_suppress_the_card() -> None:
    offered, suppressing = expand("pai-override-reason"), expand("pai-suppressing-reason")
    assert len(offered) == 5
    assert {code for _, code in set(offered) - set(suppressing)} == {"need-more-info"}
    assert {key: offered[key] for key in set(offered) & set(suppressing)}.items() <= suppressing.items()


# Code systems, concept map, evidence


def test_a_code_system_is_complete_counted_and_has_its_value_set() -> None:
    for id_, system in resources("code-systems").items():
        codes = [concept["code"] for concept in system["concept"]]
        assert system["content"] == "complete"
        assert system["caseSensitive"] is True
        assert system["count"] == len(codes) == len(set(codes))
        all_codes = system["valueSet"].removeprefix(f"{BASE}/ValueSet/")
        assert set(expand(all_codes)) == {(f"{BASE}/CodeSystem/{id_}", code) for code in codes}


def properties(concept: dict[str, Any], code: str) -> list[str]:
    return [value["valueString"] for value in concept.get("property", ()) if value["code"] == code]


def test_every_concept_is_defined_and_rests_on_a_statement_an_evidence_record_or_a_local_policy() -> None:
    declared = {id_: {p["code"] for p in s.get("property", ())} for id_, s in resources("code-systems").items()}
    for (system, code), concept in concepts().items():
        id_ = system.removeprefix(f"{BASE}/CodeSystem/")
        assert concept["display"]
        assert concept["definition"]
        assert {value["code"] for value in concept.get("property", ())} <= declared[id_], code
        sources, records = properties(concept, "sourceStatement"), properties(concept, "evidence")
        assert all((f"{BASE}/CodeSystem/pai-source-statement", source) in concepts() for source in sources), code
        assert set(records) <= set(evidence()), code
        if id_ != "pai-source-statement":
            assert sources or records or "local policy" in concept["definition"].lower(), code


def test_every_finding_says_what_kind_it_is_and_whether_a_standard_code_is_known() -> None:
    for (system, code), concept in concepts().items():
        if system == FINDINGS:
            assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
            kinds = properties(concept, "kind")
            assert kinds
            assert set(kinds) <= {"item", "answer", "condition", "order", "site"}
            assert len(properties(concept, "standardStatus")) == 1, code


def test_every_answer_of_a_form_item_is_an_answer_concept() -> None:
    answers = [id_ for id_ in resources("value-sets") if id_.endswith("Answer") and id_ != "PaiAnswer"]
    assert len(answers) == 14
    used = set().union(*(expand(id_) for id_ in answers))
    assert used == {key for key, concept in concepts().items() if "answer" in properties(concept, "kind")}


def test_the_concept_map_covers_every_item_condition_order_and_site_and_explains_each_gap() -> None:
    (concept_map,) = resources("concept-maps").values()
    elements = [element for group in concept_map["group"] for element in group["element"]]
    mapped = Counter(element["code"] for element in elements)
    assert not [code for code, times in mapped.items() if times > 1]
    for (system, code), concept in concepts().items():
        if system == FINDINGS and set(properties(concept, "kind")) - {"answer"}:
            assert code in mapped
    for element in elements:
        for target in element["target"]:
            assert target["equivalence"] in {"equivalent", "wider", "unmatched"}
            assert ("code" in target) is (target["equivalence"] != "unmatched")
            assert target["equivalence"] == "equivalent" or target["comment"], element["code"]


def test_statements_run_from_s1_to_s58_and_topics_are_the_recommendations() -> None:
    statements = [code for system, code in concepts() if system.endswith("/pai-source-statement")]
    assert statements == [f"S{number}" for number in range(1, 59)]
    topics = {code: c["display"] for (system, code), c in concepts().items() if system.endswith("/pai-card-topic")}
    assert len(topics) == 14
    for id_, plan in resources("plans").items():
        if id_ in topics:
            assert plan["title"] == topics[id_]


def test_every_evidence_record_is_cited_labelled_and_used() -> None:
    topics = {code for system, code in concepts() if system.endswith("/pai-card-topic")}
    for id_, record in evidence().items():
        assert re.fullmatch(r"E-[A-Z]+[0-9]+", id_)
        assert set(record) >= {"statement", "figure", "population", "citation", "address", "label", "relation"}, id_
        assert record["label"] in {"seen", "secondary", "unverified"}, id_
        assert set(record.get("usedBy", ())) <= topics, id_
        assert record.get("usedBy") or record.get("use"), id_
        for statement in re.findall(r"\bS[0-9]+\b", record["relation"]):
            assert (f"{BASE}/CodeSystem/pai-source-statement", statement) in concepts(), id_
