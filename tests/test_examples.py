"""Every story is played over real HTTP and compared whole; then single facts are changed by hand and played again."""

from __future__ import annotations

import copy
import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ankle_cds import artifacts, prefetch, stories
from ankle_cds.demo.stage import Stage
from ankle_cds.fhir import bundle_entries, read_json_file, read_yaml, reference, split_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ankle_cds.demo.stage import Played
    from ankle_cds.stories import Story

STORIES = stories.read_all()
BY_ID = {story.id: story for story in STORIES}
each_story = pytest.mark.parametrize("story", STORIES, ids=[story.id for story in STORIES])

# Test cases and boundaries of the clinical specification: T01 to T85, and how many boundaries each block has.
_CASES = {f"T{number:02}" for number in range(1, 86)}
_BOUNDARIES = dict(enumerate((5, 4, 5, 7, 5, 5, 7, 5, 5, 3, 4, 4, 4, 5), start=1))
_CASES |= {f"B{block}.{number}" for block, count in _BOUNDARIES.items() for number in range(1, count + 1)}

# Words that no answer may hold, whoever the patient is.
_BANNED = ("excluded", "ruled out", "no red flags", "not allergic", "diagnosed with")

R1, R2, R3 = "PaiRedFlagEmergency", "PaiUrgentWorkup", "PaiRecordAssessment"
R4, R6, R7 = "PaiOrderLateralRadiograph", "PaiMatchImagingToExam", "PaiStartConservativeCare"
R5, R8, R9 = "PaiOrderAdvancedImaging", "PaiConsiderInjection", "PaiReferForSurgery"
R10, R11 = "PaiReassessOutcome", "PaiPostoperativeRecovery"
R12, R13, R14 = "PaiNsaidOrderCheck", "PaiInjectionOrderCheck", "PaiSurgeryOrderCheck"
PATTERN = ("pain-location", "pain-worse-plantarflexion", "forced-plantarflexion-test", "posterior-tenderness-site")
ORAL, TOPICAL = "NSAID, clinician selects agent", "Topical NSAID, clinician selects product"


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage() as running:
        yield running


@pytest.fixture(scope="module")
def package() -> artifacts.Package:
    (only,) = artifacts.load_all().values()
    return only


def cards(body: dict[str, Any]) -> list[tuple[str, str | None, str, tuple[str, ...]]]:
    """Reduce an answer to what a reviewer expects of it: recommendation, side in the title, level, buttons."""
    found = []
    for card in body["cards"]:
        side = re.search(r" \((left|right|both)\)$", card["summary"])
        buttons = tuple(suggestion["label"] for suggestion in card.get("suggestions", []))
        found.append((card["source"]["topic"]["code"], side and side[1], card["indicator"], buttons))
    return found


def details(body: dict[str, Any]) -> str:
    return "\n".join(card["summary"] + "\n" + card.get("detail", "") for card in body["cards"]).casefold()


@each_story
def test_the_answer_over_http_is_the_reviewed_one(story: Story, stage: Stage) -> None:
    answer = stage.play(story, read_json_file(story.request_file))
    assert answer.status == story.status
    assert answer.body == read_json_file(story.expected_file)


@each_story
def test_the_request_is_what_an_ehr_makes_of_the_chart(story: Story, package: artifacts.Package) -> None:
    derived = story.request(prefetch.templates(package, story.hook))
    assert read_json_file(story.request_file) == derived, "run `ankle-cds demo --update`"


@each_story
def test_the_cards_are_those_the_story_announces(story: Story) -> None:
    if story.status != stories.OK:
        return
    announced = [(card.recommendation, card.side, card.indicator, card.buttons) for card in story.expect]
    assert cards(read_json_file(story.expected_file)) == announced


@each_story
def test_the_cards_say_what_they_must_and_nothing_they_must_not(story: Story) -> None:
    body = read_json_file(story.expected_file)
    said = details(body) if story.status == stories.OK else ""
    buttons = {suggestion["label"] for card in body.get("cards", []) for suggestion in card.get("suggestions", [])}
    for words in story.says:
        assert words.casefold() in said
    for words in (*story.never_says, *_BANNED):
        assert words.casefold() not in said
        assert words not in buttons


