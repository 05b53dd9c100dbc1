"""What stands beside a replica that is empty: copies and damaged files of one that was there before.

Without a server nothing comes back by itself, so it is said at the beginning of every session until somebody writes.
"""

from __future__ import annotations

from pathlib import Path

import apsw

from localfirst.replica.recovery.reports import reports

_IS_UNTOUCHED = "SELECT NOT EXISTS (SELECT 1 FROM history) AND NOT EXISTS (SELECT 1 FROM work_items)"
_COPIES = (".backup-", ".before-restore-")
_DAMAGED = ".corrupt-"
_PARTS = ("-wal", "-shm", "-journal")


def words_of_loss(connection: apsw.Connection, path: Path) -> str | None:
    """What a user should know of an earlier replica at `path`; None where this one holds anything, or there was none."""
    if not connection.execute(_IS_UNTOUCHED).get:
        return None
    beside = sorted((one for one in path.parent.glob(f"{path.name}.*") if not one.name.endswith(_PARTS)), key=_age)
    copies = [one for one in beside if one.name.startswith(tuple(f"{path.name}{kind}" for kind in _COPIES))]
    damaged = [one for one in beside if one.name.startswith(f"{path.name}{_DAMAGED}")]
    if not copies and not damaged:
        return None
    said = ["This project's replica is empty, but there was one before."]
    if copies:
        said.append(f"`localfirst restore {copies[-1]}` puts the latest copy back.")
    if damaged:
        said.append(f"A damaged one is kept as {damaged[-1]}.")
        if logged := reports(path):
            said.append(f"{logged[-1]} tells what could be saved of it.")
    return " ".join(said)


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
