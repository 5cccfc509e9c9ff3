"""The ELM engine: compiles the published logic to Python closures at load, and refuses what it cannot execute.

    program = elm.load(libraries, primary="Main", value_sets={url: {(system, code), ...}})
    evaluation = program.evaluate(resources, now=datetime.now().astimezone())
    evaluation["Definition"], evaluation.trace("Definition")

CQL 1.5 with FHIR R4 data, three-valued logic, dates with precision and uncertainty. https://cql.hl7.org/
"""

from ankle_cds.elm import (  # noqa: F401 - importing a family puts its operators into the registry
    aggregates,
    arithmetic,
    collapse,
    comparison,
    conversions,
    datetimes,
    intervals,
    lists,
    logic,
    properties,
    queries,
    references,
    retrieve,
    selectors,
    strings,
    terminology,
)
from ankle_cds.elm.evaluation import Evaluation, Trace
from ankle_cds.elm.faults import EvaluationError, MalformedValue
from ankle_cds.elm.jsonform import to_json
from ankle_cds.elm.loading import load
from ankle_cds.elm.program import Definition, Parameter, Program
from ankle_cds.elm.retrieve import Retrieve
from ankle_cds.elm.temporal import Date, DateTime, Time
from ankle_cds.elm.values import (
    Code,
    CodeSystem,
    Concept,
    Fhir,
    FhirResource,
    Interval,
    Long,
    Quantity,
    Ratio,
    Uncertainty,
    ValueSet,
)

__all__ = [
    "Code",
    "CodeSystem",
    "Concept",
    "Date",
    "DateTime",
    "Definition",
    "Evaluation",
    "EvaluationError",
    "Fhir",
    "FhirResource",
    "Interval",
    "Long",
    "MalformedValue",
    "Parameter",
    "Program",
    "Quantity",
    "Ratio",
    "Retrieve",
    "Time",
    "Trace",
    "Uncertainty",
    "ValueSet",
    "load",
    "to_json",
]