@each_story
def test_a_refusal_repeats_nothing_of_the_chart(story: Story) -> None:
    if story.status == stories.OK:
        return
    body = read_json_file(story.expected_file)
    assert [issue["diagnostics"] for issue in body["issue"]] == list(story.omit)
    assert story.patient not in str(body)


@each_story
def test_a_chart_is_a_life_and_holds_together(story: Story) -> None:
    entries = list(bundle_entries(story.chart()))
    named = [reference(entry.resource) for entry in entries if entry.resource is not None]
    assert len(named) == len(entries) >= 15
    assert len(set(named)) == len(named)
    for entry in entries:
        assert entry.full_url is not None
        assert entry.full_url.endswith(f"/{reference(entry.resource or {'resourceType': ''})}")
    assert set(references(story.chart())) <= set(named)
    assert {f"Patient/{story.patient}", story.user} <= set(named)


def test_no_two_charts_share_a_resource() -> None:
    """But for the visits of one journey, which have one chart."""
    charts: dict[str | None, Path] = {}
    for story in STORIES:
        chart = story.folder.parent if story.is_visit else story.folder
        for entry in bundle_entries(story.chart()):
            assert charts.setdefault(entry.full_url, chart) == chart


@each_story
def test_nothing_in_a_chart_is_later_than_the_clock(story: Story) -> None:
    """But for planned things there are none, so that no story says more than could be known at its time."""
    later = [day for day in dates(story.chart()) if day > story.clock.date()]
    assert later == []


@each_story
def test_what_a_story_leans_on_exists(story: Story, package: artifacts.Package) -> None:
    assert set(story.tags) <= _CASES
    (registry,) = (system for system in package.of_type("CodeSystem") if system["id"] == "pai-source-statement")
    assert set(story.statements) <= {concept["code"] for concept in registry["concept"]}
    records = read_yaml(package.folder / "evidence.yaml").data
    assert set(story.evidence) <= {record["id"] for record in records["evidence"]}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def dates(value: Any) -> Iterator[date]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from dates(inner)
    elif isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d(T|$)", value):
        yield date.fromisoformat(value[:10])


# --- One fact changed by hand ---------------------------------------------------------------------------------------


class Variation:
    """One story's chart, opened for a change, and played again."""

    def __init__(self, name: str, stage: Stage, package: artifacts.Package) -> None:
        self.story = BY_ID[name]
        self.chart = copy.deepcopy(self.story.chart())
        self._stage = stage
        self._templates = prefetch.templates(package, self.story.hook)
        self.without: tuple[str, ...] = ()
        self.context: dict[str, Any] = {}
        self.parameters: dict[str, Any] = dict(self.story.parameters)

    def one(self, tail: str) -> dict[str, Any]:
        """Find the resource whose id ends so."""
        (found,) = (
            entry["resource"]
            for entry in self.chart["entry"]
            if entry["resource"]["id"] == f"{self.story.patient}-{tail}"
        )
        return dict_of(found)

    @property
    def person(self) -> dict[str, Any]:
        (found,) = (e["resource"] for e in self.chart["entry"] if e["resource"]["resourceType"] == "Patient")
        return dict_of(found)

    def remove(self, tail: str) -> None:
        gone = self.one(tail)
        self.chart["entry"] = [entry for entry in self.chart["entry"] if entry["resource"] is not gone]

    def add(self, resource: dict[str, Any]) -> None:
        self.chart["entry"].append(
            {"fullUrl": f"https://ehr.example.org/fhir/{reference(resource)}", "resource": resource}
        )

    def days_ago(self, days: int) -> str:
        return (self.story.clock.date() - timedelta(days=days)).isoformat()

    def years_ago(self, years: int, *, days: int = 0) -> str:
        today = self.story.clock.date()
        return (today.replace(year=today.year - years) + timedelta(days=days)).isoformat()

    def body(self) -> dict[str, Any]:
        answer = self.answer()
        assert answer.status == stories.OK
        return dict_of(answer.body)

    def answer(self) -> Played:
        request = self.story.request(self._templates, self.chart)
        request["context"] = {
            name: value for name, value in (request["context"] | self.context).items() if value is not None
        }
        for key in self.without:
            del request["prefetch"][key]
        return self._stage.play(self.story, request, parameters=self.parameters)

    def cards(self) -> list[tuple[str, str | None]]:
        return [(recommendation, side) for recommendation, side, _, _ in cards(self.body())]

    def buttons(self) -> list[str]:
        return [label for *_, labels in cards(self.body()) for label in labels]


