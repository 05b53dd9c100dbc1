"""Laptops whose role lacks a right that PostgreSQL gives to everybody unless somebody takes it away."""

from __future__ import annotations

import uuid
from pathlib import Path

import psycopg
import pytest
from cluster import run
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.identifiers import project_id
from localfirst_sync.code_port import SharedChunk, SharedFile, SharedPlace
from localfirst_sync.postgres import code_set
from localfirst_sync.postgres.bulk import BULK_ROWS
from localfirst_sync.postgres.connection import connect
from localfirst_sync.postgres.migrate import ensure_project
from localfirst_sync.postgres.rights import grant
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sync_laptop import PROJECT_NAME, laptops
from sync_sender import task

PROJECT = project_id(PROJECT_NAME)


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
            assert {row["title"] for row in reader.displayed()["work_items"]} == {"Never sent", "Of another"}
            assert reader.local.pending_count() == 1
    finally:
        run(database_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_role_without_temporary_tables_shares_code(database_url: str) -> None:
    role = f"few_{uuid.uuid4().hex}"
    run(database_url, f"CREATE ROLE {role} LOGIN")
    with connect(database_url) as owner:
        grant(owner, role, "laptop")
        ensure_project(owner, PROJECT, PROJECT_NAME)
    database = conninfo_to_dict(database_url)["dbname"]
    run(database_url, f"REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC, {role}")
    chunks = [SharedChunk(bytes([n]) * 16, f"def f{n}(): ...", f"f{n}", "tab\tand \\ and 🐍") for n in range(3)]
    places = [SharedPlace(1, 2, None if n else "f0", "function", chunk.chunk_hash) for n, chunk in enumerate(chunks)]
    try:
        with connect(make_conninfo(database_url, user=role)) as laptop:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                laptop.execute("CREATE TEMPORARY TABLE t ()")
            code_set.put_chunks(laptop, PROJECT, chunks)
            code_set.put_chunks(laptop, PROJECT, [])
            code_set.put_vectors(laptop, PROJECT, "model", [(chunk.chunk_hash, b"\x01\xff" * 4) for chunk in chunks])
            code_set.note_repository(laptop, PROJECT, "r", "r", "ann")
            code_set.put_files(laptop, PROJECT, "r", [SharedFile("a.py", b"h" * 16, "python", places)], [])
            code_set.put_files(laptop, PROJECT, "r", [SharedFile("b.py", b"i" * 16, "python", [])], ["a.py"])
            hashes = [chunk.chunk_hash for chunk in chunks]
            assert not code_set.missing_chunks(laptop, PROJECT, hashes)
            assert not code_set.missing_vectors(laptop, PROJECT, "model", hashes)
            assert code_set.fetch_vectors(laptop, PROJECT, "model", hashes)[hashes[0]] == b"\x01\xff" * 4
            assert code_set.files_of(laptop, PROJECT, "r") == {"b.py": b"i" * 16}
            found = laptop.execute("SELECT text FROM localfirst.code_chunks ORDER BY chunk_hash").fetchall()
            assert found == [(chunk.text,) for chunk in chunks]
    finally:
        run(database_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")
