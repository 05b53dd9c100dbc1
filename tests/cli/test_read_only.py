"""Who may only read: refused on the laptop, reported by the doctor, and what was queued before can be given up."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from cluster import run
from localfirst_sync.postgres.connection import connect
from localfirst_sync.postgres.rights import grant
from psycopg.conninfo import make_conninfo
from waiting import until

from cli.conftest import NewLaptop
from cli.shell import Shell
from localfirst.replica import fulltext

pytestmark = pytest.mark.xdist_group("postgres")


@pytest.fixture
def role(database_url: str) -> Iterator[str]:
    """A role of reader grade."""
    name = f"reader_{uuid.uuid4().hex}"
    run(database_url, f"CREATE ROLE {name} LOGIN")
    _set_grade(database_url, name, "reader")
    yield name
    run(database_url, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def _set_grade(database_url: str, role: str, grade: str) -> None:
    with connect(database_url) as owner:
        grant(owner, role, grade)  # type: ignore[arg-type]  # one of the three


@pytest.fixture
def reader(laptop: NewLaptop, database_url: str, role: str) -> Shell:
    """A laptop whose user may read, beside a project that has begun."""
    laptop("ann").item("Of ann")
    shell = laptop("reader")
    shell.more["LOCALFIRST_DATABASE_URL"] = make_conninfo(database_url, user=role)
    return shell


def _offline(shell: Shell) -> Shell:
    return Shell(shell.directory, {**shell.more, "LOCALFIRST_DATABASE_URL": "postgresql://127.0.0.1:1/board"})


def test_a_write_is_refused_as_soon_as_that_is_known_also_offline(reader: Shell) -> None:
    assert [item["title"] for item in reader.json("item", "list")["items"]] == ["Of ann"]
    for shell in (reader, _offline(reader)):
        error = shell.error("item", "create", "Mine")
        assert (error["error"], error["details"]["cause"]) == ("InvalidStateError", "read_only")
    assert reader.json("sync")["warnings"] == ["read_only"]
    assert "read_only" in reader.json("sync", "--status")["warnings"]
    assert reader.json("sync", "--status")["pending_mutations"] == 0


def test_the_right_to_write_is_noticed_with_the_next_write(reader: Shell, database_url: str, role: str) -> None:
    reader.json("item", "list")
    assert reader.error("item", "create", "Mine")["details"]["cause"] == "read_only"
    _set_grade(database_url, role, "laptop")
    reader.item("Mine")
    assert reader.json("sync")["warnings"] == []
    _set_grade(database_url, role, "reader")
    reader.json("sync")
    assert reader.error("item", "create", "Once more")["details"]["cause"] == "read_only"


def test_what_was_queued_before_stays_and_is_reported_while_the_pull_goes_on(reader: Shell, laptop: NewLaptop) -> None:
    _offline(reader).item("Queued")
    done = reader.json("sync")
    assert done["warnings"] == ["pending_local_changes", "read_only"]
    assert (done["pushed"], done["pulled"] > 0) == (0, True)
    bob = laptop("bob")
    bob.item("Of bob")
    reader.json("sync")
    listed = reader.json("item", "list")
    assert {item["title"] for item in listed["items"]} == {"Queued", "Of ann", "Of bob"}
    assert {"pending_local_changes", "read_only"} <= set(listed["warnings"])
    assert reader.json("sync", "--status")["pending_mutations"] == 1
    assert "Of bob" in {item["title"] for item in bob.json("item", "list")["items"]}


def test_the_doctor_says_it_and_prints_the_grant(reader: Shell, role: str) -> None:
    _offline(reader).item("Queued")
    reader.json("sync")
    reported = reader.run("doctor").out
    assert "may read and not write" in reported
    assert f"GRANT localfirst_engine TO {role};" in reported
    assert "localfirst sync --drop-unsent" in reported


def test_what_cannot_be_sent_is_dropped_after_it_was_written_to_a_file(reader: Shell, laptop: NewLaptop) -> None:
    ann = laptop("again")
    items = {item["title"]: item["id"] for item in ann.json("item", "list")["items"]}
    child = ann.item("Child")
    for title in ("One", "Two"):
        items[title] = ann.item(title)
    away = _offline(reader)
    # The reader has the rows, but not yet what it may: as a laptop whose role was made a reader between two connections.
    reader.json("item", "list")
    _forget_access(reader)
    away.ok("item", "update", items["One"], "--title", "Changed here", "--parent", items["Two"])
    away.ok("item", "update", child, "--parent", items["One"])
    made = away.item("Only here", "--parent", items["One"])
    ann.ok("item", "update", items["One"], "--status", "blocked")
    reader.json("sync")
    assert "Agree" not in reader.run("sync", "--drop-unsent").out
    assert reader.error("sync", "--drop-unsent")["error"] == "ValidationError"
    assert reader.json("sync", "--status")["pending_mutations"] == 3
    done = reader.json("sync", "--drop-unsent", "--yes")
    assert done["dropped"] == 3
    written = json.loads(Path(done["path"]).read_text())
    assert [change["id"] for change in written["changes"]] == [items["One"], child, made]
    assert Path(done["path"]).stat().st_mode & 0o777 == 0o600
    reader.json("sync")
    for item in (items["One"], items["Two"], child):
        theirs, mine = ann.json("item", "show", item), reader.json("item", "show", item)
        for field in ("title", "status", "version", "parent_id", "path", "depth"):
            assert mine[field] == theirs[field], field
    with closing(apsw.Connection(str(reader.replica))) as replica:  # the status file of the outage still tells of it
        assert replica.execute("SELECT count(*) FROM work_items WHERE id = ?", (made,)).get == 0
        assert fulltext.is_consistent(replica)
    status = reader.json("sync", "--status")
    assert (status["pending_mutations"], status["set_aside"]["count"]) == (0, 0)
    assert "✗" not in reader.run("doctor", "--verify").out


def _forget_access(shell: Shell) -> None:
    with closing(apsw.Connection(str(shell.replica))) as replica:
        replica.execute("UPDATE replica SET access = 'write'")


def test_an_index_job_that_could_not_share_says_so(reader: Shell) -> None:
    (reader.project / "parse.py").write_text("def parse(line):\n    return line.split()\n")
    reader.ok("index", str(reader.project))
    [job] = reader.json("jobs")["jobs"]
    said = until(lambda: [one for one in reader.json("jobs", "show", job["job_id"])["problems"] if "not shared" in one], 60.0)
    assert "localfirst doctor" in said[0]
