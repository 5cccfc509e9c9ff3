"""Requests whose body is no record: JSON at random, JSON cut or damaged, numbers, depths and sizes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

from corrupt import anything, corrupt
from making import (
    READ,
    REFUSED,
    Case,
    Making,
    dumped,
    kind,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random


@kind(9)
def random_json(making: Making) -> Case:
    document = anything(making.choose, 6)
    if making.choose.random() < 0.5:
        hook = making.choose.choice(("encounter-start", "patient-view", "order-sign", "order-select", "x"))
        context = {
            "userId": "Practitioner/1",
            "patientId": "p",
            "encounterId": "e",
            "draftOrders": anything(making.choose),
        }
        document = {"hook": hook, "hookInstance": str(UUID(int=making.choose.getrandbits(128))), "context": context}
        document["prefetch"] = making.choose.choice(
            (
                anything(making.choose, 5),
                {
                    key: anything(making.choose, 4)
                    for key in ("patient", "encounter", "encounters", "conditions", "findings")
                },
            )
        )
    return making.document("random_json", document, READ)


@kind(6)
def truncated(making: Making) -> Case:
    body = dumped(making.canaries.plant(making.example(), 0.1), making.choose)
    return making.call("truncated", body[: making.choose.randrange(len(body))], REFUSED)


@kind(7)
def changed_bytes(making: Making) -> Case:
    """Some bytes are others, left out, doubled or new."""
    body = bytearray(dumped(making.example(), making.choose))
    for _ in range(making.choose.choice((1, 1, 2, 8))):
        at = making.choose.randrange(len(body))
        change = making.choose.randrange(4)
        if change == 0:
            body[at] = making.choose.randrange(256)
        elif change == 1:
            del body[at : at + making.choose.randrange(1, 30)]
        elif change == 2:
            body[at:at] = bytes(making.choose.choices(b'{}[]",:\\ntu0e-+.\x00\xff', k=making.choose.randrange(1, 5)))
        else:
            body[at:at] = body[at : at + making.choose.randrange(1, 200)]
    return making.call("changed_bytes", bytes(body), READ)


BAD_BYTES = (
    *(
        b"\xff",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf5\x80\x80\x80",
        b"\xe2\x82",
        b"\x80",
        b"\xfe\xff",
        b"\x00",
        b"\n",
        b"\x1f",
    ),
    *(
        rb"\ud800",
        rb"\udc00\ud800",
        rb"\u0000",
        rb"\x41",
        rb"\u12",
        rb"\uZZZZ",
        b"\xf0\x82\x82\xac",
        rb"\ud83e",
        rb"\8",
    ),
)


@kind(6)
def bad_text(making: Making) -> Case:
    """Text that is not UTF-8, or that no JSON string can hold; byte order marks; another encoding."""
    way = making.choose.randrange(8)
    document = making.example()
    if way == 0:
        text = json.dumps(document, ensure_ascii=False)
        encoding = making.choose.choice(("utf-16", "utf-32", "utf-16-le", "utf-8-sig", "utf-7", "cp037"))
        return making.call("bad_text", text.encode(encoding), REFUSED if encoding != "utf-7" else READ)
    document["x"] = "@here@"
    body = (
        json.dumps(document)
        .encode()
        .replace(b"@here@", making.canaries.word().encode() + making.choose.choice(BAD_BYTES))
    )
    return making.call("bad_text", body, REFUSED)


LITERALS = (
    *(
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e400",
        b"-1e400",
        b"1e-400",
        b"1e999999",
        b"01",
        b"1.",
        b".5",
        b"+1",
        b"0x1F",
    ),
    *(
        b"1e",
        b"1_000",
        b"9" * 5_000,
        b"0." + b"1" * 5_000,
        b"1" + b"0" * 300 + b".5",
        b"--1",
        b"1e+-1",
        b"1,5",
        b"\xd9\xa1",
    ),
    *(b"1E1000000000", b"undefined", b"True", b"None", b"'x'", b"1/2", b"0b1", b"1e99999999999999999999"),
)
NUMBERS = (
    b"1e28",
    b"1e-28",
    b"0.00000000000000000000000000001",
    b"-0",
    b"1E+2",
    b"1e0",
    b"123456789012345678901234567890.5",
)


@kind(4)
def odd_number(making: Making) -> Case:
    """Numbers no FHIR number is like, in place of a value or on their own."""
    document = making.example()
    corrupt(document["prefetch"], making.choose, 0)
    where = making.choose.randrange(3)
    if where == 0:
        document["x"] = "@here@"
    else:
        _put(document["prefetch"], making.choose)
    proper = making.choose.random() < 0.4
    literal = making.choose.choice(NUMBERS if proper else LITERALS)
    body = json.dumps(document).encode()
    if b'"@here@"' not in body:
        body, proper = b'{"x":' + literal + b"}", False
    return making.call("odd_number", body.replace(b'"@here@"', literal, 1), READ if proper else REFUSED)


def _put(document: Any, choose: Random) -> None:
    """Mark one number of the data, or whatever stands where one was looked for."""
    numbers = list(_numbers(document))
    if numbers:
        holder, key = choose.choice(numbers)
        holder[key] = "@here@"


def _numbers(value: Any) -> Iterable[tuple[Any, Any]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in list(inside):
        if isinstance(each, (int, float)) and not isinstance(each, bool):
            yield value, key
        yield from _numbers(each)


@kind(3)
def deep(making: Making) -> Case:
    """Deeper than anybody reads: brackets, members, both, closed and not."""
    depth = making.choose.choice((65, 100, 1_000, 20_000, 100_000))
    opening, closing = making.choose.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")))
    middle = making.choose.choice((b"1", b'"x"', b"[]"))
    whole = opening * depth + middle + closing * making.choose.choice((depth, depth, 0, depth - 1))
    if making.choose.random() < 0.5:
        whole = json.dumps({**making.example(), "x": "@here@"}).encode().replace(b'"@here@"', whole)
    return making.call("deep", whole, REFUSED)


@kind(3)
def doubled_name(making: Making) -> Case:
    """A member is given twice, once in each of two spellings or once in the same."""
    body = json.dumps(making.example())
    names = [name for name in ("hook", "resourceType", "patientId", "code", "entry", "status") if f'"{name}":' in body]
    name = making.choose.choice(names)
    spelling = making.choose.choice((name, "".join(f"\\u{ord(letter):04x}" for letter in name)))
    places = body.count(f'"{name}":')
    parts = body.split(f'"{name}":')
    at = making.choose.randrange(1, places + 1)
    text = f'"{spelling}": "{making.canaries.word()}", "{name}":'
    whole = f'"{name}":'.join(parts[:at]) + text + f'"{name}":'.join(parts[at:])
    return making.call("doubled_name", whole.encode(), REFUSED)


@kind(0.15)
def large(making: Making) -> Case:
    """Much of everything: records, members, keys, strings, white space; sometimes more than is taken."""
    document = making.example()
    patient = document["context"]["patientId"]
    way = making.choose.randrange(6)
    size = making.choose.choice((200, 2_000, 20_000))
    if way == 0:
        observation = {"resourceType": "Observation", "status": "final", "code": {"text": making.canaries.text()}}
        observation["subject"] = {"reference": f"Patient/{patient}"}
        entries = [{"resource": {**observation, "id": f"o{at}"}} for at in range(size // 4)]
        document["prefetch"]["findings"] = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    elif way == 1:
        document["prefetch"] |= {f"k{at}": at for at in range(size)}
    elif way == 2:
        document["x"] = making.canaries.word() * size
    elif way == 3:
        document["x"] = [[]] * (size * 10)
    elif way == 4:
        body = json.dumps(document).encode() + b" " * making.choose.choice((1_000_000, 11_000_000))
        return making.call("large", body, READ | {413, 503})
    else:
        document["prefetch"]["conditions"] = {"resourceType": "Bundle", "entry": [{"resource": {}}] * size}
    return making.document("large", document, READ | {413, 503})
