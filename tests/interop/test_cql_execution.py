"""Another CQL engine, cql-execution on Node, gives the same value for every definition on every example chart.

Both engines run the committed ELM at the story's clock; every chart is evaluated without a side, for the right ankle,
for the left one and for both. Values are compared, null included.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from toolchain import HERE, needs, node_folder, run

from ankle_cds import artifacts, stories
from ankle_cds.elm import values
from ankle_cds.elm.temporal import Date, DateTime, Time
from ankle_cds.fhir import write_json

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.interop, needs("node", "npm")]

SIDES = (None, "right", "left", "both")
CONTENT = Path(artifacts.__file__).resolve().parents[1] / "content"
CLOCK = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)T(?P<rest>[\d:.]+)(?P<offset>Z|[+-]\d\d:\d\d)?")


def ours(value: Any) -> Any:
    """Write a value of our engine in the form of run.mjs."""
    if value is None or isinstance(value, bool | str):
        return value
    return FORMS[next(kind for kind in type(value).__mro__ if kind in FORMS)](value)


FORMS: dict[type, Callable[[Any], Any]] = {
    int: float,
    Decimal: float,
    list: lambda value: [ours(item) for item in value],
    tuple: lambda value: [ours(item) for item in value],
    dict: lambda value: {"tuple": {key: ours(item) for key, item in value.items()}},
    Date: lambda value: {"date": str(value)},
    DateTime: lambda value: {"datetime": str(value)},
    Time: lambda value: {"time": str(value)},
    values.Quantity: lambda value: {"quantity": [float(value.value), value.unit]},
    values.Ratio: lambda value: {"ratio": [ours(value.numerator), ours(value.denominator)]},
    values.Interval: lambda value: {
        "interval": [ours(value.low), ours(value.high), value.low_closed, value.high_closed]
    },
    values.Code: lambda value: {"code": [value.system, value.code, value.display]},
    values.Concept: lambda value: {"concept": [[ours(code) for code in value.codes], value.display]},
    values.FhirResource: lambda value: {"resource": value.reference},
    values.Fhir: lambda value: {"element": value.json},
}


def comparable(value: Any) -> Any:
    """Bring the forms of both engines together: instants at UTC, numbers to eight decimals, no null tuple members."""
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, float | int) and not isinstance(value, bool):
        return round(float(value), 8)
    if not isinstance(value, dict):
        return value
    if "datetime" in value:
        return {"datetime": at_utc(value["datetime"])}
    if "tuple" in value:
        return {"tuple": {key: comparable(item) for key, item in value["tuple"].items() if item is not None}}
    return {key: comparable(item) for key, item in value.items()}


def at_utc(text: str) -> str:
    """Write a CQL DateTime of hour or finer precision at UTC, its precision unchanged."""
    found = CLOCK.fullmatch(text)
    if not found or found["offset"] is None:
        return text
    time, _, fraction = found["rest"].partition(".")
    moment = datetime.fromisoformat(f"{found['day']}T{time}{found['offset']}").astimezone(UTC)
    written = moment.strftime("%Y-%m-%dT%H:%M:%S")[: len("2026-01-01T") + len(time)]
    return f"{written}.{fraction}" if fraction else written


@pytest.fixture(scope="module")
def charts() -> list[dict[str, Any]]:
    """Every example chart, once for each side, as run.mjs reads it."""
    read = []
    for story in stories.read_all():
        given = {"EncounterId": story.encounter, "UnavailableInputs": list(story.unavailable), **story.parameters}
        for side in SIDES:
            parameters = {name: value for name, value in {**given, "EvaluationSide": side}.items() if value is not None}
            read.append(
                {
                    "id": f"{story.id}/{side}",
                    "resources": [entry["resource"] for entry in story.chart()["entry"]],
                    "now": story.clock.isoformat(),
                    "parameters": parameters,
                }
            )
    return read


def test_every_definition_has_the_same_value_on_cql_execution(
    charts: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    """For every definition and chart: both engines agree, and neither raises."""
    (package,) = artifacts.load_all().values()
    libraries = [json.loads(file.read_text("utf-8")) for file in sorted(CONTENT.glob("*/logic/elm/*.json"))]
    members = {
        value_set["url"]: [
            {"system": m["system"], "code": m["code"]} for m in value_set["expansion"].get("contains", ())
        ]
        for value_set in package.of_type("ValueSet")
    }
    job = {"libraries": libraries, "primary": "PaiLogic", "valueSets": members, "charts": charts}
    theirs = json.loads(run(["node", node_folder(HERE / "cql_execution") / "run.mjs"], stdin=write_json(job).decode()))

    compared, different = 0, []
    for chart in charts:
        now = datetime.fromisoformat(chart["now"])
        evaluation = package.program.evaluate(chart["resources"], now=now, parameters=chart["parameters"])
        answers = theirs[chart["id"]]
        assert set(answers) - {"Patient"} == set(package.program.definitions) - {"Patient"}
        for name in package.program.definitions:
            mine, other = comparable(ours(evaluation[name])), comparable(answers[name])
            compared += 1
            if mine != other:
                different.append(
                    f"{chart['id']} {name}: ours {json.dumps(mine)[:300]}, theirs {json.dumps(other)[:300]}"
                )
    assert compared == len(charts) * len(package.program.definitions)
    assert not different, f"{len(different)} of {compared} values differ:\n" + "\n".join(different[:50])
    with capsys.disabled():
        print(f" {compared} values compared, 0 different", end="")  # noqa: T201 -- the figures are the result
