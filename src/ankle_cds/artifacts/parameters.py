"""The parameters of a package: what the logic declares and what the service reads, with unit, basis and constraints.

Name, type and default of a parameter of the logic stand in the logic. What CQL has no words for stands in package.yaml:
the basis, the unit, and what must hold between values. https://cql.hl7.org/02-authorsguide.html#parameters
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ankle_cds import elm
    from ankle_cds.artifacts.findings import Findings
    from ankle_cds.fhir import Document

_NUMBERS = ("Integer", "Decimal")
_PER_CALL = "per call"
_BOUNDED = ("least", "most")
_KINDS = ("ascending", *_BOUNDED, "filled", "https")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; `type` is a CQL type such as `Integer` or `List<String>`.

    `service` tells whether the service reads it instead of the logic.
    """

    name: str
    type: str
    default: Any
    unit: str | None
    basis: str
    service: bool = False

    @property
    def per_call(self) -> bool:
        """Whether each call sets it, so that a site cannot."""
        return _PER_CALL in self.basis.lower()


@dataclass(frozen=True, slots=True)
class Constraint:
    """What must hold for the values of some parameters; one that is not set holds it.

    `kind` ascending: each is at least the one before; least and most: not below, not above `bound`; filled: a list with
    at least one entry; https: an absolute https address.
    """

    kind: str
    names: tuple[str, ...]
    because: str
    bound: int = 0

    def broken(self, values: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield each departure: the parameters it is about and a sentence without its reason."""
        known = [name for name in self.names if values.get(name) is not None]
        if self.kind == "ascending":
            for lower, upper in pairwise(known):
                if values[upper] < values[lower]:
                    yield (upper, lower), f"{upper} ({values[upper]}) is below {lower} ({values[lower]})"
            return
        for name in known:
            value = values[name]
            refused = {
                "least": self.kind == "least" and value < self.bound and f"is below {self.bound}",
                "most": self.kind == "most" and value > self.bound and f"is above {self.bound}",
                "filled": self.kind == "filled" and not value and "is empty",
                "https": self.kind == "https" and not value.startswith("https://") and "is no https address",
            }[self.kind]
            if refused:
                yield (name,), f"{name} {refused}"


def documentation(settings: Mapping[str, Any]) -> dict[str, str]:
    """Give what is published about each parameter of the logic: its basis and its unit."""
    listed = ((unit, names) for unit, names in settings.get("units", {}).items() if isinstance(names, list))
    units = {str(name): unit for unit, names in listed for name in names}
    basis = settings["parameters"].items()
    return {name: f"{text}; unit: {units[name]}" if name in units else text for name, text in basis}


def of_logic(settings: Document, program: elm.Program, findings: Findings) -> tuple[Parameter, ...]:
    """Describe the parameters of the primary logic library in the order of their basis.

    A number without a unit, a parameter with two units, and a unit of nothing the logic declares become findings.
    """
    units: dict[str, str] = {}
    for unit, names in settings.data.get("units", {}).items():
        for index, name in enumerate(_names(names, settings, ("units", unit), findings)):
            where = settings.where("units", unit, index)
            if name in units:
                findings.refuse(f"{name} has two units; remove one.", where)
            if name not in program.parameters:
                findings.refuse(f"`units` names {name}, which the logic does not have; remove it.", where)
            units[name] = unit
    found = []
    for name, basis in settings.data["parameters"].items():
        declared = program.parameters[name]
        kind = declared.type.replace("System.", "")
        if kind in _NUMBERS and name not in units:
            where = settings.where("parameters", name)
            findings.refuse(f"{name} is a number without a unit; add it to `units` in package.yaml.", where)
        found.append(Parameter(name, kind, declared.default, units.get(name), basis))
    return tuple(found)


def of_service(settings: Document) -> tuple[Parameter, ...]:
    """Describe the parameters that the service reads, in the order of package.yaml."""
    return tuple(
        Parameter(
            name=entry["name"],
            type=entry["type"],
            default=entry.get("default"),
            unit=entry.get("unit"),
            basis=entry["basis"],
            service=True,
        )
        for entry in settings.data.get("serviceParameters", [])
    )


def constraints(settings: Document, parameters: Iterable[Parameter], findings: Findings) -> tuple[Constraint, ...]:
    """Read what must hold between values.

    A constraint of no known kind, one that names no parameter, and one that the defaults break become findings.
    """
    described = {parameter.name: parameter for parameter in parameters}
    defaults = {name: parameter.default for name, parameter in described.items()}
    found = []
    for index, entry in enumerate(settings.data.get("constraints", [])):
        where = settings.where("constraints", index)
        kind = next((kind for kind in _KINDS if kind in entry), None)
        if kind is None:
            findings.refuse(f"A constraint is one of {', '.join(_KINDS)}; name one.", where)
            continue
        bound, names = (entry[kind], entry.get("of", [])) if kind in _BOUNDED else (0, entry[kind])
        fitting = [name for name in names if name in described and _fits(described[name].type, kind)]
        if len(fitting) < max(1, len(names)) or not isinstance(bound, int):
            findings.refuse(f"`{kind}` needs parameters of the right type, and a whole number as bound.", where)
            continue
        constraint = Constraint(kind, tuple(names), entry["because"], bound)
        for _, said in constraint.broken(defaults):
            findings.refuse(f"By default {said}: {constraint.because}. Correct the constraint or the default.", where)
        found.append(constraint)
    return tuple(found)


def _fits(kind: str, constraint: str) -> bool:
    """Tell whether a constraint can be asked of a parameter of this type."""
    wanted = {"filled": kind.startswith("List<"), "https": kind == "String"}
    return wanted.get(constraint, kind in _NUMBERS)


def _names(value: Any, settings: Document, place: tuple[str, ...], findings: Findings) -> list[str]:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    findings.refuse(f"`{place[-1]}` is a list of names; write it so.", settings.where(*place))
    return []
