"""No address that a person may write, rightly or wrongly, shows its password; and no server gets one in clear."""

from __future__ import annotations

import logging
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from localfirst_schema.errors import UnavailableError
from localfirst_sync.postgres import authentication
from localfirst_sync.postgres.address import UNREADABLE, describe_server, without_secret
from localfirst_sync.postgres.connection import connect, conninfo
from psycopg.conninfo import conninfo_to_dict

from localfirst.log import WithoutSecrets
from localfirst.settings.displayed import displayed

MARKER = "s3cretMARKER"

# What stands around the marker in a password: characters that mean something in an address, escaped or not.
_AROUND = st.text(st.sampled_from("ab9/@:?#%&= ,'\\[]+;é\n"), max_size=6)
_ESCAPES = st.sampled_from(["%2F", "%40", "%3A", "%zz", "%", "%00", ""])
_PASSWORDS = st.builds(lambda a, b, c, d: f"{a}{b}{MARKER}{c}{d}", _AROUND, _ESCAPES, _ESCAPES, _AROUND)
_SCHEMES = st.sampled_from(
    [
        "postgresql://",
        "postgres://",
        "",
        "postgresql:",
        "postgresql:/",
        "//",
        "postgresql+psycopg://",
        "jdbc:postgresql://",
        " postgresql://",
    ]
)
_HOSTS = st.sampled_from(["h", "127.0.0.1", "[::1]", "h1:1,h2:2", "", "h:5432", "%2Ftmp"])
_USERS = st.sampled_from(["ann", "", "a%40b", "ann@corp"])
_DATABASES = st.sampled_from(["", "/", "/db", "/my%20db"])
_QUERIES = st.sampled_from(["", "?sslmode=require", "?application_name=x&connect_timeout=1", "&x=1", "?x"])
_KEYS = st.sampled_from(
    [
        "password",
        "passwd",
        "pass%77ord",
        "PASSWORD",
        "pwd",
        "Password",
        "sslpassword",
        "pass word",
        "passfile",
        "options",
        "%70assword",
    ]
)

_URLS = st.builds(
    lambda scheme, user, password, host, database, query: f"{scheme}{user}:{password}@{host}{database}{query}",
    _SCHEMES, _USERS, _PASSWORDS, _HOSTS, _DATABASES, _QUERIES,
)  # fmt: skip
_WITH_QUERY = st.builds(
    lambda scheme, host, database, mark, key, password: f"{scheme}{host}{database}{mark}{key}={password}",
    _SCHEMES, _HOSTS, _DATABASES, st.sampled_from(["?", "&", "?sslmode=require&", "?a=b&", ";"]), _KEYS, _PASSWORDS,
)  # fmt: skip
_KEYWORDS = st.builds(
    lambda before, key, equals, quote, password, after: f"{before}{key}{equals}{quote}{password}{quote}{after}",
    st.sampled_from(["", "host=h ", "host=h dbname=db user=ann ", "h "]), _KEYS, st.sampled_from(["=", " = ", ":", " "]),
    st.sampled_from(["", "'", '"']), _PASSWORDS, st.sampled_from(["", " dbname=db", " host=h", " nonsense"]),
)  # fmt: skip

ODD = [
    f"postgresql://ann:pa/{MARKER}@h/db",
    f"postgresql://ann:12/{MARKER}@h/db",
    f"postgresql://ann:12/{MARKER}?sslmode=x@h/db",
    f"postgresql://ann:a@{MARKER},@h/db",
    f"postgresql://ann:/{MARKER}@h/db",
    f"postgresql://ann%3A{MARKER}@h",
    f"postgresql://h/db?pass%77ord={MARKER}",
    f"postgresql://h/db&password={MARKER}",
    f"host=h passwd={MARKER}",
    f"host=h dbname=postgresql://ann:{MARKER}@h/db",
    f"ann:{MARKER}@h/db",
    f"ann:{MARKER}@h/db?sslmode=require",
    f"host=h password=a\udcff{MARKER}",
]


def said_of(dsn: str) -> str:
    """All that is ever said of an address, without asking a server."""
    said = [describe_server(dsn), without_secret(dsn), displayed("database_url", dsn)]
    try:
        conninfo(dsn)
    except (psycopg.Error, UnicodeError):
        with pytest.raises(UnavailableError) as refused:
            connect(dsn)
        error = refused.value
        said += [str(error), repr(error), str(error.as_dict()), repr(error.__cause__), str(error.__suppress_context__)]
        record = logging.LogRecord("localfirst", 30, __file__, 1, "%s", (error,), (type(error), error, None))
        said.append(WithoutSecrets().format(record))
    return "\n".join(said)


