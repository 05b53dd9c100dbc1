"""What boards held as claims in the items themselves becomes claims with an end, on the server and on laptops, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import psycopg
import pytest
from localfirst_schema.identifiers import natural_id, project_id
from localfirst_sync.postgres import migrate as engine
from localfirst_sync.postgres.connection import connect as connect_server
from postgres import Server

from localfirst.replica.connection import connect
from localfirst.replica.migrate import migrate, migrations
from localfirst.replica.outbox import count

BEFORE = 15
BEFORE_HERE = 11
PROJECT = "team/claims"


@pytest.fixture
def url(postgres_server: Server) -> Iterator[str]:
    """A server of the version before claims were apart."""
    with postgres_server.database(template="template0") as url:
        with psycopg.connect(url, autocommit=True) as old:
            old.execute(engine._PREPARE.encode())
            for step in engine.migrations()[:BEFORE]:
                old.execute(step.sql.encode())
                old.execute(
                    "INSERT INTO localfirst.schema_migrations (number, name, sha256, protocol) VALUES (%s, %s, '', %s)",
                    (step.number, step.name, step.protocol),
                )
        yield url


def test_a_server_carries_claims_over_as_numbered_changes_and_asks_for_the_later_protocol(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("INSERT INTO localfirst.projects (id, name) VALUES (%s, %s)", (project_id(PROJECT), PROJECT))
        for status, claimed_by in (("active", "ann"), ("active", None), ("completed", "bob")):
            server.execute(
                "INSERT INTO localfirst.work_items (item_type, title, status, claimed_by) VALUES ('task', 'x', %s, %s)",
                (status, claimed_by),
            )
        connection = connect_server(url)
        engine.migrate(connection)
        connection.close()
        found = server.execute(
            "SELECT w.claimed_by, c.claimed_by, c.claimed_until > now(), w.version, c.id::text, w.id::text"
            " FROM localfirst.work_item_claims AS c JOIN localfirst.work_items AS w ON w.id = c.work_item_id"
        ).fetchall()
        assert [row[:4] for row in found] == [("ann", "ann", True, 1)]
        assert found[0][4] == natural_id(project_id(PROJECT), "work_item_claim", found[0][5])
        logged = server.execute("SELECT count(*) FROM localfirst.history WHERE entity = 'work_item_claim'").fetchone()
        assert logged == (1,)
        assert server.execute("SELECT max(protocol) FROM localfirst.schema_migrations").fetchone() == (2,)
        # A claim that SQL has deleted comes back with what is claimed then.
        server.execute("DELETE FROM localfirst.work_item_claims")
        server.execute(
            "INSERT INTO localfirst.work_item_claims (work_item_id, claimed_by, claimed_until) VALUES (%s, 'carl', now())",
            (found[0][5],),
        )
        back = server.execute("SELECT claimed_by, deleted_at, version FROM localfirst.work_item_claims").fetchall()
        assert back == [("carl", None, 3)]


@pytest.mark.parametrize("access", ["write", "read"])
def test_a_replica_carries_claims_over_as_changes_of_its_own_where_it_may_write(tmp_path: Path, access: str) -> None:
    path = tmp_path / "old.sqlite3"
    old: apsw.Connection = connect(path)
    for step in migrations()[:BEFORE_HERE]:
        for _ in old.execute(step.sql):
            pass
    old.pragma("user_version", BEFORE_HERE)
    old.execute(
        "INSERT INTO replica (singleton, project_id, replica_id, created_at, access) VALUES (1, 'p', 'r', '2026', ?)", (access,)
    )
    for name, by, status in (("a", "ann", "active"), ("b", None, "active"), ("c", "bob", "completed")):
        old.execute(
            "INSERT INTO work_items (id, item_type, title, status, path, depth, metadata, claimed_by, version, created_at,"
            " updated_at) VALUES (?1, 'task', 'x', ?3, ?1, 0, '{}', ?2, 4, '2026', '2026')",
            (name, by, status),
        )
    migrate(old, path)
    claims = old.execute("SELECT id, work_item_id, claimed_by, version FROM work_item_claims").fetchall()
    assert claims == ([(natural_id("p", "work_item_claim", "a"), "a", "ann", 1)] if access == "write" else [])
    assert count(old) == len(claims)
    old.close()
