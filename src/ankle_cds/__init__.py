"""A computable clinical guideline and the engine that runs it: FHIR R4 resources, CQL/ELM, CDS Hooks."""

from importlib.metadata import version

__version__ = version("ankle-cds")
