"""The authored examples of the profiles: resources that are what a profile says, and some that break one named rule.

One file per profile in `examples/profiles`; what all of a type share stands once in `_shared.yaml`, which also says how
an example is written.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ankle_cds.errors import ContentError
from ankle_cds.fhir import read_yaml
from ankle_cds.validate.checking import breaches
from ankle_cds.validate.profile import Profile, profiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ankle_cds.artifacts import Package
    from ankle_cds.fhir import Document, Resource

_SHARED = "_shared.yaml"
_FILE = frozenset({"profile", "inferredFrom", "readWith", "valid", "invalid"})
_ENTRY = frozenset({"says", "with", "without", "breaks", "feature"})
_LEAST = {"valid": 2, "invalid": 3}


@dataclass(frozen=True, slots=True)
class Example:
    """One example, completed.

    `breaks` is (kind, rule) of the only rule an invalid one breaks, None for a valid one; `known` is False where the
    record is right and says that the feature is not known; `where` is file and line.
    """

    name: str
    says: str
    resource: Resource
    breaks: tuple[str, str] | None
    known: bool
    where: str


@dataclass(frozen=True, slots=True)
class ProfileExamples:
    """The examples of one profile.

    `inferred_from` names the profiles whose first examples together make an inference true; `read_with` those whose
    first examples must be on record for this one to be read.
    """

    profile: Profile
    valid: tuple[Example, ...]
    invalid: tuple[Example, ...]
    inferred_from: tuple[str, ...]
    read_with: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Examples:
    """All examples by profile id, and the moment their dates were chosen for."""

    clock: datetime
    of: Mapping[str, ProfileExamples] = field(default_factory=dict)


def examples_folder() -> Path:
    """Give the folder of the examples: in the wheel beside the content, in a checkout at its root."""
    home = Path(__file__).resolve().parents[1]
    packed = home / "examples" / "profiles"
    return packed if packed.is_dir() else home.parents[1] / "examples" / "profiles"


def read_examples(package: Package, folder: Path | None = None) -> Examples:
    """Read the examples of a package's profiles; raise ContentError for a file that is not written as it should be."""
    root = folder or examples_folder()
    shared = read_yaml(root / _SHARED)
    _keys(shared, shared.data, frozenset({"clock", "resources"}), ())
    known = {profile.id: profile for profile in profiles(package)}
    found: dict[str, ProfileExamples] = {}
    for path in sorted(root.glob("*.yaml")):
        if path.name != _SHARED:
            document = read_yaml(path)
            profile = known.get(str(document.data.get("profile")))
            if profile is None or path.stem != profile.id:
                raise ContentError(
                    "The file is named after the profile, and names it in `profile`.", where=document.where("profile")
                )
            found[profile.id] = _File(document, profile, shared).read()
    for name in known.keys() - found.keys():
        raise ContentError(f"{name} has no examples; write {name}.yaml.", where=str(root))
    return Examples(_clock(shared), found)


def check_examples(package: Package, examples: Examples) -> tuple[ContentError, ...]:
    """List every valid example that breaks a rule, and every invalid one that breaks not just the rule it names."""
    return tuple(
        ContentError(f"{example.name} ({example.says}): {wrong}", where=example.where, spec=of.profile.url)
        for of in examples.of.values()
        for example in (*of.valid, *of.invalid)
        if (wrong := _wrong(example, of.profile, package)) is not None
    )


def _wrong(example: Example, profile: Profile, package: Package) -> str | None:
    found = [item for item in breaches(example.resource, profile, package.value_sets) if item.severity == "error"]
    broken = {(item.kind, item.rule) for item in found}
    named = {example.breaks} if example.breaks else set()
    if broken == named and len(found) == len(named):
        return None
    wanted = " of ".join(example.breaks) if example.breaks else "none"
    got = "; ".join(f"{item.kind} of {item.rule} at {item.path or 'the resource'}" for item in found) or "none"
    return f"it should break {wanted} and breaks {got}; correct the example or the profile."


def _clock(shared: Document) -> datetime:
    try:
        clock = datetime.fromisoformat(str(shared.data.get("clock")))
    except ValueError:
        clock = datetime.min  # noqa: DTZ901  # has no offset: refused below
    if clock.tzinfo is None:
        raise ContentError("`clock` is a time with its offset.", where=shared.where("clock"))
    return clock


def _keys(document: Document, node: Any, allowed: frozenset[str], location: tuple[str | int, ...]) -> dict[str, Any]:
    """Give the node when it is a mapping with no other keys; raise ContentError otherwise."""
    if not isinstance(node, dict):
        raise ContentError("A mapping is needed here.", where=document.where(*location))
    for key in node.keys() - allowed:
        raise ContentError(
            f"`{key}` is not known here; use {', '.join(sorted(allowed))}.", where=document.where(*location, key)
        )
    return node


class _File:
    """One file being read."""

    def __init__(self, document: Document, profile: Profile, shared: Document) -> None:
        self.document = document
        self.profile = profile
        self.shared = shared.data["resources"].get(profile.type, {})

    def read(self) -> ProfileExamples:
        data = _keys(self.document, self.document.data, _FILE, ())
        for name, least in _LEAST.items():
            if not isinstance(data.get(name), list) or len(data[name]) < least:
                raise ContentError(f"`{name}` holds at least {least} examples.", where=self.document.where(name))
        valid = tuple(self.example("valid", index, self.given()) for index in range(len(data["valid"])))
        base = {key: value for key, value in valid[0].resource.items() if key != "id"}
        invalid = tuple(self.example("invalid", index, base) for index in range(len(data["invalid"])))
        others = (tuple(data.get(name, ())) for name in ("inferredFrom", "readWith"))
        return ProfileExamples(self.profile, valid, invalid, *others)

    def given(self) -> Resource:
        """Give what follows from the profile, and those of the shared elements that it requires."""
        children = self.profile.elements.children
        needed = tuple(step.removesuffix("[x]") for step, child in children.items() if child.definition["min"] > 0)
        code = children.get("code")
        pattern = code.definition.get("patternCodeableConcept") if code is not None else None
        return {
            "resourceType": self.profile.type,
            "meta": {"profile": [self.profile.url]},
            **({"code": deepcopy(pattern)} if pattern else {}),  # an artifact is frozen, an example is plain JSON
            **{key: value for key, value in self.shared.items() if key.startswith(needed)},
        }

    def example(self, name: str, index: int, base: Resource) -> Example:
        location = (name, index)
        entry = _keys(self.document, self.document.data[name][index], _ENTRY, location)
        where = self.document.where(*location)
        removed = entry.get("without", ())
        if not isinstance(entry.get("says"), str) or any(key not in base for key in removed):
            raise ContentError(
                "`says` tells what the example is; `without` names elements that are there.", where=where
            )
        resource = {
            **{key: value for key, value in base.items() if key not in removed},
            **_keys(self.document, entry.get("with", {}), frozenset(entry.get("with", {})), (*location, "with")),
        }
        resource["id"] = f"{self.profile.id}-{name}-{index + 1}"
        return Example(
            str(resource["id"]),
            entry["says"],
            resource,
            self.breaks(entry, where) if name == "invalid" else None,
            known=entry.get("feature") != "unknown",
            where=where,
        )

    def breaks(self, entry: dict[str, Any], where: str) -> tuple[str, str]:
        rules = entry.get("breaks")
        if not isinstance(rules, dict) or len(rules) != 1:
            raise ContentError("`breaks` names the one rule that is broken, as {kind: rule}.", where=where)
        ((kind, rule),) = rules.items()
        return str(kind), str(rule)
