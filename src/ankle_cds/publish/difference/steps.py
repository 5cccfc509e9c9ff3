"""Which version step a change needs, and which step two version numbers make.

What a step means stands in one sentence each: major changes who a recommendation applies to or what it says; minor is a
new artifact, a refined questionnaire, a new code in a set; patch is wording and metadata. The table below says which
elements of FHIR R4 that is. What no row names is major, so that nothing is called small because nobody thought of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ankle_cds.publish.difference.elements import Found, Path


class Step(IntEnum):
    """How far a version goes up; BACK where it goes down."""

    BACK = -1
    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3

    @property
    def word(self) -> str:
        """The step in one word."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Change:
    """One element that differs: its path, what became of it, both values, and which step it needs for which reason.

    `generated` tells that the element follows from others and is not written by an author.
    """

    path: str
    what: str
    old: Any
    new: Any
    step: Step
    why: str
    generated: bool = False


_METADATA = (
    "meta|language|implicitRules|identifier|name|_?title|_?subtitle|status|experimental|date|publisher|contact|"
    "_?description|useContext|jurisdiction|purpose|_?usage|copyright|approvalDate|lastReviewDate|effectivePeriod|topic|"
    "author|editor|reviewer|endorser|relatedArtifact|extension|license|fhirVersion|dependsOn|packageId"
)
_FEATURE = "cpg-(feature|inference|assertion)Expression"
_SAID = "_?(title|description|textEquivalent|prefix)"
_WORDS = (
    "_?(title|description|display|designation|label|citation|documentation|text|comment|human|definition|short|"
    "requirements)"
)
_LOGIC = "usings|includes|codeSystems|valueSets|codes|concepts|parameters|statements"
_CARDS = "PlanDefinition/(eca-rule|order-set)"
_LEVELS = "PlanDefinition/(clinical-protocol|workflow-definition)"

_GENERATED = "generated from the rest"
_WORDING, _ABOUT = "wording", "metadata"
_APPLIES = "who a recommendation applies to, or what it says"
_SAYS = "what a recommendation says"

