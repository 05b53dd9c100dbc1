"""What stood in PostgreSQL before it had its limits is moved, whole and numbered, and no laptop stays without the rest."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from localfirst_schema.identifiers import project_id
from localfirst_sync.postgres import migrate as engine
from localfirst_sync.postgres import tokens
from localfirst_sync.postgres.connection import connect
from postgres import Server

sys.path.append(str(Path(__file__).parent.parent / "sync"))
from sync_laptop import PROJECT_NAME, laptops

BEFORE = next(step.number for step in engine.migrations() if step.name == "limits") - 1

INSERTS = (
    "INSERT INTO localfirst.work_items (item_type, title, created_at) VALUES ('task', 'no time', 'infinity')",
    "INSERT INTO localfirst.work_items (item_type, title, archived_at) VALUES ('task', 'archived', '-infinity')",
    "INSERT INTO localfirst.work_items (item_type, title) VALUES ('task', E'two\nlines')",
    "INSERT INTO localfirst.work_items (item_type, title) VALUES ('task', ' ')",
    "INSERT INTO localfirst.work_items (item_type, title, created_by) VALUES ('task', 'nobody', '')",
    "INSERT INTO localfirst.work_items (item_type, title, metadata)"
    " VALUES ('task', 'digits', ('{\"kept\": 1, \"n\": ' || repeat('9', 4301) || '}')::jsonb)",
    "INSERT INTO localfirst.work_items (item_type, title, metadata)"
    " VALUES ('task', 'deep', ('{\"kept\": 1, \"a\": ' || repeat('[', 1000) || repeat(']', 1000) || '}')::jsonb)",
    "INSERT INTO localfirst.work_items (item_type, title, metadata)"
    " VALUES ('task', 'large', jsonb_build_object('kept', 1, 'text', repeat('x', 20000000)))",
    "INSERT INTO localfirst.deployment_events (deployed_at) VALUES ('10000-01-01')",
    "INSERT INTO localfirst.vendor_extractors (name) VALUES (E'Zu\\u0308rich')",
    "INSERT INTO localfirst.history (project_id, seq, tag, entity, entity_id, version, at, outcome, fields)"
    " SELECT project_id, head + 1, 5, 'wish', gen_random_uuid(), 9223372036854775807, 'infinity', 'accepted', '[1]'"
    " FROM localfirst.project_heads",
    "UPDATE localfirst.project_heads SET head = head + 1, tag = 5",
    "INSERT INTO localfirst.work_items (item_type, title) VALUES ('task', 'good')",
)


@pytest.fixture
def url(postgres_server: Server) -> Iterator[str]:
    """A server of the version before the limits, with what it let through."""
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


def rows(server: psycopg.Connection[Any], query: str) -> list[tuple[Any, ...]]:
    return server.execute(query.encode()).fetchall()


def test_what_is_misfit_is_moved_and_everybody_gets_the_rest(url: str, tmp_path: Path) -> None:
    with laptops(tmp_path, url) as laptop, psycopg.connect(url, autocommit=True) as server:
        server.execute("INSERT INTO localfirst.projects (id, name) VALUES (%s, %s)", (project_id(PROJECT_NAME), PROJECT_NAME))
        for statement in INSERTS:
            server.execute(statement.encode())
        connection = connect(url)
        assert engine.migrate(connection) == len(engine.migrations()) - BEFORE
        connection.close()

        aside = rows(server, "SELECT column_name, count(*) FROM localfirst.set_aside GROUP BY 1 ORDER BY 1")
        assert dict(aside) == {
            "archived_at": 1, "at": 1, "created_at": 1, "created_by": 1, "updated_by": 1, "deployed_at": 1, "entity": 1,
            "fields": 4, "metadata": 3, "name": 1, "title": 2, "version": 1,
        }  # fmt: skip
        titles = {title for (title,) in rows(server, "SELECT title FROM localfirst.work_items")}
        assert titles == {"no time", "archived", "two lines", "untitled", "nobody", "digits", "deep", "large", "good"}
        moved = dict(rows(server, "SELECT title, metadata FROM localfirst.work_items WHERE metadata ? 'set_aside'"))
        assert moved["digits"] == {"kept": 1, "set_aside": {"n": "9" * 4301}}
        assert moved["deep"]["set_aside"]["a"].startswith("[[[[")
        assert len(moved["large"]["set_aside"]["text"]) == 10_000
        whole = rows(server, "SELECT max(length(raw)) FROM localfirst.set_aside")
        assert whole[0][0] > 20_000_000
        assert rows(server, "SELECT archived_at IS NOT NULL FROM localfirst.work_items WHERE title = 'archived'") == [(True,)]
        gaps = rows(server, "SELECT count(*), max(seq), (SELECT head FROM localfirst.project_heads) FROM localfirst.history")
        assert gaps[0][0] == gaps[0][1] == gaps[0][2]
        reported = rows(server, "SELECT count(*) FROM localfirst.history WHERE by = 'localfirst'")
        assert reported == [(10,)]
        versions = rows(server, "SELECT title, version FROM localfirst.work_items")
        assert {version for title, version in versions if title != "good"} == {2}

        server.execute("UPDATE localfirst.work_items SET status = 'blocked'")  # none of them is refused from now on
        for name in ("ann", "bob"):
            one = laptop(name)
            one.sync()
            assert len(one.displayed()["work_items"]) == 9
            assert one.replica.execute("SELECT count(*) FROM set_aside").get == 0


def test_a_server_without_misfits_is_not_written_to(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("INSERT INTO localfirst.projects (id, name) VALUES (gen_random_uuid(), 'sound')")
        server.execute(
            "INSERT INTO localfirst.work_items (item_type, title) SELECT 'task', 'n' || i FROM generate_series(1, 100) AS i"
        )
        before = rows(server, "SELECT xmin, * FROM localfirst.work_items ORDER BY id")
        connection = connect(url)
        engine.migrate(connection)
        connection.close()
        assert rows(server, "SELECT xmin, * FROM localfirst.work_items ORDER BY id") == before
        assert rows(server, "SELECT * FROM localfirst.set_aside") == []


def test_a_token_of_before_keeps_its_meaning(url: str) -> None:
    before = next(step.number for step in engine.migrations() if step.name == "token_limits") - 1
    with psycopg.connect(url, autocommit=True) as server:
        for step in engine.migrations()[BEFORE:before]:
            server.execute(step.sql.encode())
            server.execute(
                "INSERT INTO localfirst.schema_migrations (number, name, sha256, protocol) VALUES (%s, %s, '', %s)",
                (step.number, step.name, step.protocol),
            )
        server.execute(
            "INSERT INTO localfirst.tokens (id, name, secret_hash, access, expires_at, revoked_at, last_used_at) VALUES"
            " ('endless0', 'a', sha256('a'), 'read', 'infinity', NULL, '-infinity'),"
            " ('expired0', 'b', sha256('b'), 'read', '-infinity', NULL, NULL),"
            " ('revoked0', 'c', sha256('c'), 'read', NULL, 'infinity', '2026-01-02Z'),"
            " ('sound000', 'd', sha256('d'), 'read', '2026-01-02Z', NULL, NULL)"
        )
        connection = connect(url)
        engine.migrate(connection)
        found = {name: tokens.find(connection, name) for name in ("endless0", "expired0", "revoked0", "sound000")}
        connection.close()
        assert {name: one and (one.is_expired, one.is_revoked) for name, one in found.items()} == {
            "endless0": (False, False), "expired0": (True, False), "revoked0": (False, True), "sound000": (True, False),
        }  # fmt: skip
        used = "SELECT id FROM localfirst.tokens WHERE last_used_at IS NOT NULL"
        assert rows(server, used) == [("revoked0",)], "what fits stays"
        with pytest.raises(psycopg.errors.CheckViolation):
            server.execute("UPDATE localfirst.tokens SET expires_at = 'infinity'")
