"""What is answered in a form is what the rules read: on the right ankle, under the right code, or refused.

The forms, their templates and the logic are those of the built package. `responses.py` writes responses in few words.
"""

from __future__ import annotations

import copy
import json
import shutil
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from ankle_cds import artifacts, cli, forms, validate
from ankle_cds.elm.temporal import Date
from ankle_cds.elm.values import Code
from ankle_cds.errors import ContentError
from ankle_cds.fhir import read_json_file, write_json
from ankle_cds.forms.form import read_form
from charts import NOW, SIDES, day, encounter, patient, reason
from responses import (
    BASE,
    FORMS,
    NAMES,
    PACKAGE,
    ROOT,
    answered,
    entries,
    extract,
    form,
    items,
    observations,
    questionnaire,
    respond,
    sides,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ankle_cds.forms.form import Question

Resource = dict[str, Any]

SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
ENABLE = f"{SDC}enableWhenExpression"
CONTENT = ROOT / "src" / "ankle_cds" / "content" / "posterior-ankle-impingement"
EXAMPLES = ROOT / "examples" / "forms"
FEATURE = "http://hl7.org/fhir/uv/cpg/StructureDefinition/cpg-featureExpression"
CATEGORY = {
    "PaiHistory": "survey",
    "PaiExam": "exam",
    "PaiImagingAndInjectionFindings": "exam",
    "PaiFollowUp": "survey",
}
# They say which ankle and when; no Observation is made of them alone.
NO_FINDINGS = {"ankle.side", "ankle.imaging-date", "ankle.injection-date", "summary"}
COMPONENTS = {
    "activity-hours-per-week": ("activity-exposure", "ActivityExposure"),
    "ankle.imaging-modality": ("ankle.imaging-finding", "ImagingFinding"),
}
SET_BY = {
    "ankle.imaging-finding": "ankle.imaging-date",
    "ankle.diagnostic-injection-response": "ankle.injection-date",
    "ankle.steroid-injection-response": "ankle.injection-date",
}

# The words of the specification, in its order (what stands outside the group follows it).
WORDS = {
    "PaiHistory": {
        "ankle.side": "Which ankle?",
        "ankle.symptom-onset-date": "When did it start?",
        "ankle.pain-location": "Where is the pain?",
        "ankle.pain-worse-plantarflexion": "Is it worse when the foot points down?",
        "ankle.pain-provoking-activity": "What brings it on?",
        "ankle.pain-score": "Pain now, 0 to 10",
        "ankle.acute-injury": "Did an injury start or change it?",
        "ankle.injury-date": "Date of the injury",
        "ankle.cannot-bear-weight": "Unable to take four steps, then or now?",
        "ankle.night-or-rest-pain": "Unexplained pain at night or at rest?",
        "ankle.mass-or-growing-swelling": "A lump or growing swelling?",
        "ankle.unexplained-bone-pain": "Unexplained bone pain or swelling?",
        "ankle.progressive-neurological-signs": "Numbness or weakness getting worse?",
        "fever-or-systemic-illness": "Fever or feeling ill?",
        "unexplained-weight-loss": "Unexplained weight loss?",
        "cancer-history": "Ever had cancer?",
        "other-joint-synovitis": "Other joints swollen?",
        "activity-exposure": "Which activities do you do?",
        "activity-hours-per-week": "Hours per week",
        "sport-level": "Level",
        "can-reduce-activity": "Could you reduce it for a while?",
        "fluoroquinolone-recent": "Quinolone antibiotic in the last 3 months?",
        "gestational-age-weeks": "If pregnant: weeks",
    },
    "PaiExam": {
        "ankle.side": "Which ankle?",
        "ankle.forced-plantarflexion-test": "Passive forced plantarflexion",
        "ankle.posterior-tenderness-site": "Tenderness, sites",
        "ankle.posterior-swelling": "Fullness or swelling",
        "ankle.achilles-tendon-tenderness": "Achilles tendon tender?",
        "ankle.calf-squeeze-test": "Calf squeeze test",
        "ankle.weak-plantarflexion": "Weak plantarflexion",
        "ankle.achilles-gap": "Palpable gap",
        "ankle.increased-passive-dorsiflexion": "Increased passive dorsiflexion",
        "ankle.resisted-hallux-flexion-pain": "Pain on resisted great-toe flexion",
        "ankle.hallux-motion-test": "Great-toe motion test",
        "ankle.calcaneal-squeeze-test": "Calcaneal squeeze",
        "ankle.pain-location": "Where does the patient point?",
        "ankle.hot-swollen-joint": "Hot, swollen, tender joint",
        "ankle.restricted-joint-movement": "Movement restricted by pain",
        "ankle.skin-infection-near-site": "Skin infection near the ankle",
        "ankle.suspected-dvt": "DVT suspected (judgement, no score)",
        "ankle.acute-injury": "Acute injury",
        "ankle.cannot-bear-weight": "Cannot take four steps",
        "ankle.bony-tenderness-site": "Bony tenderness",
        "ankle.open-injury": "Open injury",
        "ankle.deformity": "Deformity",
        "ankle.neurovascular-compromise": "Neurovascular compromise",
        "ankle.suspected-posterior-process-fracture": "Posterior process fracture suspected",
    },
    "PaiImagingAndInjectionFindings": {
        "ankle.side": "Which ankle?",
        "ankle.imaging-modality": "Study read",
        "ankle.imaging-date": "Date of study",
        "ankle.imaging-finding": "Coded findings of the report",
        "ankle.diagnosis-uncertain": "Cause still unclear after exam and X-ray?",
        "ankle.injection-or-surgery-considered": "Injection or surgery considered?",
        "ankle.injection-date": "Date of injection",
        "ankle.diagnostic-injection-response": "Response to anaesthetic",
        "ankle.steroid-injection-response": "Response to cortisone",
        "mri-contraindicated": "MRI contraindicated?",
    },
    "PaiFollowUp": {
        "ankle.side": "Which ankle?",
        "ankle.conservative-care-start-date": "When did this treatment start?",
        "ankle.conservative-care-component": "What has been used?",
        "ankle.response-to-care": "How has it responded?",
        "ankle.pain-score": "Pain now, 0 to 10",
        "ankle.faam-adl-score": "FAAM ADL: total score, if used",
        "ankle.faam-sports-score": "FAAM Sports: total score, if used",
        "ankle.lefs-score": "LEFS: total score, if used",
        "ankle.return-to-activity-stage": "Stage",
        "ankle.recurrence-after-treatment": "Came back after settling?",
    },
}
CLINICIANS_ONLY = {"PaiExam", "PaiImagingAndInjectionFindings"}


def questions(name: str) -> list[Question]:
    return [
        one for one in form(name).questions.values() if one.type not in {"group", "display"} and one.link != "summary"
    ]


def findings(name: str) -> list[Question]:
    """The questions an Observation of their own is made of."""
    return [one for one in questions(name) if one.link not in NO_FINDINGS | COMPONENTS.keys()]


EVERY_ITEM = [(name, one.link) for name in NAMES for one in questions(name) if one.link not in NO_FINDINGS]
EVERY_FINDING = [(name, one.link) for name in NAMES for one in findings(name)]


def plausible(question: Question, which: int = 0) -> Any:
    """An answer to a question: one of its options, or a value the rules can use."""
    if question.type == "choice":
        return [code for _, code in question.options][which]
    if question.type == "date":
        return day(3 if question.link == "ankle.injury-date" else 20)
    return 7 + which


def opened(name: str, link: str) -> dict[str, Any]:
    """The answers that must be given for a question to be shown."""
    given: dict[str, Any] = {}
    question = form(name).questions[link]
    for rule in question.conditions:
        asked = form(name).questions[rule.question]
        unwanted = {rule.answer["code"] for rule in question.conditions if rule.operator == "!="}
        wanted = rule.answer["code"] if rule.operator == "=" else None
        free = [code for _, code in asked.options if code not in unwanted]
        given.setdefault(asked.link, wanted or (free[0] if free else plausible(asked)))
    return given


def definition(name: str, link: str) -> tuple[str, str]:
    """The CQL definition that reads what this item records, and the id of its profile."""
    (item,) = [item for item in items(questionnaire(name)) if item["linkId"] == link]
    profile = PACKAGE.get(item["definition"].partition("#")[0])
    (expression,) = [part["valueExpression"] for part in profile["extension"] if part["url"] == FEATURE]
    return expression["expression"], profile["id"]


def read(feature: str, recorded: list[Resource], side: str, *more: Resource) -> Any:
    """Evaluate a definition of the logic on what was extracted, for one ankle."""
    numbered = [{"id": f"o{number}", **one} for number, one in enumerate(recorded)]
    chart = [patient(), encounter(), reason(), *more, *numbered]
    evaluation = PACKAGE.program.evaluate(chart, now=NOW, parameters={"EncounterId": "e1", "EvaluationSide": side})
    return evaluation[feature]


# The forms


@pytest.mark.parametrize("name", NAMES)
def test_a_form_asks_in_the_words_and_order_of_the_specification(name: str) -> None:
    asked = {
        item["linkId"]: item["text"] for item in items(questionnaire(name)) if item["type"] not in {"group", "display"}
    }
    asked.pop("summary")
    assert list(asked.items()) == list(WORDS[name].items())


@pytest.mark.parametrize("name", NAMES)
def test_a_form_says_who_answers_it_and_what_it_is_opened_with(name: str) -> None:
    extensions = questionnaire(name)["extension"]
    performers = {part["valueCode"] for part in extensions if part["url"] == f"{SDC}performerType"}
    assert performers == ({"Practitioner"} if name in CLINICIANS_ONLY else {"Patient", "Practitioner"})
    contexts = [
        part["extension"][0]["valueCoding"]["code"] for part in extensions if part["url"] == f"{SDC}launchContext"
    ]
    assert contexts == ["patient", "encounter", "user"]


@pytest.mark.parametrize("name", NAMES)
def test_only_what_is_of_no_ankle_is_filled_in_from_earlier_visits(name: str) -> None:
    """Population by code alone cannot tell one ankle from the other."""
    filled = {
        item["linkId"]
        for item in items(questionnaire(name))
        for part in item.get("extension", ())
        if part["url"] == f"{SDC}observationLinkPeriod"
    }
    assert filled == ({"sport-level", "can-reduce-activity"} if name == "PaiHistory" else set())


@pytest.mark.parametrize("name", NAMES)
def test_a_form_carries_its_answers(name: str) -> None:
    """A renderer needs nothing but the form: each answer value set is contained, expanded, and the published one."""
    resource = questionnaire(name)
    contained = {f"#{part['id']}": part for part in resource["contained"]}
    named = {item["answerValueSet"] for item in items(resource) if "answerValueSet" in item}
    assert named == {key for key, part in contained.items() if part["resourceType"] == "ValueSet"}
    for key in named:
        published = PACKAGE.get(contained[key]["url"])
        assert contained[key]["expansion"] == json.loads(json.dumps(published["expansion"]))


@pytest.mark.parametrize("name", NAMES)
def test_a_form_stays_below_what_servers_take(name: str) -> None:
    assert len(write_json(questionnaire(name), indent=2)) < 1_000_000


# Golden cases


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_response_gives_nothing(name: str) -> None:
    assert extract(respond(name, {})).bundle == {"resourceType": "Bundle", "type": "transaction"}


@pytest.mark.parametrize("name", NAMES)
def test_one_answer_gives_one_observation_with_all_that_is_known(name: str) -> None:
    """Compared whole, written by hand."""
    question = next(one for one in findings(name) if one.link.startswith("ankle.") and not opened(name, one.link))
    (recorded,) = observations(respond(name, {question.link: plausible(question)}))
    (item,) = [item for item in items(questionnaire(name)) if item["linkId"] == question.link]
    given = answered(question, plausible(question))["answer"][0]
    value = (
        {"valueDateTime": given["valueDate"]}
        if "valueDate" in given
        else {"valueCodeableConcept": {"coding": [given["valueCoding"]]}}
    )
    suffix = f":{plausible(question)}" if question.repeats else ""
    assert recorded == {
        "resourceType": "Observation",
        "meta": {"profile": [item["definition"].partition("#")[0]]},
        "identifier": [{"system": form(name).url, "value": f"response-1:{question.link}:24028007{suffix}"}],
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": CATEGORY[name],
                        "display": CATEGORY[name].capitalize(),
                    }
                ]
            }
        ],
        "code": {"coding": item["code"]},
        "subject": {"reference": "Patient/p1"},
        "encounter": {"reference": "Encounter/e1"},
        "effectiveDateTime": NOW.isoformat(),
        "performer": [{"reference": "Practitioner/d1"}],
        **value,
        "bodySite": {
            "coding": [
                {
                    "system": "http://snomed.info/sct",
                    "code": "344001",
                    "display": "Ankle region structure (body structure)",
                },
                {"system": "http://snomed.info/sct", "code": "24028007", "display": "Right"},
            ]
        },
        "derivedFrom": [{"reference": "QuestionnaireResponse/response-1"}],
    }


