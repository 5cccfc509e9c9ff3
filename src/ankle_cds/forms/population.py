"""What a form is filled with before anybody answers, read once: queries, variables, and expressions of its items.

https://hl7.org/fhir/uv/sdc/populate.html#expression-based-population
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ankle_cds.errors import ContentError
from ankle_cds.forms.expressions import compile_expression, values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ankle_cds.fhir import Resource
    from ankle_cds.fhirpath import Collection, Context, Expression

_SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-"
_LAUNCH = f"{_SDC}launchContext"
_INITIAL = f"{_SDC}initialExpression"
_CONTEXT = f"{_SDC}itemPopulationContext"
_LINK_PERIOD = f"{_SDC}observationLinkPeriod"
_VARIABLE = "http://hl7.org/fhir/StructureDefinition/variable"
_QUERY, _FHIRPATH = "application/x-fhir-query", "text/fhirpath"
_RECORDED, _OBSERVATIONS = "recorded", "Observation?"
_EMBEDDED = re.compile(r"\{\{(.*?)\}\}")
_SPEC = "https://hl7.org/fhir/uv/sdc/populate.html"

Query = Callable[["Context"], str]


@dataclass(frozen=True, slots=True)
class Population:
    """How one form is filled.

    `launch` names what the caller brings (patient, encounter, user); `values` are the queries and variables in their
    order; `contexts` and `initial` are the expressions of groups and items by link id; `linked` are codes and days of
    the items filled by their code alone. Which of the records found so count says `recorded`, the variable of that
    name, asked with what was found in place of `observed`, the queries for Observations.
    """

    launch: tuple[str, ...]
    queries: tuple[tuple[str, Query], ...]
    variables: tuple[tuple[str, Expression], ...]
    contexts: Mapping[str, tuple[str, Expression]]
    initial: Mapping[str, Expression]
    linked: Mapping[str, tuple[tuple[tuple[str, str], ...], int]]
    recorded: Expression
    observed: tuple[str, ...]


def read_population(form: Resource, name: str) -> Population:
    """Read it from a built Questionnaire.

    Raises ContentError whose `where` is a JSON path beginning with `name`, for all that cannot be executed here.
    """
    launch = tuple(
        str(part["valueCoding"]["code"])
        for extension in form.get("extension", [])
        if extension["url"] == _LAUNCH
        for part in extension["extension"]
        if part["url"] == "name"
    )
    known = set(launch)
    queries: list[tuple[str, Query]] = []
    observed: list[str] = []
    variables: list[tuple[str, Expression]] = []
    for value, where in _expressions(form, _VARIABLE, name):
        if value.get("language") == _QUERY:
            queries.append((value["name"], _query(value["expression"], frozenset(known), where)))
            observed += [value["name"]] if value["expression"].startswith(_OBSERVATIONS) else []
        else:
            variables.append((value["name"], _compiled(value, frozenset(known), where)))
        known.add(value["name"])
    contexts: dict[str, tuple[str, Expression]] = {}
    initial: dict[str, Expression] = {}
    linked: dict[str, tuple[tuple[tuple[str, str], ...], int]] = {}
    for item, where, names in _items(form["item"], name, frozenset(known)):
        for value, place in _expressions(item, _CONTEXT, where):
            contexts[item["linkId"]] = (value["name"], _compiled(value, names, place))
        for value, place in _expressions(item, _INITIAL, where):
            initial[item["linkId"]] = _compiled(value, names, place)
        for extension in item.get("extension", []):
            if extension["url"] == _LINK_PERIOD:
                codes = tuple((coding["system"], coding["code"]) for coding in item["code"])
                linked[item["linkId"]] = (codes, _days(extension["valueDuration"], where))
    recorded = dict(variables).get(_RECORDED)
    if linked and (recorded is None or not observed):
        raise ContentError(
            f"An item is filled by its code alone, and nothing says which records count; add the variable {_RECORDED} "
            f"and the query for Observations that it reads.",
            where=name,
            spec=_SPEC,
        )
    return Population(
        launch, tuple(queries), tuple(variables), contexts, initial, linked, recorded or _nothing, tuple(observed)
    )


def _nothing(_context: Context, _focus: Collection) -> Collection:
    return []


def _items(items: list[Resource], name: str, known: frozenset[str]) -> Iterator[tuple[Resource, str, frozenset[str]]]:
    """Yield each item with its place and the names its expressions can refer to."""
    for index, item in enumerate(items):
        where = f"{name}.item[{index}]"
        inside = {value["name"] for value, _ in _expressions(item, _CONTEXT, where)}
        yield item, where, known
        yield from _items(item.get("item", []), where, known | inside)


def _expressions(element: Resource, url: str, name: str) -> Iterator[tuple[Resource, str]]:
    for index, extension in enumerate(element.get("extension", [])):
        if extension["url"] == url:
            yield extension["valueExpression"], f"{name}.extension[{index}]"


def _compiled(value: Resource, names: frozenset[str], where: str) -> Expression:
    if value.get("language") != _FHIRPATH:
        raise ContentError(f"An expression in {value.get('language')} is not executed here.", where=where, spec=_SPEC)
    try:
        return compile_expression(value["expression"], names)
    except ContentError as error:
        raise ContentError(error.message, where=where, spec=error.spec) from None


def _query(text: str, names: frozenset[str], where: str) -> Query:
    parts = [
        _compiled({"language": _FHIRPATH, "expression": part}, names, where) if at % 2 else part
        for at, part in enumerate(_EMBEDDED.split(text))
    ]

    def written(context: Context) -> str:
        return "".join(part if isinstance(part, str) else _only(part(context, []), where) for part in parts)

    return written


def _only(collection: Collection, where: str) -> str:
    found = values(collection)
    if len(found) != 1:
        raise ContentError("A query needs what was not given; give patient and encounter.", where=where, spec=_SPEC)
    return str(found[0])


def _days(duration: Resource, where: str) -> int:
    if duration.get("code") != "d" or not isinstance(duration.get("value"), int):
        raise ContentError("The period is not in whole days; write it so.", where=where, spec=_SPEC)
    return int(duration["value"])
