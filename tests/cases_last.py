"""What the last surviving mutants asked for: the gate behind every card, the reason of a draft, what is not checked.

The view hooks first, then the checks of draft orders. `B..` and `T..` are tests of the clinical specification; the
other cases say which line of it they stand on where the names of their facts do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ankle_cds.elm import Date
from cases_drafts import Coded, coded
from cases_later import EXCISION, FRACTURE, UNCHANGED
from cases_mutants import finding, problem, without
from cases_orders import (
    ANAESTHETIC,
    APIXABAN,
    DICLOFENAC_GEL,
    IBUPROFEN,
    LIDOCAINE,
    MAN,
    NAPROXEN,
    NSAID_CRITICAL,
    NSAID_WARNING,
    OTHER_REASON,
    PAI_REASON,
    STEROID,
    SURGERY,
    TRIAMCINOLONE,
    OrderCase,
    drug,
    oral,
    service,
    steroid,
    supply,
    surgery,
    topical,
)
from charts import (
    CT,
    FINDINGS,
    ICD,
    R2,
    R3,
    R4,
    R6,
    R8,
    RXNORM,
    SCT,
    Case,
    Resource,
    allergy,
    concept,
    condition,
    day,
    egfr,
    encounter,
    item,
    medication,
    months_ago,
    mri,
    not_improved,
    order,
    patient,
    pattern,
    plan,
    plan_since,
    pregnant,
    procedure,
    reason,
    report,
    xray,
)

PARACETAMOL = "161"
FEVER = item("fever-or-systemic-illness", "yes", side=None)
SYNOVITIS = item("other-joint-synovitis", "yes", side=None)
NO_CONDITIONS = {"UnavailableInputs": ["conditions"]}
NO_VISIT = {"EncounterId": None}
QUESTION_ONLY = {"NonSpecificReasonEnabled": True}
DIABETES = concept(ICD, "E11.9")
ELSEWHERE = [{"reference": "Condition/c1"}]
STEROID_FOR_THIS = [drug(TRIAMCINOLONE, reasonCode=[PAI_REASON])]
TABLET_AND_GEL = {
    "coding": [coding for code in (IBUPROFEN, DICLOFENAC_GEL) for coding in concept(RXNORM, code)["coding"]]
}
ANAESTHETIC_AND_XRAY = {"coding": [*concept(FINDINGS, ANAESTHETIC)["coding"], *concept(SCT, "168537006")["coding"]]}


def named(resource: Resource, id_: str) -> Resource:
    """The same under an id that the case refers to."""
    return {**resource, "id": id_}


# ---------------------------------------------------------------- The view hooks
def elsewhere(id_: str, facts: list[Any], phase: str) -> Case:
    """The visit is about diabetes: whatever is recorded of the ankle, the gate is closed (D.1) and no card is given."""
    return Case(f"another reason: {id_}", facts, set(), phase, {"GateView": False}, reasons=OTHER_REASON)


GATE = [
    elsewhere("care has not helped, an X-ray is done", [UNCHANGED], "PhaseNotImproved"),
    elsewhere("the same with an MRI", [UNCHANGED, mri()], "PhaseNotImproved"),
    elsewhere(
        "six months of care have not helped",
        [pattern(ago=170), mri(), xray(), not_improved(), plan_since(months_ago(6))],
        "PhaseSurgery",
    ),
    elsewhere("six weeks of care", [pattern(ago=42), xray(ago=42), plan(42)], "PhaseReassess"),
    elsewhere("operated two months ago", [procedure(FINDINGS, EXCISION, months_ago(2))], "PhasePostoperative"),
    # Table D.3: below the lowest age the second phase gives R2 alone, and so it does while the side must be asked.
    Case("urgent: age 7, R2 alone", [patient(age=7), xray(), FRACTURE], {R2}, "PhaseUrgent"),
    Case(
        "urgent: an unspecific reason, R2 alone",
        [xray(), FRACTURE],
        {R2},
        "PhaseUrgent",
        {"GateQuestionOnly": True},
        reasons=[condition(ICD, "M25.571")],
        parameters=QUESTION_ONLY,
    ),
    # Table D.3: beside R2 comes R4 if it is due, else R5. An X-ray of 100 days ago is a result and no duplicate.
    Case(
        "urgent: R4 is due, so R5 is not given",
        [pattern(), SYNOVITIS, xray(ago=100), item("diagnosis-uncertain", "yes")],
        {R2, R4},
        "PhaseUrgent",
    ),
]

HISTORY = [
    # C.4: the day a patient gives is known, whatever a later visit says of an injury.
    Case(
        "the injury is denied later, its day stays known",
        [
            item("injury-date", side=None, ago=10, valueDateTime=day(12)),
            item("acute-injury", "no", side=None, ago=5),
        ],
        {R3},
        "PhaseAssessment",
        {"AcuteInjuryRecorded": False, "InjuryDate": Date(2026, 2, 28)},
    ),
    # C.1: unknown is never read as no; no onset is recorded, so the history is not known to be long.
    Case(
        "hot joint, the onset is not known",
        [
            item("hot-swollen-joint", "yes"),
            item("restricted-joint-movement", "no"),
            item("fever-or-systemic-illness", "no", side=None),
        ],
        {R3},
        "PhaseAssessment",
        {"ShortHistory": None, "FlagHotJoint": None},
    ),
]


@dataclass(frozen=True)
class Some:
    """So many different references out of these; which of them is not specified."""

    count: int
    among: frozenset[str]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, list):
            return NotImplemented
        return len(other) == len(set(other)) == self.count and set(other) <= self.among

    def __hash__(self) -> int:
        return hash((self.count, self.among))


BOTH_ANKLES = [
    named(one, f"{side}{place}") for side in ("right", "left") for place, one in enumerate(pattern(side=side))
]
OS_TRIGONUM = [
    named(finding("os-trigonum", "radiograph", ago=100), "read"),
    named(mri(ago=90), "mri"),
    named(report(CT["right"], ago=80, conclusion="os-trigonum"), "ct"),
    named(condition(FINDINGS, "os-trigonum", side="right", encounter=False, ago=70), "problem"),
]
NEGATIVE_EXAM = [
    item("forced-plantarflexion-test", "negative", id="test"),
    item("posterior-tenderness-site", "none-of-these", id="tender"),
]


def unmatched(id_: str, facts: list[Any], references: Any) -> Case:
    """A bony variant that no exam matches: R6 rests on the variant and the exam."""
    return Case(f"R6: {id_}", facts, {R6}, "PhaseImagingUnmatched", {"PaiMatchImagingToExamFacts": references})


# E.0: created resources carry up to 5 references of the facts shown.
REFERENCES = [
    Case(
        "R3 rests on the exam as far as it goes",
        [
            item("pain-location", "posterior-midline", id="location"),
            item("forced-plantarflexion-test", "negative", id="test"),
            item("posterior-tenderness-site", "posteromedial", id="tender"),
        ],
        {R3},
        "PhaseAssessment",
        {"PaiRecordAssessmentFacts": ["Observation/location", "Observation/test", "Observation/tender"]},
    ),
    Case(
        "R3 rests on what provokes the pain",
        [item("pain-worse-plantarflexion", "yes", id="worse")],
        {R3},
        "PhaseAssessment",
        {"PaiRecordAssessmentFacts": ["Observation/worse"]},
    ),
    Case(
        "T52 findings of both ankles: five references",
        BOTH_ANKLES,
        {R3},
        "PhaseAssessment",
        {"PaiRecordAssessmentFacts": Some(5, frozenset(f"Observation/{one['id']}" for one in BOTH_ANKLES))},
        reasons=[reason(None)],
    ),
    unmatched("a Stieda process", [named(mri(conclusion="stieda-process"), "mri")], ["DiagnosticReport/mri"]),
    unmatched(
        "what else an image shows is not its fact",
        [named(mri(), "mri"), report(CT["right"], conclusion="other-cause-found")],
        ["DiagnosticReport/mri"],
    ),
    unmatched(
        "the exam that does not match",
        [named(mri(), "mri"), *NEGATIVE_EXAM],
        ["DiagnosticReport/mri", "Observation/test", "Observation/tender"],
    ),
    unmatched(
        "six facts, five references",
        [*OS_TRIGONUM, *NEGATIVE_EXAM],
        Some(
            5,
            frozenset(
                {
                    "Observation/read",
                    "DiagnosticReport/mri",
                    "DiagnosticReport/ct",
                    "Condition/problem",
                    "Observation/test",
                    "Observation/tender",
                }
            ),
        ),
    ),
    unmatched(
        "a report without an id cannot be referred to",
        [without(mri(), "id"), *NEGATIVE_EXAM],
        ["Observation/test", "Observation/tender"],
    ),
]

DRAFTS = [
    Case(
        "R8: no side recorded, none drafted",
        [*UNCHANGED, mri()],
        {R8},
        "PhaseNotImproved",
        {"InjectionBodySite": Coded(((FINDINGS, "posterior-ankle-site"), (SCT, "344001")))},
        reasons=[reason(None)],
    ),
    Case(
        "R12: the replacement names no drug",
        [],
        {R3},
        "PhaseAssessment",
        {
            "PaiNonNsaidAnalgesicRequestCode": coded(
                FINDINGS, "non-nsaid-analgesic", "Non-NSAID analgesic, clinician selects agent"
            )
        },
    ),
    # D.6: R13 critical, R12 critical, R14, R13 warning, R12 warning.
    Case(
        "the order of the checks",
        [],
        {R3},
        "PhaseAssessment",
        {
            "PaiInjectionOrderCheckCriticalPlace": "20.1",
            "PaiNsaidOrderCheckCriticalPlace": "20.2",
            "PaiSurgeryOrderCheckPlace": "20.3",
            "PaiInjectionOrderCheckWarningPlace": "20.4",
            "PaiNsaidOrderCheckWarningPlace": "20.5",
        },
    ),
]

LAST_CASES = [*GATE, *HISTORY, *REFERENCES, *DRAFTS]


# ---------------------------------------------------------------- Draft orders: the gate
def needs(id_: str, facts: list[Any], *, conditions: bool, unread: bool = True, **more: Any) -> OrderCase:
    """Whether the problems must be had before an answer (part G); they could not be read unless said otherwise."""
    return OrderCase(
        f"problems needed: {id_}",
        more.pop("drafts", [drug()]),
        facts,
        set(),
        {"GateOrderNeedsConditions": conditions},
        reasons=[],
        parameters=NO_CONDITIONS if unread else {},
    )


NEEDS = [
    needs("there are none", [], conditions=False, unread=False),
    needs("the draft says its reason", [], drafts=[drug(reasonCode=[PAI_REASON])], conditions=False),
    needs("a closed visit", [encounter(status="finished")], conditions=False),
    needs("an inpatient visit", [encounter(cls="IMP")], conditions=False),
    needs("the visit is coded for something else", [encounter(reasonCode=[DIABETES])], conditions=False),
    needs("the visit says it in words", [encounter(reasonCode=[{"text": "posterior ankle pain"}])], conditions=False),
    needs("T36 the visit has other words", [encounter(reasonCode=[{"text": "ankle problem"}])], conditions=True),
    oral(
        "no visit and no reason, no visit is needed",
        [medication(APIXABAN)],
        None,
        parameters=NO_VISIT,
        also={"GateOrderClosed": True, "GateOrderNeedsEncounters": False},
    ),
    oral(
        "no visit, the problem of the draft is none of the ankle",
        [medication(APIXABAN), named(problem(ICD, "E11.9"), "c1")],
        None,
        drafts=[drug(reasonReference=ELSEWHERE)],
        reasons=[],
        parameters=NO_VISIT,
        also={"GateOrderClosed": True},
    ),
    surgery(
        "no visit, the draft says its reason",
        [pattern()],
        fires=SURGERY,
        drafts=[service(EXCISION, reasonCode=[PAI_REASON])],
        parameters=NO_VISIT,
        also={"GateOrderClosed": False, "GateOrderNeedsEncounters": False},
    ),
    surgery(
        "no visit and no reason, problems unavailable",
        [],
        fires=None,
        reasons=[],
        parameters=NO_VISIT | NO_CONDITIONS,
        also={"GateOrderClosed": True},
    ),
    oral(
        "a visit for diabetes, unspecific reasons switched on",
        [medication(APIXABAN)],
        None,
        reasons=OTHER_REASON,
        parameters=QUESTION_ONLY,
    ),
    oral(
        "a residual class that opens no full gate, unspecific reasons switched on",
        [medication(APIXABAN)],
        NSAID_WARNING,
        reasons=[condition(ICD, "M25.871")],
        parameters=QUESTION_ONLY | {"ResidualIcdOpensGate": False},
    ),
    # GateOrder is tested for each kind of draft.
    topical("a visit for something else", [pregnant(31)], None, reasons=OTHER_REASON),
    steroid("a visit for something else", [FEVER], None, reasons=OTHER_REASON),
    steroid(
        "a drafted steroid for this ankle, deceased",
        [patient(deceasedBoolean=True), FEVER],
        None,
        drafts=[drug(TRIAMCINOLONE, reasonCode=[PAI_REASON])],
    ),
]


def unasked(id_: str, drafts: list[Resource], facts: list[Any] | None = None, **more: Any) -> OrderCase:
    """No drug and no order of R12 to R14 is drafted: nothing is asked, nothing else is needed (part G)."""
    return OrderCase(
        f"not in scope: {id_}", drafts, facts or [], set(), {"AnyDraftInScope": False, "GateOrderClosed": True}, **more
    )


SCOPE = [
    unasked("a drug of no list, for this ankle", [drug(PARACETAMOL, reasonCode=[PAI_REASON])]),
    unasked("physical therapy for this ankle", [service("308447003", system=SCT, reasonCode=[PAI_REASON])]),
    unasked("B14.5 an excision of any foot bone", [service("427396001", system=SCT, side=None)]),
    unasked("an anaesthetic without a reason", [drug(LIDOCAINE)], parameters=NO_CONDITIONS, reasons=[]),
    unasked(
        "an anaesthetic for another problem",
        [drug(LIDOCAINE, reasonReference=ELSEWHERE)],
        [named(problem(ICD, "E11.9"), "c1")],
    ),
    unasked("an injection that is not to be done", [service(STEROID, doNotPerform=True)], [FEVER]),
    # An NSAID, an injected drug and an operation are asked what belongs to them, and no more.
    steroid("a drafted steroid is no NSAID", [allergy(RXNORM, NAPROXEN)], None, drafts=STEROID_FOR_THIS),
    steroid("a drafted NSAID is no injection", [FEVER], None, drafts=[drug(reasonCode=[PAI_REASON])]),
    steroid("a drafted operation is no injection", [FEVER, pattern(), plan(180)], None, drafts=[service(EXCISION)]),
    steroid(
        "a drafted anaesthetic whose reason could not be read, and fever",
        [FEVER],
        None,
        drafts=[drug(LIDOCAINE, reasonReference=ELSEWHERE)],
        reasons=[],
        parameters=NO_VISIT | NO_CONDITIONS,
    ),
]

# ---------------------------------------------------------------- The reason and the side of a draft
DRAFT_REASONS = [
    oral(
        "the reason stands on the drug alone",
        [medication(APIXABAN)],
        NSAID_WARNING,
        reasons=OTHER_REASON,
        drafts=[drug(reasonCode=[concept(FINDINGS, "os-trigonum-syndrome")])],
        also={"DraftReasonCode": coded(FINDINGS, "os-trigonum-syndrome", "Os trigonum syndrome")},
    ),
    surgery(
        "the reason stands on the order alone",
        [],
        fires=SURGERY,
        reasons=OTHER_REASON,
        drafts=[service(EXCISION, reasonCode=[concept(FINDINGS, "posterior-ankle-impingement")])],
        also={"DraftReasonCode": coded(FINDINGS, "posterior-ankle-impingement", "Posterior ankle impingement")},
    ),
    # C.1: the side is drawn from the drafted injections and operations, and from nothing else that is drafted.
    surgery(
        "the side of a drafted operation",
        [],
        fires=SURGERY,
        drafts=[service(EXCISION, side="left")],
        also={"OrderSide": "left", "IndexSide": "left"},
    ),
    steroid(
        "physical therapy of the right is drafted too",
        [],
        None,
        drafts=[service(STEROID, side="left"), service("308447003", system=SCT, id_="therapy")],
        also={"OrderSide": "left"},
    ),
    steroid(
        "a visit for both ankles is no conflict",
        [],
        None,
        reasons=[reason("both")],
        also={"SideConflict": False, "IndexSide": "right"},
    ),
    *[
        OrderCase(
            f"R14: an injection of the right and an operation of the left, evaluated for the {side}",
            [service(STEROID), service(EXCISION, id_="left", side="left")],
            [],
            fires,
            parameters={"EvaluationSide": side},
        )
        for side, fires in (("right", set[str]()), ("left", {SURGERY}))
    ],
]

# ---------------------------------------------------------------- R12
CODES = {"SsriSnriRxNormCodes": ["36437"], "RaasAgentRxNormCodes": ["29046"], "DiureticRxNormCodes": ["5487"]}
TRIPLE = [medication("29046"), medication("5487")]
LONG = [drug(**supply(15))]

SWITCHED_OFF = [
    oral(f"{key} switched off at the site", facts, None, drafts=drafts, parameters={"NsaidSubRulesOff": [key]})
    for key, facts, drafts in (
        ("peri-cabg", [procedure(SCT, "232717009", day(5), side=None)], [drug()]),
        ("pregnancy-30", [pregnant(31)], [drug()]),
        ("nsaid-intolerance", [allergy(RXNORM, NAPROXEN, type="intolerance")], [drug()]),
        ("pregnancy-20", [pregnant(22)], [drug()]),
        ("egfr-30", [egfr(28)], [drug()]),
        ("egfr-60", [egfr(45)], LONG),
        ("heart-failure", [problem(ICD, "I50.9")], [drug()]),
        ("antiplatelet", [medication("32968")], [drug()]),
        ("systemic-steroid", [medication("8640")], [drug()]),
        ("ulcer-gi-bleed", [problem(ICD, "K25.4")], [drug()]),
        ("recent-mi", [problem(SCT, "22298006", ago=5)], [drug()]),
    )
]

KINDS = [
    oral("ACE inhibitor and diuretic, as installed", TRIPLE, None, parameters=CODES),
    oral("an allergy at age 7", [patient(age=7), allergy(RXNORM, NAPROXEN)], None),
    topical("an SSRI is not asked", [medication("36437")], None, parameters=CODES | {"NsaidSubRulesOff": []}),
    topical("ACE inhibitor and diuretic are not asked", TRIPLE, None, parameters=CODES | {"NsaidSubRulesOff": []}),
    oral(
        "oral and topical drafted, eGFR 45 and a long supply",
        [egfr(45)],
        NSAID_WARNING,
        drafts=[*LONG, drug(DICLOFENAC_GEL, id_="gel")],
        also={"HitNsaidReferences": ["MedicationRequest/drug"]},
    ),
    # Whichever of the two it is tested as, it is one draft.
    oral(
        "one draft with the codes of a tablet and of a gel",
        [allergy(RXNORM, NAPROXEN)],
        NSAID_CRITICAL,
        drafts=[drug(medicationCodeableConcept=TABLET_AND_GEL)],
        also={"HitNsaidReferences": ["MedicationRequest/drug"]},
    ),
    oral(
        "an allergy is no intolerance",
        [allergy(RXNORM, NAPROXEN, type="allergy")],
        NSAID_CRITICAL,
        also={"HasNsaidHypersensitivity": True, "HasNsaidIntolerance": False},
    ),
    oral(
        "an entry without a type is no intolerance",
        [allergy(RXNORM, NAPROXEN)],
        NSAID_CRITICAL,
        also={"HasNsaidHypersensitivity": True, "HasNsaidIntolerance": False},
    ),
    oral(
        "an intolerance of high criticality is none of the warning",
        [allergy(RXNORM, NAPROXEN, type="intolerance", criticality="high")],
        NSAID_CRITICAL,
        also={"HasNsaidHypersensitivity": True, "HasNsaidIntolerance": False},
    ),
]


@dataclass(frozen=True)
class Open:
    """The sub-rules of which it is not known whether they hold are these; part G: they count as not checked."""

    keys: frozenset[str]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, list):
            return NotImplemented
        return {rule["key"] for rule in other if rule["holds"] is None} == self.keys

    def __hash__(self) -> int:
        return hash(self.keys)


DRUGS_AND_PROBLEMS = {"anticoagulant", "antiplatelet", "systemic-steroid"}
DRUGS_ALONE = {"ssri-snri", "raas-diuretic"}
PROBLEMS_ALONE = {"hypersensitivity", "heart-failure", "ulcer-gi-bleed", "recent-mi"}


def unchecked(id_: str, facts: list[Any], keys: set[str], *unavailable: str, **more: Any) -> OrderCase:
    """A man whose kidneys work: what is not known is what the case names."""
    kidneys = [] if "safetyLabs" in unavailable else [egfr(90)]
    return OrderCase(
        f"R12 not checked: {id_}",
        [drug(reasonCode=[PAI_REASON])],
        [MAN, *kidneys, *facts],
        set(),
        {"NsaidSubRules": Open(frozenset(keys)), **more},
        reasons=[],
        parameters={"UnavailableInputs": list(unavailable)},
    )


UNCHECKED = [
    unchecked("all is known", [], set()),
    unchecked("a drug of no list", [medication("999")], DRUGS_AND_PROBLEMS | DRUGS_ALONE),
    unchecked("medication requests", [], DRUGS_AND_PROBLEMS | DRUGS_ALONE, "medicationRequests"),
    unchecked("medication statements", [], DRUGS_AND_PROBLEMS | DRUGS_ALONE, "medicationStatements"),
    unchecked("problems", [], DRUGS_AND_PROBLEMS | PROBLEMS_ALONE, "conditions"),
    unchecked("allergies", [], {"hypersensitivity", "nsaid-intolerance"}, "allergies"),
    unchecked("procedures", [], {"peri-cabg"}, "procedures"),
    unchecked("orders", [], {"peri-cabg"}, "serviceRequests"),
    unchecked("kidney values", [], {"egfr-30", "egfr-60"}, "safetyLabs", IsEgfrBelowStop=None, IsEgfrBelowCaution=None),
]


def supplied(amount: float, unit: str, *, fires: bool, longest: int = 14, **part: Any) -> OrderCase:
    """An eGFR of 45: a supply of more days than `longest` is a warning (egfr-60)."""
    given = part or {"unit": unit}
    return oral(
        f"eGFR 45, a supply of {amount} {unit}, {longest} days allowed",
        [egfr(45)],
        NSAID_WARNING if fires else None,
        drafts=[drug(dispenseRequest={"expectedSupplyDuration": {"value": amount, **given}})],
        parameters={"ProlongedNsaidDays": longest},
        also={"IsProlonged": fires},
    )


# A unit may come as words alone. A month has at least 28 days: only what is then longer is known to be longer.
SUPPLIES = [
    *[
        supplied(amount, unit, fires=fires)
        for unit, amounts in (
            ("day", ((14, False), (15, True))),
            ("days", ((14, False), (15, True))),
            ("d", ((14, False), (15, True))),
            ("week", ((2, False), (3, True))),
            ("weeks", ((2, False), (3, True))),
            ("wk", ((2, False), (3, True))),
            ("month", ((0.5, False), (1, True))),
            ("months", ((0.5, False), (1, True))),
            ("mo", ((0.5, False), (1, True))),
            ("year", ((0.01, False), (1, True))),
            ("years", ((0.01, False), (1, True))),
            ("a", ((0.01, False), (1, True))),
        )
        for amount, fires in amounts
    ],
    supplied(2, "weeks", fires=True, longest=13),
    supplied(1, "month", fires=True, longest=27),
    supplied(1, "month", fires=False, longest=28),
    supplied(1, "year", fires=True, longest=364),
    supplied(1, "year", fires=False, longest=365),
]

# ---------------------------------------------------------------- R13 and R14
CHECKED = [
    # Steroid drafts are steroid codes and generic injection codes; a generic code of an image is neither.
    steroid(
        "B13.3 an anaesthetic injection that is coded as an X-ray too",
        [procedure(FINDINGS, STEROID, day(10))],
        None,
        drafts=[service(ANAESTHETIC) | {"code": ANAESTHETIC_AND_XRAY}],
        also={"IsInjectionDrafted": True, "IsSteroidDrafted": False},
    ),
    steroid("physical therapy ordered is no surgery", [order(SCT, "308447003")], None, also={"SurgeryPlanned": False}),
    steroid("surgery that is not to be done", [order(FINDINGS, EXCISION, doNotPerform=True)], None),
    steroid(
        "the drafted operation has the status of an order",
        [],
        SURGERY,
        drafts=[service(STEROID), service(EXCISION, id_="excision", status="active")],
        also={"SurgeryPlanned": False},
    ),
    # E.0: an expression that ends in Applies is never null.
    *[
        steroid(
            f"{key} unavailable: the rule says no, not unknown",
            [],
            None,
            parameters={"UnavailableInputs": [key]},
            also={"PaiInjectionOrderCheckApplies": False, "InjectionWarning": False},
        )
        for key in ("procedures", "serviceRequests")
    ],
    surgery(
        "findings unavailable, a plan on record: the rule says no, not unknown",
        [order(SCT, "308447003", ago=60)],
        fires=None,
        parameters={"UnavailableInputs": ["findings"]},
        also={"PaiSurgeryOrderCheckApplies": False, "OfferExamForm": False},
    ),
]

LAST_ORDER_CASES = [*NEEDS, *SCOPE, *DRAFT_REASONS, *SWITCHED_OFF, *KINDS, *UNCHECKED, *SUPPLIES, *CHECKED]
