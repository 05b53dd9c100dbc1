"""Texts by content: one row however many places name it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import apsw

from localfirst.code_index.store import models, vectors

_FIND = "SELECT chunk_id FROM code_chunks WHERE chunk_hash = ?"
_LAST_ID = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'code_chunks'), 0)"
_INSERT = "INSERT INTO code_chunks (chunk_id, chunk_hash, text) VALUES (?, ?, ?)"
_QUEUE = "INSERT INTO code_unembedded (model_id, chunk_id) VALUES (?, ?)"
_RELEASE = "INSERT OR IGNORE INTO code_released (chunk_id) VALUES (?)"
_RELEASED = """
    SELECT chunk_id, EXISTS (SELECT 1 FROM code_places AS p WHERE p.chunk_id = r.chunk_id)
    FROM (SELECT chunk_id FROM code_released ORDER BY chunk_id LIMIT ?) AS r
"""


def ids_of(connection: apsw.Connection, texts: Mapping[bytes, bytes]) -> dict[bytes, int]:
    """The ids of chunks given as hash → packed text; new ones are written, and queued for embedding."""
    found: dict[bytes, int] = {}
    new: list[tuple[int, bytes, bytes]] = []
    next_id = 1 + int(connection.execute(_LAST_ID).get)
    for chunk_hash, text in texts.items():
        known = connection.execute(_FIND, (chunk_hash,)).get
        if known is None:
            new.append((next_id, chunk_hash, text))
            known = next_id
            next_id += 1
        found[chunk_hash] = known
    if new:
        connection.executemany(_INSERT, new)
        for model in models.kept(connection):
            connection.executemany(_QUEUE, [(model.model_id, chunk_id) for chunk_id, _, _ in new])
    return found


def release(connection: apsw.Connection, chunk_ids: Iterable[int]) -> None:
    """Notes that these chunks have lost a place; `sweep` looks whether they have another."""
    connection.executemany(_RELEASE, [(chunk_id,) for chunk_id in chunk_ids])


def any_released(connection: apsw.Connection) -> bool:
    """Whether there is anything to sweep."""
    return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM code_released)").get)


def sweep(connection: apsw.Connection, limit: int) -> int:
    """Deletes up to `limit` released chunks that no place names, with their vectors; returns how many were looked at."""
    released: list[tuple[int, int]] = list(connection.execute(_RELEASED, (limit,)))
    without_place = [chunk_id for chunk_id, has_place in released if not has_place]
    for model in models.kept(connection) if without_place else ():
        vectors.delete(connection, model, without_place)
    connection.executemany("DELETE FROM code_chunks WHERE chunk_id = ?", [(chunk_id,) for chunk_id in without_place])
    connection.executemany("DELETE FROM code_released WHERE chunk_id = ?", [(chunk_id,) for chunk_id, _ in released])
    return len(released)
