"""A database with a project and a role of each grade, as an administrator sets it up."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from cluster import Cluster
from localfirst_schema.identifiers import project_id
from localfirst_sync.postgres.connection import connect
from localfirst_sync.postgres.migrate import ensure_project
from postgres import Server
from psycopg.conninfo import make_conninfo
from sync_laptop import PROJECT_NAME

GRADES = ("reader", "application", "laptop")
ROLES = (*GRADES, "outsider")


class Board:
    """A migrated database. Roles are named by their grade; `outsider` may connect, and no more."""

    def __init__(self, url: str, names: dict[str, str]) -> None:
        self.url = url
        self.names = names
        self.project = project_id(PROJECT_NAME)

    def url_of(self, role: str) -> str:
        """The connection string of a role."""
        return make_conninfo(self.url, user=self.names[role])

    def session(self, role: str | None = None) -> psycopg.Connection[Any]:
        """A session as psql has it, of a role or of the administrator."""
        return psycopg.connect(self.url if role is None else self.url_of(role), autocommit=True)

    def one(self, query: str, *arguments: object) -> Any:
        """The only value of a query of the administrator's."""
        with self.session() as session:
            [(value,)] = session.execute(query.encode(), arguments).fetchall()
        return value


@contextmanager
def board(server: Server | Cluster) -> Iterator[Board]:
    """A board of its own. Roles are the whole cluster's, so they have names that nobody else uses, and go with it."""
    mark = uuid.uuid4().hex[:8]
    names = {role: f"{role}_{mark}" for role in ROLES}
    try:
        with server.database() as url:
            made = Board(url, names)
            with made.session() as admin:
                for name in names.values():
                    admin.execute(f"CREATE ROLE {name} LOGIN".encode())
                for grade in GRADES:
                    admin.execute("SELECT localfirst.grant_role(%s, %s)", (names[grade], grade))
            started = connect(url)
            ensure_project(started, made.project, PROJECT_NAME)
            started.close()
            yield made
    finally:
        for name in names.values():
            server.execute(f"DROP ROLE IF EXISTS {name}")
