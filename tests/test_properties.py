"""What is true of the guideline on every chart, tried on random ones. What is claimed: `properties*.py`.

The same charts each time; `ANKLE_CDS_EXAMPLES=5000 python -m pytest tests/test_properties.py` tries others, and more.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, reject, settings
from hypothesis import strategies as st

import properties
import properties_less_known
from ankle_cds import artifacts
from ankle_cds.prefetch.reading import Reading
from breaking import become, broken, text, truth, wherever
from charts import TODAY
from mirrored import LEFT, RIGHT, named
from random_charts import World, charts

if TYPE_CHECKING:
    from collections.abc import Callable

    from journey import Chart

    Property = Callable[[World, Chart, int], None]

ASKED = os.environ.get("ANKLE_CDS_EXAMPLES")
SETTINGS = settings(
    max_examples=int(ASKED or 60),
    derandomize=ASKED is None,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
PATIENT = settings(SETTINGS, max_examples=3_000, phases=[Phase.generate])  # until one is found, which is soon
WORLD = World(artifacts.load_all()["posterior-ankle-impingement"])
CHOICES = st.integers(0, 2**16)
EVERY: list[Property] = [
    properties.what_is_closed_is_never_unknown,
    properties.the_cards_are_those_that_apply_and_keep_their_limits,
    properties.the_order_of_records_says_nothing,
    properties.unrelated_records_say_nothing,
    properties.another_patients_records_say_nothing,
    properties.the_other_ankle_gets_the_same_answer,
    properties.another_day_gets_the_same_answer,
    properties_less_known.an_input_that_is_lost_denies_nothing,
    properties_less_known.an_input_that_is_lost_offers_nothing,
    properties_less_known.an_input_that_is_lost_comforts_nobody,
    properties_less_known.an_item_that_was_not_asked_turns_no_unknown_into_an_answer,
]


@pytest.mark.parametrize("holds", EVERY, ids=[one.__name__ for one in EVERY])
def test_on_every_chart(holds: Property) -> None:
    @SETTINGS
    @given(charts(WORLD), CHOICES)
    def claim(chart: Chart, choice: int) -> None:
        try:
            holds(WORLD, chart, choice)
        except properties.Beside:
            reject()

    claim()


def test_the_charts_that_are_drawn_reach_every_phase_and_recommendation() -> None:
    """A property of charts on which nothing happens would claim nothing."""
    # A check of draft orders is about drafts, which these charts have only where a fixture brings them.
    rules = {
        properties.rule_of(action)
        for action in properties.recommendations(WORLD.package).values()
        if any(trigger["name"] == "encounter-start" for trigger in action["trigger"])
    }
    phases = {name for name in WORLD.package.program.definitions if name.startswith("Phase")}
    missing = rules | phases

    def is_last(chart: Chart) -> bool:
        ev = properties.evaluate(WORLD.package, chart)
        missing.difference_update([name for name in missing if ev[name]])
        return not missing

    # The rarest rule is reached by one chart in a thousand: three thousand draws miss it now and then.
    assert find(charts(WORLD), is_last, settings=settings(PATIENT, max_examples=20_000)), missing


def test_every_code_of_one_side_has_its_twin_on_the_other() -> None:
    """[C.3 side table] And a code is in the same value sets as its twin."""
    assert named(WORLD.package, RIGHT).keys() == named(WORLD.package, LEFT).keys()
    for url, members in WORLD.package.value_sets.items():
        if not url.endswith((RIGHT, LEFT)):
            assert {WORLD.mirror.twins.get(code, code) for code in members} == members, url


def _drop_case(place: int) -> Callable[[dict[str, Any]], object]:
    return lambda node: node["caseItem"].pop(place)


TODAY_FOR_EVER = {"type": "Date", "resultTypeName": "{urn:hl7-org:elm-types:r1}Date"} | {
    part: {"type": "Literal", "valueType": "{urn:hl7-org:elm-types:r1}Integer", "value": str(getattr(TODAY, part))}
    for part in ("year", "month", "day")
}
BREAKS: list[tuple[str, Callable[[Any], object], Property]] = [
    ("PaiLogic.PhaseRedFlag", become({"type": "ExpressionRef", "name": "FlagHotJoint"}), EVERY[0]),
    ("PaiLogic.AboutThisAdvice", become(text("Impingement is ruled out.")), EVERY[1]),
    ("PaiCommon.OfLatestDay", wherever("Max", {"type": "First"}), EVERY[2]),
    ("PaiLogic.WorkingDiagnosisRecords", wherever("InValueSet", truth(value=True)), EVERY[3]),
    ("PaiCommon.CombinedSide", _drop_case(2), EVERY[5]),
    ("PaiLogic.Episode", wherever("Today", TODAY_FOR_EVER), EVERY[6]),
    ("PaiLogic.Known", _drop_case(1), EVERY[7]),
    ("PaiLogic.EarlierImagingUnknown", become(truth(value=False)), EVERY[8]),
    ("PaiLogic.UnavailableLine", become({"type": "Null"}), EVERY[9]),
    ("PaiCommon.AnyYes", lambda node: node.__setitem__("else", truth(value=False)), EVERY[10]),
]


def fails(holds: Property, chart: Chart, choice: int) -> bool:
    try:
        holds(WORLD, chart, choice)
    except properties.Beside:
        return False
    except AssertionError:
        return True
    return False


def some_chart_shows(holds: Property) -> bool:
    """Tell whether the charts of the test above would show that the property does not hold."""
    return bool(find(st.tuples(charts(WORLD), CHOICES), lambda given: fails(holds, *given), settings=PATIENT))


@pytest.mark.parametrize(("name", "change", "holds"), BREAKS, ids=[name for name, _, _ in BREAKS])
def test_a_broken_rule_is_noticed(name: str, change: Callable[[Any], object], holds: Property) -> None:
    with broken(WORLD.package, name, change):
        assert some_chart_shows(holds)


def test_a_service_that_reads_another_patient_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Reading, "_is_other_patients", lambda _self, _resource: False)
    assert some_chart_shows(properties.another_patients_records_say_nothing)
