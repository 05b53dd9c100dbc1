"""The files of a job: the list that is taken at its start, what is left of it, and what was skipped.

The list is written in several short transactions and counts only when all of it is there (`is_listed`): a job that is
killed before takes a new one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import apsw
from localfirst_schema import timestamps

from localfirst.code_index.jobs.phase import BEGINS_AT, Phase
from localfirst.code_index.skipped import Skipped, SkipRule
from localfirst.replica.connection import immediate, sqlite_errors

BATCH = 2000
"""Paths per transaction: some 5 ms."""

_INSERT_PATHS = "INSERT OR IGNORE INTO index_job_files (job_id, path) SELECT ?, value FROM json_each(?)"
_INSERT_SKIPPED = "INSERT OR REPLACE INTO index_job_skipped (job_id, path, rule, detail) VALUES (?, ?, ?, ?)"
_COUNT = "SELECT count(*) FROM index_job_files WHERE job_id = ?"
_LISTED = """
    UPDATE index_jobs SET is_listed = 1, phase = ?, progress_percentage = max(progress_percentage, ?), renewed_at = ?,
        files_total = ?, files_scanned = ?, files_unchanged = ?, files_skipped = ?, fruitless_starts = 0
    WHERE job_id = ? AND status = 'running'
"""


def take(
    connection: apsw.Connection, job_id: str, paths: Sequence[str], scanned: int, unchanged: int, skipped: Sequence[Skipped]
) -> None:
    """Writes the list, in place of one that is not whole."""
    with immediate(connection):
        connection.execute("DELETE FROM index_job_files WHERE job_id = ?", (job_id,))
        connection.execute("DELETE FROM index_job_skipped WHERE job_id = ?", (job_id,))
    for start in range(0, len(paths), BATCH):
        with immediate(connection):
            connection.execute(_INSERT_PATHS, (job_id, json.dumps(paths[start : start + BATCH])))
    for start in range(0, len(skipped), BATCH):
        with immediate(connection):
            add_skipped(connection, job_id, skipped[start : start + BATCH])
    with immediate(connection):
        connection.execute(
            _LISTED,
            (
                Phase.CHUNKING,
                BEGINS_AT[Phase.CHUNKING],
                timestamps.now(),
                connection.execute(_COUNT, (job_id,)).get,
                scanned,
                unchanged,
                len(skipped),
                job_id,
            ),
        )
        if not connection.changes():  # it was cancelled meanwhile, and its list with it
            connection.execute("DELETE FROM index_job_files WHERE job_id = ?", (job_id,))


def left(connection: apsw.Connection, job_id: str) -> set[str]:
    """The paths that are still to be done."""
    with sqlite_errors():
        return {path for (path,) in connection.execute("SELECT path FROM index_job_files WHERE job_id = ?", (job_id,))}


def strike(connection: apsw.Connection, job_id: str, paths: Iterable[str]) -> int:
    """Takes paths off the list, inside a transaction of the caller's; returns how many stood there."""
    connection.execute(
        "DELETE FROM index_job_files WHERE job_id = ? AND path IN (SELECT value FROM json_each(?))",
        (job_id, json.dumps(list(paths))),
    )
    return connection.changes()


def add_skipped(connection: apsw.Connection, job_id: str, skipped: Iterable[Skipped]) -> None:
    """Notes files that were left out, inside a transaction of the caller's."""
    connection.executemany(_INSERT_SKIPPED, ((job_id, one.path, one.rule.value, one.detail) for one in skipped))


def skipped_by_rule(connection: apsw.Connection, job_id: str) -> dict[str, int]:
    """How many files each rule left out."""
    with sqlite_errors():
        return dict(
            connection.execute(
                "SELECT rule, count(*) FROM index_job_skipped WHERE job_id = ? GROUP BY rule ORDER BY count(*) DESC, rule",
                (job_id,),
            )
        )


def skipped_files(connection: apsw.Connection, job_id: str, rules: Sequence[str], limit: int) -> list[Skipped]:
    """The first files that these rules left out, by path."""

    sql = """
        SELECT path, rule, detail FROM index_job_skipped
        WHERE job_id = ? AND rule IN (SELECT value FROM json_each(?)) ORDER BY path LIMIT ?
    """
    with sqlite_errors():
        found: list[Any] = connection.execute(sql, (job_id, json.dumps(list(rules)), limit)).fetchall()
    return [Skipped(path, SkipRule(rule), detail) for path, rule, detail in found]