# kind of artifact, path without names of members, what became of it, step, reason; the first row that fits decides
_TABLE = (
    (".*", "", "added", Step.MINOR, "a new artifact"),
    (".*", "", "removed", Step.MAJOR, "an artifact that others may use is gone"),
    (".*", "text|snapshot|dependencies.*|translation", ".*", Step.PATCH, _GENERATED),
    ("PlanDefinition.*", "contained.*", ".*", Step.PATCH, _GENERATED),
    ("Library.*", "(contained|parameter|dataRequirement)(\\..*)?", ".*", Step.PATCH, _GENERATED),
    ("ImplementationGuide", "definition.*", ".*", Step.PATCH, _GENERATED),
    ("StructureDefinition", f"extension\\({_FEATURE}\\).*", ".*", Step.MAJOR, "which rule the records are for"),
    (".*", f"({_METADATA})((\\.|\\().*)?", ".*", Step.PATCH, _ABOUT),
    # Plans: what a recommendation says is on its card; strategies and pathways only lead to it
    (_CARDS, f"action(\\.action)*\\.{_SAID}(\\..*)?", ".*", Step.MAJOR, _SAYS),
    (_CARDS, "action(\\.action)*\\.(documentation|relatedArtifact).*", ".*", Step.PATCH, "a reference to a source"),
    (_LEVELS, "action(\\.action)*", "added", Step.MINOR, "a new way to a recommendation"),
    (_LEVELS, "action(\\.action)*", "moved", Step.PATCH, _WORDING),
    ("PlanDefinition.*", f"action\\.(.*\\.)?{_WORDS}(\\..*)?", ".*", Step.PATCH, _WORDING),
    ("PlanDefinition.*", ".*", ".*", Step.MAJOR, _APPLIES),
    ("ActivityDefinition", "(.*\\.)?display", ".*", Step.PATCH, _WORDING),
    ("ActivityDefinition", ".*", ".*", Step.MAJOR, "what a recommendation drafts"),
    # Logic
    ("Library.*", "text/cql", ".*", Step.PATCH, "wording: comments and layout of the logic"),
    ("Library.*", _LOGIC, "added", Step.MINOR, "a new definition that nothing older uses"),
    ("Library.*", "parameters\\.default.*", ".*", Step.MAJOR, "who a recommendation applies to: a parameter's default"),
    ("Library.*", f"({_LOGIC})(\\..*)?", ".*", Step.MAJOR, _APPLIES),
    # Terminology
    ("ValueSet.*", "member", "added", Step.MINOR, "a new code in a set"),
    ("ValueSet/read", "member", "removed", Step.MAJOR, "who a recommendation applies to: the rules read this set"),
    ("ValueSet/offered", "member", "removed", Step.MINOR, "a questionnaire is refined: no rule reads this set"),
    ("ValueSet.*", "member", "changed|moved", Step.PATCH, _WORDING),
    ("ValueSet.*", f"compose\\.(.*\\.)?{_WORDS}(\\..*)?", ".*", Step.PATCH, _WORDING),
    ("ValueSet.*", "compose.*", "moved", Step.PATCH, _WORDING),
    ("ValueSet.*", "compose.*", ".*", Step.MINOR, "defined otherwise; the codes gained and lost are told one by one"),
    ("ValueSet.*", "expansion.*|immutable", ".*", Step.PATCH, _ABOUT),
    ("CodeSystem", "concept(\\.concept)*", "added", Step.MINOR, "a new code"),
    ("CodeSystem", f"concept(\\.concept)*\\.({_WORDS}|property)(\\..*)?", ".*", Step.PATCH, _WORDING),
    ("CodeSystem", "concept(\\.concept)*", "moved", Step.PATCH, _WORDING),
    ("CodeSystem", "count|property.*", ".*", Step.PATCH, _ABOUT),
    ("CodeSystem", ".*", ".*", Step.MAJOR, "a code that records hold is gone or means something else"),
    ("ConceptMap", f"(.*\\.)?{_WORDS}", ".*", Step.PATCH, _WORDING),
    ("ConceptMap", ".*", ".*", Step.MINOR, "another mapping; no rule reads it"),
    # Forms and profiles
    (
        "Questionnaire",
        "(.*\\.)?_?(text|title|display|designation|prefix|description|comment)(\\..*)?",
        ".*",
        Step.PATCH,
        _WORDING,
    ),
    ("Questionnaire", ".*", ".*", Step.MINOR, "a questionnaire is refined"),
    (
        "StructureDefinition",
        f"differential\\.element\\.(.*\\.)?({_WORDS}|extension.*)(\\..*)?",
        ".*",
        Step.PATCH,
        _WORDING,
    ),
    ("StructureDefinition", ".*", ".*", Step.MAJOR, "which records the rules are said to see"),
    ("ImplementationGuide", ".*", ".*", Step.PATCH, _ABOUT),
    (".*", ".*", ".*", Step.MAJOR, "no rule calls this smaller"),
)
_ROWS = tuple(
    (re.compile(kind), re.compile(path), re.compile(what), step, why) for kind, path, what, step, why in _TABLE
)


def judged(kind: str, found: Iterable[Found]) -> tuple[Change, ...]:
    """Say of each change of one artifact which step it needs and why."""
    return tuple(_judge(kind, path, what, old, new) for path, what, old, new in found)


def _judge(kind: str, path: Path, what: str, old: Any, new: Any) -> Change:
    bare = ".".join(f"{name}({member})" if name.endswith("xtension") else name for name, member in path)
    step, why = next(row[3:] for row in _ROWS if _fits(row, kind, bare, what))
    told = ".".join(f"{name}[{member}]" if member else name for name, member in path)
    return Change(told, what, old, new, step, why, why == _GENERATED)


def _fits(row: tuple[Any, ...], kind: str, path: str, what: str) -> bool:
    return all(pattern.fullmatch(text) for pattern, text in zip(row[:3], (kind, path, what), strict=True))


def made(old: str, new: str) -> Step:
    """Give the step from one version number to another; one that only drops or changes a label is a patch.

    https://semver.org/spec/v2.0.0.html#spec-item-11
    """
    before, after = _parts(old), _parts(new)
    if after < before:
        return Step.BACK
    for step, place in ((Step.MAJOR, 0), (Step.MINOR, 1), (Step.PATCH, 2)):
        if after[0][place] != before[0][place]:
            return step
    return Step.NONE if after == before else Step.PATCH


def _parts(version: str) -> tuple[list[int], bool, list[tuple[bool, int, str]]]:
    """Split a version so that it sorts by precedence: numbers, no label after any label, labels number by number."""
    core, _, label = version.partition("+")[0].partition("-")
    words = label.split(".") if label else []
    return (
        [int(part) for part in core.split(".")],
        not label,
        [(not word.isdigit(), int(word) if word.isdigit() else 0, word) for word in words],
    )
