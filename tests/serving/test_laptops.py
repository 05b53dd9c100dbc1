"""Laptops that reach the server by a daemon alone: what they see of it, of their tokens, and of its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from cli.shell import Shell
from daemon import token, token_id

from serving.conftest import PROJECT, NewLaptop

WITHOUT_DRIVER = """
import sys
from localfirst import settings
from localfirst.client.session import Session
session = Session(settings.load())
done = session.link.sync(30)
assert done is not None, session.link.last_error()
assert session.link.head() is not None
session.close()
print([name for name in sys.modules if name.partition(".")[0].startswith("psycopg")])
"""


def titles(shell: Shell) -> set[str]:
    listed = shell.json("item", "list")
    assert (listed["data_source"], listed["warnings"]) == ("postgresql", [])
    return {item["title"] for item in listed["items"]}


def test_laptops_share_a_board_that_nobody_had_started(laptop: NewLaptop, at_server: Shell, served: str) -> None:
    made = at_server.json("token", "create", "the team", "--project", PROJECT, "--expires", "90d")
    ann, bob = laptop("ann", made["token"]), laptop("bob", made["token"])
    item = ann.item("Of ann")
    assert titles(bob) == {"Of ann"}
    bob.ok("item", "update", item, "--title", "Of both")
    assert titles(ann) == {"Of both"}
    ann.ok("item", "update", item, "--status", "blocked")
    for shell in (ann, bob):  # the acknowledgement brings it to whoever wrote
        assert [one["via"] for one in shell.json("item", "history", item)["changes"]] == ["the team"] * 3
    status = ann.json("sync", "--status")
    assert (status["online"], status["server"], status["pending_mutations"]) == (True, served, 0)
    listed = at_server.json("token", "list")["tokens"]
    assert [(one["id"], one["name"], one["projects"], one["revoked_at"]) for one in listed] == [
        (made["id"], "the team", [PROJECT], None)
    ]
    assert listed[0]["last_used_at"] is not None
    assert "secret" not in str(listed)


def test_a_laptop_with_a_daemon_loads_no_driver(laptop: NewLaptop, database_url: str) -> None:
    ann = laptop("ann", token(database_url, PROJECT))
    ann.item("Of ann")
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_DRIVER],
        cwd=ann.project,
        env=ann.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "[]"


def test_a_token_that_does_not_do_is_named_and_nothing_is_lost(laptop: NewLaptop, at_server: Shell, database_url: str) -> None:
    good = token(database_url, PROJECT)
    ann = laptop("ann", good)
    ann.item("First")
    revoked, expired = token(database_url, PROJECT), token(database_url, PROJECT, expires_in=timedelta(days=1))
    at_server.ok("token", "revoke", token_id(revoked))
    with psycopg.connect(database_url) as psql:
        psql.execute("UPDATE localfirst.tokens SET expires_at = now() WHERE id = %s", (token_id(expired),))
    unknown = f"lf_{'0' * 10}_{'0' * 64}"
    other = token(database_url, "another/board")
    for bad, cause in (
        (unknown, "token_unknown"), (f"{good}x", "token_unknown"), (expired, "token_expired"), (revoked, "token_revoked"),
        (other, "token_project"),
    ):  # fmt: skip
        ann.more["LOCALFIRST_SERVER_TOKEN"] = bad
        ann.item(f"Written with {cause}")
        error = ann.error("sync")
        assert (error["error"], error["details"]["cause"]) == ("UnavailableError", cause)
        assert token_id(bad) in error["message"]
        assert bad.split("_")[2] not in str(error)
    with psycopg.connect(database_url) as psql:
        assert psql.execute("SELECT title FROM localfirst.work_items").fetchall() == [("First",)]
        assert psql.execute("SELECT name FROM localfirst.projects").fetchall() == [(PROJECT,)]
    ann.more["LOCALFIRST_SERVER_TOKEN"] = good
    ann.ok("sync")
    assert laptop("bob", good).json("item", "list")["total_count"] == 6
    log = next((ann.directory / "home").rglob("localfirst.log")).read_text()
    assert not [secret for secret in (good, expired, revoked, other) if secret.split("_")[2] in log]


def test_who_may_only_read_is_refused_on_the_laptop(laptop: NewLaptop, database_url: str) -> None:
    laptop("ann", token(database_url, PROJECT)).item("Of ann")
    reader = laptop("reader", token(database_url, PROJECT, access="read"))
    waits = Shell(reader.directory, {**reader.more, "LOCALFIRST_SERVER_URL": "http://127.0.0.1:1"})
    waits.item("Queued before it was known")
    assert sorted(reader.json("sync")["warnings"]) == ["pending_local_changes", "read_only"]
    error = reader.error("item", "create", "Mine")
    assert (error["error"], error["details"]["cause"]) == ("InvalidStateError", "read_only")
    assert {item["title"] for item in reader.json("item", "list")["items"]} == {"Of ann", "Queued before it was known"}
    with psycopg.connect(database_url) as psql:
        assert psql.execute("SELECT title FROM localfirst.work_items").fetchall() == [("Of ann",)]


def test_a_reader_starts_no_project(laptop: NewLaptop, database_url: str) -> None:
    error = laptop("reader", token(database_url, PROJECT, access="read")).error("sync")
    assert error["details"]["cause"] == "project"
    with psycopg.connect(database_url) as psql:
        assert psql.execute("SELECT name FROM localfirst.projects").fetchall() == []


def test_a_token_goes_on_when_its_project_is_renamed(laptop: NewLaptop, at_server: Shell, database_url: str) -> None:
    old = token(database_url, PROJECT)
    ann = laptop("ann", old)
    ann.item("Of ann")
    at_server.ok("server", "rename-project", PROJECT, "team/renamed")
    ann.item("Before it heard of it")  # with this connection it learns the name; until then the file is of the old one
    ann.more["LOCALFIRST_PROJECT"] = "team/renamed"
    ann.item("Later")
    assert titles(ann) == {"Of ann", "Before it heard of it", "Later"}
    error = laptop("eve", old).error("sync")  # the name is free again, and nobody's with this token
    assert error["details"]["cause"] == "token_project"


def test_a_rotated_token_goes_on_for_an_hour(laptop: NewLaptop, at_server: Shell, database_url: str) -> None:
    old = token(database_url, PROJECT)
    ann = laptop("ann", old)
    ann.ok("sync")
    new = at_server.json("token", "rotate", token_id(old))
    assert (new["projects"], new["access"], new["expires_at"]) == ([PROJECT], "write", None)
    ann.ok("sync")
    ann.more["LOCALFIRST_SERVER_TOKEN"] = new["token"]
    ann.ok("sync")
    ending = at_server.json("token", "create", "for a while", "--project", PROJECT, "--expires", "90d")
    again = at_server.json("token", "rotate", ending["id"])
    assert again["expires_at"][:10] == ending["expires_at"][:10], "it ends when the one before it would have"
    with psycopg.connect(database_url) as psql:
        left = "SELECT expires_at - now() BETWEEN '59 minutes' AND '1 hour' FROM localfirst.tokens WHERE id = %s"
        assert psql.execute(left, (token_id(old),)).fetchone() == (True,)


def test_login_keeps_the_token_in_a_private_file(laptop: NewLaptop, database_url: str, served: str) -> None:
    good = token(database_url, PROJECT, name="ann's laptop")
    ann = laptop("ann", "")
    error = ann.error("sync")
    assert error["details"]["cause"] == "settings"
    assert f"localfirst login {served}" in error["message"]
    assert ann.run("login", served, typed=f"{good}x\n").status == 1
    assert "ann's laptop" in ann.ok("login", f"{served}/", typed=f"{good}\n").out
    [kept] = (ann.directory / "home").rglob("tokens.json")
    assert oct(kept.stat().st_mode & 0o777) == "0o600"
    ann.item("Of ann")
    assert titles(ann) == {"Of ann"}
    assert good not in ann.ok("trust", "--show").out


def test_both_ways_from_one_origin_are_an_error_and_a_token_never_travels_in_the_clear(laptop: NewLaptop) -> None:
    ann = laptop("ann", f"lf_{'0' * 10}_{'0' * 64}")
    ann.more["LOCALFIRST_DATABASE_URL"] = "postgresql://127.0.0.1:1/board"
    assert ann.error("sync")["details"]["field"] == "LOCALFIRST_SERVER_URL"
    del ann.more["LOCALFIRST_DATABASE_URL"]
    for address in (
        "http://sync.example.org",
        "https://ann:lf_0_1@sync.example.org",
        "https://sync.example.org/?token=x",
        "sync",
    ):
        ann.more["LOCALFIRST_SERVER_URL"] = address
        assert ann.error("sync")["details"]["field"] == "LOCALFIRST_SERVER_URL"


def test_the_program_says_when_it_is_ready_and_ends_well(at_server: Shell) -> None:
    at_server.more["LOCALFIRST_SERVER_URL"] = "https://sync.example.org"  # it is not for whoever serves
    process = at_server.start("serve", "--port", "0", "--json")
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith('{"url":"http://127.0.0.1:'), line
        process.send_signal(signal.SIGTERM)
        rest, log = process.communicate(timeout=30)
        assert (process.returncode, rest) == (0, "")
        assert "Traceback" not in log
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.mark.parametrize("trusted", [False, True])
def test_a_checkout_names_no_server_unless_it_is_trusted(
    trusted: bool, laptop: NewLaptop, database_url: str, served: str
) -> None:
    ann = laptop("ann", token(database_url, PROJECT))
    del ann.more["LOCALFIRST_SERVER_URL"]
    Path(ann.project / ".localfirst.toml").write_text(f'server_url = "{served}"\n')
    if trusted:
        ann.ok("trust")
        ann.ok("sync")
    else:
        assert ann.error("sync")["details"]["cause"] == "settings"
