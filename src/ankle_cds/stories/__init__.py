"""Example stories: one folder is documentation, test, simulation input and review surface at once.

    story.md        who comes, what is recorded, what the service should say and why; its head is read here
    chart.json      the patient's record: a FHIR R4 collection Bundle
    drafts.json     at a hook that asks about orders: the draft orders, a collection Bundle
    request.json    what the EHR posts: derived from the two above, never written by hand
    expected.json   the exact body of the answer, reviewed against the specification

A journey is a folder with the chart of one patient and a story folder, without a chart of its own, for every visit.
Each is played on the record as it stood then: `meta.lastUpdated` decides, and a chart may hold several versions.

    story      the dataclass, and the request derived from it
    reading    finds and reads the folders
    ehr        fills prefetch templates from a chart

The head of `story.md` stands between two lines of `---`. Its keys are the fields of `Story`; nothing else is accepted.
"""

from ankle_cds.stories.ehr import Ehr, as_of, fill
from ankle_cds.stories.reading import folder, read, read_all
from ankle_cds.stories.story import OK, Answered, Earlier, ExpectedCard, Story, write

__all__ = [
    "OK",
    "Answered",
    "Earlier",
    "Ehr",
    "ExpectedCard",
    "Story",
    "as_of",
    "fill",
    "folder",
    "read",
    "read_all",
    "write",
]
