"""The published guideline says what the clinical specification says, and shows where each sentence comes from.

Read from the built package, so that what is checked is what is shipped. The tables below are the other half of the
comparison: written by hand from the specification, never derived from the content.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml

from ankle_cds import apply, artifacts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.artifacts import Package
    from ankle_cds.fhir import Resource

ROOT = Path(__file__).parents[1]
CONTENT = ROOT / "src" / "ankle_cds" / "content" / "posterior-ankle-impingement"
BASE = "https://w3id.org/ankle-cds"
LOGIC = f"{BASE}/Library/PaiLogic"
CPG = "http://hl7.org/fhir/uv/cpg/StructureDefinition/"
HL7 = "http://hl7.org/fhir/StructureDefinition/"
SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/"
ACTIVITY_TYPE = "http://hl7.org/fhir/uv/cpg/CodeSystem/cpg-activity-type-cs"
PROCESS = "http://hl7.org/fhir/uv/cpg/CodeSystem/cpg-common-process-cs"
FINDINGS = f"{BASE}/CodeSystem/pai-findings"
ANSWER = f"{BASE}/ValueSet/PaiAnswer"
TEST_RESULT = f"{BASE}/ValueSet/PaiTestResult"
STATEMENT = f"{BASE}/StructureDefinition/pai-source-statement"
CITING = ("derived-from", "citation")  # a type may also be an object, so not a set
MAX_SUMMARY = 139
SIDE_WORD = " (right)"


def s(*numbers: int) -> frozenset[str]:
    return frozenset(f"S{number}" for number in numbers)


def e(text: str) -> frozenset[str]:
    return frozenset(f"E-{name}" for name in text.split())


class Rule(NamedTuple):
    """One row of the recommendation table: strategy, priority, process, grade, direction, choice, cards, trace."""

    strategy: str
    priority: str
    process: str
    grade: str
    direction: str
    selection: str
    cardinality: str
    statements: frozenset[str]
    evidence: frozenset[str]


_BEFORE_SURGERY = "SURGINJ1 SURGINJ2 SURGINJ3"
_NSAID = "NS1 NS2 NS3 NS4 NS5 NS6 NS7 NS8 NS9 TOP1 TOP2"
RULES = {
    "PaiRedFlagEmergency": Rule(
        *("PaiSafetyStrategy", "stat", "emergency-care", "A", "for", "at-most-one", "single"),
        s(12, 24, 31),
        e("ACR1 OAR1 OAR2 ACH1 ACH2 SEP1 DVT1 FX1 FX2 PREG1"),
    ),
    "PaiUrgentWorkup": Rule(
        *("PaiSafetyStrategy", "urgent", "triage", "A", "for", "any", "multiple"),
        s(12, 31),
        e("ACR1 OAR1 FX1 FX2 TUM1 TUM2 INF1 PREG1"),
    ),
    "PaiRecordAssessment": Rule(
        *("PaiAssessmentStrategy", "routine", "history-and-physical", "D", "for", "any", "single"),
        s(1, 2, 4, 11, *range(13, 27), 52),
        e("TEST1 TEST2 TEST3 TEST4 TEST6 PED1 PED3 ACH3"),
    ),
    "PaiOrderLateralRadiograph": Rule(
        *("PaiImagingStrategy", "routine", "diagnostic-testing", "A", "for", "any", "multiple"),
        s(19, 20, 22, 24, 25, 26, 27, 28, 53),
        e("ACR2 XR1 XR2 PED1 TEST1 PREG1"),
    ),
    "PaiMatchImagingToExam": Rule(
        *("PaiDiagnosisStrategy", "routine", "determine-diagnosis", "C", "against", "any", "multiple"),
        s(3, 5, 6, 7, 8, 22, 25, 55, 56),
        e("PREV1 PREV2 PREV3 PREV4 MRI1 MRI2 TEST1 TEST2"),
    ),
    "PaiStartConservativeCare": Rule(
        *("PaiConservativeCareStrategy", "routine", "guideline-based-care", "D", "for", "any", "multiple"),
        s(18, 33, 34, 35, 36, 37, 38, 41, 42, 54),
        e(f"CONS1 CONS2 CONS3 CONS4 INT1 {_NSAID}"),
    ),
    "PaiOrderAdvancedImaging": Rule(
        *("PaiImagingStrategy", "routine", "diagnostic-testing", "A", "for", "at-most-one", "multiple"),
        s(9, 10, 29, 30, 31, 53),
        e("ACR2 US1 FX1 MRI1 MRI2 MRI3 MRI4"),
    ),
    "PaiConsiderInjection": Rule(
        *("PaiDiagnosisStrategy", "routine", "determine-diagnosis", "D", "for", "at-most-one", "multiple"),
        s(32, 39, 40, 42, 53),
        e(f"INJ1 INJ2 INJ3 EUL1 AC1 DM1 {_BEFORE_SURGERY} OUT1 OUT2 OUT3"),
    ),
    "PaiReferForSurgery": Rule(
        *("PaiSurgeryStrategy", "routine", "discharge-referral-of-patient", "B", "for", "at-most-one", "multiple"),
        s(10, *range(43, 52), 54, 56),
        e("SX1 SX2 SX3 SX4 SX5 SX6 SX7 SX8 SX9 TEST6 TEST7 INT1"),
    ),
    "PaiReassessOutcome": Rule(
        *("PaiReturnToActivityStrategy", "routine", "monitor-and-follow-up-of-patient", "C", "for", "any", "multiple"),
        s(42, 49),
        e("OUT1 OUT2 OUT3 OUT4 CONS2 INT1"),
    ),
    "PaiPostoperativeRecovery": Rule(
        *("PaiReturnToActivityStrategy", "routine", "monitor-and-follow-up-of-patient", "D", "for", "any", "multiple"),
        s(45, 47, 48, 49, 50),
        e("SX4 SX6 SX7 SX8 SX9"),
    ),
    "PaiNsaidOrderCheck": Rule(
        *("PaiConservativeCareStrategy", "", "alerts-reminders-education", "A", "against", "at-most-one", "multiple"),
        s(36),
        e(_NSAID),
    ),
    "PaiInjectionOrderCheck": Rule(
        *("PaiDiagnosisStrategy", "", "alerts-reminders-education", "A", "against", "at-most-one", "multiple"),
        s(32, 39, 40),
        e(f"DM1 AC1 EUL1 {_BEFORE_SURGERY} SEP1 STL1"),
    ),
    "PaiSurgeryOrderCheck": Rule(
        *("PaiSurgeryStrategy", "urgent", "alerts-reminders-education", "S", "against", "any", "multiple"),
        s(25, 33, 43, 44, 45, 54, 55, 56),
        e("CONS2 SX2 TEST2 INT1"),
    ),
}
ORDER_CHECKS = ("PaiNsaidOrderCheck", "PaiInjectionOrderCheck", "PaiSurgeryOrderCheck")
# Recommendations with two actions, of which at most one applies: the ending of its condition, and its priority.
ROUTES = {
    "PaiReferForSurgery": {"FailedCare": "routine", "Elite": "routine"},
    "PaiNsaidOrderCheck": {"Critical": "stat", "Warning": "urgent"},
    "PaiInjectionOrderCheck": {"Critical": "stat", "Warning": "urgent"},
}

# Suggestions in order: activity, the definition that decides whether it is offered, preselected or not.
OFFERS: dict[str, list[tuple[str, str | None, str | None]]] = {
    "PaiRedFlagEmergency": [
        ("PaiTraumaRadiographOrder", "OfferEmergencyRadiograph", None),
        ("PaiUrgentOrthopaedicReferral", "OfferUrgentOrthopaedicReferral", None),
        ("PaiSepticJointAssessment", "OfferSepticJointAssessment", None),
        ("PaiDvtPathwayAssessment", "OfferDvtPathwayAssessment", None),
    ],
    "PaiUrgentWorkup": [
        ("PaiTraumaRadiographOrder", "OfferUrgentRadiograph", None),
        ("PaiAnkleCtOrder", "OfferUrgentCt", None),
        ("PaiRheumatologyReferral", "OfferRheumatologyReferral", None),
        ("PaiNerveAssessment", "OfferNerveAssessment", None),
    ],
    "PaiRecordAssessment": [("PaiCollectHistory", None, None), ("PaiCollectExam", None, "yes")],
    "PaiOrderLateralRadiograph": [
        ("PaiLateralRadiographOrder", "OfferRadiograph", "yes"),
        ("PaiPlantarflexedLateralRadiographOrder", "OfferRadiograph", "no"),
        ("PaiPosteriorImpingementViewOrder", "OfferRadiograph", "no"),
        ("PaiRecordWorkingDiagnosis", "OfferWorkingDiagnosis", "no"),
    ],
    "PaiMatchImagingToExam": [("PaiCollectExam", None, "yes")],
    "PaiStartConservativeCare": [
        ("PaiRecordWorkingDiagnosis", "OfferWorkingDiagnosis", "no"),
        ("PaiConservativeCareOrderSet", None, None),
    ],
    "PaiOrderAdvancedImaging": [
        ("PaiAnkleMriOrder", "OfferMri", "yes"),
        ("PaiAnkleCtOrder", "OfferCt", "no"),
        ("PaiAnkleUltrasoundOrder", "OfferUltrasound", "no"),
    ],
    "PaiConsiderInjection": [
        ("PaiDiagnosticInjectionOrder", "OfferInjection", "yes"),
        ("PaiSteroidInjectionOrder", "OfferInjection", "no"),
    ],
    "PaiReferForSurgery": [
        ("PaiSurgeonReferral", "OfferSurgicalReferral", "yes"),
        ("PaiPodiatryReferral", "OfferSurgicalReferral", "no"),
    ],
    "PaiReassessOutcome": [("PaiCollectFollowUp", None, "yes")],
    "PaiPostoperativeRecovery": [
        ("PaiPhysicalTherapyOrder", "OfferPhysicalTherapy", "no"),
        ("PaiPostoperativeVisit", "OfferPostoperativeVisit", "no"),
        ("PaiCollectFollowUp", None, "no"),
    ],
    "PaiNsaidOrderCheck": [
        ("remove OralDraftReferences, PaiTopicalNsaidRequest", "OfferTopicalReplacement", "no"),
        ("remove HitNsaidReferences, PaiNonNsaidAnalgesicRequest", "OfferAnalgesicReplacement", "no"),
    ],
    "PaiInjectionOrderCheck": [("remove HitInjectionReferences", "OfferDeferral", "no")],
    "PaiSurgeryOrderCheck": [
        ("PaiCollectExam", "OfferExamForm", "no"),
        ("PaiCollectFollowUp", "OfferTrialForm", "no"),
    ],
    "PaiConservativeCareOrderSet": [
        ("PaiPhysicalTherapyOrder", "OfferPhysicalTherapy", "yes"),
        ("PaiActivityModificationPlan", "OfferActivityModificationPlan", "yes"),
        ("PaiIceAfterActivity", "OfferIceAfterActivity", "no"),
        ("PaiOralNsaidRequest", "OfferOralNsaid", "no"),
        ("PaiTopicalNsaidRequest", "OfferTopicalNsaid", "no"),
        ("PaiRecheckVisit", "OfferRecheckVisit", "no"),
        ("PaiHeelLift", "OfferHeelLift", "no"),
    ],
}

# What carries which statement, beside the recommendations.
CARRIED = {
    "PlanDefinition/PaiPathway": s(1, 2, 4, 8, 9, 11, 14, 52, 53, 54, 57, 58),
    "PlanDefinition/PaiConservativeCareOrderSet": s(33, 35, 36, 37, 38, 41),
    "Questionnaire/PaiHistory": s(1, 4, 12, 13, *range(15, 22), 24, 26, 35, 44, 52),
    "Questionnaire/PaiExam": s(10, 12, 19, *range(22, 27)),
    "Questionnaire/PaiImagingAndInjectionFindings": s(3, 5, 8, 9, 10, 27, *range(29, 33), 40, 53),
    "Questionnaire/PaiFollowUp": s(*range(33, 39), 41, 42, 43, 48, 49, 50),
}

FOR_TYPE = {
    "ServiceRequest": ("cpg-servicerequestactivity", "cpg-servicerequest", "order-service"),
    "MedicationRequest": ("cpg-medicationrequestactivity", "cpg-medicationrequest", "order-medication"),
    "Task": ("cpg-collectinformationactivity", "cpg-questionnairetask", "collect-information"),
}
DIAGNOSIS = ("cpg-proposediagnosisactivity", "cpg-proposediagnosistask", "propose-diagnosis")

# The codes an order may be drafted with (terminology.md 7.2), beside the kind of activity.
ORDER_CODES = {
    "PaiTraumaRadiographOrder": {"37097-3", "37666-5", "37095-7"},
    "PaiAnkleCtOrder": {"36426-5", "36428-1", "36425-7"},
    "PaiLateralRadiographOrder": {"36592-4"},
    "PaiPlantarflexedLateralRadiographOrder": {"xr-ankle-lateral-plantarflexion"},
    "PaiPosteriorImpingementViewOrder": {"xr-ankle-posterior-impingement-view"},
    "PaiUrgentOrthopaedicReferral": {"308481009"},
    "PaiSepticJointAssessment": {"septic-joint-assessment"},
    "PaiDvtPathwayAssessment": {"dvt-pathway-assessment"},
    "PaiRheumatologyReferral": {"rheumatology-referral"},
    "PaiNerveAssessment": {"nerve-assessment"},
    "PaiPhysicalTherapyOrder": {"308447003", "444831000124102"},
    "PaiIceAfterActivity": {"ice-after-activity"},
    "PaiHeelLift": {"heel-lift"},
    "PaiRecheckVisit": {"185389009"},
    "PaiAnkleMriOrder": {"36427-3", "36429-9", "30680-3"},
    "PaiAnkleUltrasoundOrder": {"241505005"},
    "PaiDiagnosticInjectionOrder": {"diagnostic-anaesthetic-injection"},
    "PaiSteroidInjectionOrder": {"anaesthetic-steroid-injection"},
    "PaiSurgeonReferral": {"308481009"},
    "PaiPodiatryReferral": {"308451001"},
    "PaiPostoperativeVisit": {"439740005"},
}

YN = "PaiAnswer"
T4 = "PaiTestResult"
# The forms, item by item: name of the finding, type, answers; `*` repeats.
FORMS: dict[str, list[tuple[str, str, str]]] = {
    "PaiHistory": [
        ("ankle.side", "choice", "side"),
        ("ankle.symptom-onset-date", "date", ""),
        ("ankle.pain-location", "choice*", "PaiPainLocationAnswer"),
        ("ankle.pain-worse-plantarflexion", "choice", YN),
        ("ankle.pain-provoking-activity", "choice*", "PaiPainProvokingActivityAnswer"),
        ("ankle.pain-score", "integer", "0..10"),
        ("ankle.acute-injury", "choice", YN),
        ("ankle.injury-date", "date", ""),
        ("ankle.cannot-bear-weight", "choice", YN),
        ("ankle.night-or-rest-pain", "choice", YN),
        ("ankle.mass-or-growing-swelling", "choice", YN),
        ("ankle.unexplained-bone-pain", "choice", YN),
        ("ankle.progressive-neurological-signs", "choice", YN),
        ("fever-or-systemic-illness", "choice", YN),
        ("unexplained-weight-loss", "choice", YN),
        ("cancer-history", "choice", YN),
        ("other-joint-synovitis", "choice", YN),
        ("activity-exposure", "choice*", "PaiActivityExposureAnswer"),
        ("activity-hours-per-week", "decimal", ""),
        ("sport-level", "choice", "PaiSportLevelAnswer"),
        ("can-reduce-activity", "choice", YN),
        ("fluoroquinolone-recent", "choice", YN),
        ("gestational-age-weeks", "integer", "0..45"),
    ],
    "PaiExam": [
        ("ankle.side", "choice", "side"),
        ("ankle.forced-plantarflexion-test", "choice", T4),
        ("ankle.posterior-tenderness-site", "choice*", "PaiPosteriorTendernessSiteAnswer + unknown"),
        ("ankle.posterior-swelling", "choice", "PaiPosteriorSwellingAnswer"),
        ("ankle.achilles-tendon-tenderness", "choice", YN),
        ("ankle.calf-squeeze-test", "choice", T4),
        ("ankle.weak-plantarflexion", "choice", YN),
        ("ankle.achilles-gap", "choice", YN),
        ("ankle.increased-passive-dorsiflexion", "choice", YN),
        ("ankle.resisted-hallux-flexion-pain", "choice", T4),
        ("ankle.hallux-motion-test", "choice", T4),
        ("ankle.calcaneal-squeeze-test", "choice", T4),
        ("ankle.pain-location", "choice*", "PaiPainLocationAnswer"),
        ("ankle.hot-swollen-joint", "choice", YN),
        ("ankle.restricted-joint-movement", "choice", YN),
        ("ankle.skin-infection-near-site", "choice", YN),
        ("ankle.suspected-dvt", "choice", YN),
        ("ankle.acute-injury", "choice", YN),
        ("ankle.cannot-bear-weight", "choice", YN),
        ("ankle.bony-tenderness-site", "choice*", "PaiBonyTendernessSiteAnswer"),
        ("ankle.open-injury", "choice", YN),
        ("ankle.deformity", "choice", YN),
        ("ankle.neurovascular-compromise", "choice", YN),
        ("ankle.suspected-posterior-process-fracture", "choice", YN),
    ],
    "PaiImagingAndInjectionFindings": [
        ("ankle.side", "choice", "side"),
        ("ankle.imaging-modality", "choice", "PaiImagingModalityAnswer"),
        ("ankle.imaging-date", "date", ""),
        ("ankle.imaging-finding", "choice*", "PaiImagingFindingAnswer"),
        ("ankle.diagnosis-uncertain", "choice", YN),
        ("ankle.injection-or-surgery-considered", "choice", YN),
        ("ankle.injection-date", "date", ""),
        ("ankle.diagnostic-injection-response", "choice", "PaiDiagnosticInjectionResponseAnswer"),
        ("ankle.steroid-injection-response", "choice", "PaiSteroidInjectionResponseAnswer"),
        ("mri-contraindicated", "choice", YN),
    ],
    "PaiFollowUp": [
        ("ankle.side", "choice", "side"),
        ("ankle.conservative-care-start-date", "date", ""),
        ("ankle.conservative-care-component", "choice*", "PaiConservativeCareComponentAnswer"),
        ("ankle.response-to-care", "choice", "PaiResponseToCareAnswer"),
        ("ankle.pain-score", "integer", "0..10"),
        ("ankle.faam-adl-score", "decimal", "0..100"),
        ("ankle.faam-sports-score", "decimal", "0..100"),
        ("ankle.lefs-score", "decimal", "0..80"),
        ("ankle.return-to-activity-stage", "choice", "PaiReturnToActivityStageAnswer"),
        ("ankle.recurrence-after-treatment", "choice", YN),
    ],
}
# Dates that say when a finding was made; like the side they are no findings themselves.
NO_FINDINGS = {"ankle.side", "ankle.imaging-date", "ankle.injection-date"}
# What opens a follow-up question: item, question, operator, answer. Three more open by an expression.
OPENED_BY = {
    "PaiHistory": {
        ("ankle.injury-date", "ankle.acute-injury", "=", "yes"),
        ("ankle.cannot-bear-weight", "ankle.acute-injury", "=", "yes"),
        ("activity-hours-per-week", "activity-exposure", "exists", "true"),
        ("activity-hours-per-week", "activity-exposure", "!=", "none-of-these"),
        ("can-reduce-activity", "activity-exposure", "exists", "true"),
    },
    "PaiExam": {
        *(
            (f"ankle.{item}", "ankle.calf-squeeze-test", operator, answer)
            for item in ("weak-plantarflexion", "achilles-gap", "increased-passive-dorsiflexion")
            for operator, answer in (("exists", "true"), ("!=", "negative"))
        ),
        ("ankle.restricted-joint-movement", "ankle.hot-swollen-joint", "=", "yes"),
        *(
            (f"ankle.{item}", "ankle.acute-injury", "=", "yes")
            for item in (
                *("cannot-bear-weight", "bony-tenderness-site", "open-injury", "deformity"),
                *("neurovascular-compromise", "suspected-posterior-process-fracture"),
            )
        ),
    },
    "PaiImagingAndInjectionFindings": {
        ("ankle.imaging-date", "ankle.imaging-modality", "exists", "true"),
        ("ankle.imaging-finding", "ankle.imaging-modality", "exists", "true"),
        ("ankle.diagnostic-injection-response", "ankle.injection-date", "exists", "true"),
        ("ankle.steroid-injection-response", "ankle.injection-date", "exists", "true"),
    },
    "PaiFollowUp": set(),
}
OPENED_BY_EXPRESSION = {
    "PaiHistory": {"ankle.unexplained-bone-pain", "gestational-age-weeks"},
    "PaiExam": {"ankle.calcaneal-squeeze-test"},
    "PaiImagingAndInjectionFindings": set(),
    "PaiFollowUp": set(),
}
CORE_EXAM_ITEMS = 12

# Said of a patient or a product, each of these would claim more than is known.
NEVER = re.compile(
    r"excluded|ruled out|diagnosed with|no red flags|not allergic|\b(?:is|are) safe\b"
    # the source may be quoted, as the source
    r"|(?<!source calls MRI the )(?<!source article calls MRI the )gold standard",
    re.IGNORECASE,
)
DOSE = re.compile(
    r"\d+\s*(?:mg|mcg|g|ml|tablets?|capsules?)\b|\bdaily\b|\btimes a day\b|\bas needed\b|\bprn\b|\bdos(?:e|age)\b",
    re.IGNORECASE,
)
HTML = re.compile(r"<[A-Za-z/!?]")


@pytest.fixture(scope="module")
def package() -> Package:
    return artifacts.load(CONTENT)


def plan(package: Package, name: str) -> Resource:
    return package.get(f"{BASE}/PlanDefinition/{name}")


def cards(package: Package, name: str) -> list[dict[str, Any]]:
    """Give the top actions of a recommendation, of which at most one becomes its card."""
    actions: list[dict[str, Any]] = plan(package, name)["action"]
    assert len(actions) == len(ROUTES.get(name, "1"))
    return actions


def card(package: Package, name: str) -> dict[str, Any]:
    """Give the first top action of a recommendation."""
    return cards(package, name)[0]


def walk(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every object inside a resource, the resource first."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)


def nested(action: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for child in action.get("action", ()):
        yield child
        yield from nested(child)


def every_action(resource: Resource) -> Iterator[dict[str, Any]]:
    yield from nested(resource)


def extension(element: dict[str, Any], url: str) -> Any:
    values = [item for item in element.get("extension", ()) if item["url"] == url]
    assert len(values) == 1, url
    return next(value for key, value in values[0].items() if key != "url")


def level(resource: Resource) -> str:
    code: str = resource["type"]["coding"][0]["code"]
    return code


def of_level(package: Package, code: str) -> list[Resource]:
    return [item for item in package.of_type("PlanDefinition") if level(item) == code]


def tail(canonical: str) -> str:
    return canonical.rsplit("/", 1)[-1]


def labels(resource: Resource) -> set[str]:
    """Give the statements and evidence a resource carries, wherever in it they stand."""
    found = {node["label"] for node in walk(resource) if node.get("type") in CITING and "label" in node}
    return found | {
        node["valueCode"] for node in walk(resource) if node.get("url") == STATEMENT and "valueCode" in node
    }


def statements(resource: Resource) -> set[str]:
    return {label for label in labels(resource) if label.startswith("S")}


def expressions(element: Any) -> list[dict[str, Any]]:
    return [
        node[key]
        for node in walk(element)
        for key in ("expression", "valueExpression")
        if isinstance(node.get(key), dict) and node[key].get("language") == "text/cql-identifier"
    ]


# Plans


def test_the_slice_is_whole(package: Package) -> None:
    """One pathway leads through its strategies to every recommendation, and to nothing else."""
    pathways = of_level(package, "clinical-protocol")
    assert [item["id"] for item in pathways] == ["PaiPathway"]
    strategies = [tail(action["definitionCanonical"]) for action in pathways[0]["action"]]
    assert sorted(strategies) == sorted(item["id"] for item in of_level(package, "workflow-definition"))
    reached = [tail(action["definitionCanonical"]) for name in strategies for action in plan(package, name)["action"]]
    assert sorted(reached) == sorted(RULES)
    assert sorted(RULES) == sorted(item["id"] for item in of_level(package, "eca-rule"))
    assert [item["id"] for item in of_level(package, "order-set")] == ["PaiConservativeCareOrderSet"]


@pytest.mark.parametrize("name", RULES)
def test_a_recommendation_is_part_of_the_strategy_that_lists_it(package: Package, name: str) -> None:
    strategy = RULES[name].strategy
    assert extension(plan(package, name), f"{CPG}cpg-partOf") == f"{BASE}/PlanDefinition/{strategy}"
    assert f"{BASE}/PlanDefinition/{name}" in [
        action["definitionCanonical"] for action in plan(package, strategy)["action"]
    ]
    assert extension(plan(package, strategy), f"{CPG}cpg-partOf") == f"{BASE}/PlanDefinition/PaiPathway"


def test_only_the_pathway_names_the_service(package: Package) -> None:
    url = f"{HL7}cqf-cdsHooksEndpoint"
    named = [
        item["id"] for item in package.of_type("PlanDefinition") if any(e["url"] == url for e in item["extension"])
    ]
    assert named == ["PaiPathway"]
    endpoint = extension(plan(package, "PaiPathway"), url)
    assert endpoint == f"{BASE}/cds-services/posterior-ankle-impingement"
    assert package.service_id == "posterior-ankle-impingement"


def test_each_plan_claims_the_profile_of_its_level(package: Package) -> None:
    profiles = {
        "clinical-protocol": "cpg-pathwaydefinition",
        "workflow-definition": "cpg-strategydefinition",
        "eca-rule": "cpg-recommendationdefinition",
        "order-set": "cpg-ordersetdefinition",
    }
    for item in package.of_type("PlanDefinition"):
        claimed = {profile for profile in item["meta"]["profile"] if tail(profile) in profiles.values()}
        assert claimed == {CPG + profiles[level(item)]}, item["id"]
        libraries = item.get("library", [])
        assert libraries == [LOGIC] if level(item) == "eca-rule" else libraries in ([], [LOGIC]), item["id"]


def test_pathway_and_strategies_hold_no_behaviour(package: Package) -> None:
    """CPG lets only recommendations and order sets say what happens; stages say where it belongs."""
    behaviours = {f"{name}Behavior" for name in ("grouping", "required", "precheck", "cardinality")}
    forbidden = {
        "clinical-protocol": {*behaviours, "selectionBehavior", "input", "output", "relatedAction", "type"},
        "workflow-definition": {*behaviours, "type"},
    }
    for code, names in forbidden.items():
        for item in of_level(package, code):
            for action in every_action(item):
                assert not (names | {"transform", "dynamicValue"}) & action.keys(), item["id"]
                assert action["title"]
                assert action["description"]
                assert [coding["system"] for code in action["code"] for coding in code["coding"]] == [PROCESS]


@pytest.mark.parametrize("name", RULES)
def test_a_card_is_asked_for_decided_and_ranked_as_specified(package: Package, name: str) -> None:
    rule = RULES[name]
    hooks = ("order-select", "order-sign") if name in ORDER_CHECKS else ("encounter-start", "patient-view")
    routes = ROUTES.get(name, {"": rule.priority})
    for top, (route, priority) in zip(cards(package, name), routes.items(), strict=True):
        assert top["trigger"] == [{"type": "named-event", "name": hook} for hook in hooks]
        (condition,) = top["condition"]
        assert condition["kind"] == "applicability"
        assert condition["expression"]["language"] == "text/cql-identifier"
        assert condition["expression"]["reference"] == LOGIC
        assert condition["expression"]["expression"] == f"{name}{route}Applies"
        assert condition["expression"]["description"]
        assert top["priority"] == priority
        assert top["selectionBehavior"] == rule.selection
        assert top["cardinalityBehavior"] == rule.cardinality
        # Where the level differs so do the first words of the detail; where the route does, the summary.
        level, summary = (route, "") if priority != "routine" else ("", route)
        expected = {
            "prefix": f"{name}{level}Place",
            "title": f"{name}{summary}Title",
            "description": f"{name}{level}Detail",
        }
        expected |= {"textEquivalent": f"{name}Recorded"} if name in ORDER_CHECKS else {}
        assert {value["path"]: value["expression"]["expression"] for value in top["dynamicValue"]} == expected


@pytest.mark.parametrize("name", RULES)
def test_a_card_names_its_topic_and_process(package: Package, name: str) -> None:
    topic, process = card(package, name)["code"]
    assert topic["coding"] == [
        {"system": f"{BASE}/CodeSystem/pai-card-topic", "code": name, "display": plan(package, name)["title"]}
    ]
    assert [(coding["system"], coding["code"]) for coding in process["coding"]] == [(PROCESS, RULES[name].process)]


@pytest.mark.parametrize("name", RULES)
def test_a_card_shows_how_good_its_evidence_is(package: Package, name: str) -> None:
    """Very low certainty is said where only a case series, an expert or the article itself supports it."""
    rule, top = RULES[name], card(package, name)
    grades = extension(top, f"{HL7}cqf-qualityOfEvidence")
    own = [coding["code"] for coding in grades["coding"] if coding["system"] == f"{BASE}/CodeSystem/pai-evidence-grade"]
    other = [coding["code"] for coding in grades["coding"] if "terminology.hl7.org" in coding["system"]]
    assert own == [rule.grade]
    assert other == (["very-low"] if rule.grade in {"D", "S"} else [])
    assert grades["text"]
    strength = extension(top, f"{HL7}cqf-strengthOfRecommendation")
    assert [coding["code"] for coding in strength["coding"]] == ["weak"]
    direction = extension(top, f"{CPG}cpg-directionOfRecommendation")
    assert [coding["code"] for coding in direction["coding"]] == [rule.direction]
    assert extension(top, f"{CPG}cpg-rationale")


@pytest.mark.parametrize("name", RULES)
def test_a_card_cites_its_statements_and_evidence(package: Package, name: str) -> None:
    """The article comes first and is the source of the card; then each statement, then each evidence record."""
    documentation = card(package, name)["documentation"]
    source = documentation[0]
    assert source == {
        "type": "citation",
        "display": "Posterior ankle impingement article (clinically reviewed 27 Apr 2026)",
        "url": f"{BASE}/PlanDefinition/{name}",
    }
    cited = [(entry["type"], entry["label"]) for entry in documentation[1:]]
    assert {label for kind, label in cited if kind == "derived-from"} == RULES[name].statements
    assert {label for kind, label in cited if kind == "citation"} == RULES[name].evidence
    assert len(cited) == len(RULES[name].statements) + len(RULES[name].evidence)
    assert all(entry["display"] for entry in documentation)
    assert all(entry.get("url", "https://").startswith("https://") for entry in documentation)


@pytest.mark.parametrize("name", RULES)
def test_a_card_says_which_case_features_it_reads(package: Package, name: str) -> None:
    for requirement in (*card(package, name)["input"], *card(package, name).get("output", ())):
        (profile,) = requirement["profile"]
        feature = package.get(profile)
        assert feature["resourceType"] == "StructureDefinition"
        assert feature["type"] == requirement["type"]


@pytest.mark.parametrize("name", OFFERS)
def test_the_suggestions_are_those_of_the_specification(package: Package, name: str) -> None:
    """Each in its place, each with its condition, each with a label and enough text to do it by hand."""
    for top in cards(package, name):
        children = top["action"]
        offered = [
            (
                ", ".join(does(part) for part in child.get("action", [child])),
                child["condition"][0]["expression"]["expression"] if "condition" in child else None,
                child.get("precheckBehavior"),
            )
            for child in children
        ]
        assert offered == OFFERS[name]
        for child in children:
            assert child["id"]
            assert child["title"]
            assert child["description"]
            for condition in child.get("condition", ()):
                assert condition["expression"]["description"]


def does(action: dict[str, Any]) -> str:
    """Say what a suggestion, or a part of it, does: the activity it drafts, or what it removes."""
    if "definitionCanonical" in action:
        return tail(action["definitionCanonical"])
    assert [coding["code"] for coding in action["type"]["coding"]] == ["remove"]
    ((path, expression),) = [(one["path"], one["expression"]["expression"]) for one in action["dynamicValue"]]
    assert path == "resource"
    return f"remove {expression}"


def test_the_emergency_card_preselects_only_a_single_offer(package: Package) -> None:
    for child in card(package, "PaiRedFlagEmergency")["action"]:
        values = {value["path"]: value["expression"]["expression"] for value in child["dynamicValue"]}
        assert values["action.precheckBehavior"] == "EmergencyPrecheck"


def test_the_order_set_never_preselects_a_drug_or_a_heel_lift(package: Package) -> None:
    group = card(package, "PaiConservativeCareOrderSet")
    assert group["groupingBehavior"] == "logical-group"
    assert group["selectionBehavior"] == "any"
    assert group["requiredBehavior"] == "could"
    assert group["cardinalityBehavior"] == "single"
    children = {tail(child["definitionCanonical"]): child for child in group["action"]}
    assert list(children)[-1] == "PaiHeelLift"
    assert children["PaiHeelLift"]["title"].endswith("stop if worse")
    for name in ("PaiOralNsaidRequest", "PaiTopicalNsaidRequest", "PaiHeelLift"):
        assert children[name]["precheckBehavior"] == "no"


def test_summaries_fit_a_card_with_the_side_word(package: Package) -> None:
    for name in RULES:
        for top in cards(package, name):
            assert 0 < len(top["title"] + SIDE_WORD) <= MAX_SUMMARY


def test_the_level_of_a_card_is_in_its_words(package: Package) -> None:
    """Colour alone would not reach everybody."""
    assert card(package, "PaiRedFlagEmergency")["description"].startswith("Critical:")
    assert card(package, "PaiUrgentWorkup")["description"].startswith("Warning:")


def test_every_computed_value_can_be_computed(package: Package) -> None:
    """Names exist in the compiled logic, conditions are Boolean, paths are elements of what they fill."""
    assert apply.check(package) == []
    for resource in (*package.of_type("PlanDefinition"), *package.of_type("ActivityDefinition")):
        for expression in expressions(resource):
            assert expression["expression"] in package.program.definitions, resource["id"]
            assert expression["reference"] == LOGIC
    for resource in package.of_type("PlanDefinition"):
        for action in every_action(resource):
            for condition in action.get("condition", ()):
                definition = package.program.definitions[condition["expression"]["expression"]]
                assert definition.result_type.endswith("Boolean"), definition.name


def test_prefetch_is_what_the_effective_requirements_say(package: Package) -> None:
    for resource in of_level(package, "eca-rule"):
        url = "http://hl7.org/fhir/uv/crmi/StructureDefinition/crmi-effectiveDataRequirements"
        assert extension(resource, url) == "#effective-data-requirements"
        contained = [part for part in resource["contained"] if part["id"] == "effective-data-requirements"]
        assert len(contained) == 1
        assert contained[0]["dataRequirement"]


# Activities


def test_activities_are_proposals_of_their_kind(package: Package) -> None:
    for item in package.of_type("ActivityDefinition"):
        assert item["intent"] == "proposal", item["id"]
        assert item["doNotPerform"] is False, item["id"]
        own = [coding["code"] for coding in item["code"]["coding"] if coding["system"] == ACTIVITY_TYPE]
        if item["kind"] == "CarePlan":
            assert own == []
            assert "profile" not in item
            assert f"{CPG}cpg-computableactivity" in item["meta"]["profile"]
            continue
        diagnosis = item["kind"] == "Task" and "contained" in item
        claimed, produced, code = DIAGNOSIS if diagnosis else FOR_TYPE[item["kind"]]
        assert CPG + claimed in item["meta"]["profile"], item["id"]
        assert item["profile"] == CPG + produced, item["id"]
        assert own == [code], item["id"]
        assert item["priority"] in {"routine", "urgent", "stat"}


def test_orders_carry_the_codes_of_the_specification(package: Package) -> None:
    """No order says only that something is ordered; without a computed code nothing would name it."""
    orders = [item for item in package.of_type("ActivityDefinition") if item["kind"] == "ServiceRequest"]
    assert {item["id"] for item in orders} == set(ORDER_CODES)
    for item in orders:
        codes = {coding["code"] for coding in item["code"]["coding"] if coding["system"] != ACTIVITY_TYPE}
        assert codes == ORDER_CODES[item["id"]], item["id"]
        paths = [value["path"] for value in item["dynamicValue"]]
        assert paths[0] == "code", item["id"]
        assert {"bodySite", "reasonReference", "reasonCode"} <= set(paths), item["id"]


def test_every_activity_is_offered_somewhere(package: Package) -> None:
    offered = {part for row in OFFERS.values() for name, _, _ in row for part in name.split(", ")}
    offered = {name for name in offered if not name.startswith("remove ")} - {"PaiConservativeCareOrderSet"}
    # For pages and apps: no card offers it.
    offered |= {"PaiCollectImagingAndInjectionFindings"}
    assert {item["id"] for item in package.of_type("ActivityDefinition")} == offered


# The activity that asks for a form, and the form.
FORM_TASKS = {
    "PaiCollectHistory": "PaiHistory",
    "PaiCollectExam": "PaiExam",
    "PaiCollectImagingAndInjectionFindings": "PaiImagingAndInjectionFindings",
    "PaiCollectFollowUp": "PaiFollowUp",
}


def test_forms_are_sent_as_tasks(package: Package) -> None:
    for name, form in FORM_TASKS.items():
        item = package.get(f"{BASE}/ActivityDefinition/{name}")
        assert item["priority"] == "routine"
        canonical = extension(item, f"{CPG}cpg-collectWith")
        assert canonical == f"{BASE}/Questionnaire/{form}"
        assert package.get(canonical)["resourceType"] == "Questionnaire"


def test_no_drug_is_chosen_and_no_dose_is_given(package: Package) -> None:
    drugs = [item for item in package.of_type("ActivityDefinition") if item["kind"] == "MedicationRequest"]
    assert len(drugs) == 3
    for item in drugs:
        assert not {"dosage", "quantity", "timing"} & item.keys()
        for name in ("title", "description", "purpose", "usage"):
            assert not DOSE.search(str(item.get(name, ""))), (item["id"], name)
        assert "clinician selects" in item["productCodeableConcept"]["text"]


def test_the_working_diagnosis_is_provisional_and_local(package: Package) -> None:
    """The only code it starts with is our own; the wider standard code is added by a site's choice, in the logic."""
    item = package.get(f"{BASE}/ActivityDefinition/PaiRecordWorkingDiagnosis")
    (condition,) = item["contained"]
    assert [coding["code"] for coding in condition["verificationStatus"]["coding"]] == ["provisional"]
    assert [coding["code"] for coding in condition["clinicalStatus"]["coding"]] == ["active"]
    assert [coding["code"] for part in condition["category"] for coding in part["coding"]] == ["encounter-diagnosis"]
    assert [(coding["system"], coding["code"]) for coding in condition["code"]["coding"]] == [
        (FINDINGS, "posterior-ankle-impingement")
    ]
    assert condition["code"]["text"] == "Posterior ankle impingement (suspected)"


