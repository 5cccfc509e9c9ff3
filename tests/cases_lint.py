"""One mistake per check: the name of the check that must see it, and the change to the small package that makes it.

A check that no mistake turns red would prove nothing; `test_lint.py` refuses one that is not named here.
"""

from __future__ import annotations

import base64
from datetime import date
from typing import TYPE_CHECKING, Any

from small_artifacts import offer
from small_built import BASE, CPG, CRMI, HL7, SCT, SDC, Resource, Small, coded, dumped, expression, extension

if TYPE_CHECKING:
    from collections.abc import Callable

ADVICE, PATHWAY, STRATEGY = (f"PlanDefinition/Toy{name}" for name in ("Advice", "Pathway", "Strategy"))
SET, FORM, LOGIC = "PlanDefinition/ToySet", "Questionnaire/ToyForm", "Library/ToyLogic"
REST, DRUG = "ActivityDefinition/ToyRest", "ActivityDefinition/ToyDrug"
PAIN, ANSWER = "ValueSet/ToyPain", "ValueSet/ToyAnswer"
FINDINGS, MAP = "CodeSystem/toy-findings", "ConceptMap/ToyMap"
FEATURE, MANIFEST = "StructureDefinition/ToyPainRecorded", "Library/ToyManifest"
GUIDE = "ImplementationGuide/toy.package"


def put(name: str, *path: str | int, value: Any) -> Callable[[Small], None]:
    """Set an element of a resource."""

    def change(small: Small) -> None:
        node: Any = small.of(name)
        for step in path[:-1]:
            node = node[step]
        node[path[-1]] = value

    return change


def drop(name: str, *path: str | int) -> Callable[[Small], None]:
    """Take an element of a resource away; without a path the resource."""

    def change(small: Small) -> None:
        if not path:
            del small.resources[name]
            return
        node: Any = small.of(name)
        for step in path[:-1]:
            node = node[step]
        del node[path[-1]]

    return change


def lose(name: str, url: str, *path: str | int) -> Callable[[Small], None]:
    """Take every extension with this url away."""

    def change(small: Small) -> None:
        node: Any = small.of(name)
        for step in path:
            node = node[step]
        node["extension"] = [one for one in node["extension"] if one["url"] != url]

    return change


def card(*path: str | int, value: Any) -> Callable[[Small], None]:
    """Set an element of the card of the first story."""

    def change(small: Small) -> None:
        node: Any = small.cases[0]["body"]["cards"][0]
        for step in path[:-1]:
            node = node[step]
        node[path[-1]] = value

    return change


def drafted(index: int, name: str, value: Any) -> Callable[[Small], None]:
    """Set an element of a draft of the first story; None takes it away."""

    def change(small: Small) -> None:
        resource = small.cases[0]["body"]["cards"][0]["suggestions"][index]["actions"][0]["resource"]
        resource.pop(name, None)
        if value is not None:
            resource[name] = value

    return change


def relied(replace: str, by: str, name: str = "codes.tsv") -> Callable[[Small], None]:
    """Change a text of a table beside the content."""

    def change(small: Small) -> None:
        path = small.content / name
        text = path.read_text()
        assert replace in text
        path.write_text(text.replace(replace, by))

    return change


def logic(change_elm: Callable[[Resource], None]) -> Callable[[Small], None]:
    """Publish other ELM."""

    def change(small: Small) -> None:
        change_elm(small.elm["library"])
        data = base64.b64encode(dumped(small.elm)).decode()
        small.of(LOGIC)["content"][1]["data"] = data

    return change


def first_of_all(name: str) -> Callable[[Resource], None]:
    """Move an entry of a bundle before everything it depends on."""

    def change(bundle: Resource) -> None:
        place = next(i for i, entry in enumerate(bundle["entry"]) if entry["resource"]["id"] == name)
        bundle["entry"].insert(1, bundle["entry"].pop(place))

    return change


def told(*lines: str) -> Callable[[Small], None]:
    """Print another detail on the card of the first story."""
    return card("detail", value="\n".join(lines))


def expects(name: str, value: Any) -> Callable[[Small], None]:
    """Let the specification say something else."""
    return lambda small: small.expected.__setitem__(name, value)


TOP = ("action", 0)
GROUP = ("item", 0)
ASKED = (*GROUP, "item", 1)

