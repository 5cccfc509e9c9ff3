"""The facts behind the cards, in a few lines: what decided, and which resource of the record said so."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ankle_cds.explain import explain, in_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.artifacts import Package
    from ankle_cds.guidance import Guidance

_SHOWN = 6  # facts per card; the command `explain` shows all of them
_SOURCES = 2  # references per fact


_Facts = dict[tuple[str, bool], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Why:
    """What decided: a heading, and the facts, each in words with yes or no and the references behind it."""

    heading: str
    facts: tuple[tuple[str, tuple[str, ...]], ...]


def decisive(guidance: Guidance, package: Package) -> list[Why]:
    """Say for each recommendation that applies what speaks for it, and where none applies what is known instead.

    Facts and resources that every recommendation looks at, that the visit is one of these at all, make no difference
    between them and come last.
    """
    told = explain(guidance, package)["recommendations"]
    facts = [_facts(entry) for entry in told]
    shared = _Shared.of(facts)
    found = [
        Why(f"{_name(entry)} applies", shared.worded({fact: each[fact] for fact in each if fact[1]}))
        for entry, each in zip(told, facts, strict=True)
        if entry["applies"]
    ]
    if found or not told:
        return found
    known = {fact: sources for each in facts for fact, sources in each.items()}
    return [Why(f"None of {len(told)} recommendations applies", shared.worded(known))]


@dataclass(frozen=True, slots=True)
class _Shared:
    """The facts and the resources that most recommendations look at."""

    facts: frozenset[tuple[str, bool]]
    sources: frozenset[str]

    @classmethod
    def of(cls, facts: list[_Facts]) -> _Shared:
        named = Counter(fact for each in facts for fact in each)
        read = Counter(source for each in facts for source in {one for sources in each.values() for one in sources})
        half = len(facts) / 2
        return cls(
            frozenset(fact for fact, count in named.items() if count > half),
            frozenset(source for source, count in read.items() if count > half),
        )

    def worded(self, facts: _Facts) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Put the most telling facts into words, each with the references that tell it from the others."""
        ordered = sorted(facts, key=lambda fact: (set(facts[fact]) <= self.sources, fact in self.facts, fact[1]))
        found = []
        for fact in ordered[:_SHOWN]:
            own = tuple(source for source in facts[fact] if source not in self.sources) or facts[fact]
            found.append((f"{fact[0]}: {'yes' if fact[1] else 'no'}", own[:_SOURCES]))
        return tuple(found)


def _name(entry: dict[str, Any]) -> str:
    side = f" ({entry['side']})" if entry["side"] else ""
    return f"{entry['id']}{side}"


def _facts(entry: dict[str, Any]) -> _Facts:
    """Find the features nearest to the record that are true or false, in words, with where they come from."""
    return {
        (in_words(feature["name"]), feature["value"]): tuple(_sources(feature))
        for condition in entry["conditions"]
        for feature in _nearest(condition["features"])
        if isinstance(feature["value"], bool)
    }


def _nearest(feature: dict[str, Any]) -> Iterator[dict[str, Any]]:
    decided = [part for part in feature["uses"] if isinstance(part["value"], bool) and _sources(part)]
    if not decided:
        yield feature
    for part in decided:
        yield from _nearest(part)


def _sources(feature: dict[str, Any]) -> list[str]:
    below = [source for part in feature["uses"] for source in _sources(part)]
    return list(dict.fromkeys([*feature["resources"], *below]))
