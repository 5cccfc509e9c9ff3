"""What every room asks of a resource: its reference, the parts of a canonical, the entries of a Bundle."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Iterator

Resource = dict[str, Any]

# A literal reference ends in Type/id, with or without a server in front and a version behind.
# https://hl7.org/fhir/R4/references.html#literal
_REFERENCE = re.compile(r"(?:.*/)?([A-Z][A-Za-z]{2,63})/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")


@dataclass(frozen=True, slots=True)
class BundleEntry:
    """One entry of a Bundle; `resource` is None where the entry holds none, `mode` is `search.mode` where given."""

    resource: Resource | None
    full_url: str | None
    mode: str | None


def is_resource(value: object) -> TypeGuard[Resource]:
    """Tell whether a JSON value is a resource: an object that names its `resourceType`."""
    return isinstance(value, dict) and isinstance(value.get("resourceType"), str) and bool(value["resourceType"])


def reference(resource: Resource) -> str | None:
    """Give the relative reference `Type/id` of a resource, None when it has no id."""
    identity = resource.get("id")
    return f"{resource['resourceType']}/{identity}" if isinstance(identity, str) and identity else None


def split_reference(text: str) -> tuple[str, str] | None:
    """Split a literal reference (`Patient/1`, absolute, versioned) into type and id.

    None for what names no type: a contained resource (`#x`), a `urn:` or anything else.
    """
    match = _REFERENCE.fullmatch(text)
    return (match[1], match[2]) if match else None


def split_canonical(text: str) -> tuple[str, str | None]:
    """Split `url|version` into url and version; the version is None where none is given.

    https://hl7.org/fhir/R4/references.html#canonical
    """
    url, bar, version = text.partition("|")
    return (url, version) if bar and version else (url, None)


def bundle_entries(bundle: Resource) -> Iterator[BundleEntry]:
    """Yield the entries of a Bundle in order.

    What is not a resource comes as None instead of being dropped: the caller decides what a malformed entry means.
    """
    entries = bundle.get("entry")
    for entry in entries if isinstance(entries, list) else ():
        body = entry if isinstance(entry, dict) else {}
        search = body.get("search")
        mode = search.get("mode") if isinstance(search, dict) else None
        full_url = body.get("fullUrl")
        resource = body.get("resource")
        yield BundleEntry(
            resource=resource if is_resource(resource) else None,
            full_url=full_url if isinstance(full_url, str) else None,
            mode=mode if isinstance(mode, str) else None,
        )
