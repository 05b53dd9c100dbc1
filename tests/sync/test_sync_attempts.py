"""A role of each grade tries to run something as another, or to write what it may not: nothing succeeds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from cluster import VERSIONS, Cluster, cluster
from localfirst_sync.code_port import SharedChunk, SharedFile, SharedPlace
from localfirst_sync.ports import BEGINNING
from localfirst_sync.postgres import code_search, code_set, rights
from localfirst_sync.postgres.bounded import BoundedConnection
from localfirst_sync.postgres.connection import connect, conninfo
from localfirst_sync.postgres.migrate import migrate
from localfirst_sync.postgres.pull import pull
from postgres import Server
from psycopg.conninfo import conninfo_to_dict
from sync_attempts import AGAIN, ATTEMPTS, ITEM, OF_THE_ENGINE, PLANTED, READING, THE_LOG, WRITES
from sync_board import ROLES, Board, board
from sync_sender import Sender, task
from sync_sink import Collected

_CATALOG = """
    SELECT 'function', p.oid::regprocedure::text,
        md5(pg_get_functiondef(p.oid)) || p.proowner::regrole || coalesce(p.proacl::text, '')
    FROM pg_proc AS p WHERE p.pronamespace = 'localfirst'::regnamespace
    UNION ALL
    SELECT 'table', c.oid::regclass::text,
        c.relowner::regrole || coalesce(c.relacl::text, '') || c.relkind::text || c.relrowsecurity::text
    FROM pg_class AS c WHERE c.relnamespace = 'localfirst'::regnamespace
    UNION ALL
    SELECT 'trigger', t.tgrelid::regclass || ' ' || t.tgname, t.tgenabled::text || pg_get_triggerdef(t.oid)
    FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid WHERE c.relnamespace = 'localfirst'::regnamespace
    UNION ALL
    SELECT 'constraint', conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'localfirst'::regnamespace
    UNION ALL
    SELECT 'schema', nspname, nspowner::regrole || coalesce(nspacl::text, '') FROM pg_namespace WHERE nspname = 'localfirst'
    UNION ALL
    SELECT 'default', oid::text, defaclrole::regrole || defaclacl::text FROM pg_default_acl
    UNION ALL
    SELECT 'member', roleid::regrole::text, member::regrole::text FROM pg_auth_members
    WHERE roleid = 'localfirst_owner'::regrole
    UNION ALL
    SELECT 'fixed', 'schema_migrations', count(*) || max(protocol)::text FROM localfirst.schema_migrations
    UNION ALL
    SELECT 'fixed', 'pending', count(*)::text FROM localfirst.history_pending
    ORDER BY 1, 2, 3
"""

_ROWS = """
    SELECT (SELECT md5(coalesce(string_agg(t::text, '' ORDER BY t.id), '')) FROM localfirst.work_items AS t),
        (SELECT md5(coalesce(string_agg(t::text, '' ORDER BY t.id), '')) FROM localfirst.vendor_extractors AS t),
        (SELECT md5(coalesce(string_agg(t::text, '' ORDER BY t.seq), '')) FROM localfirst.history AS t)
"""

_LOG = """
    SELECT (SELECT count(*) FROM localfirst.projects), (SELECT max(name) FROM localfirst.projects),
        (SELECT count(*) FROM localfirst.replicas), (SELECT max(epoch) FROM localfirst.replicas),
        (SELECT count(*) FROM localfirst.push_receipts), (SELECT count(*) FROM localfirst.code_chunks),
        (SELECT string_agg(i::text, '') FROM localfirst.server_identity AS i),
        (SELECT count(*) FROM pg_db_role_setting AS s LEFT JOIN pg_database AS d ON d.oid = s.setdatabase
            WHERE s.setrole IN ('postgres'::regrole, 'localfirst_owner'::regrole) OR d.datname = current_database()),
        (SELECT count(*) FROM pg_publication),
        (SELECT count(*) FROM pg_replication_slots WHERE database = current_database())
"""

# Rows that do not stand at the version of their last change; a log with gaps, or a head that is not its last number.
_UNLOGGED = """
    SELECT w.id FROM localfirst.work_items AS w
    WHERE w.version IS DISTINCT FROM (SELECT max(h.version) FROM localfirst.history AS h WHERE h.entity_id = w.id)
        OR w.version <> (SELECT count(*) FROM localfirst.history AS h WHERE h.entity_id = w.id)
        OR w.path <> coalesce((SELECT p.path || '/' FROM localfirst.work_items AS p WHERE p.id = w.parent_id), '') || w.id
        OR jsonb_typeof(w.metadata) <> 'object' OR w.metadata -> 'priority' = '1' OR w.updated_at < '2020-01-01'
    UNION ALL
    SELECT v.id FROM localfirst.vendor_extractors AS v
    WHERE v.version <> (SELECT max(h.version) FROM localfirst.history AS h WHERE h.entity_id = v.id)
        OR v.id <> localfirst.natural_id(v.project_id::text, 'vendor', v.name)
    UNION ALL
    SELECT p.project_id FROM localfirst.project_heads AS p
    WHERE p.head <> (SELECT count(*) FROM localfirst.history AS h WHERE h.project_id = p.project_id)
        OR p.head <> (SELECT max(h.seq) FROM localfirst.history AS h WHERE h.project_id = p.project_id)