def dict_of(value: Any) -> dict[str, Any]:
    assert isinstance(value, dict)
    return value


@pytest.fixture
def open_story(stage: Stage, package: artifacts.Package) -> Callable[[str], Variation]:
    return lambda name: Variation(name, stage, package)


def swap_side(resource: dict[str, Any], side: str) -> None:
    coding = {"left": "7771000", "right": "24028007"}[side]
    resource["bodySite"]["coding"][1] = {"system": "http://snomed.info/sct", "code": coding}


def test_an_x_ray_one_day_older_no_longer_counts(open_story: Callable[[str], Variation]) -> None:
    """B4.1: 90 days ago silences the X-ray card, 91 days ago does not."""
    story = open_story("x-ray-ninety-days-ago")
    story.one("xray-ankle-right")["effectiveDateTime"] = story.days_ago(91)
    assert story.cards() == [(R4, "right"), (R7, "right")]


def test_an_x_ray_entered_in_error_never_was(open_story: Callable[[str], Variation]) -> None:
    story = open_story("x-ray-ninety-days-ago")
    story.one("xray-ankle-right")["status"] = "entered-in-error"
    assert story.cards() == [(R4, "right"), (R7, "right")]


def test_an_x_ray_of_the_ankle_in_question_counts(open_story: Callable[[str], Variation]) -> None:
    """T15 with the side of the film swapped: now it is the left ankle that has its X-ray."""
    story = open_story("other-ankle-examined")
    code = {"system": "http://loinc.org", "code": "37097-3"}
    story.one("xray-ankle-right")["code"] = {"coding": [code]}
    assert story.cards() == [(R7, "left")]


def test_an_injury_one_day_older_is_no_longer_acute(open_story: Callable[[str], Variation]) -> None:
    """T38: fifteen days after the injury the routine cards come back."""
    story = open_story("kicker-injury-two-weeks-ago")
    story.one("injury-date")["valueDateTime"] = story.days_ago(15)
    assert story.cards() == [(R4, "right"), (R7, "right")]


@pytest.mark.parametrize(("days", "expected"), [(14, [(R1, "right")]), (15, [(R4, "right"), (R7, "right")])])
def test_a_hot_joint_alarms_while_its_history_is_short(
    days: int, expected: list[tuple[str, str]], open_story: Callable[[str], Variation]
) -> None:
    """B1.1: no restriction, no fever; fourteen days is short, fifteen is not."""
    story = open_story("hot-joint-for-five-days")
    story.one("symptom-onset-date")["valueDateTime"] = story.days_ago(days)
    assert story.cards() == expected


@pytest.mark.parametrize(("days", "expected"), [(30, [R4, R7]), (31, [R3])])
def test_an_examination_lasts_thirty_days(
    days: int, expected: list[str], open_story: Callable[[str], Variation]
) -> None:
    """B3.1 and T41: no plan on record, so that the episode is the last thirty days."""
    story = open_story("left-in-the-booking-text")
    for item in (
        "pain-location",
        "pain-worse-plantarflexion",
        "forced-plantarflexion-test",
        "posterior-tenderness-site",
    ):
        story.one(item)["effectiveDateTime"] = story.days_ago(days)
    assert [recommendation for recommendation, _ in story.cards()] == expected


def test_a_positive_calf_squeeze_of_the_other_leg_raises_no_flag_here(
    open_story: Callable[[str], Variation],
) -> None:
    story = open_story("calf-squeeze-positive")
    swap_side(story.one("calf-squeeze-test"), "left")
    assert story.cards() == [(R4, "right"), (R7, "right")]


def test_below_eight_only_safety_speaks(open_story: Callable[[str], Variation]) -> None:
    """T29, its first half: the pattern alone gives no card at seven."""
    story = open_story("child-cannot-take-four-steps")
    story.remove("acute-injury")
    assert story.cards() == []


def test_at_eight_the_pathway_begins_without_medicine(open_story: Callable[[str], Variation]) -> None:
    story = open_story("child-cannot-take-four-steps")
    story.remove("acute-injury")
    story.person["birthDate"] = story.years_ago(8)
    assert story.cards() == [(R4, "right"), (R7, "right")]
    assert not {ORAL, TOPICAL} & set(story.buttons())


