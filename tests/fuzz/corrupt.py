"""Changes of one place of a JSON document: what a careless, foreign or hostile sender may write there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

DATES = (
    *("2026-02-30", "0000-01-01", "9999-12-31", "10000-01-01", "2026", "2026-13", "2026-00-00", "0001-01-01", "-2026"),
    *("2026-05-05T25:00:00Z", "2026-05-05T10:00:00", "2026-05-05T10:00:60Z", "2026-05-05T10:00:00+99:00", "today"),
    *("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-09-30T12:00:00.123456789123Z", "20260505", ""),
    *(
        "2026-W01",
        "\u0662\u0660\u0662\u0666-\u0660\u0665-\u0660\u0665",
        "2026-05-05T24:00:00Z",
        "2026-05-05 10:00",
        "1582-10-10",
        "2026-5-5",
        "12:00:00",
    ),
    *("2026-09-30T12:00:00-05:00", "1900-02-29", "2026-05-05T10:00Z", " 2026-05-05", "2026-05-05\n"),
)
NUMBERS = (
    *(0, -1, 1, 2**31, 2**53 + 1, 10**27, -(10**27), 10**39, 1e-27, 0.1, -0.0, 1.5, 1e27, 28, 10**20 + 1, 1e-8),
    *(99999999999999999999, 9.999999999999999e20, 1e22),
)
TEXTS = (
    *("", " ", "\t", "x", "true", "null", "0", "1e400", "NaN", "None", "undefined", "\u200b", "\u202eabc", "é", "é"),
    *("🦴", "ﷺ", "a" * 65, "Patient/", "/", "//", "Patient/../x", "#", "#x", "urn:uuid:", "urn:oid:1.2.3", "%00", "\\"),
    *("http://", "https://[", "https://user@x", "javascript:alert(1)", "final", "entered-in-error", "unknown", "left"),
    *("\u2028", "\ufeff", "\ud7ff", "\uffff", "\U0010ffff", "<b>", "&amp;", "'\"`", "{{context.patientId}}", "*", "|"),
)
UNITS = (
    "",
    "cm",
    "[in_i]",
    "d",
    "day",
    "days",
    "wk",
    "mo",
    "a",
    "h",
    "min",
    "%",
    "kg",
    "1",
    "{score}",
    "mg/mmol",
    "x y",
)
CODES = (
    "24028007",
    "7771000",
    "51440002",
    "344001",
    "active",
    "inactive",
    "confirmed",
    "refuted",
    "AMB",
    "IMP",
    "LA33-6",
)
SYSTEMS = (
    *(
        "http://snomed.info/sct",
        "http://loinc.org",
        "http://hl7.org/fhir/sid/icd-10-cm",
        "urn:oid:2.16.840.1.113883.6.96",
    ),
    *("https://w3id.org/ankle-cds/CodeSystem/pai-findings", "", "http://SNOMED.info/sct", "http://unitsofmeasure.org"),
)
_BIG = 200_000
_STOP = 0.12
_LEFT_RIGHT = {"24028007": "7771000", "7771000": "24028007", "Left": "Right", "Right": "Left"}

Place = tuple[Any, Any]
"""A container and the key or index of what is changed in it."""


def place(document: Any, choose: Random) -> Place | None:
    """Give a place of the document by going down at random; None where there is nothing to change."""
    found = None
    while isinstance(document, (dict, list)) and document:
        key = choose.choice(list(document)) if isinstance(document, dict) else choose.randrange(len(document))
        found = (document, key)
        document = document[key]
        if choose.random() < _STOP:
            break
    return found


def _places(document: Any, names: frozenset[str]) -> Iterator[Place]:
    """Yield every place with one of these member names."""
    if isinstance(document, dict):
        for name, value in document.items():
            if name in names:
                yield document, name
            yield from _places(value, names)
    elif isinstance(document, list):
        for value in document:
            yield from _places(value, names)


def anything(choose: Random, depth: int = 3) -> Any:
    """Give some JSON value."""
    kind = choose.randrange(9 if depth else 6)
    if kind < 3:
        return choose.choice(TEXTS + DATES)
    if kind == 3:
        return choose.choice(NUMBERS)
    if kind < 6:
        return choose.choice((None, True, False))
    if kind == 6:
        return [anything(choose, depth - 1) for _ in range(choose.randrange(4))]
    return {name(choose): anything(choose, depth - 1) for _ in range(choose.randrange(4))}


def name(choose: Random) -> str:
    """Give a member name: one of FHIR or CDS Hooks, or none."""
    return choose.choice(
        (
            *("resourceType", "id", "code", "coding", "system", "value", "subject", "reference", "entry", "resource"),
            *(
                "status",
                "extension",
                "hook",
                "context",
                "prefetch",
                "link",
                "relation",
                "url",
                "search",
                "mode",
                "x",
                "",
            ),
            *("__proto__", "__class__", "valueQuantity", "contained", "type", "total", "_birthDate", "meta", "ключ"),
        )
    )


def _delete(_document: Any, at: Place, _choose: Random) -> None:
    holder, key = at
    del holder[key]


def _duplicate(_document: Any, at: Place, choose: Random) -> None:
    holder, key = at
    if isinstance(holder, list):
        holder[key:key] = [holder[key]] * choose.choice((1, 1, 2, 30))
    else:
        holder[f"{key}{choose.choice('_2 ')}"] = holder[key]


def _null(_document: Any, at: Place, _choose: Random) -> None:
    at[0][at[1]] = None


def _retype(_document: Any, at: Place, choose: Random) -> None:
    holder, key = at
    value = holder[key]
    holder[key] = choose.choice(
        (str(value), [value], {"value": value}, {key if isinstance(key, str) else "x": value}, 1)
    )
    if isinstance(value, list) and value and choose.random() < 0.5:
        holder[key] = value[0]


def _replace(_document: Any, at: Place, choose: Random) -> None:
    at[0][at[1]] = anything(choose)


def _text(_document: Any, at: Place, choose: Random) -> None:
    at[0][at[1]] = choose.choice(TEXTS)


def _long(_document: Any, at: Place, choose: Random) -> None:
    at[0][at[1]] = choose.choice(("a", "<", "\\", "🦴", "A/", "9", "-", " ", "[")) * choose.choice(
        (256, 5_000, _BIG // 4)
    )


def _deep(_document: Any, at: Place, choose: Random) -> None:
    value: Any = at[0][at[1]]
    step = choose.choice(("extension", "contained", "item", None))
    for _ in range(choose.choice((5, 20, 40, 58, 70))):
        value = [value] if step is None else {step: value}
    at[0][at[1]] = value


def _number(document: Any, at: Place, choose: Random) -> None:
    _at_names(document, at, choose, frozenset({"value", "valueInteger", "total", "expires_in"}), NUMBERS)


def _date(document: Any, at: Place, choose: Random) -> None:
    names = frozenset(
        {
            *(
                "birthDate",
                "start",
                "end",
                "authoredOn",
                "effectiveDateTime",
                "onsetDateTime",
                "recordedDate",
                "issued",
            ),
            *(
                "performedDateTime",
                "valueDateTime",
                "deceasedDateTime",
                "abatementDateTime",
                "occurrenceDateTime",
                "date",
            ),
        }
    )
    _at_names(document, at, choose, names, DATES)


def _code(document: Any, at: Place, choose: Random) -> None:
    _at_names(document, at, choose, frozenset({"code", "status", "intent", "use", "mode", "relation"}), CODES + TEXTS)


def _system(document: Any, at: Place, choose: Random) -> None:
    _at_names(document, at, choose, frozenset({"system"}), SYSTEMS)


def _unit(document: Any, at: Place, choose: Random) -> None:
    _at_names(document, at, choose, frozenset({"unit"}), UNITS)


def _at_names(document: Any, at: Place, choose: Random, names: frozenset[str], values: tuple[Any, ...]) -> None:
    found = list(_places(document, names))
    holder, key = choose.choice(found) if found else at
    holder[key] = choose.choice(values)


def _reference(document: Any, at: Place, choose: Random) -> None:
    found = list(_places(document, frozenset({"reference", "fullUrl", "id"})))
    holder, key = choose.choice(found) if found else at
    other, name_of_other = choose.choice(found) if found else at
    holder[key] = (
        other[name_of_other] if choose.random() < 0.5 else choose.choice(("Patient/other", "#", "urn:uuid:1", "X/1"))
    )


def _swap(document: Any, at: Place, choose: Random) -> None:
    holder, key = at
    other = place(document, choose)
    if other is not None:
        holder[key] = json.loads(json.dumps(other[0][other[1]]))


def _side(document: Any, _at: Place, choose: Random) -> None:
    for holder, key in list(_places(document, frozenset({"code", "text"}))):
        if isinstance(holder[key], str) and choose.random() < 0.5:
            holder[key] = _LEFT_RIGHT.get(holder[key], holder[key])


def _resource(document: Any, at: Place, choose: Random) -> None:
    found = list(_places(document, frozenset({"resourceType"})))
    holder, key = choose.choice(found) if found else at
    kinds = ("Patient", "Bundle", "OperationOutcome", "Observation", "Nonsense", "patient", "", 5, "Medication", "List")
    holder[key] = choose.choice(kinds)


CHANGES: tuple[Callable[[Any, Place, Random], None], ...] = (
    *(_delete, _delete, _duplicate, _null, _retype, _retype, _replace, _replace, _text, _long, _deep, _number, _number),
    *(_date, _date, _code, _code, _system, _unit, _reference, _reference, _swap, _side, _resource),
)


def corrupt(document: Any, choose: Random, times: int) -> None:
    """Change the document in place, this many times."""
    for _ in range(times):
        at = place(document, choose)
        if at is not None:
            choose.choice(CHANGES)(document, at, choose)
