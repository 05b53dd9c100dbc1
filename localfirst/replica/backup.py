"""Copies of the replica: made while everybody works, and put back when nobody does.

A copy holds everything, unsent changes and the code index too. Putting one back sets the present file aside and never deletes
it. The copy comes with the old replica's id; the server tells that from the numbers it has seen, and the replica takes a new id
(docs/decisions.md, "Identity"), so a change that was sent since is neither sent twice nor lost: the next round brings it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import apsw
import msgspec
from localfirst_schema import timestamps
from localfirst_schema.errors import InvalidStateError, NotFoundError, UnavailableError, ValidationError
from localfirst_schema.project_key import is_one_project

from localfirst.disk import create_folder, flush_file, flush_folder, in_words
from localfirst.replica.connection import BUSY_TIMEOUT_MS, ReplicaUnreadableError, connect, sqlite_errors
from localfirst.replica.connection import in_words as words_of
from localfirst.replica.defences import reading_foreign
from localfirst.replica.migrate import LATEST
from localfirst.replica.odd_rows import odd_rows, unreadable_rows
from localfirst.replica.place import changing_place
from localfirst.replica.planted import planted

PAGES_PER_STEP = 2_000
"""Copied at a time: 8 MB, some 10 ms; writers get their turn in between."""

EXCLUSIVE_TIMEOUT_MS = 2_000
"""How long a restore waits for other programs to close the replica."""

OBJECTS_NAMED = ODD_NAMED = 20

_WORK_ITEMS = "SELECT count(*) FROM work_items WHERE deleted_at IS NULL"
_UNSENT = "SELECT count(*) FROM outbox"
_CONFLICTS = "SELECT count(*) FROM conflicts WHERE resolved_at IS NULL"


class Copy(msgspec.Struct, frozen=True):
    """What a copy holds."""

    path: str
    size: int
    """Bytes."""

    project: str | None
    project_id: str
    work_items: int
    unsent_changes: int
    open_conflicts: int
    odd_rows: list[str]
    """Rows that no tool would have written, as SQL can (a time after the year 9999), in words; the first of them."""


class Restored(msgspec.Struct, frozen=True):
    """What a restore did."""

    copy: Copy
    replica: str
    set_aside: str | None
    """Where the file is that stood there before."""


def back_up(replica: apsw.Connection, target: Path) -> Copy:
    """Writes a checked copy to `target`, which must not exist. Nobody's work is interrupted.

    Raises ValidationError where something stands there already, UnavailableError where it cannot be written.
    """
    if _exists(target):
        raise ValidationError("file", "must not exist", f"{target} is there already; choose another file.")
    if not target.parent.is_dir():
        raise ValidationError(
            "file",
            "must be in a folder that exists",
            f"the folder {target.parent} does not exist: make it first, or choose another file.",
        )
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        try:
            _copy(replica, unfinished)
            with _opened(unfinished, target) as connection:
                _require_sound(connection, target)
                copy = _content(connection, unfinished)
            os.link(unfinished, target)  # unlike a rename it never takes the place of a file that came meanwhile
        finally:
            unfinished.unlink(missing_ok=True)
        flush_folder(target.parent)
    except OSError as error:
        raise UnavailableError(f"{target} cannot be written: {in_words(error)}; choose another file.", cause="file") from None
    return msgspec.structs.replace(copy, path=str(target))


def _exists(path: Path) -> bool:
    """Raises ValidationError for what can be no file's path."""
    try:
        return path.exists()
    except OSError as error:
        raise ValidationError(
            "file", "must be a path that the system can follow", f"{path} cannot be used: {in_words(error)}."
        ) from None


@contextmanager
def _opened(path: Path, named: Path) -> Iterator[apsw.Connection]:
    """A connection that looks at a copy; in errors the copy is `named`. Raises ValidationError for what is no replica."""
    try:
        with reading_foreign(path) as connection:
            yield connection
    except apsw.InterruptError:
        words = f"{named} takes too long to be read; take another copy. Nothing was changed."
        raise ValidationError("file", "must be readable in a reasonable time", words) from None
    except (apsw.Error, UnicodeError, MemoryError):
        words = f"{named} is not a copy of a localfirst replica. Nothing was changed."
        raise ValidationError("file", "must be a replica", words) from None


def _require_trusted(connection: apsw.Connection, named: Path) -> None:
    """Raises ValidationError for a file of another shape than localfirst's, or with rows that cannot be read."""
    version = connection.pragma("user_version")
    if version > LATEST:
        raise ValidationError(
            "file", "must not be newer than this program", f"{named} was written by a newer localfirst; upgrade it first."
        )
    if version < 1 or connection.pragma("application_id") != 0 or connection.pragma("encoding") != "UTF-8":
        raise apsw.NotADBError
    if strange := planted(connection, version):
        raise ValidationError(
            "file",
            "must have the tables that localfirst makes and nothing else",
            f"{named} cannot be trusted: {strange[0].words}. Nothing was changed.",
            objects=[one.name for one in strange[:OBJECTS_NAMED]],
        )
    _require_sound(connection, named)
    if (row := next(unreadable_rows(connection), None)) is not None:
        words = f"{named} holds what localfirst would not have written: {row} cannot be read. Nothing was changed."
        raise ValidationError("file", "must be sound", words)


def _require_sound(connection: apsw.Connection, named: Path) -> None:
    if connection.execute("PRAGMA integrity_check(1)").get != "ok":
        raise ValidationError("file", "must be sound", f"{named} is damaged; take an older copy. Nothing was changed.")


