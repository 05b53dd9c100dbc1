"""Databases and roles with unusual settings: pinned, worked around, or refused in words before anything is made."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from cluster import VERSIONS, cluster, run
from localfirst_schema.entities import VENDOR, WORK_ITEM
from localfirst_schema.errors import UnavailableError
from localfirst_schema.identifiers import project_id
from localfirst_sync.code_port import SharedChunk, SharedFile, SharedPlace
from localfirst_sync.postgres import code_search, code_set
from localfirst_sync.postgres.connection import Connection, connect
from localfirst_sync.postgres.migrate import migrate
from localfirst_sync.postgres.probe import HeadProbe
from pooler import pooler
from psycopg.conninfo import make_conninfo
from sync_laptop import PROJECT_NAME, laptops
from sync_sender import task

PROJECT = project_id(PROJECT_NAME)

ODD = {
    "standard_conforming_strings": ["off"],
    "backslash_quote": ["off", "on"],
    "default_transaction_read_only": ["on"],
    "default_transaction_isolation": ["serializable", "repeatable read", "read uncommitted"],
    "default_transaction_deferrable": ["on"],
    "idle_session_timeout": ["50ms"],
    "idle_in_transaction_session_timeout": ["50ms"],
    "statement_timeout": ["1ms"],
    "lock_timeout": ["1ms"],
    "DateStyle": ["German, DMY", "SQL, MDY", "Postgres, YMD"],
    "IntervalStyle": ["sql_standard", "postgres_verbose"],
    "TimeZone": ["Asia/Kathmandu", "America/St_Johns", "UTC-13:45"],
    "bytea_output": ["escape"],
    "extra_float_digits": ["-15"],
    "array_nulls": ["off"],
    "search_path": ["nowhere", "public, pg_catalog"],
    "row_security": ["off"],
    "transform_null_equals": ["on"],
    "exit_on_error": ["on"],
    "client_min_messages": ["error", "debug5"],
    "check_function_bodies": ["off"],
    "plpgsql.extra_errors": ["all"],
    "client_encoding": ["LATIN1"],
    "quote_all_identifiers": ["on"],
    "enable_seqscan": ["off"],
    "enable_nestloop": ["off"],
    "enable_indexscan": ["off"],
    "jit_above_cost": ["0"],
    "work_mem": ["64kB"],
    "synchronous_commit": ["off"],
    "default_text_search_config": ["simple"],
    "xmloption": ["document"],
}
"""What a role or a database may say without a superuser's help, and PostgreSQL 15 and newer know."""


@pytest.fixture(scope="module", params=VERSIONS)
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server of a version."""
    with cluster(str(request.param)) as url:
        yield url


@pytest.mark.parametrize("encoding", ["LATIN1", "LATIN9", "SQL_ASCII", "EUC_JP", "WIN1251"])
def test_another_encoding_is_refused_in_words_before_anything_is_made(server: str, encoding: str) -> None:
    name = f"test_{uuid.uuid4().hex}"
    run(server, f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    url = make_conninfo(server, dbname=name)
    try:
        with pytest.raises(UnavailableError) as logged:
            connect(url)
        assert logged.value.details["cause"] == "settings"
        assert encoding in logged.value.message
        assert "UTF8" in logged.value.message
        assert "when it is back" not in logged.value.message
        with psycopg.connect(url) as psql:
            assert psql.execute("SELECT to_regnamespace('localfirst')").fetchone() == (None,)
    finally:
        run(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("seed", range(5))
def test_whatever_a_role_and_a_database_say_it_works(server: str, seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    chosen = {name: dice.choice(ODD[name]) for name in sorted(ODD) if seed == 0 or dice.random() < 0.5}
    with Odd(server, chosen, dice) as url:
        _work(url, tmp_path)


@pytest.mark.parametrize("seed", range(2))
def test_it_works_behind_a_pooler_too(server: str, seed: int, tmp_path: Path) -> None:
    dice = random.Random(100 + seed)
    # The pooler's own sessions are cut by those, and what is shared there is not pinned against a stand-still.
    chosen = {
        name: dice.choice(ODD[name])
        for name in sorted(
            ODD.keys() - {"idle_session_timeout", "exit_on_error", "statement_timeout", "idle_in_transaction_session_timeout"}
        )
    }
    with Odd(server, chosen, dice) as url, pooler(url, "transaction", size=2) as pooled:
        _work(pooled, tmp_path)


class Odd:
    """A database with these settings, each said by its role or by itself: the role's connection string."""

    def __init__(self, server: str, settings: dict[str, str], dice: random.Random) -> None:
        self._server = server
        self._name = f"odd_{uuid.uuid4().hex}"
        self._settings = [(name, value, dice.random() < 0.5) for name, value in settings.items()]

    def __enter__(self) -> str:
        name = self._name
        run(
            self._server, f"CREATE ROLE {name} LOGIN", f"CREATE DATABASE {name} OWNER {name} TEMPLATE template0 ENCODING 'UTF8'"
        )
        for setting, value, by_role in self._settings:
            what = f"ROLE {name}" if by_role else f"DATABASE {name}"
            said = value if setting in ("search_path", "DateStyle") else f"'{value}'"
            run(self._server, f"ALTER {what} SET {setting} = {said}")
        return make_conninfo(self._server, dbname=name, user=name)

    def __exit__(self, *_: object) -> None:
        run(self._server, f"DROP DATABASE {self._name} WITH (FORCE)", f"DROP ROLE {self._name}")


