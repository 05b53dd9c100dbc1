"""Push and pull beside the very same SQL alone: same statements, same values, same stores, no engine around them.

    .venv/bin/python tools/bench/sync.py [--push 10000] [--pull 100000] [--rounds 5]

Push: rows of a replica are changed, then sent. The floor replays what was sent to PostgreSQL, with its pipelines, and what was
done in SQLite; once with the triggers of the tables in place but idle, as they are for the engine, and once on copies of the
tables without triggers and without constraints. Pull: a new replica takes everything; the floor streams the same queries into
the same statements. Also: a round with nothing to do, one changed row from replica to replica, and an `UPDATE` of all rows and
an `INSERT` of as many by SQL with and without triggers.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from localfirst_schema.entities import ENTITIES, VENDOR, WORK_ITEM
from localfirst_sync.lock import ReplicaLock
from localfirst_sync.ports import BEGINNING, Cursor, HistoryRow
from localfirst_sync.postgres.store import PostgresStore
from localfirst_sync.round import push_outbox, sync_round
from measure import figure, table, timed
from place import own_folder, own_server

from localfirst.replica import fulltext
from localfirst.replica.act import act, upsert_sql, written_columns
from localfirst.replica.connection import connect, immediate
from localfirst.replica.local_store import ReplicaStore
from localfirst.replica.rows import find

try:
    from localfirst.replica.opening import open_replica
except ModuleNotFoundError:  # a revision from before, that this one is compared with
    from localfirst.replica.replica import open_replica  # type: ignore[attr-defined,no-redef]


PROJECT = "bench"
NOTE = "Bring the extractor to green, start from the failing fixtures and read the manifest first. " * 3


class Recorder:
    """Stands before a psycopg connection and writes down what is sent, so that it can be sent again."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.events: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
        """Writes the statement down and sends it."""
        self.events.append(("execute", query, params, more))
        return self._connection.execute(query, params, **more)

    def cursor(self, *arguments: Any, **more: Any) -> Any:
        """A cursor whose `COPY` is written down too."""
        return RecordingCursor(self._connection.cursor(*arguments, **more), self.events)

    @contextmanager
    def pipeline(self) -> Iterator[Any]:
        """Writes down where a pipeline begins and ends."""
        self.events.append(("begin pipeline",))
        with self._connection.pipeline() as pipeline:
            yield pipeline
        self.events.append(("end pipeline",))


class RecordingCursor:
    """Stands before a cursor for `COPY … FROM STDIN`."""

    def __init__(self, cursor: Any, events: list[tuple[Any, ...]]) -> None:
        self._cursor = cursor
        self._events = events

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    @contextmanager
    def copy(self, statement: Any) -> Iterator[Any]:
        """Writes down what is copied."""
        chunks: list[Any] = []
        with self._cursor.copy(statement) as copy:
            yield RecordingCopy(copy, chunks)
        self._events.append(("copy", statement, chunks))


class RecordingCopy:
    """Stands before psycopg's `Copy`."""

    def __init__(self, copy: Any, chunks: list[Any]) -> None:
        self._copy = copy
        self._chunks = chunks

    def write(self, data: Any) -> None:
        """Writes the data down and copies it."""
        self._chunks.append(data)
        self._copy.write(data)


def replay(connection: Any, events: Sequence[tuple[Any, ...]], rename: Callable[[Any], Any]) -> None:
    """Sends recorded statements again, fetching what they return."""
    position = 0
    while position < len(events):
        if events[position][0] == "begin pipeline":
            end = next(i for i in range(position, len(events)) if events[i][0] == "end pipeline")
            with connection.pipeline():
                cursors = [connection.execute(rename(q), p, **m) for _, q, p, m in events[position + 1 : end]]
            for cursor in cursors:
                if cursor.description is not None:
                    cursor.fetchall()
            position = end + 1
        elif events[position][0] == "copy":
            _, statement, chunks = events[position]
            with connection.cursor().copy(rename(statement)) as copy:
                for chunk in chunks:
                    copy.write(chunk)
            position += 1
        else:
            _, query, params, more = events[position]
            cursor = connection.execute(rename(query), params, **more)
            if cursor.description is not None:
                cursor.fetchall()
            position += 1


