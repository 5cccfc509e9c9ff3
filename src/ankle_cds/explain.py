"""Why these cards and not others: the reasons of a guidance as plain data, and drawn for a reader at a terminal.

Every value is worded as well as coloured, and unknown is said as unknown, never as no.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text
from rich.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Console, RenderableType

    from ankle_cds.apply import Feature, Reason
    from ankle_cds.artifacts import Package
    from ankle_cds.guidance import Guidance

_WORDS = {True: "true", False: "false", None: "unknown"}
_STYLES = {"true": "bold green", "false": "red", "unknown": "bold yellow"}
_OUTCOMES = {True: "applies", False: "does not apply", None: "does not apply: not known"}
_BORDERS = {"critical": "red", "warning": "yellow", "info": "blue"}
_LEVELS = {"stat": "critical", "urgent": "warning", "routine": "info"}
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def explain(guidance: Guidance, package: Package) -> dict[str, Any]:
    """Give the reasons as plain JSON: one entry per recommendation and side, in the order of the content.

    `value` is true, false or null (unknown); `resources` is all that was met on the way to it; `features` is the tree
    of definitions under it, each with its value as plain JSON and the `Type/id` it met; `offers` are the conditions of
    the buttons of a recommendation that applies.
    """
    return {
        "service": package.service_id,
        "version": package.version,
        "cards": [{"uuid": card["uuid"], "summary": card["summary"]} for card in guidance.cards],
        "recommendations": [
            entry for one in guidance.evaluated for entry in _recommendations(one.applied.reasons, one.side, package)
        ],
    }


def render(explanation: dict[str, Any], console: Console) -> None:
    """Draw an explanation: what applies first, then what does not, one panel each."""
    entries = explanation["recommendations"]
    if not entries:
        console.print("Nothing was evaluated: the user is neither a practitioner nor in a practitioner's role.")
        return
    drawn: set[tuple[str, str]] = set()
    for applies, title in ((True, "Applies"), (False, "Does not apply")):
        chosen = [entry for entry in entries if entry["applies"] is applies]
        if chosen:
            console.print(Rule(f"{title} ({len(chosen)})", style="dim", align="left"))
        for entry in chosen:
            console.print(_panel(entry, drawn))
    count = len(explanation["cards"])
    console.print(
        Text(f"{count} card{'' if count == 1 else 's'} of {explanation['service']} {explanation['version']}", "dim")
    )


def in_words(name: str) -> str:
    """Split the name of a definition into words: `PatternFits` reads "Pattern fits", `R4Conditions` "R4 conditions"."""
    words = _CAMEL.split(name)
    return " ".join([words[0], *(word if word.isupper() and len(word) > 1 else word.lower() for word in words[1:])])


def _recommendations(reasons: Iterable[Reason], side: str | None, package: Package) -> Iterator[dict[str, Any]]:
    grouped: dict[str, list[Reason]] = {}
    for reason in reasons:
        grouped.setdefault(reason.recommendation, []).append(reason)
    plans = {plan["id"]: plan for plan in package.of_type("PlanDefinition")}
    for identity, own in grouped.items():
        plan = plans[identity]
        tops = {f"{identity}.{action.get('id', at + 1)}": action for at, action in enumerate(plan["action"])}
        deciding = [reason for reason in own if reason.action in tops]
        applies = any(reason.value is True for reason in deciding)
        shown = [reason for reason in deciding if reason.value is True] or deciding
        yield {
            "id": identity,
            "title": plan["title"],
            "side": side,
            "level": _LEVELS.get(tops[shown[0].action].get("priority", "")) if shown else None,
            "summary": shown[0].title if shown else None,
            "applies": applies,
            "conditions": [_condition(reason) for reason in deciding],
            "offers": [_condition(reason) for reason in own if reason.action not in tops],
        }


def _condition(reason: Reason) -> dict[str, Any]:
    return {
        "action": reason.action,
        "title": reason.title,
        "expression": reason.expression,
        "rule": reason.rule,
        "value": reason.value,
        "resources": list(reason.resources),
        "features": _feature(reason.feature()),
    }


def _feature(feature: Feature) -> dict[str, Any]:
    return {
        "name": feature.name,
        "value": feature.value,
        "resources": list(feature.resources),
        "uses": [_feature(part) for part in feature.uses],
    }


def _panel(entry: dict[str, Any], drawn: set[tuple[str, str]]) -> Panel:
    value = True if entry["applies"] else None if any(one["value"] is None for one in entry["conditions"]) else False
    side = f" ({entry['side']})" if entry["side"] else ""
    parts: list[RenderableType] = []
    if entry["summary"]:
        said = Text(entry["summary"], "bold") if entry["applies"] else Text(f"Would say: {entry['summary']}", "dim")
        parts.append(said)
    for condition in entry["conditions"]:
        if condition["rule"]:
            parts.append(Text(condition["rule"], style="italic"))
        parts.append(Padding(_tree(condition["features"], entry["side"] or "", drawn), (1, 0, 0, 0)))
    if entry["offers"]:
        parts.append(Padding(_offers(entry["offers"]), (1, 0, 0, 0)))
    return Panel(
        Group(*parts),
        title=Text.assemble((f"{entry['title']}{side}", "bold"), "  ", _word(value, _OUTCOMES[value])),
        title_align="left",
        subtitle=entry["level"] if entry["applies"] else None,
        subtitle_align="right",
        border_style=_BORDERS.get(entry["level"] or "", "dim") if entry["applies"] else "dim",
        padding=(1, 2),
    )


def _tree(feature: dict[str, Any], side: str, drawn: set[tuple[str, str]]) -> Tree:
    tree = Tree(_line(feature), guide_style="dim")
    _grow(tree, feature, side, drawn)
    return tree


def _grow(tree: Tree, feature: dict[str, Any], side: str, drawn: set[tuple[str, str]]) -> None:
    """Follow what was asked as true, false or unknown; values behind it are shown, what made them is not.

    What has been drawn for this side before is named, not drawn again: most recommendations rest on the same parts.
    """
    for part in feature["uses"]:
        asked = part["value"] is None or isinstance(part["value"], bool)
        if asked and (side, part["name"]) in drawn:
            tree.add(Text.assemble(_name(part), ("  (as above)", "dim")))
            continue
        branch = tree.add(_line(part))
        if asked and part["uses"]:
            drawn.add((side, part["name"]))
            _grow(branch, part, side, drawn)


def _offers(offers: list[dict[str, Any]]) -> Tree:
    tree = Tree(Text("Buttons", style="bold"), guide_style="dim", hide_root=False)
    for offer in offers:
        word = "offered" if offer["value"] is True else "not offered"
        line = Text.assemble(offer["title"] or offer["action"], "  ", _word(offer["value"], word))
        if offer["value"] is not True and offer["rule"]:
            line.append(f"  asks: {offer['rule']}", style="dim")
        tree.add(line)
    return tree


def _line(feature: dict[str, Any]) -> Text:
    line = _name(feature)
    resources = ", ".join(feature["resources"])
    if resources and not line.plain.endswith(f"  {resources}"):
        line.append(f"  {resources}", style="cyan")
    return line


def _name(feature: dict[str, Any]) -> Text:
    return Text.assemble(in_words(feature["name"]), "  ", _value(feature["value"]))


def _value(value: Any) -> Text:
    if value is None or isinstance(value, bool):
        return _word(value, _WORDS[value])
    if isinstance(value, list) and not value:
        return Text("none", style="red")
    return Text(_worded(value), style="bold")


def _worded(value: Any) -> str:
    """Put a value that is neither true nor false into one line."""
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, list):
        return ", ".join(dict.fromkeys(_worded(item) for item in value))
    if isinstance(value, dict):
        return _worded_parts(value)
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _worded_parts(value: dict[str, Any]) -> str:
    match value:
        case {"withheld": True}:
            return "recorded"
        case {"value": number, "unit": unit}:
            return f"{number} {unit}".removesuffix(" 1")
        case {"code": code, "system": _}:
            return str(code)
    return ", ".join(f"{in_words(name)} {_worded(part)}" for name, part in value.items())


def _word(value: bool | None, text: str) -> Text:
    return Text(text, style=_STYLES[_WORDS[value]])
