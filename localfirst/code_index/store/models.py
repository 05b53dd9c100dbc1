"""The embedding models that vectors are kept of.

    coming ──(every chunk has its vector)──► active ──(another one is complete)──► retired ──► dropped

The first model is active at once: a search with a part of the vectors, which says so, is better than none.
"""

from __future__ import annotations

import apsw

from localfirst.code_index.store import vectors
from localfirst.code_index.store.model import Model

ACTIVE, COMING, RETIRED = 1, 0, -1

_COLUMNS = "model_id, model, dimensions, active"
_ADD = """
    INSERT INTO code_models (model, dimensions, active, backlog)
    SELECT ?, ?, NOT EXISTS (SELECT 1 FROM code_models WHERE active = 1), coalesce(max(chunk_id), 0) FROM code_chunks
"""
_QUEUE_BACKLOG = """
    INSERT OR IGNORE INTO code_unembedded (model_id, chunk_id)
    SELECT :model, chunk_id FROM code_chunks WHERE chunk_id > :above AND chunk_id <= :upto
"""
_IS_COMPLETE = """
    SELECT backlog = 0 AND NOT EXISTS (SELECT 1 FROM code_unembedded AS u WHERE u.model_id = m.model_id)
    FROM code_models AS m WHERE model_id = ?
"""
_UNQUEUE = """
    DELETE FROM code_unembedded WHERE model_id = :model AND chunk_id IN (
        SELECT chunk_id FROM code_unembedded WHERE model_id = :model LIMIT :limit
    )
"""


def find(connection: apsw.Connection, model: str) -> Model | None:
    """The model of this identity, if vectors of it are kept."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM code_models WHERE model = ?", (model,)).fetchone()
    return Model(*row) if row else None


def kept(connection: apsw.Connection) -> list[Model]:
    """Those that every chunk has, or will have, a vector of."""
    return [Model(*row) for row in connection.execute(f"SELECT {_COLUMNS} FROM code_models WHERE active >= 0")]


def retired(connection: apsw.Connection) -> Model | None:
    """One that is to be dropped."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM code_models WHERE active = -1 LIMIT 1").fetchone()
    return Model(*row) if row else None


def add(connection: apsw.Connection, model: str, dimensions: int) -> None:
    """Begins with a model: active if there is none. Its chunks are queued by `queue_backlog`."""
    connection.execute(_ADD, (model, dimensions))
    added = find(connection, model)
    assert added is not None
    vectors.create(connection, added)


def keep_only(connection: apsw.Connection, model: Model) -> None:
    """Gives up any other model that was coming."""
    connection.execute("UPDATE code_models SET active = -1 WHERE active = 0 AND model_id <> ?", (model.model_id,))


def queue_backlog(connection: apsw.Connection, model: Model, limit: int) -> bool:
    """Queues up to `limit` chunks that are older than the model; whether there are more."""
    upto = int(connection.execute("SELECT backlog FROM code_models WHERE model_id = ?", (model.model_id,)).get or 0)
    above = max(0, upto - limit)
    connection.execute(_QUEUE_BACKLOG, {"model": model.model_id, "above": above, "upto": upto})
    connection.execute("UPDATE code_models SET backlog = ? WHERE model_id = ?", (above, model.model_id))
    return above > 0


def is_complete(connection: apsw.Connection, model: Model) -> bool:
    """Whether every chunk has its vector."""
    return bool(connection.execute(_IS_COMPLETE, (model.model_id,)).get)


def activate(connection: apsw.Connection, model: Model) -> None:
    """Lets searches ask this model from now on."""
    connection.execute("UPDATE code_models SET active = -1 WHERE active = 1 AND model_id <> ?", (model.model_id,))
    connection.execute("UPDATE code_models SET active = 1 WHERE model_id = ?", (model.model_id,))


def drop(connection: apsw.Connection, model: Model, limit: int) -> bool:
    """Takes away up to `limit` rows of a retired model, at last the model itself; whether there is more."""
    connection.execute(_UNQUEUE, {"model": model.model_id, "limit": limit})
    if connection.changes() or vectors.drop(connection, model):
        return True
    connection.execute("DELETE FROM code_models WHERE model_id = ?", (model.model_id,))
    return False
