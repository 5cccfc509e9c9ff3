"""Which override reason comes under which row of the table: three ValueSets of the content say it.

https://cds-hooks.hl7.org/2.0/#overridereason
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ankle_cds.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ankle_cds.artifacts import Package

_SETS = {"-suppressing-reason": "F2", "-next-encounter-reason": "F3", "-more-information-reason": "F4"}
_SPECIFICATION = "https://cds-hooks.hl7.org/2.0/#overridereason"


def read_reasons(package: Package) -> Mapping[tuple[str, str], str]:
    """Give the row for each system and code of the package's ValueSets whose id ends as one of those above.

    A reason in none of them is one without a row of its own. Raises ContentError for a reason in two.
    """
    found: dict[tuple[str, str], str] = {}
    for one in package.of_type("ValueSet"):
        row = next((row for ending, row in _SETS.items() if str(one.get("id", "")).endswith(ending)), None)
        if row is None:
            continue
        for part in one["compose"]["include"]:
            for concept in part.get("concept", ()):
                if found.setdefault((part["system"], concept["code"]), row) != row:
                    raise ContentError(
                        f"The override reason {concept['code']} is in two ValueSets that say how long it silences; "
                        "keep one.",
                        where=package.locate(f"ValueSet/{one['id']}"),
                        spec=_SPECIFICATION,
                    )
    return found
