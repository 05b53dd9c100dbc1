"""What goes wrong with the server is said in words, and never with a secret."""

from __future__ import annotations

import socket

import psycopg
import pytest
from localfirst_schema.errors import UnavailableError
from localfirst_sync.postgres.address import describe_server
from localfirst_sync.postgres.connection import Connection, connect
from localfirst_sync.postgres.failure import blames_the_data, is_temporary, unavailable
from postgres import Server

SECRET = "hunter2-very-secret"


def refusal(url: str) -> UnavailableError:
    with pytest.raises(UnavailableError) as failed:
        connect(url, connect_timeout_s=2)
    return failed.value


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        (f"postgresql://ann:{SECRET}@127.0.0.1:1/db", "refused"),
        (f"postgresql://ann:{SECRET}@no.such.host.invalid/db", "refused"),
        (f"host=/nowhere user=ann password={SECRET}", "refused"),
        (f"postgresql://ann:{SECRET}@host:port:extra/db?nonsense", "settings"),
        (f"just some words and {SECRET}", "settings"),
        (f"postgresql://ann:{SECRET}@127.0.0.1/db?sslmode={SECRET}", None),
    ],
)
def test_no_secret_is_in_an_error(url: str, cause: str | None) -> None:
    error = refusal(url)
    said = f"{error} {error.as_dict()} {error!r} {error.__cause__!r}"
    assert SECRET not in said
    assert "ann" not in said.replace("cannot", "").replace("Changes", "")
    if cause is not None:
        assert error.details["cause"] == cause
    assert SECRET not in describe_server(url)


def test_a_server_that_accepts_and_is_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = refusal(f"postgresql://ann:{SECRET}@127.0.0.1:{silent.getsockname()[1]}/db")
    assert error.details["cause"] == "timeout"


def test_a_database_that_is_not_there(postgres_server: Server) -> None:
    error = refusal(postgres_server.url("nowhere"))
    assert error.details["cause"] == "database"
    assert "nowhere" not in error.message


def test_the_server_is_described_without_credentials() -> None:
    assert describe_server(f"postgresql://ann:{SECRET}@db.example.org:6543/work") == "db.example.org:6543/work"
    assert describe_server(f"postgresql://ann:p@{SECRET}@db.example.org:6543/work") == "db.example.org:6543/work"
    assert describe_server("host=db.example.org dbname=work") == "db.example.org:5432/work"


def test_what_may_be_tried_again_and_what_not(server: Connection) -> None:
    def fails(statement: str) -> psycopg.Error:
        with pytest.raises(psycopg.Error) as failed:
            server.execute(statement.encode())
        return failed.value

    raised = "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{}'; END $$"
    assert all(is_temporary(fails(raised.format(code))) for code in ("40001", "40P01", "55P03"))
    assert not is_temporary(fails(raised.format("57014")))
    assert blames_the_data(fails("SELECT 1/0"))
    assert not blames_the_data(fails("SELECT nothing"))
    assert unavailable(fails(raised.format("57P01"))).details["cause"] == "connection"