@pytest.mark.parametrize(("born", "label"), [({"years": 65}, TOPICAL), ({"years": 65, "days": 1}, ORAL)])
def test_at_sixty_five_the_medicine_is_topical(
    born: dict[str, int], label: str, open_story: Callable[[str], Variation]
) -> None:
    """B7.5, to the day of the birthday."""
    story = open_story("no-kidney-test-on-file")
    story.person["birthDate"] = story.years_ago(born["years"], days=born.get("days", 0))
    assert {ORAL, TOPICAL} & set(story.buttons()) == {label}


@pytest.mark.parametrize(("value", "labels"), [("29.9", set()), ("30", {TOPICAL}), ("60", {ORAL})])
def test_kidney_function_decides_about_the_medicine(
    value: str, labels: set[str], open_story: Callable[[str], Variation]
) -> None:
    """B7.3: 30 is not below 30, but it asks for caution; the diagnosis of kidney disease plays no part in this."""
    story = open_story("kidney-function-twenty-eight")
    story.one("egfr")["valueQuantity"]["value"] = float(value)
    assert {ORAL, TOPICAL} & set(story.buttons()) == labels


def test_an_unknown_birth_date_with_an_x_ray_leaves_nothing_to_say(open_story: Callable[[str], Variation]) -> None:
    """T31."""
    story = open_story("no-kidney-test-on-file")
    del story.person["birthDate"]
    assert story.cards() == []


def test_a_key_that_was_not_sent_is_unknown_not_empty(open_story: Callable[[str], Variation]) -> None:
    """T09 with the key removed behaves as T08."""
    story = open_story("no-kidney-test-on-file")
    story.without = ("safetyLabs",)
    assert story.cards() == [(R7, "right")]
    assert not {ORAL, TOPICAL} & set(story.buttons())
    assert "no recent egfr" not in details(story.body())


def test_without_the_findings_the_assessment_is_asked_for(open_story: Callable[[str], Variation]) -> None:
    story = open_story("dancer-first-visit-pattern-fits")
    story.without = ("findings",)
    assert story.cards() == [(R3, "right")]
    assert "earlier findings not available" in details(story.body())


@pytest.mark.parametrize("key", ["patient", "encounter"])
def test_without_a_required_key_there_is_an_error_that_names_it(
    key: str, open_story: Callable[[str], Variation]
) -> None:
    """T33, T34: never an empty list of cards."""
    story = open_story("dancer-first-visit-pattern-fits")
    story.without = (key,)
    answer = story.answer()
    assert answer.status == 412
    assert answer.body["issue"][0]["diagnostics"] == key


def test_conditions_are_not_required_where_the_encounter_names_its_reason(
    open_story: Callable[[str], Variation],
) -> None:
    """T35: the reason stands in the encounter itself, without a side."""
    story = open_story("reason-in-words-without-conditions")
    for item in (
        "pain-location",
        "pain-worse-plantarflexion",
        "forced-plantarflexion-test",
        "posterior-tenderness-site",
    ):
        story.remove(item)
    system = "https://w3id.org/ankle-cds/CodeSystem/pai-findings"
    story.one("visit")["reasonCode"] = [{"coding": [{"system": system, "code": "posterior-ankle-pain"}]}]
    assert story.cards() == [(R3, None)]


@pytest.mark.parametrize("change", ["inpatient", "finished", "deceased"])
def test_a_closed_gate_is_silent(change: str, open_story: Callable[[str], Variation]) -> None:
    """T28."""
    story = open_story("dancer-first-visit-pattern-fits")
    if change == "inpatient":
        story.one("visit")["class"]["code"] = "IMP"
    elif change == "finished":
        story.one("visit")["status"] = "finished"
    else:
        story.person["deceasedBoolean"] = True
    assert story.cards() == []


