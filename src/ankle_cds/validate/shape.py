"""Whether a resource has the shape FHIR R4 gives it: known elements, right types, nothing required missing.

Asked of the models of fhir.resources, which exist for R4B. Where R4B and R4 differ in the types published here, R4
decides: the table below names what R4B added. Types that R4B added are refused as a whole.
https://hl7.org/fhir/R4B/diff.html
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ankle_cds.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ankle_cds.fhir import Resource

Location = tuple[str | int, ...]

_R4 = "https://hl7.org/fhir/R4/{}-definitions.html"
_DIFFERENCES = "https://hl7.org/fhir/R4B/diff.html"
# Elements that R4B has and R4 has not, by type.
_NOT_IN_R4: dict[str, frozenset[str]] = {
    "ActivityDefinition": frozenset({"subjectCanonical"}),
    "PlanDefinition": frozenset({"subjectCanonical"}),
}
# Choices of value[x] and its like that rest on data types R4B added.
_TYPES_NOT_IN_R4 = ("CodeableReference", "RatioRange")
_RESOURCES_NOT_IN_R4 = frozenset(
    {
        *("AdministrableProductDefinition", "Citation", "ClinicalUseDefinition", "EvidenceReport", "Ingredient"),
        *("ManufacturedItemDefinition", "MedicinalProductDefinition", "NutritionProduct", "PackagedProductDefinition"),
        *("RegulatedAuthorization", "SubscriptionStatus", "SubscriptionTopic", "SubstanceDefinition"),
    }
)
_MISSING = "model_field_validation.missing"


@dataclass(frozen=True, slots=True)
class Problem:
    """One departure from the shape: where in the resource, what is wrong and what to do, the rule it breaks."""

    location: Location
    message: str
    spec: str


def shape_problems(resource: Resource) -> tuple[Problem, ...]:
    """List every element of a resource that R4 does not know, has with another type, or misses.

    Raises ContentError when the models are not installed.
    """
    kind = str(resource.get("resourceType"))
    spec = _R4.format(kind.lower())
    if kind in _RESOURCES_NOT_IN_R4:
        return (Problem((), f"{kind} is no resource of FHIR R4; use another type.", _DIFFERENCES),)
    problems = [
        Problem((*location, name), f"`{name}` was added after FHIR R4; remove it.", _DIFFERENCES)
        for location, name in _newer_elements(resource, ())
    ]
    model = _model(kind)
    if model is None:
        return (Problem(("resourceType",), f"{kind} is no resource of FHIR R4; correct the type.", _DIFFERENCES),)
    plain = _plain(resource)
    try:
        parsed = model.model_validate(plain)
    except ValueError as refusal:  # pydantic's ValidationError; its own text repeats the values
        for error in refusal.errors():  # type: ignore[attr-defined]
            location = tuple(step for step in error["loc"] if isinstance(step, (str, int)))
            problems.append(Problem(location, _sentence(error, location), spec))
        return tuple(problems)
    # The models turn "1" into 1 and the like without a word.
    for location in _changed_types(plain, parsed.model_dump(mode="json", by_alias=True, exclude_none=True), ()):
        name = _element(location)
        problems.append(Problem(location, f"`{name}` has another JSON type than FHIR gives it; correct it.", spec))
    return tuple(problems)


def models_installed() -> bool:
    """Tell whether the FHIR models (extra `build`) are installed."""
    return find_spec("fhir") is not None and find_spec("fhir.resources") is not None


@cache
def _model(kind: str) -> Any:
    try:
        from fhir.resources.R4B import get_fhir_model_class  # noqa: PLC0415 - the extra `build`, not needed to serve
    except ImportError:
        raise ContentError(
            "The FHIR models are not installed; install ankle-cds[build] to check the shape of artifacts."
        ) from None
    try:
        return get_fhir_model_class(kind)
    except (KeyError, LookupError):
        return None


def _sentence(error: Any, location: Location) -> str:
    name = _element(location)
    if error["type"] == "extra_forbidden":
        return f"`{name}` is no element of FHIR R4 here; correct the name or remove it."
    if error["type"] == _MISSING:
        return f"`{name}` is required; add it."
    reason = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"`{name}` has the wrong type or form ({reason}); correct it."


def _element(location: Location) -> str:
    return next((step for step in reversed(location) if isinstance(step, str)), "resource")


def _newer_elements(node: Any, location: Location) -> Iterator[tuple[Location, str]]:
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _newer_elements(item, (*location, index))
    elif isinstance(node, dict):
        newer = _NOT_IN_R4.get(str(node.get("resourceType")), frozenset())
        for name, value in node.items():
            if name in newer or name.endswith(_TYPES_NOT_IN_R4):
                yield location, name
            yield from _newer_elements(value, (*location, name))


def _plain(value: Any) -> Any:
    """Copy to plain JSON types; the models compare exact types in places."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _changed_types(given: Any, kept: Any, location: Location) -> Iterator[Location]:
    if isinstance(given, dict) and isinstance(kept, dict):
        for name, value in given.items():
            if name in kept:
                yield from _changed_types(value, kept[name], (*location, name))
    elif isinstance(given, list) and isinstance(kept, list):
        for index, (one, other) in enumerate(zip(given, kept, strict=False)):
            yield from _changed_types(one, other, (*location, index))
    elif not isinstance(given, Decimal) and _kind(given) != _kind(kept):
        yield location


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, float, Decimal)) else type(value).__name__
