"""What a check of a resource against a profile finds: each broken rule with its place, name and remedy.

Nothing here holds a value of the record: places are element names and positions, messages name what the rule wants.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ankle_cds.artifacts.nodes import Location

_NAME = re.compile(r"_?[A-Za-z][A-Za-z0-9]{0,63}(?:\[x\])?")


@dataclass(frozen=True, slots=True)
class Breach:
    """One broken rule.

    `rule` is the element id (`Observation.bodySite`) or the key of a constraint (`obs-6`); `kind` says which rule of
    the element: minimum, maximum, type, form, unknown, pattern, fixed, binding, range, reference or invariant.
    """

    location: Location
    rule: str
    kind: str
    message: str
    spec: str
    severity: str = "error"

    @property
    def path(self) -> str:
        """The place as a JSON path below the resource; empty for the resource itself."""
        return json_path(self.location)


def json_path(location: Location) -> str:
    """Write a location as `component[0].code`; a name that could not be an element's might be data: it is left out."""
    text = ""
    for step in location:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step if _NAME.fullmatch(step) else '?'}"
    return text.removeprefix(".")