# Forms


def items(resource: Resource) -> Iterator[dict[str, Any]]:
    for node in walk(resource["item"]):
        if "linkId" in node:
            yield node


def answerable(resource: Resource) -> list[dict[str, Any]]:
    return [item for item in items(resource) if item["type"] not in {"group", "display"} and not item.get("readOnly")]


def answers(item: dict[str, Any]) -> str:
    """Describe the answers of an item in the words of the form tables above."""
    if "answerValueSet" in item:
        return tail(item["answerValueSet"]).removeprefix("#")
    if item["linkId"] == "ankle.side":
        return "side"
    if "answerOption" in item:
        return f"Pai{feature_name(item)}Answer + unknown"
    limits = {
        tail(part["url"]): part.get("valueInteger", part.get("valueDecimal")) for part in item.get("extension", ())
    }
    return f"{limits['minValue']}..{limits['maxValue']}" if "minValue" in limits else ""


def feature_name(item: dict[str, Any]) -> str:
    return tail(item["definition"].partition("#")[0]).removeprefix("Pai")


@pytest.mark.parametrize("name", FORMS)
def test_a_form_asks_exactly_the_items_of_the_specification(package: Package, name: str) -> None:
    form = package.get(f"{BASE}/Questionnaire/{name}")
    asked = [
        (item["linkId"], item["type"] + ("*" if item.get("repeats") else ""), answers(item))
        for item in answerable(form)
    ]
    assert asked == FORMS[name]


