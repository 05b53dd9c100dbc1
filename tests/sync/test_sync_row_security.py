"""A role for one project: of another one it reads, writes and learns nothing, in whatever way it tries."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from cluster import VERSIONS, Cluster, cluster
from localfirst_schema.entities import VENDOR, WORK_ITEM
from localfirst_schema.errors import UnavailableError
from localfirst_sync.postgres import restricted, tokens
from localfirst_sync.postgres.connection import connect
from localfirst_sync.postgres.store import PostgresStore
from psycopg.errors import InsufficientPrivilege
from sync_laptop import Laptop

OWN, OTHER = "team/own", "team/other"
SECRET = "unheard of"


class Place(NamedTuple):
    """A database with two projects, and the addresses of the administrator and of two roles for one of them."""

    admin: str
    laptop: str
    reader: str
    own: str
    other: str


@pytest.fixture(scope="module", params=VERSIONS)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with cluster(request.param) as url, Cluster(url).database() as admin:
        folder = tmp_path_factory.mktemp("other")
        with closing(Laptop(folder / "other", OTHER, admin)) as theirs, closing(Laptop(folder / "own", OWN, admin)) as mine:
            for laptop in (theirs, mine):
                title = SECRET if laptop is theirs else "seen"
                laptop.create(WORK_ITEM, item_type="task", title=title, status="active", metadata={})
                laptop.create(VENDOR, name=title, operational=True, metadata={})
                laptop.sync()
            own, other = (laptop.local.identity().project_id for laptop in (mine, theirs))
        with closing(connect(admin)) as connection:
            marks = [uuid.uuid4().hex[:8] for _ in range(2)]
            made = [
                restricted.create(connection, admin, f"role_{mark}", [OWN], is_reader=is_reader)
                for mark, is_reader in zip(marks, (False, True), strict=True)
            ]
            tokens.create(connection, "somebody", [OTHER], "write", None)
        yield Place(admin, made[0].database_url, made[1].database_url, own, other)
        with psycopg.connect(admin, autocommit=True) as owner:
            for one in made:
                owner.execute(f"DROP OWNED BY {one.role}".encode())
                owner.execute(f"DROP ROLE {one.role}".encode())


def tables(admin: str) -> dict[str, str]:
    """Every table that tells of projects, and its column that names the project."""
    with psycopg.connect(admin) as psql:
        found: list[Any] = psql.execute(
            "SELECT c.relname, CASE WHEN c.relname IN ('projects', 'deleted_projects') THEN 'id' ELSE 'project_id' END"
            " FROM pg_class AS c WHERE c.relnamespace = 'localfirst'::regnamespace AND c.relkind IN ('r', 'p', 'v')"
            " AND c.relname NOT IN ('schema_migrations', 'server_identity')"
        ).fetchall()
    return dict(found)


def contents(place: Place) -> dict[str, list[Any]]:
    """All that is of the other project."""
    with psycopg.connect(place.admin) as psql:
        found: dict[str, list[Any]] = {}
        for table, key in tables(place.admin).items():
            if table not in ("tokens", "restricted_roles"):
                query = f"SELECT t::text FROM localfirst.{table} AS t WHERE {key}::text = %s ORDER BY 1"
                found[table] = psql.execute(query.encode(), (place.other,)).fetchall()
        return found


def attempts(table: str, key: str, place: Place) -> list[str]:
    """What somebody might try with a table to get at another project."""
    other = f"{key} = '{place.other}'"
    return [
        f"SELECT * FROM localfirst.{table} WHERE {other}",
        f"SELECT count(*) FROM localfirst.{table} WHERE {other} HAVING count(*) > 0",
        f"COPY (SELECT * FROM localfirst.{table} WHERE {other}) TO STDOUT",
        f"DELETE FROM localfirst.{table} WHERE {other} RETURNING *",
        f"UPDATE localfirst.{table} SET {key} = '{place.own}' WHERE {other} RETURNING *",
        f"UPDATE localfirst.{table} SET {key} = '{place.other}' RETURNING *",
        f"INSERT INTO localfirst.{table} SELECT * FROM localfirst.{table} WHERE {other} RETURNING *",
        f"WITH stolen AS (DELETE FROM localfirst.{table} WHERE {other} RETURNING *) SELECT * FROM stolen",
        f"CREATE TEMP TABLE mine AS SELECT * FROM localfirst.{table} WHERE {other}; SELECT * FROM mine",
        f"CREATE TEMP VIEW mine AS SELECT * FROM localfirst.{table}; SELECT * FROM mine WHERE {other}",
        f"SELECT * FROM localfirst.{table} WHERE {other} FOR UPDATE",
        f"TRUNCATE localfirst.{table}",
        f"ALTER TABLE localfirst.{table} DISABLE ROW LEVEL SECURITY",
        f"CREATE TRIGGER mine AFTER INSERT ON localfirst.{table} EXECUTE FUNCTION localfirst.refuse_truncate()",
    ]


@pytest.mark.parametrize("who", ["laptop", "reader"])
def test_no_table_gives_or_takes_anything_of_another_project(who: str, place: Place) -> None:
    before = contents(place)
    assert SECRET in str(before), "there is something to be found"
    for table, key in tables(place.admin).items():
        if table in ("tokens", "restricted_roles"):
            key = "id" if table == "tokens" else "role_name"
        for attempt in attempts(table, key, place):
            for engine in ("", "SET localfirst.engine = 'on'; ", "SET row_security = off; "):
                seen, words = tried(getattr(place, who), f"{engine}{attempt}")
                assert SECRET not in seen + words, attempt
                assert place.other not in seen, attempt
    assert contents(place) == before


def tried(url: str, statements: str) -> tuple[str, str]:
    """What somebody sees, and what an error tells him; nothing stays."""
    seen = words = ""
    with psycopg.connect(url) as psql:
        try:
            for statement in statements.split("; "):
                if statement.startswith("COPY"):
                    with psql.cursor().copy(statement.encode()) as copy:
                        seen += "".join(bytes(piece).decode() for piece in copy)
                    continue
                cursor = psql.execute(statement.encode())
                seen += str(cursor.fetchall()) if cursor.description else ""
        except psycopg.Error as error:
            words = f"{error} {error.diag.message_detail}".replace(statements, "")
        psql.rollback()
    return seen, words


def test_functions_give_nothing_away_either(place: Place) -> None:
    before = contents(place)
    with psycopg.connect(place.admin) as psql:
        found: list[Any] = psql.execute(
            "SELECT p.proname, p.oid::regprocedure::text, p.pronargs FROM pg_proc AS p"
            " WHERE p.pronamespace = 'localfirst'::regnamespace AND p.prorettype <> 'trigger'::regtype AND p.prokind = 'f'"
            " AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e')"
        ).fetchall()
    for name, signature, count in found:
        types = signature.split("(", 1)[1][:-1].split(",") if count else []
        values = {"uuid": f"'{place.other}'::uuid", "uuid[]": f"ARRAY['{place.other}'::uuid]", "name": "'postgres'::name"}
        arguments = ", ".join(values.get(one.strip(), "NULL") for one in types)
        for engine in ("", "SELECT localfirst.act_as_engine(); "):
            for asked in (f"SELECT localfirst.{name}({arguments})", f"SELECT * FROM localfirst.{name}({arguments}) AS f"):
                seen, words = tried(place.laptop, engine + asked)
                assert SECRET not in seen + words, asked
    assert contents(place) == before


def test_who_is_restricted_answers_for_himself_alone(place: Place) -> None:
    with psycopg.connect(place.laptop) as psql:
        assert psql.execute("SELECT localfirst.my_projects(current_user)::text[]").fetchone() == ([place.own],)
        with psycopg.connect(place.reader) as other:
            name = other.info.user
        assert psql.execute("SELECT localfirst.my_projects(%s)", (name,)).fetchone() == ([],)
        with pytest.raises(InsufficientPrivilege):
            psql.execute("SELECT localfirst.restrict_role(current_user::text, '{}')")


def test_a_laptop_with_such_a_role_works_as_any(place: Place, tmp_path: Path) -> None:
    with closing(Laptop(tmp_path / "a", OWN, place.laptop)) as a, closing(Laptop(tmp_path / "b", OWN, place.laptop)) as b:
        a.sync()
        assert {row["title"] for row in a.displayed()["work_items"]} == {"seen"}
        for number in range(600):  # so many go in bulk, which row-level security does not allow
            a.create(WORK_ITEM, item_type="task", title=f"item {number}", status="active", metadata={})
        done = a.sync()
        assert (done.pushed, done.conflicts) == (600, 0)
        b.sync()
        assert len(b.displayed()["work_items"]) == 601
        b.change(WORK_ITEM, b.displayed()["work_items"][0]["id"], title="changed")
        b.sync()
        a.sync()
        assert a.displayed() == b.displayed()
    with psycopg.connect(place.laptop, autocommit=True) as psql:
        psql.execute("UPDATE localfirst.work_items SET status = 'blocked' WHERE title = 'seen'")
        assert psql.execute("SELECT DISTINCT project_id::text FROM localfirst.work_items").fetchall() == [(place.own,)]


def test_what_is_hidden_is_not_taken_for_lost(place: Place, tmp_path: Path) -> None:
    with closing(Laptop(tmp_path / "other", OTHER, place.admin)) as theirs:
        theirs.sync()
        theirs.remote.close()
        for url in (place.laptop, place.reader):
            with closing(PostgresStore(url, theirs.local.identity(), theirs.local.known_server())) as store:
                with pytest.raises(UnavailableError) as refused:
                    store.head()
                assert refused.value.details["cause"] == "no_access"
        assert {row["title"] for row in theirs.displayed()["work_items"]} == {SECRET}
