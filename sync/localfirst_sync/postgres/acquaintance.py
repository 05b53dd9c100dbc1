"""The first questions on a new connection: is this the server that the replica knows, and under which id is the project there?

At an address that is known they take one trip. At another one the log is asked before anything is made there.
"""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple, cast

import psycopg
from localfirst_schema.errors import UnavailableError
from localfirst_schema.project_key import is_one_project

from localfirst_sync.known_server import Acquaintance, Found, Known, another_server, deleted_project, recognise, remember
from localfirst_sync.ports import BEGINNING, Access
from localfirst_sync.postgres.address import describe_server, named_addresses, reached_address
from localfirst_sync.postgres.connection import Connection, writing
from localfirst_sync.postgres.failure import unavailable
from localfirst_sync.postgres.migrate import FIND_PROJECT, Project, ensure_project, sought
from localfirst_sync.postgres.restricted import no_access
from localfirst_sync.postgres.rights import ACCESS

# A project that was started and holds nothing but its configuration has nothing to lose.
_IS_EMPTY = "NOT EXISTS (SELECT FROM localfirst.project_heads WHERE head > 1)"

_ASK = f"""
    SELECT i.id::text, localfirst.system_identifier(), coalesce(i.is_later, false), {_IS_EMPTY},
        EXISTS (SELECT FROM localfirst.history WHERE project_id = %(project)s AND seq = %(seq)s AND tag = %(tag)s),
        EXISTS (SELECT FROM localfirst.deleted_projects WHERE id = %(project)s), p.id, p.name,
        localfirst.is_restricted(current_user), {ACCESS}
    FROM (SELECT) AS one LEFT JOIN localfirst.server_identity AS i ON true LEFT JOIN ({FIND_PROJECT}) AS p ON true
"""

_HAS_LOG = "SELECT pg_catalog.to_regclass('localfirst.history') IS NOT NULL"

_HOLDS = "SELECT FROM localfirst.history WHERE project_id = %(project)s AND seq = %(seq)s AND tag = %(tag)s"

# Only while it is still so: another replica may have filled it meanwhile.
_NAME = "SELECT localfirst.name_server(%(id)s::uuid)"


def expect(connection: Connection, dsn: str, project_id: str, acquaintance: Acquaintance) -> None:
    """Before a migration: at an address that the replica does not know the log must hold what it has seen.

    Raises `UnavailableError` with the cause ``another_server``; a wrong address gets not even our tables.
    """
    if is_expected(connection, acquaintance):
        return
    seen = acquaintance.seen()
    try:
        is_there: Any = connection.execute(_HAS_LOG).fetchone()
        wanted = {"project": project_id, "seq": seen.seq, "tag": seen.tag}
        if is_there[0] and connection.execute(_HOLDS, wanted).fetchone() is not None:
            return
    except psycopg.Error as error:
        raise unavailable(error) from None
    raise another_server(describe_server(dsn))


def is_expected(connection: Connection, acquaintance: Acquaintance) -> bool:
    """Whether nothing has to be asked before a migration."""
    known = acquaintance.known()
    return known is None or acquaintance.seen() == BEGINNING or reached_address(connection) in known.addresses


class Way(NamedTuple):
    """How the replica reached this server: the address that it keeps, the server's others, and how it is displayed."""

    address: str
    others: frozenset[str]
    displayed: str


def direct_way(connection: Connection, dsn: str) -> Way:
    """The way of who has the server's own address."""
    reached = reached_address(connection)
    return Way(reached, named_addresses(dsn, reached), describe_server(dsn))


class Met(NamedTuple):
    """The project as the server knows it, and what this user may do there."""

    project: Project
    access: Access


def meet(connection: Connection, dsn: str, project_id: str, project_name: str, acquaintance: Acquaintance) -> Met:
    """Makes sure that this is the replica's server, remembers it, and starts the project there if nobody has.

    The replica has the project's id and name by then. Raises `UnavailableError`, with the cause ``another_server`` if it is
    another; nothing is written there then.
    """
    try:
        asked = send_question(connection, project_id, project_name, acquaintance)
    except psycopg.Error as error:
        raise unavailable(error) from None
    return met(connection, asked, direct_way(connection, dsn), project_id, project_name, acquaintance)


def send_question(connection: Connection, project_id: str, project_name: str, acquaintance: Acquaintance) -> Any:
    """The question of `meet`, which may be a part of a pipeline; `met` goes on with the answer."""
    seen = acquaintance.seen()
    wanted = {"project": project_id, "seq": seen.seq, "tag": seen.tag, **sought(project_id, project_name)}
    return connection.execute(_ASK, wanted)


def met(connection: Connection, asked: Any, way: Way, project_id: str, project_name: str, acquaintance: Acquaintance) -> Met:
    """The rest of `meet`."""
    given = (project_id, project_name)
    known, seen = acquaintance.known(), acquaintance.seen()
    try:
        row: Any = asked.fetchone()
        assert row is not None
        *what, was_deleted, its_id, its_name, is_restricted, access = row
        if is_restricted and its_id is None:
            # Rows that are hidden by rights are not lost, and a project is not started by somebody who would not see it.
            raise no_access(project_name)
        found = Found(way.address, *what)
        if was_deleted and known is not None and seen != BEGINNING and not found.holds_seen:
            raise deleted_project(project_name)
        recognition = recognise(known, seen, found)
        if recognition == "another":
            raise another_server(way.displayed)
        server_id = found.id
        if recognition == "unnamed":
            with writing(connection):
                named: Any = connection.execute(_NAME, {"id": None if known is None else known.id}).fetchone()
            if named[0] is None:
                raise UnavailableError("PostgreSQL was filled by somebody else a moment ago; it is tried again.", cause="busy")
            server_id = named[0]
    except psycopg.Error as error:
        raise unavailable(error) from None
    if its_id == project_id and seen == BEGINNING and not is_one_project(its_name, project_name):
        # Ids that are made from a name may meet that of a project which had the name once, and was given another since.
        its_id, project_id = None, str(uuid.uuid4())
    project = Project(its_id, its_name) if its_id is not None else ensure_project(connection, project_id, project_name)
    assert server_id is not None
    here = way.others | {way.address}
    remember(acquaintance, known, Known(server_id, found.system_identifier, here))
    if project != given:
        acquaintance.take_project(*project)
    return Met(project, cast(Access, access))
