"""Data requirements become prefetch templates; a request becomes the patient's data, fetching what is missing.

Absent, null, empty, failed, partial and unusable are different things and stay different: each key has a `State`, and
the logic is told which keys it must not read as "nothing there". Nothing of another patient is ever used.
https://cds-hooks.hl7.org/2.0/#prefetch-template
"""

from ankle_cds.prefetch.drafts import Drafts, read_drafts
from ankle_cds.prefetch.gathering import PatientData, check_identity, gather, is_closed, settle, templates, unread
from ankle_cds.prefetch.malformed import without_malformed
from ankle_cds.prefetch.reading import State

__all__ = [
    "Drafts",
    "PatientData",
    "State",
    "check_identity",
    "gather",
    "is_closed",
    "read_drafts",
    "settle",
    "templates",
    "unread",
    "without_malformed",
]
