"""Bad charts, over HTTP: what each one is, what the specification says must happen, and the cards that come.

Letters and numbers in brackets are places in the clinical specification (G and 4.3, 4.4: missing and malformed data).
BASE, PATTERN and XR are its fixtures: a visit for pain at the back of the right ankle, with the exam, with an X-ray.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import charts
from ankle_cds import artifacts
from ankle_cds.service import background, create_app
from charts import (
    ANSWER,
    ENCOUNTER,
    FINDINGS,
    LOINC,
    NOW,
    RXNORM,
    SCT,
    Resource,
    allergy,
    concept,
    condition,
    day,
    encounter,
    item,
    medication,
    order,
    patient,
    pattern,
    reason,
    xray,
)
from journey import Chart, answer, prefetched
from properties import unrelated
from stub_service import development
from test_logic import flattened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HTTP = httpx.Client(trust_env=False, timeout=60)
R1 = "PaiRedFlagEmergency"
R3 = "PaiRecordAssessment"
R4 = "PaiOrderLateralRadiograph"
R7 = "PaiStartConservativeCare"
NSAID = ("NSAID, clinician selects agent", "Topical NSAID, clinician selects product")


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    HTTP.close()


@pytest.fixture(scope="module")
def package() -> artifacts.Package:
    return artifacts.load_all()["posterior-ankle-impingement"]


@pytest.fixture(scope="module")
def url(package: artifacts.Package) -> Iterator[str]:
    settings = development()
    with background(create_app({package.service_id: package}, settings, lambda: NOW), settings) as base:
        yield f"{base}/cds-services/{package.service_id}"


def whole(facts: list[Any], reasons: list[Resource] | None = None) -> list[Resource]:
    """Complete facts to a chart: BASE where they do not say otherwise."""
    flat = flattened(facts)
    kinds = {one["resourceType"] for one in flat}
    flat += [] if "Patient" in kinds else [patient()]
    flat += [] if "Encounter" in kinds else [encounter()]
    return flat + ([reason()] if reasons is None else reasons)


def ask(url: str, prefetch: dict[str, Any]) -> list[dict[str, Any]]:
    context = {"userId": "Practitioner/d1", "patientId": "p1", "encounterId": ENCOUNTER.partition("/")[2]}
    request = {"hook": "encounter-start", "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"}
    response = HTTP.post(url, json={**request, "context": context, "prefetch": prefetch})
    assert response.status_code == 200, response.text
    cards: list[dict[str, Any]] = response.json()["cards"]
    return cards


def cards_of(url: str, package: artifacts.Package, resources: list[Resource]) -> list[dict[str, Any]]:
    return ask(url, prefetched(package, Chart(tuple(resources))))


def topics(cards: list[dict[str, Any]]) -> list[str]:
    return [card["source"]["topic"]["code"] for card in cards]


def buttons(cards: list[dict[str, Any]]) -> list[str]:
    return [suggestion["label"] for card in cards for suggestion in card.get("suggestions", ())]


@dataclass
class Bad:
    """A bad chart on top of BASE; `says` and `silent` are words of the details, `offers` and `withheld` buttons."""

    id: str
    facts: list[Any]
    cards: list[str]
    says: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    reasons: list[Resource] | None = None


def without(element: str, *resources: Resource) -> list[Resource]:
    return [{name: part for name, part in one.items() if name != element} for one in resources]


def recoded(resource: Resource, code: Resource) -> Resource:
    return {**resource, "code": code}


UNCODED_SYSTEM = {"coding": [{"code": "posterior-ankle-pain"}]}

CONTRADICTIONS = [
    Bad(
        # [C.1 Which record wins] Several on that day: any true gives true.
        "a test positive and negative on one day is positive",
        [
            *pattern()[:2],
            item("forced-plantarflexion-test", "positive"),
            item("forced-plantarflexion-test", "negative"),
        ],
        [R4, R7],
        says=("Passive forced plantarflexion test: positive",),
    ),
    Bad(
        # [C.1 Multi-choice] 'none-of-these' together with another option: the other option wins.
        "a site and none of these",
        [*pattern(), item("posterior-tenderness-site", "none-of-these")],
        [R4, R7],
        says=("Tenderness at the back of the ankle: behind lateral malleolus (right",),
        silent=("none of these",),
    ),
    Bad(
        # [C.1 Which record wins] Single-coded items: without a deciding time the contradiction is listed in detail.
        "a swelling both marked and absent",
        [*pattern(), item("posterior-swelling", "marked"), item("posterior-swelling", "none")],
        [R4, R7],
        says=("contradictory",),
    ),
    Bad(
        # [C.1 yes/no/unknown item] One answer that says both yes and no says neither.
        "yes and no in one answer",
        [
            item(
                "suspected-dvt",
                valueCodeableConcept={
                    "coding": [*concept(ANSWER, "yes")["coding"], *concept(ANSWER, "no")["coding"]],
                },
            )
        ],
        [R3],
    ),
    Bad(
        # [C.1] dataAbsentReason = null, whatever stands beside it.
        "an answer that is absent and there",
        [item("suspected-dvt", "yes", dataAbsentReason={"text": "not asked"})],
        [R3],
    ),
    Bad(
        # [C.1 Side] Left and right on one record are both; it counts for each side.
        "one record of two sides",
        [
            {**one, "bodySite": {"coding": [*charts.body_site("right")["coding"], *charts.body_site("left")["coding"]]}}
            for one in pattern()
        ],
        [R4, R7],
        says=("(both sides, ",),
    ),
    Bad(
        # [C.1 SideConflict] Both sides in the findings and none in the reason: R3 asks which ankle.
        "nobody says which ankle",
        [*pattern(side="left"), *pattern(side="right")],
        [R3],
        says=("Which ankle: both sides are recorded",),
        reasons=[reason(None)],
    ),
]

STATUSES = [
    Bad(
        # [C.1 Status] entered-in-error observations do not exist.
        "an exam entered in error",
        [{**one, "status": "entered-in-error"} for one in pattern()],
        [R3],
        says=("Passive forced plantarflexion test: not recorded",),
    ),
    Bad(
        "a red flag entered in error",
        [*pattern(), item("calf-squeeze-test", "positive", status="entered-in-error")],
        [R4, R7],
    ),
    Bad(
        # [C.1 Status, D.1] A refuted reason opens no gate.
        "a refuted reason",
        [*pattern()],
        [],
        reasons=[condition(FINDINGS, "posterior-ankle-pain", side="right", verification="refuted")],
    ),
    Bad(
        # [C.4 WorkingDiagnosis: current] A refuted diagnosis is none, and may be recorded again.
        "a refuted working diagnosis",
        [*pattern(), condition(FINDINGS, "posterior-ankle-impingement", side="right", verification="refuted")],
        [R4, R7],
        offers=("Record working diagnosis: posterior ankle impingement (provisional)",),
    ),
    Bad(
        # [C.1 Status] A refuted allergy does not take the NSAID button away; the same entry confirmed does.
        "a refuted allergy",
        [
            *pattern(),
            xray(),
            allergy(
                RXNORM,
                "5640",
                verificationStatus=concept(
                    "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "refuted"
                ),
            ),
        ],
        [R7],
        offers=NSAID[:1],
    ),
    Bad("an allergy", [*pattern(), xray(), allergy(RXNORM, "5640")], [R7], withheld=NSAID),
    Bad(
        # [C.1 Status] An X-ray report entered in error is no X-ray.
        "an X-ray entered in error",
        [*pattern(), xray(status="entered-in-error")],
        [R4, R7],
    ),
]

DATES = [
    Bad("a red flag of tomorrow", [*pattern(), item("calf-squeeze-test", "positive", ago=-1)], [R4, R7]),
    Bad("an X-ray of tomorrow", [*pattern(), xray(ago=-1)], [R4, R7]),
    Bad("an exam of tomorrow", [*pattern(ago=-1)], [R3]),
    Bad(
        # [C.1 Undated resource, safety class] Counts as in window, and says that the date is missing.
        "a red flag of this month",
        [*pattern(), item("calf-squeeze-test", "positive", at="2026-03")],
        [R1],
        says=("Calf squeeze test: positive (right, date not recorded)",),
    ),
    Bad(
        "a red flag of this year",
        [*pattern(), item("calf-squeeze-test", "positive", at="2026")],
        [R1],
        says=("date not recorded",),
    ),
    Bad(
        "a red flag without a date",
        [*pattern(), *without("effectiveDateTime", item("calf-squeeze-test", "positive"))],
        [R1],
        says=("date not recorded",),
    ),
    Bad(
        # [C.1, duplicate class] An X-ray of an unknown day counts, so none is offered.
        "an X-ray of this year",
        [*pattern(), {**xray(), "effectiveDateTime": "2026"}],
        [R7],
    ),
    Bad(
        # [C.1, assessment class] An exam of an unknown day does not count.
        "an exam of this month",
        [{**one, "effectiveDateTime": "2026-03"} for one in pattern()],
        [R3],
    ),
    Bad(
        # [B1.1] The onset says a month only: it is no date, and does not make the history a short one.
        "a hot joint that began this month",
        [item("hot-swollen-joint", "yes"), item("symptom-onset-date", valueDateTime="2026-03")],
        [R3],
        says=("Hot joint: onset, movement and fever are not all recorded",),
    ),
    Bad(
        # [C.4 Age: day precision; G birthDate] A year of birth is no age: no treatment, and the card says so.
        "a year of birth",
        [patient(age=None) | {"birthDate": "1996"}, *pattern()],
        [R4],
        says=("Age not available",),
    ),
    Bad(
        # [D.1, D.3] Whoever is not born yet is below the age limit: no pathway, but an emergency is told.
        "a birth date in the future",
        [patient(age=None) | {"birthDate": day(-1)}, *pattern()],
        [],
    ),
    Bad(
        "a birth date in the future, and a red flag",
        [patient(age=None) | {"birthDate": day(-1)}, item("suspected-dvt", "yes")],
        [R1],
    ),
    Bad(
        # [C.4 Deceased: true or any dateTime] Also one that is only a year.
        "a year of death",
        [patient(deceasedDateTime="2026"), *pattern()],
        [],
    ),
]

CODES = [
    Bad(
        # [C.1 Side] A record without a side counts, and says so.
        "an exam without a side",
        [*without("bodySite", *pattern())],
        [R4, R7],
        says=("Passive forced plantarflexion test: positive (side not recorded, ",),
    ),
    Bad(
        # [C.3] The logic tests membership in value sets and nothing else: a code without a system is no code.
        "a reason coded without a system",
        [*pattern()],
        [],
        reasons=[recoded(reason(), UNCODED_SYSTEM)],
    ),
    Bad(
        "a test coded without a system",
        [*pattern(), recoded(item("suspected-dvt", "yes"), {"coding": [{"code": "suspected-dvt"}]})],
        [R4, R7],
    ),
    Bad(
        "an X-ray coded without a system",
        [*pattern(), recoded(xray(), {"coding": [{"code": "26099-2", "display": "XR Ankle - right Views"}]})],
        [R4, R7],
    ),
    Bad(
        "a code of the right value in the wrong system",
        [*pattern(), recoded(item("suspected-dvt", "yes"), concept(LOINC, "suspected-dvt"))],
        [R4, R7],
    ),
    Bad(
        # [A, C.4] No other text is read anywhere than a reason against the fixed phrases.
        "findings in words only",
        [
            recoded(item("calf-squeeze-test", "positive"), {"text": "Calf squeeze test"}),
            item("suspected-dvt", valueCodeableConcept={"text": "yes"}),
            item("open-injury", valueString="yes"),
        ],
        [R3],
    ),
    Bad(
        # [C.4 QualifyingReason] A text of a linked problem that holds a phrase is a reason, with its side.
        "a reason in words only",
        [*pattern()],
        [R4, R7],
        reasons=[recoded(reason(None), {"text": "Posterior ankle pain, right"})],
    ),
    Bad(
        # [C.4 Allergy] Text only: allergy information is unknown and the entry is told of, so no NSAID button.
        "an allergy in words only",
        [*pattern(), xray(), {**allergy(RXNORM, "1"), "code": {"text": "ibuprofen"}}],
        [R7],
        withheld=NSAID,
        says=("a drug allergy outside the known lists is recorded: check it",),
    ),
    Bad(
        # [C.5 UnclassifiedMedication] A current drug without a code: the drug list is not clear.
        "a drug in words only",
        [*pattern(), xray(), medication("1") | {"medicationCodeableConcept": {"text": "blood thinner"}}],
        [R7],
        withheld=NSAID,
    ),
    Bad(
        # [C.4 Egfr] Another unit cannot be classified.
        "an eGFR in another unit, with letters for a number",
        [*pattern(), xray(), charts.egfr(90, unit="%")],
        [R7],
        withheld=NSAID,
    ),
]

CONDITION_HERE = {**condition(FINDINGS, "posterior-ankle-pain", side="right", encounter=False), "id": "here"}


def referring(reference: str) -> list[Resource]:
    return [encounter(reasonReference=[{"reference": reference}]), CONDITION_HERE]


REFERENCES = [
    *(
        # [C.4 QualifyingReason: Conditions referenced by Encounter.reasonReference] In every form of a literal one.
        Bad(f"the reason by reference: {reference}", [*pattern(), *referring(reference)], [R4, R7], reasons=[])
        for reference in (
            "Condition/here",
            "Condition/here/_history/7",
            "https://ehr.example/fhir/Condition/here",
            "https://ehr.example/fhir/Condition/here/_history/7",
        )
    ),
    *(
        Bad(f"the reason of something else: {reference}", [*pattern(), *referring(reference)], [], reasons=[])
        for reference in ("Condition/there", "Observation/here", "#here", "here", "Condition/")
    ),
    Bad(
        # [C.1 Patient match] An absolute reference to the patient is the patient's.
        "the patient by an absolute reference",
        [
            {**one, "subject": {"reference": "https://ehr.example/fhir/Patient/p1/_history/2"}}
            for one in [*pattern(), reason()]
        ],
        [R4, R7],
        reasons=[],
    ),
    Bad(
        # [C.4 PhysicalTherapyReferral: reasonReference to such a Condition] Absolute ones too: a plan is on record.
        "a referral for the problem by an absolute, versioned reference",
        [
            *pattern(),
            xray(),
            CONDITION_HERE,
            order(
                SCT,
                "308447003",
                ago=20,
                side=None,
                reasonReference=[{"reference": "https://ehr.example/fhir/Condition/here/_history/1"}],
            ),
        ],
        [],
    ),
    Bad(
        # [C.4 CurrentMedication: contained Medication] A contained anticoagulant leaves the topical NSAID only.
        "a contained drug",
        [
            *pattern(),
            xray(),
            *without(
                "medicationCodeableConcept",
                medication(
                    "1364430",
                    contained=[{"resourceType": "Medication", "id": "drug", "code": concept(RXNORM, "1364430")}],
                    medicationReference={"reference": "#drug"},
                ),
            ),
        ],
        [R7],
        offers=NSAID[1:],
        withheld=NSAID[:1],
    ),
    Bad(
        # A contained resource says nothing of its own: a red flag inside another record is nobody's.
        "a red flag contained in another record",
        [*pattern()[:3], {**pattern()[3], "contained": [item("suspected-dvt", "yes")]}],
        [R4, R7],
    ),
]

BAD = [*CONTRADICTIONS, *STATUSES, *DATES, *CODES, *REFERENCES]


@pytest.mark.parametrize("bad", BAD, ids=[bad.id for bad in BAD])
def test_a_bad_chart_gets_the_cards_of_the_specification(url: str, package: artifacts.Package, bad: Bad) -> None:
    cards = cards_of(url, package, whole(bad.facts, bad.reasons))
    assert topics(cards) == bad.cards
    details = "\n".join(card["detail"] for card in cards)
    assert [words for words in bad.says if words not in details] == []
    assert [words for words in bad.silent if words in details] == []
    assert set(bad.offers) - set(buttons(cards)) == set()
    assert set(bad.withheld) & set(buttons(cards)) == set()


# ---------------------------------------------------------------- the same record twice


def said(cards: list[dict[str, Any]]) -> list[tuple[str, str, list[str]]]:
    return [(card["summary"], card["detail"], buttons([card])) for card in cards]


@pytest.mark.parametrize("renamed", [False, True], ids=["under its own id", "under another id"])
def test_every_record_twice_says_nothing_more(url: str, package: artifacts.Package, *, renamed: bool) -> None:
    """The same content again, as an import leaves it, is no second fact and no other answer."""
    chart = whole([*pattern(), item("posterior-swelling", "mild"), item("suspected-dvt", "no"), xray(ago=100)])
    again = [
        {**one, "id": f"{one['id']}-again"} if renamed else one
        for one in chart
        if one["resourceType"] not in {"Patient", "Encounter"}
    ]
    once = cards_of(url, package, chart)
    assert topics(once) == [R4, R7]
    assert said(cards_of(url, package, [*chart, *again])) == said(once)


def test_a_record_under_two_inputs_is_one_record(url: str, package: artifacts.Package) -> None:
    """[4.3] A client may send more under a key than was asked for."""
    prefetch = prefetched(package, Chart(tuple(whole([*pattern()]))))
    once = ask(url, prefetch)
    prefetch["safetyLabs"] = prefetch["scores"] = prefetch["findings"]
    assert ask(url, prefetch) == once


# ---------------------------------------------------------------- values that are not of their type


def wrong(**changes: Any) -> Resource:
    return {**item("suspected-dvt", "no"), "id": "wrong", **changes}


MALFORMED: list[tuple[str, Resource]] = [
    ("code is a text", wrong(code="suspected-dvt")),
    ("coding is an object", wrong(code={"coding": {"system": FINDINGS, "code": "suspected-dvt"}})),
    ("answer is a text", wrong(valueCodeableConcept="no")),
    ("answer is a list", wrong(valueCodeableConcept=[concept(ANSWER, "no")])),
    ("date is a number", wrong(effectiveDateTime=20260307)),
    ("date is no date", wrong(effectiveDateTime="2026-02-30")),
    ("status is an object", wrong(status={"value": "final"})),
    ("body site is a list", wrong(bodySite=[charts.body_site("right")])),
]


@pytest.mark.parametrize("bad", [bad for _, bad in MALFORMED], ids=[name for name, _ in MALFORMED])
def test_an_emergency_is_told_beside_a_malformed_record(url: str, package: artifacts.Package, bad: Resource) -> None:
    """[G PARTIAL data count as positive evidence] Whichever stands first in the Bundle."""
    flag = item("calf-squeeze-test", "positive")
    for order_of in ([bad, flag], [flag, bad]):
        assert topics(cards_of(url, package, whole([*pattern(), *order_of]))) == [R1]


@pytest.mark.parametrize("bad", [bad for _, bad in MALFORMED], ids=[name for name, _ in MALFORMED])
def test_a_malformed_record_is_never_read_as_a_no(url: str, package: artifacts.Package, bad: Resource) -> None:
    """[G malformed resource: ignored, key PARTIAL] It reads as nothing, or its input is told to be incomplete."""
    cards = cards_of(url, package, whole([*pattern(), bad]))
    assert topics(cards) == [R4, R7]
    incomplete = "Not available from the record: findings and red flags" in cards[0]["detail"]
    assert ("Red flags: not available" in cards[0]["detail"]) == incomplete
    assert "Red flags" in cards[0]["detail"]
    assert not (incomplete and set(NSAID) & set(buttons(cards)))


@pytest.mark.parametrize(
    "foreign", [xray(), "a text", None, 5, {"resource": {}}, {"no": "type"}], ids=lambda one: type(one).__name__
)
def test_what_is_no_observation_among_the_findings_makes_them_incomplete(
    url: str, package: artifacts.Package, foreign: Any
) -> None:
    """[4.3] It is ignored and the key is PARTIAL: an X-ray report there is no X-ray."""
    prefetch = prefetched(package, Chart(tuple(whole([*pattern()]))))
    prefetch["findings"]["entry"].append({"resource": foreign})
    cards = ask(url, prefetch)
    assert topics(cards) == [R4, R7]
    assert all("Not available from the record: findings and red flags" in card["detail"] for card in cards)
    assert not set(NSAID) & set(buttons(cards))


# ---------------------------------------------------------------- too much of it


def many() -> list[Resource]:
    kinds = [one for one in unrelated() if one["resourceType"] != "Immunization"]
    return [{**kinds[number % len(kinds)], "id": f"other{number}"} for number in range(5_000)]


def test_five_thousand_unrelated_records_change_nothing(url: str, package: artifacts.Package) -> None:
    chart = whole([*pattern(), xray(ago=100)])
    assert said(cards_of(url, package, [*chart, *many()])) == said(cards_of(url, package, chart))


def cpu(call: Callable[[], object]) -> float:
    """Give the least processor time of three calls: what another program takes is not counted."""
    taken = []
    for _ in range(3):
        began = time.process_time()
        call()
        taken.append(time.process_time() - began)
    return min(taken)


def test_five_thousand_unrelated_records_cost_what_it_takes_to_look_at_each_once(package: artifacts.Package) -> None:
    """Five times as many cost about five times as much, and all of them a bounded multiple of the bare chart."""
    chart = Chart(tuple(whole([*pattern(), xray(ago=100), item("suspected-dvt", "no")])))
    bare = cpu(lambda: answer(package, chart))
    few = cpu(lambda: answer(package, chart.with_resources([*chart.resources, *many()[:1_000]])))
    full = cpu(lambda: answer(package, chart.with_resources([*chart.resources, *many()])))
    assert full < 12 * few
    assert full < 100 * bare
