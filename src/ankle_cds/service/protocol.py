"""What becomes of what never becomes a request: bytes that are no HTTP, a head without end, a client that only waits.

There is nothing for the application to be asked then, but the answer is like all others: an OperationOutcome, with the
headers every answer has, counted and with a line in the log. https://www.rfc-editor.org/rfc/rfc9112#section-2.2
"""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ankle_cds.errors import RequestFault
from ankle_cds.service import answers
from ankle_cds.service.app import Door
from ankle_cds.service.limits import MAX_HEADER_BYTES, MAX_URI_BYTES
from ankle_cds.settings import Settings

if TYPE_CHECKING:
    import asyncio

_MOST = 2 * (MAX_HEADER_BYTES + MAX_URI_BYTES)
"""Bytes of a head that does not end; a shorter one that is too large is refused by the door, which can read it."""

_WAITING = 32
"""Requests of one connection that wait for the answers before theirs; more are not read, and are to be sent again."""

_PATIENCE: float = Settings.model_fields["body_timeout"].default
"""Seconds for a head where something stands before the `Door` whose settings say it."""


class Protocol(HttpToolsProtocol):
    """The connection of a client to a `Door`."""

    _head: int | None = None  # bytes of the head, or of what follows a body, that is being read; None elsewhere
    _reading = 0  # bytes of the piece that is being parsed
    _in_body = False  # between the end of a head and the end of its message
    _waiting: asyncio.TimerHandle | None = None  # until a head, or a body nobody needs, has come
    _deaf = False  # what still comes has no meaning: it is neither parsed nor collected

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for a head, for as long as the site lets a body take."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in bytes; a head is not collected for ever, and neither is what may follow a body."""
        if self._deaf:
            return
        if self.cycle is None or self.cycle.response_complete:
            self._wait()  # what comes now is not asked for by anybody: uvicorn has just stopped counting the seconds
        self._reading = len(data)
        super().data_received(data)
        if self._head is None or self._deaf or self.transport.is_closing():
            return
        self._head += len(data)
        if self._head > _MOST:
            long_uri = len(self.url) > MAX_URI_BYTES and not self._in_body
            self._refuse(RequestFault.URI_TOO_LONG if long_uri else RequestFault.HEADERS_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Begin to count, unless too many wait already: then those are answered, and the connection ends.

        https://www.rfc-editor.org/rfc/rfc9112#section-9.3.2
        """
        if len(self.pipeline) >= _WAITING:
            raise _TooManyError
        self._head = 0
        self._in_body = False
        self._wait()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; one that follows the body is none: nobody in front of the service looks for it there.

        https://www.rfc-editor.org/rfc/rfc9110#section-6.5.1
        """
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop counting: from here on the door and its limits are asked.

        The parser takes the body of a request to upgrade for what comes after it. It is not read as a request: it is
        not read at all, and the connection ends with the answer. https://www.rfc-editor.org/rfc/rfc9110#section-7.8
        """
        self._head = None
        self._stop_waiting()
        super().on_headers_complete()
        self._in_body = True
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False
            self._deaf = True

    def on_chunk_header(self) -> None:
        """Count again, beginning with the next piece: after the last chunk comes another list of headers."""
        self._head = -self._reading

    def on_body(self, body: bytes) -> None:
        """Stop counting: it was not the last chunk."""
        self._head = None
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop counting."""
        self._head = None
        self._in_body = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's sentence, in place of which ours is sent
        """Refuse what is no HTTP."""
        self._refuse(RequestFault.NOT_HTTP)

    def _wait(self) -> None:
        if self._waiting is None:
            app = self.config.app
            seconds = app.settings.body_timeout if isinstance(app, Door) else _PATIENCE
            self._waiting = self.loop.call_later(seconds, self._waited)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _waited(self) -> None:
        """End the connection; where an answer is still being made, with that."""
        self._waiting = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    def _refuse(self, fault: RequestFault) -> None:
        self._deaf = True
        cycle = self.cycle
        if cycle is not None and cycle.response_complete and self._in_body:
            self.transport.close()  # answered before all of it had come: another answer would be taken for the next one
            return
        waits = bool(self.pipeline)  # others are to be answered first
        request_id = str(uuid.uuid4())
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:  # whole, and still being answered: this is what came after it
                cycle.keep_alive = False
                return
            if cycle.response_started:  # a second status line would be read as part of the first answer
                self.transport.close()
                return
            request_id = cycle.scope.get("request_id", request_id)  # type: ignore[assignment]  # put there by the door
        if (waits or cycle is None or cycle.response_complete) and isinstance(self.config.app, Door):
            self.config.app.saw_broken(request_id, fault)
        response = answers.fault(fault)
        answers.sign(response.headers, request_id)
        response.headers["Connection"] = "close"
        if waits:
            self.pipeline[0] = (cycle, response)  # type: ignore[assignment]  # uvicorn has a type of its own for it
            return
        headers = [*self.server_state.default_headers, *response.raw_headers]
        status = HTTPStatus(fault.value.status)
        head = [f"HTTP/1.1 {status.value} {status.phrase}".encode(), *(b": ".join(one) for one in headers), b"", b""]
        self.transport.write(b"\r\n".join(head) + bytes(response.body))
        self.transport.close()


class _TooManyError(Exception):
    """Stops the parser, which tells it as it does whatever else it cannot go on with."""
