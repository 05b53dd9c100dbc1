"""Streams of events, one for each laptop that waits, all fed by one `News`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from localfirst_sync.daemon.news import News
from localfirst_sync.ports import Cursor

BEAT_S = 10.0
"""How often a stream says something, so that nobody on the way forgets it."""

LOOK_S = 2.5
"""How often the token of a stream is looked at again; a notice of a revocation comes at once."""


class Follower:
    """One stream: what it has to say next."""

    def __init__(self, token_id: str) -> None:
        self.token_id = token_id
        self.head: Cursor | None = None
        self.is_renamed = False
        self.news = asyncio.Event()


class Hub:
    """All streams of one daemon. For one event loop."""

    def __init__(self, dsn: str, loop: asyncio.AbstractEventLoop, forget_token: Callable[[str], None]) -> None:
        self._loop = loop
        self._forget_token = forget_token
        self._followers: dict[str, set[Follower]] = {}
        self._is_draining = False
        self._news = News(dsn, self._on_head, self._on_renamed, self._on_token)

    def start(self) -> None:
        """Begins to listen."""
        self._news.start()

    def stop(self) -> None:
        """Ends the listening, and waits for that."""
        self._news.stop()

    def count(self) -> int:
        """How many streams there are."""
        return sum(map(len, self._followers.values()))

    def drain(self) -> None:
        """Ends all streams; others are not begun. From any thread."""
        self._loop.call_soon_threadsafe(self._drain)

    async def stream(
        self, project_id: str, token_id: str, is_still_good: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[bytes]:
        """The events of a project, as long as the token is good."""
        follower = Follower(token_id)
        self._followers.setdefault(project_id, set()).add(follower)
        self._news.follow(project_id)
        try:
            yield b": localfirst\n\n"
            said_at = self._loop.time()
            while not self._is_draining:
                with suppress(TimeoutError):  # then it is time to look again
                    await asyncio.wait_for(follower.news.wait(), LOOK_S)
                follower.news.clear()
                if self._is_draining or not await is_still_good():
                    return
                said = _said(follower)
                if said or self._loop.time() - said_at >= BEAT_S:
                    said_at = self._loop.time()
                    yield said or b":\n\n"
        finally:
            self._followers[project_id].discard(follower)
            if not self._followers[project_id]:
                del self._followers[project_id]
            self._news.leave(project_id)

    def _all(self) -> list[Follower]:
        return [follower for followers in self._followers.values() for follower in followers]

    def _drain(self) -> None:
        self._is_draining = True
        for follower in self._all():
            follower.news.set()

    def _on_head(self, project_id: str, head: Cursor) -> None:
        self._loop.call_soon_threadsafe(self._deliver, project_id, head)

    def _on_renamed(self, project_id: str) -> None:
        self._loop.call_soon_threadsafe(self._deliver, project_id, None)

    def _on_token(self, token_id: str) -> None:
        self._forget_token(token_id)
        self._loop.call_soon_threadsafe(self._look_at, token_id)

    def _deliver(self, project_id: str, head: Cursor | None) -> None:
        for follower in self._followers.get(project_id, ()):
            if head is None:
                follower.is_renamed = True
            else:
                follower.head = head
            follower.news.set()

    def _look_at(self, token_id: str) -> None:
        for follower in self._all():
            if follower.token_id == token_id:
                follower.news.set()


def _said(follower: Follower) -> bytes:
    said = b"event: renamed\ndata: \n\n" if follower.is_renamed else b""
    if follower.head is not None:
        said += b"event: head\ndata: %d %d\n\n" % follower.head
    follower.head, follower.is_renamed = None, False
    return said
