"""HTTP by hand over one connection, so that anything can be sent, and what comes back is read without forgiveness."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LIMIT = 64 * 1024 * 1024
_GO_ON = frozenset({100, 102, 103})
_NO_BODY = _GO_ON | {101, 204, 304}


class BadAnswerError(Exception):
    """What came back is not HTTP, not all of it, or nothing in time; the message says which."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; header names in small letters. `closed`: the server ended the connection after it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)
    closed: bool = False

    def header(self, name: str) -> str | None:
        """Give the one value of a header; None where there is none, or more than one."""
        found = [value for each, value in self.headers if each == name]
        return found[0] if len(found) == 1 else None

    def raw(self) -> bytes:
        """Give head and body in one text, to be searched."""
        lines = [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


class Connection:
    """One connection, opened when it is needed and kept while both sides keep it."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(
        self, pieces: Sequence[tuple[float, bytes]], *, seconds: float, head_only: bool = False, end: bool = False
    ) -> Answer:
        """Send pieces, each after its pause, and read one answer; raises BadAnswerError.

        `head_only`: the answer to HEAD has no body. `end`: no more will be sent, and the server is told so.
        """
        try:
            async with asyncio.timeout(seconds):
                return await self._ask(pieces, head_only=head_only, end=end)
        except TimeoutError:
            await self.close()
            raise BadAnswerError("no whole answer in time") from None
        except BadAnswerError:
            await self.close()
            raise
        except (OSError, EOFError, ValueError) as error:
            await self.close()
            raise BadAnswerError(f"the connection ended before the answer did ({type(error).__name__})") from None

    async def _ask(self, pieces: Sequence[tuple[float, bytes]], *, head_only: bool, end: bool) -> Answer:
        if self._reader is None or self._reader.at_eof():
            await self.close()
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port, limit=_LIMIT)
        assert self._writer is not None
        sending = asyncio.ensure_future(_send(self._writer, pieces, end=end))
        try:
            answer = await _read(self._reader, head_only=head_only)
            while answer.status in _GO_ON:
                answer = await _read(self._reader, head_only=head_only)
        finally:
            whole = sending.done()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        if answer.closed or end or not whole:
            await self.close()
        return answer

    async def close(self) -> None:
        """Close, whatever state the connection is in."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.transport.abort()


async def _send(writer: asyncio.StreamWriter, pieces: Iterable[tuple[float, bytes]], *, end: bool) -> None:
    for pause, piece in pieces:
        if pause:
            await asyncio.sleep(pause)
        writer.write(piece)
        await writer.drain()
    if end:
        writer.write_eof()


async def _read(reader: asyncio.StreamReader, *, head_only: bool) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].split(b"\r\n")
    version, _, rest = first.partition(b" ")
    status = rest[:3]
    if version != b"HTTP/1.1" or not status.isdigit():
        raise BadAnswerError("the first line is not that of an HTTP/1.1 answer")
    headers = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip():
            raise BadAnswerError("a header line without a name")
        headers.append((name.decode("latin-1").lower(), value.strip().decode("latin-1")))
    given = dict(headers)
    closing = given.get("connection", "").lower() == "close"
    if head_only or int(status) in _NO_BODY:
        body = b""
    elif given.get("transfer-encoding", "").lower() == "chunked":
        body = await _chunks(reader)
    elif "content-length" in given:
        body = await reader.readexactly(int(given["content-length"]))
    elif closing:
        body = await reader.read(_LIMIT)
    else:
        raise BadAnswerError("neither a length nor chunks")
    return Answer(int(status), tuple(headers), body, closing)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        body += await reader.readexactly(size)
        if await reader.readexactly(2) != b"\r\n":
            raise BadAnswerError("a chunk without an end")
    await reader.readuntil(b"\r\n")
    return bytes(body)


def post(path: str, body: bytes, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """Give an ordinary POST of JSON."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
