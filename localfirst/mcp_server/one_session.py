"""The session that a client's tools are called for: opened when it is first needed, closed once.

It is that of one directory. When the client's roots change and its first one is another directory, the next call opens another
session there, and the old one is closed by a thread of its own (it pushes for up to a second), as soon as no call is at work
in it. For the event loop's thread; only calls that wait for something work in others.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from localfirst_schema.errors import LocalfirstError
from localfirst_sync.supervised import Supervised

from localfirst.mcp_server.roots import Roots

if TYPE_CHECKING:
    from mcp.server.session import ServerSession

CLOSING_S = 1.5
"""How long the end of the process waits for sessions of earlier directories that are being closed."""

_log = logging.getLogger("localfirst")


class ToolSession(Protocol):
    """What the server needs of a session; the operations know the rest."""

    client_name: str | None

    def take_place(self) -> dict[str, Any]:
        """The project and the root, for the first successful answer; nothing ever after."""

    def take_announcement(self) -> str | None:
        """A text to be displayed once, with the first successful answer; `None` ever after."""

    def close(self) -> None:
        """Push what can be pushed within a second, and release everything."""


class AtWork:
    """A call for another thread; `on_end` is called when it has ended, or will never begin.

    Attributes:
        result: what the call has returned, whatever may fail after it; None until then.
        on_result: is called with it in the same thread, before anybody else goes on.
    """

    def __init__(self, call: Callable[[], dict[str, Any]], on_end: Callable[[], None]) -> None:
        self._call, self._on_end = call, on_end
        self._lock = threading.Lock()
        self._is_taken = False
        self.result: dict[str, Any] | None = None
        self.on_result: Callable[[dict[str, Any]], None] | None = None

    def __call__(self) -> dict[str, Any]:
        if not self._takes():
            return {}  # nobody waits for it
        try:
            self.result = result = self._call()
            if self.on_result is not None:
                self.on_result(result)
            return result
        finally:
            self._on_end()

    def withdraw(self) -> None:
        """Nobody waits any more: what has not begun never will."""
        if self._takes():
            self._on_end()

    def _takes(self) -> bool:
        with self._lock:
            is_first, self._is_taken = not self._is_taken, True
        return is_first


class OneSession:
    """`factory` opens a session in the directory of `roots` as it is then."""

    def __init__(self, factory: Callable[[], ToolSession], roots: Roots | None = None) -> None:
        self._factory = factory
        self.roots = roots
        self._session: ToolSession | None = None
        self._directory: Path | None = None
        self._client_name: str | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._at_work: Counter[int] = Counter()  # calls in other threads, by their session's id
        self._left: dict[int, ToolSession] = {}  # sessions of earlier directories in which calls are at work
        self._closing: list[Supervised] = []

    def opened(self, client_name: str | None) -> ToolSession:
        """The open session, which now writes in the name of `client_name`. Raises what the factory raises."""
        self._leave_another_directory()
        session = self._session
        if session is None:
            session = self._open()
        if client_name != self._client_name:
            session.client_name = self._client_name = client_name
        return session

    def open_early(self) -> None:
        """Open it before a tool asks for it, so that synchronisation begins; a failure is reported by the first tool."""
        if not self.is_settled() or self._closed:
            return  # it is opened when the client has said where
        try:
            self._leave_another_directory()
            if self._session is None:
                self._open()
        except LocalfirstError as error:
            _log.warning("the session could not be opened yet: %s", error.message)
        except Exception:  # noqa: BLE001 - the first tool call meets it again and answers with it
            _log.exception("the session could not be opened yet")

    def is_settled(self) -> bool:
        """Whether it is known where the client works, or nobody will say."""
        return self.roots is None or not self.roots.is_awaited()

    def begin(self, client: ServerSession) -> None:
        """The handshake is done: the client is asked where it works, and the session opened there."""
        if self.roots is not None:
            self.roots.begin(client, self.open_early)

    def change(self, client: ServerSession) -> None:
        """The client's roots have changed: it is asked again."""
        if self.roots is not None and self.roots.is_awaited():
            self.roots.begin(client, self.open_early)

    async def settle(self, client: ServerSession) -> None:
        """Returns when it is known where to open the session."""
        if self.roots is not None:
            await self.roots.settle(client)

    def at_work(self, call: Callable[[], dict[str, Any]]) -> AtWork:
        """A call for another thread, in the session that is open now, which is not closed before the call has ended."""
        session = self._session
        assert session is not None
        with self._lock:
            self._at_work[id(session)] += 1
        return AtWork(call, lambda: self._has_ended(session))

    def take_announcement(self, session: ToolSession) -> str | None:
        """What is to be said once: of the roots, and by the session that has answered."""
        of_roots = self.roots.take_words() if self.roots is not None else None
        return " ".join(filter(None, (of_roots, session.take_announcement()))) or None

    def close(self) -> None:
        """Close the session if it was ever opened."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            _close(session)
        for closing in self._closing:
            closing.join(CLOSING_S)

    def _open(self) -> ToolSession:
        self._directory = None if self.roots is None else self.roots.directory
        session = self._session = self._factory()
        return session

    def _leave_another_directory(self) -> None:
        session = self._session
        if session is None or self.roots is None or self.roots.directory == self._directory:
            return
        self._session = self._client_name = None
        with self._lock:
            if self._at_work[id(session)]:
                self._left[id(session)] = session
                return
        self._close_aside(session)

    def _has_ended(self, session: ToolSession) -> None:
        with self._lock:
            self._at_work[id(session)] -= 1
            if self._at_work[id(session)]:
                return
            del self._at_work[id(session)]
            is_left = self._left.pop(id(session), None) is not None
        if is_left:
            self._close_aside(session)

    def _close_aside(self, session: ToolSession) -> None:
        self._closing = [one for one in self._closing if one.is_alive()]
        closing = Supervised(lambda: _close(session), "localfirst-leaving", begins_again=False)
        self._closing.append(closing)
        closing.start()


def _close(session: ToolSession) -> None:
    try:
        session.close()
    except Exception:  # noqa: BLE001 - it is over either way
        _log.exception("the session did not close cleanly")