@pytest.mark.parametrize(
    "context", [{"encounterId": None}, {"userId": "Patient/fuentes"}, {"userId": "RelatedPerson/1"}]
)
def test_patient_view_is_silent_without_a_visit_or_a_professional(
    context: dict[str, Any], open_story: Callable[[str], Variation]
) -> None:
    """T32."""
    story = open_story("soccer-player-negative-test-but-tender")
    story.context = context
    assert story.cards() == []


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("nothing-known-yet", {"ResidualIcdOpensGate": False}),
        ("booked-with-a-phrase", {"ReasonPhrases": []}),
        ("unspecific-ankle-pain-site-asks", {"NonSpecificReasonEnabled": False}),
    ],
)
def test_a_site_closes_the_gate_in_its_configuration(
    name: str, parameters: dict[str, Any], open_story: Callable[[str], Variation]
) -> None:
    """T27 and T85."""
    story = open_story(name)
    assert [recommendation for recommendation, _ in story.cards()] == [R3]
    story.parameters = parameters
    assert story.cards() == []


def test_a_red_flag_of_one_ankle_names_that_ankle_where_both_are_the_reason(
    open_story: Callable[[str], Variation],
) -> None:
    story = open_story("both-ankles")
    other = open_story("calf-squeeze-positive").one("calf-squeeze-test")
    swap_side(other, "left")
    other["id"] = f"{story.story.patient}-calf-squeeze-test"
    other["subject"]["reference"] = f"Patient/{story.story.patient}"
    other["effectiveDateTime"] = story.days_ago(1)
    story.chart["entry"].append(
        {"fullUrl": f"https://ehr.example.org/fhir/Observation/{other['id']}", "resource": other}
    )
    assert story.cards() == [(R1, "left")]


def test_two_ankles_with_much_recorded_still_fit_on_one_card(open_story: Callable[[str], Variation]) -> None:
    """A dancer of sixteen who filled in the history form for both ankles: cards are limited to 2,000 characters."""
    story = open_story("both-ankles")
    story.person["birthDate"] = story.years_ago(16)
    codes = "https://w3id.org/ankle-cds/CodeSystem/pai-findings"
    recorded = {
        "pain-location": ("behind-lateral-malleolus", "posterior-midline", "achilles-tendon"),
        "pain-provoking-activity": ("running", "jumping", "kicking"),
        "posterior-swelling": ("marked",),
        "activity-exposure": ("ballet-en-pointe", "ballet-demi-pointe", "gymnastics-landing", "downhill-running"),
    }
    for side, sct in (("right", "24028007"), ("left", "7771000")):
        for item, answers in recorded.items():
            for answer in answers:
                story.add(
                    {
                        "resourceType": "Observation",
                        "id": f"{story.story.patient}-{side}-{answer}",
                        "status": "final",
                        "category": [{"coding": [{"code": "survey"}]}],
                        "code": {"coding": [{"system": codes, "code": item}]},
                        "subject": {"reference": f"Patient/{story.story.patient}"},
                        "effectiveDateTime": story.days_ago(2),
                        "valueCodeableConcept": {"coding": [{"system": codes, "code": answer}]},
                        "bodySite": {"coding": [{"system": "http://snomed.info/sct", "code": sct}]},
                    }
                )
    body = story.body()
    assert [(recommendation, side) for recommendation, side, _, _ in cards(body)] == [(R3, "both")]
    assert len(body["cards"][0]["detail"]) <= 2000


def test_the_facts_of_one_ankle_are_never_told_of_the_other(open_story: Callable[[str], Variation]) -> None:
    """The right ankle's test is positive and the left one's negative: "positive (both sides)" would be false."""
    told = details(open_story("which-ankle").body())
    assert "forced plantarflexion test: positive (both" not in told


def test_a_resource_of_another_patient_is_never_used(open_story: Callable[[str], Variation]) -> None:
    story = open_story("on-apixaban")
    stranger = story.one("apixaban")
    stranger["subject"]["reference"] = "Patient/somebody-else"
    assert split_reference(stranger["subject"]["reference"]) == ("Patient", "somebody-else")
    assert not {TOPICAL} & set(story.buttons())


def test_the_same_chart_gives_the_same_bytes(stage: Stage) -> None:
    story = BY_ID["dancer-first-visit-pattern-fits"]
    request = read_json_file(story.request_file)
    assert stage.play(story, request).body == stage.play(story, request).body


def test_every_recommendation_is_told_by_some_story() -> None:
    told = {card.recommendation for story in STORIES for card in story.expect}
    assert told == {R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, R11, R12, R13, R14}
