"""What `ankle-cds validate FILE` says of every resource in a file, drawn or as JSON; never a value of the record.

A resource is asked the profiles of ours that it claims in `meta.profile`; where it claims none, those that are about
its code; or the one that is named. A resource no profile is about is asked only whether it has the shape of FHIR R4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from ankle_cds.errors import AnkleCdsError
from ankle_cds.fhir import is_resource
from ankle_cds.validate.breaches import Breach, json_path
from ankle_cds.validate.checking import breaches
from ankle_cds.validate.profile import profiles
from ankle_cds.validate.shape import models_installed, shape_problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rich.console import Console

    from ankle_cds.artifacts import Package
    from ankle_cds.artifacts.nodes import Location
    from ankle_cds.fhir import Resource
    from ankle_cds.validate.profile import Profile

_RESOURCE = "https://hl7.org/fhir/R4/resource.html"
_CLAIMED, _BY_CODE, _NAMED = "claimed in meta.profile", "found by its code", "named with --profile"


@dataclass(frozen=True, slots=True)
class Checked:
    """One resource: where it stands in the file, what it was asked, and what it breaks.

    `profile` is None where no profile is about it; `asked` is False where then nothing could be asked, because the FHIR
    models are not installed.
    """

    location: Location
    type: str
    profile: Profile | None
    reason: str
    breaches: tuple[Breach, ...]
    asked: bool = True

    @property
    def valid(self) -> bool:
        """Whether no rule of severity error is broken."""
        return not any(breach.severity == "error" for breach in self.breaches)


def check_file(data: Any, packages: Iterable[Package], name: str | None = None) -> tuple[Checked, ...]:
    """Check a resource, or every resource in a Bundle; `name` is the id or canonical of the only profile to ask.

    Raises AnkleCdsError when the data hold no resource, or a profile is named for a Bundle or is not ours.
    """
    asked = [(profile, package.value_sets) for package in packages for profile in profiles(package)]
    if name is not None:
        asked = [(profile, members) for profile, members in asked if name in {profile.id, profile.url}]
        if not asked:
            raise UnknownProfileError(
                "No profile of this guideline has that name; it is the id of a file in profiles/."
            )
        if is_resource(data) and data["resourceType"] == "Bundle":
            raise UnknownProfileError("A named profile is asked of one resource; give a file without the Bundle.")
    checked = tuple(item for location, value in _resources(data) for item in _check(value, location, asked, name))
    if not checked:
        raise AnkleCdsError("The file holds no resource; give a FHIR R4 resource or a Bundle of them.", spec=_RESOURCE)
    return checked


class UnknownProfileError(AnkleCdsError):
    """A profile was asked for that does not exist, or where it cannot be asked."""


def _resources(data: Any) -> Iterator[tuple[Location, Any]]:
    if is_resource(data) and data["resourceType"] == "Bundle":
        entries = data.get("entry")
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict) and "resource" in entry:
                yield ("entry", index, "resource"), entry["resource"]
    elif data is not None:
        yield (), data


def _check(
    value: Any,
    location: Location,
    asked: list[tuple[Profile, Mapping[str, frozenset[tuple[str, str]]]]],
    name: str | None,
) -> Iterator[Checked]:
    if not is_resource(value):
        message = "A resource is an object that names its resourceType; correct it."
        yield Checked(location, "?", None, "", (Breach((), "Resource", "form", message, _RESOURCE),))
        return
    reason, chosen = _NAMED, asked
    if name is None:
        reason, chosen = _CLAIMED, [(profile, members) for profile, members in asked if profile.claims(value)]
        if not chosen:
            reason = _BY_CODE
            chosen = [(profile, members) for profile, members in asked if profile.recognises(value, members)]
    for profile, members in chosen:
        yield Checked(location, profile.type, profile, reason, breaches(value, profile, members))
    if not chosen:
        yield _shape(value, location)


def _shape(value: Resource, location: Location) -> Checked:
    if not models_installed():
        return Checked(location, _type(value), None, "", (), asked=False)
    problems = shape_problems(value)
    found = tuple(Breach(item.location, _type(value), "form", item.message, item.spec) for item in problems)
    return Checked(location, _type(value), None, "", found)


def _type(value: Resource) -> str:
    """Give the type as far as it looks like one; anything else might be data."""
    return json_path((value["resourceType"],))


def as_json(checked: Iterable[Checked]) -> dict[str, Any]:
    """Give the report as plain JSON."""
    items = tuple(checked)
    return {
        "valid": all(item.valid for item in items),
        "resources": [
            {
                "path": json_path(item.location),
                "type": item.type,
                "profile": item.profile.url if item.profile else None,
                "reason": item.reason or None,
                "checked": item.asked,
                "valid": item.valid,
                "broken": [
                    {
                        "severity": breach.severity,
                        "path": json_path((*item.location, *breach.location)),
                        "rule": breach.rule,
                        "kind": breach.kind,
                        "message": breach.message,
                        "spec": breach.spec,
                    }
                    for breach in item.breaches
                ],
            }
            for item in items
        ],
    }


def render(checked: Iterable[Checked], console: Console) -> None:
    """Draw the report: what is wrong first, one panel a resource; then what is right, one line a profile."""
    items = tuple(checked)
    for item in items:
        if item.breaches:
            console.print(_panel(item))
    console.print(_summary(items))


def _panel(item: Checked) -> Panel:
    parts: list[Text | Padding] = []
    for breach in item.breaches:
        colour = "red" if breach.severity == "error" else "yellow"
        path = json_path((*item.location, *breach.location)) or item.type
        parts.append(Text.assemble((path, "bold"), "  ", (f"{breach.kind} of {breach.rule}", colour)))
        detail = Text.assemble(breach.message, "\n", ("rule ", "dim"), (breach.spec, "dim"))
        parts.append(Padding(detail, (0, 0, 0, 2)))
    about = Text.assemble((json_path(item.location) or item.type, "bold"), "  ")
    about.append("not valid" if not item.valid else "valid, with warnings", style="red" if not item.valid else "yellow")
    subtitle = f"{item.profile.id}, {item.reason}" if item.profile else "shape of FHIR R4"
    return Panel(
        Group(*parts),
        title=about,
        title_align="left",
        subtitle=subtitle,
        subtitle_align="right",
        border_style="red" if not item.valid else "yellow",
        padding=(1, 2),
    )


def _summary(items: tuple[Checked, ...]) -> Text:
    """Count what was asked, by profile."""
    text = Text()
    with_profile = [item for item in items if item.profile is not None]
    for identity in dict.fromkeys(item.profile.id for item in with_profile if item.profile):
        of = [item for item in with_profile if item.profile and item.profile.id == identity]
        wrong = sum(not item.valid for item in of)
        text.append(f"{identity:<40} ", style="bold")
        text.append(f"{len(of) - wrong} valid", style="green" if len(of) > wrong else "dim")
        text.append(f"   {wrong} not valid\n" if wrong else "\n", style="red" if wrong else "")
    others = [item for item in items if item.profile is None]
    if others:
        wrong = sum(not item.valid for item in others)
        unasked = sum(not item.asked for item in others)
        text.append(f"{'no profile is about it':<40} ", style="dim")
        text.append(f"{len(others) - wrong - unasked} have the shape of FHIR R4", style="green")
        text.append(f"   {wrong} have not" if wrong else "", style="red")
        text.append(f"   {unasked} not checked (needs ankle-cds[build])" if unasked else "", style="yellow")
        text.append("\n")
    broken = sum(not item.valid for item in items)
    text.append("Nothing to correct." if not broken else f"{broken} of {len(items)} to correct.", style="bold")
    return text
