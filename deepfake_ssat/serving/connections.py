"""Connections to the service: one that does not ask for anything soon is closed."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 20.0
"""For the head of a request: each open connection takes one of the files that a process may have open."""


class PromptProtocol(H11Protocol):
    """uvicorn's own waits for ever: for a first request, and for the rest of one that was begun."""

    _deadline: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.Transport) -> None:
        """The first request has to come."""
        super().connection_made(transport)
        self._expect_request()

    def on_response_complete(self) -> None:
        """The next one has to come."""
        super().on_response_complete()
        self._deadline.cancel()
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for."""
        self._deadline.cancel()
        super().connection_lost(exc)

    def _expect_request(self) -> None:
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._close_unless_asked, self.cycle)

    def _close_unless_asked(self, served: object) -> None:
        if self.cycle is served:
            self.transport.close()