@pytest.mark.parametrize("name", NAMES)
def test_each_ankle_keeps_its_own_answer(name: str) -> None:
    """The side is that of the same repetition, in whichever order the repetitions stand."""
    question = next(one for one in findings(name) if one.link.startswith("ankle.") and one.type == "choice")
    given = {**opened(name, question.link), question.link: plausible(question)}
    other = {**opened(name, question.link), question.link: plausible(question, 1)}
    response = respond(name, given, left=other)
    turned = {**response, "item": response["item"][::-1]}
    for one in (response, turned):
        told = {
            (sides(found)[0], found["valueCodeableConcept"]["coding"][0]["code"])
            for found in observations(one)
            if found["identifier"][0]["value"].startswith(f"response-1:{question.link}:")
        }
        assert told == {("right", plausible(question)), ("left", plausible(question, 1))}


@pytest.mark.parametrize(("name", "link"), [(n, q.link) for n in NAMES for q in findings(n) if q.repeats])
def test_each_option_chosen_is_an_observation(name: str, link: str) -> None:
    question = form(name).questions[link]
    chosen = [code for _, code in question.options][:3]
    recorded = [one for one in observations(respond(name, {**opened(name, link), link: chosen})) if link in _key(one)]
    assert [one["valueCodeableConcept"]["coding"][0]["code"] for one in recorded] == chosen
    assert len({_key(one) for one in recorded}) == len(chosen)


