"""How a site writes down another server: models of configuration entries, checked at start."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from ankle_cds.client.access import Base, parse_base


def _base_url(text: str) -> str:
    if parse_base(text) is None:
        raise ValueError("an http(s) URL without user, query and fragment")  # pydantic wants ValueError
    return text.rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_base_url)]
"""An absolute http(s) URL without user, query and fragment; a final slash is taken off."""


class Entry(BaseModel):
    """A part of the configuration: nothing is guessed, nothing is added, no error repeats what was written."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class Place(Entry):
    """An address the service may read from; `private_network` permits such that are not public."""

    url: BaseUrl
    private_network: bool = False

    def base(self) -> Base:
        """Give the address in parts that can be compared."""
        base = parse_base(self.url, private_network=self.private_network)
        if base is None:
            raise AssertionError("the field was checked")
        return base


class FhirBase(Place):
    """A FHIR server the service may read from."""
