"""The codec from RequestGroup to CDS Hooks cards: nothing is decided here, everything is carried over.

    sides      what RequestGroups recommend, before it is a card: sides joined, sorted, limited
    details    two details become one, and what is not shown is told on what is
    encode     the card, element by element
    selfcheck  no response leaves that breaks the contract
    understood what a card says only to clients that understand it
    checks     is every recommendation fit to be a card? asked at load

| card              | RequestGroup.action                                                              |
|-------------------|----------------------------------------------------------------------------------|
| summary           | title                                                                            |
| detail            | description, and the textEquivalent of what is not shown                         |
| indicator         | priority: routine info, urgent warning, stat critical                            |
| source            | first documentation: display, url; topic is the first coding of code             |
| suggestions       | actions below: title, description, the draft, or the order a removal names       |
| selectionBehavior | selectionBehavior                                                                |
| links             | source, pages of the plan, links of the detail; forms as smart links where asked |
| overrideReasons   | the package's ValueSet of override reasons                                       |

https://cds-hooks.hl7.org/2.0/#cds-service-response
"""

from ankle_cds.cards.checks import check, override_reasons
from ankle_cds.cards.encode import Card, CardSettings, encode
from ankle_cds.cards.selfcheck import verify
from ankle_cds.cards.sides import INDICATORS, Side
from ankle_cds.cards.understood import understood_by

__all__ = [
    "INDICATORS",
    "Card",
    "CardSettings",
    "Side",
    "check",
    "encode",
    "override_reasons",
    "understood_by",
    "verify",
]