def test_a_test_that_was_not_performed_has_a_reason_and_no_value() -> None:
    tests = [one for one in findings("PaiExam") if ("not-performed" in {code for _, code in one.options})]
    assert len(tests) == 5
    for question in tests:
        recorded = observations(respond("PaiExam", {question.link: "not-performed"}))
        assert [one["dataAbsentReason"]["coding"][0]["code"] for one in recorded] == ["not-performed"]
        assert not [name for one in recorded for name in one if name.startswith("value")]


@pytest.mark.parametrize("name", NAMES)
def test_all_answered_gives_one_observation_for_each_question_and_ankle(name: str) -> None:
    given: dict[str, Any] = {}
    for question in questions(name):
        if question.link not in NO_FINDINGS:
            given |= {**{key: value for key, value in opened(name, question.link).items() if key not in given}}
            given.setdefault(question.link, plausible(question))
    given |= {link: plausible(form(name).questions[link]) for link in SET_BY.values() if link in form(name).questions}
    sided = {link: value for link, value in given.items() if link.startswith("ankle.")}
    recorded = observations(respond(name, given, left=sided))
    expected = sum(2 if one.link.startswith("ankle.") else 1 for one in findings(name))
    assert len(recorded) == expected
    assert all(sides(one) == ([] if ":ankle." not in _key(one) else sides(one)[:1]) for one in recorded)
    assert extract(respond(name, given, left=sided)).hidden == 0


@pytest.mark.parametrize("name", NAMES)
def test_an_old_response_keeps_its_day(name: str) -> None:
    question = next(one for one in findings(name) if not opened(name, one.link))
    (recorded,) = observations(respond(name, {question.link: plausible(question)}, authored=day(30)))
    assert recorded["effectiveDateTime"] == day(30)


@pytest.mark.parametrize(("name", "link"), EVERY_FINDING)
def test_saving_again_replaces(name: str, link: str) -> None:
    """A changed answer goes to the address of the first one; one that is taken back is taken out of the record."""
    question = form(name).questions[link]
    first, second = ({**opened(name, link), link: plausible(question, which)} for which in (0, 1))
    before = _address(name, link, first)
    if not question.repeats:
        assert _address(name, link, second) == before
    removed = {entry["request"]["url"] for entry in entries(respond(name, {}, status="amended"), "DELETE")}
    assert set(before) <= removed
    kept = {entry["request"]["url"] for entry in entries(respond(name, first, status="amended"), "DELETE")}
    assert not kept & set(before)
    assert not entries(respond(name, first), "DELETE")


def test_a_side_that_was_mistaken_is_taken_back_whole() -> None:
    """Right was answered, left was meant: the amended response leaves nothing of the right ankle."""
    wrong = respond("PaiExam", {"ankle.hot-swollen-joint": "yes"})
    amended = respond("PaiExam", {"ankle.hot-swollen-joint": "yes"}, side="left", status="amended")
    (before,) = [entry["request"]["url"] for entry in entries(wrong)]
    assert before in {entry["request"]["url"] for entry in entries(amended, "DELETE")}
    assert [sides(one) for one in observations(amended)] == [["left"]]


def _key(observation: Resource) -> str:
    value: str = observation["identifier"][0]["value"]
    return value


def _address(name: str, link: str, given: dict[str, Any]) -> list[str]:
    found = entries(respond(name, given))
    return [entry["request"]["url"] for entry in found if f":{link}" in entry["request"]["url"]]


# The round trip: response, extraction, logic