MISTAKES: dict[str, Callable[[Small], None]] = {
    "ac_01_id": put(REST, "id", value="rest"),
    "ac_01_name": put(REST, "name", value="ToyOther"),
    "ac_01_unique": put(REST, "name", value="ToyDrug"),
    "ac_02_url": put(REST, "url", value=f"{BASE}/PlanDefinition/ToyRest"),
    "ac_03_version": put(REST, "version", value="2.0.0"),
    "ac_04_described": drop(REST, "copyright"),
    "ac_04_title": put(REST, "title", value="ToyDrug ActivityDefinition"),
    "ac_05_profiles": put(REST, "meta", "profile", value=["urn:profile:ActivityDefinition"]),
    "ac_06_urls": lambda small: small.of(REST)["extension"].append({"url": "http://forbidden.example.org/x"}),
    "ac_07_signed": put(REST, "approvalDate", value="2026-11-22"),
    "ac_07_status": lambda small: small.released.append(
        lambda resources: resources[ADVICE]["contained"][0].update(status="draft")
    ),
    "ac_08_dates": put(REST, "effectivePeriod", value={"start": "2027-11-22", "end": "2027-04-27"}),
    "ac_08_expiry_notice": lambda small: setattr(small, "today", date(2027, 5, 1)),
    "ac_09_author": put(REST, "author", value=[{"name": "A person"}]),
    "ac_09_context": put(REST, "jurisdiction", value=[coded("urn:iso:std:iso:3166", "GB")]),
    "ac_10_narrative": put(REST, "text", "div", value="<div>Typed.</div>"),
    "ac_11_citation": put(REST, "relatedArtifact", value=[]),
    "ac_11_derived_from": put(REST, "relatedArtifact", value=[]),
    "ac_11_resolves": put(ADVICE, *TOP, "action", 0, "definitionCanonical", value=f"{BASE}/ActivityDefinition/Gone"),
    "ac_11_traced": lambda small: small.of(REST)["relatedArtifact"].pop(),
    "ac_12_explained": lambda small: (small.root / "tests/interop/explained-warnings.tsv").write_text(
        "id\tmessage\tfiles\treason\nA\tb\tc\t\n"
    ),
    "ac_12_shape": put(REST, "priority", value=5),
    "ac_13_size": lambda small: small.expected["identity"].update(maxArtifactBytes=5_000),
    "ac_20_library": drop(ADVICE, "library"),
    "ac_20_type": put(ADVICE, "type", "coding", 0, "system", value="urn:other"),
    "ac_21_described": put(STRATEGY, *TOP, "code", value=[]),
    "ac_21_forbidden": put(STRATEGY, *TOP, "action", value=[{"title": "Deep", "precheckBehavior": "yes"}]),
    "ac_21_next_level": put(PATHWAY, *TOP, "definitionCanonical", value=f"{BASE}/PlanDefinition/ToyAdvice"),
    "ac_22_condition": put(ADVICE, *TOP, "condition", 0, "expression", "expression", value="ToyAdviceTitle"),
    "ac_22_exclusive": lambda small: small.cases[0]["body"]["cards"].append(small.cases[0]["body"]["cards"][0]),
    "ac_22_triggers": put(ADVICE, *TOP, "trigger", 0, "name", value="order-sign"),
    "ac_23_grade": put(ADVICE, *TOP, "extension", 1, "valueCodeableConcept", "coding", 0, "code", value="A"),
    "ac_23_ratings": lose(ADVICE, f"{CPG}rationale", *TOP),
    "ac_24_labels": lambda small: small.of(ADVICE)["action"][0]["documentation"].pop(),
    "ac_24_source": put(ADVICE, *TOP, "documentation", 0, "document", value={"url": "https://example.org/icon"}),
    "ac_25_described": drop(ADVICE, *TOP, "action", 0, "description"),
    "ac_25_leaves": drop(ADVICE, *TOP, "action", 0, "definitionCanonical"),
    "ac_25_suggestions": lambda small: small.of(ADVICE)["action"][0]["action"].reverse(),
    "ac_26_chain": lose(ADVICE, f"{CPG}partOf"),
    "ac_26_inventory": drop(ADVICE),
    "ac_26_no_cycle": put(STRATEGY, *TOP, "definitionCanonical", value=f"{BASE}/PlanDefinition/ToyPathway"),
    "ac_27_priority": put(ADVICE, *TOP, "priority", value="asap"),
    "ac_27_topic": put(ADVICE, *TOP, "code", 0, "coding", 0, "code", value="ToyRest"),
    "ac_28_choices": put(ADVICE, *TOP, "selectionBehavior", value="exactly-one"),
    "ac_29_length": put(ADVICE, *TOP, "title", value="x" * 25),
    "ac_29_markdown": put(ADVICE, *TOP, "description", value="<b>Rest</b>"),
    "ac_29_words": told("A fracture is excluded (S1)."),
    "ac_30_defined": put(REST, "dynamicValue", 0, "expression", "expression", value="Gone"),
    "ac_30_paths": put(REST, "dynamicValue", 0, "path", value="colour"),
    "ac_30_types": put(REST, "dynamicValue", 0, "path", value="reasonCode"),
    "ac_31_endpoint": lambda small: small.of(STRATEGY)["extension"].append(
        extension(f"{HL7}cqf-cdsHooksEndpoint", "Uri", f"{BASE}/cds-services/toy")
    ),
    "ac_32_features": put(ADVICE, *TOP, "input", 0, "profile", value=[f"{HL7}Observation"]),
    "ac_32_requirements": lose(ADVICE, f"{CRMI}effectiveDataRequirements"),
    "ac_33_templates": lambda small: small.discovery[0]["prefetch"].update(extra="Observation?patient=x"),
    "ac_34_children": put(SET, *TOP, "action", 0, "precheckBehavior", value="yes"),
    "ac_34_order_set": drop(SET, *TOP, "groupingBehavior"),
    "ac_40_forms": put("ActivityDefinition/ToyCollect", "extension", value=[]),
    "ac_40_inventory": drop(DRUG),
    "ac_40_pattern": put(REST, "doNotPerform", value=True),
    "ac_41_codes": put(REST, "code", "coding", 1, "code", value="344001"),
    "ac_42_coded": drafted(0, "code", None),
    "ac_42_draft": drafted(0, "status", "active"),
    "ac_42_side": drafted(0, "bodySite", [coded(SCT, "344001", "7771000")]),
    "ac_43_no_dose": put(DRUG, "description", value="Take it daily."),
    "ac_44_drafted": drafted(1, "code", {"text": "x"}),
    "ac_44_template": put("ActivityDefinition/ToyDiagnosis", "contained", 0, "code", "text", value=""),
    "ac_50_both_contents": lambda small: small.of(LOGIC)["content"].pop(0),
    "ac_50_executable": logic(
        lambda library: library["statements"]["def"][1].update(expression={"type": "Unheard", "operand": []})
    ),
    "ac_50_hashes": put(LOGIC, "content", 0, "data", value=base64.b64encode(b"library Other").decode()),
    "ac_50_inventory": drop(MANIFEST),
    "ac_50_no_error": logic(lambda library: library.update(annotation=[{"errorSeverity": "error", "message": "no"}])),
    "ac_51_parameters": put(LOGIC, "parameter", 0, "documentation", value="felt right"),
    "ac_51_requirements": lambda small: small.of(LOGIC)["dataRequirement"].pop(),
    "ac_52_manifest": lambda small: small.of(MANIFEST)["relatedArtifact"].pop(3),
    "ac_52_pinned": put(MANIFEST, "relatedArtifact", -1, "resource", value=f"{HL7}Condition"),
    "ac_52_same_lists": lambda small: small.packed.append(lambda files: files.pop("package/ValueSet-ToyPain.json")),
    "ac_60_age": put(PAIN, "expansion", "timestamp", value="2025-10-30"),
    "ac_60_definition": drop(PAIN, "compose"),
    "ac_60_equals_definition": lambda small: small.of(PAIN)["expansion"]["contains"].pop(),
    "ac_60_expansion": put(PAIN, "expansion", "total", value=7),
    "ac_60_warning": lose(PAIN, f"{HL7}valueset-warning"),
    "ac_61_tc_01_table": relied("rejected", "refused"),
    "ac_61_tc_02_snomed_ct": relied("247373008", "247373009"),
    "ac_61_tc_03_loinc": relied("72514-3", "72514-4"),
    "ac_61_tc_04_not_drafted": drafted(0, "code", coded("http://hl7.org/fhir/sid/icd-10-cm", "M25.57")),
    "ac_61_tc_05_rxnorm": relied("ingredient (IN)", "a thing"),
    "ac_61_tc_06_single_source": put(REST, "code", "coding", 1, "code", value="123456789"),
    "ac_61_tc_07_display": put(REST, "code", "coding", 1, "display", value="Another"),
    "ac_61_tc_08_rejected": put(REST, "code", "coding", 1, "code", value="48511005"),
    "ac_61_tc_09_copyright": put(PAIN, "copyright", value="None."),
    "ac_61_tc_10_namespaces": put(PAIN, "expansion", "contains", 0, "code", value="1326551000000102"),
    "ac_61_tc_11_versions": put(PAIN, "compose", "include", 1, "version", value="2031"),
    "ac_61_tc_13_side_sets": put("ValueSet/ToyRight", "expansion", "contains", value=[]),
    "ac_61_tc_14_local_codes": put(FORM, *ASKED, "code", 0, "code", value="gone"),
    "ac_61_tc_16_no_cpt": put(REST, "description", value="Rest as 28120 says."),
    "ac_61_tc_17_disjoint": expects("disjointSets", [["ToyPain", "ToyRight"]]),
    "ac_61_tc_18_one_truth": drop("ValueSet/ToyReason"),
    "ac_62_complete": put(FINDINGS, "count", value=9),
    "ac_62_concepts": put(FINDINGS, "concept", 0, "property", value=[]),
    "ac_63_comments": drop(MAP, "group", 0, "element", 1, "target", 0, "comment"),
    "ac_63_complete": lambda small: small.of(MAP)["group"][0]["element"].pop(),
    "ac_70_examples": lambda small: small.packed.append(lambda files: files.pop("package/example/invalid-record.json")),
    "ac_70_expressions": put(FEATURE, "extension", 0, "valueExpression", value=expression("Gone")),
    "ac_70_form": put(FEATURE, "abstract", value=True),
    "ac_70_inventory": drop(FEATURE),
    "ac_70_readers": put(FEATURE, "extension", 1, "valueCanonical", value=f"{BASE}/PlanDefinition/Gone"),
    "ac_70_sides": put(FEATURE, "differential", "element", 3, "min", value=0),
    "ac_70_snapshot": put(FEATURE, "snapshot", "element", 3, "min", value=0),
    "ac_80_code_and_definition": drop(FORM, *ASKED, "code"),
    "ac_80_core": lambda small: small.of(FORM)["item"][0]["item"].insert(1, {"linkId": "y", "type": "display"}),
    "ac_80_form_and_profile": put(FORM, *ASKED, "answerValueSet", value=f"{BASE}/ValueSet/ToyPain"),
    "ac_80_inventory": drop(FORM),
    "ac_80_items": put(FORM, *ASKED, "type", value="string"),
    "ac_80_opened": drop(FORM, *ASKED, "enableWhen"),
    "ac_80_required": put(FORM, *ASKED, "required", value=True),
    "ac_80_sided_items": put(FORM, *GROUP, "repeats", value=False),
    "ac_80_structure": put(FORM, *ASKED, "linkId", value="ankle.side"),
    "ac_80_summary": put(FORM, "item", 1, "readOnly", value=False),
    "ac_81_filled": lose(FORM, f"{SDC}initialExpression", *ASKED),
    "ac_81_invariants": lambda small: small.of(FORM)["item"][0]["item"][1]["extension"].append(
        extension(f"{SDC}enableWhenExpression", "Expression", {"language": "text/fhirpath"})
    ),
    "ac_81_never_used": lambda small: small.of(FORM)["extension"].append({"url": f"{SDC}observationExtract"}),
    "ac_81_population": drop(FORM, *GROUP, "item", 0, "extension"),
    "ac_81_profiles": put(FORM, "meta", "profile", value=["urn:profile:Questionnaire"]),
    "ac_81_side_extracted": drop(FORM, "contained", 0, "bodySite"),
    "ac_81_templates": lose(FORM, f"{SDC}templateExtract", *ASKED),
    "ac_82_filled": lambda small: small.packed.append(
        lambda files: files.pop("package/tests/Questionnaire/ToyForm/empty/response.json")
    ),
    "ac_82_spanish": drop(FORM, *ASKED, "_text"),
    "ac_82_spanish_codes": drop(FINDINGS, "concept", 0, "designation"),
    "ac_90_bundle": lambda small: small.bundled.append(first_of_all("ToyLogic")),
    "ac_90_closures": lambda small: small.bundled.append(lambda bundle: bundle["entry"].pop(2)),
    "ac_90_conditional_create": lambda small: small.bundled.append(
        lambda bundle: bundle["entry"][1]["request"].update(method="PUT")
    ),
    "ac_90_guide": put(GUIDE, "description", value="All of it."),
    "ac_90_reproducible": lambda small: small.again.append(lambda files: files.update({"package.tgz": b"other"})),
    "ac_90_tgz": lambda small: small.packed.append(lambda files: files.pop("package/.index.json")),
    "ac_91_carriers": expects("carriers", {"S1": ["ToyPathway"]}),
    "ac_91_every_statement": expects("carriers", {"S1": [], "S2": []}),
    "ac_91_labels": put(ADVICE, *TOP, "documentation", 1, "label", value="S9"),
    "ac_91_rows": expects("orderSetStatements", []),
    "ac_91_sentences": put(ADVICE, *TOP, "extension", 3, "valueMarkdown", value="Everybody knows."),
    "ac_92_numbers": told("**Recorded**", "", "- Pain: 8 (right, 2026-11-20)"),
    "ac_92_parameter_table": put(LOGIC, "parameter", 0, "extension", 0, "valueInteger", value=9),
    "ac_92_policy": told("From 8 years of age (S1)."),
    "ac_93_not_empty": lambda small: small.cases[2].update(body={}),
    "ac_93_oracles": expects("minimumOracles", 5),
    "ac_93_per_recommendation": lambda small: (small.root / "tests/test_logic.py").write_text(
        'R1 = "ToyAdvice"\nCASES = []\n'
    ),
    "ac_93_stories": lambda small: small.cases.pop(),
    "ac_94_content": lambda small: small.files.append(lambda files: files.update({"pages/ToyAdvice.md": b"Rest."})),
    "ac_94_pages": lambda small: small.files.append(lambda files: files.pop("pages/ToyAdvice.md")),
    "f_07_all_hooks": put(ADVICE, *TOP, "trigger", value=[]),
    "f_08_override_reasons": card("overrideReasons", value=[]),
    "f_16_against": put(ADVICE, *TOP, "extension", 2, "valueCodeableConcept", "coding", 0, "code", value="for"),
}

