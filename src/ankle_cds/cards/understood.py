"""What a card says only to clients that are known to understand it.

https://github.com/HL7/cds-hooks (ballot of 3.0): a service does not make use of actionSelectionBehavior before it knows
that the client supports it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_SELECTION = "actionSelectionBehavior"


def understood_by(supports: Collection[str], cards: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Give the cards with what the client supports: that all actions of a suggestion are done together.

    The cards themselves are left as they are; to a client that supports nothing more they are given unchanged.
    """
    if _SELECTION not in supports:
        return cards
    return [
        card | {"suggestions": [one | {_SELECTION: "all"} for one in card["suggestions"]]}
        if "suggestions" in card
        else card
        for card in cards
    ]
