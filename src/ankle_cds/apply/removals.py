"""Actions that take an order away: the logic names the orders, nothing is drafted.

A dynamicValue with the path `resource` gives the orders as references or as resources of the record.
http://terminology.hl7.org/CodeSystem/action-type
"""

from __future__ import annotations

from typing import Any

TARGET = "resource"
"""The element of the action that names what is removed."""

EXECUTED = frozenset({"create", "remove"})
"""Types of action that are executed; any other would do something else than it says."""

_SAID = ("title", "description", "type")


def types(action: dict[str, Any]) -> list[str]:
    """List the codes of the type of an action, none when it has no type."""
    return [str(coding.get("code")) for coding in action.get("type", {}).get("coding", ())]


def is_removal(action: dict[str, Any]) -> bool:
    """Tell whether an action removes orders."""
    return "remove" in types(action)


def removal(action: dict[str, Any], targets: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Give the action that removes the orders named: several are parts of one thing to choose, none is no action."""
    wanted = [target for at, target in enumerate(targets) if target not in targets[:at]]
    if len(wanted) <= 1:
        return action | {TARGET: wanted[0]} if wanted else None
    said = {name: action[name] for name in _SAID if name in action}
    parts = [{"id": f"{action['id']}-{at}", **said, TARGET: target} for at, target in enumerate(wanted, start=1)]
    return action | {"groupingBehavior": "logical-group", "selectionBehavior": "all", "action": parts}
