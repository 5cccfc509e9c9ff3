"""Cases for the checks of draft orders (R12, R13, R14), on top of BASE: what is drafted, what is recorded, what fires.

`T..` and `B..` are tests of the clinical specification; the others take one sub-rule, window, side or status each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cases_mutants import problem, statement
from charts import (
    FINDINGS,
    ICD,
    RXNORM,
    SCT,
    Resource,
    allergy,
    concept,
    condition,
    day,
    egfr,
    encounter,
    item,
    medication,
    order,
    patient,
    pattern,
    plan,
    pregnant,
    procedure,
    reason,
)

NSAID_CRITICAL = "PaiNsaidOrderCheckCritical"
NSAID_WARNING = "PaiNsaidOrderCheckWarning"
INJECTION_CRITICAL = "PaiInjectionOrderCheckCritical"
INJECTION_WARNING = "PaiInjectionOrderCheckWarning"
SURGERY = "PaiSurgeryOrderCheck"
CHECKS = (NSAID_CRITICAL, NSAID_WARNING, INJECTION_CRITICAL, INJECTION_WARNING, SURGERY)

PAI_REASON = concept(FINDINGS, "posterior-ankle-pain")
OTHER_REASON = [condition(ICD, "E11.9")]
IBUPROFEN, NAPROXEN, APIXABAN, ASPIRIN = "5640", "7258", "1364430", "1191"
DICLOFENAC_GEL, TRIAMCINOLONE, LIDOCAINE = "855633", "10759", "6387"
EXCISION, RELEASE, STEROID, ANAESTHETIC = (
    "os-trigonum-excision-arthroscopic",
    "fhl-release",
    "anaesthetic-steroid-injection",
    "diagnostic-anaesthetic-injection",
)
MAN = patient(gender="male")
NEGATIVE = [item("forced-plantarflexion-test", "negative"), item("posterior-tenderness-site", "none-of-these")]
ELITE = [item("sport-level", "elite", side=None), item("can-reduce-activity", "no", side=None)]


@dataclass
class OrderCase:
    """One fixture: the facts and drafts on top of BASE, and which checks fire."""

    id: str
    drafts: list[Resource]
    facts: list[Any]
    fires: set[str]
    also: dict[str, Any] = field(default_factory=dict)
    reasons: list[Resource] | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


def drug(code: str = IBUPROFEN, *, id_: str = "drug", system: str = RXNORM, **other: Any) -> Resource:
    return medication(code, system=system, **{"status": "draft", "id": id_, **other})


def service(
    code: str, *, id_: str = "service", system: str = FINDINGS, side: str | None = "right", **other: Any
) -> Resource:
    return order(system, code, side=side, ago=None, **{"status": "draft", "id": id_, **other})


def supply(value: float, code: str | None = "d", **other: Any) -> Resource:
    """What a drafted drug says of how long it lasts."""
    unit = {"code": code, "system": "http://unitsofmeasure.org"} if code else {}
    return {"dispenseRequest": {"expectedSupplyDuration": {"value": value, **unit}, **other}}


def pregnancy_problem(code: str, system: str = SCT) -> Resource:
    return problem(system, code, ago=10)


def oral(id_: str, facts: list[Any], fires: str | None, **more: Any) -> OrderCase:
    """An oral NSAID is drafted for a visit about the ankle."""
    return OrderCase(f"R12 oral: {id_}", more.pop("drafts", [drug()]), facts, {fires} if fires else set(), **more)


def topical(id_: str, facts: list[Any], fires: str | None, **more: Any) -> OrderCase:
    return OrderCase(f"R12 topical: {id_}", [drug(DICLOFENAC_GEL)], facts, {fires} if fires else set(), **more)


def steroid(id_: str, facts: list[Any], fires: str | None, **more: Any) -> OrderCase:
    """A steroid injection of the right ankle is drafted."""
    return OrderCase(f"R13: {id_}", more.pop("drafts", [service(STEROID)]), facts, {fires} if fires else set(), **more)


def surgery(id_: str, facts: list[Any], *, fires: str | None, **more: Any) -> OrderCase:
    """An excision of the right ankle is drafted."""
    return OrderCase(f"R14: {id_}", more.pop("drafts", [service(EXCISION)]), facts, {fires} if fires else set(), **more)


def planned(ahead: int | None, **other: Any) -> Resource:
    when = {} if ahead is None else {"occurrenceDateTime": day(-ahead)}
    return order(FINDINGS, EXCISION, ago=3, **{**when, **other})


REFERS = {"reasonReference": [{"reference": "Condition/elsewhere"}]}
OFF = {"NsaidSubRulesOff": []}
SSRI = {"NsaidSubRulesOff": [], "SsriSnriRxNormCodes": ["36437"]}
TRIPLE = {"NsaidSubRulesOff": [], "RaasAgentRxNormCodes": ["29046"], "DiureticRxNormCodes": ["5487"]}

ALLERGIES = [
    oral(
        "T59 naproxen allergy",
        [allergy(RXNORM, NAPROXEN, type="allergy")],
        NSAID_CRITICAL,
        also={"OfferTopicalReplacement": False},
    ),
    oral(
        "T60 naproxen intolerance of low criticality",
        [allergy(RXNORM, NAPROXEN, type="intolerance", criticality="low")],
        NSAID_WARNING,
        also={"OfferTopicalReplacement": False},
    ),
    oral("an entry without a type counts as an allergy", [allergy(RXNORM, ASPIRIN)], NSAID_CRITICAL),
    oral(
        "an intolerance of high criticality counts as an allergy",
        [allergy(RXNORM, ASPIRIN, type="intolerance", criticality="high")],
        NSAID_CRITICAL,
    ),
    oral(
        "an intolerance without a criticality is a warning",
        [allergy(RXNORM, ASPIRIN, type="intolerance")],
        NSAID_WARNING,
    ),
    oral("the class is an NSAID allergy", [allergy(SCT, "372665008")], NSAID_CRITICAL),
    oral(
        "a refuted allergy is none",
        [
            allergy(
                RXNORM,
                NAPROXEN,
                verificationStatus=concept(
                    "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "refuted"
                ),
            )
        ],
        None,
    ),
    oral(
        "an allergy to something else is none",
        [allergy(RXNORM, TRIAMCINOLONE)],
        None,
        also={"HasNsaidHypersensitivity": False},
    ),
    oral("no known drug allergy", [allergy(SCT, "409137002")], None, also={"HasNsaidHypersensitivity": False}),
    oral("asthma from aspirin", [problem(SCT, "407674008")], NSAID_CRITICAL, also={"OfferTopicalReplacement": False}),
    oral(
        "T58 allergies unavailable",
        [],
        None,
        also={"HasNsaidHypersensitivity": None, "HasNsaidIntolerance": None},
        parameters={"UnavailableInputs": ["allergies"]},
    ),
    oral(
        "the aspirin problem is not known when problems are unavailable",
        [],
        None,
        also={"HasNsaidHypersensitivity": None},
        reasons=[],
        drafts=[drug(reasonCode=[PAI_REASON])],
        parameters={"UnavailableInputs": ["conditions"]},
    ),
    oral(
        "hypersensitivity switched off at the site",
        [allergy(RXNORM, NAPROXEN)],
        None,
        parameters={"NsaidSubRulesOff": ["hypersensitivity"]},
    ),
    topical("an allergy is critical here too", [allergy(RXNORM, NAPROXEN)], NSAID_CRITICAL),
    topical("an intolerance is a warning here too", [allergy(RXNORM, NAPROXEN, type="intolerance")], NSAID_WARNING),
]

PREGNANCY = [
    oral("T06 week 31", [pregnant(31)], NSAID_CRITICAL, also={"OfferTopicalReplacement": False}),
    oral("B12.1 week 30", [pregnant(30)], NSAID_CRITICAL),
    oral("B12.1 week 29", [pregnant(29)], NSAID_WARNING, also={"OfferTopicalReplacement": False}),
    oral("week 20", [pregnant(20)], NSAID_WARNING),
    oral(
        "week 19 says nothing", [pregnant(19)], None, also={"IsPregnantWithCaution": False, "IsPregnantFromStop": False}
    ),
    oral(
        "B12.1 pregnant, week unknown",
        [pregnant(None)],
        NSAID_WARNING,
        also={"IsPregnantFromStop": None, "OfferTopicalReplacement": False},
    ),
    oral("third trimester, week unknown", [pregnancy_problem("41587001")], NSAID_CRITICAL),
    oral("whether pregnant is not known", [], None, also={"IsPregnantFromStop": None, "IsPregnantWithCaution": None}),
    oral("a man", [MAN], None, also={"IsPregnantFromStop": False, "IsPregnantWithCaution": False}),
    topical("week 30", [pregnant(30)], NSAID_CRITICAL),
    topical("week 20", [pregnant(20)], NSAID_WARNING),
    oral("the week of stopping is a parameter", [pregnant(29)], NSAID_CRITICAL, parameters={"PregnancyStopWeeks": 29}),
    oral("the week of caution is a parameter", [pregnant(19)], NSAID_WARNING, parameters={"PregnancyCautionWeeks": 19}),
]

KIDNEY = [
    oral(
        "B12.2 eGFR 29.9", [egfr(29.9)], NSAID_WARNING, also={"IsEgfrBelowStop": True, "OfferTopicalReplacement": False}
    ),
    oral("eGFR 30 without a length of supply", [egfr(30)], None, also={"IsEgfrBelowStop": False, "IsProlonged": None}),
    oral("B12.2 eGFR 45, ten days", [egfr(45)], None, drafts=[drug(**supply(10))], also={"IsProlonged": False}),
    oral("eGFR 45, 14 days", [egfr(45)], None, drafts=[drug(**supply(14))]),
    oral("B12.2 eGFR 45, 15 days", [egfr(45)], NSAID_WARNING, drafts=[drug(**supply(15))]),
    oral("eGFR 45, two weeks", [egfr(45)], None, drafts=[drug(**supply(2, "wk"))]),
    oral("eGFR 45, three weeks", [egfr(45)], NSAID_WARNING, drafts=[drug(**supply(3, "wk"))]),
    oral("eGFR 45, one month", [egfr(45)], NSAID_WARNING, drafts=[drug(**supply(1, "mo"))]),
    oral("eGFR 45, one year", [egfr(45)], NSAID_WARNING, drafts=[drug(**supply(1, "a"))]),
    oral(
        "eGFR 45, a supply in no unit of time",
        [egfr(45)],
        None,
        drafts=[drug(**supply(90, "mg"))],
        also={"IsProlonged": None},
    ),
    oral("eGFR 45, a repeat", [egfr(45)], NSAID_WARNING, drafts=[drug(**supply(5, numberOfRepeatsAllowed=1))]),
    oral("eGFR 45, no repeat", [egfr(45)], None, drafts=[drug(**supply(5, numberOfRepeatsAllowed=0))]),
    oral("eGFR 60, fifteen days", [egfr(60)], None, drafts=[drug(**supply(15))], also={"IsEgfrBelowCaution": False}),
    oral("no eGFR found", [], None, also={"IsEgfrBelowStop": None, "IsEgfrBelowCaution": None}),
    oral(
        "the longest supply is a parameter",
        [egfr(45)],
        NSAID_WARNING,
        drafts=[drug(**supply(10))],
        parameters={"ProlongedNsaidDays": 9},
    ),
    topical("eGFR is not asked", [egfr(20)], None),
]

CABG = [
    oral(
        "B12.3 coronary bypass 30 days ago",
        [procedure(SCT, "232717009", day(30), side=None)],
        NSAID_CRITICAL,
        also={"OfferTopicalReplacement": False},
    ),
    oral("B12.3 coronary bypass 31 days ago", [procedure(SCT, "232717009", day(31), side=None)], None),
    oral("B12.3 coronary bypass without a date", [procedure(SCT, "232717009", None, side=None)], None),
    oral(
        "coronary bypass in 30 days", [order(SCT, "232717009", side=None, occurrenceDateTime=day(-30))], NSAID_CRITICAL
    ),
    oral("coronary bypass in 31 days", [order(SCT, "232717009", side=None, occurrenceDateTime=day(-31))], None),
    oral(
        "procedures unavailable",
        [],
        None,
        also={"Cabg": None, "OfferTopicalReplacement": False},
        parameters={"UnavailableInputs": ["procedures"]},
    ),
    topical("coronary bypass is asked here too", [procedure(SCT, "232717009", day(5), side=None)], NSAID_CRITICAL),
]

DRUGS = [
    oral(
        "T11 apixaban",
        [medication(APIXABAN)],
        NSAID_WARNING,
        drafts=[drug(NAPROXEN)],
        also={"OfferTopicalReplacement": True},
    ),
    oral("T57 no risk", [], None, drafts=[drug(NAPROXEN)]),
    oral("an anticoagulant on the problem list", [problem(ICD, "Z79.01")], NSAID_WARNING),
    oral("apixaban in the medication list", [statement(APIXABAN)], NSAID_WARNING),
    oral("apixaban stopped", [medication(APIXABAN, status="stopped")], None),
    oral("an antiplatelet", [medication("32968")], NSAID_WARNING),
    oral("an antiplatelet on the problem list", [problem(ICD, "Z79.02")], NSAID_WARNING),
    oral("a systemic steroid", [medication("8640")], NSAID_WARNING),
    oral("a systemic steroid on the problem list", [problem(ICD, "Z79.52")], NSAID_WARNING),
    oral("an SSRI of the site", [medication("36437")], NSAID_WARNING, parameters=SSRI),
    oral("an SSRI, the sub-rule off", [medication("36437")], None, parameters={"SsriSnriRxNormCodes": ["36437"]}),
    oral(
        "ACE inhibitor and diuretic of the site",
        [medication("29046"), medication("5487")],
        NSAID_WARNING,
        parameters=TRIPLE,
    ),
    oral("ACE inhibitor alone", [medication("29046")], None, parameters=TRIPLE),
    oral("diuretic alone", [medication("5487")], None, parameters=TRIPLE),
    oral(
        "ACE inhibitor and diuretic, the sub-rule off",
        [medication("29046"), medication("5487")],
        None,
        parameters={**TRIPLE, "NsaidSubRulesOff": ["raas-diuretic"]},
    ),
    oral(
        "anticoagulant switched off", [medication(APIXABAN)], None, parameters={"NsaidSubRulesOff": ["anticoagulant"]}
    ),
    oral(
        "an unclassified drug leaves the drug list unknown",
        [medication("999")],
        None,
        also={"UnclassifiedMedication": True},
    ),
    topical("drugs are not asked", [medication(APIXABAN), medication("8640"), medication("32968")], None),
    oral(
        "the draft itself is no current drug",
        [],
        None,
        drafts=[drug(id_="drug", status="active")],
        also={"OnAnticoagulant": False, "UnclassifiedMedication": False},
    ),
]

PROBLEMS = [
    oral("heart failure", [problem(ICD, "I50.9")], NSAID_WARNING),
    oral("resolved heart failure", [problem(ICD, "I50.9", clinical="resolved")], None),
    oral("T81 ulcer", [problem(ICD, "K25.4")], NSAID_WARNING),
    oral("a resolved ulcer counts", [problem(ICD, "K25.4", clinical="resolved")], NSAID_WARNING),
    oral("a heart attack 365 days ago", [problem(SCT, "22298006", ago=365)], NSAID_WARNING),
    oral("a heart attack 366 days ago", [problem(SCT, "22298006", ago=366)], None),
    oral("age 65", [patient(age=65)], NSAID_WARNING),
    oral("age 64", [patient(age=64)], None),
    oral("B12.4 age 70, the sub-rule off", [patient(age=70)], None, parameters={"NsaidSubRulesOff": ["age-65"]}),
    oral(
        "age unknown is not old",
        [patient(age=None), medication(APIXABAN)],
        NSAID_WARNING,
        also={"OfferTopicalReplacement": False},
    ),
    oral(
        "age 17 gets no topical suggestion",
        [patient(age=17), medication(APIXABAN)],
        NSAID_WARNING,
        also={"OfferTopicalReplacement": False},
    ),
    oral("age 7 is below the guideline", [patient(age=7), medication(APIXABAN)], None),
    oral("age 8 is not", [patient(age=8), medication(APIXABAN)], NSAID_WARNING),
    topical(
        "problems are not asked",
        [problem(ICD, "I50.9"), problem(ICD, "K25.4"), problem(SCT, "22298006", ago=5), patient(age=70)],
        None,
    ),
    oral(
        "a critical and a warning reason give the critical card",
        [allergy(RXNORM, NAPROXEN), medication(APIXABAN)],
        NSAID_CRITICAL,
    ),
    oral(
        "a user who cannot order gets no buttons",
        [medication(APIXABAN)],
        NSAID_WARNING,
        also={"OfferTopicalReplacement": False, "OfferAnalgesicReplacement": False},
        parameters={"UserRoleCodes": ["ma"], "NonPrescriberRoleCodes": ["ma"]},
    ),
]

SCOPE = [
    oral(
        "T62 neither visit nor draft about the ankle",
        [medication(APIXABAN)],
        None,
        reasons=OTHER_REASON,
        also={"GateOrderClosed": False, "GateOrderNeedsEncounters": True},
    ),
    oral(
        "the draft says its reason",
        [medication(APIXABAN)],
        NSAID_WARNING,
        reasons=OTHER_REASON,
        drafts=[drug(reasonCode=[PAI_REASON])],
        also={"GateOrderNeedsEncounters": False, "GateOrderNeedsConditions": False},
    ),
    oral(
        "the draft says another reason",
        [medication(APIXABAN)],
        None,
        reasons=OTHER_REASON,
        drafts=[drug(reasonCode=[concept(ICD, "M54.5")])],
    ),
    oral(
        "a closed visit, the draft says its reason",
        [encounter(status="finished"), medication(APIXABAN)],
        NSAID_WARNING,
        drafts=[drug(reasonCode=[PAI_REASON])],
    ),
    oral("a closed visit", [encounter(status="finished"), medication(APIXABAN)], None),
    oral("an inpatient visit", [encounter(cls="IMP"), medication(APIXABAN)], None),
    oral(
        "no visit, the draft says its reason",
        [medication(APIXABAN)],
        NSAID_WARNING,
        drafts=[drug(reasonCode=[PAI_REASON])],
        parameters={"EncounterId": None},
        also={"GateOrderClosed": False, "GateOrderNeedsEncounters": False},
    ),
    oral(
        "no visit and no reason",
        [medication(APIXABAN)],
        None,
        parameters={"EncounterId": None},
        also={"GateOrderClosed": True},
    ),
    oral(
        "deceased",
        [patient(deceasedBoolean=True), medication(APIXABAN)],
        None,
        drafts=[drug(reasonCode=[PAI_REASON])],
        also={"GateOrderClosed": True},
    ),
    oral(
        "not a draft of this call",
        [medication(APIXABAN), medication(IBUPROFEN, status="draft")],
        None,
        drafts=[service("physical-therapy")],
        also={"GateOrderClosed": True, "GateOrderNeedsPatient": False},
    ),
    oral(
        "a drug that is not to be taken",
        [medication(APIXABAN)],
        None,
        drafts=[drug(doNotPerform=True)],
        also={"AnyDraftInScope": False},
    ),
    oral("aspirin is no NSAID draft", [medication(APIXABAN)], None, drafts=[drug(ASPIRIN)]),
    oral("the class is tested as oral", [medication(APIXABAN)], NSAID_WARNING, drafts=[drug("372665008", system=SCT)]),
    OrderCase(
        "R12: the local topical code is tested as topical",
        [drug("topical-nsaid", system=FINDINGS)],
        [medication(APIXABAN)],
        set(),
    ),
    OrderCase(
        "R12: oral and topical drafted, an oral sub-rule",
        [drug(), drug(DICLOFENAC_GEL, id_="gel")],
        [medication(APIXABAN)],
        {NSAID_WARNING},
        {"HitNsaidReferences": ["MedicationRequest/drug"], "OfferTopicalReplacement": False},
    ),
    OrderCase(
        "R12: oral and topical drafted, a sub-rule of both",
        [drug(), drug(DICLOFENAC_GEL, id_="gel")],
        [pregnant(31)],
        {NSAID_CRITICAL},
        {"HitNsaidReferences": ["MedicationRequest/drug", "MedicationRequest/gel"]},
    ),
    oral(
        "the reason is a problem of the record",
        [medication(APIXABAN), {**problem(FINDINGS, "posterior-ankle-impingement"), "id": "c1"}],
        NSAID_WARNING,
        reasons=OTHER_REASON,
        drafts=[drug(reasonReference=[{"reference": "Condition/c1"}])],
    ),
    oral(
        "the reason is a problem that could not be read",
        [],
        None,
        reasons=[],
        drafts=[drug(reasonReference=[{"reference": "Condition/c1"}])],
        parameters={"EncounterId": None, "UnavailableInputs": ["conditions"]},
        also={"GateOrderClosed": False, "GateOrderNeedsConditions": True},
    ),
    oral(
        "problems unavailable, the visit says no reason",
        [],
        None,
        reasons=[],
        parameters={"UnavailableInputs": ["conditions"]},
        also={"GateOrderNeedsConditions": True},
    ),
    oral(
        "problems unavailable, the visit says its reason",
        [encounter(reasonCode=[PAI_REASON]), medication(APIXABAN)],
        NSAID_WARNING,
        reasons=[],
        parameters={"UnavailableInputs": ["conditions"]},
        also={"GateOrderNeedsConditions": False},
    ),
    oral(
        "an unspecific reason and posterior pain recorded",
        [item("pain-location", "posterior-midline"), medication(APIXABAN)],
        NSAID_WARNING,
        reasons=[condition(ICD, "M25.571")],
    ),
    oral("an unspecific reason alone", [medication(APIXABAN)], None, reasons=[condition(ICD, "M25.571")]),
    oral(
        "an unspecific reason, switched on",
        [medication(APIXABAN)],
        NSAID_WARNING,
        reasons=[condition(ICD, "M25.571")],
        parameters={"NonSpecificReasonEnabled": True},
    ),
]

INJECTIONS = [
    steroid(
        "T67 cellulitis of the ankle",
        [problem(SCT, "24288004", side="right")],
        INJECTION_CRITICAL,
        also={"OrderSide": "right", "HitInjectionReferences": ["ServiceRequest/service"]},
    ),
    steroid("cellulitis of the other ankle", [problem(SCT, "24288004", side="left")], None),
    steroid("T79 draft right, visit and cellulitis left", [problem(ICD, "L03.116")], None, reasons=[reason("left")]),
    steroid(
        "T79 draft left, visit and cellulitis left",
        [problem(ICD, "L03.116")],
        INJECTION_CRITICAL,
        reasons=[reason("left")],
        drafts=[service(STEROID, side="left")],
    ),
    steroid(
        "draft and cellulitis right, visit left",
        [problem(ICD, "L03.115")],
        INJECTION_CRITICAL,
        reasons=[reason("left")],
    ),
    steroid("resolved cellulitis", [problem(SCT, "24288004", side="right", clinical="resolved")], None),
    steroid(
        "B13.4 fever 14 days ago", [item("fever-or-systemic-illness", "yes", side=None, ago=14)], INJECTION_CRITICAL
    ),
    steroid("B13.4 fever 15 days ago", [item("fever-or-systemic-illness", "yes", side=None, ago=15)], None),
    steroid("fever denied", [item("fever-or-systemic-illness", "no", side=None)], None, also={"InfectionSign": None}),
    steroid("hot joint 14 days ago", [item("hot-swollen-joint", "yes", ago=14)], INJECTION_CRITICAL),
    steroid("hot joint of the other ankle", [item("hot-swollen-joint", "yes", side="left")], None),
    steroid("skin infection", [item("skin-infection-near-site", "yes")], INJECTION_CRITICAL),
    steroid("skin infection 15 days ago", [item("skin-infection-near-site", "yes", ago=15)], None),
    steroid("allergy to a steroid", [allergy(RXNORM, TRIAMCINOLONE)], INJECTION_CRITICAL),
    steroid("allergy to a local anaesthetic", [allergy(RXNORM, LIDOCAINE)], INJECTION_CRITICAL),
    steroid(
        "allergy to an anaesthetic, an anaesthetic draft",
        [allergy(RXNORM, LIDOCAINE)],
        INJECTION_CRITICAL,
        drafts=[service(ANAESTHETIC)],
    ),
    steroid(
        "allergy to a steroid, an anaesthetic draft",
        [allergy(RXNORM, TRIAMCINOLONE)],
        INJECTION_CRITICAL,
        drafts=[service(ANAESTHETIC)],
    ),
    steroid("allergy to an NSAID", [allergy(RXNORM, NAPROXEN)], None),
    steroid("T10 apixaban", [medication(APIXABAN)], None),
    steroid("T12 type 2 diabetes", [problem(SCT, "44054006")], None),
    steroid("pregnancy alone", [pregnant(31)], None),
    steroid("a minor alone", [patient(age=16)], None),
    steroid("age 7", [patient(age=7), problem(SCT, "24288004", side="right")], None),
    steroid("B13.1 a steroid 90 days ago", [procedure(FINDINGS, STEROID, day(90))], INJECTION_WARNING),
    steroid("B13.1 a steroid 91 days ago", [procedure(FINDINGS, STEROID, day(91))], None),
    steroid("a steroid without a date", [procedure(FINDINGS, STEROID, None)], INJECTION_WARNING),
    steroid("T68 a steroid of the other ankle", [procedure(FINDINGS, STEROID, day(20), side="left")], None),
    steroid("an anaesthetic injection 20 days ago", [procedure(FINDINGS, ANAESTHETIC, day(20))], None),
    steroid("a steroid injection that was not done", [procedure(FINDINGS, STEROID, day(20), status="not-done")], None),
    steroid(
        "B13.3 an anaesthetic draft, a steroid 10 days ago",
        [procedure(FINDINGS, STEROID, day(10))],
        None,
        drafts=[service(ANAESTHETIC)],
        also={"IsSteroidDrafted": False},
    ),
    steroid(
        "a generic code may be a steroid",
        [procedure(FINDINGS, STEROID, day(10))],
        INJECTION_WARNING,
        drafts=[service("431864000", system=SCT)],
    ),
    steroid(
        "a generic code without the ankle",
        [problem(SCT, "24288004", side="right")],
        None,
        drafts=[service("431864000", system=SCT, side=None)],
        also={"AnyDraftInScope": False},
    ),
    steroid("B13.2 surgery in 90 days", [planned(90)], INJECTION_WARNING),
    steroid("B13.2 surgery in 91 days", [planned(91)], None),
    steroid("surgery today", [planned(0)], INJECTION_WARNING),
    steroid("surgery yesterday", [planned(-1)], None),
    steroid("B13.2 surgery without a date", [planned(None)], INJECTION_WARNING),
    steroid("surgery of the other ankle", [planned(30, side="left")], None),
    steroid("surgery completed", [planned(None, status="completed")], None),
    steroid("surgery on hold", [planned(30, status="on-hold")], INJECTION_WARNING),
    steroid(
        "surgery is drafted, not planned",
        [],
        SURGERY,
        drafts=[service(STEROID), service(EXCISION, id_="excision", occurrenceDateTime=day(-30))],
        also={"SurgeryPlanned": False},
    ),
    steroid("surgery planned, an anaesthetic draft", [planned(30)], None, drafts=[service(ANAESTHETIC)]),
    steroid(
        "both levels give the critical card", [planned(30), problem(SCT, "24288004", side="right")], INJECTION_CRITICAL
    ),
    steroid(
        "a drafted steroid for this ankle",
        [item("fever-or-systemic-illness", "yes", side=None)],
        INJECTION_CRITICAL,
        drafts=[drug(TRIAMCINOLONE, reasonCode=[PAI_REASON])],
        also={"HitInjectionReferences": ["MedicationRequest/drug"]},
    ),
    steroid(
        "a drafted steroid for something else",
        [item("fever-or-systemic-illness", "yes", side=None)],
        None,
        drafts=[drug(TRIAMCINOLONE)],
    ),
    steroid(
        "a drafted anaesthetic for something else asks for nothing",
        [],
        None,
        drafts=[drug(LIDOCAINE)],
        also={"AnyDraftInScope": False, "GateOrderClosed": True},
    ),
    steroid(
        "a drafted anaesthetic whose reason could not be read",
        [],
        None,
        reasons=[],
        drafts=[drug(LIDOCAINE, reasonReference=[{"reference": "Condition/c1"}])],
        parameters={"UnavailableInputs": ["conditions"]},
        also={"GateOrderClosed": False, "GateOrderNeedsConditions": True},
    ),
    steroid(
        "a drafted steroid, a steroid 10 days ago",
        [procedure(FINDINGS, STEROID, day(10))],
        INJECTION_WARNING,
        drafts=[drug(TRIAMCINOLONE, reasonCode=[PAI_REASON])],
    ),
    steroid(
        "a drafted anaesthetic, a steroid 10 days ago",
        [procedure(FINDINGS, STEROID, day(10))],
        None,
        drafts=[drug(LIDOCAINE, reasonCode=[PAI_REASON])],
    ),
    steroid(
        "procedures unavailable",
        [],
        None,
        also={"SteroidInjectionRecent": None},
        parameters={"UnavailableInputs": ["procedures"]},
    ),
    steroid(
        "orders unavailable",
        [],
        None,
        also={"SurgeryPlanned": None},
        parameters={"UnavailableInputs": ["serviceRequests"]},
    ),
    *[
        steroid(
            f"surgery planned for a problem: {name}",
            [{**order(SCT, "427396001", ago=3, side=None), **other}],
            None,
            also={"SurgeryPlanned": expected},
            parameters=given,
        )
        for name, other, given, expected in (
            ("the problems not read", REFERS, {"UnavailableInputs": ["conditions"]}, None),
            ("the problems read", REFERS, {}, False),
            ("for no reason", {}, {"UnavailableInputs": ["conditions"]}, False),
            ("on hold", {"status": "on-hold", **REFERS}, {"UnavailableInputs": ["conditions"]}, None),
            ("revoked", {"status": "revoked", **REFERS}, {"UnavailableInputs": ["conditions"]}, False),
            ("not to be done", {"doNotPerform": True, **REFERS}, {"UnavailableInputs": ["conditions"]}, False),
            (
                "no operation",
                {"code": concept(SCT, "77477000"), **REFERS},
                {"UnavailableInputs": ["conditions"]},
                False,
            ),
        )
    ],
    steroid(
        "surgery for a problem that was not read is drafted, not planned",
        [],
        None,
        drafts=[service(STEROID), service("427396001", id_="excision", system=SCT, side=None, **REFERS)],
        also={"SurgeryPlanned": False},
        parameters={"UnavailableInputs": ["conditions"]},
    ),
    steroid(
        "a warning defers steroid drafts alone",
        [procedure(FINDINGS, STEROID, day(10))],
        INJECTION_WARNING,
        drafts=[service(ANAESTHETIC, id_="block"), service(STEROID)],
        also={"HitInjectionReferences": ["ServiceRequest/service"]},
    ),
    steroid(
        "both ankles drafted: no side of its own",
        [],
        None,
        drafts=[service(STEROID), service(STEROID, id_="left", side="left")],
        also={"OrderSide": "both", "IndexSide": None},
    ),
    steroid(
        "both ankles drafted, evaluated for the left",
        [problem(ICD, "L03.116")],
        INJECTION_CRITICAL,
        drafts=[service(STEROID), service(STEROID, id_="left", side="left")],
        parameters={"EvaluationSide": "left"},
        also={"HitInjectionReferences": ["ServiceRequest/left"]},
    ),
    steroid(
        "both ankles drafted, evaluated for the right",
        [problem(ICD, "L03.116")],
        None,
        drafts=[service(STEROID), service(STEROID, id_="left", side="left")],
        parameters={"EvaluationSide": "right"},
    ),
]

SURGERIES = [
    surgery("T63 no plan", [pattern()], fires=SURGERY, also={"OfferTrialForm": True, "OfferExamForm": False}),
    surgery("T64 plan of 180 days", [pattern(), plan(180)], fires=None),
    surgery(
        "T65 plan, exam negative",
        [plan(180), NEGATIVE],
        fires=SURGERY,
        also={"OfferTrialForm": False, "OfferExamForm": True},
    ),
    surgery("B14.1 plan of 6 weeks", [pattern(), plan(42)], fires=None),
    surgery("B14.1 plan of 41 days", [pattern(), plan(41)], fires=SURGERY),
    surgery("B14.2 elite who cannot reduce, exam supports", [pattern(), ELITE], fires=None),
    surgery(
        "B14.2 elite who cannot reduce, no exam",
        [ELITE],
        fires=SURGERY,
        also={"OfferTrialForm": False, "OfferExamForm": True},
    ),
    surgery(
        "elite who can reduce", [pattern(), ELITE[0], item("can-reduce-activity", "yes", side=None)], fires=SURGERY
    ),
    surgery("elite, whether it can be reduced not known", [pattern(), ELITE[0]], fires=SURGERY),
    surgery("B14.3 a draft referral", [], fires=None, drafts=[service("308481009", system=SCT)]),
    surgery(
        "B14.4 test negative, tender",
        [plan(180), item("forced-plantarflexion-test", "negative"), item("posterior-tenderness-site", "posteromedial")],
        fires=None,
    ),
    surgery(
        "test negative, tenderness not known",
        [plan(180), item("forced-plantarflexion-test", "negative")],
        fires=None,
        also={"NoMatchingExam": False},
    ),
    surgery(
        "B14.5 a generic code without ankle or reason",
        [],
        fires=None,
        drafts=[service("427396001", system=SCT, side=None)],
    ),
    surgery(
        "a generic code whose reason could not be read",
        [],
        fires=None,
        reasons=[],
        drafts=[service("427396001", system=SCT, side=None, reasonReference=[{"reference": "Condition/c1"}])],
        parameters={"EncounterId": None, "UnavailableInputs": ["conditions"]},
        also={"GateOrderClosed": False, "GateOrderNeedsConditions": True},
    ),
    surgery("a generic code with the ankle", [], fires=SURGERY, drafts=[service("427396001", system=SCT)]),
    surgery(
        "a generic code with a reason",
        [],
        fires=SURGERY,
        drafts=[service("427396001", system=SCT, side=None, reasonCode=[PAI_REASON])],
    ),
    surgery("FHL release", [], fires=SURGERY, drafts=[service(RELEASE)]),
    surgery(
        "a code of the UK extension",
        [],
        fires=SURGERY,
        drafts=[service("1326551000000102", system=SCT)],
        parameters={"UseUkExtensionCodes": True},
    ),
    surgery(
        "a code of the UK extension, switched off", [], fires=None, drafts=[service("1326551000000102", system=SCT)]
    ),
    surgery("an exam of the other ankle only", [plan(180), pattern(side="left")], fires=SURGERY),
    surgery(
        "a plan without a date",
        [pattern(), order(SCT, "308447003", ago=None)],
        fires=None,
        also={"NoTrial": False, "PlanOnRecord": True},
    ),
    surgery(
        "care plans unavailable",
        [pattern()],
        fires=None,
        also={"NoTrial": False},
        parameters={"UnavailableInputs": ["carePlans"]},
    ),
    surgery(
        "findings unavailable",
        [order(SCT, "308447003", ago=60)],
        fires=None,
        also={"NoMatchingExam": False},
        parameters={"UnavailableInputs": ["findings"]},
    ),
    surgery("age 7", [patient(age=7)], fires=None),
    surgery("neither visit nor draft about the ankle", [], fires=None, reasons=OTHER_REASON),
    surgery(
        "the trial is a parameter", [pattern(), plan(42)], fires=SURGERY, parameters={"SurgeryOrderMinTrialWeeks": 7}
    ),
    surgery(
        "the draft is of the left, the plan and the exam too",
        [pattern(side="left"), {**plan(60), "bodySite": service(EXCISION, side="left")["bodySite"][0]}],
        fires=None,
        drafts=[service(EXCISION, side="left")],
    ),
    OrderCase(
        "R14 T66 surgery and NSAID drafted",
        [service(EXCISION), drug(NAPROXEN)],
        [pattern(), medication(APIXABAN)],
        {SURGERY, NSAID_WARNING},
    ),
]

ORDER_CASES = [*ALLERGIES, *PREGNANCY, *KIDNEY, *CABG, *DRUGS, *PROBLEMS, *SCOPE, *INJECTIONS, *SURGERIES]
