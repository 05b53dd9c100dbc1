"""A damaged replica is set aside, kept, and rebuilt: a new file takes its place, with all that can be read of the old one.

One process does it, the others wait for it and find the new file. A report in words is left beside it (see `reports`), for the
first answer and for `localfirst doctor`. Nothing is deleted.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw
from localfirst_schema import timestamps
from localfirst_schema.errors import LocalfirstError, UnavailableError

from localfirst.replica.connection import ReplicaUnreadableError
from localfirst.replica.place import changing_place
from localfirst.replica.recovery import damaged as damaged_file
from localfirst.replica.recovery.reports import NO_MARKS, leave_report
from localfirst.replica.recovery.salvage import Salvage, salvage
from localfirst.replica.replica import open_file

logger = logging.getLogger("localfirst.replica")

LOCK_PATIENCE_MS = 5_000


def rebuild(path: Path, project_name: str | None, *, damaged: tuple[int, int] | None) -> str | None:
    """Sets the file at `path` aside and begins a new one, which holds what could be saved.

    Args:
        damaged: device and inode of the file that was found damaged; None: whatever stands at `path`, if it cannot be opened.

    Returns the report, or None where another process has done it. Raises UnavailableError where the place cannot be written.
    """
    try:
        with changing_place(path):
            if not _is_still_damaged(path, project_name, damaged):
                return None
            words = _replace(path, project_name)
    except OSError as error:
        raise UnavailableError(
            f"the replica at {path} is damaged and cannot be rebuilt, since its folder cannot be written ({error.strerror});"
            " set LOCALFIRST_REPLICA to a writable place.",
            cause="replica",
        ) from None
    logger.error("%s", words)
    leave_report(path, words)
    return words


def _replace(path: Path, project_name: str | None) -> str:
    """Makes the new replica aside, whole, before it takes the place of the old one: nobody sees a half of it."""
    with tempfile.TemporaryDirectory(prefix=".rebuild-", dir=path.parent) as folder, _no_writers(path):
        new = Path(folder) / path.name
        saved = _saved(path, new, project_name)
        aside = set_aside(path)
        try:
            os.link(new, path)
        except FileExistsError:  # somebody has begun a new one in this very moment
            saved = _saved(aside, path, project_name)
    return _in_words(aside, saved)


@contextmanager
def _no_writers(path: Path) -> Iterator[None]:
    """Keeps those who have not met the damage from writing meanwhile: afterwards they find that the file was moved.

    A file that is damaged so far that it cannot be locked is one that nobody can write to.
    """
    connection = apsw.Connection(str(path))
    try:
        connection.set_busy_timeout(LOCK_PATIENCE_MS)
        try:
            connection.execute("BEGIN IMMEDIATE")
        except apsw.Error as error:
            logger.info("the damaged replica cannot be locked: %s", type(error).__name__)
        yield
    finally:
        connection.close()


def set_aside(path: Path) -> Path:
    """Renames a broken replica beside itself, with its log files, and returns the new name."""
    aside = path.with_name(f"{path.name}.corrupt-{timestamps.now().translate(NO_MARKS)}")
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").replace(f"{aside}{suffix}")
    return aside


def _is_still_damaged(path: Path, project_name: str | None, damaged: tuple[int, int] | None) -> bool:
    if damaged is not None:
        try:
            found = path.stat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == damaged
    try:
        open_file(path, project_name).close()
    except ReplicaUnreadableError:
        return True
    return False


def _saved(old_path: Path, new_path: Path, project_name: str | None) -> Salvage | None:
    """Saves into the replica at `new_path`; None where nothing could be."""
    replica = open_file(new_path, project_name)
    try:
        with damaged_file.opened(old_path) as old:
            return None if old is None else salvage(old, replica, project_name)
    except (apsw.Error, LocalfirstError, OSError):
        # The new replica stands, and so does the old file: better to go on with the one than to be stopped by the other.
        logger.exception("nothing could be saved from the damaged replica %s", old_path)
        return None
    finally:
        replica.close()


def _in_words(aside: Path, saved: Salvage | None) -> str:
    words = f"The replica was damaged. It was renamed to {aside.name}, kept, and a new one begun"
    if saved is None:
        return f"{words}; nothing in it could be read."
    if saved.others:
        return f"{words}; it was another project's, so nothing was taken from it."
    parts = [f"{saved.rows} rows", f"{saved.changes} lines of history"]
    words += f", with {' and '.join(parts)} saved from it"
    if saved.waiting:
        words += f", {_changes(saved.waiting)} among them that the server had not answered yet"
    words += "."
    if saved.waiting_lost:
        words += f" {_changes(saved.waiting_lost)} on the way to the server could not be read any more."
    if saved.gaps:
        places = "One place" if saved.gaps == 1 else f"{saved.gaps} places"
        words += f" {places} could not be read (in {', '.join(saved.tables)})."
    return words


def _changes(number: int) -> str:
    return "1 change" if number == 1 else f"{number} changes"
