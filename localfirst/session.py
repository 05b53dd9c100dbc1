"""One client's work on one project: its settings, its replica, and its link to the server, if there is one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from localfirst.reading.freshness import Freshness
from localfirst.replica import outbox
from localfirst.replica.act import Act, act
from localfirst.replica.connection import sqlite_errors
from localfirst.replica.place import Place
from localfirst.replica.replica import open_replica
from localfirst.server_link import ServerLink
from localfirst.settings import Settings

if TYPE_CHECKING:
    from localfirst.markdown.mirror import Mirror

logger = logging.getLogger("localfirst.session")

EXIT_PUSH_S = 1.0


class Session:
    """Open from construction to `close`; belongs to the thread that made it.

    Attributes:
        replica: the connection to the replica.
        link: the link to the server; None without one configured.
        client_name: what the MCP client calls itself; the name that changes carry where a call gives none.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.client_name: str | None = None
        self._mirror: Mirror | None = None
        self._open()
        self._announcement = self._first_words()

    def _open(self) -> None:
        self.replica = open_replica(self.settings.replica, self.settings.project)
        self._place = Place(self.settings.replica)
        self.project_id: str = self.replica.execute("SELECT project_id FROM replica").get
        self.link = ServerLink(self.settings) if self.settings.database_url else None
        self._freshness = Freshness(self.replica, self.link, self.settings.read_from)
        if self.link is not None:
            self.link.start()

    def _keep_in_place(self) -> None:
        """A replica whose file was moved or deleted while it was open is written again: nothing of it is lost."""
        if self._place.is_kept():
            return
        logger.warning("the replica's file was taken away while it was open; it is written again")
        self._place.put_back(self.replica)
        if self.link is not None:
            self.link.stop(0.0)
        self.replica.close()
        self._open()

    def close(self) -> None:
        """Pushes what can be pushed within a second, and lets go of everything."""
        if self.link is not None:
            self.link.stop(EXIT_PUSH_S if not outbox.is_empty(self.replica) else 0.0)
        self.replica.close()

    def who(self, *given: str | None) -> str | None:
        """Who writes: what the call says, else the setting, else the client's own name."""
        return next((name for name in given if name), self.settings.client or (self.client_name or "")[:100] or None)

    @contextmanager
    def act(self, *by: str | None) -> Iterator[Act]:
        """One act on the replica, on its way to the server as soon as it is on disk."""
        self._keep_in_place()
        with act(self.replica, self.who(*by)) as open_act:
            yield open_act
        if self.link is not None:
            self.link.wake()

    def read(self, row_id: str | None = None) -> dict[str, Any]:
        """To be called before a read: makes the replica as fresh as the server allows, and says where the answer is from.

        Args:
            row_id: the one row that is read; None for lists, search and status.

        Returns the fields that every result of a read has.
        """
        self._keep_in_place()
        return self._freshness.before_read(row_id)

    def of_replica(self) -> dict[str, Any]:
        """The same fields for an answer about the replica itself: nobody is asked."""
        return self._freshness.of_replica()

    def catch_up(self) -> bool:
        """Pulls what the server has beyond this replica; False if there is no server or it is away."""
        return self._freshness.catch_up()

    def written(self, row_id: str | None = None) -> dict[str, Any]:
        """The fields that every result of a write has. While the server is away the status file is refreshed too."""
        warnings = []
        is_away = self.link is not None and self.link.is_known_away()
        if is_away:
            warnings.append("database_unavailable")
        if row_id is not None and self._freshness.has_conflict(row_id):
            warnings.append("conflict_pending")
        return {
            "success": True,
            "warnings": warnings,
            "wrote_to_cache": True,
            "wrote_to_markdown": is_away and self._mirror_store(),
            "pending_sync": self.link is not None,
        }

    def _mirror_store(self) -> bool:
        if self.replica.in_transaction:
            return False  # nothing that is not yet on disk may be in the file
        if self._mirror is None:
            from localfirst.markdown.mirror import Mirror  # parsing YAML is not needed before a server is away

            self._mirror = Mirror(self.settings.markdown)
        return self._mirror.refresh(self.replica)

    def take_announcement(self) -> str | None:
        """Once: what a user should know before anything else (unsent changes, open conflicts)."""
        words, self._announcement = self._announcement, None
        return words

    def _first_words(self) -> str | None:
        with sqlite_errors():
            unsent = outbox.count(self.replica) if self.link is not None else 0
            open_conflicts = self.replica.execute("SELECT count(*) FROM conflicts WHERE resolved_at IS NULL").get
        words = []
        if unsent:
            words.append(
                f"{unsent} change{'s' if unsent > 1 else ''} of an earlier session"
                f" {'are' if unsent > 1 else 'is'} not on the server yet; they are kept and on their way."
            )
        if open_conflicts:
            words.append(f"{open_conflicts} conflict{'s are' if open_conflicts > 1 else ' is'} open: see list_conflicts.")
        return " ".join(words) or None