# A second mistake, where one check looks at two things that could go wrong apart.
FURTHER: list[tuple[str, Callable[[Small], None]]] = [
    ("ac_07_status", put(REST, "status", value="active")),
    ("ac_09_author", put(REST, "author", value=[{"name": "A doctor", "telecom": [{"value": "x"}]}])),
    ("ac_11_traced", put(REST, "library", value=[f"{BASE}/Library/ToyManifest"])),
    ("ac_25_suggestions", lambda small: small.of(ADVICE)["action"][0]["action"].append(offer("drug", "ToyDrug"))),
    ("ac_29_words", put(REST, "description", value="The gold standard.")),
    ("ac_29_length", card("summary", value="x" * 31)),
    ("ac_33_templates", lambda small: small.discovery[0]["prefetch"].pop("conditions")),
    ("ac_42_side", card("summary", value="Rest")),
    ("ac_42_draft", drafted(0, "reasonCode", None)),
    ("ac_43_no_dose", drafted(2, "dosageInstruction", [{"text": "one"}])),
    ("ac_60_equals_definition", lambda small: small.of(PAIN)["compose"]["include"].pop()),
    ("ac_61_tc_17_disjoint", expects("insideSets", [{"set": "ToyPain", "inside": ["ToyRight"]}])),
    ("ac_91_sentences", told("**Source article**", "", "Everybody knows.")),
    ("ac_92_numbers", told("From 8 years of age.")),
    ("ac_92_numbers", told("Sleep 9 hours (S1).")),
    ("ac_92_numbers", told("- Pain: 7 (right, 2026-11-21)")),
]
