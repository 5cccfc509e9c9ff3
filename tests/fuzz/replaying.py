"""Requests that were answered wrongly, kept in files, sent again, and made smaller while the same is wrong."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kinds import Case

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from exchange import Answer


def keep(
    folder: Path, numbers: tuple[int, int], case: Case, wrong: list[str], answer: Answer | None, *, jwt: bool
) -> Path:
    """Write a request, named by its seed and number, to a file from which it can be sent again."""
    seed, number = numbers
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "seed": seed,
        "number": number,
        "kind": case.kind,
        "jwt": jwt,
        "wrong": wrong,
        "status": answer.status if answer else None,
        "answer": answer.body[:4_000].decode("utf-8", "replace") if answer else None,
        "allowed": sorted(case.allowed),
        "flags": {"head_only": case.head_only, "end": case.end, "broken": case.broken},
        "pieces": [[pause, base64.b64encode(piece).decode()] for pause, piece in case.pieces],
        "body": case.body.decode("utf-8", "replace") if case.body is not None else None,
    }
    file = folder / f"{case.kind}-{seed}-{number}.json"
    file.write_text(json.dumps(document, indent=1), "utf-8")
    return file


def kept(file: Path) -> tuple[dict[str, Any], Case]:
    """Read a kept request."""
    document = json.loads(file.read_text("utf-8"))
    pieces = tuple((pause, base64.b64decode(piece)) for pause, piece in document["pieces"])
    body = pieces[0][1].partition(b"\r\n\r\n")[2] if document["body"] is not None and len(pieces) == 1 else None
    return document, Case(document["kind"], pieces, frozenset(document["allowed"]), body, **document["flags"])


async def shrunk(case: Case, still: Callable[[Case], Awaitable[bool]]) -> Case:
    """Leave out one member or item of the JSON after the other, the outer ones first, while `still` is true of it."""
    assert case.body is not None
    head, _, _ = case.pieces[0][1].partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length:")]
    document = json.loads(case.body)
    waiting = [document]
    while waiting:
        holder = waiting.pop(0)
        for key in list(holder) if isinstance(holder, dict) else reversed(range(len(holder))):
            value = holder.pop(key)
            body = json.dumps(document).encode()
            text = b"\r\n".join([*lines, b"Content-Length: %d" % len(body)]) + b"\r\n\r\n" + body
            smaller = replace(case, pieces=((0, text),), body=body)
            if await still(smaller):
                case = smaller
            elif isinstance(holder, dict):
                holder[key] = value
            else:
                holder.insert(key, value)
        inside = holder.values() if isinstance(holder, dict) else holder
        waiting += [each for each in inside if each and isinstance(each, (dict, list))]
    return case