@pytest.mark.parametrize("name", FORMS)
def test_an_item_is_a_finding_with_a_code_and_a_profile(package: Package, name: str) -> None:
    """What the form records, the profile allows and the logic reads: same code, same answers."""
    form = package.get(f"{BASE}/Questionnaire/{name}")
    contained = {f"#{resource['id']}": resource for resource in form["contained"]}
    for item in answerable(form):
        if item["linkId"] in NO_FINDINGS:
            assert not {"code", "definition"} & item.keys()
            continue
        (code,) = item["code"]
        profile, _, element_id = item["definition"].partition("#")
        elements = {element["id"]: element for element in package.get(profile)["differential"]["element"]}
        value = elements[element_id]
        coded = elements[element_id.replace("value[x]", "code")]
        pattern = coded["patternCodeableConcept"]["coding"][0]
        assert (code["system"], code["code"]) == (pattern["system"], pattern["code"]), item["linkId"]
        if "answerValueSet" in item:
            assert value["binding"]["valueSet"] == contained[item["answerValueSet"]]["url"], item["linkId"]
            assert value["type"] == [{"code": "CodeableConcept"}], item["linkId"]
        if item["type"] == "date":
            assert value["type"] == [{"code": "dateTime"}], item["linkId"]
        sided = any(element == "Observation.bodySite" for element in elements)
        assert sided == item["linkId"].startswith("ankle."), item["linkId"]


