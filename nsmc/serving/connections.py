"""Connections that neither wait for ever nor lose what is on its way when the server ends."""

import asyncio
import resource

from uvicorn.protocols.http.auto import AutoHTTPProtocol

# Where no file can be opened, asyncio fills the log with thousands of lines a second.
_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[0]  # -1 where there is no limit
_MOST = 1_000 if _FILES < 0 else max(min(1_000, _FILES - 200), _FILES // 4)  # connections
_MOST_OF_A_HEAD = 512 << 10  # bytes; what arrives at a time is less than half of it
_LAST_SECONDS = 1.0  # in which a request that was on its way to a server that ends arrives


class Connection(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's, bounded: `timeout_keep_alive` is for a request's head to arrive, too."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._of_head = 0
        if len(self.connections) > _MOST:
            transport.abort()
        self._late: asyncio.TimerHandle | None = None
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        is_body = before is not None and before.more_body
        super().data_received(data)
        if self.transport.is_closing():
            return
        if is_body or self.cycle is not before:
            self._of_head = 0
        else:
            self._of_head += len(data)
            if self._of_head > _MOST_OF_A_HEAD:
                self.send_400_response("A request's head is too large.")
        if self._is_idle():
            self._expect_head()
        else:
            self._stop_expecting()
            if self._is_ending():
                self._make_last()

    def eof_received(self) -> bool | None:
        """A client that has said all, and listens, is answered."""
        if self._is_idle() or self.cycle.more_body:
            return None  # closes it
        self._make_last()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_expecting()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The server ends: answer what is on its way, too, and say that it is the last."""
        # For those, too, that were accepted before and are made after this.
        self.server_state.is_ending = True
        if self._is_idle():
            self.loop.call_later(_LAST_SECONDS, self._close)
        else:
            self._make_last()

    def _is_ending(self) -> bool:
        return hasattr(self.server_state, "is_ending")

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _make_last(self) -> None:
        self.cycle.keep_alive = False
        self.cycle.scope["headers"].append((b"connection", b"close"))  # so the answer has it

    def _expect_head(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(self.config.timeout_keep_alive, self._close)

    def _stop_expecting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _close(self) -> None:
        if self._is_idle() and not self.transport.is_closing():
            self.transport.close()
