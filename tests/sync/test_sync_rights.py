"""Who may do what in PostgreSQL, and as whom."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest
from localfirst_schema.errors import UnavailableError
from localfirst_schema.identifiers import natural_id
from localfirst_sync.postgres.connection import connect
from postgres import Server
from psycopg import errors
from sync_board import Board, board
from sync_sender import Sender, task


@pytest.fixture(scope="module")
def server_board(postgres_server: Server) -> Iterator[Board]:
    with board(postgres_server) as made:
        yield made


INSERT = b"INSERT INTO localfirst.work_items (item_type, title) VALUES ('task', 'an item') RETURNING id"


@pytest.mark.parametrize("role", ["application", "laptop", None])
def test_a_direct_writer_of_any_grade_gets_version_history_and_number(server_board: Board, role: str | None) -> None:
    with server_board.session(role) as session:
        [(item,)] = session.execute(INSERT).fetchall()
        session.execute("UPDATE localfirst.work_items SET title = 'changed' WHERE id = %s", (item,))
        session.execute("DELETE FROM localfirst.work_items WHERE id = %s", (item,))
    with server_board.session() as admin:
        row = admin.execute("SELECT version, deleted_at IS NULL FROM localfirst.work_items WHERE id = %s", (item,)).fetchone()
        logged = admin.execute(
            "SELECT version, by FROM localfirst.history WHERE entity_id = %s ORDER BY seq", (item,)
        ).fetchall()
    name = server_board.names[role] if role else "postgres"
    assert row == (3, False)
    assert logged == [(1, name), (2, name), (3, name)]


def test_the_setting_alone_makes_nobody_the_engine(server_board: Board) -> None:
    with server_board.session("application") as session:
        [(item,)] = session.execute(INSERT).fetchall()
        session.execute("SET localfirst.engine = 'on'")
        session.execute("UPDATE localfirst.work_items SET title = 'by stealth' WHERE id = %s", (item,))
        with pytest.raises(errors.InsufficientPrivilege):
            session.execute("SELECT localfirst.act_as_engine()")
    logged = "SELECT count(*) FROM localfirst.history WHERE entity_id = %s"
    assert server_board.one("SELECT version FROM localfirst.work_items WHERE id = %s", item) == 2
    assert server_board.one(logged, item) == 2


def test_a_laptop_pushes_in_small_and_in_bulk_and_an_application_is_refused(server_board: Board) -> None:
    connection = connect(server_board.url_of("laptop"))
    ann = Sender(connection, server_board.project, "ann")
    ann.create(
        "vendor", {"name": "Acme", "operational": True, "metadata": {}}, natural_id(server_board.project, "vendor", "Acme")
    )
    ann.push()
    items = [ann.create("work_item", task(f"Task {number}")) for number in range(600)]
    ann.push()
    for item in items:
        ann.change("work_item", item, 1, {"title": (None, "changed in bulk")})
    ann.push()
    connection.close()
    refused = connect(server_board.url_of("application"))
    bob = Sender(refused, server_board.project, "bob")
    bob.create("work_item", task())
    with pytest.raises(UnavailableError) as failed:
        bob.push()
    assert failed.value.details["cause"] == "permission"
    refused.close()


def test_a_role_that_is_a_laptop_in_another_database_is_none_here(server_board: Board) -> None:
    with server_board.session() as admin:
        engine = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = 'localfirst_engine'").fetchone()
        assert engine == (1,)
        admin.execute(f"GRANT localfirst_engine TO {server_board.names['application']}".encode())
    with server_board.session("application") as session:
        [(item,)] = session.execute(INSERT).fetchall()
        session.execute("SET localfirst.engine = 'on'")
        session.execute("UPDATE localfirst.work_items SET title = 'by stealth' WHERE id = %s", (item,))
    assert server_board.one("SELECT version FROM localfirst.work_items WHERE id = %s", item) == 2
    with server_board.session() as admin:
        admin.execute(f"REVOKE localfirst_engine FROM {server_board.names['application']}".encode())


def test_everything_is_owned_by_a_role_that_is_no_superuser_and_cannot_log_in(server_board: Board) -> None:
    owners = """
        SELECT DISTINCT r.rolname, r.rolsuper, r.rolcanlogin FROM pg_roles AS r WHERE r.oid IN (
            SELECT relowner FROM pg_class WHERE relnamespace = 'localfirst'::regnamespace
            UNION SELECT proowner FROM pg_proc WHERE pronamespace = 'localfirst'::regnamespace
            UNION SELECT nspowner FROM pg_namespace WHERE nspname = 'localfirst'
        )
    """
    with server_board.session() as admin:
        assert admin.execute(owners).fetchall() == [("localfirst_owner", False, False)]


def test_every_function_says_where_it_looks_names_up(server_board: Board) -> None:
    loose = """
        SELECT p.oid::regprocedure::text FROM pg_proc AS p
        WHERE p.pronamespace = 'localfirst'::regnamespace AND p.prosqlbody IS NULL
            AND NOT coalesce(p.proconfig, '{}') @> '{"search_path=pg_catalog, pg_temp"}'
            AND (p.prosecdef OR coalesce(obj_description(p.oid), '') NOT LIKE 'qualified%%')
    """
    open_to_all = """
        SELECT p.oid::regprocedure::text FROM pg_proc AS p
        WHERE p.pronamespace = 'localfirst'::regnamespace AND (p.prosecdef OR p.prorettype = 'trigger'::regtype)
            AND has_function_privilege('public', p.oid, 'EXECUTE') ORDER BY 1
    """
    with server_board.session() as admin:
        assert admin.execute(loose.replace("%%", "%")).fetchall() == []
        # What the policies of row-level security ask: everybody whose rows they filter has to be able to.
        by_policies = [("localfirst.is_restricted(name)",), ("localfirst.my_projects(name)",)]
        assert admin.execute(open_to_all).fetchall() == by_policies


def test_functions_that_qualify_their_names_qualify_types_too(server_board: Board) -> None:
    """PL/pgSQL keeps a type that it has looked up with a caller's search path, and takes it along into the owner's calls."""
    bodies = """
        SELECT p.proname, p.prosrc FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang AND l.lanname = 'plpgsql'
        WHERE p.pronamespace = 'localfirst'::regnamespace AND obj_description(p.oid, 'pg_proc') LIKE 'qualified%'
    """
    by_path = r"(text|uuid|jsonb|jsonpath|timestamptz|bytea|regclass|name|oid|xid8|record)\b"
    with server_board.session() as admin:
        found = admin.execute(bodies).fetchall()
    assert len(found) > 5
    for name, body in found:
        declared = body.partition("BEGIN")[0]
        assert re.findall(rf"::\s*{by_path}", body) == [], name
        assert re.findall(rf"^\s*\w+\s+{by_path}", declared, re.MULTILINE) == [], name


def test_a_domain_of_ones_own_temp_schema_is_not_taken_for_a_type(server_board: Board) -> None:
    """A check of it would run as the owner of whatever function casts to `jsonb`."""
    with server_board.session("application") as session:
        session.execute(
            "CREATE FUNCTION pg_temp.who(x pg_catalog.jsonb) RETURNS boolean LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE WARNING 'as %', current_user; RETURN true; END $$"
        )
        session.execute("CREATE DOMAIN pg_temp.jsonb AS pg_catalog.jsonb CHECK (pg_temp.who(VALUE))")
        notices: list[str] = []
        session.add_notice_handler(lambda notice: notices.append(str(notice.message_primary)))
        [(item,)] = session.execute(INSERT).fetchall()
        session.execute("UPDATE localfirst.work_items SET title = 'changed' WHERE id = %s", (item,))
        session.execute("DELETE FROM localfirst.work_items WHERE id = %s", (item,))
    assert [text for text in notices if text.startswith("as ")] == []


def test_no_trigger_function_of_ours_works_for_a_table_of_somebody_else(server_board: Board) -> None:
    functions = """
        SELECT proname FROM pg_proc WHERE pronamespace = 'localfirst'::regnamespace AND prorettype = 'trigger'::regtype
    """
    with server_board.session() as admin, server_board.session("reader") as reader:
        names = [name for (name,) in admin.execute(functions).fetchall()]
        reader.execute("CREATE TEMPORARY TABLE bait (LIKE localfirst.work_items)")
        assert len(names) > 30
        for name in names:
            with pytest.raises(errors.InsufficientPrivilege):
                reader.execute(
                    f"CREATE TRIGGER t BEFORE DELETE ON bait FOR EACH ROW EXECUTE FUNCTION localfirst.{name}()".encode()
                )


def test_a_definer_refuses_a_foreign_table_even_if_somebody_was_let_in(server_board: Board) -> None:
    name = server_board.names["reader"]
    with server_board.session() as admin, server_board.session("reader") as reader:
        admin.execute(f"GRANT EXECUTE ON FUNCTION localfirst.work_items_log_delete() TO {name}".encode())
        reader.execute("CREATE TEMPORARY TABLE bait (LIKE localfirst.work_items)")
        reader.execute(
            "CREATE TRIGGER t AFTER DELETE ON bait REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT"
            " EXECUTE FUNCTION localfirst.work_items_log_delete()"
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="no trigger for the table"):
            reader.execute("DELETE FROM bait")
        admin.execute(f"REVOKE EXECUTE ON FUNCTION localfirst.work_items_log_delete() FROM {name}".encode())