@pytest.mark.parametrize("name", FORMS)
def test_the_side_is_asked_once_per_ankle_and_nothing_else_is_required(package: Package, name: str) -> None:
    form = package.get(f"{BASE}/Questionnaire/{name}")
    assert [item["linkId"] for item in answerable(form) if item.get("required")] == ["ankle.side"]
    groups = [item for item in items(form) if item["type"] == "group"]
    assert [group["linkId"] for group in groups] == ["ankle"]
    (group,) = groups
    assert group["repeats"] is True
    assert extension(group, f"{HL7}questionnaire-maxOccurs") == 2
    assert group["item"][0]["linkId"] == "ankle.side"
    assert [option["valueCoding"]["code"] for option in group["item"][0]["answerOption"]] == ["24028007", "7771000"]
    inside = {item["linkId"] for item in items({"item": group["item"]})}
    assert {item["linkId"] for item in items(form) if item["linkId"].startswith("ankle.")} == inside


@pytest.mark.parametrize("name", FORMS)
def test_follow_up_questions_open_as_specified(package: Package, name: str) -> None:
    form = package.get(f"{BASE}/Questionnaire/{name}")
    opened = set()
    for item in items(form):
        for rule in item.get("enableWhen", ()):
            answer = rule["answerCoding"]["code"] if "answerCoding" in rule else str(rule["answerBoolean"]).lower()
            opened.add((item["linkId"], rule["question"], rule["operator"], answer))
        if len(item.get("enableWhen", ())) > 1:
            assert item["enableBehavior"] == "all"
    assert opened == OPENED_BY[name]
    url = f"{SDC}sdc-questionnaire-enableWhenExpression"
    by_expression = {
        item["linkId"] for item in items(form) if any(part["url"] == url for part in item.get("extension", ()))
    }
    assert by_expression == OPENED_BY_EXPRESSION[name]
    assert not by_expression & {item for item, *_ in opened}


