"""PlanDefinition/$apply in pure form: artifacts, evaluated logic and the time in; a RequestGroup with its reasons out.

    elements     which elements a draft can be given, and their types: data
    expressions  which expressions are executed
    values       CQL value -> FHIR element
    paths        where a computed value goes
    drafts       ActivityDefinition -> draft request
    removals     what an action takes away
    plans        PlanDefinition -> RequestGroup
    reasons      what decided, fit to be shown
    checks       is all content executable? asked at load

https://hl7.org/fhir/R4/plandefinition-operation-apply.html
"""

from ankle_cds.apply.checks import check
from ankle_cds.apply.drafts import Subject
from ankle_cds.apply.plans import Applied, apply
from ankle_cds.apply.reasons import Feature, Reason, facts, feature, walk

__all__ = ["Applied", "Feature", "Reason", "Subject", "apply", "check", "facts", "feature", "walk"]
