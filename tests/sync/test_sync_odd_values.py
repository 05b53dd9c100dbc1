"""Every type's odd values, at each column of each table, by SQL, as each grade of role: nobody stops, and other rows arrive."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from localfirst_schema.entities import ENTITIES, WORK_ITEM
from localfirst_sync.ports import CONFLICT_TABLE
from localfirst_sync.postgres.connection import Connection, connect
from sync_laptop import Laptop, NewLaptop, laptops
from sync_looking import head
from test_sync_set_aside import UNCONSTRAINED

TIMES = [
    "'infinity'",
    "'-infinity'",
    "'0044-03-15 BC'",
    "'10000-01-01'",
    "'9999-12-31 23:59:59.999999Z'",
    "'0001-01-01Z'",
    "NULL",
]
TEXTS = ["''", "' '", "E'a\\nb'", "E'\\x01'", "E'\\u2028'", "E'e\\u0301'", "repeat('x', 2000)", "repeat('x', 3000000)", "NULL"]
DOCUMENTS = [
    "'[]'", "'null'", "'\"text\"'", "'5'", "'{\"n\": 1e1200}'", "('{\"n\": ' || repeat('9', 400) || '.5}')::jsonb",
    "('{\"a\": ' || repeat('[', 500) || repeat(']', 500) || '}')::jsonb", "jsonb_build_object('t', repeat('x', 9000000))",
    "'{\"n\": 1e-16000}'", "'{\"\": {\"\": {}}}'", "'{\"title\": 5}'", "'[1]'", "NULL",
]  # fmt: skip
VALUES: dict[str, list[str]] = {
    "timestamp with time zone": TIMES,
    "text": TEXTS,
    "jsonb": DOCUMENTS,
    "bigint": ["9223372036854775807", "-9223372036854775808", "0", "-1", "9007199254740993", "NULL"],
    "integer": ["2147483647", "-2147483648", "0", "NULL"],
    "boolean": ["NULL", "true"],
    "uuid": ["'00000000-0000-0000-0000-000000000000'", "gen_random_uuid()", "NULL"],
}

KEYS = {"project_id", "id", "seq", "tag"}
"""What places a row. Who may write the log's tables can forge or stop their own project with these; no check can keep that."""

GRADES = ("owner", "laptop", "application", "reader")

_INSERTS = {
    "work_items": "INSERT INTO localfirst.work_items (item_type, title) VALUES ('task', 'victim') RETURNING id",
    "work_item_dependencies": "INSERT INTO localfirst.work_item_dependencies (work_item_id, depends_on_id)"
    " SELECT a.id, b.id FROM localfirst.work_items AS a, localfirst.work_items AS b WHERE a.title = 'from' AND b.title = 'to'"
    " ON CONFLICT DO NOTHING RETURNING id",
    "work_item_comments": "INSERT INTO localfirst.work_item_comments (work_item_id, body)"
    " SELECT id, 'victim' FROM localfirst.work_items WHERE title = 'from' RETURNING id",
    "work_item_claims": "WITH w AS (INSERT INTO localfirst.work_items (item_type, title) VALUES ('task', 'x') RETURNING id)"
    " INSERT INTO localfirst.work_item_claims (work_item_id, claimed_by, claimed_until)"
    " SELECT id, 'victim', now() + interval '1 hour' FROM w RETURNING id",
    "vendor_extractors": "INSERT INTO localfirst.vendor_extractors (name) VALUES (gen_random_uuid()::text) RETURNING id",
    "deployment_events": "INSERT INTO localfirst.deployment_events DEFAULT VALUES RETURNING id",
    "vendor_deployment_links": "WITH v AS (INSERT INTO localfirst.vendor_extractors (name) VALUES (gen_random_uuid()::text)"
    " RETURNING id), d AS (INSERT INTO localfirst.deployment_events DEFAULT VALUES RETURNING id)"
    " INSERT INTO localfirst.vendor_deployment_links (vendor_id, deployment_id) SELECT v.id, d.id FROM v, d RETURNING id",
    "work_item_deployment_links": "WITH d AS (INSERT INTO localfirst.deployment_events DEFAULT VALUES RETURNING id)"
    " INSERT INTO localfirst.work_item_deployment_links (work_item_id, deployment_id)"
    " SELECT w.id, d.id FROM localfirst.work_items AS w, d WHERE w.title = 'from' RETURNING id",
    "future_enhancements": "INSERT INTO localfirst.future_enhancements (title) VALUES ('victim') RETURNING id",
    "project_configuration": "SELECT id FROM localfirst.project_configuration",
    "conflicts": "INSERT INTO localfirst.conflicts (project_id, id, entity, entity_id, fields, base, mine, theirs,"
    " base_version, my_version, my_by, reason, act_id, replica_id, created_at)"
    " SELECT project_id, gen_random_uuid(), 'work_item', id,"
    " '[\"title\"]', '{}', '{}', '{}', 1, 2, 'eve', 'fields', gen_random_uuid(), gen_random_uuid(), now()"
    " FROM localfirst.work_items WHERE title = 'from' RETURNING id",
}
"""A victim in each table, made by the owner; of the history a line of a work item."""


