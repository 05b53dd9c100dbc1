"""What is in a replica's file and should not be there, or is there in another form: a trigger, a view in place of a table, ….

The schema of a file is compared with the one that our migrations make up to the file's version, text by text, without comments
and white space. What the program makes at work is known besides: the tables of vectors, those of a bootstrap under way, and
SQLite's own statistics.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import cache
from typing import Any, NamedTuple

import apsw

from localfirst.replica.migrate import migrations

_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_schema"
_ACTING = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE type IN ('trigger', 'view') LIMIT 1"
# Linear in the text, which somebody else has written: what never ends reaches to the end, and nothing is tried twice.
_TOKEN = re.compile(
    r"--[^\n]*|/\*.*?(?:\*/|\Z)|\s+"
    r"|'[^']*+(?:''[^']*+)*+(?:'|\Z)|\"[^\"]*+(?:\"\"[^\"]*+)*+(?:\"|\Z)|\w+|.",
    re.DOTALL,
)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_VECTORS = re.compile(
    r"create virtual table (work_item_vectors|code_vectors_[0-9]{1,18}) using vec0"
    r" \( embedding (?:float|int8) \[ [0-9]{1,5} \] distance_metric = cosine , chunk_size = [0-9]{1,6} \)"
)
_VECTOR_PART = re.compile(r"(work_item_vectors|code_vectors_[0-9]{1,18})_(?:info|chunks|rowids|vector_chunks[0-9]{2})")
_STAGED = "staged_"
"""How the tables of a bootstrap begin (`bootstrap`)."""

_PLAIN_TABLE = re.compile(r"create table \S+ \( [^()]* \)")
_STATISTICS = {
    "sqlite_stat1": "create table sqlite_stat1 ( tbl , idx , stat )",
    "sqlite_stat4": "create table sqlite_stat4 ( tbl , idx , neq , nlt , ndlt , sample )",
    "sqlite_sequence": "create table sqlite_sequence ( name , seq )",
}


class Planted(NamedTuple):
    """One object that is not ours, or not as ours is; `words` name it."""

    type: str
    name: str
    words: str


def acting(connection: apsw.Connection) -> Planted | None:
    """A trigger or a view, if the file has any: what could do something by itself. One query of 40 µs, for every start."""
    found = connection.execute(_ACTING).fetchone()
    return None if found is None else _extra(*found[:3])


def planted(connection: apsw.Connection, version: int) -> list[Planted]:
    """Everything that differs from the schema of that version, by name."""
    expected = dict(_expected(version))
    found = []
    names: set[str] = set()
    rows: Iterable[Any] = connection.execute(_SCHEMA).fetchall()
    for kind, name, table, sql in rows:
        ours = expected.pop((kind, name), None)
        names.add(name)
        if ours is not None:
            if ours != (table, normalised(sql)):
                found.append(Planted(kind, name, f"the {kind} {_displayed(name)} is not as localfirst makes it"))
        elif not _is_made_at_work(kind, name, table, sql, rows):
            found.append(_extra(kind, name, table))
    missing = (key for key in expected if not key[1].startswith("sqlite_autoindex_"))
    found += [Planted(kind, name, f"the {kind} {name} is missing") for kind, name in missing]
    return sorted(found)


def _extra(kind: str, name: str, table: str) -> Planted:
    on = f" on {_displayed(table)}" if table != name else ""
    return Planted(kind, name, f"it has a {kind} {_displayed(name)}{on}, which is not localfirst's")


def _displayed(name: str) -> str:
    """A name that somebody else has chosen, as part of a sentence."""
    return repr(name[:80]) if not _WORD.fullmatch(name[:80]) else name[:80]


def normalised(sql: str | None) -> str | None:
    """A statement as its tokens: without comments and white space, names without quotes, words of SQL in lower case."""
    return None if sql is None else " ".join(_tokens(sql))


def _tokens(sql: str) -> Iterator[str]:
    for token in _TOKEN.findall(sql):
        if token.isspace() or token.startswith(("--", "/*")):
            continue
        if token[0] == '"' and _WORD.fullmatch(token[1:-1]):
            yield token[1:-1].lower()
        else:
            yield token if token[0] == "'" else token.lower()


@cache
def _expected(version: int) -> dict[tuple[str, str], tuple[str, str | None]]:
    """(type, name) → (table, statement) of a new file with that version, made in memory: some milliseconds, once."""
    with closing(apsw.Connection(":memory:")) as connection:
        for step in migrations():
            if step.number <= version:
                for _ in connection.execute(step.sql):
                    pass
        rows: Iterable[Any] = connection.execute(_SCHEMA).fetchall()
    return {(kind, name): (table, normalised(sql)) for kind, name, table, sql in rows}


def _is_made_at_work(kind: str, name: str, table: str, sql: str | None, rows: Iterable[tuple[Any, ...]]) -> bool:
    """Whether the program itself makes such an object as it works."""
    text = normalised(sql)
    if kind == "index":
        # SQLite's own, of a table that is judged itself; those of vectors and staged tables are no part of the migrations.
        return sql is None and name.startswith(f"sqlite_autoindex_{table}_")
    if kind != "table" or text is None or table != name:
        return False
    if name in _STATISTICS:
        return text == _STATISTICS[name]
    if (made := _VECTORS.fullmatch(text)) is not None:
        return made[1] == name
    if (part := _VECTOR_PART.fullmatch(name)) is not None:
        return _PLAIN_TABLE.fullmatch(text) is not None and any(part[1] == row[1] for row in rows)
    if name.startswith(_STAGED):
        real = next((row[3] for row in rows if row[0] == "table" and row[1] == name.removeprefix(_STAGED)), None)
        return real is not None and _columns(text) == _columns(normalised(real))
    return False


def _columns(text: str | None) -> str:
    return (text or "").partition("(")[2]
