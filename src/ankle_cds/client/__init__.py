"""FHIR REST and the rules about whom it may talk to; the only package that opens outgoing connections."""

from ankle_cds.client.access import Base, Policy, Reach, is_loopback, parse_base
from ankle_cds.client.budget import Limits
from ankle_cds.client.documents import Document, DocumentClient
from ankle_cds.client.listed import BaseUrl, Entry, FhirBase, Place
from ankle_cds.client.raw import RawClient, Reply
from ankle_cds.client.rest import Answer, FhirClient, Session, get_json, post_json

__all__ = [
    "Answer",
    "Base",
    "BaseUrl",
    "Document",
    "DocumentClient",
    "Entry",
    "FhirBase",
    "FhirClient",
    "Limits",
    "Place",
    "Policy",
    "RawClient",
    "Reach",
    "Reply",
    "Session",
    "get_json",
    "is_loopback",
    "parse_base",
    "post_json",
]
