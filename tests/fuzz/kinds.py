"""Every kind of request that is sent, each made from its seed and number alone, so that it can be made again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

from canaries import Canaries
from corrupt import anything, corrupt
from exchange import post
from serving import example_requests

SERVICE = "/cds-services/posterior-ankle-impingement"
FEEDBACK = f"{SERVICE}/feedback"
CARD = "ca4dca4d-0000-4000-8000-000000000000"
"""Stands for a card that was answered lately; put in when the request is sent."""
CLOSED_PORT = b"99901"
FHIR_PORT = b"99902"
TOKEN = b"@token@"
"""These three stand in a request for what is known only when it is sent: two ports, and a token that is right."""

READ = frozenset({200, 400, 412, 422})
ANSWERED = frozenset({200, 412, 422})
REFUSED = frozenset({400})
_SMALL = 24_000  # bytes; most changes are made to small examples, which cost less


@dataclass(frozen=True, slots=True)
class Case:
    """One request: bytes with the pause before each piece, and what may be answered.

    `body` is what is sent to be read as JSON, None where it is not sent as it should be; `example` names the example
    that is sent unchanged. `broken`: it is no proper HTTP, so it may be answered in plain text or by closing.
    """

    kind: str
    pieces: tuple[tuple[float, bytes], ...] = field(repr=False)
    allowed: frozenset[int]
    body: bytes | None = field(default=None, repr=False)
    example: str | None = None
    head_only: bool = False
    end: bool = False
    broken: bool = False


class Making:
    """What a kind is made with: the choices of its number, the words it plants, the examples."""

    def __init__(self, seed: int, number: int, examples: dict[str, bytes], *, tokens: bool) -> None:
        self.choose = Random(f"{seed}:{number}")  # noqa: S311 - a fixed sequence, not a secret
        self.canaries = Canaries(number, self.choose)
        self.examples = examples
        self.tokens = tokens

    def example(self) -> dict[str, Any]:
        """Give an example, orders as often as visits; sometimes the one order hook's request as the other's."""
        names = [
            name
            for name, body in self.examples.items()
            if len(body) < _SMALL or b'"hook": "order' in body or self.choose.random() < 0.15
        ]
        if self.choose.random() < 0.3:
            names = [name for name in names if b'"hook": "order' in self.examples[name]]
        document: dict[str, Any] = json.loads(self.examples[self.choose.choice(names)])
        if document["hook"].startswith("order") and self.choose.random() < 0.4:
            document["hook"] = self.choose.choice(("order-sign", "order-select"))
            document["context"]["selections"] = [
                f"{entry['resource']['resourceType']}/{entry['resource']['id']}"
                for entry in document["context"]["draftOrders"]["entry"]
                if self.choose.random() < 0.7
            ]
        document["hookInstance"] = str(UUID(int=self.choose.getrandbits(128)))
        return document

    def headers(self) -> list[tuple[str, str]]:
        """Give the headers of an ordinary call: words are planted in those a caller may fill as it likes."""
        found = []
        if self.tokens:
            found.append(("Authorization", f"Bearer {TOKEN.decode()}"))
        elif self.choose.random() < 0.2:
            found.append(("Authorization", f"Bearer {self.canaries.word()}.{self.canaries.word()}.x"))
        names = ("User-Agent", "X-Request-Id", "Referer", "Cookie", "Traceparent", "X-Forwarded-For", "Origin")
        found += [(name, self.canaries.word()) for name in names if self.choose.random() < 0.08]
        return found

    def path(self, path: str = SERVICE) -> str:
        """Give an address, sometimes with a query of planted words."""
        return f"{path}?patient={self.canaries.word()}" if self.choose.random() < 0.05 else path

    def call(self, kind: str, body: bytes, allowed: frozenset[int], path: str = SERVICE, **given: Any) -> Case:
        """Give a proper HTTP call with this body."""
        return Case(kind, ((0, post(self.path(path), body, self.headers())),), allowed, body, **given)

    def document(self, kind: str, document: Any, allowed: frozenset[int], path: str = SERVICE) -> Case:
        """Give a proper call with this JSON."""
        return self.call(kind, dumped(document, self.choose), allowed, path)


def dumped(document: Any, choose: Random) -> bytes:
    """Write JSON in one of the ways of writing it."""
    indent, ascii_only = choose.choice(((None, False), (None, True), (None, False), (1, False)))
    return json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


_Make = Callable[[Making], Case]
KINDS: dict[str, tuple[float, _Make]] = {}


def _kind(weight: float) -> Callable[[_Make], _Make]:
    def take(make: _Make) -> _Make:
        KINDS[make.__name__] = (weight, make)
        return make

    return take


def case(seed: int, number: int, *, tokens: bool = False, only: Iterable[str] = ()) -> Case:
    """Make the request of a number."""
    making = Making(seed, number, EXAMPLES, tokens=tokens)
    kinds = {name: given for name, given in KINDS.items() if not only or name in only}
    if not tokens:
        kinds.pop("wrong_token", None)
    name = making.choose.choices(list(kinds), [weight for weight, _ in kinds.values()])[0]
    return kinds[name][1](making)


EXAMPLES = example_requests()


@_kind(2)
def unchanged(making: Making) -> Case:
    name = making.choose.choice(list(making.examples))
    return making.call("unchanged", making.examples[name], ANSWERED, example=name)


@_kind(10)
def planted(making: Making) -> Case:
    return making.document("planted", making.canaries.plant(making.example()), READ)


@_kind(30)
def changed(making: Making) -> Case:
    """One to six changes of the data; the envelope stays what it was."""
    document = making.example()
    if making.choose.random() < 0.4:
        document = making.canaries.plant(document, 0.3)
    parts = [part for part in (document["prefetch"], document["context"].get("draftOrders")) if part]
    corrupt(making.choose.choice(parts), making.choose, making.choose.choice((1, 1, 2, 3, 6)))
    return making.document("changed", document, READ)


@_kind(8)
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


@_kind(1.5)
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


@_kind(9)
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


@_kind(6)
def truncated(making: Making) -> Case:
    body = dumped(making.canaries.plant(making.example(), 0.1), making.choose)
    return making.call("truncated", body[: making.choose.randrange(len(body))], REFUSED)


@_kind(7)
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


@_kind(6)
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


@_kind(4)
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


@_kind(3)
def deep(making: Making) -> Case:
    """Deeper than anybody reads: brackets, members, both, closed and not."""
    depth = making.choose.choice((65, 100, 1_000, 20_000, 100_000))
    opening, closing = making.choose.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")))
    middle = making.choose.choice((b"1", b'"x"', b"[]"))
    whole = opening * depth + middle + closing * making.choose.choice((depth, depth, 0, depth - 1))
    if making.choose.random() < 0.5:
        whole = json.dumps({**making.example(), "x": "@here@"}).encode().replace(b'"@here@"', whole)
    return making.call("deep", whole, REFUSED)


@_kind(3)
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


@_kind(0.15)
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


@_kind(6)
def headers(making: Making) -> Case:
    """Content types, encodings, Accept, lengths and other headers, most of them wrong."""
    choose, word = making.choose, making.canaries.word()
    kinds = (
        *("application/json", "APPLICATION/JSON", "application/json;charset=utf-8", "application/json; charset=utf-16"),
        *("text/json", "application/fhir+json", "text/plain", "", ";", "application/json, text/plain", word, "*/*"),
        *("multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "application/json;" + ";" * 500),
    )
    accepts = (
        "*/*",
        "text/html",
        "application/json;q=0",
        "",
        "application/*",
        word,
        "a/b," * 500,
        "application/fhir+json",
    )
    given = [("Content-Type", choose.choice(kinds))]
    if choose.random() < 0.2:
        given.append(("Content-Type", choose.choice(kinds)))
    if choose.random() < 0.4:
        given.append(("Accept", choose.choice(accepts)))
    if choose.random() < 0.3:
        given.append(("Content-Encoding", choose.choice(("gzip", "identity", "br", "deflate, gzip", word, ""))))
    if choose.random() < 0.2:
        given.append((f"X-{word}", word * choose.choice((1, 100, 1_000))))
    if choose.random() < 0.1:
        given += [(f"X-{at}", word) for at in range(choose.choice((50, 500)))]
    if choose.random() < 0.1:
        given.append(("Expect", "100-continue"))
    if choose.random() < 0.1:
        given.append(("Connection", choose.choice(("close", "upgrade", "keep-alive", "x"))))
    if choose.random() < 0.1:
        given.append(("Upgrade", choose.choice(("websocket", "h2c", "TLS/1.0"))))
    given += making.headers()
    body = making.choose.choice((b"{}", b"", b"x", dumped(making.example(), choose)))
    lines = [
        f"POST {making.path(choose.choice((SERVICE, FEEDBACK)))} HTTP/1.1",
        "Host: x",
        f"Content-Length: {len(body)}",
    ]
    text = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in given)]) + "\r\n\r\n"
    # An Expect header is answered before the body is sent; here the body comes at once, and both are one answer.
    broken = any(name in {"Expect", "Upgrade", "Connection"} for name, _ in given)
    allowed = READ | {406, 413, 415, 431}
    return Case("headers", ((0, text.encode("latin-1") + body),), allowed, broken=broken)


METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "LOCK", "PURGE")


@_kind(5)
def address(making: Making) -> Case:
    """Methods and paths, known and not; long and odd ones."""
    choose, word = making.choose, making.canaries.word()
    known = ("/cds-services", SERVICE, FEEDBACK, "/health", "/health/live", "/health/ready", "/icon.png")
    odd = (
        *(
            f"/{word}",
            f"/cds-services/{word}",
            f"{SERVICE}/",
            f"{SERVICE}/{word}",
            "//cds-services",
            "/../etc/passwd",
            "/%00",
        ),
        *(
            "/%ff%fe",
            f"/cds-services/%2e%2e/{word}",
            "/metrics",
            "/openapi.json",
            "/docs",
            "/.env",
            "*",
            "/cds-services%2f",
        ),
        *(
            "/" + word * 200,
            "/" + word * 1_000,
            f"/cds-services;{word}",
            "/cds-services?" + word,
            "/cds-services#" + word,
        ),
        *(
            f"http://{word}.example/cds-services",
            f"/a?{word}={word}&" + "b=c&" * 3_000,
            "/cds-services\\x",
            "/é".encode().decode("latin-1"),
        ),
    )
    method, path = choose.choice(METHODS), choose.choice(known + odd)
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in making.headers())]
    body = b"{}" if method in {"POST", "PUT", "PATCH"} else b""
    if body:
        lines += [f"Content-Length: {len(body)}", "Content-Type: application/json"]
    text = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body
    allowed = frozenset({200, 204, 400, 404, 405, 414, 431})
    return Case("address", ((0, text),), allowed, head_only=method == "HEAD", broken=path not in known)


@_kind(8)
def feedback(making: Making) -> Case:
    """Answers to cards, proper ones and changed ones; comments hold planted words."""
    choose = making.choose
    entries: list[Any] = []
    for _ in range(choose.choice((0, 1, 1, 2, 5, 1_001 if choose.random() < 0.02 else 3))):
        entry: dict[str, Any] = {
            "card": CARD if choose.random() < 0.5 else str(UUID(int=choose.getrandbits(128))),
            "outcomeTimestamp": "2026-09-30T17:00:00Z",
        }
        if choose.random() < 0.5:
            entry["outcome"] = "accepted"
            entry["acceptedSuggestions"] = [{"id": str(UUID(int=choose.getrandbits(128)))}]
        else:
            entry["outcome"] = "overridden"
            reason = {
                "code": making.canaries.word(),
                "system": making.canaries.word(),
                "display": making.canaries.text(),
            }
            entry["overrideReason"] = {"reason": reason, "userComment": making.canaries.text()}
        entries.append(entry)
    document: dict[str, Any] = {"feedback": entries, making.canaries.word(): making.canaries.text()}
    allowed = frozenset({200, 400, 413})
    if choose.random() < 0.6:
        corrupt(document, choose, choose.choice((1, 1, 2, 4)))
    else:
        allowed = frozenset({200}) if len(entries) <= 1_000 else REFUSED | {413}
    return making.document("feedback", document, allowed, FEEDBACK)


@_kind(3)
def broken_http(making: Making) -> Case:
    """What is no request, or two, or not all of one."""
    word = making.canaries.word()
    body = b'{"hook":"' + word.encode() + b'"}'
    start = f"POST {SERVICE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    texts = (
        *(
            f"{word}\r\n\r\n",
            f"GET /{word}\r\n\r\n",
            f"GET / HTTP/9.9\r\nX: {word}\r\n\r\n",
            f"G\x00T /{word} HTTP/1.1\r\n\r\n",
        ),
        *(f"{start}Content-Length: x{word}\r\n\r\n", f"{start}Content-Length: -5\r\n\r\n", f"{start}{word}\r\n\r\n"),
        *(f"{start}Content-Length: 5\r\nContent-Length: 6\r\n\r\n{word}", f"{start}Transfer-Encoding: {word}\r\n\r\n"),
        *(
            f"{start}Transfer-Encoding: chunked\r\n\r\nzz{word}\r\n",
            f"{start}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        ),
        *(
            f"{start}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\n{{}} \r\n0\r\n\r\n",
            f"{start}X: {word}\x00\r\n\r\n",
        ),
        *(
            f"{start}Content-Length: 100000\r\n\r\n{word}",
            f"{start} folded: {word}\r\n\r\n",
            f"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{word}",
        ),
        *(
            f"{start}: {word}\r\n\r\n",
            f"{start}X\t: {word}\r\n\r\n",
            "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + word,
        ),
        *(f"CONNECT {word}.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", f"GET /cds-services HTTP/1.1\nHost: {word}\n\n"),
    )
    text = making.choose.choice(texts).encode("latin-1")
    if making.choose.random() < 0.2:
        text = post(SERVICE, body)[: making.choose.randrange(1, 160)]
    allowed = frozenset({200, 400, 401, 404, 405, 408, 411, 413, 415, 501})
    return Case("broken_http", ((0, text),), allowed, end=True, broken=True)


@_kind(0.4)
def slow(making: Making) -> Case:
    """The body comes in pieces with pauses, in chunks, or stops coming."""
    name = making.choose.choice([name for name, body in making.examples.items() if len(body) < _SMALL])
    body = making.examples[name]
    whole = post(SERVICE, body, making.headers())
    cuts = sorted(making.choose.sample(range(1, len(whole)), 3))
    parts = [whole[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    way = making.choose.randrange(3)
    if way == 0:
        pauses = [making.choose.choice((0.0, 0.01, 0.1)) for _ in parts]
        return Case("slow", tuple(zip(pauses, parts, strict=True)), ANSWERED | {408}, body, example=name)
    if way == 1:
        head = whole.partition(b"\r\n\r\n")[0].replace(
            f"Content-Length: {len(body)}".encode(), b"Transfer-Encoding: chunked"
        )
        size = making.choose.choice((1_000, 7_000, 100_000))
        chunks = [body[at : at + size] for at in range(0, len(body), size)]
        sent = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
        return Case("slow", ((0, head + b"\r\n\r\n"), (0.01, sent)), ANSWERED | {408}, body, example=name)
    return Case("slow", ((0, whole[: -making.choose.randrange(1, len(body))]),), frozenset({408}))


@_kind(6)
def wrong_token(making: Making) -> Case:
    """A caller without the right token, whatever else is right; only where tokens are asked for."""
    choose, word = making.choose, making.canaries.word()
    values = (
        *(
            None,
            "",
            "Bearer",
            "Bearer ",
            f"Bearer {word}",
            f"Basic {word}",
            f"Bearer {word}.{word}.{word}",
            "Bearer ..",
            word,
        ),
        *("Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.", f"Bearer {TOKEN.decode()}x", "Bearer é"),
        *(
            f"Bearer {word * 400}",
            f"Bearer {TOKEN.decode()} {word}",
            f"Bearer {TOKEN.decode()}, Bearer {TOKEN.decode()}",
        ),
    )
    value = choose.choice(values)
    body = choose.choice((b"{}", dumped(making.example(), choose), b"x"))
    given = [] if value is None else [("Authorization", value)]
    path = choose.choice((SERVICE, FEEDBACK))
    return Case("wrong_token", ((0, post(path, body, given)),), frozenset({401}))
