"""What a laptop could not take is reported by doctor, by the state of synchronisation, and by every answer that it concerns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from cli.shell import Shell

UNCONSTRAINED = """
    DO $$
    DECLARE c record;
    BEGIN
        FOR c IN SELECT conname FROM pg_constraint WHERE conrelid = 'localfirst.work_items'::regclass AND contype = 'c' LOOP
            EXECUTE format('ALTER TABLE localfirst.work_items DROP CONSTRAINT %I', c.conname);
        END LOOP;
    END $$
"""


@pytest.fixture
def team(shell: Shell, database_url: str) -> Shell:
    """A shell whose project has a server."""
    shell.more |= {"LOCALFIRST_DATABASE_URL": database_url, "LOCALFIRST_PROJECT": "team/board"}
    return shell


@pytest.fixture
def psql(team: Shell, database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Somebody's psql on a server without limits, with the project."""
    team.item("Another")
    team.ok("sync")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(UNCONSTRAINED)
        yield connection


def test_it_is_reported_everywhere_and_the_row_is_not_absent(team: Shell, psql: psycopg.Connection[Any]) -> None:
    insert = "INSERT INTO localfirst.work_items (item_type, title, created_at) VALUES ('task', 'x', 'infinity')"
    (odd,) = psql.execute(f"{insert} RETURNING id::text".encode()).fetchone() or (None,)
    assert odd is not None
    team.ok("sync")
    listed = team.json("item", "list")
    assert [item["title"] for item in listed["items"]] == ["Another"]
    assert "set_aside" in listed["warnings"]
    (finding,) = [one for one in team.run("doctor", "--json").json["checks"] if one["subject"] == "set aside"]
    assert finding["level"] == "warning"
    assert f"work_items {odd}: created_at is infinity" in finding["words"]
    for arguments in (("item", "show", odd), ("item", "update", odd, "--title", "mine")):
        refused = team.run(*arguments, "--json")
        assert refused.status != 0
        assert f"{odd} on the server is set aside (created_at is infinity" in refused.out + refused.err
    other = listed["items"][0]["id"]
    assert "set_aside" not in team.json("item", "show", other)["warnings"]
    psql.execute("ALTER TABLE localfirst.work_items DISABLE TRIGGER USER")
    psql.execute("UPDATE localfirst.work_items SET created_at = now() WHERE id = %s", (odd,))
    psql.execute("ALTER TABLE localfirst.work_items ENABLE TRIGGER USER")
    psql.execute("UPDATE localfirst.work_items SET title = 'mended' WHERE id = %s", (odd,))
    team.ok("sync")
    listed = team.json("item", "list")
    assert {item["title"] for item in listed["items"]} == {"Another", "mended"}
    assert "set_aside" not in listed["warnings"]
