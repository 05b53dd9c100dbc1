"""A project gets another name on the server: laptops go on with it, and its id and rows stay."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from localfirst_schema.errors import InvalidStateError
from reading.world import call
from waiting import until

from cli.shell import Shell
from localfirst.client.session import Session
from localfirst.settings import load

Server = psycopg.Connection[Any]


@pytest.fixture
def admin(tmp_path: Path, database_url: str) -> Shell:
    return Shell(tmp_path / "admin", {"LOCALFIRST_DATABASE_URL": database_url})


def board(folder: Path, url: str, name: str) -> Session:
    folder.mkdir(exist_ok=True)
    return Session(
        load(
            folder,
            {
                "LOCALFIRST_DATABASE_URL": url,
                "LOCALFIRST_REPLICA": str(folder / "replica.db"),
                "LOCALFIRST_PROJECT": name,
            },
        )
    )


@pytest.fixture
def session(tmp_path: Path, database_url: str) -> Iterator[Session]:
    opened = board(tmp_path / "laptop", database_url, "github.com/Team/Board")
    yield opened
    opened.close()


def projects(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as server:
        return server.execute("SELECT id::text, name FROM localfirst.projects ORDER BY name").fetchall()


def test_a_laptop_at_work_learns_the_name_and_keeps_everything(session: Session, admin: Shell, database_url: str) -> None:
    call(session, "create_vendor", name="alder")
    call(session, "sync_now")
    ((project_id, _),) = projects(database_url)
    done = admin.json("server", "rename-project", "github.com/team/board", "team/new")
    assert done == {
        "success": True, "warnings": [], "project_id": project_id, "old": "github.com/Team/Board", "project": "team/new",
    }  # fmt: skip
    assert projects(database_url) == [(project_id, "team/new")]
    # By the notice, while nothing else happens.
    until(lambda: call(session, "sync_status")["project"] == "team/new", 10.0)
    assert session.project_id == project_id
    assert call(session, "query_vendor_status", name="alder")["version"] == 1
    call(session, "create_vendor", name="birch")
    assert call(session, "sync_now")["pushed"] == 1


def test_who_names_the_file_and_the_name_of_before_goes_on_and_is_informed(
    session: Session, admin: Shell, database_url: str, tmp_path: Path
) -> None:
    item = call(session, "create_work_item", item_type="task", title="Of before")
    call(session, "sync_now")
    admin.ok("server", "rename-project", "github.com/team/board", "team/new")
    until(lambda: call(session, "sync_status")["project"] == "team/new", 10.0)
    session.close()
    again = board(tmp_path / "laptop", database_url, "github.com/Team/Board")
    try:
        words = again.take_announcement()
        assert words is not None
        assert "'github.com/Team/Board'" in words
        assert "is called 'team/new' now" in words
        found = call(again, "list_work_items")
        assert [row["id"] for row in found["items"]] == [item["id"]]
        assert found["warnings"] == []
        assert call(again, "sync_status")["project"] == "team/new"
    finally:
        again.close()
    with pytest.raises(InvalidStateError, match="belongs to the project 'team/new', not to 'team/another'"):
        board(tmp_path / "laptop", database_url, "team/another")


def test_only_spelling_it_otherwise_is_a_rename_too(session: Session, admin: Shell, database_url: str) -> None:
    call(session, "sync_now")
    assert (
        "is called github.com/team/board now"
        in admin.ok("server", "rename-project", "github.com/Team/Board", "github.com/team/board").out
    )
    assert "already" in admin.ok("server", "rename-project", "github.com/team/board", "github.com/team/board").out


def test_a_name_that_another_project_has_is_refused_with_words(
    session: Session, admin: Shell, database_url: str, tmp_path: Path
) -> None:
    call(session, "sync_now")
    other = board(tmp_path / "other", database_url, "github.com/team/other")
    call(other, "sync_now")
    other.close()
    before = projects(database_url)
    for taken in ("github.com/team/other", "GitHub.com/Team/Other.git"):
        done = admin.run("server", "rename-project", "github.com/team/board", taken)
        assert done.status != 0
        assert "another project 'github.com/team/other'" in done.err
        assert "init --project github.com/team/other" in done.err
    assert projects(database_url) == before


def test_what_is_not_there_and_what_is_no_name_is_said(session: Session, admin: Shell, database_url: str) -> None:
    call(session, "sync_now")
    before = projects(database_url)
    assert "there is no project 'team/unknown'" in admin.run("server", "rename-project", "team/unknown", "x").err
    for name in ("", "x" * 201, "a\x07b"):
        done = admin.run("server", "rename-project", "github.com/team/board", name)
        assert done.status != 0
        assert "name" in done.err
    assert projects(database_url) == before


def test_the_doctor_names_two_projects_that_were_begun_under_two_spellings(
    session: Session, admin: Shell, database_url: str
) -> None:
    call(session, "sync_now")
    with psycopg.connect(database_url, autocommit=True) as server:  # as it was before there were keys
        server.execute("ALTER TABLE localfirst.projects DISABLE TRIGGER key_project")
        server.execute("INSERT INTO localfirst.projects (id, name) VALUES (gen_random_uuid(), 'github.com/TEAM/board')")
        server.execute("ALTER TABLE localfirst.projects ENABLE TRIGGER key_project")
    admin.more["LOCALFIRST_PROJECT"] = "github.com/team/board"
    admin.ok("item", "list")

    def said() -> list[str]:
        checks = admin.run("doctor", "--json").json["checks"]
        return [check["words"] for check in checks if check["subject"] == "project" and check["level"] == "warning"]

    (words,) = said()
    assert "two projects of what is one name: github.com/TEAM/board and github.com/Team/Board" in words
    admin.ok("server", "rename-project", "github.com/TEAM/board", "team/its-own")
    assert said() == []


def test_of_two_renames_to_one_name_one_is_refused(session: Session, database_url: str, tmp_path: Path) -> None:
    from localfirst_sync.postgres.connection import connect
    from localfirst_sync.postgres.rename import rename

    call(session, "sync_now")
    other = board(tmp_path / "other", database_url, "team/other")
    call(other, "sync_now")
    other.close()
    outcomes: list[object] = []
    together = threading.Barrier(2)

    def change(old: str) -> None:
        connection = connect(database_url)
        try:
            together.wait()
            outcomes.append(rename(connection, old, "team/one"))
        except InvalidStateError as error:
            outcomes.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=change, args=(old,)) for old in ("github.com/team/board", "team/other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(isinstance(one, InvalidStateError) for one in outcomes) == [False, True]
    assert [name for _, name in projects(database_url)].count("team/one") == 1
