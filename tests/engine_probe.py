"""The probe library (real CQL over FHIR, translated) and a chart for it, shared by the engine's tests."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

from ankle_cds import elm

HERE = Path(__file__).parent
PROBE = HERE / "data" / "engine-probe" / "EngineProbe.json"
HELPERS = HERE.parent / "src/ankle_cds/content/posterior-ankle-impingement/logic/elm/FHIRHelpers.json"
SCT = "http://example.org/sct"
LABS = "http://example.org/labs"
PAINS = "http://example.org/ValueSet/pains"
NOW = datetime(2026, 11, 20, 9, 30, tzinfo=timezone(timedelta(hours=-5)))
VALUE_SETS = {PAINS: {(SCT, "ankle"), (SCT, "knee")}}


def documents() -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in (PROBE, HELPERS)]


@cache
def program() -> elm.Program:
    return elm.load(documents(), primary="EngineProbe", value_sets=VALUE_SETS)


def evaluate(chart: list[dict[str, Any]], **parameters: Any) -> elm.Evaluation:
    return program().evaluate(chart, now=NOW, parameters=parameters)


def patient(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "p", "birthDate": "2008-11-20", **elements}


def encounter(**elements: Any) -> dict[str, Any]:
    period = {"start": "2026-11-20T09:00:00-05:00"}
    return {"resourceType": "Encounter", "id": "e1", "status": "in-progress", "period": period, **elements}


def condition(name: str, code: str, **elements: Any) -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "id": name,
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {"coding": [{"system": SCT, "code": code}]},
        **elements,
    }


def kidney(name: str, value: Any, day: str, **elements: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": LABS, "code": "egfr"}]},
        "effectiveDateTime": f"{day}T10:00:00-05:00",
        "valueQuantity": {
            "value": value,
            "unit": "mL/min",
            "system": "http://unitsofmeasure.org",
            "code": "mL/min",
        },
        **elements,
    }


def observation(name: str, **elements: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": name, "status": "final", "code": {"text": "any"}, **elements}


def chart() -> list[dict[str, Any]]:
    """Make a chart with three conditions, two kidney values and observations with every kind of value."""
    return [
        patient(gender="female", name=[{"given": ["Ann", "Bea"]}, {"given": ["Cyd"]}]),
        encounter(),
        condition("c1", "ankle", onsetDateTime="2026-11-01"),
        condition("c2", "knee", onsetDateTime="2020-11-01"),
        condition("c3", "nose", onsetString="long ago"),
        kidney("o1", 70, "2026-01-01"),
        kidney("o2", 55.5, "2026-06-01", status="amended", encounter={"reference": "Encounter/e1"}),
        kidney("o3", 12, "2026-07-01", status="cancelled"),
        observation("o4", valueCodeableConcept={"text": "any"}),
        observation("o5", valueBoolean=False),
        observation("o6", valueString="any"),
        observation("o7"),
        observation("o8", valueInteger=3),
    ]
