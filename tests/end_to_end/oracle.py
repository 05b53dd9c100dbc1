"""What must be true when all are level: every row of every replica is PostgreSQL's, and no acknowledged write is missing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw
import psycopg
from contract.laptop import Laptop

from end_to_end.stores import replica_rows, server_rows
from localfirst.replica import fulltext

Line = tuple[str, str | None, str, str]
"""(row, by, at, fields): what makes a change."""


class Broken(AssertionError):
    """Something that must be true is not."""


def hold(is_true: bool, words: str, *about: object) -> None:
    """Raises `Broken` unless it is true."""
    if not is_true:
        raise Broken(f"{words}: {', '.join(map(str, about))}"[:4000])


class Standing:
    """How far a replica is: `waiting` changes, the cursor, and whether full text is missing."""

    def __init__(self, laptop: Laptop) -> None:
        connection = apsw.Connection(str(laptop.replica), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.set_busy_timeout(5000)
            (found,) = connection.execute(
                "SELECT (SELECT count(*) FROM outbox), cursor_seq, cursor_tag, text_from FROM replica"
            ).fetchall()
        finally:
            connection.close()
        self.waiting, self.seq, self.tag, self.text_from = found

    def is_level_with(self, head: tuple[int, int]) -> bool:
        """Nothing waits, nothing is missing."""
        return not self.waiting and (self.seq, self.tag) == head and self.text_from is None


def head(url: str) -> tuple[int, int]:
    """The only project's head and tag."""
    with psycopg.connect(url) as server:
        found: Any = server.execute("SELECT head, tag FROM localfirst.project_heads").fetchone()
        return int(found[0]), int(found[1])


def activity(url: str) -> list[tuple[object, ...]]:
    """What PostgreSQL is doing for everybody: to say what is wrong."""
    query = (
        "SELECT pid, state, wait_event_type, wait_event, now() - xact_start, pg_blocking_pids(pid), left(query, 120)"
        " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with psycopg.connect(url) as server:
        return list(server.execute(query).fetchall())


def judge(url: str, laptops: Sequence[Laptop], journals: Iterable[Path]) -> dict[str, int]:
    """Compares everything, and returns how much that was. Raises `Broken`."""
    rows = server_rows(url)
    conflicts, reported, head_seq = _server(url)
    for laptop in laptops:
        here = replica_rows(laptop)
        for table, wanted in rows.items():
            different = [
                f"{row_id}: {[(n, a.get(n), b.get(n)) for n in {*a, *b} if a.get(n) != b.get(n)]}"
                for row_id in wanted.keys() | here[table].keys()
                if (a := here[table].get(row_id, {})) != (b := wanted.get(row_id, {}))
            ]
            hold(not different, f"{laptop.directory.name} differs from PostgreSQL in {table} (here, there)", different[:3])
        _judge_replica(laptop, conflicts, reported)
    written = Counter(_written(journals))
    # One act can settle two conflicts of a row with changes that say the same: nothing.
    doubled = [
        line for line, times in reported.items()
        if (line[1] or "").startswith("laptop") and line[3] != "{}" and times > max(1, written["", *line[:3]])
    ]  # fmt: skip
    hold(not doubled, "a change was applied twice", doubled[:3])
    known = {line[:3] for line in reported}
    for kind, *change in written:
        if kind == "conflict":  # settled, by whoever was first, or open again since the act met another change
            hold(change[0] in conflicts, "a conflict is lost", change)
        else:
            hold(tuple(change) in known, "an acknowledged write is lost", change)
    return {
        "rows": sum(map(len, rows.values())), "changes": head_seq, "acknowledged": written.total(),
        "conflicts": len(conflicts), "open": sum(row is None for row in conflicts.values()),
    }  # fmt: skip


def _server(url: str) -> tuple[dict[str, str | None], Counter[Line], int]:
    """Conflicts with how they were settled, the history of the rows, and the head; the numbers must have no gap."""
    with psycopg.connect(url) as server:
        settled: list[Any] = server.execute("SELECT id::text, resolution FROM localfirst.conflicts").fetchall()
        conflicts: dict[str, str | None] = dict(settled)
        lines = server.execute(
            "SELECT entity_id::text, by, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), fields::text"
            " FROM localfirst.history WHERE entity <> 'conflict'"
        ).fetchall()
        numbers: Any = server.execute(
            "SELECT count(*), coalesce(max(seq), 0), (SELECT head FROM localfirst.project_heads) FROM localfirst.history"
        ).fetchone()
        left: Any = server.execute("SELECT count(*) FROM localfirst.history_pending").fetchone()
    hold(numbers[0] == numbers[1] == numbers[2], "the numbers have a gap", numbers)
    hold(left[0] == 0, "changes were left without a number", left)
    return conflicts, Counter((row, by, at, _plain(fields)) for row, by, at, fields in lines), numbers[2]


def _judge_replica(laptop: Laptop, conflicts: dict[str, str | None], reported: Counter[Line]) -> None:
    name = laptop.directory.name
    connection = apsw.Connection(str(laptop.replica), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(5000)
        settled: list[Any] = connection.execute("SELECT id, resolution FROM conflicts").fetchall()
        here: dict[str, str | None] = dict(settled)
        different = {*here.items()} ^ {*conflicts.items()}
        hold(not different, f"the conflicts of {name} are not PostgreSQL's", list(different)[:3])
        lines = connection.execute("SELECT entity_id, by, at, fields FROM history WHERE entity <> 'conflict'")
        mine: Counter[Line] = Counter((str(row), by, str(at), _plain(str(fields))) for row, by, at, fields in lines)
        hold(mine == reported, f"the history of {name} is not PostgreSQL's", _some(mine - reported), _some(reported - mine))
        hold(fulltext.is_consistent(connection), f"the full text of {name} is not that of its rows")
    finally:
        connection.close()


def _written(journals: Iterable[Path]) -> Iterator[tuple[str, str, str | None, str]]:
    """Every acknowledged change, as (``conflict`` or nothing, row, by, at)."""
    for journal in journals:
        for line in journal.read_text().split("\n")[:-1]:  # the last may have been cut off by a kill
            one = json.loads(line)
            yield "conflict" if one["entity"] == "conflict" else "", one["id"], one["by"], one["at"]


def _some(lines: Counter[Line]) -> list[Line]:
    return list(lines)[:2]


def _plain(fields: str) -> str:
    return json.dumps(json.loads(fields), sort_keys=True)