def seed(url: str, rows: int) -> None:
    """Work items with 300 bytes of metadata, inserted by SQL; their ids rise with time, as those that clients make."""
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(
            "INSERT INTO localfirst.work_items (id, item_type, title, metadata) SELECT uuidv7(), 'task', 'Task ' || n,"
            " jsonb_build_object('priority', 'high', 'note', %s::text) FROM generate_series(1, %s) AS n",
            (NOTE, rows),
        )
        server.execute("VACUUM ANALYZE")


class Side:
    """A replica with its stores."""

    def __init__(self, folder: Path, name: str, url: str) -> None:
        self.path = folder / f"{name}.sqlite3"
        self.connection = open_replica(self.path, PROJECT)
        self.local = ReplicaStore(self.connection)
        self.remote = PostgresStore(url, self.local.identity())
        self.lock = ReplicaLock(folder / f"{name}.lock")

    def sync(self) -> Any:
        """One round."""
        return sync_round(self.local, self.remote, self.lock)

    def close(self) -> None:
        """Lets go of both stores."""
        self.remote.close()
        self.local.close()


def bench_push(folder: Path, url: str, rows: int, rounds: int) -> list[tuple[str, ...]]:
    """The table's lines for a push."""
    side = Side(folder, "push", url)
    side.sync()
    ids = [i for (i,) in side.connection.execute("SELECT id FROM work_items LIMIT ?", (rows,))]
    times: dict[str, list[float]] = {"engine": [], "same SQL": [], "same SQL, plain tables": []}
    with psycopg.connect(url, autocommit=True) as server:
        make_plain_copies(server)
        for number in range(rounds):
            side.connection.pragma("synchronous", "off")
            for start in range(0, rows, 500):
                with act(side.connection, "bench") as open_act:
                    for item in ids[start : start + 500]:
                        row = find(open_act.connection, WORK_ITEM, item)
                        open_act.change(WORK_ITEM, row, {"title": f"Round {number} {item}"})
            # As people write: every change an act of its own.
            side.connection.execute("UPDATE outbox SET txn = number")
            side.connection.pragma("synchronous", "full")
            with side.lock.held(1):
                recorder = record(side.remote)
                before = side.remote.head()
                recorder.events.clear()
                copy = snapshot_outbox(side)
                times["engine"].append(timed(lambda: push_outbox(side.local, side.remote)))
            events = list(recorder.events)
            side.remote._connection = recorder._connection
            for name, rename in (("same SQL", lambda q: q), ("same SQL, plain tables", to_plain)):
                reset(server, before, rename)
                local = sqlite_floor(copy)
                begin = time.perf_counter()
                with server.pipeline():
                    pass
                replay(server, events, rename)
                times[name].append(time.perf_counter() - begin + local)
        head = side.remote.head()
        assert head.seq == before.seq + rows, "the replay left the log as the engine did"
    side.close()
    engine = statistics.median(times["engine"])
    return [
        (f"push of {rows:,} changed rows: {name}", str(figure(v, 1e3)), f"{rows / statistics.median(v):,.0f}",
         f"{statistics.median(v) / engine:.0%}")
        for name, v in times.items()
    ]  # fmt: skip


def record(remote: PostgresStore) -> Recorder:
    """Puts a recorder before the store's connection."""
    remote.head()
    recorder = Recorder(remote._connection)
    remote._connection = recorder  # type: ignore[assignment]  # it stands before the real one
    return recorder


def snapshot_outbox(side: Side) -> Path:
    """A copy of the replica as it is before the push, for the floor in SQLite."""
    copy = side.path.with_name("copy.sqlite3")
    copy.unlink(missing_ok=True)
    side.connection.execute("VACUUM INTO ?", (str(copy),))
    return copy


def sqlite_floor(copy: Path) -> float:
    """Seconds that the same reading and acknowledging takes, on a copy of the replica."""
    target = copy.with_name("floor.sqlite3")
    for suffix in ("", "-wal", "-shm"):
        Path(f"{target}{suffix}").unlink(missing_ok=True)
    shutil.copy(copy, target)
    connection = connect(target)
    begin = time.perf_counter()
    while True:
        batch = connection.execute(
            "SELECT o.number, o.txn, h.entity, h.entity_id, o.base_version, h.version, h.by, h.at, h.fields"
            " FROM outbox AS o JOIN history AS h USING (history_id) ORDER BY o.history_id LIMIT 2000"
        ).fetchall()
        if not batch:
            break
        with immediate(connection):
            connection.execute(
                "DELETE FROM outbox WHERE history_id IN (SELECT history_id FROM outbox ORDER BY history_id LIMIT 2000)"
            )
            connection.execute("UPDATE replica SET acked_number = ?, cursor_seq = cursor_seq + 1", (batch[-1][0],))
    seconds = time.perf_counter() - begin
    connection.close()
    return seconds


