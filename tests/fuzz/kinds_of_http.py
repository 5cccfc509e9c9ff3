"""Requests that are odd as HTTP: headers, addresses, feedback, what is no HTTP, what comes slowly, wrong tokens."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from corrupt import corrupt
from exchange import post
from making import (
    ANSWERED,
    CARD,
    FEEDBACK,
    READ,
    REFUSED,
    SERVICE,
    SMALL,
    TOKEN,
    Case,
    Making,
    dumped,
    kind,
)


@kind(6)
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


@kind(5)
def address(making: Making) -> Case:
    """Methods and paths, known and not; long and odd ones."""
    choose, word = making.choose, making.canaries.word()
    known = (
        *("/cds-services", SERVICE, FEEDBACK, "/health", "/health/live", "/health/ready", "/icon.png"),
        *("/capabilities", "/openapi.json", "/schemas/request.json", "/schemas/response.json"),
    )
    odd = (
        *(f"/{word}", f"/cds-services/{word}", f"{SERVICE}/", f"{SERVICE}/{word}", "//cds-services"),
        *("/../etc/passwd", "/%00", "/%ff%fe", f"/cds-services/%2e%2e/{word}", "/metrics", "/docs", "/.env", "*"),
        *("/cds-services%2f", "/" + word * 200, "/" + word * 1_000, f"/cds-services;{word}", "/cds-services?" + word),
        *("/cds-services#" + word, f"http://{word}.example/cds-services", f"/a?{word}={word}&" + "b=c&" * 3_000),
        *("/cds-services\\x", "/\u00e9".encode().decode("latin-1")),
    )
    method, path = choose.choice(METHODS), choose.choice(known + odd)
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in making.headers())]
    body = b"{}" if method in {"POST", "PUT", "PATCH"} else b""
    if body:
        lines += [f"Content-Length: {len(body)}", "Content-Type: application/json"]
    text = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body
    allowed = frozenset({200, 204, 400, 404, 405, 414, 431})
    return Case("address", ((0, text),), allowed, head_only=method == "HEAD", broken=path not in known)


@kind(8)
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


@kind(3)
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


@kind(0.4)
def slow(making: Making) -> Case:
    """The body comes in pieces with pauses, in chunks, or stops coming."""
    name = making.choose.choice([name for name, body in making.examples.items() if len(body) < SMALL])
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


@kind(6)
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
