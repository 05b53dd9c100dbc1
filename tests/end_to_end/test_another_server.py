"""A replica reconciles with one server: a wrong address, a copy elsewhere and another board get nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from localfirst_schema.errors import UnavailableError
from postgres import Server
from reading.world import call

from localfirst.client.session import Session
from localfirst.replica.known_server import KnownServer
from localfirst.settings import load

Databases = Callable[[], str]


@pytest.fixture
def new_database(postgres_server: Server) -> Iterator[Databases]:
    """Makes databases without anything of ours, by name."""
    made: list[str] = []

    def make() -> str:
        made.append(f"test_{uuid.uuid4().hex}")
        postgres_server.execute(f"CREATE DATABASE {made[-1]} TEMPLATE template1")
        return made[-1]

    yield make
    for name in made:
        postgres_server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@contextmanager
def laptop(folder: Path, url: str) -> Iterator[Session]:
    folder.mkdir(exist_ok=True)
    environment = {
        "LOCALFIRST_DATABASE_URL": url,
        "LOCALFIRST_REPLICA": str(folder / "replica.db"),
        "LOCALFIRST_PROJECT": "team/one-server",
    }
    session = Session(load(folder, environment))
    try:
        yield session
    finally:
        session.close()


def create(session: Session, title: str) -> dict[str, Any]:
    return call(session, "create_work_item", item_type="task", title=title)


def titles(session: Session) -> list[str]:
    return sorted(item["title"] for item in call(session, "list_work_items")["items"])


def worked(folder: Path, url: str, *names: str) -> None:
    with laptop(folder, url) as session:
        for title in names:
            create(session, title)
        call(session, "sync_now")


def refused(session: Session) -> str:
    with pytest.raises(UnavailableError) as refusal:
        call(session, "sync_now")
    assert refusal.value.details["cause"] == "another_server"
    return refusal.value.message


def schemas(url: str) -> list[str]:
    with psycopg.connect(url) as server:
        return [name for (name,) in server.execute("SELECT nspname FROM pg_namespace WHERE nspname = 'localfirst'")]


def test_a_wrong_address_gets_nothing_and_work_goes_on(
    tmp_path: Path, postgres_server: Server, new_database: Databases
) -> None:
    ours, empty, theirs = (postgres_server.url(new_database()) for _ in range(3))
    worked(tmp_path / "a", ours, "mine")
    worked(tmp_path / "b", theirs, "theirs")
    for wrong in (empty, theirs):
        with laptop(tmp_path / "a", wrong) as session:
            message = refused(session)
            assert "adopt-server" in message
            assert call(session, "sync_status")["last_error"] == message
            create(session, f"while at {wrong == empty}")
            assert call(session, "list_work_items")["data_source"] == "sqlite_cache"
    assert schemas(empty) == []
    with psycopg.connect(theirs) as server:
        assert server.execute("SELECT title FROM localfirst.work_items").fetchall() == [("theirs",)]
    with laptop(tmp_path / "a", ours) as session:
        call(session, "sync_now")
    with psycopg.connect(ours) as server:
        found = {title for (title,) in server.execute("SELECT title FROM localfirst.work_items")}
    assert found == {"mine", "while at True", "while at False"}


def test_after_adopting_it_the_other_server_has_everything(
    tmp_path: Path, postgres_server: Server, new_database: Databases
) -> None:
    ours, other = (postgres_server.url(new_database()) for _ in range(2))
    worked(tmp_path / "a", ours, "mine")
    with laptop(tmp_path / "a", other) as session:
        refused(session)
        KnownServer(session.replica).forget()  # what `localfirst sync --adopt-server` does
        call(session, "sync_now")
    with laptop(tmp_path / "c", other) as session:
        assert titles(session) == ["mine"]


def test_a_copy_elsewhere_that_lacks_something_is_no_server_that_was_set_back(
    tmp_path: Path, postgres_server: Server, new_database: Databases
) -> None:
    name = new_database()
    ours = postgres_server.url(name)
    worked(tmp_path / "a", ours, "one")
    behind, level = (f"{name}_{place}" for place in ("behind", "level"))
    postgres_server.execute(f"CREATE DATABASE {behind} TEMPLATE {name}")
    worked(tmp_path / "a", ours, "two")
    postgres_server.execute(f"CREATE DATABASE {level} TEMPLATE {name}")
    try:
        with laptop(tmp_path / "a", postgres_server.url(behind)) as session:
            refused(session)
        with psycopg.connect(postgres_server.url(behind)) as server:
            assert server.execute("SELECT title FROM localfirst.work_items").fetchall() == [("one",)]
        with laptop(tmp_path / "a", postgres_server.url(level)) as session:  # the server has moved
            create(session, "three")
            call(session, "sync_now")
            assert titles(session) == ["one", "three", "two"]
    finally:
        for copy in (behind, level):
            postgres_server.execute(f"DROP DATABASE {copy} WITH (FORCE)")


def test_another_board_at_the_known_address_is_refused(
    tmp_path: Path, postgres_server: Server, new_database: Databases
) -> None:
    here, there = new_database(), new_database()
    worked(tmp_path / "a", postgres_server.url(here), "mine")
    worked(tmp_path / "b", postgres_server.url(there), "theirs")
    postgres_server.execute(f"ALTER DATABASE {here} RENAME TO {here}_before")
    postgres_server.execute(f"ALTER DATABASE {there} RENAME TO {here}")
    try:
        with laptop(tmp_path / "a", postgres_server.url(here)) as session:
            refused(session)
            assert titles(session) == ["mine"]
    finally:
        postgres_server.execute(f"DROP DATABASE {here}_before WITH (FORCE)")


def test_an_emptied_server_is_filled_again_by_every_laptop(
    tmp_path: Path, postgres_server: Server, new_database: Databases
) -> None:
    url = postgres_server.url(new_database())
    worked(tmp_path / "a", url, "one")
    worked(tmp_path / "b", url, "two")
    with psycopg.connect(url) as server:
        server.execute("DROP SCHEMA localfirst CASCADE")
    for name in ("b", "a"):
        with laptop(tmp_path / name, url) as session:
            call(session, "sync_now")
    with laptop(tmp_path / "c", url) as session:
        assert titles(session) == ["one", "two"]
