"""Asking for the head costs the budget at most, whatever the server does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from localfirst_schema.errors import UnavailableError
from localfirst_sync.ports import Identity
from localfirst_sync.postgres import head as asking
from localfirst_sync.postgres.connection import Connection, connect
from localfirst_sync.postgres.probe import HeadProbe
from localfirst_sync.postgres.store import PostgresStore
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sync_looking import head


class Freezer:
    """A proxy before PostgreSQL that can stop passing anything on, while its sockets stay open."""

    def __init__(self, url: str) -> None:
        given = conninfo_to_dict(url)
        self._target = f"{given['host']}/.s.PGSQL.{given.get('port') or 5432}"
        self._server = socket.create_server(("127.0.0.1", 0))
        self.flowing = threading.Event()
        self.flowing.set()
        self._sockets: list[socket.socket] = []
        port = self._server.getsockname()[1]
        self.url = make_conninfo(url, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable")
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            upstream = socket.socket(socket.AF_UNIX)
            upstream.connect(self._target)
            self._sockets += [client, upstream]
            for one, other in ((client, upstream), (upstream, client)):
                threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                self.flowing.wait()
                other.sendall(data)
        except OSError:
            pass
        finally:
            other.close()

    def close(self) -> None:
        self._server.close()
        self.flowing.set()
        for each in self._sockets:
            each.close()


@pytest.fixture
def freezer(database_url: str) -> Iterator[Freezer]:
    proxy = Freezer(database_url)
    yield proxy
    proxy.close()


def test_the_probe_tells_the_head(server: Connection, database_url: str, project: str) -> None:
    probe = HeadProbe(database_url, project)
    assert probe.head(5000) == head(server)
    server.execute("UPDATE localfirst.project_configuration SET git_branch = 'main'")
    assert probe.head(5000) == head(server) == (2, head(server)[1])
    probe.close()


def test_a_server_that_freezes_costs_the_budget_once(server: Connection, freezer: Freezer, project: str) -> None:
    probe = HeadProbe(freezer.url, project)
    assert probe.head(5000) == head(server)
    freezer.flowing.clear()
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(UnavailableError):
            probe.head(100)
        assert time.monotonic() - began < 0.3
    probe.close()


def test_a_port_that_accepts_and_is_silent(project: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        probe = HeadProbe(f"postgresql://u:p@127.0.0.1:{silent.getsockname()[1]}/d", project)
        began = time.monotonic()
        with pytest.raises(UnavailableError):
            probe.head(100)
        assert time.monotonic() - began < 0.3
        probe.close()


def test_the_probe_comes_back_with_the_server(server: Connection, freezer: Freezer, project: str) -> None:
    probe = HeadProbe(freezer.url, project)
    probe.head(5000)
    freezer.flowing.clear()
    with pytest.raises(UnavailableError):
        probe.head(50)
    freezer.flowing.set()
    deadline = time.monotonic() + 5
    while True:
        try:
            assert probe.head(1000) == head(server)
            break
        except UnavailableError:
            assert time.monotonic() < deadline
    probe.close()


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next(server: Connection, freezer: Freezer, project: str) -> None:
    connection = connect(freezer.url)
    asking.prepare(connection)
    freezer.flowing.clear()
    with pytest.raises(UnavailableError):
        asking.ask(connection, project, 50)
    freezer.flowing.set()
    connection.close()


def test_the_store_gives_up_on_a_frozen_server(
    server: Connection, freezer: Freezer, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localfirst_sync.postgres.store.HEAD_BUDGET_MS", 100)
    with PostgresStore(freezer.url, Identity(project, "p", project, 1)) as store:
        assert store.head() == head(server)
        freezer.flowing.clear()
        with pytest.raises(UnavailableError):
            store.head()
        freezer.flowing.set()
        assert store.head() == head(server)