def test_the_examination_has_twelve_core_items_before_the_red_flags(package: Package) -> None:
    (group,) = [item for item in package.get(f"{BASE}/Questionnaire/PaiExam")["item"] if item["linkId"] == "ankle"]
    order = [item["linkId"] for item in group["item"]]
    assert order.index("ankle.red-flags") - order.index("ankle.side") - 1 == CORE_EXAM_ITEMS


def test_every_question_has_a_basis(package: Package) -> None:
    """A statement of the article, an evidence record, or the words "local policy"."""
    for form in package.of_type("Questionnaire"):
        for item in answerable(form):
            if item["linkId"] == "ankle.side":
                continue
            notes = [part["valueMarkdown"] for part in item.get("extension", ()) if part["url"] == f"{HL7}designNote"]
            based = statements({"item": [item | {"item": []}]}) or re.search(
                r"E-[A-Z]+\d|local policy", " ".join(notes)
            )
            assert based, (form["id"], item["linkId"])


def test_link_ids_are_unique_and_short(package: Package) -> None:
    for form in package.of_type("Questionnaire"):
        links = [item["linkId"] for item in items(form)]
        assert len(links) == len(set(links)), form["id"]
        assert max(map(len, links)) <= 255
        for item in items(form):
            assert item["type"] != "group" or item["item"]


