"""Every kind of request that is sent, each made from its seed and number alone, so that it can be made again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kinds_of_body
import kinds_of_http
import kinds_of_text
from making import ANSWERED, CARD, CLOSED_PORT, FHIR_PORT, KINDS, SERVICE, TOKEN, Case, Making
from serving import example_requests

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ANSWERED",
    "CARD",
    "CLOSED_PORT",
    "EXAMPLES",
    "FHIR_PORT",
    "KINDS",
    "MODULES",
    "SERVICE",
    "TOKEN",
    "Case",
    "case",
]

MODULES = (kinds_of_body, kinds_of_text, kinds_of_http)
"""Where they are defined; loading them registers them."""
EXAMPLES = example_requests()


def case(seed: int, number: int, *, tokens: bool = False, only: Iterable[str] = ()) -> Case:
    """Make the request of a number."""
    making = Making(seed, number, EXAMPLES, tokens=tokens)
    kinds = {name: given for name, given in KINDS.items() if not only or name in only}
    if not tokens:
        kinds.pop("wrong_token", None)
    name = making.choose.choices(list(kinds), [weight for weight, _ in kinds.values()])[0]
    return kinds[name][1](making)
