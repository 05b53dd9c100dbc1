"""The directory that an MCP client works in, where it says so: the first of its roots.

A client that offers roots is asked after the handshake, and again when it says that they have changed; only where nobody
has named the directory (`mcp --root`, LOCALFIRST_ROOT). The handshake does not wait for its answer, the next tool does, for a
while. Up to 2025-11-25 the protocol has a request for it; with 2026-07-28 roots are on their way out, and a server asks nothing
by itself any more.

What cannot be used of an answer is reported with the next answer of a tool, and the current directory is used then. A client
that does not answer the second time keeps the directory that it has.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

if TYPE_CHECKING:
    from mcp.server.session import ServerSession

ROOTS_CHANGED = "notifications/roots/list_changed"

ANSWER_S = 2.0
"""How long the client may take to name its roots."""

ASKED_AT_MOST = 3
"""So often a tool waits for the roots of a client that changes them while it is asked."""

NAMED_MAX = 200
"""So much of an address is repeated in words that it cannot be used."""

_log = logging.getLogger("localfirst")


class Roots:
    """What is known of the client's roots. For the event loop's thread.

    Attributes:
        directory: the one that the client works in; None as long as nobody has said so.
    """

    def __init__(self) -> None:
        self.directory: Path | None = None
        self._is_settled = False
        self._is_offered = False
        self._is_outdated = False
        self._words: str | None = None
        self._asking: asyncio.Task[None] | None = None

    def hear_initialize(self, params: dict[str, Any] | None) -> None:
        """The client introduces itself."""
        capabilities = (params or {}).get("capabilities")
        self._is_offered = isinstance(capabilities, dict) and isinstance(capabilities.get("roots"), dict)

    def hear_change(self) -> None:
        """The client has other roots now: it is asked before the next tool is called."""
        if self._is_offered:
            self._is_settled, self._is_outdated = False, True

    def is_awaited(self) -> bool:
        """Whether the directory may yet become known, so that nothing should be opened in another one."""
        return self._is_offered and not self._is_settled

    def begin(self, session: ServerSession, then: Callable[[], None] = lambda: None) -> None:
        """Asks the client, if it offers roots and its answer is not known; `then` is called when that is settled."""
        if not self._is_settled and self._asking is None:
            self._asking = asyncio.ensure_future(self._ask(session, then))

    async def settle(self, session: ServerSession) -> None:
        """Returns when the directory is known, or will not become known. Waits for the client for `ANSWER_S` at a time."""
        for _ in range(ASKED_AT_MOST):
            if self._is_settled:
                return
            self.begin(session)
            assert self._asking is not None
            await asyncio.shield(self._asking)

    def take_words(self) -> str | None:
        """Once: why the directory that the client names, or would have named, is not used."""
        words, self._words = self._words, None
        return words

    async def _ask(self, session: ServerSession, then: Callable[[], None]) -> None:
        self._is_outdated = False
        try:
            if _offers(session):
                self._take(await _first_root(session))
        except Exception as error:  # noqa: BLE001 - whatever the client does, tools answer
            _log.info("the client did not name its roots: %s", type(error).__name__)
            here = self.directory or _here()
            self._words = f"The client offers roots and did not name them, so the directory is {here}; {_ADVICE}"
        self._asking = None
        if self._is_outdated:  # they have changed meanwhile
            self.begin(session, then)
            return
        self._is_settled = True
        then()

    def _take(self, uri: str | None) -> None:
        self.directory = None
        if uri is None:
            return
        try:
            directory = directory_of(uri)
            if not directory.is_dir():
                raise ValueError("no directory that is here")
        except (ValueError, OSError) as error:
            reason = str(error) if isinstance(error, ValueError) else "no directory that can be read"
            self._words = f"The client's first root, {uri[:NAMED_MAX]!r}, is {reason}: {_here()} is used; {_ADVICE}"
            return
        self.directory = directory


_ADVICE = "start the server with `localfirst mcp --root DIR` for another."


def directory_of(uri: str, *, windows: bool = os.name == "nt") -> Path:
    """The directory that a ``file:`` address names; it need not exist. Raises ValueError, which says what the address is."""
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
    except ValueError:
        raise ValueError("no address") from None
    if parts.scheme != "file":
        raise ValueError("no file: address")
    if host not in ("", "localhost") or "@" in parts.netloc or ":" in parts.netloc:
        raise ValueError("on another machine")
    if parts.query or parts.fragment or not parts.path.startswith("/"):
        raise ValueError("no address of a directory (a `?` or `#` in a name is written %3F or %23)")
    raw = unquote_to_bytes(parts.path)
    if b"\0" in raw:
        raise ValueError("no name that a directory can have")
    if not windows:
        return Path(os.fsdecode(raw))
    try:
        path = raw.decode()
    except UnicodeDecodeError:
        raise ValueError("no name that a directory can have") from None
    if len(path) < 3 or path[2] != ":" or not path[1].isalpha():
        raise ValueError("no path with a drive")
    return Path(path[1:])


def _offers(session: ServerSession) -> bool:
    from mcp_types.version import MODERN_PROTOCOL_VERSIONS

    capabilities = session.client_capabilities
    return (
        capabilities is not None
        and capabilities.roots is not None
        and session.protocol_version not in MODERN_PROTOCOL_VERSIONS
        and session.can_send_request
    )


async def _first_root(session: ServerSession) -> str | None:
    import mcp_types as types
    from pydantic import BaseModel

    class Named(BaseModel):
        uri: str

    class Answer(BaseModel):  # the SDK's own refuses all of them for one that is no address
        roots: list[Named]

    answer = await session.send_request(types.ListRootsRequest(), Answer, request_read_timeout_seconds=ANSWER_S)
    return answer.roots[0].uri if answer.roots else None


def _here() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return "the current directory"
