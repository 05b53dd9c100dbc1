"""How long a job will take: the files of the directory, counted quickly, at the rate of earlier jobs.

The count is a guess within a small budget, since the caller waits for it: git's own index says how many files it tracks;
without it the directory is walked for as long as the budget allows.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import apsw

from localfirst.code_index.store import repositories
from localfirst.code_index.work_tree import work_tree_of
from localfirst.git.place import repository_at
from localfirst.replica.connection import sqlite_errors

COUNT_BUDGET_S = 0.15
START_S = 1.0
"""From the call to the first file: the worker's start and the scan."""

SECONDS_PER_FILE = 0.005
"""Before there are earlier jobs: 15 000 files of 200 lines in 75 seconds on two busy cores."""

SECONDS_PER_KNOWN_FILE = 0.00005
"""A file that is in the index and has not changed costs a look at its entry."""

FEWEST_FILES = 20
"""A job that indexed fewer says nothing about the rate."""

_RATE = """
    SELECT sum(worked_seconds) / sum(files_indexed) FROM (
        SELECT worked_seconds, files_indexed FROM index_jobs
        WHERE status = 'completed' AND files_indexed >= ? AND worked_seconds > 0 ORDER BY ended_at DESC LIMIT 5
    )
"""
_KNOWN = "SELECT count(*) FROM code_files WHERE repository_id = ?"

_NEVER_INDEXED = frozenset({".git", "node_modules", ".venv", "__pycache__"})


def duration_s(connection: apsw.Connection, root: Path, *, force: bool) -> float:
    """Seconds that a job for this directory will take, from the call to its end."""
    with sqlite_errors():
        rate = connection.execute(_RATE, (FEWEST_FILES,)).get or SECONDS_PER_FILE
        known = 0 if force else _known(connection, root)
    files = file_count(root)
    return round(START_S + max(0, files - known) * rate + known * SECONDS_PER_KNOWN_FILE, 1)


def _known(connection: apsw.Connection, root: Path) -> int:
    """How many files are in the index; of a new work tree, those of another one."""
    here = repositories.find(connection, root)
    known = [here] if here is not None else repositories.with_same_paths(connection, work_tree_of(root), str(root))
    return max((int(connection.execute(_KNOWN, (one.repository_id,)).get) for one in known), default=0)


def file_count(root: Path) -> int:
    """About how many files there are."""
    tracked = _tracked_by_git(root)
    return tracked if tracked is not None else _walked(root)


def _tracked_by_git(root: Path) -> int | None:
    """The number of entries that the header of git's index gives: "DIRC", a version, the number, 4 bytes each."""
    repository = repository_at(root)
    try:
        header = repository.own_file("index").read_beginning(12) if repository is not None else b""
    except OSError:
        return None
    if len(header) < 12 or header[:4] != b"DIRC":
        return None
    return int.from_bytes(header[8:12])


def _walked(root: Path) -> int:
    """Counts for as long as the budget lasts; what is then still to be walked is taken to be like the rest."""
    deadline = time.monotonic() + COUNT_BUDGET_S
    files, seen, waiting = 0, 0, [os.fspath(root)]
    while waiting:
        if time.monotonic() > deadline:
            return round(files * (seen + len(waiting)) / max(1, seen))
        directory = waiting.pop()
        seen += 1
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in _NEVER_INDEXED:
                            waiting.append(entry.path)
                    else:
                        files += 1
        except OSError:
            continue  # an estimate does without what cannot be read; the scan names it
    return files
