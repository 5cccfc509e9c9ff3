"""From RequestGroups, one per side of the body, to the recommendations to show: joined, in order, not too many."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ankle_cds.cards import details
from ankle_cds.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ankle_cds.fhir import Resource

# https://cds-hooks.hl7.org/2.0/#card-attributes : ConceptMap/indicator-to-request-priority read backwards.
INDICATORS = {"stat": "critical", "urgent": "warning", "routine": "info"}
_ORDER = {"critical": 0, "warning": 1, "info": 2}
_SIDES = {"right": 0, "both": 0, "left": 1}
BOTH = "both"
_SAID = ("title", "description", "textEquivalent", "priority")
_ACTION = "https://cds-hooks.hl7.org/2.0/#action"


@dataclass(frozen=True, slots=True)
class Side:
    """One evaluation: its side (`right`, `left`, None when not asked for one), its result, and what it read.

    `facts` gives for the id of an action plain JSON that is equal as long as the record behind that action is.
    """

    side: str | None
    request_group: Resource
    facts: Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A button: label and the CDS Hooks actions it takes; `key` is unique in its card.

    Each action has the words to do it by hand. https://cds-hooks.hl7.org/2.0/#action
    """

    key: str
    label: str
    recommended: bool
    actions: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Recommendation:
    """An action of a RequestGroup that becomes a card, or the same action of both sides joined into one.

    `sources` are the evaluations it comes from, `place` what it is sorted by among its equals.
    """

    action: dict[str, Any]
    side: str | None
    place: tuple[tuple[int, ...], int]
    sources: tuple[Side, ...]
    suggestions: tuple[Suggestion, ...]

    @property
    def indicator(self) -> str:
        """The level of the card."""
        return INDICATORS[self.action["priority"]]

    @property
    def recorded(self) -> str | None:
        """What to tell on another card when this one is not shown, None when the content has nothing for it."""
        return self.action.get("textEquivalent")


def recommendations(
    sides: tuple[Side, ...], joined_title: Callable[[str], str | None], drafts: Mapping[str, bool]
) -> list[Recommendation]:
    """List what the sides recommend, most urgent first, then in the order of the content, right before left.

    The content may set its own place with `action.prefix` (numbers joined by dots, lower first). An action whose
    cardinality is single stands once for both sides: `joined_title` gives its title for both, by action id. So does one
    that says and offers the same for both. `drafts` tells of every draft order, as `Type/id`, whether the client knows
    that name; one it does not know cannot be deleted.
    """
    found = [one for side in sides for one in _of_side(side, drafts)]
    if len(sides) > 1:
        found = _joined(found, joined_title)
    return sorted(found, key=lambda one: (_ORDER[one.indicator], one.place, _SIDES.get(one.side or "", 0)))


def limited(ordered: list[Recommendation], limit: int, *, with_critical: int) -> list[Recommendation]:
    """Keep the first `limit`; `with_critical` where one is critical, because an emergency is not read among others."""
    critical = any(one.indicator == "critical" for one in ordered)
    return ordered[: min(limit, with_critical) if critical else limit]


def _of_side(side: Side, orders: Mapping[str, bool]) -> Iterator[Recommendation]:
    offer = _Offer({f"#{draft['id']}": draft for draft in side.request_group.get("contained", ())}, orders)
    for at, action in enumerate(_outermost(side.request_group.get("action", ()))):
        yield Recommendation(
            action=action,
            side=side.side,
            place=(_prefix(action), at),
            sources=(side,),
            suggestions=tuple(offer.suggestions(action.get("action", ()))),
        )


def _outermost(actions: Any) -> Iterator[dict[str, Any]]:
    """Find the recommendations below pathway and strategies: the outermost actions that have a priority."""
    for action in actions:
        if "priority" in action:
            yield action
        else:
            yield from _outermost(action.get("action", ()))


def _prefix(action: dict[str, Any]) -> tuple[int, ...]:
    return tuple(int(part) for part in action.get("prefix", "").split(".") if part.isdecimal())


