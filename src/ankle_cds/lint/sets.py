"""AC-61, continued: TC-13, TC-17 and TC-18, which compare value sets with each other and with the specification."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from ankle_cds.lint.elements import members
from ankle_cds.lint.looking import same, thing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.lint.built import Built
    from ankle_cds.lint.looking import Look


def _members(built: Built, name: str) -> dict[tuple[str, str], str]:
    value_set = built.get("ValueSet", name) or {}
    return {(system, code): display for system, code, display in members(value_set)}


def ac_61_tc_13_side_sets(built: Built) -> Iterator[Look]:
    """TC-13: a set of sided codes holds exactly the members of the other sets whose display names side and place."""
    expected = built.expected
    places = re.compile("|".join(expected["sidePlaces"]), re.IGNORECASE)
    sides = set(expected["sideSets"].values())
    for word, name in expected["sideSets"].items():
        said = re.compile(rf"\b{word}\b", re.IGNORECASE)
        others = [one for one in expected["setsReadByLogic"] if one not in sides]
        wanted = {
            key
            for other in others
            for key, display in _members(built, other).items()
            if said.search(display) and places.search(display)
        }
        yield same(built.get("ValueSet", name) or {"id": name}, "expansion", set(_members(built, name)), wanted)


def ac_61_tc_17_disjoint(built: Built) -> Iterator[Look]:
    """TC-17: sets that lead to different advice share no code, and sets that are part of another lie inside it."""
    for names in built.expected["disjointSets"]:
        for one, other in itertools.combinations(names, 2):
            shared = _members(built, one).keys() & _members(built, other).keys()
            full = _members(built, one) and _members(built, other)
            yield thing(f"ValueSet/{one} and {other}", full and not shared, f"share {sorted(shared)[:3]}, or are empty")
    for row in built.expected["insideSets"]:
        inner = _members(built, row["set"]).keys()
        outer = set().union(*(_members(built, name).keys() for name in row["inside"]))
        yield thing(f"ValueSet/{row['set']}", inner and inner <= outer, f"{sorted(inner - outer)[:3]} lie outside")


def ac_61_tc_18_one_truth(built: Built) -> Iterator[Look]:
    """TC-18: the value sets are exactly those of the specification."""
    found = {str(one["id"]) for one in built.of_type("ValueSet")}
    wanted = set(built.expected["inventory"]["ValueSet"])
    for name in sorted(found | wanted):
        problem = "the package has no such set" if name in wanted else "the specification has no such set"
        yield thing(f"ValueSet/{name}", name in found & wanted, problem)
    for kind in ("ConceptMap",):
        held = {str(one["id"]) for one in built.of_type(kind)}
        yield thing(kind, held == set(built.expected["inventory"][kind]), f"are {sorted(held)}")
