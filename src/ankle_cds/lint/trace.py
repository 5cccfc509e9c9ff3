"""AC-91 and AC-92: from every sentence and number back to what it rests on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ankle_cds.lint.elements import (
    CPG,
    EVIDENCE,
    HL7,
    LOCAL_POLICY,
    STATEMENT,
    actions,
    answerable,
    extensions,
    labels,
    tail,
)
from ankle_cds.lint.looking import look, same, thing
from ankle_cds.lint.numbers import Sources, policy_as_fact, unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ankle_cds.fhir import Resource
    from ankle_cds.lint.built import Built, Case
    from ankle_cds.lint.looking import Look

_HEADING = re.compile(r"\*\*(.+)\*\*")


def _carriers(built: Built) -> dict[str, set[str]]:
    """Give for every statement the plans and forms that carry it, strategies left out: they only repeat."""
    listed = {row["id"] for row in built.expected["strategies"]}
    found: dict[str, set[str]] = {label: set() for label in built.statements}
    for one in built.of_type("PlanDefinition", "Questionnaire"):
        if one["id"] not in listed:
            for label, _ in labels(one, built.statement_extension):
                found.setdefault(label, set()).add(str(one["id"]))
    return found


def ac_91_every_statement(built: Built) -> Iterator[Look]:
    """Every statement of the source article is carried by a plan or a form."""
    carriers = _carriers(built)
    for label in built.expected["carriers"]:
        yield thing(label, carriers.get(label), "is carried by no plan and no form")
    for label in sorted(built.statements.keys() - built.expected["carriers"].keys()):
        yield thing(label, ok=False, problem="the specification has no such statement")


def ac_91_carriers(built: Built) -> Iterator[Look]:
    """What carries a statement is what the specification says."""
    found = _carriers(built)
    for label, wanted in built.expected["carriers"].items():
        yield same({"resourceType": "statement", "id": label}, "", found.get(label, set()), set(wanted))


def ac_91_rows(built: Built) -> Iterator[Look]:
    """Pathway, order set and forms carry the statements of their rows; a strategy those of its recommendations."""
    expected = built.expected
    rows = {("PlanDefinition", expected["pathway"]["id"]): set(expected["pathway"]["statements"])}
    rows["PlanDefinition", expected["orderSet"]] = set(expected["orderSetStatements"])
    rows |= {("Questionnaire", form["id"]): set(form["statements"]) for form in expected["forms"]}
    carried = {row["id"]: set(row["statements"]) for row in expected["recommendations"]}
    for strategy in expected["strategies"]:
        names = strategy["recommendations"]
        rows["PlanDefinition", strategy["id"]] = set().union(*(carried[name] for name in names))
    for (kind, name), wanted in rows.items():
        one = built.get(kind, name)
        if one is None:
            yield thing(f"{kind}/{name}", ok=False, problem="is missing")
            continue
        found = {label for label, _ in labels(one, built.statement_extension) if STATEMENT.fullmatch(label)}
        yield same(one, "", found, wanted)


def ac_91_labels(built: Built) -> Iterator[Look]:
    """Every label is a statement or an evidence record."""
    known = built.statements.keys() | built.evidence.keys()
    for one in built.resources:
        for label, path in labels(one, built.statement_extension):
            yield look(one, path, label in known, f"{label} is neither a statement nor an evidence record")


def ac_91_sentences(built: Built) -> Iterator[Look]:
    """Every paragraph of a rationale, every line of a card that tells a source, every question rests on something."""
    yield from _rationales(built)
    yield from _told(built)
    yield from _asked(built)


def _rationales(built: Built) -> Iterator[Look]:
    for plan in built.of_type("PlanDefinition"):
        for action, path in actions(plan):
            for text in extensions(action, f"{CPG}rationale"):
                for number, paragraph in enumerate(filter(str.strip, str(text).split("\n")), start=1):
                    yield look(plan, f"{path}.rationale[{number}]", _based(paragraph), f'"{paragraph[:60]}..."')


def _told(built: Built) -> Iterator[Look]:
    sections = set(built.expected["basedSections"])
    for case in built.cases:
        for card in case.cards():
            for line in _lines(str(card.get("detail", "")), sections):
                where = f"examples {case.id} {_topic(card)}"
                yield thing(where, _based(line), f'"{line[:60]}..." names no statement, evidence or local policy')


def _asked(built: Built) -> Iterator[Look]:
    without = set(built.expected["formsWithoutCode"])
    for form in built.of_type("Questionnaire"):
        for item, path in answerable(form):
            if item.get("linkId") not in without:
                bare = {key: value for key, value in item.items() if key != "item"}
                cited = [label for label, _ in labels(bare, built.statement_extension)]
                notes = " ".join(map(str, extensions(item, f"{HL7}designNote")))
                yield look(form, path, cited or _based(notes), f"{item.get('linkId')} rests on nothing")


def _based(text: str) -> bool:
    return bool(STATEMENT.search(text) or EVIDENCE.search(text) or LOCAL_POLICY in text.lower())


def _lines(detail: str, sections: set[str]) -> Iterator[str]:
    """Yield the lines of a detail that stand in one of these sections."""
    section = ""
    for line in filter(str.strip, detail.split("\n")):
        heading = _HEADING.fullmatch(line)
        if heading:
            section = heading[1]
        elif section in sections:
            yield line


def ac_92_numbers(built: Built) -> Iterator[Look]:
    """Every number on a card is that of a record or statement cited beside it, a fact, or marked local policy."""
    for case in built.cases:
        for card in case.cards():
            found = list(unsupported(str(card.get("detail", "")), sources(built, case)))
            told = ", ".join(f"{number} on line {line}" for line, number in found)
            yield thing(f"examples {case.id} {_topic(card)}", not found, f"nothing beside it supports {told}")


def ac_92_policy(built: Built) -> Iterator[Look]:
    """No card prints the number of a local policy as if a source had said it."""
    policies = {row["name"] for row in built.expected["parameters"] if row["basis"] == LOCAL_POLICY}
    for case in built.cases:
        known = sources(built, case)
        for card in case.cards():
            found = list(policy_as_fact(str(card.get("detail", "")), known.parameters, policies, known))
            yield thing(f"examples {case.id} {_topic(card)}", not found, f"lines {found}")


def sources(built: Built, case: Case) -> Sources:
    """Give what may support a number on the cards of one story."""
    return Sources(
        evidence={label: " ".join(map(str, record.values())) for label, record in built.evidence.items()},
        statements=built.statements,
        parameters={**_defaults(built), **case.parameters},
        chart=case.chart,
        today=case.today,
    )


def _defaults(built: Built) -> Mapping[str, Any]:
    library: Resource = built.get("Library", built.identity["logic"]) or {}
    return {
        str(part["name"]): value
        for part in library.get("parameter", [])
        for value in extensions(part, f"{HL7}cqf-defaultValue")
    }


def _topic(card: Mapping[str, Any]) -> str:
    return tail(str(card.get("source", {}).get("topic", {}).get("code", "card")))
