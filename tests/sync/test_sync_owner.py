"""Who owns the schema: a role that cannot log in where one may be made, else whoever migrates; and rights of today stay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from cluster import VERSIONS, cluster, run
from localfirst_schema.identifiers import project_id
from localfirst_sync.postgres import migrate as migration
from localfirst_sync.postgres import rights
from localfirst_sync.postgres.connection import connect
from localfirst_sync.postgres.migrate import ensure_project, migrate
from psycopg.conninfo import make_conninfo
from sync_laptop import PROJECT_NAME
from sync_sender import Sender, task

PROJECT = project_id(PROJECT_NAME)
LAPTOPS = "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA localfirst TO hand"


@pytest.fixture(scope="module", params=VERSIONS)
def superuser(request: pytest.FixtureRequest) -> Iterator[str]:
    with cluster(request.param) as url:
        run(url, "CREATE ROLE admin LOGIN CREATEROLE", "CREATE ROLE plain LOGIN", "CREATE ROLE hand LOGIN")
        yield url


@pytest.fixture
def database(superuser: str) -> Iterator[str]:
    """A database that belongs to `plain`; without our roles, wherever an earlier test has left them."""
    run(superuser, "CREATE DATABASE board OWNER plain TEMPLATE template0", "GRANT CREATE ON DATABASE board TO admin")
    yield make_conninfo(superuser, dbname="board")
    run(
        superuser,
        "DROP DATABASE board WITH (FORCE)",
        *(f"DROP ROLE IF EXISTS {r}" for r in ("localfirst_owner", "localfirst_engine")),
    )


def migrated(url: str, user: str) -> None:
    connection = connect(make_conninfo(url, user=user))
    migrate(connection)
    ensure_project(connection, PROJECT, PROJECT_NAME)
    connection.close()


def owners(url: str) -> set[str]:
    query = """
        SELECT relowner::regrole::text FROM pg_class
        WHERE relnamespace = 'localfirst'::regnamespace AND relkind IN ('r', 'v', 'S')
        UNION SELECT proowner::regrole::text FROM pg_proc WHERE pronamespace = 'localfirst'::regnamespace
        UNION SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'localfirst'
    """
    with psycopg.connect(url) as session:
        return {name for (name,) in session.execute(query).fetchall()}


def works(url: str, user: str) -> None:
    """A replica of this user pushes, and what it types into psql gets version, history and number."""
    connection = connect(make_conninfo(url, user=user))
    sender = Sender(connection, PROJECT, user)
    item = sender.create("work_item", task())
    sender.push()
    connection.execute("UPDATE localfirst.work_items SET title = 'typed' WHERE id = %s", (item,))
    connection.execute("DELETE FROM localfirst.work_items WHERE id = %s", (item,))
    logged = connection.execute(
        "SELECT version, by FROM localfirst.history WHERE entity_id = %s ORDER BY seq", (item,)
    ).fetchall()
    head: Any = connection.execute(
        "SELECT p.head = (SELECT max(seq) FROM localfirst.history) FROM localfirst.project_heads AS p"
    )
    assert logged == [(1, user), (2, user), (3, user)]
    assert head.fetchone() == (True,)
    connection.close()


def test_a_migrating_role_that_may_create_no_roles_owns_what_it_made(database: str) -> None:
    migrated(database, "plain")
    assert owners(database) == {"plain"}
    works(database, "plain")
    connection = connect(make_conninfo(database, user="plain"))
    assert rights.grant(connection, "hand", "laptop") == []
    stands = rights.standing(connection)
    connection.close()
    assert (stands.lacks, stands.owner) == ([], rights.Owner("plain", False, True, True))
    works(database, "hand")


def test_an_administrator_hands_it_over_later_and_who_had_it_goes_on_as_a_laptop(superuser: str, database: str) -> None:
    migrated(database, "plain")
    connection = connect(database)
    rights.secure(connection)
    connection.close()
    assert owners(database) == {"localfirst_owner"}
    works(database, "plain")
    works(database, "postgres")


def test_a_role_that_may_create_roles_makes_the_owner_and_stays_its_member(database: str) -> None:
    migrated(database, "admin")
    assert owners(database) == {"localfirst_owner"}
    works(database, "admin")
    connection = connect(make_conninfo(database, user="admin"))
    rights.secure(connection)
    assert rights.grant(connection, "hand", "laptop") == []
    connection.close()
    works(database, "hand")


@pytest.mark.parametrize(
    "trap",
    [
        ("CREATE ROLE localfirst_owner LOGIN",),
        ("CREATE ROLE localfirst_owner CREATEROLE",),
        ("CREATE ROLE localfirst_owner SUPERUSER",),
        ("CREATE ROLE localfirst_owner", "GRANT localfirst_owner TO hand"),
        ("CREATE ROLE localfirst_owner", "GRANT admin TO localfirst_owner"),
    ],
    ids=["logs in", "makes roles", "superuser", "has a member", "is a member"],
)
def test_a_role_of_the_name_that_is_not_what_it_should_be_is_not_taken(
    superuser: str, database: str, trap: tuple[str, ...]
) -> None:
    run(superuser, *trap)
    migrated(database, "admin")
    assert owners(database) == {"admin"}
    works(database, "admin")


@pytest.mark.parametrize("by", ["postgres", "admin", "plain"])
def test_a_board_of_an_older_version_keeps_its_rows_and_its_rights(database: str, by: str) -> None:
    with psycopg.connect(make_conninfo(database, user=by), autocommit=True) as old:
        old.execute(migration._PREPARE.encode())
        for step in migration.migrations():
            if step.name == "rights":
                break
            old.execute(step.sql.encode())
            old.execute("INSERT INTO localfirst.schema_migrations VALUES (%s, %s, '', 1)", (step.number, step.name))
        old.execute("INSERT INTO localfirst.projects (id, name) VALUES (%s, %s)", (PROJECT, PROJECT_NAME))
        old.execute("INSERT INTO localfirst.work_items (item_type, title) SELECT 'task', n FROM generate_series(1, 10) AS n")
        old.execute(f"GRANT USAGE ON SCHEMA localfirst TO hand; GRANT {LAPTOPS}".encode())
    migrated(database, by)
    works(database, "hand")
    works(database, by)
    with psycopg.connect(database) as session:
        assert session.execute("SELECT count(*) FROM localfirst.work_items WHERE version = 1").fetchone() == (10,)


def test_tables_of_later_migrations_are_granted_as_the_others(database: str) -> None:
    migrated(database, "admin")
    connection = connect(make_conninfo(database, user="admin"))
    for name, grade in (("plain", "reader"), ("hand", "laptop")):
        rights.grant(connection, name, grade)  # type: ignore[arg-type]  # one of the grades
    connection.execute("CREATE TABLE localfirst.later (id uuid PRIMARY KEY)")
    rights.secure(connection)
    held = "SELECT has_table_privilege(%s, 'localfirst.later', %s)"
    assert connection.execute(held, ("hand", "INSERT")).fetchone() == (True,)
    assert connection.execute(held, ("plain", "SELECT")).fetchone() == (True,)
    assert connection.execute(held, ("plain", "INSERT")).fetchone() == (False,)
    connection.close()