def test_forms_claim_no_extraction_they_do_not_have(package: Package) -> None:
    """Extraction by templates, and by nothing else: an item with two ways would be recorded twice."""
    for form in package.of_type("Questionnaire"):
        claimed = [profile for profile in form["meta"]["profile"] if "-extr-" in profile]
        assert claimed == [f"{SDC}sdc-questionnaire-extr-template"], form["id"]
        urls = {part["url"] for node in walk(form) for part in node.get("extension", ()) if "url" in part}
        assert {tail(url) for url in urls if "xtract" in url} == {
            "sdc-questionnaire-observation-extract-category",
            "sdc-questionnaire-templateExtractBundle",
            "sdc-questionnaire-templateExtractContext",
            "sdc-questionnaire-templateExtractValue",
        }


# Case features


def features(package: Package) -> list[Resource]:
    return [item for item in package.of_type("StructureDefinition") if item["type"] != "Extension"]


def test_a_feature_has_one_name_in_logic_and_profile(package: Package) -> None:
    for item in features(package):
        expression = extension(item, f"{CPG}cpg-featureExpression")
        assert item["id"] == f"Pai{expression['expression']}"
        assert expression["expression"] in package.program.definitions
        assert expression["reference"] == LOGIC
        assert item["kind"] == "resource"
        assert item["abstract"] is False
        assert item["derivation"] == "constraint"
        assert item["baseDefinition"] == f"{HL7}{item['type']}"


