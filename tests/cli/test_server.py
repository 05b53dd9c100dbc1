"""An administrator's commands, and what the doctor says of rights."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from postgres import Server
from psycopg.conninfo import make_conninfo

from cli.shell import Shell

Act = Callable[[str], None]


@pytest.fixture
def role(postgres_server: Server) -> Iterator[str]:
    """A role that may connect, and nothing else; made before the databases, so that it goes after them."""
    name = f"person_{uuid.uuid4().hex[:8]}"
    postgres_server.execute(f"CREATE ROLE {name} LOGIN")
    yield name
    postgres_server.execute(f"DROP ROLE {name}")


@pytest.fixture
def url(role: str, postgres_server: Server) -> Iterator[str]:
    """A migrated database, as its administrator sees it."""
    with postgres_server.database() as made:
        yield made


@pytest.fixture
def admin(url: str, tmp_path: Path) -> Shell:
    return shell(tmp_path / "admin", url)


@pytest.fixture
def person(url: str, role: str, tmp_path: Path) -> Shell:
    return shell(tmp_path / "person", make_conninfo(url, user=role))


def shell(directory: Path, url: str) -> Shell:
    directory.mkdir()
    return Shell(directory, {"LOCALFIRST_PROJECT": "team/board", "LOCALFIRST_DATABASE_URL": url})


def carry_out(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as session:
        for statement in statements:
            session.execute(statement.encode())


def of_rights(person: Shell) -> list[dict[str, Any]]:
    """What the doctor finds of the rights."""
    person.run("item", "list")  # so that there is a replica to ask for
    done = person.run("doctor", "--json")
    return [one for one in done.json["checks"] if one["subject"] == "rights"]


def statements(findings: list[dict[str, Any]]) -> list[str]:
    return [found[0] for one in findings if (found := re.search(r"GRANT .*;$", one["words"]))]


def test_a_grant_makes_a_laptop_that_synchronises(admin: Shell, person: Shell, role: str) -> None:
    admin.ok("server", "migrate")
    result = admin.json("server", "grant", role)
    assert (result["success"], result["grade"], result["left_to_grant"]) == (True, "laptop", [])
    person.item("From a laptop")
    person.ok("sync")
    assert person.json("sync", "--status")["pending_mutations"] == 0
    assert [one["level"] for one in of_rights(person)] == ["ok"]


def test_a_grade_takes_away_what_is_beyond_it(admin: Shell, url: str, role: str) -> None:
    held = "SELECT has_table_privilege(%s, 'localfirst.work_items', %s)"
    for arguments, may in (((), [True, True]), (("--application",), [True, True]), (("--read-only",), [True, False])):
        admin.ok("server", "grant", role, *arguments)
        admin.ok("server", "grant", role, *arguments)
        with psycopg.connect(url) as session:
            found = [session.execute(held, (role, right)).fetchone() for right in ("SELECT", "INSERT")]
            log = session.execute("SELECT has_table_privilege(%s, 'localfirst.history', 'INSERT')", (role,)).fetchone()
        assert found == [(one,) for one in may]
        assert log == (arguments == (),)


def test_what_cannot_be_granted_is_said_in_words(admin: Shell, person: Shell, role: str) -> None:
    unknown = admin.error("server", "grant", "nobody_of_this_name")
    assert unknown["error"] == "NotFoundError"
    admin.ok("server", "grant", role)
    refused = person.error("server", "grant", role, "--read-only")
    assert refused["error"] == "UnavailableError"
    assert refused["details"]["cause"] == "permission"
    assert "localfirst_owner" in refused["message"]
    both = person.run("server", "grant", role, "--read-only", "--application")
    assert both.status != 0
    assert "not both" in both.err


def test_a_reader_is_reported_so_and_is_no_fault(admin: Shell, person: Shell, role: str) -> None:
    admin.item("The first")  # a reader cannot start the project
    admin.ok("sync")
    admin.ok("server", "grant", role, "--read-only")
    found = of_rights(person)
    assert {one["level"] for one in found} == {"warning"}
    assert found[0]["words"] == f"{role} may read and not write: changes made here are refused"
    assert person.run("doctor").status == 0


LACKS = {
    "usage": ("REVOKE USAGE ON SCHEMA localfirst FROM {role}", r"GRANT USAGE ON SCHEMA localfirst TO {role};"),
    "select": ("REVOKE SELECT ON localfirst.history FROM {role}", r"GRANT SELECT ON localfirst.history TO {role};"),
    "update": (
        "REVOKE UPDATE ON localfirst.project_heads FROM {role}",
        r"GRANT UPDATE ON localfirst.project_heads TO {role};",
    ),
    "a table of a later version": (
        "CREATE TABLE localfirst.later (id integer); REVOKE ALL ON localfirst.later FROM {role}",
        r"GRANT SELECT, INSERT, UPDATE, DELETE ON localfirst.later TO {role};",
    ),
    "engine": ("REVOKE localfirst_engine FROM {role}", r"GRANT localfirst_engine TO {role};"),
    "function": (
        "REVOKE EXECUTE ON FUNCTION localfirst.by_engine() FROM PUBLIC",
        r"GRANT EXECUTE ON FUNCTION localfirst.by_engine() TO {role};",
    ),
    "temp": (
        "DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$;"
        " DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM {role}', current_database()); END $$",
        r"GRANT TEMPORARY ON DATABASE {database} TO {role};",
    ),
}


@pytest.mark.parametrize("lack", LACKS)
def test_the_doctor_names_object_and_right_and_prints_what_grants_it(
    lack: str, admin: Shell, person: Shell, role: str, url: str
) -> None:
    admin.ok("server", "grant", role)
    assert statements(of_rights(person)) == []
    take, give = LACKS[lack]
    database = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    carry_out(url, take.format(role=role))
    found = of_rights(person)
    assert statements(found) == [give.format(role=role, database=database)]
    carry_out(url, *statements(found))
    assert [one["level"] for one in of_rights(person)] == ["ok"]


def test_every_statement_of_the_doctor_together_makes_a_laptop(person: Shell, url: str) -> None:
    found = of_rights(person)
    assert len(statements(found)) > 1
    carry_out(url, *statements(found))
    assert statements(of_rights(person)) == []
    person.item("Granted by hand")
    person.ok("sync")
    assert person.json("sync", "--status")["pending_mutations"] == 0


def test_a_database_without_the_schema_and_without_the_right_to_make_it(
    role: str, postgres_server: Server, tmp_path: Path
) -> None:
    with postgres_server.database(template="template0") as url:
        newcomer = shell(tmp_path / "newcomer", make_conninfo(url, user=role))
        database = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
        assert statements(of_rights(newcomer)) == [f"GRANT CREATE ON DATABASE {database} TO {role};"]
        failed = newcomer.error("server", "migrate")
        assert "CREATE on the database" in failed["message"]
        carry_out(url, f"GRANT CREATE ON DATABASE {database} TO {role}")
        assert newcomer.json("server", "migrate")["owner"] == role
        postgres_server.execute(f"DROP DATABASE {database} WITH (FORCE)")
        postgres_server.execute(f"CREATE DATABASE {database}")


def test_a_schema_of_ones_own_needs_no_right_on_the_database(role: str, postgres_server: Server, tmp_path: Path) -> None:
    with postgres_server.database(template="template0") as url:
        carry_out(url, f"CREATE SCHEMA localfirst AUTHORIZATION {role}")
        newcomer = shell(tmp_path / "newcomer", make_conninfo(url, user=role))
        newcomer.item("The first")
        newcomer.ok("sync")
        assert newcomer.json("sync", "--status")["pending_mutations"] == 0


def test_an_index_that_cannot_be_shared_says_so(admin: Shell, person: Shell, role: str, url: str) -> None:
    admin.ok("server", "grant", role)
    carry_out(url, f"REVOKE INSERT ON localfirst.code_files FROM {role}")
    (person.project / "one.py").write_text("def one():\n    return 1\n")
    person.ok("index", ".")
    for _ in range(100):
        job = person.json("jobs", "list")["jobs"][0]["job_id"]
        problems = person.json("jobs", "show", job)["problems"]
        if problems:
            break
    assert len(problems) == 1
    assert problems[0].startswith("the index is not shared with the team: PostgreSQL denies")
