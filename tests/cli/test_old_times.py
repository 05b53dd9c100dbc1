"""Times of long ago, written by SQL in a time zone that differed by seconds then: they are read, compared and brought back."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from localfirst_schema import timestamps

from cli.conftest import NewLaptop
from cli.shell import Shell

pytestmark = pytest.mark.xdist_group("postgres")

Psql = psycopg.Connection[tuple[object, ...]]

LONG_AGO = "1850-01-01T00:00:00.000000Z"
LAST = "9999-12-31T23:59:59.000000Z"

AS_BEFORE = """
    DO $$ DECLARE found record; BEGIN
        FOR found IN SELECT p.oid::regprocedure AS routine FROM pg_proc AS p
            WHERE p.pronamespace = 'localfirst'::regnamespace AND 'TimeZone=UTC' = ANY (p.proconfig)
        LOOP EXECUTE format('ALTER FUNCTION %s RESET TimeZone', found.routine); END LOOP;
    END $$
"""
"""The log tells times in the zone of whoever writes, as boards from before have it."""


@pytest.fixture
def psql(database_url: str) -> Iterator[Psql]:
    """Somebody in Berlin."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET TimeZone = 'Europe/Berlin'")
        yield connection


def logged(psql: Psql, item: str) -> list[object]:
    query = "SELECT fields #>> '{archived_at,new}' FROM localfirst.history WHERE entity_id = %s AND version > 1 ORDER BY seq"
    return [value for (value,) in psql.execute(query, (item,)).fetchall()]


def archive(psql: Psql, item: str, at: str) -> None:
    psql.execute("UPDATE localfirst.work_items SET archived_at = %s WHERE id = %s", (at, item))


def reported(shell: Shell, item: str) -> list[object]:
    shell.ok("sync")
    return [one["fields"]["archived_at"]["new"] for one in shell.json("item", "history", item)["changes"][:-1]][::-1]


def test_the_log_tells_times_in_utc_whoever_writes(laptop: NewLaptop, psql: Psql) -> None:
    ann = laptop("ann")
    item = ann.item("Task")
    archive(psql, item, LONG_AGO)
    archive(psql, item, LAST)
    psql.execute("DELETE FROM localfirst.work_items WHERE id = %s", (item,))
    assert logged(psql, item)[:2] == ["1850-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00"]
    [(deleted,)] = psql.execute(
        "SELECT fields #>> '{deleted_at,new}' FROM localfirst.history WHERE version = 4 AND entity_id = %s", (item,)
    ).fetchall()
    assert str(deleted).endswith("+00:00")


def test_times_in_the_zone_of_whoever_wrote_are_understood(laptop: NewLaptop, psql: Psql) -> None:
    ann, bob = laptop("ann"), laptop("bob")
    item = ann.item("Task")
    psql.execute(AS_BEFORE.encode())
    archive(psql, item, LONG_AGO)
    archive(psql, item, LAST)
    assert logged(psql, item) == ["1850-01-01T00:53:28+00:53:28", "10000-01-01T00:59:59+01:00"]
    assert reported(ann, item) == reported(bob, item) == [LONG_AGO, LAST]
    checks = ann.run("doctor", "--verify", "--json").json["checks"]
    assert [one for one in checks if one["subject"] == "verify" and one["level"] != "ok"] == []
    psql.execute("DROP SCHEMA localfirst CASCADE")
    for shell in (ann, bob, ann):
        shell.ok("sync")
    assert reported(ann, item) == reported(bob, item) == [LONG_AGO, LAST]
    [(archived,)] = psql.execute("SELECT archived_at = %s FROM localfirst.work_items", (LAST,)).fetchall()
    assert archived


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1850-01-01T00:53:28+00:53:28", LONG_AGO),
        ("10000-01-01T13:59:59+14:00", LAST),
        ("0001-12-31T12:00:00-12:00 BC", "0001-01-01T00:00:00.000000Z"),
        ("2024-01-01T00:00:00+167:59", "2023-12-25T00:01:00.000000Z"),
        ("2024-02-29T23:00:00.5-01:00", "2024-03-01T00:00:00.500000Z"),
        ("0400-03-01T00:00:00+00:00", "0400-03-01T00:00:00.000000Z"),
        ("2024-01-02T03:04:05.000006Z", "2024-01-02T03:04:05.000006Z"),
    ],
)
def test_a_time_of_a_line(written: str, meant: str) -> None:
    assert timestamps.of_line(written) == meant


@pytest.mark.parametrize("written", ["infinity", "0044-03-15T00:00:00+00:00 BC", "10001-01-01T00:00:00+00:00", "x"])
def test_what_is_no_time_of_ours(written: str) -> None:
    with pytest.raises(ValueError, match=r"RFC 3339|years|range|month"):
        timestamps.of_line(written)
