"""Is our content true, and is a resource what its profile says? What `build` and `validate` ask.

`check` lists every artifact that has another shape than FHIR R4 gives it, everything in the plans that `$apply` could
not execute or that could not become a card, everything in the forms that could not be extracted, and every constraint
of a profile that could not be asked, each at the file and line of the author. `check_file` asks resources of others our
profiles; `read_examples` and `check_examples` ask the examples of the profiles themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ankle_cds import apply, cards, forms
from ankle_cds.errors import ContentError
from ankle_cds.fhirpath import UnsupportedExpressionError, compile_expression
from ankle_cds.validate.breaches import Breach
from ankle_cds.validate.checking import breaches, given
from ankle_cds.validate.examples import Examples, check_examples, read_examples
from ankle_cds.validate.profile import Profile, profiles
from ankle_cds.validate.report import Checked, UnknownProfileError, as_json, check_file, render
from ankle_cds.validate.shape import Problem, shape_problems

if TYPE_CHECKING:
    from ankle_cds.artifacts import Package

_FHIRPATH = "http://hl7.org/fhirpath/N1/"

__all__ = [
    "Breach",
    "Checked",
    "Examples",
    "Problem",
    "Profile",
    "UnknownProfileError",
    "as_json",
    "breaches",
    "check",
    "check_examples",
    "check_file",
    "profiles",
    "read_examples",
    "render",
    "require",
    "require_examples",
    "shape_problems",
]


def check(package: Package) -> tuple[ContentError, ...]:
    """List all mistakes in a loaded package; empty when it may be published.

    Raises ContentError when the FHIR models (extra `build`) are not installed.
    """
    found = [
        ContentError(
            f"{resource['resourceType']} {resource['id']}: {problem.message}",
            where=package.where(str(url), *problem.location),
            spec=problem.spec,
        )
        for url, resource in package.resources.items()
        for problem in shape_problems(resource)
    ]
    found += _constraints(package)
    for error in (*apply.check(package), *cards.check(package), *forms.check(package)):
        where = package.locate(error.where) if error.where else None
        found.append(ContentError(error.message, where=where, spec=error.spec))
    return tuple(found)


def _constraints(package: Package) -> list[ContentError]:
    """List the constraints of our profiles that are outside the part of FHIRPath that is supported."""
    found = []
    rest = given(package.value_sets)
    for profile in package.of_type("StructureDefinition"):
        for index, element in enumerate(profile["differential"]["element"]):
            for number, constraint in enumerate(element.get("constraint", ())):
                try:
                    compile_expression(constraint["expression"], rest)
                except UnsupportedExpressionError as error:
                    path = ("differential", "element", index, "constraint", number, "expression")
                    message = f"The expression of {constraint['key']} cannot be asked: {error}; write it otherwise."
                    found.append(ContentError(message, where=package.where(profile["url"], *path), spec=_FHIRPATH))
    return found


def require(package: Package) -> None:
    """Raise ContentError listing all that `check` finds; do nothing when it finds nothing."""
    found = check(package)
    if found:
        raise ContentError(
            f"{len(found)} mistakes in the content; correct each.", where=str(package.folder), causes=found
        )


def require_examples(package: Package) -> Examples:
    """Give the examples of the profiles; raise ContentError listing each that does not break just what it names."""
    examples = read_examples(package)
    found = check_examples(package, examples)
    if found:
        raise ContentError(
            f"{len(found)} examples of profiles are not what they say; correct each.",
            where=str(package.folder),
            causes=found,
        )
    return examples