@pytest.mark.parametrize(("name", "link"), EVERY_FINDING)
@pytest.mark.parametrize("which", [0, 1, 2])
def test_the_logic_reads_what_was_answered_on_that_side_only(name: str, link: str, which: int) -> None:
    """For every item and, where it has options, for the first three and the last of them."""
    question = form(name).questions[link]
    codes = [code for _, code in question.options]
    answers = [plausible(question, which)] if len(codes) < which + 1 or which < 2 else [codes[2], codes[-1]]
    feature, _ = definition(name, link)
    care = (
        []
        if name != "PaiFollowUp" or feature == "StatedCareStart"
        else [_care_since(120, "right"), _care_since(120, "left")]
    )
    for answer in answers if codes or which == 0 else []:
        recorded = observations(respond(name, {**opened(name, link), link: answer}))
        expected = _expected(question, answer)
        assert _comparable(read(feature, recorded, "right", *care)) == expected, answer
        unsided = not link.startswith("ankle.")
        nothing = expected if unsided else ([] if feature in NO_RECORD_IS_EMPTY else None)
        assert _comparable(read(feature, recorded, "left", *care)) == nothing, answer


# Definitions that are lists of records, or known to be empty when nothing is found.
NO_RECORD_IS_EMPTY = {"ImagingFinding", "PainScore", "FaamAdlScore", "FaamSportsScore", "LefsScore"}
KNOWN = {"yes": True, "no": False, "unknown": None, "positive": True, "negative": False}
KNOWN |= {"indeterminate": None, "not-performed": None}


