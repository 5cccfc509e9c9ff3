"""What this service does at this site, as a page for people: made from content, settings and tables, as discovery is.

Serves those who agree on an integration, who have to know which hooks safety depends on:
https://cds-hooks.hl7.org/2.0/#update-stale-guidance
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from ankle_cds import __version__, hooks, parameters
from ankle_cds.cards import INDICATORS
from ankle_cds.errors import RequestFault, ServiceFault

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ankle_cds.artifacts import Package
    from ankle_cds.settings import Settings

_TEMPLATE = Path(__file__).with_name("capabilities.html").read_text("utf-8")
_STYLE = _TEMPLATE.partition("<style>")[2].partition("</style>")[0]
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'",
}
"""Those of the page: it loads nothing and runs nothing. https://www.w3.org/TR/CSP3/ ."""
_TOKENS = {
    "jwt": "Every call needs a signed token.",
    "optional": "A call with a token needs a right one; a call without is answered as well.",
    "none": "Callers are not asked for a token.",
}


def page(packages: Mapping[str, Package], settings: Settings) -> str:
    """Write the page, HTML: https://html.spec.whatwg.org/ . Nothing of a request and no secret stands in it."""
    rows = dict.fromkeys((str(row.value.status), row.value.text) for row in (*RequestFault, *ServiceFault))
    bases = len(settings.fhir_servers) + sum(len(client.fhir_bases()) for client in settings.clients)
    return Template(_TEMPLATE).substitute(
        software=__version__,
        specification=settings.spec_version,
        tokens=_TOKENS[settings.effective_auth],
        services="\n".join(part for package in packages.values() for part in _service(package, settings)),
        milliseconds=round(1000 * settings.callback_total),
        bases=bases,
        memory=_memory(settings),
        refusals=_table(("status", "text"), sorted(rows)),
    )


def _service(package: Package, settings: Settings) -> Iterable[str]:
    plan = package.get(package.pathway)
    yield _element("h2", plan["title"])
    for text in (plan["description"], plan.get("usage"), parameters.in_short(package, settings)):
        if text:
            yield _element("p", text.replace("`", ""))
    reviewed = f", source reviewed {plan['lastReviewDate']}" if "lastReviewDate" in plan else ""
    yield _element("p", f"Content {package.version}, {plan['status']}{reviewed}. Service id: {package.service_id}.")
    yield _element("h3", "Recommendations and the hooks that show them")
    yield _element("p", "Safety rests on those that can warn: enable one hook of each wherever patients are seen.")
    yield _table(("recommendation", "hooks", "level"), _recommendations(package))
    yield _element("h3", "Data it asks for")
    rows = [(one.key, one.need, ", ".join(one.hooks), _short(one.pattern)) for one in package.inputs]
    yield _table(("key", "need", "hooks", "query"), rows, code={0, 3})


def _recommendations(package: Package) -> list[tuple[str, str, str]]:
    found = []
    for plan in package.of_type("PlanDefinition"):
        triggers = [one["name"] for action in plan["action"] for one in action.get("trigger", ())]
        named = [hook for hook in hooks.HOOKS if hook in triggers]
        levels = {INDICATORS.get(action.get("priority", "")) for action in plan["action"]}
        if named:
            told = [level for level in INDICATORS.values() if level in levels]
            found.append((plan["title"], " or ".join(named), ", ".join(told)))
    return sorted(found, key=lambda row: row[2] == "info")


def _memory(settings: Settings) -> str:
    if settings.effective_memory is None:
        return "Nothing: each call is answered as if it were the first. Feedback is counted and not stored."
    comments = "are stored" if settings.feedback_store_comments else "are dropped"
    return (
        "Which card was shown and how it was answered, under keyed hashes, "
        f"for {settings.retention_days} days at most. Comments of feedback {comments}. "
        "No identifier and no value of a record is stored."
    )


def _short(pattern: str) -> str:
    """Shorten a query that lists many codes; discovery has it whole."""
    head, mark, codes = pattern.partition("code=")
    listed = codes.split(",")
    return pattern if len(listed) <= 1 else f"{head}{mark}({len(listed)} codes)"


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, code: Collection[int] = ()) -> str:
    def cell(at: int, text: str) -> str:
        return f"<td>{_element('code', text)}</td>" if at in code else _element("td", text)

    lines = ["".join(cell(at, text) for at, text in enumerate(row)) for row in rows]
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    names = "".join(_element("th", name) for name in head)
    return f"<table><thead><tr>{names}</tr></thead><tbody>\n{body}\n</tbody></table>"
