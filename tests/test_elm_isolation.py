"""No state outlives one evaluation, and evaluations of different patients never mix."""

from __future__ import annotations

import copy
import threading
from datetime import timedelta, timezone
from typing import Any

from ankle_cds import elm
from engine_probe import NOW, PAINS, chart, condition, documents, evaluate, kidney, patient, program

SICK = [patient(), condition("c1", "ankle", onsetDateTime="2026-11-01"), kidney("o1", 12, "2026-11-01")]
WELL = [patient(id="q", birthDate="2015-01-01"), kidney("o1", 100, "2026-11-01", status="amended")]


def answers(record: list[dict[str, Any]]) -> dict[str, Any]:
    ev = evaluate(record)
    names = ("Has pain", "Kidney below", "Age", "Pains recorded", "Kidney quantity", "Kidney words")
    return {name: elm.to_json(ev[name]) for name in names}


def test_the_second_patient_never_gets_the_first_ones_answer() -> None:
    first, second = answers(SICK), answers(WELL)
    assert (first["Has pain"], second["Has pain"]) == (True, False)
    assert (first["Kidney below"], second["Kidney below"]) == (True, False)
    assert (first["Age"], second["Age"]) == (18, 11)
    assert (first["Kidney words"], second["Kidney words"]) == ("o1 final", "o1 amended")
    assert answers(SICK) == first


def test_two_open_evaluations_do_not_mix() -> None:
    one, two = evaluate(SICK), evaluate(WELL)
    assert one["Kidney quantity"] != two["Kidney quantity"]
    assert (one["Has pain"], two["Has pain"]) == (True, False)
    assert one.trace("Has pain").uses[0].resources == ("Condition/c1",)
    assert two.trace("Has pain").uses[0].resources == ()


def test_threads_do_not_mix() -> None:
    expected = [answers(SICK), answers(WELL)]
    failures: list[Any] = []

    def ask(which: int) -> None:
        for _ in range(40):
            found = answers((SICK, WELL)[which])
            if found != expected[which]:
                failures.append(found)

    threads = [threading.Thread(target=ask, args=(number % 2,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_the_record_is_never_changed() -> None:
    record = chart()
    before = copy.deepcopy(record)
    ev = evaluate(record, Words=["a"])
    for name in program().definitions:
        if name != "Never asked":
            ev[name]
    assert record == before


def test_the_clock_is_the_argument_and_nothing_else() -> None:
    later = program().evaluate([patient()], now=NOW + timedelta(days=365))
    assert (evaluate([patient()])["Age"], later["Age"]) == (18, 19)


def test_the_offset_of_the_clock_decides_what_today_is() -> None:
    midnight = NOW.replace(hour=0, minute=10)
    program_ = program()
    assert program_.evaluate([patient()], now=midnight)["Age"] == 18
    assert program_.evaluate([patient()], now=midnight.astimezone(timezone(timedelta(hours=-8))))["Age"] == 17


def test_value_sets_given_to_load_are_not_shared_with_the_caller() -> None:
    codes = {("http://example.org/sct", "ankle")}
    loaded = elm.load(documents(), primary="EngineProbe", value_sets={PAINS: codes})
    codes.clear()
    assert loaded.evaluate(SICK, now=NOW)["Has pain"] is True


def test_a_repeated_question_gives_the_same_value() -> None:
    ev = evaluate(chart())
    assert ev["Kidney results"] is ev["Kidney results"]


def test_two_resources_with_one_id_are_told_apart() -> None:
    """A function of a resource is computed for each resource, not for each reference."""
    twice = [patient(), kidney("o1", 50, "2026-01-01"), kidney("o1", 70, "2026-02-01", status="amended")]
    assert evaluate(twice)["Kidney words"] == "o1 amended"
    assert [row.json["status"] for row in evaluate(twice)["Kidney results"]] == ["amended", "final"]
