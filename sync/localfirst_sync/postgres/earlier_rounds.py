"""Sessions of earlier rounds of a replica, which may have been stopped in the middle of a push: they end for a later round.

A client that is stopped (or falls asleep) between two statements of a push keeps the project's head locked, for everybody,
until PostgreSQL or TCP gives it up; between two messages of one pipeline PostgreSQL itself never does. The fence makes such a
push void: no epoch below the present one is taken any more. So each push signs its session with the replica's id and its
epoch, for as long as its transaction lasts, and a later round that finds rows or the head locked ends what an earlier one of
the same replica has left.
"""

from __future__ import annotations

import logging

import psycopg

from localfirst_sync.ports import Identity
from localfirst_sync.postgres.connection import Connection

logger = logging.getLogger("localfirst.sync")

SIGN = "SELECT pg_catalog.set_config('application_name', %s, true)"
_NAME = "localfirst"
# CASE: nobody is ended before all of it is known to be so.
END = """
    SELECT pg_catalog.count(*) FILTER (WHERE CASE
        WHEN a.pid <> pg_catalog.pg_backend_pid() AND a.datname = pg_catalog.current_database() AND a.usename = SESSION_USER
            AND pg_catalog."substring"(a.application_name, %s)::bigint < %s
        THEN pg_catalog.pg_terminate_backend(a.pid) ELSE false END)
    FROM pg_catalog.pg_stat_activity AS a
"""


def signature(identity: Identity) -> str:
    """What a session is called while it pushes: 63 bytes at most, or PostgreSQL would cut it."""
    return f"{_NAME} {identity.replica_id} {identity.epoch}"


def end_earlier_rounds(connection: Connection, identity: Identity) -> bool:
    """Ends the pushes of earlier rounds of this replica; whether there was one. Not within a transaction."""
    try:
        signed = f"^{_NAME} {identity.replica_id} ([0-9]{{1,15}})$"
        found = connection.execute(END, (signed, identity.epoch)).fetchone()
    except psycopg.Error as error:  # a role of few rights; then PostgreSQL's own time limits decide
        logger.debug("earlier rounds could not be looked for: %s", type(error).__name__)
        return False
    ended = found is not None and found[0] != 0
    if ended:
        logger.warning("a push of an earlier round of this replica, which was left open, was ended")
    return ended
