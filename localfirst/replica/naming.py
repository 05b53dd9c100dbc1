"""The name of a project, and the ids that follow from the project's id. An id is given once; a name changes none."""

from __future__ import annotations

import apsw
from localfirst_schema.entities import ENTITIES, Entity
from localfirst_schema.identifiers import natural_id

from localfirst.replica.connection import immediate


def give_name(connection: apsw.Connection, name: str) -> None:
    """Names a project that was local until now."""
    with immediate(connection):
        connection.execute("UPDATE replica SET project_name = ? WHERE project_name IS NULL", (name,))


def make_ids_anew(connection: apsw.Connection) -> None:
    """Makes the ids that follow from names those of the replica's project. Within a transaction."""
    project = str(connection.execute("SELECT project_id FROM replica").get)
    renamed: dict[str, str] = {}
    for entity in ENTITIES:
        if entity.natural_key:
            _rename(connection, entity, project, renamed)


def _rename(connection: apsw.Connection, entity: Entity, project: str, renamed: dict[str, str]) -> None:
    keys = [name for name in entity.natural_key if name in entity.by_name]
    for old, *parts in connection.execute(f"SELECT {', '.join(['id', *keys])} FROM {entity.table}").fetchall():
        current = [str(renamed.get(str(part), part)) for part in parts]
        new = natural_id(project, entity.name, *(current or ["singleton"]))
        if new == old:
            continue
        renamed[str(old)] = new
        sets = "".join(f", {key} = ?" for key in keys)
        connection.execute(f"UPDATE {entity.table} SET id = ?{sets} WHERE id = ?", (new, *current, old))
        connection.execute("UPDATE history SET entity_id = ? WHERE entity_id = ?", (new, old))
        connection.execute("UPDATE conflicts SET entity_id = ? WHERE entity_id = ?", (new, old))
        for part, now in zip(parts, current, strict=True):
            if part != now:
                connection.execute("UPDATE history SET fields = replace(fields, ?, ?) WHERE entity_id = ?", (part, now, new))
                for column in ("base", "mine", "theirs"):
                    sql = f"UPDATE conflicts SET {column} = replace({column}, ?, ?) WHERE entity_id = ?"
                    connection.execute(sql, (part, now, new))
