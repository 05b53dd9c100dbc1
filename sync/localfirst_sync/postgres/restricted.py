"""Roles that see and write some projects alone, by row-level security."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote, urlencode

import psycopg
from localfirst_schema.errors import DuplicateError, UnavailableError, ValidationError
from localfirst_schema.identifiers import project_id
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict

from localfirst_sync.postgres import rights
from localfirst_sync.postgres.connection import Connection
from localfirst_sync.postgres.failure import unavailable
from localfirst_sync.postgres.migrate import ensure_project

NO_ACCESS = "no_access"

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII)
_NOT_KEPT = frozenset({"user", "password", "passfile", "host", "port", "dbname", "options"})


class Made(NamedTuple):
    """A new role, and the address by which it reaches the server; that is printed this once."""

    role: str
    database_url: str
    projects: list[str]
    left_to_grant: list[str]


def create(connection: Connection, dsn: str, role: str, projects: Sequence[str], *, is_reader: bool) -> Made:
    """Makes a login role for these projects, which are started if nobody has.

    Raises `ValidationError`, `DuplicateError`, or `UnavailableError`.
    """
    if not _NAME.fullmatch(role) or role.startswith("pg_"):
        raise ValidationError("NAME", "must be small letters, digits and _, at most 63, not beginning with a digit or pg_")
    password = secrets.token_urlsafe(24)
    found = [ensure_project(connection, project_id(name), name) for name in projects]
    try:
        if connection.execute("SELECT FROM pg_catalog.pg_roles WHERE rolname = %s", (role,)).fetchone() is not None:
            raise DuplicateError(f"PostgreSQL has a role {role} already; take another name.", role=role)
        with connection.transaction():
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(password)))
            left = rights.grant(connection, role, "reader" if is_reader else "laptop")
            connection.execute("SELECT localfirst.restrict_role(%s, %s::uuid[])", (role, [one.id for one in found]))
    except errors.InsufficientPrivilege:
        raise UnavailableError(
            "This PostgreSQL user may not make roles: do it as a superuser, or as a role with CREATEROLE that is a member of"
            " the schema's owner.",
            cause="permission",
        ) from None
    except psycopg.Error as error:
        raise unavailable(error) from None
    return Made(role, _address(dsn, role, password), [one.name for one in found], left)


def no_access(name: str) -> UnavailableError:
    """The error for a project that a restricted role does not see, whether it is there or not."""
    return UnavailableError(
        f"This PostgreSQL user may not see the project {name} on the server (it may be another's, or not be there). Everything"
        " is kept in this replica, and work goes on here; the server's administrator gives access"
        " (`localfirst server role create`).",
        cause=NO_ACCESS,
    )


def _address(dsn: str, role: str, password: str) -> str:
    """The server of `dsn`, for this role."""
    given = {name: str(value) for name, value in conninfo_to_dict(dsn).items()}
    rest = {name: value for name, value in given.items() if name not in _NOT_KEPT}
    host, port = given.get("host", ""), given.get("port", "")
    if "/" in host or "," in host or "," in port:
        rest |= {"host": host} | ({"port": port} if port else {})
        place = ""
    else:
        place = f"[{host}]" if ":" in host else host
        place += f":{port}" if port else ""
    query = f"?{urlencode(rest, quote_via=quote)}" if rest else ""
    return f"postgresql://{role}:{quote(password, safe='')}@{place}/{quote(given.get('dbname', ''), safe='')}{query}"