def _work(url: str, folder: Path) -> None:
    """Two laptops from an empty database on, a search of code, and a probe."""
    with laptops(folder, url) as new:
        ann, bob = new("ann"), new("bob")
        text = 'O\'Brien \\ "quoted" é 🐍 \t %s'
        item = ann.create(WORK_ITEM, **task("Of Ann", metadata={"notes": text}))
        ann.create(VENDOR, name=f"vendor {text.strip()}".replace("\t", ""), operational=True, metadata={})
        many = [ann.create(WORK_ITEM, **task(f"{number}")) for number in range(510)]
        ann.sync()
        bob.sync()
        bob.change(WORK_ITEM, item, title="Of Bob")
        for one in many:
            bob.change(WORK_ITEM, one, title=f"{text} changed".replace("\t", ""))
        bob.sync()
        ann.sync()
        assert ann.displayed() == bob.displayed()
        assert len(ann.displayed()["work_items"]) == 511
        assert not ann.local.pending_count() + bob.local.pending_count()
        probe = HeadProbe(url, ann.local.identity().project_id)
        try:
            assert [probe.head(5_000) for _ in range(3)] == [ann.local.cursor()] * 3
        finally:
            probe.close()
    with connect(url) as connection:
        assert migrate(connection) == 0
        _share(connection)


def _share(connection: Connection) -> None:
    """What an index job that shares does."""
    content = "def parse(line):\n    return line.split('\\\\')  # é 🐍\n"
    chunks = [SharedChunk(bytes([n]) * 16, content, "parse", content) for n in range(3)]
    code_set.note_repository(connection, PROJECT, "r", "r", "ann")
    code_set.put_chunks(connection, PROJECT, chunks)
    code_set.put_vectors(connection, PROJECT, "m", [(chunk.chunk_hash, b"\x01\xff\x00\\" * 64) for chunk in chunks])
    places = [SharedPlace(1, 2, "parse", "function", chunk.chunk_hash) for chunk in chunks]
    code_set.put_files(connection, PROJECT, "r", [SharedFile("a\\b é.py", b"h" * 16, "python", places)], ["gone.py"])
    code_set.note_complete_model(connection, PROJECT, "r", "m")
    assert code_set.files_of(connection, PROJECT, "r") == {"a\\b é.py": b"h" * 16}
    assert code_set.fetch_vectors(connection, PROJECT, "m", [chunks[0].chunk_hash]) == {
        chunks[0].chunk_hash: b"\x01\xff\x00\\" * 64
    }
    found = code_search.candidates(connection, PROJECT, words=["parse"], model="m", vector=b"\x01\xff\x00\\" * 64)
    assert len(found) == 3