@given(st.one_of(_URLS, _WITH_QUERY, _KEYWORDS))
def test_no_address_shows_its_password(dsn: str) -> None:
    assert MARKER not in said_of(dsn)


@pytest.mark.parametrize("dsn", ODD)
def test_none_of_the_odd_addresses_shows_its_password(dsn: str) -> None:
    assert MARKER not in said_of(dsn)


@pytest.mark.parametrize(
    ("dsn", "described", "repeated"),
    [
        ("postgresql://ann:x@db.example.org:6543/work", "db.example.org:6543/work", "postgresql://ann:<PASSWORD>@db.example.org:6543/work"),
        ("postgresql://ann@[::1]/work", "[::1]:5432/work", "postgresql://ann@[::1]/work"),
        ("postgresql://h1:1,h2:2/work?sslmode=require", "h1:1,h2:2/work", "postgresql://h1:1,h2:2/work?sslmode=require"),
        ("postgresql:///work?host=/var/run", "/var/run:5432/work", "postgresql://%2Fvar%2Frun/work"),
        ("host=h user=ann password=x", "h:5432/ann", "host=h port=5432 user=ann password=<PASSWORD>"),
        ("dbname=work options='-c a=b'", "localhost:5432/work", "host=localhost port=5432 dbname=work options=<VALUE>"),
        ("postgresql://u:pa/ss@h/db", UNREADABLE, UNREADABLE),
    ],
)  # fmt: skip
def test_an_address_is_displayed_as_libpq_read_it(dsn: str, described: str, repeated: str) -> None:
    assert (describe_server(dsn), without_secret(dsn)) == (described, repeated)


class TestWhatIsRequired:
    @pytest.fixture(autouse=True)
    def home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("HOME", str(tmp_path))
        for name in ("PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGHOST", "PGSSLMODE", "PGREQUIREAUTH"):
            monkeypatch.delenv(name, raising=False)
        return tmp_path

    @pytest.mark.parametrize(
        ("dsn", "required"),
        [
            ("postgresql:///db", "!password"),
            ("postgresql://ann:x@localhost/db", "!password"),
            ("postgresql://ann:x@127.0.0.1,[::1]/db", "!password"),
            ("host=/tmp password=x", "!password"),
            ("postgresql://ann:x@db.example.org/db", "scram-sha-256,gss,sspi"),
            ("postgresql://ann:x@localhost,db.example.org/db", "scram-sha-256,gss,sspi"),
            ("postgresql://ann@db.example.org/db", "!password"),
            ("postgresql://ann:x@db.example.org/db?sslcert=c&sslkey=k", "!password"),
            ("postgresql://ann:x@db.example.org/db?sslmode=verify-full", None),
            ("postgresql://ann:x@db.example.org/db?require_auth=md5", "md5"),
        ],
    )
    def test_by_the_address(self, dsn: str, required: str | None) -> None:
        assert conninfo_to_dict(conninfo(dsn)).get("require_auth") == required

    def test_what_is_ambient_is_a_password_too(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def required() -> object:
            return conninfo_to_dict(conninfo("postgresql://ann@db.example.org/db"))["require_auth"]

        monkeypatch.setenv("PGPASSWORD", "x")
        assert required() == authentication.PROVED
        monkeypatch.delenv("PGPASSWORD")
        assert required() == authentication.NOT_IN_CLEAR
        (home / ".pgpass").write_text("*:*:*:*:x")
        assert required() == authentication.PROVED


@contextmanager
def greedy_server() -> Iterator[tuple[int, list[bytes]]]:
    """Has no TLS and asks for the password in clear; gives its port, and what was sent to it after that."""
    logged: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                while (message := connection.recv(4096)) and struct.unpack("!I", message[4:8])[0] in (80877103, 80877104):
                    connection.sendall(b"N")
                connection.sendall(b"R" + struct.pack("!II", 8, 3))
                logged.append(connection.recv(4096))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1], logged


@pytest.mark.skipif(not authentication.is_supported(), reason="an old libpq")
@pytest.mark.parametrize("ambient", [True, False])
def test_a_server_that_asks_for_the_password_in_clear_does_not_get_it(ambient: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if ambient:
        monkeypatch.setenv("PGPASSWORD", MARKER)
    with greedy_server() as (port, logged), pytest.raises(UnavailableError) as refused:
        connect(f"postgresql://ann{'' if ambient else f':{MARKER}'}@127.0.0.1:{port}/db")
    assert MARKER.encode() not in b"".join(logged)
    assert refused.value.details["cause"] == "settings"
    assert "require_auth" in refused.value.message