"""

_TIDY = """
DO $$ DECLARE found record; BEGIN
    FOR found IN SELECT p.oid::regprocedure::text AS o FROM pg_proc AS p JOIN pg_roles AS r ON r.oid = p.proowner
        WHERE p.pronamespace = 'public'::regnamespace AND r.rolname <> 'postgres' LOOP
        EXECUTE format('DROP ROUTINE IF EXISTS %s CASCADE', found.o);
    END LOOP;
END $$
"""


@pytest.fixture(scope="module", params=VERSIONS)
def target(request: pytest.FixtureRequest) -> Iterator[Board]:
    with cluster(request.param) as url, board(Cluster(url)) as made:
        with made.session() as admin:
            admin.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
            admin.execute("INSERT INTO localfirst.work_items (id, item_type, title) VALUES (%s, 'task', 'the item')", (ITEM,))
        yield made


def tried(made: Board, role: str, statements: tuple[str, ...]) -> list[str]:
    """Tries each statement; what PostgreSQL said, `done` where it did it."""
    known = {
        "me": made.names[role],
        "grade": role,
        "item": ITEM,
        "project": made.project,
        "database": conninfo_to_dict(made.url)["dbname"],
    }
    said: list[str] = []
    left = iter(statements)
    while (statement := next(left, None)) is not None:
        with made.session(role) as session:
            session.execute("SET lock_timeout = '2s'")
            while statement is not None and statement != AGAIN:
                try:
                    session.execute(statement.format(**known).encode())
                    said.append("done")
                except psycopg.Error as error:
                    said.append(f"{error.sqlstate}: {error}")
                statement = next(left, None)
    return said


def seen(made: Board, query: str) -> list[Any]:
    with made.session() as admin:
        return admin.execute(query.encode()).fetchall()


# A laptop is the engine: of what is the engine's it may do all.
TRIED = [(attempt, role) for attempt in ATTEMPTS for role in ROLES if role != "laptop" or attempt not in OF_THE_ENGINE]


@pytest.mark.parametrize(("attempt", "role"), TRIED)
def test_nothing_runs_as_another_and_nothing_is_written_that_may_not_be(target: Board, role: str, attempt: str) -> None:
    catalog, rows, log = seen(target, _CATALOG), seen(target, _ROWS), seen(target, _LOG)
    said = tried(target, role, ATTEMPTS[attempt])
    with target.session() as admin:
        admin.execute(_TIDY)
    assert [text for text in said if "ran as" in text] == []
    assert seen(target, _CATALOG) == catalog
    if role in ("reader", "outsider"):
        assert seen(target, _ROWS) == rows
    assert seen(target, _LOG) == log
    assert seen(target, _UNLOGGED) == []


@pytest.mark.parametrize("role", ["application", "reader", "outsider"])
def test_the_log_is_the_engines(target: Board, role: str) -> None:
    assert [text for text in tried(target, role, THE_LOG) if not text.startswith("42501")] == []


def test_an_outsider_reads_nothing(target: Board) -> None:
    assert [text for text in tried(target, "outsider", READING) if not text.startswith("42501")] == []


def test_who_may_write_could_write_in_the_attempts(target: Board) -> None:
    """Otherwise an attempt would fail for another reason than the one that is looked for."""
    assert set(tried(target, "application", WRITES)) == {"done"}


@pytest.mark.parametrize("role", ["outsider", "reader", "application"])
def test_what_is_left_in_public_is_run_by_nobody(postgres_server: Server, role: str) -> None:
    with board(postgres_server) as made:
        with made.session() as admin:
            admin.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
            admin.execute("INSERT INTO localfirst.work_items (id, item_type, title) VALUES (%s, 'task', 'the item')", (ITEM,))
        assert [text for text in tried(made, role, PLANTED) if text != "done"] == []
        ours = connect(made.url_of("laptop"))
        work_as_the_engine(ours, made.project)
        ours.close()
        # As behind a pooler that refuses start-up parameters.
        plain = BoundedConnection.connect(conninfo(made.url_of("laptop"), options=False), autocommit=True)
        work_as_the_engine(plain, made.project)
        plain.close()
        for writer in ("laptop", "application"):
            assert set(tried(made, writer, WRITES)) == {"done"}
        with made.session() as admin:  # with psql's search path
            admin.execute("INSERT INTO localfirst.work_items (item_type, title) VALUES ('task', 'an administrator''s')")
            admin.execute("UPDATE localfirst.work_items SET title = title || '.'")
            admin.execute("DELETE FROM localfirst.work_items")
        administrator = connect(made.url)
        migrate(administrator)
        rights.secure(administrator)
        rights.grant(administrator, made.names["reader"], "reader")
        administrator.close()


def work_as_the_engine(connection: Any, project: str) -> None:
    """Pushes, pulls, shares code and searches it."""
    sender = Sender(connection, project, "ann")
    item = sender.create("work_item", task())
    sender.push()
    sender.change("work_item", item, 1, {"title": ("A task", "changed")})
    sender.push()
    pull(connection, project, BEGINNING, Collected())
    chunk = bytes(16)
    code_set.note_repository(connection, project, "r", "r", "ann")
    code_set.put_chunks(connection, project, [SharedChunk(chunk, "def one(): pass", "one", "def one pass")])
    code_set.put_vectors(connection, project, "model", [(chunk, bytes(range(8)))])
    place = SharedPlace(1, 1, "one", "function", chunk)
    code_set.put_files(connection, project, "r", [SharedFile("one.py", bytes(16), "python", [place])], [])
    code_set.ensure_vector_index(connection, "model")
    found = code_search.candidates(connection, project, words=["one"], model="model", vector=bytes(range(8)))
    assert [one.path for one in found] == ["one.py"]
