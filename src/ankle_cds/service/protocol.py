"""What is answered where a request never becomes one: bytes that are no HTTP, or a head without end.

There is nothing for the application to be asked then, but the answer is like all others: an OperationOutcome, with the
headers every answer has, counted and with a line in the log. https://www.rfc-editor.org/rfc/rfc9112#section-2.2
"""

from __future__ import annotations

import uuid
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ankle_cds.errors import RequestFault
from ankle_cds.service import answers
from ankle_cds.service.app import Door
from ankle_cds.service.limits import MAX_HEADER_BYTES, MAX_URI_BYTES

_MOST = 2 * (MAX_HEADER_BYTES + MAX_URI_BYTES)
"""Bytes of a head that does not end; a shorter one that is too large is refused by the door, which can read it."""


class Protocol(HttpToolsProtocol):
    """The connection of a client to a `Door`."""

    _head: int | None = None  # bytes of the head that is being read, None between heads

    def data_received(self, data: bytes) -> None:
        """Take in bytes; a head is not collected for ever."""
        super().data_received(data)
        if self._head is None or self.transport.is_closing():
            return
        self._head += len(data)
        if self._head > _MOST:
            long_uri = len(self.url) > MAX_URI_BYTES
            self._refuse(RequestFault.URI_TOO_LONG if long_uri else RequestFault.HEADERS_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stop counting: from here on the door and its limits are asked."""
        self._head = None
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's sentence, in place of which ours is sent
        """Refuse what is no HTTP."""
        self._refuse(RequestFault.NOT_HTTP)

    def _refuse(self, fault: RequestFault) -> None:
        cycle = self.cycle
        request_id = str(uuid.uuid4())
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:  # whole, and still being answered: this is what came after it
                cycle.keep_alive = False
                return
            if cycle.response_started:  # a second status line would be read as part of the first answer
                self.transport.close()
                return
            request_id = cycle.scope.get("request_id", request_id)  # type: ignore[assignment]  # put there by the door
        elif isinstance(self.config.app, Door):
            self.config.app.saw_broken(request_id, fault)
        response = answers.fault(fault)
        answers.sign(response.headers, request_id)
        response.headers["Connection"] = "close"
        headers = [*self.server_state.default_headers, *response.raw_headers]
        status = HTTPStatus(fault.value.status)
        head = [f"HTTP/1.1 {status.value} {status.phrase}".encode(), *(b": ".join(one) for one in headers), b"", b""]
        self.transport.write(b"\r\n".join(head) + bytes(response.body))
        self.transport.close()
