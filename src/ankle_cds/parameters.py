"""The parameters as they hold at one site: effective value, where it was set, default, unit, basis.

A value that breaks what the content asks of its parameters is refused here, before anything is served.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ankle_cds.errors import ContentError
from ankle_cds.settings import site_parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.console import Console

    from ankle_cds.artifacts import Package
    from ankle_cds.artifacts.parameters import Parameter
    from ankle_cds.settings import Settings

COMMAND = "ankle-cds parameters"
_SHORT = 40  # characters of a text in a sentence
_NAMED = 5  # parameters a sentence names


@dataclass(frozen=True, slots=True)
class Effective:
    """One parameter with the value that holds; `place` is where the site set it, None where the default holds."""

    parameter: Parameter
    value: Any
    place: str | None

    @property
    def changed(self) -> bool:
        """Whether the value differs from the default."""
        return bool(self.value != self.parameter.default)


def decided(packages: Iterable[Package], settings: Settings) -> dict[str, Any]:
    """Give what the site has set, by name, each value checked against its type and against the constraints.

    Raises ContentError with the file and line of every value that must not hold.
    """
    declared: dict[str, Any] = {}
    for package in packages:
        declared |= package.program.parameters
        for parameter in package.parameters:
            if parameter.service:
                declared[parameter.name] = parameter
    given = site_parameters(settings, declared)
    refused = [error for package in packages for error in _broken(package, given, settings)]
    if len(refused) > 1:
        raise ContentError(f"{len(refused)} settings do not go together; correct each.", causes=tuple(refused))
    if refused:
        raise refused[0]
    return given


def effective(package: Package, settings: Settings) -> tuple[Effective, ...]:
    """Give every parameter of a package with the value that holds, in the order of the content.

    What the site wrote is taken as it is; `decided` is what refuses it.
    """
    given = settings.parameters
    return tuple(
        Effective(one, given.get(one.name, one.default), settings.line(one.name) if one.name in given else None)
        for one in package.parameters
    )


def in_short(package: Package, settings: Settings) -> str:
    """Say in one or two sentences which values differ from their defaults; empty for a package without parameters."""
    held = effective(package, settings)
    changed = [one for one in held if one.changed]
    if not held:
        return ""
    if not changed:
        return f"Every site parameter has its default; `{COMMAND}` lists them."
    named = "; ".join(f"{one.parameter.name} {_brief(one)}" for one in changed[:_NAMED])
    more = f"; and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
    return f"Parameters set by this site: {named}{more}. `{COMMAND}` lists all."


def as_json(package: Package, held: Iterable[Effective]) -> dict[str, Any]:
    """Give the parameters as plain JSON; `setAt` is null where the default holds."""
    return {
        "service": package.service_id,
        "version": package.version,
        "parameters": [
            {
                "name": one.parameter.name,
                "type": one.parameter.type,
                "value": one.value,
                "default": one.parameter.default,
                "unit": one.parameter.unit,
                "basis": one.parameter.basis,
                "readBy": "service" if one.parameter.service else "logic",
                "setByEachCall": one.parameter.per_call,
                "setAt": one.place,
            }
            for one in held
        ],
    }


def render(package: Package, held: Iterable[Effective], console: Console) -> None:
    """Draw the parameters: name, value and unit in one line, what they rest on below it."""
    groups: dict[str, list[Effective]] = {}
    for one in held:
        groups.setdefault(_group(one.parameter), []).append(one)
    console.print(Text(f"{package.service_id} {package.version}", "bold"))
    for title, members in groups.items():
        console.print(Text(f"\n{title}", "bold underline"))
        for one in members:
            line = Text.assemble((one.parameter.name, "bold"), " ", in_words(one.value, one.parameter.unit))
            if one.place:
                default = in_words(one.parameter.default, one.parameter.unit)
                line.append(f"  set at {one.place}; default {default}", "yellow")
            console.print(line, soft_wrap=True)
            about = f"  {one.parameter.type}; {one.parameter.basis}"
            console.print(Text(about, "dim"), soft_wrap=True)


def in_words(value: Any, unit: str | None = None) -> str:
    """Write a value as a person reads it: `none` for no value, a list by its entries, a number with its unit."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value) or "none (empty list)"
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    return f"{text} {unit}" if unit else text


def _group(parameter: Parameter) -> str:
    if parameter.service:
        return "Set by a site, read by the service"
    return "Set by each call" if parameter.per_call else "Set by a site, read by the logic"


def _brief(one: Effective) -> str:
    def brief(value: Any) -> str:
        if isinstance(value, (list, tuple)):
            return f"{len(value)} entr{'y' if len(value) == 1 else 'ies'}"
        text = in_words(value)
        return text if len(text) <= _SHORT else f"{text[:_SHORT]}..."

    unit = f" {one.parameter.unit}" if one.parameter.unit else ""
    return f"{brief(one.value)}{unit} (default {brief(one.parameter.default)})"


def _broken(package: Package, given: Mapping[str, Any], settings: Settings) -> Iterable[ContentError]:
    values = {one.name: given.get(one.name, one.default) for one in package.parameters}
    for constraint in package.constraints:
        for names, said in constraint.broken(values):
            set_here = next((name for name in names if name in given), None)
            if set_here is None:
                continue  # the defaults were checked when the content was built
            yield ContentError(f"{said}: {constraint.because}. Correct the value.", where=settings.line(set_here))