_PLAIN = ("work_items", "history", "project_heads", "replicas", "push_receipts")


def make_plain_copies(server: psycopg.Connection[Any]) -> None:
    """The tables of a push in a schema of their own, with their keys and indexes but no trigger and no constraint."""
    server.execute("CREATE SCHEMA plain")
    for name in _PLAIN:
        server.execute(f"CREATE TABLE plain.{name} (LIKE localfirst.{name} INCLUDING DEFAULTS INCLUDING INDEXES)")
        server.execute(f"INSERT INTO plain.{name} SELECT * FROM localfirst.{name}")
    server.execute("VACUUM ANALYZE")


def to_plain(query: Any) -> Any:
    """The statement on the plain copies."""
    text = query.decode() if isinstance(query, bytes) else str(query)
    for name in _PLAIN:
        text = text.replace(f"localfirst.{name}", f"plain.{name}")
    return text


def reset(server: psycopg.Connection[Any], before: Cursor, rename: Callable[[Any], Any]) -> None:
    """Takes back what a push has added, so that the same statements can run again."""
    for statement in (
        f"DELETE FROM localfirst.history WHERE seq > {before.seq}",
        f"UPDATE localfirst.project_heads SET head = {before.seq}, tag = {before.tag}",
        "DELETE FROM localfirst.push_receipts",
    ):
        server.execute(rename(statement))


def bench_pull(folder: Path, url: str, rows: int, rounds: int) -> list[tuple[str, ...]]:
    """The table's lines for the pull of a new replica."""
    times: dict[str, list[float]] = {"engine": [], "same SQL": []}
    for number in range(rounds):
        side = Side(folder, f"pull-{number}", url)
        side.remote.head()
        times["engine"].append(timed(side.sync))
        assert side.connection.execute("SELECT count(*) FROM work_items").get >= rows
        side.close()
        times["same SQL"].append(pull_floor(folder / f"floor-{number}.sqlite3", url))
    engine = statistics.median(times["engine"])
    return [
        (f"pull of {rows:,} rows: {name}", str(figure(v, 1e3)), f"{rows / statistics.median(v):,.0f}",
         f"{statistics.median(v) / engine:.0%}")
        for name, v in times.items()
    ]  # fmt: skip


