"""The file of a project's replica, opened where it is sound: created, migrated, given an identity."""

from __future__ import annotations

import uuid
from pathlib import Path

import apsw
from localfirst_schema import timestamps
from localfirst_schema.entities import CONFIGURATION
from localfirst_schema.errors import UnavailableError
from localfirst_schema.identifiers import natural_id, project_id

from localfirst.replica.connection import BUSY_TIMEOUT_MS, connect, immediate, sqlite_errors
from localfirst.replica.migrate import migrate
from localfirst.replica.naming import give_name
from localfirst.replica.planted import acting

DEFAULT_CONTEXT = "feature"
DEFAULT_TOKEN_BUDGET = 200_000


def open_file(path: Path, project_name: str | None, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> apsw.Connection:
    """The replica at `path`, as `opening.open_replica` has it. Raises ReplicaUnreadableError for a file that is not sound."""
    connection = connect(path, busy_timeout_ms=busy_timeout_ms)
    try:
        with sqlite_errors():
            refuse_acting(connection, path)
            migrate(connection, path)
            found = connection.execute("SELECT project_id, project_name FROM replica").fetchone()
        if found is None:
            begin(connection, project_name)
        elif project_name is not None and found[1] is None:
            give_name(connection, project_name)
    except BaseException:
        connection.close()
        raise
    return connection


def refuse_acting(connection: apsw.Connection, path: Path) -> None:
    """Raises UnavailableError for a replica with a trigger or a view: localfirst makes none, so somebody else did."""
    found = acting(connection)
    if found is not None:
        raise UnavailableError(
            f"the replica at {path} was changed by another program: {found.words}. Nothing was read or changed; move the file"
            " away, or drop what was added, and run `localfirst doctor`.",
            cause="replica",
        )


def begin(connection: apsw.Connection, project_name: str | None) -> None:
    """Gives a new file its identity, and the project its configuration: the very row with which PostgreSQL starts one."""
    project = project_id(project_name) if project_name else str(uuid.uuid4())
    now = timestamps.now()
    with immediate(connection):
        if connection.execute("SELECT EXISTS (SELECT 1 FROM replica)").get:
            return  # another process was quicker
        connection.execute(
            "INSERT INTO replica (singleton, project_id, project_name, replica_id, created_at) VALUES (1, ?, ?, ?, ?)",
            (project, project_name, str(uuid.uuid4()), now),
        )
        connection.execute(
            f"INSERT INTO {CONFIGURATION.table}"
            " (id, active_context_type, default_token_budget, version, created_at, updated_at)"
            " VALUES (?, ?, ?, 1, ?, ?)",
            (natural_id(project, CONFIGURATION.name, "singleton"), DEFAULT_CONTEXT, DEFAULT_TOKEN_BUDGET, now, now),
        )
