"""Whether a replica's file is sound, private and in a good place. It is read, never written or created."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import apsw
from localfirst_schema.errors import LocalfirstError

from localfirst.cli import wording
from localfirst.cli.finding import Finding
from localfirst.replica import fulltext
from localfirst.replica.connection import sqlite_errors
from localfirst.replica.defences import defend
from localfirst.replica.migrate import LATEST
from localfirst.replica.planted import planted
from localfirst.replica.recovery.reports import reports

CLOUD_FOLDERS = {
    "dropbox": "Dropbox",
    "onedrive": "OneDrive",
    "google drive": "Google Drive",
    "googledrive": "Google Drive",
    "my drive": "Google Drive",
    "mobile documents": "iCloud Drive",
    "icloud drive": "iCloud Drive",
    "iclouddrive": "iCloud Drive",
    "cloudstorage": "a cloud drive",
}
"""Names of folders that a cloud service synchronises, as they begin, in lower case."""

BUSY_TIMEOUT_MS = 2_000

NAMED = 5
"""So many foreign objects are named."""

_UNFINISHED = "SELECT (SELECT coalesce(table_name, 'nothing') FROM bootstrap), text_from FROM replica"


def findings(path: Path) -> Iterator[Finding]:
    """What there is to say of the file at `path`."""
    if not path.exists():
        yield Finding("replica", "warning", f"there is none at {path} yet; `localfirst init` creates it")
    elif not path.is_file():
        yield Finding("replica", "broken", f"{path} is no regular file; set LOCALFIRST_REPLICA to another place")
    else:
        yield from _content(path)
        yield from _privacy(path)
    if (service := cloud_service(path)) is not None:
        words = f"{path.parent} is in {service}, which may damage it; set LOCALFIRST_REPLICA to a place outside"
        yield Finding("replica", "warning", words)
    if aside := sorted(path.parent.glob(f"{path.name}.corrupt-*")):
        kept = [one for one in aside if not one.name.endswith(("-wal", "-shm"))]
        yield Finding("replica", "warning", f"{len(kept)} damaged before and kept: {', '.join(str(one) for one in kept)}")
    for report in reports(path):
        yield Finding("replica", "warning", report.read_text(encoding="utf-8", errors="replace").strip())


def cloud_service(path: Path) -> str | None:
    """The cloud service whose folder the path lies in, as far as the names of the folders say so."""
    for part in path.parts[:-1]:
        for beginning, service in CLOUD_FOLDERS.items():
            if part.lower().startswith(beginning):
                return service
    return None


def _content(path: Path) -> Iterator[Finding]:
    try:
        with sqlite_errors():
            connection = apsw.Connection(
                f"file:{quote(str(path))}?mode=ro", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
            )
            try:
                defend(connection)
                connection.set_busy_timeout(BUSY_TIMEOUT_MS)
                yield from _database(path, connection)
            finally:
                connection.close()
    except LocalfirstError as error:
        yield Finding("replica", "broken", f"{path}: {error.message}")


def _database(path: Path, connection: apsw.Connection) -> Iterator[Finding]:
    problems = [str(line) for (line,) in connection.execute("PRAGMA quick_check (3)") if line != "ok"]
    if problems:
        words = f"{path} is damaged ({'; '.join(problems)}); it is set aside and begun anew at the next start"
        yield Finding("replica", "broken", words)
        return
    version = connection.pragma("user_version")
    if version > LATEST:
        yield Finding("replica", "broken", f"{path} was written by a newer localfirst (schema {version}); upgrade this one")
        return
    if strange := planted(connection, version):
        words = "; ".join(one.words for one in strange[:NAMED])
        more = f" and {len(strange) - NAMED} more" if len(strange) > NAMED else ""
        level: Literal["broken", "warning"] = "broken" if any(one.type in ("trigger", "view") for one in strange) else "warning"
        yield Finding("replica", level, f"{path} was changed by another program: {words}{more}")
        if level == "broken":
            return
    if version < LATEST:
        yield Finding("replica", "warning", f"{path} has schema {version}; the next start brings it to {LATEST}")
        return
    items = connection.execute("SELECT count(*) FROM work_items").get
    size = path.stat().st_size / 1e6
    yield Finding("replica", "ok", f"{path} is sound (schema {version}, {wording.count(items, 'work item')}, {size:.1f} MB)")
    staged, text_from = connection.execute(_UNFINISHED).fetchall()[0]
    if staged is not None:
        yield Finding("replica", "warning", f"its first fill is under way ({staged} so far); the next sync goes on with it")
    if text_from is not None:
        left = items - text_from + 1
        yield Finding("search", "warning", f"the words of {left} work items are not indexed yet; search does not find them")
    if not fulltext.is_consistent(connection):
        yield Finding("search", "broken", "the full-text index differs from the work items; search may miss some")


def _privacy(path: Path) -> Iterator[Finding]:
    if os.name != "posix":
        return
    open_to_others = []
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        if file.exists() and file.stat().st_mode & 0o077:
            open_to_others.append(file)
    if open_to_others:
        names = " ".join(str(file) for file in open_to_others)
        yield Finding("replica", "warning", f"others on this machine may read it; run: chmod 600 {names}")