def _content(connection: apsw.Connection, path: Path) -> Copy:
    found = connection.execute("SELECT project_name, project_id FROM replica").fetchone()
    if found is None:
        raise apsw.NotADBError
    name, project_id = found
    items, unsent, conflicts = (connection.execute(query).get for query in (_WORK_ITEMS, _UNSENT, _CONFLICTS))
    odd = list(islice(odd_rows(connection), ODD_NAMED))
    return Copy(str(path), path.stat().st_size, name, project_id, items, unsent, conflicts, odd)


def _require_file(path: Path) -> None:
    """Raises NotFoundError, ValidationError for what is no regular file: a pipe or a device might never end."""
    if not _exists(path):
        raise NotFoundError(f"there is no file {path}; `localfirst backup` says where it wrote its copy.")
    if not path.is_file():
        raise ValidationError("file", "must be a regular file", f"{path} is no regular file. Nothing was changed.")


def examined_copy(source: Path, target: Path) -> Copy:
    """Copies a file that somebody has given us to `target`, and says what it holds; it may be in use meanwhile.

    Raises NotFoundError, UnavailableError, and ValidationError for what is no sound replica: then nothing of it is to be read.
    """
    _require_file(source)
    try:
        _take(source, target)
        with _opened(target, source) as connection:
            _require_trusted(connection, source)
            return _content(connection, target)
    except OSError as error:
        raise UnavailableError(f"{source} cannot be copied: {in_words(error)}.", cause="file") from None


def restore(source: Path, replica: Path, *, project: str | None, even_if_unsent: bool) -> Restored:
    """Puts a copy in the place of the replica, which is renamed to ``NAME.before-restore-TIME``.

    Raises InvalidStateError for a copy of another project, or where the present replica holds changes that were not sent
    (unless `even_if_unsent`: they stay in the file that is set aside), UnavailableError while another program has it open.
    """
    if _exists(source) and replica.exists() and source.samefile(replica):
        raise ValidationError(
            "file", "must be a copy", f"{source} is the replica itself and no copy of it. Nothing was changed."
        )
    _require_file(source)
    create_folder(replica.parent)
    incoming = replica.with_name(f".{replica.name}.{os.getpid()}.part")
    try:
        with changing_place(replica):
            # The copy is judged, not the file that somebody may change meanwhile.
            _take(source, incoming)
            with _opened(incoming, source) as connection:
                _require_trusted(connection, source)
                copy = _content(connection, incoming)
            _refuse_other_project(source, copy, project)
            aside = _set_aside(replica, copy, even_if_unsent=even_if_unsent) if replica.exists() else None
            incoming.replace(replica)
            flush_folder(replica.parent)
    except OSError as error:
        raise UnavailableError(f"the replica at {replica} cannot be replaced: {in_words(error)}.", cause="file") from None
    finally:
        incoming.unlink(missing_ok=True)
    return Restored(copy, str(replica), str(aside) if aside else None)


def _take(source: Path, incoming: Path) -> None:
    """Copies a file that somebody has given us. Raises ValidationError for one that cannot be read as a database."""
    try:
        with reading_foreign(source) as original:
            _copy(original, incoming)
    except (ReplicaUnreadableError, apsw.NotADBError, apsw.CorruptError, apsw.SQLError, apsw.TooBigError):
        raise ValidationError(
            "file", "must be a replica", f"{source} is not a copy of a localfirst replica. Nothing was changed."
        ) from None
    except (apsw.CantOpenError, apsw.PermissionsError):
        raise UnavailableError(f"{source} cannot be opened; check its permissions.", cause="file") from None
    except apsw.Error as error:
        raise words_of(error) from None


def _refuse_other_project(source: Path, copy: Copy, project: str | None) -> None:
    if project is not None and copy.project is not None and not is_one_project(copy.project, project):
        raise InvalidStateError(
            f"{source} is a copy of the project {copy.project!r}, and this is {project!r}. Nothing was changed.",
            project=copy.project,
        )


def _copy(source: apsw.Connection, target: Path) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = apsw.Connection(str(target))
    try:
        with sqlite_errors():
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            with connection.backup("main", source, "main") as backup:
                while not backup.done:
                    backup.step(PAGES_PER_STEP)
            # In a file of its own, without -wal beside it: a copy is one file.
            connection.pragma("journal_mode", "delete")
    finally:
        connection.close()
    flush_file(target)


def _set_aside(replica: Path, copy: Copy, *, even_if_unsent: bool) -> Path:
    """Gives the present file a second name, after making sure that nobody writes to it any more."""
    present = connect(replica, busy_timeout_ms=EXCLUSIVE_TIMEOUT_MS)
    try:
        with sqlite_errors():
            found = present.execute("SELECT project_id FROM replica").fetchone()
            unsent = present.execute(_UNSENT).get if found else 0
        if found and copy.project_id != found[0]:
            raise InvalidStateError(
                f"the copy is of another project ({copy.project or 'without a name'}) than the replica at {replica}."
                " Nothing was changed."
            )
        if unsent and not even_if_unsent:
            raise InvalidStateError(
                f"{unsent} changes in the present replica have not been sent; run `localfirst sync` first, or give"
                " --even-if-unsent (they stay in the file that is set aside). Nothing was changed.",
                unsent_changes=unsent,
            )
        try:
            # SQLite leaves WAL only for a connection that is alone, and what was in it is in the file then.
            if present.pragma("journal_mode", "delete") != "delete":
                raise apsw.BusyError
        except (apsw.BusyError, apsw.LockedError):
            raise UnavailableError(
                "other programs have the replica open (an AI client, `localfirst sync --watch`, an index job); close them and"
                " try again. Nothing was changed.",
                cause="busy",
            ) from None
    finally:
        present.close()
    aside = replica.with_name(f"{replica.name}.before-restore-{timestamps.now().replace(':', '')}")
    os.link(replica, aside)
    return aside
