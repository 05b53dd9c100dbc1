"""Sends what jobs have indexed to the team's server, in a thread of the worker's: a job does not wait for it, nor fail by it.

That a repository is still to be sent stands in its job's row; what was sent before is the server's to know. So a worker that
is killed, or gives up because the server stays away, loses nothing: the next one sends it. What nobody foresaw ends a turn of
the thread: it is logged, and the next turn tries again.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
from localfirst_schema.errors import LocalfirstError, UnavailableError
from localfirst_sync.supervised import Supervised

from localfirst.code_index.jobs.transition import note_not_shared
from localfirst.replica.connection import connect, immediate
from localfirst.settings import Settings

if TYPE_CHECKING:
    from localfirst.code_index.shared.server import SharedIndex

logger = logging.getLogger("localfirst.worker")

FIRST_WAIT_S = 1.0
LOOK_EVERY_S = 5.0
"""How soon it notices that its worker is over where nothing wakes it."""

GIVE_UP_AFTER_S = 60.0
"""How long a server that is away is waited for; the worker does not live on for its sake."""

_NEXT = "SELECT root FROM index_jobs WHERE to_publish = 1 ORDER BY ended_at LIMIT 1"
_WAITING = "SELECT job_id FROM index_jobs WHERE root = ? AND to_publish = 1"
_SENT = "UPDATE index_jobs SET to_publish = 0 WHERE root = ? AND to_publish = 1"


class Publisher:
    """At work from construction to `stop`, or until the worker is over: then also where nobody could stop it."""

    def __init__(self, settings: Settings, is_over: threading.Event) -> None:
        self._settings = settings
        self._is_over = is_over
        self._asked = threading.Event()
        self._is_busy = True
        self._thread = Supervised(self._live, "localfirst-publisher")
        self._thread.start()

    def wake(self) -> None:
        """There is something to send."""
        self._is_busy = True
        self._asked.set()

    def is_busy(self) -> bool:
        """Whether something is being sent, or soon tried again."""
        return self._is_busy

    def stop(self) -> None:
        """Sends no more; does not wait for what is being sent."""
        self._thread.stop()
        self._asked.set()

    def _live(self) -> None:
        self._asked.set()  # for what an earlier worker left, or this one before it failed
        self._is_busy = True
        try:
            self._send_when_asked()
        finally:
            self._is_busy = False

    def _send_when_asked(self) -> None:
        connection = connect(self._settings.replica)
        try:
            while not (self._thread.stopping.is_set() or self._is_over.is_set()):
                if not self._asked.wait(LOOK_EVERY_S):
                    continue
                self._asked.clear()
                self._is_busy = True
                self._send_all(connection)
                self._is_busy = self._asked.is_set()
        finally:
            connection.close()

    def _send_all(self, connection: apsw.Connection) -> None:
        """Whatever nobody foresaw ends this turn of the thread: it is logged, and tried again after a pause."""
        from localfirst.code_index.shared.server import shared_index

        if (shared := shared_index(self._settings, connection)) is None:
            return
        try:
            self._send_each(connection, shared)
        finally:
            shared.close()

    def _send_each(self, connection: apsw.Connection, shared: SharedIndex) -> None:
        wait, deadline = FIRST_WAIT_S, time.monotonic() + GIVE_UP_AFTER_S
        while not self._thread.stopping.is_set() and (root := connection.execute(_NEXT).get) is not None:
            try:
                sent = shared.publish(connection, Path(root), self._settings.client)
            except UnavailableError as error:
                # A right that is missing does not come by waiting.
                if error.details.get("cause") == "permission" or time.monotonic() + wait > deadline:
                    logger.warning("the index of %s is not on the team's server yet; the next job sends it: %s", root, error)
                    with immediate(connection):
                        for (job_id,) in connection.execute(_WAITING, (root,)).fetchall():
                            note_not_shared(connection, str(job_id), error.message)
                    return
                self._thread.stopping.wait(wait)
                wait *= 2
                continue
            except LocalfirstError as error:
                logger.warning("the index of %s is not sent to the team's server: %s", root, error)
            else:
                logger.info("sent %d files of %s to the team's server", sent, root)
            with immediate(connection):
                connection.execute(_SENT, (root,))
