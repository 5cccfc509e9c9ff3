"""Does a CDS service do what CDS Hooks asks for? Each row of the specification, looked at over real HTTP.

    rows.tsv         the requirements in our words, and how each is shown
    features.tsv     scored features, with the figures of other projects
    example.json     hooks, and the resources that requests are composed of
    tables           reads these
    looking          what a check is, and how one is found
    checks           the checks themselves, by what they look at
    subject          the service under examination, and everything it answered
    samples          requests to it, given or composed from its discovery
    records          a FHIR server that notices who reads what
    signing          tokens of a client, right and wrong
    own              our own service as the subject
    results          state of each row, score of each feature
    drawing          the tables

Nothing passes unseen: a row is passed only where a check looked at something and found it right. What cannot be seen
from outside says why, and which test shows it for our own service.
"""

from ankle_cds.conformance.drawing import document, draw
from ankle_cds.conformance.looking import Check, Found, Look, all_checks, examine
from ankle_cds.conformance.own import own
from ankle_cds.conformance.records import Records
from ankle_cds.conformance.results import Result, Score, State, judge, run, score, weighted
from ankle_cds.conformance.samples import given
from ankle_cds.conformance.signing import Signer
from ankle_cds.conformance.subject import Subject
from ankle_cds.conformance.tables import Feature, Row, features, rows

__all__ = [
    "Check",
    "Feature",
    "Found",
    "Look",
    "Records",
    "Result",
    "Row",
    "Score",
    "Signer",
    "State",
    "Subject",
    "all_checks",
    "document",
    "draw",
    "examine",
    "features",
    "given",
    "judge",
    "own",
    "rows",
    "run",
    "score",
    "weighted",
]
