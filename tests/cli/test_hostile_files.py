"""Files that are given to us: what somebody has planted in them is refused in words, and nothing hangs, crashes or acts."""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from code_index.workers import no_worker_left, repository
from localfirst_schema.errors import LocalfirstError, NotFoundError, UnavailableError, ValidationError
from localfirst_sync.ports import CONFLICT_COLUMNS, Cursor
from reading.world import call
from waiting import until

from cli.shell import Shell
from localfirst.client.session import Session
from localfirst.replica.backup import back_up, restore
from localfirst.replica.bootstrap import Bootstrap
from localfirst.replica.defences import defend_foreign
from localfirst.replica.opening import open_replica
from localfirst.replica.planted import acting, planted
from localfirst.replica.recovery.rebuild import rebuild
from localfirst.settings import load

PROJECT = "team/board"
LOOP = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"

FORGE = "PRAGMA writable_schema = on; UPDATE sqlite_schema SET"
"""Writes into the schema what SQLite itself would not."""

OBJECTS = {
    "a trigger": ("evil", "CREATE TRIGGER evil AFTER INSERT ON work_items BEGIN UPDATE work_items SET title = 'theirs'; END"),
    "a trigger on the outbox": ("quiet", "CREATE TRIGGER quiet AFTER INSERT ON outbox BEGIN DELETE FROM outbox; END"),
    "a view": ("seen", "CREATE VIEW seen AS SELECT * FROM work_items"),
    "a view in place of a table": (
        "conflicts",
        "ALTER TABLE conflicts RENAME TO hidden; CREATE VIEW conflicts AS SELECT * FROM hidden",
    ),
    "a view that never ends": ("conflicts", f"DROP TABLE conflicts; CREATE VIEW conflicts AS {LOOP}"),
    "a table": ("more", "CREATE TABLE more (a)"),
    "a comment that never ends": ("more", f"CREATE TABLE more (a) {'/* ' * 300_000}"),
    "a column": ("vendor_extractors", "ALTER TABLE vendor_extractors ADD COLUMN more TEXT"),
    "a generated column": (
        "work_item_comments",
        "ALTER TABLE work_item_comments ADD COLUMN loud TEXT GENERATED ALWAYS AS (upper(body)) VIRTUAL",
    ),
    "a check that refuses": (
        "former_ids",
        "DROP TABLE former_ids; CREATE TABLE former_ids (replica_id TEXT PRIMARY KEY NOT NULL,"
        " acked_number INTEGER NOT NULL CHECK (acked_number < 0)) STRICT",
    ),
    "a default": (
        "awaited",
        "DROP TABLE awaited; CREATE TABLE awaited (history_id INTEGER PRIMARY KEY, x DEFAULT (hex(zeroblob(1000000))))",
    ),
    "a table that is not strict": (
        "awaited",
        "DROP TABLE awaited; CREATE TABLE awaited (history_id INTEGER PRIMARY KEY)",
    ),
    "a virtual table": ("words", "CREATE VIRTUAL TABLE words USING fts5 (a)"),
    "a virtual table in place of a table": (
        "future_enhancements",
        "DROP TABLE future_enhancements; CREATE VIRTUAL TABLE future_enhancements USING fts5 (id, title)",
    ),
    "another full text": (
        "work_items_text",
        "DROP TABLE work_items_text; CREATE VIRTUAL TABLE work_items_text USING fts5 (title, body, content = 'work_items')",
    ),
    "an index": ("slow", "CREATE INDEX slow ON work_items (title)"),
    "a unique index": ("one", "CREATE UNIQUE INDEX one ON work_item_comments (body)"),
    "an index of an expression": ("odd", "CREATE INDEX odd ON history (length(fields))"),
    "a missing index": ("history_row", "DROP INDEX history_row"),
    "a missing table": ("code_places", "DROP TABLE code_places"),
    "a table of vectors that is none": ("code_vectors_1", "CREATE TABLE code_vectors_1 (a)"),
    "parts of vectors without the whole": ("code_vectors_7_info", "CREATE TABLE code_vectors_7_info (key, value)"),
    "a staged table of another shape": ("staged_work_items", "CREATE TABLE staged_work_items (a CHECK (a > 1))"),
    "statistics of another shape": (
        "sqlite_stat1",
        f"ANALYZE; {FORGE} sql = 'CREATE TABLE sqlite_stat1(tbl,idx,stat,x)' WHERE name = 'sqlite_stat1'",
    ),
}


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A copy of a replica with a few rows in it."""
    settings = load(tmp_path, {"LOCALFIRST_REPLICA": str(tmp_path / "made.db"), "LOCALFIRST_PROJECT": PROJECT})
    with closing(Session(settings)) as session:
        for number in range(30):
            call(session, "create_work_item", item_type="task", title=f"Item {number}", metadata={"estimated_hours": number})
        call(session, "create_vendor", name="A vendor")
        back_up(session.replica, tmp_path / "copy.db")
    return tmp_path / "copy.db"


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[Path]:
    """The present replica; that it is as it was is asserted afterwards."""
    path = tmp_path / "mine" / "replica.db"
    open_replica(path, PROJECT).close()
    before = path.read_bytes()
    yield path
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir() if not one.name.endswith((".lock", "-wal", "-shm"))] == [path.name]


def changed(path: Path, sql: str) -> None:
    connection = apsw.Connection(str(path))
    for _ in connection.execute(sql):
        pass
    connection.close()


def refused(source: Path, replica: Path) -> LocalfirstError:
    began = time.monotonic()
    with pytest.raises(LocalfirstError) as caught:
        restore(source, replica, project=PROJECT, even_if_unsent=True)
    assert time.monotonic() - began < 30
    assert "Traceback" not in caught.value.message
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize("what", OBJECTS)
def test_a_file_with_something_planted_is_refused_by_name(what: str, sound: Path, mine: Path) -> None:
    name, sql = OBJECTS[what]
    changed(sound, sql)
    error = refused(sound, mine)
    assert isinstance(error, ValidationError)
    assert name in error.details["objects"], error.details
    assert "cannot be trusted" in error.message


def test_a_sound_copy_passes_with_everything_that_the_program_makes_at_work(sound: Path, tmp_path: Path) -> None:
    changed(sound, "ANALYZE")
    done = restore(sound, tmp_path / "other" / "replica.db", project=PROJECT, even_if_unsent=False)
    assert (done.copy.work_items, done.copy.odd_rows) == (30, [])
    opened = open_replica(Path(done.replica), PROJECT)
    assert planted(opened, opened.pragma("user_version")) == []
    opened.close()


@pytest.mark.parametrize("name", ["user_version", "application_id"])
@pytest.mark.parametrize("value", [0, -1, 10_000, 2**31 - 1])
def test_a_file_of_another_program_or_version_is_refused(name: str, value: int, sound: Path, mine: Path) -> None:
    if (name, value) == ("application_id", 0):
        return  # ours
    changed(sound, f"PRAGMA {name} = {value}")
    assert isinstance(refused(sound, mine), ValidationError)


BROKEN_ROWS = {
    "metadata that is no JSON": "UPDATE work_items SET metadata = '{' WHERE local_id = 3",
    "metadata that is no object": "UPDATE vendor_extractors SET metadata = '3'",
    "a text that is no UTF-8": "UPDATE work_items SET title = CAST(x'ff41' AS TEXT) WHERE local_id = 2",
    "a history that is no JSON": "UPDATE history SET fields = 'x' WHERE history_id = 1",
    "JSON that is nested very deep": "UPDATE work_items SET metadata = replace(hex(zeroblob(50000)), '00', '[')",
    "a very large value": "UPDATE work_items SET title = hex(zeroblob(40000000)) WHERE local_id = 1",
    "no identity": "DELETE FROM replica",
    "an identity that is none": "UPDATE replica SET replica_id = '../../x'",
    "a conflict that is none": (
        "INSERT INTO conflicts (id, entity, entity_id, fields, base, mine, theirs, base_version, my_version, reason, act_id,"
        " replica_id, created_at) VALUES ('c', 'laptop', 'x', '[]', '{}', '{}', '{}', 1, 1, 'fields', 'a', 'r', '2025')"
    ),
}


@pytest.mark.parametrize("what", BROKEN_ROWS)
def test_rows_that_nobody_can_read_are_refused(what: str, sound: Path, mine: Path) -> None:
    changed(sound, BROKEN_ROWS[what])
    assert isinstance(refused(sound, mine), ValidationError)


def test_rows_that_break_a_rule_are_taken_and_reported(sound: Path, tmp_path: Path) -> None:
    changed(sound, "UPDATE work_items SET created_at = '10000-01-01T00:00:00.000000Z' WHERE local_id = 4")
    done = restore(sound, tmp_path / "other" / "replica.db", project=PROJECT, even_if_unsent=False)
    assert done.copy.odd_rows == ["row 4 of work_items"]


@pytest.mark.parametrize("seed", range(40))
def test_damaged_pages_are_refused_or_harmless(seed: int, sound: Path, tmp_path: Path) -> None:
    """Bytes changed anywhere: a refusal in words, or a replica that opens and is sound."""
    chance = random.Random(seed)
    content = bytearray(sound.read_bytes())
    for _ in range(chance.choice([1, 5, 200])):
        content[chance.randrange(100 if chance.random() < 0.3 else len(content))] = chance.randrange(256)
    if chance.random() < 0.2:
        del content[chance.randrange(len(content)) :]
    sound.write_bytes(content)
    target = tmp_path / "other" / "replica.db"
    began = time.monotonic()
    try:
        restore(sound, target, project=PROJECT, even_if_unsent=False)
    except LocalfirstError:
        assert not target.exists()
    else:
        open_replica(target, PROJECT).close()
    assert time.monotonic() - began < 30


def test_what_is_no_file_is_refused_without_waiting(sound: Path, mine: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(tmp_path / "socket"))
        for path in (pipe, tmp_path / "socket", Path("/dev/zero"), Path("/dev/null"), tmp_path):
            assert isinstance(refused(path, mine), ValidationError), path
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    for path in (tmp_path / "nothing", tmp_path / "dangling"):
        assert isinstance(refused(path, mine), NotFoundError)
    assert isinstance(refused(tmp_path / "loop", mine), LocalfirstError)


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"not a database " * 1000, os.urandom(9000), bytes(8192)])
def test_what_is_no_database_is_refused(content: bytes, mine: Path, tmp_path: Path) -> None:
    (tmp_path / "other.db").write_bytes(content)
    assert isinstance(refused(tmp_path / "other.db", mine), ValidationError)


def test_a_replica_with_a_trigger_is_not_worked_with_and_doctor_names_it(shell: Shell) -> None:
    item = shell.item("Mine")
    changed(shell.replica, OBJECTS["a trigger"][1])
    found = next(one for one in shell.run("doctor", "--json").json["checks"] if one["subject"] == "replica")
    assert found["level"] == "broken"
    assert "evil" in found["words"]
    refusal = shell.error("item", "create", "More")
    assert (refusal["error"], refusal["details"]["cause"]) == ("UnavailableError", "replica")
    assert "evil" in refusal["message"]
    changed(shell.replica, "DROP TRIGGER evil")
    assert shell.json("item", "show", item)["title"] == "Mine"


def test_doctor_names_what_is_more_and_does_nothing(shell: Shell) -> None:
    shell.item("Mine")
    changed(shell.replica, OBJECTS["an index"][1])
    found = next(one for one in shell.json("doctor")["checks"] if one["level"] == "warning" and one["subject"] == "replica")
    assert "slow" in found["words"]
    assert shell.item("More")


def test_a_trigger_that_comes_while_the_replica_is_open_never_fires(tmp_path: Path) -> None:
    settings = load(tmp_path, {"LOCALFIRST_REPLICA": str(tmp_path / "made.db"), "LOCALFIRST_PROJECT": PROJECT})
    with closing(Session(settings)) as session:
        call(session, "create_work_item", item_type="task", title="Before")
        changed(tmp_path / "made.db", OBJECTS["a trigger"][1])
        item = call(session, "create_work_item", item_type="task", title="After")
        assert call(session, "query_work_item", id=item["id"])["title"] == "After"
    with pytest.raises(UnavailableError, match="evil"):
        open_replica(tmp_path / "made.db", PROJECT)


def test_a_damaged_replica_with_a_view_that_never_ends_is_salvaged_without_it(tmp_path: Path) -> None:
    path = tmp_path / "made.db"
    settings = load(tmp_path, {"LOCALFIRST_REPLICA": str(path), "LOCALFIRST_PROJECT": PROJECT})
    with closing(Session(settings)) as session:
        kept = call(session, "create_work_item", item_type="task", title="Kept")
    columns = ", ".join(f"n.x AS {name}" for name in ("rowid", *CONFLICT_COLUMNS))
    loop = LOOP.replace("count(*)", columns)
    changed(path, f"PRAGMA journal_mode = delete; ALTER TABLE conflicts RENAME TO x; CREATE VIEW conflicts AS {loop}")
    began = time.monotonic()
    found = path.stat()
    rebuild(path, PROJECT, damaged=(found.st_dev, found.st_ino))
    assert time.monotonic() - began < 30
    with closing(Session(settings)) as session:
        assert call(session, "query_work_item", id=kept["id"])["title"] == "Kept"


def test_rows_that_nobody_can_read_are_not_salvaged(tmp_path: Path) -> None:
    path = tmp_path / "made.db"
    settings = load(tmp_path, {"LOCALFIRST_REPLICA": str(path), "LOCALFIRST_PROJECT": PROJECT})
    with closing(Session(settings)) as session:
        kept = call(session, "create_work_item", item_type="task", title="Kept")
        spoilt = call(session, "create_work_item", item_type="task", title="Spoilt")
        call(session, "create_vendor", name="A vendor")
    changed(path, f"UPDATE work_items SET metadata = '{{' WHERE id = '{spoilt['id']}'")
    changed(path, "UPDATE vendor_extractors SET metadata = replace(hex(zeroblob(50000)), '00', '[')")
    found = path.stat()
    rebuild(path, PROJECT, damaged=(found.st_dev, found.st_ino))
    with closing(Session(settings)) as session:
        # What waits to be sent brings the content of a creation back.
        titles = {item["title"] for item in call(session, "list_work_items")["items"]}
        assert kept["title"] in titles
        assert call(session, "list_vendors")["total_count"] <= 1
        call(session, "generate_full_status", output_format="markdown")


def test_a_statement_on_a_foreign_file_ends_when_its_time_is_over(sound: Path) -> None:
    connection = apsw.Connection(str(sound), flags=apsw.SQLITE_OPEN_READONLY)
    defend_foreign(connection, 0.1)
    began = time.monotonic()
    with pytest.raises(apsw.InterruptError):
        connection.execute(LOOP).fetchall()
    assert time.monotonic() - began < 10
    connection.close()


def test_what_the_program_makes_at_work_is_its_own(tmp_path: Path, database_url: str) -> None:
    """Vectors of work items and of code, a first fill from a server, statistics: all of it is taken back from a backup."""
    ann, bob = (
        load(tmp_path, {"LOCALFIRST_REPLICA": str(tmp_path / f"{who}.db"), "LOCALFIRST_PROJECT": PROJECT,
                        "LOCALFIRST_DATABASE_URL": database_url})
        for who in ("ann", "bob")
    )  # fmt: skip
    with closing(Session(ann)) as session:
        call(session, "create_work_item", item_type="task", title="Mend the parser")
        call(session, "sync_now")
    with no_worker_left(bob.replica), closing(Session(bob)) as session:
        call(session, "sync_now")
        assert call(session, "search_work_items", query="parser")["items"]
        call(session, "index_repository", repo_path=str(repository(tmp_path / "code", 3)))
        until(lambda: session.replica.execute("SELECT max(active) FROM code_models").get == 1, 30, "the code has vectors")
        session.replica.execute("ANALYZE")
        assert planted(session.replica, session.replica.pragma("user_version")) == []
        begin_staging(session.replica)
        assert session.replica.execute("SELECT count(*) FROM sqlite_schema WHERE name GLOB 'staged_*'").get > 5
        assert planted(session.replica, session.replica.pragma("user_version")) == []
        copy = back_up(session.replica, tmp_path / "copy.db")
    assert restore(Path(copy.path), tmp_path / "new" / "replica.db", project=PROJECT, even_if_unsent=False).copy.work_items == 1


def begin_staging(connection: apsw.Connection) -> None:
    """As a first fill does that is interrupted."""
    Bootstrap(connection, lambda: None, "x").begin(Cursor(5, 5))


def test_the_look_at_every_start_costs_next_to_nothing(tmp_path: Path) -> None:
    connection = open_replica(tmp_path / "r.db", PROJECT)
    took = []
    for _ in range(50):
        began = time.perf_counter()
        assert acting(connection) is None
        took.append(time.perf_counter() - began)
    connection.close()
    assert min(took) < 0.002


def test_a_replica_that_is_no_file_is_said_and_not_waited_for(shell: Shell) -> None:
    shell.replica.parent.mkdir(parents=True)
    os.mkfifo(shell.replica)
    began = time.monotonic()
    assert shell.json("item", "list")["warnings"] == ["using_markdown_fallback"]
    refusal = shell.error("item", "create", "More")
    assert (refusal["error"], refusal["details"]["cause"]) == ("UnavailableError", "replica")
    assert "no regular file" in refusal["message"]
    found = shell.run("doctor", "--json").json["checks"]
    assert any(one["level"] == "broken" and "no regular file" in one["words"] for one in found)
    assert time.monotonic() - began < 30