@dataclass(frozen=True, slots=True)
class _Offer:
    """Turns actions into suggestions: `drafts` by local reference, `orders` as in `recommendations`."""

    drafts: Mapping[str, Resource]
    orders: Mapping[str, bool]

    def suggestions(self, actions: Any) -> Iterator[Suggestion]:
        """One suggestion per action that does something; a group whose actions are all wanted is one suggestion."""
        for action in actions:
            below = action.get("action", ())
            if below and action.get("selectionBehavior") != "all":
                yield from self.suggestions(below)
                continue
            steps = tuple(self.steps(action))
            if steps:
                yield Suggestion(
                    key=action["id"],
                    label=action["title"],
                    recommended=action.get("precheckBehavior") == "yes",
                    actions=steps,
                )

    def steps(self, action: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Give what an action and those below it do: a local reference is a draft to create, another one to delete."""
        for part in action.get("action", ()):
            yield from self.steps(part)
        target = action.get("resource", {}).get("reference")
        if target in self.drafts:
            yield {"type": "create", "description": action["description"], "resource": _unnamed(self.drafts[target])}
        elif target is not None and target not in self.orders:
            raise ContentError(
                f"The action {action['id']} removes what is no draft order of the request; correct the definition.",
                where=action["id"],
                spec=_ACTION,
            )
        elif target is not None and self.orders[target]:
            yield {"type": "delete", "description": action["description"], "resourceId": target}


def _unnamed(draft: Resource) -> Resource:
    return {name: part for name, part in draft.items() if name != "id"}


def _joined(found: list[Recommendation], joined_title: Callable[[str], str | None]) -> list[Recommendation]:
    result: list[Recommendation] = []
    for one in found:
        single = one.action.get("cardinalityBehavior") == "single"
        twin = next((at for at, other in enumerate(result) if other.action["id"] == one.action["id"]), None)
        if twin is not None and single:
            result[twin] = _join(result[twin], one, joined_title(one.action["id"]))
        elif twin is not None and _alike(result[twin], one):
            result[twin] = replace(result[twin], side=None, sources=result[twin].sources + one.sources)
        else:
            result.append(one)
    return result


def _alike(first: Recommendation, second: Recommendation) -> bool:
    """Tell whether two say and offer the same; a title that names its side never does."""
    same = all(first.action.get(name) == second.action.get(name) for name in _SAID)
    return same and repr(first.suggestions) == repr(second.suggestions)


def _join(first: Recommendation, second: Recommendation, title: str | None) -> Recommendation:
    """Join the same recommendation of two sides: first its own, then what the other adds."""
    detail = details.join(first.action["description"], second.action["description"])
    return Recommendation(
        action=first.action | {"title": title or first.action["title"], "description": detail},
        side=BOTH,
        place=min(first.place, second.place),
        sources=first.sources + second.sources,
        suggestions=_join_suggestions(first, second),
    )


def _join_suggestions(first: Recommendation, second: Recommendation) -> tuple[Suggestion, ...]:
    """Keep a button that does the same for both sides once; name the side on buttons that differ but read alike."""
    known = {(one.label, _comparable(one)) for one in first.suggestions}
    added = [one for one in second.suggestions if (one.label, _comparable(one)) not in known]
    alike = {one.label for one in first.suggestions} & {one.label for one in added}

    def named(one: Suggestion, side: str | None) -> Suggestion:
        label = f"{one.label} ({side})" if one.label in alike else one.label
        return replace(one, label=label, key=f"{one.key}/{side}")

    suggestions = [named(one, first.side) for one in first.suggestions] + [named(one, second.side) for one in added]
    if first.action.get("selectionBehavior") == "at-most-one" and sum(one.recommended for one in suggestions) > 1:
        suggestions = [replace(one, recommended=False) for one in suggestions]
    return tuple(suggestions)


def _comparable(one: Suggestion) -> str:
    return repr(one.actions)
