"""FHIR R4 resources as plain JSON values, and how they are read: from authored YAML and from the wire.

A resource is a `dict` of JSON types (`dict`, `list`, `str`, `int`, `Decimal`, `bool`); no class stands between the
rules and the data. Decimals keep their digits on reading (`Decimal`), because comparisons in the logic are exact;
`write_json` prints them in their shortest form.

https://hl7.org/fhir/R4/json.html
"""

from ankle_cds.fhir.authored import Document, read_yaml
from ankle_cds.fhir.coded import Code, in_value_set
from ankle_cds.fhir.resources import (
    BundleEntry,
    Resource,
    bundle_entries,
    is_resource,
    reference,
    split_canonical,
    split_reference,
)
from ankle_cds.fhir.wire import canonical_json, read_json, read_json_file, write_json

__all__ = [
    "BundleEntry",
    "Code",
    "Document",
    "Resource",
    "bundle_entries",
    "canonical_json",
    "in_value_set",
    "is_resource",
    "read_json",
    "read_json_file",
    "read_yaml",
    "reference",
    "split_canonical",
    "split_reference",
    "write_json",
]
