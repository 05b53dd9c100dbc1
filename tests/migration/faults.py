"""A store that does something else than it is asked: a temporary trigger on each connection, since a replica may have no other.

As a program: `faults.py BODY ARGUMENTS…` is the migration's tool with such a store; BODY is what follows `CREATE TRIGGER NAME`.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

TOOL = Path(__file__).parents[2] / "tools" / "migrate_project_status.py"


@contextmanager
def faulty_stores(body: str) -> Iterator[None]:
    """While it is open, each connection to a replica that is there already has this trigger from its first write on."""

    def plant(cursor: apsw.Cursor, sql: str, _: object) -> bool:
        connection = cursor.connection
        if sql == "BEGIN IMMEDIATE":
            connection.set_exec_trace(None)
            connection.execute(f"CREATE TEMP TRIGGER fault {body}")
        return True

    def watch(connection: apsw.Connection) -> None:
        if connection.filename:
            connection.set_exec_trace(plant)

    apsw.connection_hooks.append(watch)
    try:
        yield
    finally:
        apsw.connection_hooks.remove(watch)


if __name__ == "__main__":
    with faulty_stores(sys.argv.pop(1)):
        sys.argv[0] = str(TOOL)
        runpy.run_path(str(TOOL), run_name="__main__")