def test_a_sided_finding_names_its_side(package: Package) -> None:
    """A record without a body site, or whose body site has no side coding, does not conform.

    The rule stands as a constraint, not as a slice by value set, because validators without a terminology server
    cannot tell which slice a SNOMED CT coding belongs to.
    """
    members = package.get(f"{BASE}/ValueSet/PaiLaterality")["compose"]["include"][0]
    codes = " | ".join(f"'{concept['code']}'" for concept in members["concept"])
    sided = 0
    for item in features(package):
        elements = {element["id"]: element for element in item["differential"]["element"]}
        if "Observation.bodySite" not in elements:
            continue
        sided += 1
        site = elements["Observation.bodySite"]
        assert site["min"] == 1, item["id"]
        (rule,) = site["constraint"]
        assert rule["severity"] == "error", item["id"]
        assert rule["expression"] == f"coding.where(system = '{members['system']}' and code in ({codes})).count() = 1"
    assert sided > 30


def test_absence_is_never_a_negative(package: Package) -> None:
    """No profile demands a value, so that "not known" can always be recorded."""
    for item in features(package):
        for element in item["differential"]["element"]:
            if element["path"].endswith("value[x]"):
                assert element.get("min", 0) == 0, item["id"]


def test_elements_stand_in_the_order_of_the_resource(package: Package) -> None:
    """Snapshot generators walk the differential beside the base and refuse what comes out of order."""
    order = [
        "status",
        "category",
        "code",
        "subject",
        "effective[x]",
        "value[x]",
        "dataAbsentReason",
        "bodySite",
        "component",
    ]
    for item in features(package):
        if item["type"] != "Observation":
            continue
        names = [element["path"].split(".")[1] for element in item["differential"]["element"] if "." in element["path"]]
        ranks = [order.index(name) for name in names]
        assert ranks == sorted(ranks), item["id"]
        ids = [element["id"] for element in item["differential"]["element"]]
        assert len(ids) == len(set(ids)), item["id"]