class Tee:
    """A sink that keeps batches."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, Any]] = []

    def expects(self, changes: int) -> None:
        """It is all the same."""

    def rows(self, table_name: str, rows: Any) -> None:
        """Keeps rows."""
        self.batches.append((table_name, rows))

    def history(self, rows: Sequence[HistoryRow]) -> None:
        """Keeps history."""
        self.batches.append(("history", rows))


def pull_floor(path: Path, url: str) -> float:
    """Seconds for the same queries streamed and the same rows written, with nothing in between."""
    connection = open_replica(path, PROJECT)
    local = ReplicaStore(connection)
    remote = PostgresStore(url, local.identity())
    remote.head()
    bodies: dict[str, str] = {}
    warm = Tee()
    remote.pull(BEGINNING, warm)
    metadata = WORK_ITEM.column_names.index("metadata")
    for name, batch in warm.batches:
        if name == "work_items":
            bodies.update({row[metadata]: fulltext.body_of(row[metadata]) for row in batch})
    begin = time.perf_counter()
    sink = Tee()
    remote.pull(BEGINNING, sink)
    title = WORK_ITEM.column_names.index("title")
    status = VENDOR.column_names.index("status")
    with immediate(connection):
        for name, batch in sink.batches:
            if name == "history":
                connection.executemany(
                    "INSERT INTO history (entity, entity_id, version, by, at, outcome, fields) VALUES (?,?,?,?,?,?,?)",
                    [row[1:8] for row in batch],
                )
            elif name == "work_items":
                connection.executemany(upsert_sql(WORK_ITEM), batch)
                first = connection.last_insert_rowid() - len(batch) + 1
                connection.executemany(
                    "INSERT INTO work_items_text (rowid, title, body) VALUES (?, ?, ?)",
                    [(first + i, row[title], bodies[row[metadata]]) for i, row in enumerate(batch)],
                )
            elif name != "conflicts":
                entity = next(e for e in ENTITIES if e.table == name)
                plain = [tuple(v for i, v in enumerate(r) if entity is not VENDOR or i != status) for r in batch]
                assert not plain or len(plain[0]) == len(written_columns(entity))
                connection.executemany(upsert_sql(entity), plain)
    seconds = time.perf_counter() - begin
    remote.close()
    local.close()
    return seconds


def bench_small(folder: Path, url: str) -> list[tuple[str, ...]]:
    """A round with nothing to do, and one change from replica to replica."""
    a, b = Side(folder, "a", url), Side(folder, "b", url)
    a.sync()
    b.sync()
    item = a.connection.execute("SELECT id FROM work_items LIMIT 1").get
    nothing = [timed(a.sync) for _ in range(500)]
    push, pull = [], []
    for number in range(200):
        with act(a.connection, "bench") as open_act:
            open_act.change(WORK_ITEM, find(open_act.connection, WORK_ITEM, item), {"title": f"Small {number}"})
        push.append(timed(a.sync))
        pull.append(timed(b.sync))
    a.close()
    b.close()
    return [
        ("a round with nothing to do", str(figure(nothing, 1e3)), "", ""),
        ("a round that pushes one change", str(figure(push, 1e3)), "", ""),
        ("a round that pulls one change", str(figure(pull, 1e3)), "", ""),
    ]


_DIRECT_UPDATE = "UPDATE {schema}.work_items SET title = 'Direct {number} ' || left(id::text, 8)"
# Path and depth too, since the plain copy has no trigger that derives them.
_DIRECT_INSERT = """
    INSERT INTO {schema}.work_items (project_id, id, item_type, title, path, depth, metadata)
    SELECT i.project_id, i.new_id, 'task', 'Direct {number}', i.new_id::text, 0, i.metadata
    FROM (SELECT project_id, metadata, gen_random_uuid() AS new_id FROM localfirst.work_items LIMIT {rows}) AS i
"""


def bench_direct(url: str, rounds: int) -> list[tuple[str, ...]]:
    """An UPDATE of all rows, and an INSERT of as many, typed by a person, with the triggers and on a plain copy."""
    found: list[tuple[str, ...]] = []
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("DROP TABLE plain.work_items")
        server.execute("CREATE TABLE plain.work_items (LIKE localfirst.work_items INCLUDING ALL)")
        server.execute("INSERT INTO plain.work_items SELECT * FROM localfirst.work_items")
        rows = server.execute("SELECT count(*) FROM localfirst.work_items").fetchone()[0]  # type: ignore[index]  # count(*) gives a row
        for what, statement in (("UPDATE", _DIRECT_UPDATE), ("INSERT", _DIRECT_INSERT)):
            times: dict[str, list[float]] = {"localfirst": [], "plain": []}
            for number in range(rounds):
                for schema, taken in times.items():
                    server.execute(f"VACUUM ANALYZE {schema}.work_items")
                    query = statement.format(schema=schema, number=number, rows=rows)
                    taken.append(timed(partial(server.execute, query)))
            plain = statistics.median(times["plain"])
            for name, v in (
                ("by SQL with all triggers", times["localfirst"]),
                ("the same table without triggers", times["plain"]),
            ):
                median = statistics.median(v)
                found.append(
                    (
                        f"{what} of {rows:,} rows, {name}",
                        str(figure(v, 1e3)),
                        f"{rows / median:,.0f}",
                        f"{median / plain:.2f} ×",
                    )
                )
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--push", type=int, default=10_000)
    parser.add_argument("--pull", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with own_folder() as folder, own_server() as url:
        Side(folder, "first", url).sync()
        seed(url, max(arguments.push, arguments.pull))
        rows = bench_pull(folder, url, max(arguments.push, arguments.pull), arguments.rounds)
        rows += bench_push(folder, url, arguments.push, arguments.rounds)
        rows += bench_small(folder, url)
        rows += bench_direct(url, min(arguments.rounds, 3))
    print(table("Synchronisation, milliseconds", ("what", "median (spread)", "rows/s", "time against the engine's"), rows))


if __name__ == "__main__":
    main()
