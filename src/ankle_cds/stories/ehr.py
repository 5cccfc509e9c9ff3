"""An EHR in miniature: fills the prefetch templates of a CDS service from one patient's chart.

https://cds-hooks.hl7.org/2.0/#prefetch-template · https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ankle_cds.errors import ContentError
from ankle_cds.fhir import Resource, bundle_entries, reference, split_reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SEARCH = "https://hl7.org/fhir/R4/search.html#token"
_ALWAYS = datetime.min.replace(tzinfo=UTC)
_TOKEN = re.compile(r"\{\{context\.([A-Za-z]+)\}\}")


def fill(template: str, context: Mapping[str, Any]) -> str | None:
    """Put the context into a prefetch template; None when a token has no value, so that the key is not sent."""
    if any(token not in context for token in _TOKEN.findall(template)):
        return None
    return _TOKEN.sub(lambda match: str(context[match[1]]), template)


def as_of(chart: Resource, clock: datetime) -> Resource:
    """Give the chart as it stood at a time: what was saved later is not there, of several versions the last is.

    When a resource was saved stands in its `meta.lastUpdated`; one without has always been there.
    https://hl7.org/fhir/R4/resource.html#Meta
    """
    kept: dict[str, tuple[datetime, Any]] = {}
    for at, entry in enumerate(chart.get("entry", ())):
        resource = entry["resource"]
        text = resource.get("meta", {}).get("lastUpdated")
        saved = datetime.fromisoformat(text) if text else _ALWAYS
        name = reference(resource) or f"#{at}"
        if saved <= clock and (name not in kept or kept[name][0] <= saved):
            kept[name] = (saved, entry)
    return chart | {"entry": [entry for _, entry in kept.values()]}


class Ehr:
    """A FHIR server in miniature: answers the reads and searches of prefetch templates from one chart.

    Knows the search parameters patient, encounter, status, category, code, date (ge) and _sort (-date); raises
    ContentError for any other, because a parameter that is passed over gives a wider answer than was asked for.
    """

    def __init__(self, chart: Resource) -> None:
        self._entries = [entry for entry in bundle_entries(chart) if entry.resource is not None]

    def prefetch(self, templates: Mapping[str, str], context: Mapping[str, Any]) -> dict[str, Resource | None]:
        """Answer every template by its key; one that needs a context value which is not there is left out."""
        queries = {key: fill(template, context) for key, template in templates.items()}
        return {key: self.answer(query) for key, query in queries.items() if query is not None}

    def answer(self, query: str) -> Resource | None:
        """Give the resource of `Type/id` (None where there is none) or the searchset of `Type?name=value&...`."""
        if "?" not in query:
            named = (entry.resource for entry in self._entries if entry.resource and reference(entry.resource) == query)
            return next(named, None)
        return self.search(query)

    def search(self, query: str) -> Resource:
        """Give the searchset of `Type?name=value&...`."""
        kind, _, parameters = query.partition("?")
        wanted = [part.partition("=") for part in parameters.split("&")]
        newest_first = ("_sort", "=", "-date") in wanted
        if newest_first:
            wanted.remove(("_sort", "=", "-date"))
        found = [
            (entry.full_url, entry.resource)
            for entry in self._entries
            if entry.resource is not None
            and entry.resource["resourceType"] == kind
            and all(_matches(entry.resource, name, value.split(",")) for name, _, value in wanted)
        ]
        if newest_first:
            found.sort(key=lambda hit: _moment(hit[1]), reverse=True)
        hits = [{"fullUrl": url, "resource": one, "search": {"mode": "match"}} for url, one in found]
        bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(hits)}
        return bundle | ({"entry": hits} if hits else {})


def _matches(resource: Resource, name: str, values: list[str]) -> bool:
    match name:
        case "patient":
            subject = resource.get("subject") or resource.get("patient") or {}
            named = split_reference(subject.get("reference", ""))
            return named is not None and any(value in {named[1], "/".join(named)} for value in values)
        case "encounter":
            visit = split_reference((resource.get("encounter") or {}).get("reference", ""))
            return visit is not None and any(value in {visit[1], "/".join(visit)} for value in values)
        case "date" if len(values) == 1 and values[0].startswith("ge"):
            return _moment(resource) >= _start(values[0].removeprefix("ge"))
        case "status":
            return resource.get("status") in values
        case "category" | "code":
            return any(_is_token(coding, value) for coding in _codings(resource.get(name)) for value in values)
    raise ContentError(
        f"The search parameter '{name}' is not known to the example EHR; add it there or leave it out of the template.",
        spec=_SEARCH,
    )


def _moment(resource: Resource) -> datetime:
    """Give when an Observation was made, the earliest moment its precision allows; one without comes last."""
    text = resource.get("effectiveDateTime")
    return _start(text) if isinstance(text, str) else _ALWAYS


def _start(text: str) -> datetime:
    year, month, day = (*text[: len("2026-03-12")].split("-"), "01", "01")[:3]
    whole = text if "T" in text else f"{year}-{month}-{day}"
    moment = datetime.fromisoformat(whole)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _codings(element: Any) -> Iterator[dict[str, Any]]:
    """Yield the codings of a CodeableConcept or of a list of them."""
    for concept in element if isinstance(element, list) else [element or {}]:
        yield from concept.get("coding", [])


def _is_token(coding: Mapping[str, Any], value: str) -> bool:
    """Compare with `code` (any system), `system|code` or `system|`: https://hl7.org/fhir/R4/search.html#token."""
    system, bar, code = value.rpartition("|")
    return bool((coding.get("code") == code or (bar and not code)) and (not bar or coding.get("system") == system))
