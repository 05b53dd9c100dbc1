"""Tells whether a working tree has changed since it was indexed.

The first answer comes from a scan against the store. After that the system's file events tell that something happened, and a
new scan tells what: so the count knows the same rules as a run (`pipeline.plan`). All of it happens in a thread that is
started by the first question about a tree and ends when nobody has asked for ten minutes, or with the process. Where a tree
cannot be watched (too many directories for the system's limit, a network file system) it is scanned every two seconds while
questions come.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
from localfirst_sync.supervised import Supervised

from localfirst.checkout import file_of_checkout
from localfirst.code_index.file_name import as_bytes
from localfirst.code_index.found_file import FoundFile
from localfirst.code_index.scan import ScanStoppedError, scan
from localfirst.code_index.scan.rules import FILLED_DIRECTORIES, MAX_BYTES, STORE_DIRECTORIES
from localfirst.code_index.store import repositories
from localfirst.code_index.store.differences import Differences, content_hash, differences
from localfirst.replica.defences import defend

_log = logging.getLogger(__name__)

RESCAN_S = 2.0
"""Between two scans where events do not come."""

_TICK_MS = 200
_SETTLE_MS = 100
"""Events are taken together until nothing has happened for this long."""

_IDLE_S = 600.0
_NEVER_MATTERS = FILLED_DIRECTORIES | STORE_DIRECTORIES
_HASH_OF = "SELECT content_hash FROM code_files WHERE repository_id = ? AND path = ?"


class TreeWatch:
    """The trees that are watched in this process. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: dict[str, _Watched] = {}
        atexit.register(self.close)

    def behind(self, connection: apsw.Connection, root: Path, *, wait_s: float = 0.0) -> int | None:
        """How many files of the tree are new, changed or gone since the index saw them.

        None as long as that is not known (the first scan is under way, the tree is gone, a run has ended since the tree was
        last compared with the index) or the tree was never indexed. Costs
        microseconds, and no more than `wait_s` for a first answer. `connection` is the caller's, on the replica's file.
        """
        root = Path(os.path.realpath(root))
        repository = repositories.find(connection, root)
        if repository is None or not connection.filename or connection.open_vfs == "memdb":
            return None
        key = str(root)
        with self._lock:
            watched = self._watched.get(key)
            if watched is None or not watched.thread.is_alive():
                watched = self._watched[key] = _Watched(root, connection.filename)
                watched.thread.start()
        return watched.asked(connection.data_version(), repository.indexed_at, wait_s)

    def close(self) -> None:
        """Ends the threads; waits for them for a second at most."""
        with self._lock:
            ended = list(self._watched.values())
            self._watched.clear()
        for watched in ended:
            watched.thread.stop()
        for watched in ended:
            watched.thread.join(1.0)
        atexit.unregister(self.close)


class _Watched:
    """One tree: a thread that keeps the count right."""

    def __init__(self, root: Path, replica: str) -> None:
        self.thread = Supervised(self._watch, f"localfirst-watch {root.name}", on_failure=self._forget)
        self._stopping = self.thread.stopping
        self._root = root
        self._replica = replica
        self._counted = threading.Event()
        self._count: tuple[str | None, int | None] = (None, None)
        """Which run was the last to have ended when the tree was compared, by its `indexed_at`, and how many files differed."""
        self._store_version: int | None = None
        self._counted_version: int | None = None
        self._last_asked = time.monotonic()
        # Files whose time says nothing, and whose content was compared: path -> (size, mtime_ns, inode), equal to this hash.
        self._compared: dict[str, tuple[tuple[int, int, int], bytes]] = {}

    def asked(self, store_version: int, indexed_at: str | None, wait_s: float) -> int | None:
        """The count since the run that ended then. `store_version`: the replica's file changed, perhaps the index in it."""
        self._last_asked = time.monotonic()
        self._store_version = store_version
        if wait_s > 0:
            self._counted.wait(wait_s)
        since, count = self._count
        return count if since == indexed_at else None

    def _watch(self) -> None:
        """Counts, then counts again whenever the tree or the store has changed."""
        connection = apsw.Connection(self._replica, flags=apsw.SQLITE_OPEN_READONLY)
        try:
            defend(connection)
            connection.set_busy_timeout(2_000)
            found = self._scanned()
            self._recount(connection, found)
            tree_changed = True  # perhaps between that scan and the first event that is heard of
            for changed in self._events():
                if self._stopping.is_set() or time.monotonic() - self._last_asked > _IDLE_S:
                    return
                tree_changed = tree_changed or changed
                if tree_changed:
                    found, tree_changed = self._scanned(), False
                    self._recount(connection, found)
                elif self._store_version != self._counted_version:
                    self._recount(connection, found)
        finally:
            self._counted.set()
            connection.close()

    def _forget(self, _: str) -> None:
        self._count = (None, None)

    def _scanned(self) -> list[FoundFile] | None:
        """The tree's files; None when the tree is gone."""
        try:
            return scan(self._root, self._stopping.is_set).files
        except (OSError, ScanStoppedError):
            return None

    def _recount(self, connection: apsw.Connection, found: list[FoundFile] | None) -> None:
        self._counted_version = self._store_version
        repository = repositories.find(connection, self._root)
        if found is None or repository is None:
            self._count = (None, None)
        else:
            different = differences(connection, self._root, repository.repository_id, found)
            touched = self._touched(connection, repository.repository_id, different, found)
            count = len(different.new) + len(different.changed) + len(different.deleted) + touched
            self._count = (repository.indexed_at, count)
        self._counted.set()

    def _touched(self, connection: apsw.Connection, repository: int, different: Differences, found: list[FoundFile]) -> int:
        """How many of the files of which stat cannot tell have another content than in the store."""
        if not different.suspect:
            return 0
        suspect = {os.fsdecode(as_bytes(path)): path for path in different.suspect}
        count = 0
        compared = {}
        for file in found:
            path = suspect.get(file.path)
            if path is None:
                continue
            row = connection.execute(_HASH_OF, (repository, path)).fetchone()
            if row is None:
                continue  # left out by its content, and of the same size as then
            looks = (file.size, file.mtime_ns, file.inode)
            known = self._compared.get(path)
            if known is None or known[0] != looks:
                try:
                    known = (looks, content_hash(file_of_checkout(self._root, Path(file.path)).read(MAX_BYTES)))
                except OSError:
                    continue  # gone or unreadable meanwhile: the next event tells
            compared[path] = known
            count += known[1] != row[0]
        self._compared = compared
        return count

    def _events(self) -> Iterator[bool]:
        """Whether the tree changed, several times a second."""
        from watchfiles import watch

        try:
            for changes in watch(
                self._root,
                watch_filter=None,
                debounce=_TICK_MS,
                step=_SETTLE_MS,
                rust_timeout=_TICK_MS,
                yield_on_timeout=True,
                stop_event=self._stopping,
                raise_interrupt=False,
                ignore_permission_denied=True,
            ):
                yield any(self._matters(path) for _, path in changes)
            return
        except (OSError, RuntimeError) as error:
            _log.info("%s cannot be watched (%s): scanning it every %s s", self._root, error, RESCAN_S)
        scanned = time.monotonic()
        while not self._stopping.wait(_TICK_MS / 1000):
            is_due = time.monotonic() - scanned >= RESCAN_S and self._last_asked >= scanned
            if is_due:
                scanned = time.monotonic()
            yield is_due

    def _matters(self, path: str) -> bool:
        """Whether an event can change the index: what programs keep for themselves cannot."""
        return _NEVER_MATTERS.isdisjoint(os.path.relpath(path, self._root).split("/"))
