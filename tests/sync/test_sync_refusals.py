"""What is said of a connection that does not come about, or is cut: by SQLSTATE and step, whatever the server speaks."""

from __future__ import annotations

import socket
import struct
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from cluster import run
from line import Line
from localfirst_schema.errors import UnavailableError
from localfirst_sync.postgres.connection import connect
from localfirst_sync.postgres.failure import unavailable
from psycopg.conninfo import make_conninfo

BACK = "go out when it is back"
"""Only said of what may pass by itself."""

GERMAN = {
    "53300": ("connections", "tut mir leid, schon zu viele Verbindungen", True),
    "57P03": ("connection", "das Datenbanksystem startet", True),
    "57P01": ("connection", "das Datenbanksystem fährt herunter", True),
    "28000": ("permission", "Rolle »ann« hat keine Berechtigung zum Login", False),
    "28P01": ("password", "Passwort-Authentifizierung für Benutzer »ann« fehlgeschlagen", False),
    "3D000": ("database", "Datenbank »db« existiert nicht", False),
    "42501": ("permission", "keine Berechtigung für Datenbank »db«", False),
    "XX000": ("server", "Cache-Suche fehlgeschlagen", True),
}


def refusal(url: str) -> UnavailableError:
    with pytest.raises(UnavailableError) as failed:
        connect(url)
    return failed.value


@contextmanager
def german_server(code: str, message: str) -> Iterator[str]:
    """A server that refuses everybody: its address. (No catalogue of messages is installed with the real ones.)"""
    fields = {"S": "FATAL", "V": "FATAL", "C": code, "M": message, "F": "postmaster.c", "L": "1", "R": "refuse"}
    body = b"".join(name.encode() + value.encode() + b"\0" for name, value in fields.items()) + b"\0"
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                while len(head := client.recv(8, socket.MSG_WAITALL)) == 8:
                    length, request = struct.unpack("!II", head)
                    client.recv(length - 8, socket.MSG_WAITALL) if length > 8 else b""
                    if request in (80877103, 80877104):  # asks for encryption
                        client.sendall(b"N")
                        continue
                    client.sendall(b"E" + struct.pack("!I", len(body) + 4) + body)
                    break

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"postgresql://ann:secret@127.0.0.1:{listener.getsockname()[1]}/db"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.mark.parametrize("code", GERMAN)
def test_a_server_that_speaks_german_is_understood(code: str) -> None:
    cause, message, passes = GERMAN[code]
    with german_server(code, message) as url:
        error = refusal(url)
    assert error.details["cause"] == cause
    assert (BACK in error.message) == passes
    assert message not in error.message
    assert "ann" not in error.message.replace("cannot", "").replace("Changes", "")


def test_a_role_that_may_not_log_in_and_one_without_a_connection_left(database_url: str) -> None:
    role = f"few_{uuid.uuid4().hex}"
    run(database_url, f"CREATE ROLE {role} NOLOGIN")
    try:
        forced_reason = refusal(make_conninfo(database_url, user=role))
        run(database_url, f"ALTER ROLE {role} LOGIN CONNECTION LIMIT 0")
        full = refusal(make_conninfo(database_url, user=role))
    finally:
        run(database_url, f"DROP ROLE {role}")
    assert (forced_reason.details["cause"], BACK in forced_reason.message) == ("permission", False)
    assert (full.details["cause"], BACK in full.message) == ("connections", True)


def test_a_database_and_a_role_that_are_not_there(database_url: str) -> None:
    for given, cause in (({"dbname": "nowhere"}, "database"), ({"user": "nobody_at_all"}, "permission")):
        error = refusal(make_conninfo(database_url, **given))
        assert (error.details["cause"], BACK in error.message) == (cause, False)


def test_an_encrypted_connection_that_is_cut_was_lost_and_is_no_matter_of_certificates(database_url: str) -> None:
    with closing(Line(database_url, tls=True)) as line, connect(line.url) as connection:
        line.cut(refuse=True)
        with pytest.raises(Exception) as cut:  # noqa: PT011 - whatever the driver makes of it
            connection.execute("SELECT 1")
        error = unavailable(cut.value)
        assert (error.details["cause"], BACK in error.message) == ("connection", True)
        assert "encrypted" not in error.message
        assert "lost" in error.message


def test_certificates_that_are_not_there_or_do_not_fit(database_url: str, tmp_path: Path) -> None:
    with closing(Line(database_url, tls=True)) as line:
        missing = refusal(make_conninfo(line.url, sslmode="verify-full", sslrootcert=str(tmp_path / "missing.crt")))
        (tmp_path / "other.crt").write_text("")
        other = refusal(make_conninfo(line.url, sslmode="verify-full", sslrootcert=str(tmp_path / "other.crt")))
    assert (missing.details["cause"], BACK in missing.message) == ("settings", False)
    assert "sslrootcert" in missing.message
    assert (other.details["cause"], BACK in other.message) == ("tls", False)


def test_a_server_without_encryption_where_the_address_asks_for_it() -> None:
    with german_server("57P03", "das Datenbanksystem startet") as url:
        error = refusal(make_conninfo(url, sslmode="require"))
    assert (error.details["cause"], BACK in error.message) == ("tls", False)


def test_nothing_answers() -> None:
    for url in ("postgresql://ann@127.0.0.1:1/db", "host=/nowhere user=ann", "postgresql://ann@no.such.host.invalid/db"):
        error = refusal(url)
        assert (error.details["cause"], BACK in error.message) == ("refused", True)


def test_of_several_hosts_the_one_that_answers_tells_the_most() -> None:
    with german_server("28P01", "Passwort-Authentifizierung fehlgeschlagen") as url:
        port = url.rpartition(":")[2].partition("/")[0]
        for ports in (f"1,{port}", f"{port},1"):
            assert refusal(f"host=127.0.0.1,127.0.0.1 port={ports} user=ann dbname=db").details["cause"] == "password"
