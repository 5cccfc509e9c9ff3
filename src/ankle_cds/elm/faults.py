"""What goes wrong while logic runs, sorted by whose fault it is; what goes wrong at load is a `ContentError`."""

from __future__ import annotations

from ankle_cds.errors import ContentError


class EvaluationError(ContentError):
    """The logic met a value it has no answer for: a run-time error of the CQL specification, or a limit of this engine.

    `where` names the definition; the message never holds a value taken from a patient's record.
    """


class MalformedValue(EvaluationError):  # noqa: N818 - named for what the caller sent, as errors.py names faults
    """The patient's record holds a value that its FHIR type does not allow, for example a date with a month 13."""
