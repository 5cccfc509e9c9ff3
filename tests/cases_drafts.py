"""What a card offers and what its drafts carry: who may order, which code, which side, which reason, which place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ankle_cds.elm import Concept, Date
from cases_mutants import asked, fits, imaged, problem, treated, without
from charts import (
    FINDINGS,
    ICD,
    LOINC,
    R1,
    R2,
    R3,
    R4,
    R7,
    R9,
    SCT,
    Case,
    Resource,
    concept,
    condition,
    encounter,
    item,
    mri,
    patient,
    pattern,
    reason,
    xray,
)


@dataclass(frozen=True)
class Coded:
    """A concept with these codes and this text; the displays of the codes are the claim of the terminology tests."""

    codes: tuple[tuple[str, str], ...]
    text: str | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Concept):
            return NotImplemented
        codes = tuple(code and (code.system, code.code) for code in other.codes)
        return codes == self.codes and other.display == self.text

    def __hash__(self) -> int:
        return hash((self.codes, self.text))


def coded(system: str, code: str, text: str | None = None) -> Coded:
    return Coded(((system, code),), text)


SCRIBE = {"UserRoleCodes": ["scribe"], "NonPrescriberRoleCodes": ["scribe"]}
EMERGENCY_OFFERS = (
    "OfferEmergencyRadiograph",
    "OfferUrgentOrthopaedicReferral",
    "OfferSepticJointAssessment",
    "OfferDvtPathwayAssessment",
)
NON_WEIGHT_BEARING = [item("acute-injury", "yes"), item("cannot-bear-weight", "yes")]
RUPTURE = [item("calf-squeeze-test", "positive")]
HOT_JOINT = [item("hot-swollen-joint", "yes"), item("restricted-joint-movement", "yes")]
DVT = [item("suspected-dvt", "yes")]
WOUND = [item("open-injury", "yes")]


def emergency(
    id_: str, facts: list[Any], *offers: str, precheck: str, given: dict[str, Any] | None = None, **also: Any
) -> Case:
    """A red flag: R1, with the steps of the flags that are recorded and no other."""
    offered = {name: name in offers for name in EMERGENCY_OFFERS}
    return Case(
        f"emergency step: {id_}",
        facts,
        {R1},
        "PhaseRedFlag",
        {**offered, "EmergencyPrecheck": precheck, **also},
        parameters=given or {},
    )


EMERGENCY = [
    emergency("cannot take four steps", NON_WEIGHT_BEARING, EMERGENCY_OFFERS[0], precheck="yes"),
    emergency("tendon rupture", RUPTURE, EMERGENCY_OFFERS[1], precheck="yes", FlagInjurySeverity=None),
    emergency("open wound", WOUND, EMERGENCY_OFFERS[1], precheck="yes", FlagAchillesRupture=False),
    emergency("hot joint", HOT_JOINT, EMERGENCY_OFFERS[2], precheck="yes"),
    emergency("deep vein thrombosis", DVT, EMERGENCY_OFFERS[3], precheck="yes"),
    emergency(
        "with two flags none is preferred", [*RUPTURE, *DVT], EMERGENCY_OFFERS[1], EMERGENCY_OFFERS[3], precheck="no"
    ),
    emergency("all flags", [*NON_WEIGHT_BEARING, *RUPTURE, *HOT_JOINT, *DVT, *WOUND], *EMERGENCY_OFFERS, precheck="no"),
    emergency(
        "who may not order is offered none",
        [*NON_WEIGHT_BEARING, *RUPTURE, *HOT_JOINT, *DVT, *WOUND],
        precheck="no",
        given=SCRIBE,
    ),
    asked(
        "emergency step: nothing recorded, nothing offered",
        [],
        **dict.fromkeys(EMERGENCY_OFFERS, False),
        EmergencyPrecheck="no",
        OfferUrgentRadiograph=False,
        OfferUrgentCt=False,
        OfferRheumatologyReferral=False,
        OfferNerveAssessment=False,
    ),
]

THREE_VIEWS = "Order ankle X-ray, AP, lateral and mortise"
URGENT_OFFERS = ("OfferUrgentRadiograph", "OfferUrgentCt", "OfferRheumatologyReferral", "OfferNerveAssessment")


def urgent(
    id_: str, facts: list[Any], *offers: str, label: str = THREE_VIEWS, given: dict[str, Any] | None = None
) -> Case:
    """An urgent finding: R2, with the steps of what is recorded and no other."""
    also = {**{name: name in offers for name in URGENT_OFFERS}, "UrgentRadiographLabel": label}
    return Case(f"urgent step: {id_}", facts, {R2}, "PhaseUrgent", also, parameters=given or {})


FRACTURE = item("suspected-posterior-process-fracture", "yes")
URGENT = [
    urgent("night pain", [item("night-or-rest-pain", "yes")], "OfferUrgentRadiograph"),
    urgent("synovitis elsewhere", [item("other-joint-synovitis", "yes", side=None)], "OfferRheumatologyReferral"),
    urgent("nerve signs", [item("progressive-neurological-signs", "yes")], "OfferNerveAssessment"),
    urgent("fracture suspected at 18", [patient(age=18), FRACTURE], "OfferUrgentRadiograph", "OfferUrgentCt"),
    urgent("fracture suspected at 17", [patient(age=17), FRACTURE], "OfferUrgentRadiograph"),
    urgent("fracture suspected, age unknown", [patient(age=None), FRACTURE], "OfferUrgentRadiograph"),
    urgent(
        "bone pain of a minor is within 48 hours",
        [patient(age=17), item("unexplained-bone-pain", "yes")],
        "OfferUrgentRadiograph",
        label="Order ankle X-ray within 48 hours",
    ),
    urgent(
        "who may not order is offered none",
        [
            FRACTURE,
            item("other-joint-synovitis", "yes", side=None),
            item("progressive-neurological-signs", "yes"),
        ],
        given=SCRIBE,
    ),
]

CARE_OFFERS = (
    "OfferRadiograph",
    "OfferPhysicalTherapy",
    "OfferActivityModificationPlan",
    "OfferIceAfterActivity",
    "OfferRecheckVisit",
    "OfferHeelLift",
    "OfferOralNsaid",
)
BLOOD_THINNER = {
    "resourceType": "MedicationStatement",
    "id": "thinner",
    "status": "active",
    "medicationCodeableConcept": concept("http://www.nlm.nih.gov/research/umls/rxnorm", "1364430"),
    "subject": {"reference": "Patient/p1"},
}
OFFERS = [
    fits("offer: all of the first visit", [], **dict.fromkeys(CARE_OFFERS, True), OfferTopicalNsaid=False),
    fits("offer: none to who may not order", [], given=SCRIBE, **dict.fromkeys(CARE_OFFERS, False)),
    fits("offer: topical to who may order", [BLOOD_THINNER], OfferTopicalNsaid=True, OfferOralNsaid=False),
    fits("offer: topical not to who may not order", [BLOOD_THINNER], given=SCRIBE, OfferTopicalNsaid=False),
    fits(
        "offer: another role may order",
        [],
        given={"UserRoleCodes": ["surgeon"], "NonPrescriberRoleCodes": ["scribe"]},
        UserCanOrder=True,
        OfferRadiograph=True,
    ),
    *[
        treated(
            f"offer: no physical therapy and no plan while {key} cannot be read",
            [],
            given={"UnavailableInputs": [key]},
            OfferPhysicalTherapy=False,
            OfferActivityModificationPlan=False,
            OfferIceAfterActivity=True,
        )
        for key in ("carePlans", "serviceRequests")
    ],
    treated(
        "offer: physical therapy although the findings cannot all be read",
        [],
        given={"UnavailableInputs": ["findings"]},
        OfferPhysicalTherapy=True,
        OfferActivityModificationPlan=True,
    ),
    imaged(
        "offer: no X-ray while an earlier MRI may be hidden",
        [xray()],
        given={"UnavailableInputs": ["imagingStudies"]},
        EarlierImagingUnknown=True,
        OfferRadiograph=False,
    ),
    imaged(
        "offer: no X-ray while an earlier one may be hidden",
        [mri(conclusion=None)],
        given={"UnavailableInputs": ["imagingStudies"]},
        EarlierImagingUnknown=True,
        OfferRadiograph=False,
    ),
]


def placed(id_: str, facts: list[Any], applies: set[str], phase: str, **places: str) -> Case:
    """Table D.3: the phase, then the position of the card in its row."""
    return Case(f"place: {id_}", facts, applies, phase, {f"{name}Place": place for name, place in places.items()})


IMPINGEMENT = problem(FINDINGS, "posterior-ankle-impingement", side="right")
ELITE = [item("sport-level", "elite", side=None), item("can-reduce-activity", "no", side=None)]
PLACES = [
    placed("red flag", RUPTURE, {R1}, "PhaseRedFlag", PaiRedFlagEmergency="01.1"),
    placed("urgent", [FRACTURE], {R2}, "PhaseUrgent", PaiUrgentWorkup="02.1"),
    placed(
        "the first X-ray beside synovitis",
        [pattern(), item("other-joint-synovitis", "yes", side=None)],
        {R2, R4},
        "PhaseUrgent",
        PaiUrgentWorkup="02.1",
        PaiOrderLateralRadiograph="02.2",
    ),
    placed("unmatched", [mri()], {"PaiMatchImagingToExam"}, "PhaseImagingUnmatched", PaiMatchImagingToExam="04.1"),
    placed(
        "assessment before care",
        [IMPINGEMENT],
        {R3, R7},
        "PhaseAssessment",
        PaiRecordAssessment="05.1",
        PaiStartConservativeCare="05.2",
    ),
    placed(
        "care before surgery",
        [pattern(), mri(), *ELITE],
        {R7, R9},
        "PhaseSurgery",
        PaiStartConservativeCare="06.1",
    ),
    placed(
        "X-ray before care",
        [pattern()],
        {R4, R7},
        "PhaseRadiograph",
        PaiOrderLateralRadiograph="07.1",
        PaiStartConservativeCare="07.2",
    ),
    placed("care", [pattern(), xray()], {R7}, "PhaseCare", PaiStartConservativeCare="08.1"),
]


def order_of(side: str | None, given: dict[str, Any] | None = None, **codes: Any) -> Case:
    """The codes of the drafts for one side, or for none."""
    names = ", ".join(codes) + (" as the site sets it" if given else "")
    return Case(
        f"draft: {names}, {side or 'no side'}",
        [],
        {R3},
        "PhaseAssessment",
        codes,
        reasons=[reason(side)],
        parameters=given or {},
    )


ANKLE = (SCT, "344001")
CODES = [
    order_of("right", DraftBodySite=Coded((ANKLE, (SCT, "24028007"))), DraftSideText="Right ankle"),
    order_of("left", DraftBodySite=Coded((ANKLE, (SCT, "7771000"))), DraftSideText="Left ankle"),
    order_of(None, DraftBodySite=Coded((ANKLE,)), DraftSideText=None, SideCode=None),
    order_of("left", TraumaRadiographCode=coded(LOINC, "37097-3", "Ankle X-ray, AP, lateral and mortise, left")),
    order_of("right", TraumaRadiographCode=coded(LOINC, "37666-5", "Ankle X-ray, AP, lateral and mortise, right")),
    order_of(None, TraumaRadiographCode=coded(LOINC, "37095-7", "Ankle X-ray, AP, lateral and mortise")),
    order_of("left", AnkleCtCode=coded(LOINC, "36426-5", "CT ankle without contrast, left")),
    order_of("right", AnkleCtCode=coded(LOINC, "36428-1", "CT ankle without contrast, right")),
    order_of(None, AnkleCtCode=coded(LOINC, "36425-7", "CT ankle without contrast")),
    order_of("right", PaiLateralRadiographOrderCode=coded(LOINC, "36592-4", "Ankle X-ray, lateral view")),
    order_of(
        "right",
        PaiPlantarflexedLateralRadiographOrderCode=coded(
            FINDINGS, "xr-ankle-lateral-plantarflexion", "Ankle X-ray, lateral view in plantarflexion (local protocol)"
        ),
        PaiPosteriorImpingementViewOrderCode=coded(
            FINDINGS, "xr-ankle-posterior-impingement-view", "Ankle X-ray, posterior impingement view (local protocol)"
        ),
    ),
    order_of(
        "right",
        PaiUrgentOrthopaedicReferralCode=coded(SCT, "308481009", "Urgent referral to orthopaedic surgeon"),
        PaiSepticJointAssessmentCode=coded(
            FINDINGS, "septic-joint-assessment", "Same-day assessment for possible septic joint"
        ),
        PaiDvtPathwayAssessmentCode=coded(FINDINGS, "dvt-pathway-assessment", "Assessment by the local DVT pathway"),
        EmergencyPriority="stat",
    ),
    order_of(
        "right",
        PaiRheumatologyReferralCode=coded(FINDINGS, "rheumatology-referral", "Urgent referral to rheumatology"),
        PaiNerveAssessmentCode=coded(FINDINGS, "nerve-assessment", "Urgent nerve assessment"),
        UrgentPriority="urgent",
    ),
    order_of(
        "right",
        PhysicalTherapyCode=coded(SCT, "308447003", "Referral to physical therapy"),
        PhysicalTherapyOrderDetail=Coded((), "Flexibility, posterior chain strengthening, dance or sport technique"),
        PaiRecheckVisitCode=coded(SCT, "185389009", "Recheck visit"),
        RecheckDate=Date(2026, 4, 23),
    ),
    order_of(
        "right",
        {"UsePtReferralUsExtension": True},
        PhysicalTherapyCode=coded(SCT, "444831000124102", "Referral to physical therapy"),
    ),
    order_of(
        "right",
        ActivityModificationCode=coded(FINDINGS, "activity-modification", "Activity modification"),
        TechniqueModificationCode=None,
        PaiIceAfterActivityCode=coded(FINDINGS, "ice-after-activity", "Ice after activity"),
        PaiHeelLiftCode=coded(FINDINGS, "heel-lift", "Heel lift, non-dance settings only; stop if worse"),
        ConservativeCareOrderSetCanonical="https://w3id.org/ankle-cds/PlanDefinition/PaiConservativeCareOrderSet",
    ),
    order_of(
        "right",
        PaiOralNsaidRequestCode=coded(SCT, "372665008", "NSAID, clinician selects agent"),
        PaiTopicalNsaidRequestCode=coded(FINDINGS, "topical-nsaid", "Topical NSAID, clinician selects product"),
    ),
    order_of(
        "right",
        ImagingCategory=coded(SCT, "363679005"),
        EvaluationCategory=coded(SCT, "386053000"),
        EducationCategory=coded(SCT, "409073007"),
    ),
    order_of(
        "right",
        WorkingDiagnosisCode=coded(FINDINGS, "posterior-ankle-impingement", "Posterior ankle impingement (suspected)"),
    ),
    order_of(
        "right",
        {"AllowSnomedImpingementCode": True},
        WorkingDiagnosisCode=Coded(
            ((FINDINGS, "posterior-ankle-impingement"), (SCT, "240021001")), "Posterior ankle impingement (suspected)"
        ),
    ),
    asked(
        "draft: a dancer's plan also changes the technique",
        [item("activity-exposure", "ballet-en-pointe", side=None)],
        TechniqueModificationCode=coded(FINDINGS, "technique-modification", "Technique modification"),
    ),
    asked("draft: no exam, no evidence for the diagnosis", [], WorkingDiagnosisEvidence=None),
    Case(
        "draft: the exam is the evidence for the diagnosis",
        [
            item("forced-plantarflexion-test", "positive", id="test"),
            item("posterior-tenderness-site", "posterior-midline", id="tender"),
        ],
        {R3},
        "PhaseAssessment",
        {"WorkingDiagnosisEvidence": ["Observation/test", "Observation/tender"]},
        reasons=[condition(ICD, "M25.871")],
    ),
]

PAIN = coded(FINDINGS, "posterior-ankle-pain", "Posterior ankle pain")


def because(
    id_: str, code: Any, *, visit: list[Resource] | None = None, problems: list[Resource] | None = None, **other: Any
) -> Case:
    """The reason a draft gives: the working diagnosis by reference, else the code for which the visit qualifies."""
    facts = [*other.pop("facts", []), encounter(reasonCode=visit or [])]
    also = {"DraftReasonCode": code, "DraftReasonReference": None, **other.pop("also", {})}
    applies = {R3} | other.pop("more", set())
    return Case(f"reason of a draft: {id_}", facts, applies, "PhaseAssessment", also, reasons=problems or [])


def two(*codings: tuple[str, str], **other: Any) -> Resource:
    return {"coding": [{"system": system, "code": code} for system, code in codings], **other}


REASONS = [
    because("the pain", PAIN, problems=[reason()]),
    because("a residual code", coded(ICD, "M25.871"), problems=[condition(ICD, "M25.871")]),
    because(
        "a residual code, not the code of the record system beside it",
        coded(ICD, "M25.871"),
        problems=[{**condition(ICD, "M25.871"), "code": two(("https://ehr.example/codes", "A1"), (ICD, "M25.871"))}],
    ),
    because("a residual code of the visit", coded(ICD, "M25.871"), visit=[concept(ICD, "M25.871")]),
    because("impingement as SNOMED CT says it", coded(SCT, "240021001"), visit=[concept(SCT, "240021001")]),
    because(
        "impingement in two code systems is written in ours",
        coded(FINDINGS, "posterior-ankle-impingement", "Posterior ankle impingement"),
        visit=[two((SCT, "240021001"), (FINDINGS, "posterior-ankle-impingement"))],
    ),
    because(
        "the os trigonum syndrome",
        coded(FINDINGS, "os-trigonum-syndrome", "Os trigonum syndrome"),
        visit=[concept(FINDINGS, "os-trigonum-syndrome")],
    ),
    because(
        "the pain before the syndrome's general code",
        PAIN,
        visit=[two((SCT, "240021001"), (FINDINGS, "posterior-ankle-pain"))],
    ),
    because("a specific reason before a residual one", PAIN, visit=[concept(ICD, "M25.871")], problems=[reason()]),
    because(
        "a specific reason of the visit before a residual problem",
        coded(FINDINGS, "os-trigonum-syndrome", "Os trigonum syndrome"),
        visit=[concept(FINDINGS, "os-trigonum-syndrome")],
        problems=[condition(ICD, "M25.871")],
    ),
    because(
        "impingement of the visit before a residual problem",
        coded(SCT, "240021001"),
        visit=[concept(SCT, "240021001")],
        problems=[condition(ICD, "M25.871")],
    ),
    because(
        "words of a problem before a residual code of the visit",
        PAIN,
        visit=[concept(ICD, "M25.871")],
        problems=[{**condition(ICD, "M25.571"), "code": two((ICD, "M25.571"), text="posterior ankle pain")}],
    ),
    because(
        "words beside an unspecific code",
        PAIN,
        visit=[two((ICD, "M25.571"), text="posterior ankle pain")],
    ),
    because(
        "an unspecific code with posterior pain recorded",
        PAIN,
        problems=[condition(ICD, "M25.571")],
        facts=[item("pain-location", "posterior-midline")],
    ),
    because(
        "the working diagnosis, by reference",
        None,
        problems=[reason()],
        facts=[{**IMPINGEMENT, "id": "known"}],
        also={"DraftReasonReference": ["Condition/known"]},
        more={R7},
    ),
    because(
        "of two working diagnoses the one that can be referred to",
        None,
        problems=[reason()],
        facts=[{**IMPINGEMENT, "id": "known"}, without(IMPINGEMENT, "id")],
        also={"DraftReasonReference": ["Condition/known"]},
        more={R7},
    ),
    because(
        "a working diagnosis that cannot be referred to gives no reference",
        PAIN,
        problems=[reason()],
        facts=[without(IMPINGEMENT, "id")],
        more={R7},
    ),
]

DRAFT_CASES = [*EMERGENCY, *URGENT, *OFFERS, *PLACES, *CODES, *REASONS]