# Trace and words


@pytest.mark.parametrize("name", CARRIED)
def test_pathway_order_set_and_forms_carry_their_statements(package: Package, name: str) -> None:
    assert statements(package.get(f"{BASE}/{name}")) == CARRIED[name]


def test_a_strategy_carries_what_its_recommendations_carry(package: Package) -> None:
    for strategy in of_level(package, "workflow-definition"):
        listed = [tail(action["definitionCanonical"]) for action in strategy["action"]]
        assert statements(strategy) == frozenset[str]().union(*(RULES[name].statements for name in listed))


def test_every_label_exists_and_is_shown_with_its_own_words(package: Package) -> None:
    """A statement is shown as its code system has it; an evidence record with its citation and its reservation."""
    system = package.get(f"{BASE}/CodeSystem/pai-source-statement")
    displays = {concept["code"]: concept["display"] for concept in system["concept"]}
    records = yaml.safe_load((CONTENT / "evidence.yaml").read_text())["evidence"]
    evidence = {record["id"]: record for record in records}
    for resource in package.resources.values():
        assert labels(resource) <= displays.keys() | evidence.keys(), resource["id"]
        for node in walk(resource):
            if node.get("type") == "derived-from" and "label" in node:
                assert node["display"] == displays[node["label"]], (resource["id"], node["label"])
            elif node.get("type") == "citation" and "label" in node:
                record = evidence[node["label"]]
                if record["label"] != "seen":
                    assert record["label"] in node["display"] or "no primary source" in node["display"], node["label"]


def test_nothing_published_claims_more_than_is_known(package: Package) -> None:
    """No text of ours says "excluded" or the like; citations of others keep their own words."""
    for kind in ("PlanDefinition", "ActivityDefinition", "Questionnaire", "StructureDefinition"):
        for resource in package.of_type(kind):
            for node in walk(resource):
                if node.get("type") in CITING:
                    continue
                for name in ("title", "description", "purpose", "usage", "text", "short", "human", "valueMarkdown"):
                    words = node.get(name)
                    if isinstance(words, str) and not words.startswith("<div"):
                        assert not NEVER.search(words), (resource["id"], words)
                        assert not HTML.search(words), (resource["id"], words)


def test_evidence_that_must_not_be_printed_is_not(package: Package) -> None:
    """E-CONS4 has no primary source: it is held for the record, and none of its figures stands in a text."""
    for resource in package.of_type("PlanDefinition"):
        for node in walk(resource):
            for name in ("title", "description", "valueMarkdown"):
                assert "E-CONS4" not in str(node.get(name, ""))


def test_the_readme_names_the_carriers_of_each_statement(package: Package) -> None:
    """The table of the content folder says for S1 to S58 what carries them; nothing is left out."""
    rows = re.findall(r"^\| (S\d+) \| ([^|]*) \|", (CONTENT / "README.md").read_text(), re.MULTILINE)
    carriers: dict[str, list[str]] = {f"S{number}": [] for number in range(1, 59)}
    for kind in ("PlanDefinition", "Questionnaire"):
        for resource in package.of_type(kind):
            if kind == "PlanDefinition" and level(resource) == "workflow-definition":
                continue
            for label in statements(resource):
                carriers[label].append(resource["id"])
    written = {label: text.split(", ") for label, text in rows}
    assert {label: sorted(names) for label, names in written.items()} == {
        label: sorted(names) for label, names in carriers.items()
    }
