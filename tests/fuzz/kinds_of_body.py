"""Requests with a record in them: the examples as they are, with planted words, changed ever more."""

from __future__ import annotations

import json

from corrupt import corrupt
from making import (
    ANSWERED,
    CLOSED_PORT,
    FHIR_PORT,
    READ,
    Case,
    Making,
    kind,
)


@kind(2)
def unchanged(making: Making) -> Case:
    name = making.choose.choice(list(making.examples))
    return making.call("unchanged", making.examples[name], ANSWERED, example=name)


@kind(10)
def planted(making: Making) -> Case:
    return making.document("planted", making.canaries.plant(making.example()), READ)


@kind(30)
def changed(making: Making) -> Case:
    """One to six changes of the data; the envelope stays what it was."""
    document = making.example()
    if making.choose.random() < 0.4:
        document = making.canaries.plant(document, 0.3)
    parts = [part for part in (document["prefetch"], document["context"].get("draftOrders")) if part]
    corrupt(making.choose.choice(parts), making.choose, making.choose.choice((1, 1, 2, 3, 6)))
    return making.document("changed", document, READ)


@kind(8)
def envelope(making: Making) -> Case:
    """Changes of the envelope, with little data."""
    document = making.example()
    keys = list(document["prefetch"])
    document["prefetch"] = {key: document["prefetch"][key] for key in keys if making.choose.random() < 0.4}
    if making.choose.random() < 0.5:
        document["fhirServer"] = making.choose.choice(SERVERS)
        document["fhirAuthorization"] = {
            "access_token": making.canaries.word(),
            "token_type": "Bearer",
            "expires_in": making.choose.choice((300, "300", -1, 1.5, None, 10**30)),
            "scope": making.canaries.text(),
            "subject": making.canaries.word(),
            "patient": making.choose.choice((document["context"]["patientId"], making.canaries.word())),
        }
    if making.choose.random() < 0.5:
        document = making.canaries.plant(document)
    target = making.choose.choice((document, document["context"], document))
    corrupt(target, making.choose, making.choose.choice((1, 1, 2)))
    return making.document("envelope", document, READ)


SERVERS = (
    f"http://127.0.0.1:{CLOSED_PORT.decode()}/fhir",
    *(
        "https://fhir.example.invalid",
        "http://[::1]:1/fhir",
        "https://127.0.0.1:1/",
        "http://localhost:1",
        "https://[v1.x]",
    ),
    *(
        "http://169.254.169.254/latest",
        "https://0x7f000001/",
        "ftp://x/",
        "https://x:99999/",
        "https://x/?a=b",
        "file:///",
    ),
    *(
        "https://\u212aelvin.example/",
        "https://a b/",
        "http://127.0.0.1:1/fhir/../x",
        "HTTP://127.0.0.1:1/FHIR",
        "https://",
    ),
)


@kind(1.5)
def reading_back(making: Making) -> Case:
    """Data is missing and the caller names a server for it: one that nobody is at, or one that means ill."""
    document = making.canaries.plant(making.example(), 0.2)
    for key in list(document["prefetch"]):
        if making.choose.random() < 0.5:
            del document["prefetch"][key]
    port = making.choose.choice((CLOSED_PORT, FHIR_PORT, FHIR_PORT)).decode()
    document["fhirServer"] = f"http://127.0.0.1:{port}/fhir"
    document["fhirAuthorization"] = {
        "access_token": making.canaries.word(),
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.read",
        "subject": making.canaries.word(),
    }
    # Written without escapes, so that the ports can be put in.
    body = json.dumps(document, ensure_ascii=False).encode()
    return making.call("reading_back", body, READ | {503})
