"""`localfirst server delete-project`, what becomes of replicas, and what somebody has left of a project by hand."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from cluster import run
from localfirst_schema.identifiers import project_id

from cli.conftest import NewLaptop
from cli.shell import Shell

pytestmark = pytest.mark.xdist_group("postgres")

PROJECT = project_id("team/board")


def _count(url: str, table: str) -> int:
    with psycopg.connect(url) as session:
        return int(session.execute(f"SELECT count(*) FROM localfirst.{table}".encode()).fetchall()[0][0])


def _many(url: str, count: int) -> None:
    run(
        url,
        f"INSERT INTO localfirst.work_items (item_type, title, project_id) SELECT 'task', 'n' || n, '{PROJECT}'"
        f" FROM generate_series(1, {count}) AS n",
    )


def test_a_project_is_deleted_after_its_rows_were_written_to_a_file(
    laptop: NewLaptop, database_url: str, tmp_path: Path
) -> None:
    ann = laptop("ann")
    item = ann.item("Of ann")
    ann.ok("vendor", "create", "acme")
    other = laptop("other")
    other.more["LOCALFIRST_PROJECT"] = "team/other"
    other.item("Of another project")
    _many(database_url, 5_000)
    run(database_url, f"DELETE FROM localfirst.work_items WHERE project_id = '{PROJECT}' AND title = 'n17'")
    assert "nothing was deleted" in ann.error("server", "delete-project", "team/board")["message"]
    assert ann.error("server", "delete-project", "nobody", "--yes")["error"] == "NotFoundError"
    done = ann.json("server", "delete-project", "team/board", "--yes", "-o", str(tmp_path / "kept.jsonl"))
    assert (done["project_id"], done["work_items"]) == (PROJECT, 5_001)
    lines = [json.loads(line) for line in (tmp_path / "kept.jsonl").read_text().splitlines()]
    assert (tmp_path / "kept.jsonl").stat().st_mode & 0o777 == 0o600
    assert len(lines) == done["rows"]
    assert {"work_items", "history", "vendor_extractors", "projects"} <= {line["table"] for line in lines}
    assert item in {line["row"]["id"] for line in lines if line["table"] == "work_items"}
    assert _count(database_url, "work_items") == 1
    assert _count(database_url, "projects") == 1
    other.item("Tombstones are left as ever")
    run(database_url, "DELETE FROM localfirst.work_items WHERE title = 'Tombstones are left as ever'")
    assert _count(database_url, "work_items") == 2


def test_a_replica_keeps_what_it_has_and_fills_the_server_again_only_when_reported_to(
    laptop: NewLaptop, database_url: str
) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    ann.item("Of ann")
    bob.json("item", "list")
    ann.ok("server", "delete-project", "team/board", "--yes", "--no-export")
    ann.ok("item", "create", "Written after it")
    error = ann.error("sync")
    assert error["details"]["cause"] == "project_deleted"
    assert "was deleted on its server" in error["message"]
    assert {item["title"] for item in ann.json("item", "list")["items"]} == {"Of ann", "Written after it"}
    assert ann.json("sync", "--status")["pending_mutations"] == 1
    assert _count(database_url, "work_items") == 0
    # Somebody begins it anew: those who knew the old one do not mix it in by themselves.
    new = laptop("new")
    new.item("Of the new one")
    assert ann.error("sync")["details"]["cause"] == "project_deleted"
    assert _count(database_url, "work_items") == 1
    ann.ok("sync", "--adopt-server")
    assert {item["title"] for item in new.json("item", "list")["items"]} == {"Of ann", "Written after it", "Of the new one"}
    assert new.json("sync")["success"]
    assert ann.json("sync")["warnings"] == []


def test_what_somebody_has_left_of_a_project_by_hand_is_deleted_too(laptop: NewLaptop, database_url: str) -> None:
    ann = laptop("ann")
    ann.item("Of ann")
    _many(database_url, 5_000)
    with psycopg.connect(database_url) as session:
        session.execute("SET session_replication_role = replica")
        for table in ("history", "project_heads", "projects"):
            session.execute(f"DELETE FROM localfirst.{table}".encode())
    done = ann.json("server", "delete-project", "team/board", "--yes", "--no-export")
    assert done["work_items"] == 5_001
    assert _count(database_url, "work_items") == _count(database_url, "project_configuration") == 0
    ann.ok("sync", "--adopt-server")
    assert [item["title"] for item in ann.json("item", "list")["items"]] == ["Of ann"]
    assert _count(database_url, "work_items") == 1


def test_a_laptop_may_not(laptop: NewLaptop, database_url: str) -> None:
    from psycopg.conninfo import make_conninfo

    ann: Shell = laptop("ann")
    ann.item("Of ann")
    run(database_url, "CREATE ROLE no_owner LOGIN")
    try:
        ann.ok("server", "grant", "no_owner")
        ann.more["LOCALFIRST_DATABASE_URL"] = make_conninfo(database_url, user="no_owner")
        error = ann.error("server", "delete-project", "team/board", "--yes", "--no-export")
        assert error["details"]["cause"] == "permission"
        assert _count(database_url, "work_items") == 1
    finally:
        run(database_url, "DROP OWNED BY no_owner", "DROP ROLE no_owner")
