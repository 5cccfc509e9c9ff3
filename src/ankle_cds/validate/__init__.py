"""Is our content true? What `build` and `validate` ask beyond what loading already proved.

`check` lists every artifact that has another shape than FHIR R4 gives it, everything in the plans that `$apply` could
not execute or that could not become a card, and everything in the forms that could not be extracted, each at the file
and line of the author.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ankle_cds import apply, cards, forms
from ankle_cds.errors import ContentError
from ankle_cds.validate.shape import Problem, shape_problems

if TYPE_CHECKING:
    from ankle_cds.artifacts import Package

__all__ = ["Problem", "check", "require", "shape_problems"]


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
    for error in (*apply.check(package), *cards.check(package), *forms.check(package)):
        where = package.locate(error.where) if error.where else None
        found.append(ContentError(error.message, where=where, spec=error.spec))
    return tuple(found)


def require(package: Package) -> None:
    """Raise ContentError listing all that `check` finds; do nothing when it finds nothing."""
    found = check(package)
    if found:
        raise ContentError(
            f"{len(found)} mistakes in the content; correct each.", where=str(package.folder), causes=found
        )
