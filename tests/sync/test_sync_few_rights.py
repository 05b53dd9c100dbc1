"""Laptops whose role lacks a right that PostgreSQL gives to everybody unless somebody takes it away."""

from __future__ import annotations

import uuid
from pathlib import Path

import psycopg
from cluster import run
from localfirst_schema.entities import WORK_ITEM
from localfirst_sync.postgres.bulk import BULK_ROWS
from localfirst_sync.postgres.connection import connect
from localfirst_sync.postgres.rights import grant
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sync_laptop import laptops
from sync_sender import task


def test_a_role_without_temporary_tables_sends_a_large_batch(database_url: str, tmp_path: Path) -> None:
    role = f"few_{uuid.uuid4().hex}"
    run(database_url, f"CREATE ROLE {role} LOGIN")
    with connect(database_url) as owner:
        grant(owner, role, "laptop")
    database = conninfo_to_dict(database_url)["dbname"]
    run(database_url, f"REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC, {role}")
    url = make_conninfo(database_url, user=role)
    try:
        with laptops(tmp_path, url) as new:
            ann = new("ann")
            items = [ann.create(WORK_ITEM, **task()) for _ in range(BULK_ROWS)]
            ann.sync()
            for item in items:
                ann.change(WORK_ITEM, item, title="Changed")
            ann.sync()
            assert not ann.local.pending_count()
        with psycopg.connect(database_url) as psql:
            assert psql.execute("SELECT DISTINCT title FROM localfirst.work_items").fetchall() == [("Changed",)]
    finally:
        run(database_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_reader_that_has_written_once_goes_on_to_see_what_others_do(database_url: str, tmp_path: Path) -> None:
    role = f"reader_{uuid.uuid4().hex}"
    run(database_url, f"CREATE ROLE {role} LOGIN")
    with connect(database_url) as owner:
        grant(owner, role, "reader")
    try:
        with laptops(tmp_path, database_url) as new, laptops(tmp_path, make_conninfo(database_url, user=role)) as lesser:
            ann = new("ann")
            ann.sync()
            reader = lesser("reader")
            reader.sync()
            reader.create(WORK_ITEM, **task("Never sent"))
            ann.create(WORK_ITEM, **task("Of another"))
            ann.sync()
            done = reader.sync()
            assert (done.pushed, done.pulled, done.access) == (0, 1, "read")
            assert {row["title"] for row in reader.shown()["work_items"]} == {"Never sent", "Of another"}
            assert reader.local.pending_count() == 1
    finally:
        run(database_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")
