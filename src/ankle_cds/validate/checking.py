"""Is a resource what a profile says? Every rule of the snapshot is asked of every element.

Structure and types, cardinality, fixed values and patterns, required bindings whose codes are known, slices told apart
by a pattern, and constraints of severity error or warning. Not asked: whether narrative is safe HTML (txt-1, txt-2),
best-practice hints (dom-6), bindings to lists FHIR itself does not carry (media types, currencies), and whether a
reference leads anywhere. https://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ankle_cds import fhirpath
from ankle_cds.fhir import in_value_set
from ankle_cds.fhir.definitions import BASE, Element, r4
from ankle_cds.fhirpath import pairs, root, typed
from ankle_cds.validate import values
from ankle_cds.validate.breaches import Breach
from ankle_cds.validate.shape import models_installed, shape_problems

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ankle_cds.artifacts.nodes import Location
    from ankle_cds.fhir import Code, Resource
    from ankle_cds.fhirpath import Node
    from ankle_cds.validate.profile import Profile

    ValueSets = Mapping[str, frozenset[Code]]

_DATATYPES = "https://hl7.org/fhir/R4/datatypes.html"
_ELE_1 = "ele-1"
# ele-1 is asked of the structure itself; for the others see above.
_NOT_ASKED = frozenset({_ELE_1, "txt-1", "txt-2"})
_BEST_PRACTICE = f"{BASE}elementdefinition-bestpractice"


@dataclass(frozen=True, slots=True)
class _Found:
    """One value that stands under an element: what stands beside it, the type its name says, and where it is."""

    value: Any
    beside: Any
    kind: str | None
    location: Location


def given(value_sets: ValueSets) -> fhirpath.Given:
    """Give what the expression of a constraint may rest on: not the day it is asked on, so that the answer stays."""
    return fhirpath.Given(frozenset({"context", "resource", "rootResource"}), value_sets=frozenset(value_sets))


def breaches(resource: Resource, profile: Profile, value_sets: ValueSets) -> tuple[Breach, ...]:
    """List every rule of the profile that the resource breaks, each once; empty when it is what the profile says.

    `value_sets` are the members of each value set by url.
    """
    if resource.get("resourceType") != profile.type:
        message = f"The profile is about {profile.type}; validate such a resource, or choose another profile."
        return (Breach(("resourceType",), profile.type, "type", message, profile.url),)
    check = _Check(resource, profile, value_sets)
    check.resource(resource, profile.elements, ())
    return tuple(check.found.values())


class _Check:
    """One walk over one resource; `found` keeps each broken rule of each place once."""

    def __init__(self, resource: Resource, profile: Profile, value_sets: ValueSets) -> None:
        self.profile = profile
        self.value_sets = value_sets
        self.given = given(value_sets)
        self.root = root(resource)
        self.nearest = self.root
        self.found: dict[tuple[Location, str, str], Breach] = {}

    def broken(
        self, location: Location, rule: str, kind: str, message: str, *, spec: str = "", severity: str = "error"
    ) -> None:
        page = f"https://hl7.org/fhir/R4/{self.profile.type.lower()}-definitions.html"
        ours = rule.partition(".")[0] == self.profile.type
        breach = Breach(location, rule, kind, message, spec or (self.profile.url if ours else page), severity)
        self.found.setdefault((location, rule, kind), breach)

    def resource(self, value: Resource, element: Element, location: Location) -> None:
        outer, self.nearest = self.nearest, root(value)
        self.object(value, element, r4().tree(str(value["resourceType"])), location)
        self.constraints(element.definition, self.nearest, location)
        self.nearest = outer

    def object(self, value: dict[str, Any], element: Element, base: Element, location: Location) -> None:
        """Check what is inside an object; `base` is the element as FHIR defines it, which knows all choices."""
        known = {"resourceType"} if element.id == value.get("resourceType") else set()
        for step, child in element.children.items():
            base_child = base.children[step]
            found: list[_Found] = []
            for name, _, kind in Element({}, {step: base_child}).properties():
                known |= {name, f"_{name}"} if kind and r4().primitive(kind) else {name}
                found += self.occurrences(value, name, kind, base_child, location)
            self.child(child, base_child, found, (*location, step))
        for name in value.keys() - known:
            message = "No element of this name stands here in FHIR R4; correct the name or remove it."
            self.broken((*location, name), element.id, "unknown", message)

    def occurrences(
        self, value: dict[str, Any], name: str, kind: str | None, base: Element, location: Location
    ) -> list[_Found]:
        repeats = base.definition["base"]["max"] != "1" and base.definition["max"] != "0"
        here = (*location, name)
        if name in value and isinstance(value[name], list) != repeats:
            wanted = "a list" if repeats else "one value, not a list"
            self.broken(here, base.id, "form", f"`{name}` is written as {wanted}; correct it.", spec=_DATATYPES)
            return []
        if name in value and value[name] in (None, "", [], {}):
            self.broken(here, _ELE_1, "invariant", f"`{name}` is empty; leave it out.", spec=_DATATYPES)
            return []
        return [
            _Found(item, beside, kind, (*here, index) if repeats else here)
            for index, (item, beside) in enumerate(pairs(value, name))
        ]

    def child(
        self,
        child: Element,
        base: Element,
        found: list[_Found],
        location: Location,
    ) -> None:
        """Check how often an element stands, each of its values, and its slices."""
        self.count(child, len(found), location)
        for item in found:
            if item.kind is not None and item.kind not in child.types:
                message = f"The type is not allowed here; use {' or '.join(child.types)}."
                self.broken(item.location, child.id, "type", message)
            else:
                slices = [rules for rules in child.slices.values() if _in_slice(child, rules, item.value)]
                for rules in slices or [child]:
                    self.value(rules, base, item)
        for rules in child.slices.values():
            self.count(rules, sum(_in_slice(child, rules, item.value) for item in found), location)

    def count(self, element: Element, number: int, location: Location) -> None:
        least, most = element.definition["min"], element.definition["max"]
        name = str(location[-1])
        if number < least:
            message = f"`{name}` stands {number} times and is needed at least {least} times; add it."
            if number == 0:
                message = f"`{name}` is missing; add it."
            self.broken(location, element.id, "minimum", message)
        elif most != "*" and number > int(most):
            message = f"`{name}` stands {number} times and is allowed at most {most} times; remove the others."
            self.broken(location, element.id, "maximum", message)

    def value(self, element: Element, base: Element, item: _Found) -> None:
        """Check one value: what is inside it, then the rules of its element about it as a whole."""
        value, kind, location = item.value, item.kind, item.location
        node = typed(value, item.beside, base, kind)
        if value is None and item.beside is None:
            self.broken(location, _ELE_1, "invariant", "The item is empty; leave it out.", spec=_DATATYPES)
            return
        if kind is not None and r4().primitive(kind):
            if not self.primitive(element, item, kind):
                return
        elif not isinstance(value, dict) or not value:
            self.broken(location, element.id, "form", "An object with content is needed here.", spec=_DATATYPES)
            return
        elif kind == "Resource":
            self.contained(value, location)
        else:
            inner = element if element.children else node.element
            if inner is not None:
                self.object(value, inner, base if element.children else inner, location)
            if kind is not None and r4().knows(kind):
                self.constraints(r4().tree(kind).definition, node, location)
        self.rules(element, value, kind, location)
        self.constraints(element.definition, node, location)

    def primitive(self, element: Element, item: _Found, kind: str) -> bool:
        """Check the form of a primitive and of what stands beside it; tell whether there is a value to go on with."""
        value, beside, location = item.value, item.beside, item.location
        if beside is not None:
            if isinstance(beside, dict) and beside:
                self.object(beside, r4().tree("string"), r4().tree("string"), location)
            else:
                self.broken(location, element.id, "form", "An object is needed beside the value.", spec=_DATATYPES)
        problem = values.form_problem(value, kind) if value is not None else None
        if problem is not None:
            self.broken(
                location, element.id, "form", f"{problem[0].upper()}{problem[1:]}; correct it.", spec=_DATATYPES
            )
        return value is not None and problem is None

    def contained(self, value: dict[str, Any], location: Location) -> None:
        kind = value.get("resourceType")
        if isinstance(kind, str) and r4().profiled(kind):
            self.resource(value, r4().tree(kind), location)
            return
        if not models_installed():
            message = "A resource inside this one was not checked; install ankle-cds[build] to check its shape."
            self.broken(location, "contained", "unknown", message, spec=_DATATYPES, severity="warning")
            return
        for problem in shape_problems(value):
            self.broken((*location, *problem.location), "contained", "form", problem.message, spec=problem.spec)

    def rules(self, element: Element, value: Any, kind: str | None, location: Location) -> None:
        definition = element.definition
        for name in ("fixed", "pattern"):
            constant = values.constant(definition, name)
            if constant is not None and not values.fits(constant, value):
                self.broken(location, element.id, name, f"This must be {_written(constant)}; correct it.")
            elif constant is not None and name == "fixed" and not values.fits(value, constant):
                self.broken(location, element.id, name, f"This must be {_written(constant)} and no more; correct it.")
        wanted = values.out_of_range(definition, value)
        if wanted is not None:
            self.broken(location, element.id, "range", f"The number must be {wanted}.")
        target = values.wrong_target(definition, value) if kind == "Reference" else None
        if target is not None:
            self.broken(location, element.id, "reference", f"The reference must lead to {target}.")
        binding = definition.get("binding", {})
        if binding.get("strength") == "required" and kind is not None:
            canonical = str(binding.get("valueSet", ""))
            members = self.value_sets.get(canonical.partition("|")[0]) or r4().value_set(canonical)
            if members is not None and not in_value_set(value, kind, members):
                name = canonical.partition("|")[0].rpartition("/")[2]
                message = f"No code here is in the value set {name} ({values.some_codes(members)}); use one that is."
                self.broken(location, element.id, "binding", message)

    def constraints(self, definition: Mapping[str, Any], node: Node, location: Location) -> None:
        known = {"context": [node], "resource": [self.nearest], "rootResource": [self.root]}
        context = fhirpath.Context(known, value_sets=self.value_sets)
        for constraint in definition.get("constraint", ()):
            key = constraint["key"]
            if key in _NOT_ASKED or any(item["url"] == _BEST_PRACTICE for item in constraint.get("extension", ())):
                continue
            try:
                expression = fhirpath.compile_expression(constraint["expression"], self.given)
                holds = fhirpath.truth(expression(context, [node]))
            except fhirpath.UndecidedError:
                message = (
                    "The rule cannot be decided, because an element it reads has a wrong form; correct that first."
                )
            else:
                if holds is not False:
                    continue
                message = f"{str(constraint['human']).rstrip('.')}."
            source = constraint.get("source") or self.profile.url
            self.broken(location, key, "invariant", message, spec=source, severity=constraint["severity"])


def _in_slice(sliced: Element, item: Element, value: Any) -> bool:
    """Tell whether a value belongs to a slice: it fits the pattern at every discriminator."""
    for discriminator in sliced.definition["slicing"]["discriminator"]:
        rules, inner = item, value
        for step in discriminator["path"].split("."):
            rules = rules.children[step]
            inner = inner.get(step) if isinstance(inner, dict) else None
        found = values.constant(rules.definition, "pattern")
        if found is None or not values.fits(found, inner):
            return False
    return True


def _written(value: Any) -> str:
    """Write a constant of the profile in one line."""
    if isinstance(value, dict):
        codings = value.get("coding", [value] if "code" in value else [])
        texts = [f"{coding['code']} of {coding['system']}" for coding in codings if "system" in coding]
        return " and ".join(texts) or f"the text “{value.get('text')}”"
    return f"`{value}`"