def _care_since(days: int, side: str) -> Resource:
    """A plan that began before the follow-up, for one ankle."""
    return {
        "resourceType": "Observation",
        "id": f"care-{side}",
        "status": "final",
        "code": {"coding": [{"system": f"{BASE}/CodeSystem/pai-findings", "code": "conservative-care-start-date"}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": day(days),
        "valueDateTime": day(days),
        "bodySite": {"coding": [{"system": "http://snomed.info/sct", "code": SIDES[side]}]},
    }


def _expected(question: Question, answer: Any) -> Any:
    """What the logic makes of an answer, as said in the data contract."""
    if question.type == "choice":
        if (
            answer in KNOWN
            and len(question.options) in {3, 4}
            and {"yes", "negative"} & {c for _, c in question.options}
        ):
            return KNOWN[answer]
        if answer == "unknown":
            return None
        return [answer] if question.repeats else answer
    if question.type == "date":
        return answer
    return Decimal(answer) if question.link == "gestational-age-weeks" else [Decimal(answer)]


def _comparable(value: Any) -> Any:
    if isinstance(value, list):
        return [_comparable(one["points"] if isinstance(one, dict) else one) for one in value]
    if isinstance(value, Code):
        return value.code
    return str(value) if isinstance(value, Date) else value


def test_both_ankles_at_once_do_not_mix() -> None:
    """Opposite answers in one response: each side reads its own."""
    recorded = observations(
        respond(
            "PaiExam",
            {"ankle.forced-plantarflexion-test": "positive", "ankle.posterior-tenderness-site": ["posterior-midline"]},
            left={"ankle.forced-plantarflexion-test": "negative", "ankle.posterior-tenderness-site": ["none-of-these"]},
        )
    )
    assert [read("ForcedPlantarflexionTest", recorded, side) for side in ("right", "left")] == [True, False]
    assert [_comparable(read("PosteriorTendernessSite", recorded, side)) for side in ("right", "left")] == [
        ["posterior-midline"],
        ["none-of-these"],
    ]


def test_the_modality_is_a_component_of_each_finding_and_dates_it() -> None:
    recorded = observations(
        respond(
            "PaiImagingAndInjectionFindings",
            {
                "ankle.imaging-modality": "mri",
                "ankle.imaging-date": day(40),
                "ankle.imaging-finding": ["os-trigonum", "posterior-marrow-oedema"],
                "ankle.diagnosis-uncertain": "no",
            },
        )
    )
    studied = [one for one in recorded if "component" in one]
    assert len(studied) == 2
    for one in studied:
        ((component,),) = [one["component"]]
        assert [part["code"] for part in component["code"]["coding"]] == ["imaging-modality"]
        assert [part["code"] for part in component["valueCodeableConcept"]["coding"]] == ["mri"]
        assert one["effectiveDateTime"] == day(40)
    (uncertain,) = [one for one in recorded if "component" not in one]
    assert uncertain["effectiveDateTime"] == NOW.isoformat()
    assert read("AdvancedImagingOnRecord", recorded, "right") is True


def test_the_hours_are_a_component_in_hours_per_week() -> None:
    given = {"activity-exposure": ["ballet-en-pointe", "soccer-kicking"], "activity-hours-per-week": Decimal("12.5")}
    recorded = observations(respond("PaiHistory", given))
    assert [one["component"][0]["valueQuantity"] for one in recorded] == [
        {"value": Decimal("12.5"), "unit": "h/wk", "system": "http://unitsofmeasure.org", "code": "h/wk"}
    ] * 2


def test_an_injection_dates_its_responses_on_its_own_side() -> None:
    answers = {
        "ankle.injection-date": day(50),
        "ankle.diagnostic-injection-response": "complete-relief",
        "ankle.steroid-injection-response": "no-relief",
    }
    recorded = observations(
        respond("PaiImagingAndInjectionFindings", answers, left={**answers, "ankle.injection-date": day(9)})
    )
    assert [(sides(one), one["effectiveDateTime"]) for one in recorded] == [
        (["right"], day(50)),
        (["left"], day(9)),
    ] * 2


# What is recorded has the shape its profile asks for


@pytest.mark.parametrize(("name", "link"), EVERY_ITEM)
def test_what_is_recorded_conforms_to_its_profile(name: str, link: str) -> None:
    """For every option of every item: the shape of R4, and the rules of the profile it claims."""
    question = form(name).questions[link]
    main = COMPONENTS.get(link, (link, ""))[0]
    for which in range(len(question.options) or 1):
        given = {**opened(name, link), link: plausible(question, which)}
        given.setdefault(main, plausible(form(name).questions[main]))
        recorded = observations(respond(name, given))
        assert any(f":{main}" in _key(one) for one in recorded)
        for one in recorded:
            assert not validate.shape_problems(one)
            assert not list(_departures(one))


def _departures(observation: Resource) -> Any:
    (canonical,) = observation["meta"]["profile"]
    elements = {part["id"]: part for part in PACKAGE.get(canonical)["differential"]["element"]}
    if observation["status"] not in {"preliminary", "final", "amended", "corrected"}:
        yield "status"
    for name in ("category", "subject", "effectiveDateTime"):
        if not observation.get(name):
            yield name
    yield from _differs("Observation", observation, elements)
    for component in observation.get("component", ()):
        (prefix,) = [key.removesuffix(".code") for key in elements if key.endswith(".code") and ":" in key]
        yield from _differs(prefix, component, elements)
    if ("Observation.bodySite" in elements) != (len(sides(observation)) == 1):
        yield "bodySite"


def _differs(prefix: str, node: Resource, elements: dict[str, Resource]) -> Any:
    pattern = elements[f"{prefix}.code"]["patternCodeableConcept"]["coding"][0]
    if (node["code"]["coding"][0]["system"], node["code"]["coding"][0]["code"]) != (pattern["system"], pattern["code"]):
        yield f"{prefix}.code"
    value = elements[f"{prefix}.value[x]"]
    (kind,) = [part["code"] for part in value["type"]]
    found = [name for name in node if name.startswith("value")]
    if "dataAbsentReason" in node:
        found.append("value" + kind[0].upper() + kind[1:]) if not found else None
        return
    if found != ["value" + kind[0].upper() + kind[1:]]:
        yield f"{prefix}.value"
    if kind == "CodeableConcept" and value["binding"]["strength"] == "required":
        (coding,) = node[found[0]]["coding"]
        if (coding["system"], coding["code"]) not in PACKAGE.value_sets[value["binding"]["valueSet"]]:
            yield f"{prefix}.binding"
    if kind == "Quantity" and not value["patternQuantity"].items() <= node[found[0]].items():
        yield f"{prefix}.unit"


# Hidden questions


@pytest.mark.parametrize(
    ("name", "link"), [(name, one.link) for name in NAMES for one in questions(name) if one.conditions]
)
def test_an_answer_to_a_question_that_was_not_shown_is_left_out(name: str, link: str) -> None:
    """Its opening answer is missing, so it was never asked."""
    response = respond(name, {link: plausible(form(name).questions[link])})
    assert extract(response).hidden == 1
    assert "entry" not in extract(response).bundle


def test_what_a_hidden_question_opens_is_hidden_too() -> None:
    """No published form has such a chain yet; this one asks about the injury only if the joint is hot."""
    resource = questionnaire("PaiExam")
    yes = {"system": f"{BASE}/CodeSystem/pai-answer", "code": "yes"}
    _item(resource, "ankle.acute-injury")["enableWhen"] = [
        {"question": "ankle.hot-swollen-joint", "operator": "=", "answerCoding": yes}
    ]
    chained = read_form(resource)
    assert chained is not None
    given = {"ankle.acute-injury": "yes", "ankle.cannot-bear-weight": "yes"}
    for hot, hidden in (("yes", 0), ("no", 2)):
        response = respond("PaiExam", {**given, "ankle.hot-swollen-joint": hot})
        assert forms.extract(response, {chained.url: chained}, patient=None, where="r.json").hidden == hidden


def test_the_other_ankle_opens_nothing() -> None:
    answers = {"ankle.cannot-bear-weight": "yes"}
    response = respond("PaiHistory", answers, left={"ankle.acute-injury": "yes"})
    assert extract(response).hidden == 1
    assert [_key(one) for one in observations(response)] == ["response-1:ankle.acute-injury:7771000"]


def test_none_of_these_beside_an_activity_hides_the_hours() -> None:
    """`!=` holds only if no answer is the one named. https://hl7.org/fhir/R4/valueset-questionnaire-enable-operator.html"""
    given = {"activity-exposure": ["none-of-these", "high-heels"], "activity-hours-per-week": 3}
    assert extract(respond("PaiHistory", given)).hidden == 1


@pytest.mark.parametrize(
    ("name", "link", "who", "shown"),
    [
        ("PaiExam", "ankle.calcaneal-squeeze-test", {"birthDate": "2008-03-13"}, True),
        ("PaiExam", "ankle.calcaneal-squeeze-test", {"birthDate": "2008-03-12"}, False),
        ("PaiExam", "ankle.calcaneal-squeeze-test", {"birthDate": "1960"}, False),
        ("PaiExam", "ankle.calcaneal-squeeze-test", {"birthDate": "2008-03"}, True),
        ("PaiExam", "ankle.calcaneal-squeeze-test", {}, True),
        ("PaiExam", "ankle.calcaneal-squeeze-test", None, True),
        ("PaiHistory", "ankle.unexplained-bone-pain", {"birthDate": "2012-01-01"}, True),
        ("PaiHistory", "ankle.unexplained-bone-pain", {"birthDate": "1980-01-01"}, False),
        ("PaiHistory", "gestational-age-weeks", {"gender": "male"}, False),
        ("PaiHistory", "gestational-age-weeks", {"gender": "female"}, True),
        ("PaiHistory", "gestational-age-weeks", {"gender": "unknown"}, True),
        ("PaiHistory", "gestational-age-weeks", {}, True),
        ("PaiHistory", "gestational-age-weeks", None, True),
    ],
)
def test_age_and_sex_decide_about_three_questions(name: str, link: str, who: Resource | None, shown: bool) -> None:
    """As of the day the form was answered (18th birthday included); what is not known shows the question."""
    person = {"resourceType": "Patient", "id": "p1", **who} if who is not None else None
    response = respond(name, {link: plausible(form(name).questions[link])}, authored="2026-03-12T09:30:00-07:00")
    assert len(observations(response, patient=person)) == shown


def test_an_expression_that_decides_nothing_is_refused() -> None:
    """A form must say itself what it does when the age is not known."""
    resource = questionnaire("PaiExam")
    _shown_by("%patient.birthDate <= today() - 18 years")(resource)
    undecided = read_form(resource)
    assert undecided is not None
    response = respond("PaiExam", {"ankle.calcaneal-squeeze-test": "positive"})
    with pytest.raises(ContentError, match="neither true nor false"):
        forms.extract(response, {undecided.url: undecided}, patient=None, where="r.json")


def test_the_age_is_that_of_the_day_of_the_answer() -> None:
    """A response of the day before the 18th birthday, extracted years later, is still that of a child."""
    person = {"resourceType": "Patient", "id": "p1", "birthDate": "2004-02-29"}
    for authored, shown in (("2022-02-27", 1), ("2022-02-28", 1), ("2022-03-01", 0)):
        response = respond("PaiExam", {"ankle.calcaneal-squeeze-test": "positive"}, authored=authored)
        assert len(observations(response, patient=person)) == shown, authored


# Refusals

PRIVATE = "patients-own-words"


def _exam() -> Resource:
    return respond(
        "PaiExam",
        {"ankle.forced-plantarflexion-test": "positive", "ankle.posterior-tenderness-site": ["posterior-midline"]},
    )


def _at(path: str, value: Any) -> Callable[[Resource], None]:
    """Set one element, named by a path such as item.0.item.1.answer; None removes it."""

    def change(response: Resource) -> None:
        *steps, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
        node: Any = response
        for step in steps:
            node = node[step]
        if value is None:
            del node[last]
        elif isinstance(node, list) and last == len(node):
            node.append(value)
        else:
            node[last] = value

    return change


_SIDE = answered(form("PaiExam").questions["ankle.side"], SIDES["right"])
_ANSWER = {"valueCoding": {"system": f"{BASE}/CodeSystem/pai-test-result", "code": "positive"}}
REFUSED = {
    "another-type": (_at("resourceType", "Observation"), "no QuestionnaireResponse", ""),
    "no-id": (_at("id", None), "no id", "id"),
    "in-progress": (_at("status", "in-progress"), "completed or amended", "status"),
    "entered-in-error": (_at("status", "entered-in-error"), "completed or amended", "status"),
    "stopped": (_at("status", "stopped"), "completed or amended", "status"),
    "no-status": (_at("status", None), "completed or amended", "status"),
    "another-form": (_at("questionnaire", f"{BASE}/Questionnaire/{PRIVATE}|0.1.0"), "another form", "questionnaire"),
    "another-version": (_at("questionnaire", f"{BASE}/Questionnaire/PaiExam|0.0.9"), "another form", "questionnaire"),
    "no-version": (_at("questionnaire", f"{BASE}/Questionnaire/PaiExam"), "no version", "questionnaire"),
    "no-form": (_at("questionnaire", None), "another form", "questionnaire"),
    "no-subject": (_at("subject", None), "reference to Patient", "subject"),
    "subject-is-a-group": (_at("subject", {"reference": "Group/1"}), "reference to Patient", "subject"),
    "subject-by-name": (_at("subject", {"display": PRIVATE}), "reference to Patient", "subject"),
    "encounter-unreadable": (_at("encounter", {"reference": "Encounter"}), "reference to Encounter", "encounter"),
    "author-is-a-device": (_at("author", {"reference": "Device/1"}), "reference to Practitioner", "author"),
    "no-authored": (_at("authored", None), "at least to the day", "authored"),
    "authored-a-month": (_at("authored", "2026-03"), "at least to the day", "authored"),
    "authored-no-day": (_at("authored", "2026-02-30"), "at least to the day", "authored"),
    "items-no-list": (_at("item", {}), "list of items", "item"),
    "item-no-object": (_at("item.0", PRIVATE), "no item of this linkId", "item[0].linkId"),
    "unknown-link": (_at("item.0.item.1.linkId", PRIVATE), "no item of this linkId", "item[0].item[1].linkId"),
    "link-no-text": (_at("item.0.item.1.linkId", [PRIVATE]), "no item of this linkId", "item[0].item[1].linkId"),
    "link-of-another-place": (_at("item.1", _SIDE), "no item of this linkId", "item[1].linkId"),
    "side-missing": (_at("item.0.item.0", None), "ankle.side is missing", "item[0]"),
    "group-empty": (_at("item.0", {"linkId": "ankle"}), "ankle.side is missing", "item[0]"),
    "side-unanswered": (_at("item.0.item.0.answer", None), "list of answers", "item[0].item[0].answer"),
    "side-of-both": (
        _at("item.0.item.0.answer.0.valueCoding.code", SIDES["both"]),
        "none of the options",
        "item[0].item[0].answer[0].valueCoding",
    ),
    "side-twice": (_at("item.1", {"linkId": "ankle", "item": [_SIDE]}), "answers ankle.side the same", "item[1]"),
    "item-twice": (
        _at("item.0.item.3", {"linkId": "ankle.forced-plantarflexion-test", "answer": [_ANSWER]}),
        "stands twice",
        "item[0].item[3]",
    ),
    "group-answered": (_at("item.0.answer", [_ANSWER]), "group has no answer", "item[0].answer"),
    "answers-no-list": (_at("item.0.item.1.answer", _ANSWER), "list of answers", "item[0].item[1].answer"),
    "two-answers": (_at("item.0.item.1.answer.1", _ANSWER), "takes one answer", "item[0].item[1].answer"),
    "option-twice": (
        _at(
            "item.0.item.2.answer.1",
            {"valueCoding": {"system": f"{BASE}/CodeSystem/pai-findings", "code": "posterior-midline"}},
        ),
        "given twice",
        "item[0].item[2].answer[1]",
    ),
    "another-option": (
        _at("item.0.item.1.answer.0.valueCoding.code", PRIVATE),
        "none of the options",
        "item[0].item[1].answer[0].valueCoding",
    ),
    "code-of-another-system": (
        _at("item.0.item.1.answer.0.valueCoding.system", f"{BASE}/CodeSystem/pai-answer"),
        "none of the options",
        "item[0].item[1].answer[0].valueCoding",
    ),
    "display-of-another-option": (
        _at("item.0.item.1.answer.0.valueCoding.display", "Negative"),
        "display is not that of the option",
        "item[0].item[1].answer[0].valueCoding",
    ),
    "display-no-text": (
        _at("item.0.item.1.answer.0.valueCoding.display", [PRIVATE]),
        "display is not that of the option",
        "item[0].item[1].answer[0].valueCoding",
    ),
    "words-for-a-code": (
        _at("item.0.item.1.answer.0", {"valueString": PRIVATE}),
        "answered by one valueCoding",
        "item[0].item[1].answer[0]",
    ),
    "two-values": (
        _at("item.0.item.1.answer.0.valueString", PRIVATE),
        "answered by one valueCoding",
        "item[0].item[1].answer[0]",
    ),
    "no-value": (_at("item.0.item.1.answer.0", {}), "answered by one valueCoding", "item[0].item[1].answer[0]"),
    "coding-no-object": (
        _at("item.0.item.1.answer.0.valueCoding", PRIVATE),
        "system and code",
        "item[0].item[1].answer[0].valueCoding",
    ),
    "item-beside-answer": (_at("item.0.item.1.item", [_SIDE]), "inside its answer", "item[0].item[1].item"),
    "item-below-answer": (
        _at("item.0.item.1.answer.0.item", [_SIDE]),
        "no item of this linkId",
        "item[0].item[1].answer[0].item[0].linkId",
    ),
    "display-answered": (
        _at("item.0.item.3", {"linkId": "ankle.red-flags", "answer": [_ANSWER]}),
        "answers to a question",
        "item[0].item[3].answer",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_whole_response_is_refused_by_its_place(case: str) -> None:
    """The file, the JSON path and the rule; never a word of what was answered."""
    change, message, place = REFUSED[case]
    response = _exam()
    change(response)
    with pytest.raises(ContentError) as refused:
        extract(response)
    said = str(refused.value)
    assert message in said
    assert f"response.json: QuestionnaireResponse.{place}\n" in said if place else "response.json" in said
    assert "https://hl7.org/fhir/R4/questionnaireresponse" in said
    assert PRIVATE not in said


def test_a_refusal_ends_with_2_and_prints_no_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    response = _exam()
    response["item"][0]["item"][1]["answer"][0]["valueCoding"]["code"] = PRIVATE
    file = tmp_path / "response.json"
    file.write_bytes(write_json(response))
    assert cli.main(["extract", str(file)]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert f"{file}: QuestionnaireResponse.item[0].item[1].answer[0].valueCoding" in said.err
    assert PRIVATE not in said.err


@pytest.mark.parametrize(
    ("name", "link", "value", "message"),
    [
        ("PaiFollowUp", "ankle.pain-score", 11, "from 0 to 10"),
        ("PaiFollowUp", "ankle.pain-score", -1, "from 0 to 10"),
        ("PaiFollowUp", "ankle.pain-score", Decimal("3.5"), "whole number"),
        ("PaiFollowUp", "ankle.pain-score", True, "A number"),
        ("PaiFollowUp", "ankle.pain-score", "3", "A number"),
        ("PaiFollowUp", "ankle.lefs-score", 81, "from 0 to 80"),
        ("PaiFollowUp", "ankle.faam-adl-score", Decimal("100.5"), "from 0 to 100"),
        ("PaiHistory", "gestational-age-weeks", 46, "from 0 to 45"),
        ("PaiHistory", "ankle.symptom-onset-date", "last spring", "A date such as"),
        ("PaiHistory", "ankle.symptom-onset-date", "2026-02-30", "A date such as"),
        ("PaiHistory", "ankle.symptom-onset-date", "2026-13", "A date such as"),
    ],
)
def test_a_number_or_date_that_cannot_be_is_refused(name: str, link: str, value: Any, message: str) -> None:
    with pytest.raises(ContentError, match=message):
        extract(respond(name, {link: value}))


@pytest.mark.parametrize("value", ["2026", "2026-02", "2026-02-28"])
def test_a_date_may_be_less_precise_than_a_day(value: str) -> None:
    """The record says what is known; the rules read a date only when its day is known."""
    (recorded,) = observations(respond("PaiHistory", {"ankle.symptom-onset-date": value}))
    assert recorded["valueDateTime"] == value


def test_the_bounds_themselves_are_taken() -> None:
    given = {"ankle.pain-score": 0, "ankle.lefs-score": 80, "ankle.faam-adl-score": Decimal("99.5")}
    assert len(observations(respond("PaiFollowUp", given))) == 3


def test_every_fault_is_told_at_once() -> None:
    response = _exam()
    response["status"] = "draft"
    response["item"][0]["item"][1]["answer"][0]["valueCoding"]["code"] = "perhaps"
    with pytest.raises(ContentError) as refused:
        extract(response)
    assert len(refused.value.causes) == 2


@pytest.mark.parametrize(
    "given", [{"resourceType": "Patient", "id": "someone-else"}, {"resourceType": "Person", "id": "p1"}, ["p1"], {}]
)
def test_the_patient_given_must_be_the_subject(given: Any) -> None:
    with pytest.raises(ContentError, match="not the subject"):
        extract(_exam(), patient=given)


def test_without_author_and_encounter_none_is_named() -> None:
    """Both are optional in a response; neither is made up."""
    response = _exam()
    del response["author"], response["encounter"]
    for one in observations(response):
        assert not {"performer", "encounter"} & one.keys()


def test_extracting_changes_nothing_given() -> None:
    response = _exam()
    before = copy.deepcopy(response)
    assert extract(response).bundle == extract(response).bundle
    assert response == before


# Forms that cannot be executed are refused on loading


def _item(resource: Resource, link: str) -> Resource:
    (found,) = [item for item in items(resource) if item["linkId"] == link]
    return found


def _shown_by(expression: str) -> Callable[[Resource], None]:
    def change(resource: Resource) -> None:
        (part,) = [
            part for part in _item(resource, "ankle.calcaneal-squeeze-test")["extension"] if part["url"] == ENABLE
        ]
        part["valueExpression"]["expression"] = expression

    return change


UNEXECUTABLE: dict[str, Callable[[Resource], None]] = {
    "function": _shown_by("%patient.birthDate.matches('2')"),
    "operator": _shown_by("%patient.name[0].exists()"),
    "variable": _shown_by("%encounter.exists()"),
    "unfinished": _shown_by("(%patient.gender = 'male'"),
    "rest": _shown_by("true false"),
    "literal": _shown_by("@2008-05-14 <= today()"),
    "character": _shown_by("%patient.gender ~ 'male'"),
    "type": lambda resource: _item(resource, "ankle.pain-location").update(type="open-choice"),
    "enable-operator": lambda resource: _item(resource, "ankle.achilles-gap")["enableWhen"][0].update(operator=">"),
    "enable-answer": lambda resource: _item(resource, "ankle.open-injury")["enableWhen"].append(
        {"question": "ankle.acute-injury", "operator": "=", "answerString": "yes"}
    ),
    "enable-elsewhere": lambda resource: _item(resource, "ankle")["item"][1].update(
        enableWhen=[{"question": "no-such-item", "operator": "exists", "answerBoolean": True}]
    ),
    "enable-circle": lambda resource: _item(resource, "ankle.calf-squeeze-test").update(
        enableWhen=[{"question": "ankle.achilles-gap", "operator": "exists", "answerBoolean": True}]
    ),
    "primitive": lambda resource: resource["contained"][0]["entry"][0]["resource"].update(_status={"id": "a"}),
    "template": lambda resource: resource["contained"][0]["entry"][0]["extension"][0].update(
        valueString="%resource.item.aggregate(item)"
    ),
}


@pytest.mark.parametrize("case", UNEXECUTABLE)
def test_a_form_that_cannot_be_executed_is_refused_on_loading(case: str) -> None:
    """With the place in the form and the rule: nothing is guessed when a response comes."""
    resource = questionnaire("PaiExam")
    assert read_form(resource) is not None
    UNEXECUTABLE[case](resource)
    with pytest.raises(ContentError) as refused:
        read_form(resource)
    assert refused.value.where.startswith("Questionnaire/PaiExam") if refused.value.where else False
    assert refused.value.spec


def test_the_published_forms_can_be_executed() -> None:
    assert forms.check(PACKAGE) == ()
    assert [one.id for one in FORMS.values()] == sorted(NAMES)


DERIVED = {
    "no-category": ("PaiExam", "sdc-questionnaire-observation-extract-category", "designNote", "no category"),
    "site": (
        "PaiExam",
        'http://snomed.info/sct, code: "344001"',
        "",
        "which one is meant",
    ),
    "type": (
        "PaiFollowUp",
        "        text: Pain now, 0 to 10\n        type: integer",
        "        text: Pain now, 0 to 10\n        type: date",
        "Type date",
    ),
    "element": (
        "PaiFollowUp",
        "PaiPainScore#Observation.value[x]",
        "PaiPainScore#Observation.method",
        "fills Observation.value",
    ),
    "date": (
        "PaiImagingAndInjectionFindings",
        'expression: "%imagingDate"',
        'expression: "%studyDate"',
        "names no variable",
    ),
    "component-alone": (
        "PaiImagingAndInjectionFindings",
        "PaiImagingFinding#Observation.value[x]",
        "PaiDiagnosticInjectionResponse#Observation.value[x]",
        "value that this component belongs to",
    ),
    "sides": (
        "PaiFollowUp",
        "        required: true\n        answerOption:",
        "        answerOption:",
        "which one is meant",
    ),
}


@pytest.mark.parametrize("case", DERIVED)
def test_what_cannot_be_derived_is_refused_at_its_line(case: str, tmp_path: Path) -> None:
    name, old, new, message = DERIVED[case]
    folder = tmp_path / "content"
    shutil.copytree(CONTENT, folder)
    file = folder / "questionnaires" / f"{name}.yaml"
    text = file.read_text("utf-8")
    assert old in text
    if case == "no-category":
        start = text.index("  - url: http://hl7.org/fhir/uv/sdc/StructureDefinition/" + old)
        text = text[:start] + text[text.index("  - url:", start + 1) :]
    elif case == "site":
        start = text.index("    code:\n")
        text = text[:start] + text[text.index("    text:", start) :]
    else:
        text = text.replace(old, new, 1)
    file.write_text(text, "utf-8")
    with pytest.raises(ContentError) as refused:
        artifacts.load(folder, profiles=ROOT / "profiles")
    assert message in str(refused.value)
    assert f"{name}.yaml:" in str(refused.value)


# The command line and the examples


@pytest.mark.parametrize("name", NAMES)
def test_an_example_gives_what_stands_beside_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A filled form and the Bundle it becomes, compared whole; the summary does not mix with the Bundle."""
    folder = EXAMPLES / name
    person = ["--patient", str(folder / "patient.json")] if (folder / "patient.json").exists() else []
    assert cli.main(["extract", str(folder / "response.json"), *person]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == json.loads((folder / "expected.json").read_text("utf-8"))
    assert said.err.startswith(f"{name} {form(name).version}: ")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_valid_and_holds_no_answer_of_another_place(name: str) -> None:
    response = read_json_file(EXAMPLES / name / "response.json")
    assert response["questionnaire"] == f"{form(name).url}|{form(name).version}"
    assert not validate.shape_problems(response)
    for entry in read_json_file(EXAMPLES / name / "expected.json")["entry"]:
        if "resource" in entry:
            assert not validate.shape_problems(entry["resource"])
            assert not list(_departures(entry["resource"]))


def test_every_form_has_an_example() -> None:
    assert sorted(path.name for path in EXAMPLES.iterdir()) == sorted(NAMES)


def test_the_bundle_can_be_written_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bundle.json"
    response = EXAMPLES / "PaiExam" / "response.json"
    assert cli.main(["extract", str(response), "--out", str(out)]) == 0
    assert not capsys.readouterr().out
    assert json.loads(out.read_text("utf-8"))["type"] == "transaction"


def test_a_long_response_is_read_in_full() -> None:
    """Text of any length beside the answers changes nothing."""
    response = _exam()
    for item in response["item"][0]["item"]:
        item["text"] = "a" * 200_000
    assert len(observations(response)) == 2


def test_what_is_extracted_opens_a_card() -> None:
    """From form to recommendation: history and examination filled in, the pattern fits."""
    history = respond(
        "PaiHistory", {"ankle.pain-location": ["posterior-midline"], "ankle.pain-worse-plantarflexion": "yes"}
    )
    recorded = [*observations(history), *observations(_exam())]
    assert read("PatternFits", recorded, "right") is True
    assert read("PatternFits", recorded, "left") is None
