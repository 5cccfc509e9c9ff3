"""Is the built package what the specification asks for? The acceptance checklist, line by line, and scored features.

    looking          what a check is, and how one is found
    built            the files a build wrote, read again, and the tables beside the content
    acceptance       what the specification says (acceptance.yaml)
    reports          what other steps have shown
    results          figure and state of each check, score of each feature
    drawing          the two tables
    the other rooms  the checks themselves, by what they look at

A check reads plain JSON. What is refused at load is measured here once more from the outside, and not by the code that
refused it where that code could hide its own mistake.
"""

from ankle_cds.lint.acceptance import read_acceptance
from ankle_cds.lint.built import Built, Case, read_folder
from ankle_cds.lint.drawing import document, draw
from ankle_cds.lint.looking import checks
from ankle_cds.lint.reports import Reports, read_reports
from ankle_cds.lint.results import Result, Score, State, measure, run, score

__all__ = [
    "Built",
    "Case",
    "Reports",
    "Result",
    "Score",
    "State",
    "checks",
    "document",
    "draw",
    "measure",
    "read_acceptance",
    "read_folder",
    "read_reports",
    "run",
    "score",
]
