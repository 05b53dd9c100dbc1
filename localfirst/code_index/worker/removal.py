"""Takes out of the index what it has of work trees that were removed, in a thread of the worker's.

A search leaves them out from the moment they are gone, and has a worker started; a worker looks when it begins, and before
each job. All of it is short transactions: after a kill in between the tree is still gone, and the next worker goes on.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import apsw
from localfirst_schema.errors import LocalfirstError
from localfirst_sync.supervised import Supervised

from localfirst.code_index.file_name import as_bytes
from localfirst.code_index.jobs import table
from localfirst.code_index.store import forgetting, repositories
from localfirst.code_index.store.repositories import Repository
from localfirst.code_index.work_tree import is_gone, work_tree_of
from localfirst.replica.connection import connect, immediate
from localfirst.settings import Settings

logger = logging.getLogger("localfirst.worker")

_PUBLISH = """
    UPDATE index_jobs SET to_publish = 1 WHERE job_id = (
        SELECT j.job_id FROM code_repositories AS gone JOIN code_repositories AS other USING (shared_key)
        JOIN index_jobs AS j ON j.root = other.root
        WHERE gone.repository_id = ? AND other.repository_id <> gone.repository_id AND j.status = 'completed'
        ORDER BY j.ended_at DESC LIMIT 1
    )
"""


class _NotNowError(Exception):
    """The worker is to end, or the tree is there again."""


def _note_place(connection: apsw.Connection, repository: Repository) -> None:
    """Where a root lies now, which nobody can say once it is gone: it may have moved, or an older program indexed it."""
    root = Path(os.fsdecode(as_bytes(repository.root)))
    tree = work_tree_of(root) if root.is_dir() else None
    if tree is not None and tree != repository.work_tree:
        with immediate(connection):
            repositories.note_place(connection, repository.repository_id, tree)


class Removal:
    """At work from `begin` until all are out, or until `stop`."""

    def __init__(self, settings: Settings, to_publish: Callable[[], None]) -> None:
        """`to_publish` is called when another tree of the repository is to be sent to the team's server."""
        self._settings = settings
        self._to_publish = to_publish
        self._stopping = threading.Event()
        self._thread: Supervised | None = None

    def begin(self) -> None:
        """Looks for what is gone, unless it does so already."""
        if not self.is_busy():
            # The next job, or the next worker, begins it again.
            self._thread = Supervised(self._work, "localfirst-removal", begins_again=False)
            self._thread.start()

    def is_busy(self) -> bool:
        """Whether something is being looked for or taken out."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self, timeout_s: float) -> None:
        """Ends at the next transaction, which is waited for."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _work(self) -> None:
        try:
            connection = connect(self._settings.replica)
            try:
                connection.pragma("synchronous", "normal")  # all of it can be computed again
                for repository in repositories.every(connection):
                    _note_place(connection, repository)
                    self._take_out(connection, repository)
            finally:
                connection.close()
        except _NotNowError:
            return
        except LocalfirstError as error:
            logger.warning("what is left of removed work trees stays for the next worker: %s", error)
        except Exception:
            logger.exception("what is left of removed work trees stays for the next worker")

    def _take_out(self, connection: apsw.Connection, repository: Repository) -> None:
        tree = repository.work_tree
        if tree is None or not is_gone(tree) or table.active_of(connection, repository.root) is not None:
            return

        def guard() -> None:
            if self._stopping.is_set() or not is_gone(tree):
                raise _NotNowError

        self._publish_another(connection, repository)
        forgotten = forgetting.take_out(connection, repository.repository_id, guard)
        logger.info("took %d files of %s out of the index: it was removed", forgotten.files, repository.root)

    def _publish_another(self, connection: apsw.Connection, repository: Repository) -> None:
        """On the team's server all work trees have one place: where this one was the last to be sent, another one is again."""
        if not self._settings.has_server:
            return
        with immediate(connection):
            connection.execute(_PUBLISH, (repository.repository_id,))
            is_to_publish = connection.changes() > 0
        if is_to_publish:
            self._to_publish()
