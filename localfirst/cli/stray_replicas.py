"""Replicas that hold something and that no repository or directory opens any more. They are read, never written.

What was taken into another replica is there, and is not reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import apsw
from localfirst_schema.entities import CONFIGURATION, ENTITIES
from localfirst_schema.errors import LocalfirstError

from localfirst.cli import wording
from localfirst.cli.finding import Finding
from localfirst.git.mark import read_mark
from localfirst.replica.connection import sqlite_errors
from localfirst.replica.defences import defend
from localfirst.settings import Settings
from localfirst.settings.projects import TABLE, Projects
from localfirst.settings.registry import Registry
from localfirst.settings.replicas_folder import folder

BUSY_TIMEOUT_MS = 250

NAMED = 20
"""So many are named one by one."""

_ROWS = " + ".join(
    f"(SELECT count(*) FROM {entity.table} WHERE deleted_at IS NULL)" for entity in ENTITIES if entity is not CONFIGURATION
)
_HELD = f"SELECT project_name, {_ROWS}, (SELECT count(*) FROM outbox) FROM replica"


class Held(NamedTuple):
    """What a replica's file holds."""

    project: str | None
    rows: int
    unsent: int


def findings(loaded: Settings) -> Iterator[Finding]:
    """One finding for each of them."""
    projects = Projects(Registry(TABLE).read())
    about_to_be_taken_in = () if loaded.placing is None else loaded.placing.found.takes_in
    reported = 0
    for path in sorted(folder().glob("*.sqlite3")):
        if _is_own(path, loaded.replica) or projects.now(path.name) != path.name or _is_opened(path.name, projects):
            continue
        if path.name in about_to_be_taken_in:
            continue
        if (finding := _of(path, projects)) is not None:
            reported += 1
            if reported <= NAMED:
                yield finding
    if reported > NAMED:
        yield Finding("replicas", "warning", f"{reported - NAMED} more that no repository opens are in {folder()}")


def _is_own(path: Path, replica: Path) -> bool:
    try:
        return path.samefile(replica)
    except OSError:
        return False


def _is_opened(name: str, projects: Projects) -> bool:
    """Whether a repository or a directory that is there leads to this file."""
    for git in projects.holders(name):
        known = projects.repository(read_mark(Path(git))) if Path(git).is_dir() else None
        if known is not None and known.replica == name:
            return True
    return (root := projects.root_of(name)) is not None and root.is_dir()


def note_import(path: Path) -> None:
    """Somebody has taken this file into a project: it is reported again when more has come into it."""
    if path.parent == folder():
        held = held_by(path)
        with Registry(TABLE).changing() as content:
            Projects(content).put_imported(path.name, [held.rows, held.unsent])


def _of(path: Path, projects: Projects) -> Finding | None:
    try:
        held = held_by(path)
    except LocalfirstError as error:
        return Finding("replicas", "warning", f"{path} is opened by no repository, and cannot be read: {error.message}")
    if not (held.rows or held.unsent) or projects.imported(path.name) == [held.rows, held.unsent]:
        return None
    holders = projects.holders(path.name)
    whose = "without a name" if held.project is None else f"of the project {held.project}"
    unsent = f"{wording.count(held.unsent, 'change')} that {'was' if held.unsent == 1 else 'were'} never sent"
    last = f" (its own was last at {', '.join(holders)})" if holders else ""
    return Finding(
        "replicas",
        "warning",
        f"{path} ({whose}) has {wording.count(held.rows, 'row')} and {unsent}, and no repository opens it{last};"
        f" `localfirst import {path}` takes them into the project in which it is run",
    )


def held_by(path: Path) -> Held:
    """What the file holds. Raises UnavailableError or ReplicaUnreadableError."""
    with sqlite_errors():
        connection = apsw.Connection(f"file:{quote(str(path))}?mode=ro", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        try:
            defend(connection)
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            row = connection.execute(_HELD).fetchone()
        finally:
            connection.close()
    return Held(None, 0, 0) if row is None else Held(*row)