@pytest.fixture
def laptop(tmp_path: Path, database_url: str) -> Iterator[NewLaptop]:
    with laptops(tmp_path, database_url) as new:
        yield new


@pytest.fixture
def psql(server: Connection, database_url: str) -> Iterator[Connection]:
    connection = connect(database_url)
    yield connection
    connection.close()


@contextlib.contextmanager
def acting_as(psql: Connection, grade: str) -> Iterator[None]:
    """Whatever is done in the block is done by a role of this grade; the owner is whoever migrated."""
    if grade == "owner":
        yield
        return
    role = f"odd_{uuid.uuid4().hex[:12]}"
    psql.execute(f"CREATE ROLE {role}".encode())
    psql.execute("SELECT localfirst.grant_role(%s, %s)", (role, grade))
    psql.execute(f"SET ROLE {role}".encode())
    try:
        yield
    finally:
        psql.execute("RESET ROLE")
        psql.execute(f"DROP OWNED BY {role}".encode())
        psql.execute(f"DROP ROLE {role}".encode())


def columns(psql: Connection, table: str) -> list[tuple[str, str]]:
    found: list[Any] = psql.execute(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'localfirst' AND table_name = %s"
        " AND is_generated = 'NEVER' ORDER BY ordinal_position",
        (table,),
    ).fetchall()
    return [(name, kind) for name, kind in found if name not in KEYS]


def victim(psql: Connection, table: str) -> tuple[str, Any]:
    """A row to be changed: a condition, and its value."""
    if table == "history":
        row = psql.execute(_INSERTS["work_items"].encode()).fetchone()
        return "entity_id = %s", row and row[0]
    row = psql.execute(_INSERTS[table].encode()).fetchone()
    if row is None:
        row = psql.execute(f"SELECT id FROM localfirst.{table} LIMIT 1".encode()).fetchone()
    if table == "conflicts" and row is not None:  # its line, by which replicas hear of it
        psql.execute(
            "WITH moved AS (UPDATE localfirst.project_heads SET head = head + 1, tag = 7 RETURNING project_id, head)"
            " INSERT INTO localfirst.history (project_id, seq, tag, entity, entity_id, version, at, outcome, fields)"
            " SELECT project_id, head, 7, 'conflict', %s, 1, now(), 'accepted', '{}' FROM moved",
            (row[0],),
        )
    return "id = %s", row and row[0]


def throw(psql: Connection, grade: str, table: str) -> int:
    """Throws all odd values at the columns of a table; how many PostgreSQL has taken."""
    taken = 0
    victims = [(column, kind, victim(psql, table)) for column, kind in columns(psql, table)]
    with acting_as(psql, grade):
        for column, kind, (condition, row_id) in victims:
            for value in VALUES[kind]:
                # The value of the last one that is taken stays.
                with contextlib.suppress(psycopg.DatabaseError):
                    psql.execute(f"UPDATE localfirst.{table} SET {column} = {value} WHERE {condition}".encode(), (row_id,))
                    taken += 1
    return taken


def assert_nobody_has_stopped(team: list[Laptop], server: Connection, what: str) -> None:
    mine = {one.create(WORK_ITEM, item_type="task", title=one.path.name, status="active", metadata={}) for one in team}
    for one in (*team, *team):
        one.sync()
    for one in team:
        assert one.local.cursor() == head(server), what
        assert one.local.pending_count() == 0, what
        here = {str(row["id"]) for row in one.displayed()["work_items"]}
        assert mine <= here, what


def test_values_are_thrown_at_every_table() -> None:
    assert _INSERTS.keys() == {*(entity.table for entity in ENTITIES), CONFLICT_TABLE}


@pytest.mark.parametrize("grade", GRADES)
@pytest.mark.parametrize("constrained", [True, False], ids=["with limits", "as an older server"])
def test_nobody_stops(psql: Connection, laptop: NewLaptop, server: Connection, grade: str, constrained: bool) -> None:
    team = [laptop("ann"), laptop("bob"), laptop("carl")]
    team[0].sync()
    if not constrained:
        psql.execute(UNCONSTRAINED)
    for title in ("from", "to"):
        psql.execute("INSERT INTO localfirst.work_items (item_type, title) VALUES ('task', %s)", (title,))
    taken = 0
    for table in (*_INSERTS, "history"):
        taken += throw(psql, grade, table)
        assert_nobody_has_stopped(team, server, table)
    new = laptop("new")
    assert_nobody_has_stopped([*team, new], server, "in the end")
    assert (taken > 0) == (grade != "reader")
    # What PostgreSQL takes with its limits every replica can hold; without them there is much that none can.
    aside = [one.replica.execute("SELECT count(*) FROM set_aside").get for one in (*team, new)]
    if constrained or grade == "reader":
        assert aside == [0, 0, 0, 0]
    else:
        assert min(aside) >= 5
