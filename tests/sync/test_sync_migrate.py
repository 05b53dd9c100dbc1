"""The schema is brought up to date once, by whoever comes first and may."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest
from localfirst_schema.errors import UnavailableError
from localfirst_schema.identifiers import natural_id, project_id
from localfirst_sync.postgres.connection import connect
from localfirst_sync.postgres.migrate import ensure_project, migrate, migrations
from postgres import Server


@pytest.fixture
def empty_url(postgres_server: Server) -> Iterator[str]:
    with postgres_server.database(template="template0") as url:
        yield url


def test_several_clients_at_once(empty_url: str) -> None:
    done: list[object] = []

    def begin() -> None:
        connection = connect(empty_url)
        try:
            done.append(migrate(connection))
            ensure_project(connection, project_id("one"), "one")
        except UnavailableError as error:
            done.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=begin) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, done)) == sorted(["0"] * (6 - sum(map(bool, done))) + [str(d) for d in done if d])
    assert sum(int(str(d)) for d in done) == len(migrations())
    with psycopg.connect(empty_url) as connection:
        assert connection.execute("SELECT count(*) FROM localfirst.projects").fetchone() == (1,)


def test_a_second_time_asks_one_question(database_url: str) -> None:
    connection = connect(database_url)
    assert migrate(connection) == 0
    found = connection.execute("SELECT number, name FROM localfirst.schema_migrations ORDER BY number").fetchall()
    assert found == [(m.number, m.name) for m in migrations()]
    connection.close()


def test_a_newer_database_serves_an_older_client_until_the_protocol_changes(database_url: str) -> None:
    connection = connect(database_url)
    add = "INSERT INTO localfirst.schema_migrations (number, name, sha256, protocol) VALUES (%s, 'later', '', %s)"
    connection.execute(add, (9001, 1))
    assert migrate(connection) == 0
    connection.execute(add, (9002, 99))
    with pytest.raises(UnavailableError, match="upgrade"):
        migrate(connection)
    connection.close()


def test_a_user_who_may_not_is_logged_so(postgres_server: Server, empty_url: str) -> None:
    postgres_server.execute(
        "DO $$ BEGIN CREATE ROLE limited LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    connection = connect(psycopg.conninfo.make_conninfo(empty_url, user="limited"))
    with pytest.raises(UnavailableError) as failed:
        migrate(connection)
    assert failed.value.details["cause"] == "permission"
    connection.close()


def test_a_project_starts_with_its_configuration(database_url: str) -> None:
    connection = connect(database_url)
    project = project_id("a project")
    for _ in range(2):
        ensure_project(connection, project, "a project")
    found = connection.execute("SELECT id::text, version FROM localfirst.project_configuration").fetchall()
    assert found == [(natural_id(project, "configuration", "singleton"), 1)]
    assert ensure_project(connection, project_id("other id"), "a project") == (project, "a project")
    assert connection.execute("SELECT count(*) FROM localfirst.projects").fetchone() == (1,)
    connection.close()


def test_natural_ids_are_the_same_in_postgresql(database_url: str) -> None:
    connection = connect(database_url)
    for parts in (("p", "vendor", "Zürich"), ("p", "vendor", "Zu\u0308rich"), ("", "project", "😀 \t x")):
        found = connection.execute("SELECT localfirst.natural_id(VARIADIC %s::text[])::text", (list(parts),)).fetchone()
        assert found == (natural_id(*parts),)
    connection.close()
