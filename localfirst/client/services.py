"""What a session keeps for its calls beside the replica: opened by the first call that needs it, closed with the session."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Protocol, TypeVar, cast


class Service(Protocol):
    """Something that is kept from call to call."""

    def close(self) -> None:
        """Lets go of everything."""


S = TypeVar("S", bound=Service)


class Services:
    """The services of one session, one of each kind; belongs to the session's thread."""

    def __init__(self) -> None:
        self._by_kind: dict[type[Any], Service] = {}
        self._closing = ExitStack()

    def of(self, kind: type[S], make: Callable[[], S]) -> S:
        """The session's service of this kind; made by `make` where it has none yet."""
        found = self._by_kind.get(kind)
        if found is None:
            found = self._by_kind[kind] = make()
            self._closing.callback(found.close)
        return cast(S, found)

    def close_with(self, close: Callable[[], object]) -> None:
        """Calls `close` when the session is closed; what came last is closed first, each whatever another one has met."""
        self._closing.callback(close)

    def close(self) -> None:
        """Closes all of them. Later calls of `of` begin new ones."""
        self._by_kind.clear()
        self._closing.close()
