"""How much of what should be searchable is: files that are in, and chunks that can be found by their meaning too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import apsw

from localfirst.code_index.skipped import TROUBLES

_RULES = ", ".join(f"'{rule.value}'" for rule in TROUBLES)
_REPOSITORIES = "SELECT repository_id, root, indexed_at IS NOT NULL FROM code_repositories"
_JOB = """
    SELECT job_id, status, files_total, is_listed, (SELECT count(*) FROM index_job_files AS f WHERE f.job_id = j.job_id)
    FROM index_jobs AS j WHERE root = ? ORDER BY created_at DESC LIMIT 1
"""
_FILES = "SELECT count(*) FROM code_files WHERE repository_id = ?"
_TROUBLED_OF_JOB = f"SELECT count(*) FROM index_job_skipped WHERE job_id = ? AND rule IN ({_RULES})"
_TROUBLED = f"SELECT count(*) FROM code_left_out WHERE repository_id = ? AND rule IN ({_RULES})"
_MODEL = "SELECT model_id FROM code_models WHERE active = 1"
_WAITING = "SELECT count(*) FROM code_unembedded WHERE model_id = ?"
_CHUNKS = "SELECT coalesce(max(chunk_id), 0) FROM code_chunks"
_WAITING_OF = """
    SELECT count(DISTINCT u.chunk_id) FROM code_unembedded AS u CROSS JOIN code_places AS p USING (chunk_id)
    JOIN code_files AS f USING (file_id) WHERE u.model_id = ? AND f.repository_id IN ({places})
"""
_PLACES_OF = """
    SELECT count(*) FROM code_files AS f CROSS JOIN code_places AS p USING (file_id) WHERE f.repository_id IN ({places})
"""


def coverage(connection: apsw.Connection, meant: Sequence[int] | None) -> float:
    """The share of the index that is there, 0 to 1, of some repositories or of all; 1.0 only when nothing is missing.

    Half of it are the files of the list that the last run took, those among them that could not be read or cut left out; half
    the vectors of the chunks that are in.
    """
    repositories = _meant(connection, meant)
    if not repositories:
        return 0.0
    files = [_files(connection, *row) for row in repositories]
    share = (sum(files) / len(files) + _vectors(connection, meant)) / 2
    return 1.0 if share >= 1 else math.floor(min(share, 0.999) * 1000) / 1000


def troubled(connection: apsw.Connection, meant: Sequence[int] | None) -> int:
    """How many files should be in the index of these repositories, or of all, and could not be read or cut."""
    return sum(_troubled(connection, one, root) for one, root, _ in _meant(connection, meant))


def _meant(connection: apsw.Connection, meant: Sequence[int] | None) -> list[tuple[int, str, int]]:
    rows: list[Any] = connection.execute(_REPOSITORIES).fetchall()
    return [tuple(row) for row in rows if meant is None or row[0] in meant]


def _troubled(connection: apsw.Connection, repository_id: int, root: str) -> int:
    """By the last run's account, which names folders too; where that is forgotten by now, by the files that were left out."""
    job = connection.execute(_JOB, (root,)).fetchone()
    if job is not None and job[3]:
        return int(connection.execute(_TROUBLED_OF_JOB, (job[0],)).get)
    return int(connection.execute(_TROUBLED, (repository_id,)).get)


def _files(connection: apsw.Connection, repository_id: int, root: str, was_indexed: int) -> float:
    done = _done(connection, repository_id, root, was_indexed)
    missing = _troubled(connection, repository_id, root)
    if not missing:
        return done
    present = int(connection.execute(_FILES, (repository_id,)).get)
    return done * present / (present + missing)


def _done(connection: apsw.Connection, repository_id: int, root: str, was_indexed: int) -> float:
    jobs: list[tuple[str, str, int | None, int, int]] = connection.execute(_JOB, (root,)).fetchall()  # type: ignore[assignment]  # its columns
    if not jobs or jobs[0][1] == "completed":
        return 1.0 if was_indexed else 0.5
    _, _, total, is_listed, left = jobs[0]
    present = int(connection.execute(_FILES, (repository_id,)).get)
    if not is_listed or total is None:  # nobody knows yet what there is to do
        return 0.999 if was_indexed else 0.0
    if not left:
        return 1.0
    return present / (present + left) if not was_indexed else max(0.0, 1 - left / max(present, left))


def _vectors(connection: apsw.Connection, meant: Sequence[int] | None) -> float:
    model_id = connection.execute(_MODEL).get
    if model_id is None:
        return 0.0
    waiting = int(connection.execute(_WAITING, (model_id,)).get)
    if not waiting:
        return 1.0
    if meant is not None:
        places = ", ".join("?" * len(meant))
        waiting = int(connection.execute(_WAITING_OF.format(places=places), (model_id, *meant)).get)
        total = int(connection.execute(_PLACES_OF.format(places=places), tuple(meant)).get)
    else:
        total = int(connection.execute(_CHUNKS).get)
    return 1 - min(waiting / max(total, 1), 1.0)
