"""The artifacts of the package in `small_built`, and what its specification says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ankle_cds.artifacts.dependencies import uses
from small_built import (
    ACTIVITY_TYPE,
    BASE,
    CPG,
    CQL,
    CRMI,
    FINDINGS,
    HL7,
    ICD,
    LIBRARY_TYPE,
    LOGIC,
    PLAN_TYPE,
    PROCESS,
    SCT,
    SDC,
    STATEMENT,
    TODAY,
    WARNING,
    Resource,
    Small,
    coded,
    complete,
    elm,
    embedded,
    expression,
    extension,
    sha,
    translated,
)

if TYPE_CHECKING:
    from pathlib import Path

LEFT, RIGHT = "7771000", "24028007"
SEMVER = {"system": "http://hl7.org/fhir/version-algorithm", "code": "semver"}
NATIVE = {"PlanDefinition", "ActivityDefinition", "Library"}
DATED = NATIVE | {"Questionnaire"}
PERIOD = {"start": "2026-11-22", "end": "2027-04-27"}
AUTHOR = {"name": "A doctor, not named"}
CITATION = {"type": "citation", "display": "The article"}
DERIVED = {"type": "derived-from", "label": "S1", "display": "Rest helps"}


def artifact(resource_type: str, name: str, /, **elements: Any) -> Resource:
    """Give a resource with all that every artifact has."""
    named = elements.pop("name", name)
    profiles, levels = elements.pop("claims", ([], []))
    extensions = elements.pop("extension", [])
    one: Resource = {
        "resourceType": resource_type,
        "id": name,
        "meta": {"profile": [f"urn:profile:{resource_type}", *profiles]},
        "url": f"{BASE}/{resource_type}/{name}",
        "version": "1.0.0",
        "name": named,
        "title": f"{name} {resource_type}",
        "status": "draft",
        "experimental": True,
        "date": "2026-11-22",
        "publisher": "Toys",
        "contact": [{"name": "Toys"}],
        "description": f"The {name}.",
        "useContext": [{"code": {"system": "urn:c", "code": "focus"}, "valueCodeableConcept": coded(SCT, "240021001")}],
        "jurisdiction": [coded("urn:iso:std:iso:3166", "US")],
        "copyright": "SNOMED and ICD-10-CM" if name == "ToyPain" else "SNOMED" if name == "ToyMap" else "Toys.",
    }
    moved = [extension(f"{HL7}artifact-versionAlgorithm", "Coding", SEMVER)]
    moved.append(extension(f"{HL7}artifact-copyrightLabel", "String", "Toys"))
    moved += [extension(f"{HL7}cqf-knowledgeCapability", "Code", level) for level in ("shareable", *levels)]
    if resource_type == "Questionnaire":
        url = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Questionnaire.versionAlgorithm[x]"
        moved.append(extension(url, "Coding", SEMVER))
    if resource_type != "ImplementationGuide":
        one["purpose"] = "To be small."
    if resource_type in NATIVE:
        one |= {"usage": "Try it.", "author": [AUTHOR], "relatedArtifact": [CITATION, DERIVED]}
    elif resource_type != "ImplementationGuide":
        moved.append(extension(f"{HL7}artifact-usage", "Markdown", "Try it."))
        moved.append(extension(f"{HL7}artifact-author", "ContactDetail", AUTHOR))
        moved += [extension(f"{HL7}artifact-relatedArtifact", "RelatedArtifact", x) for x in (CITATION, DERIVED)]
    if resource_type in DATED:
        one |= {"lastReviewDate": "2026-04-27", "effectivePeriod": dict(PERIOD)}
    else:
        moved.append(extension(f"{HL7}resource-lastReviewDate", "Date", "2026-04-27"))
        moved.append(extension(f"{HL7}resource-effectivePeriod", "Period", dict(PERIOD)))
    return {**one, "extension": [*extensions, *moved], **elements}


def plan(name: str, kind: str, parent: str | None, *actions: Resource, **elements: Any) -> Resource:
    profile = {"clinical-protocol": "pathway", "workflow-definition": "strategy", "eca-rule": "recommendation"}
    extensions = elements.pop("extension", [])
    if parent:
        extensions.append(extension(f"{CPG}partOf", "Canonical", f"{BASE}/PlanDefinition/{parent}"))
    if kind != "order-set":
        extensions.append(extension(f"{CRMI}effectiveDataRequirements", "Canonical", "#effective-data-requirements"))
        requirement = {
            "extension": [extension(f"{HL7}cqf-fhirQueryPattern", "String", "Condition?patient={{context.patientId}}")],
            "type": "Condition",
            "codeFilter": [{"path": "code", "valueSet": f"{BASE}/ValueSet/ToyPain"}],
        }
        contained = {
            "resourceType": "Library",
            "id": "effective-data-requirements",
            "status": "draft",
            "type": coded(LIBRARY_TYPE, "module-definition"),
            "dataRequirement": [requirement],
        }
        elements["contained"] = [contained]
    claims = ([f"urn:level:{profile.get(kind, 'set')}"], ["computable"])
    kind_of = coded(PLAN_TYPE, kind)
    return artifact(
        "PlanDefinition", name, extension=extensions, claims=claims, type=kind_of, action=list(actions), **elements
    )


def stage(target: str) -> Resource:
    return {
        "title": f"To {target}",
        "description": "Next.",
        "code": [coded(PROCESS, "triage")],
        "definitionCanonical": f"{BASE}/PlanDefinition/{target}",
    }


def offer(name: str, activity: str, **elements: Any) -> Resource:
    url = f"{BASE}/ActivityDefinition/{activity}"
    return {"id": name, "title": f"Do {name}", "description": "By hand.", "definitionCanonical": url, **elements}


def card() -> Resource:
    quality = coded(f"{BASE}/CodeSystem/toy-grade", "D")
    quality["coding"].append({"system": "http://terminology.hl7.org/CodeSystem/evidence-quality", "code": "very-low"})
    strength = coded("http://terminology.hl7.org/CodeSystem/recommendation-strength", "weak")
    direction = coded("http://hl7.org/fhir/uv/cpg/CodeSystem/cpg-recommendation-direction-cs", "against")
    return {
        "id": "advise",
        "title": "Rest",
        "description": "Rest the toy.",
        "priority": "routine",
        "code": [coded(f"{BASE}/CodeSystem/toy-topic", "ToyAdvice"), coded(PROCESS, "triage")],
        "extension": [
            extension(f"{HL7}cqf-strengthOfRecommendation", "CodeableConcept", strength),
            extension(f"{HL7}cqf-qualityOfEvidence", "CodeableConcept", {**quality, "text": "D"}),
            extension(f"{CPG}directionOfRecommendation", "CodeableConcept", direction),
            extension(f"{CPG}rationale", "Markdown", "It helps (S1).\n\nSo does sleep (E-TOY1)."),
        ],
        "documentation": [
            {"type": "citation", "display": "The article", "url": "https://example.org/article"},
            {"type": "derived-from", "label": "S1", "display": "Rest helps"},
            {"type": "citation", "label": "E-TOY1", "display": "A record"},
        ],
        "trigger": [{"type": "named-event", "name": "patient-view"}],
        "condition": [
            {"kind": "applicability", "expression": {**expression("ToyAdviceApplies"), "description": "Pain."}}
        ],
        "input": [{"type": "Observation", "profile": [f"{BASE}/StructureDefinition/ToyPainRecorded"]}],
        "selectionBehavior": "any",
        "cardinalityBehavior": "multiple",
        "dynamicValue": [{"path": "title", "expression": expression("ToyAdviceTitle")}],
        "action": [offer("rest", "ToyRest", precheckBehavior="yes"), offer("ask", "ToyCollect")],
    }


def activity(name: str, kind: str, claim: str, profile: str, type_code: str, **elements: Any) -> Resource:
    code = elements.pop("code", coded(ACTIVITY_TYPE, type_code))
    return artifact(
        "ActivityDefinition",
        name,
        claims=([f"urn:activity:{claim}"], ["computable"]),
        kind=kind,
        profile=f"urn:made:{profile}",
        intent="proposal",
        doNotPerform=False,
        code=code,
        **elements,
    )


def value_set(name: str, *members: tuple[str, str, str], compose: Resource, **elements: Any) -> Resource:
    contains = [{"system": system, "code": code, "display": display} for system, code, display in members]
    expansion = {
        "identifier": f"urn:uuid:{name}",
        "timestamp": TODAY.isoformat(),
        "total": len(contains),
        "parameter": [
            {"name": "system-version", "valueString": f"{system}|1"} for system in sorted({s for s, _, _ in members})
        ],
        "contains": contains,
    }
    warning = [extension(f"{HL7}valueset-warning", "Markdown", WARNING)]
    return artifact(
        "ValueSet", name, extension=warning, immutable=False, compose=compose, expansion=expansion, **elements
    )


def code_system(name: str, /, *concepts: tuple[str, str], values: str, **elements: Any) -> Resource:
    listed = [
        {
            "code": code,
            "display": code.title(),
            "definition": "As it says.",
            "property": [{"code": "sourceStatement", "valueString": "S1"}, {"code": "kind", "valueString": kind}],
            "designation": [{"language": "es", "value": f"{code} (es)"}],
        }
        for code, kind in concepts
    ]
    return artifact(
        "CodeSystem",
        name,
        caseSensitive=True,
        content="complete",
        count=len(listed),
        valueSet=f"{BASE}/ValueSet/{values}",
        concept=listed,
        **elements,
    )


def form() -> Resource:
    template = {
        "resourceType": "Observation",
        "id": "pain",
        "meta": {"profile": [f"{BASE}/StructureDefinition/ToyPainRecorded"]},
        "status": "final",
        "code": coded(FINDINGS, "pain"),
        "bodySite": coded(SCT, "344001"),
    }
    side = {
        "linkId": "ankle.side",
        "text": "Which?",
        "_text": translated("Which?"),
        "type": "choice",
        "required": True,
        "extension": [extension(f"{SDC}initialExpression", "Expression", {"language": "text/fhirpath"})],
        "answerOption": [
            {"valueCoding": {"system": SCT, "code": code, "_display": translated(code)}} for code in (LEFT, RIGHT)
        ],
    }
    pain = {
        "linkId": "ankle.pain",
        "text": "Pain?",
        "_text": translated("Pain?"),
        "type": "choice",
        "repeats": True,
        "code": [{"system": FINDINGS, "code": "pain"}],
        "definition": f"{BASE}/StructureDefinition/ToyPainRecorded#Observation.value[x]",
        "answerValueSet": f"{BASE}/ValueSet/ToyAnswer",
        "extension": [
            extension(STATEMENT, "Code", "S1"),
            extension(f"{SDC}initialExpression", "Expression", {"language": "text/fhirpath"}),
            {"url": f"{SDC}templateExtract", "extension": [extension("template", "Reference", {"reference": "#pain"})]},
        ],
        "enableWhen": [{"question": "ankle.side", "operator": "exists", "answerBoolean": True}],
    }
    group = {
        "linkId": "ankle",
        "type": "group",
        "repeats": True,
        "extension": [extension(f"{HL7}questionnaire-maxOccurs", "Integer", 2)],
        "item": [side, pain, {"linkId": "ankle.flags", "type": "group", "item": [{"linkId": "x", "type": "display"}]}],
    }
    summary = {
        "linkId": "summary",
        "type": "string",
        "readOnly": True,
        "extension": [
            extension(f"{HL7}questionnaire-hidden", "Boolean", value=True),
            extension(f"{SDC}calculatedExpression", "Expression", {"language": "text/fhirpath"}),
        ],
    }
    contexts = [
        {"url": f"{SDC}launchContext", "extension": [extension("name", "Coding", {"code": code})]}
        for code in ("patient", "encounter", "user")
    ]
    return artifact(
        "Questionnaire",
        "ToyForm",
        extension=contexts,
        claims=(["urn:sdc:extr-template"], []),
        contained=[template],
        _title=translated("ToyForm"),
        item=[group, summary],
    )


def profile() -> Resource:
    element = [
        {"id": "Observation", "path": "Observation"},
        {
            "id": "Observation.code",
            "path": "Observation.code",
            "patternCodeableConcept": {"coding": [{"system": FINDINGS, "code": "pain"}]},
        },
        {
            "id": "Observation.value[x]",
            "path": "Observation.value[x]",
            "binding": {"strength": "required", "valueSet": f"{BASE}/ValueSet/ToyAnswer"},
        },
        {"id": "Observation.bodySite", "path": "Observation.bodySite", "min": 1},
    ]
    return artifact(
        "StructureDefinition",
        "ToyPainRecorded",
        extension=[
            extension(f"{CPG}featureExpression", "Expression", expression("PainRecorded")),
            extension(f"{CPG}caseFeatureOf", "Canonical", f"{BASE}/PlanDefinition/ToyAdvice"),
        ],
        claims=(["urn:feature"], ["computable"]),
        fhirVersion="4.0.1",
        kind="resource",
        abstract=False,
        type="Observation",
        baseDefinition=f"{HL7}Observation",
        derivation="constraint",
        differential={"element": element},
        snapshot={"element": [dict(one) for one in element]},
    )


def artifacts() -> dict[str, Resource]:
    """Give every artifact by `Type/id`."""
    endpoint = extension(f"{HL7}cqf-cdsHooksEndpoint", "Uri", f"{BASE}/cds-services/toy")
    condition = {
        "resourceType": "Condition",
        "clinicalStatus": coded("urn:s", "active"),
        "verificationStatus": coded("urn:v", "provisional"),
        "category": [coded("urn:k", "encounter-diagnosis")],
        "code": {**coded(FINDINGS, "toy-pain"), "text": "Toy pain (suspected)"},
        "subject": {"reference": "#subject"},
    }
    group = {
        "id": "set",
        "title": "Care",
        "groupingBehavior": "logical-group",
        "selectionBehavior": "any",
        "action": [offer("heel", "ToyRest", precheckBehavior="no", title="Rest, stop if worse")],
    }
    elements = [
        plan("ToyPathway", "clinical-protocol", None, stage("ToyStrategy"), extension=[endpoint]),
        plan("ToyStrategy", "workflow-definition", "ToyPathway", stage("ToyAdvice")),
        plan("ToyAdvice", "eca-rule", "ToyStrategy", card(), library=[LOGIC]),
        plan("ToySet", "order-set", None, group),
        activity(
            *("ToyRest", "ServiceRequest", "service", "service", "order-service"),
            code={
                "coding": [
                    {"system": ACTIVITY_TYPE, "code": "order-service"},
                    {"system": SCT, "code": "247373008", "display": "Ankle pain (finding)"},
                ]
            },
            dynamicValue=[{"path": "patientInstruction", "expression": expression("ToyAdviceTitle")}],
        ),
        activity(
            "ToyDrug", "MedicationRequest", "drug", "drug", "order-medication", productCodeableConcept={"text": "Any"}
        ),
        activity(
            *("ToyCollect", "Task", "collect", "collect", "collect-information"),
            extension=[extension(f"{CPG}collectWith", "Canonical", f"{BASE}/Questionnaire/ToyForm")],
        ),
        activity("ToyDiagnosis", "Task", "diagnose", "diagnose", "propose-diagnosis", contained=[condition]),
        artifact(
            *("Library", "ToyLogic"),
            claims=(["urn:logic"], ["computable", "executable"]),
            type=coded(LIBRARY_TYPE, "logic-library"),
            content=embedded(elm()),
            parameter=[
                {
                    "extension": [extension(f"{HL7}cqf-defaultValue", "Integer", 8)],
                    "name": "AgeMinimum",
                    "use": "in",
                    "min": 0,
                    "max": "1",
                    "type": "integer",
                    "documentation": "local policy",
                }
            ],
            dataRequirement=[
                {"type": "Condition", "codeFilter": [{"path": "code", "valueSet": f"{BASE}/ValueSet/ToyPain"}]},
                {"type": "Patient"},
            ],
        ),
        artifact(
            *("Library", "ToyManifest"),
            extension=[extension(f"{HL7}cqf-expansionParameters", "Reference", {"reference": "#expansion"})],
            claims=(["urn:manifest"], []),
            type=coded(LIBRARY_TYPE, "asset-collection"),
            contained=[{"resourceType": "Parameters", "id": "expansion"}],
        ),
        form(),
        profile(),
        code_system(
            "toy-findings", ("pain", "item"), ("toy-pain", "condition"), values="ToyAnswer", name="ToyFindings"
        ),
        code_system("toy-source-statement", ("S1", "s"), values="ToyAnswer", name="ToyStatements"),
        value_set(
            "ToyAnswer",
            (FINDINGS, "pain", "Pain"),
            compose={"include": [{"system": FINDINGS, "concept": [{"code": "pain"}]}]},
        ),
        value_set(
            "ToyPain",
            (SCT, "247373008", "Ankle pain (finding)"),
            (ICD, "M25.571", "Pain in right ankle and joints of right foot"),
            (ICD, "M25.57", "Pain in ankle and joints of foot"),
            compose={
                "include": [
                    {"system": SCT, "concept": [{"code": "247373008", "display": "Ankle pain (finding)"}]},
                    {
                        "system": ICD,
                        "version": "2026",
                        "filter": [{"property": "concept", "op": "is-a", "value": "M25.57"}],
                    },
                ]
            },
        ),
        value_set(
            "ToyRight",
            (ICD, "M25.571", "Pain in right ankle and joints of right foot"),
            compose={"include": [{"system": ICD, "concept": [{"code": "M25.571"}]}]},
            copyright="ICD-10-CM",
        ),
        value_set(
            "ToyReason",
            (FINDINGS, "toy-pain", "Toy-Pain"),
            compose={"include": [{"system": FINDINGS, "concept": [{"code": "toy-pain", "display": "Toy-Pain"}]}]},
        ),
        artifact(
            *("ConceptMap", "ToyMap"),
            group=[
                {
                    "source": FINDINGS,
                    "target": SCT,
                    "element": [
                        {"code": "pain", "target": [{"code": "247373008", "equivalence": "wider"}]},
                        {"code": "toy-pain", "target": [{"equivalence": "unmatched", "comment": "None found."}]},
                    ],
                }
            ],
        ),
    ]
    found = {f"{one['resourceType']}/{one['id']}": one for one in elements}
    found["ImplementationGuide/toy.package"] = artifact(
        *("ImplementationGuide", "toy.package"),
        name="ToyGuide",
        packageId="toy.package",
        fhirVersion=["4.0.1"],
        description="How mustSupport is read: absence is not no.",
        dependsOn=[{"uri": "urn:r4", "packageId": "hl7.fhir.r4.core", "version": "4.0.1"}],
        definition={"resource": [{"reference": {"reference": name}, "exampleBoolean": False} for name in found]},
    )
    complete(found)
    return found


def draft(kind: str, **elements: Any) -> Resource:
    return {"resourceType": kind, "status": "draft", "subject": {"reference": "Patient/p"}, **elements}


def answer() -> Resource:
    """Give the reviewed answer of the only story: one card with every kind of draft."""
    reason = {"reasonCode": [coded(FINDINGS, "toy-pain")]}
    rest = draft(
        "ServiceRequest",
        **reason,
        code=coded(SCT, "247373008"),
        bodySite=[coded(SCT, "344001", RIGHT)],
        instantiatesCanonical=[f"{BASE}/ActivityDefinition/ToyRest|1.0.0"],
    )
    diagnosis = draft("Condition", code={**coded(FINDINGS, "toy-pain"), "text": "x"}, bodySite=[coded(SCT, RIGHT)])
    drug = draft("MedicationRequest", **reason, medicationCodeableConcept={"text": "Any, clinician selects"})
    detail = (
        "**Recorded**\n\n- Pain: 7 (right, 2026-11-20)\n- and 2 more\n\n**Source article**\n\nRest helps (S1).\n\n"
        "**Added by this product**\n\n- Sleep 9 hours (E-TOY1)\n- From 8 years of age (local policy)"
    )
    return {
        "cards": [
            {
                "summary": "Rest (right)",
                "detail": detail,
                "source": {"topic": {"code": "ToyAdvice"}},
                "overrideReasons": [{"system": FINDINGS, "code": "toy-pain"}],
                "suggestions": [{"actions": [{"type": "create", "resource": one}]} for one in (rest, diagnosis, drug)],
            }
        ]
    }


def stories() -> list[dict[str, Any]]:
    chart = {
        "resourceType": "Bundle",
        "entry": [{"resource": {"resourceType": "Observation", "effectiveDateTime": "2026-11-20", "valueInteger": 7}}],
    }
    common: dict[str, Any] = {"tags": (), "statements": ("S1",), "evidence": (), "today": TODAY, "chart": chart}
    allowed = answer()
    allowed["cards"][0]["suggestions"][1]["actions"][0]["resource"]["code"]["coding"].append(
        {"system": SCT, "code": "240021001"}
    )
    told = {"recommendations": ("ToyAdvice",), **common}
    return [
        {"id": "story-one", "parameters": {}, "body": answer(), **told},
        {"id": "story-two", "parameters": {"AddCode": True}, "body": allowed, **told},
        {"id": "silent", "parameters": {}, "recommendations": (), "body": {"cards": []}, **common},
    ]


def small(folder: Path) -> Small:
    """Give the whole package; the tables beside the content are written into the folder."""
    from small_expected import expected  # noqa: PLC0415 - built from the names above

    content = folder / "content"
    (content / "logic" / "elm").mkdir(parents=True)
    (content / "logic" / "elm" / "SHA256SUMS").write_text(f"{sha(CQL)}  ToyLogic.cql\n")
    (content / "codes.tsv").write_text(
        "concept_key\tsystem\tcode\tdisplay\tstatus\tevidence\tnote\n"
        f"pain\t{SCT}\t247373008\tAnkle pain (finding)\tverified\t-\t\n"
        f"focus\t{SCT}\t240021001\tImpingement (disorder)\tverified\t-\t\n"
        f"site\t{SCT}\t344001\tAnkle (body structure)\tverified\t-\t\n"
        f"left\t{SCT}\t{LEFT}\tLeft\tverified\t-\t\n"
        f"right\t{SCT}\t{RIGHT}\tRight\tverified\t-\t\n"
        f"wrong\t{SCT}\t48511005\tWrong\trejected\t-\t\n"
        "score\thttp://loinc.org\t72514-3\tPain\tverified\t-\t\n"
        "drug\thttp://www.nlm.nih.gov/research/umls/rxnorm\t5640\tIbuprofen\tverified\t-\tingredient (IN)\n"
        f"icd\t{ICD}\tM25.57\tPain in ankle and joints of foot\tverified\t-\t\n"
    )
    (content / "icd-10-cm.tsv").write_text(
        "code\tparent\tdisplay\tbillable\n"
        "M25.57\tM25.5\tPain in ankle and joints of foot\tfalse\n"
        "M25.571\tM25.57\tPain in right ankle and joints of right foot\ttrue\n"
    )
    (content / "evidence.yaml").write_text("evidence:\n  - id: E-TOY1\n    statement: Sleep 9 hours.\n")
    root = folder / "checkout"
    (root / "tests" / "interop").mkdir(parents=True)
    (root / "tests" / "interop" / "explained-warnings.tsv").write_text(
        "id\tmessage\tfiles\treason\nA\tb\tc\tBecause.\n"
    )
    (root / "tests" / "test_logic.py").write_text('R1 = "ToyAdvice"\nCASES = [Case("one", [], {R1}, "Phase")]\n')
    resources = artifacts()
    externals = sorted(_external_urls(resources))
    (content / "externals.yaml").write_text("codeSystems:\n" + "".join(f'  - {{url: "{url}"}}\n' for url in externals))
    templates = {"conditions": "Condition?patient={{context.patientId}}", "user": "{{context.userId}}"}
    return Small(
        content=content,
        resources=resources,
        expected=expected(),
        cases=stories(),
        elm=elm(),
        root=root,
        discovery=[{"hook": "patient-view", "prefetch": templates}],
    )


def _external_urls(resources: dict[str, Resource]) -> set[str]:
    own = {one["url"] for one in resources.values()}
    return {use.url for one in resources.values() for use in uses(one)} - own - {""}
