"""Archiving by a schedule: what was created more than a year ago leaves the default queries without being asked for."""

from __future__ import annotations

import logging
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from localfirst_schema.errors import ValidationError
from waiting import until

from contract.agent import working
from contract.laptop import Laptop
from localfirst import settings
from localfirst.client.session import Session
from localfirst.operations import archiving_schedule
from localfirst.operations.registry import BY_NAME


def ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


def loaded(tmp_path: Path, **environment: str) -> settings.Settings:
    given = {"LOCALFIRST_REPLICA": str(tmp_path / "replica.sqlite3"), "LOCALFIRST_PROJECT": "tests/archiving", **environment}
    return settings.load(tmp_path, given)


def call(session: Session, operation: str, **arguments: Any) -> dict[str, Any]:
    found = BY_NAME[operation]
    return found.run(session, found.arguments.model_validate(arguments))


def create(session: Session, title: str, days: float, parent: dict[str, Any] | None = None) -> dict[str, Any]:
    return call(
        session, "create_work_item", item_type="task", title=title, created_at=ago(days), parent_id=parent and parent["id"]
    )


def titles(session: Session) -> set[str]:
    return {item["title"] for item in call(session, "list_work_items")["items"]}


def test_what_is_older_than_a_year_is_archived_under_a_name_of_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = loaded(tmp_path)
    session = Session(found)
    old = create(session, "old", 366)
    create(session, "young", 364)
    with caplog.at_level(logging.INFO, logger="localfirst.archiving"):
        assert archiving_schedule.archive_if_level(found) == 1
    assert titles(session) == {"young"}
    read = call(session, "query_work_item", id=old["id"])
    assert read["archived_at"] is not None
    assert (read["updated_by"], read["version"]) == ("localfirst archiving", 2)
    change = call(session, "get_history", entity="work_item", id=old["id"])["changes"][0]
    assert (change["by"], list(change["fields"])) == ("localfirst archiving", ["archived_at"])
    assert "1 items created more than a year ago were archived" in caplog.text
    session.close()


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    session = Session(found)
    old = create(session, "old", 400)
    assert archiving_schedule.archive_if_level(found) == 1
    assert archiving_schedule.archive_if_level(found) == 0
    assert call(session, "query_work_item", id=old["id"])["version"] == 2
    session.close()


def test_nothing_above_something_current_is_archived(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    session = Session(found)
    project = create(session, "project", 500)
    part = create(session, "part", 450, project)
    create(session, "current", 10, part)
    create(session, "done with", 450, project)
    assert archiving_schedule.archive_if_level(found) == 1
    assert titles(session) == {"project", "part", "current"}
    session.close()


def test_the_thread_archives_and_wakes_the_loop(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    session = Session(found)
    create(session, "old", 400)
    woken = threading.Event()
    schedule = archiving_schedule.keep(found, woken.set, first_after_s=0.0)
    assert woken.wait(30)
    schedule.stop()
    assert titles(session) == set()
    session.close()


IN_A_MOMENT = """
from localfirst.mcp_server.main import main
from localfirst.operations import archiving_schedule

archiving_schedule.keep.__kwdefaults__["first_after_s"] = 0.3
main()
"""
"""The MCP server as it is, but that it does not wait for two minutes."""


def test_a_running_server_archives_and_sends_it_without_being_asked(tmp_path: Path, database_url: str) -> None:
    laptop = Laptop(tmp_path, {"LOCALFIRST_DATABASE_URL": database_url, "LOCALFIRST_PROJECT": "tests/archiving"})
    with working(laptop) as agent:
        old = agent.create("old", created_at=ago(400))
        agent.create("young")
        agent.call("sync_now")
    with psycopg.connect(database_url, autocommit=True) as server:
        archived = "SELECT title, updated_by FROM localfirst.work_items WHERE archived_at IS NOT NULL"
        with working(laptop, program=(sys.executable, "-c", IN_A_MOMENT)) as agent:
            found = until(lambda: server.execute(archived).fetchall(), 30, "the archived item is on the server")
            assert found == [("old", "localfirst archiving")]
            assert [item["title"] for item in agent.call("list_work_items")["items"]] == ["young"]
            assert agent.read(old)["archived_at"] is not None


def test_it_can_be_turned_off(tmp_path: Path) -> None:
    assert loaded(tmp_path).archiving is True
    before = threading.active_count()
    archiving_schedule.keep(loaded(tmp_path, LOCALFIRST_ARCHIVING="no"), lambda: None, first_after_s=0.0)
    assert threading.active_count() == before
    (tmp_path / ".localfirst.toml").write_text('archiving = "no"\n')
    assert loaded(tmp_path).archiving is False
    with pytest.raises(ValidationError):
        loaded(tmp_path, LOCALFIRST_ARCHIVING="sometimes")


def test_a_replica_that_is_not_level_with_its_server_is_left_alone(tmp_path: Path) -> None:
    session = Session(loaded(tmp_path))
    create(session, "old", 400)
    away = loaded(tmp_path, LOCALFIRST_DATABASE_URL="postgresql://127.0.0.1:1/nothing")
    assert archiving_schedule.archive_if_level(away) is None
    assert titles(session) == {"old"}
    session.close()


def test_no_replica_is_created_for_it(tmp_path: Path) -> None:
    assert archiving_schedule.archive_if_level(loaded(tmp_path)) is None
    assert list(tmp_path.iterdir()) == []


def test_what_was_archived_reaches_the_server_and_the_other_laptop(tmp_path: Path, database_url: str) -> None:
    (tmp_path / "other").mkdir()
    here = loaded(tmp_path, LOCALFIRST_DATABASE_URL=database_url)
    there = loaded(tmp_path / "other", LOCALFIRST_DATABASE_URL=database_url)
    session, other = Session(here), Session(there)
    create(session, "old", 400)
    create(session, "young", 1)
    call(session, "sync_now")
    call(other, "sync_now")
    assert titles(other) == {"old", "young"}
    assert archiving_schedule.archive_if_level(here) == 1
    call(session, "sync_now")
    call(other, "sync_now")
    assert titles(other) == {"young"}
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT title, updated_by FROM localfirst.work_items WHERE archived_at IS NOT NULL"
        ).fetchall()
    assert found == [("old", "localfirst archiving")]
    session.close()
    other.close()
