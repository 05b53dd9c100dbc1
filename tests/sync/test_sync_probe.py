"""Asking for the head costs the budget at most, whatever the server does."""

from __future__ import annotations

import socket
import time

import pytest
from gateway import Gateway
from localfirst_schema.errors import UnavailableError
from localfirst_sync.ports import Identity
from localfirst_sync.postgres import head as asking
from localfirst_sync.postgres.connection import Connection, connect
from localfirst_sync.postgres.probe import HeadProbe
from localfirst_sync.postgres.store import PostgresStore
from sync_looking import head


def test_the_probe_tells_the_head(server: Connection, database_url: str, project: str) -> None:
    probe = HeadProbe(database_url, project)
    assert probe.head(5000) == head(server)
    server.execute("UPDATE localfirst.project_configuration SET git_branch = 'main'")
    assert probe.head(5000) == head(server) == (2, head(server)[1])
    probe.close()


def test_a_server_that_freezes_costs_the_budget_once(server: Connection, gateway: Gateway, project: str) -> None:
    probe = HeadProbe(gateway.url, project)
    assert probe.head(5000) == head(server)
    gateway.flowing.clear()
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


def test_the_probe_comes_back_with_the_server(server: Connection, gateway: Gateway, project: str) -> None:
    probe = HeadProbe(gateway.url, project)
    probe.head(5000)
    gateway.flowing.clear()
    with pytest.raises(UnavailableError):
        probe.head(50)
    gateway.flowing.set()
    deadline = time.monotonic() + 5
    while True:
        try:
            assert probe.head(1000) == head(server)
            break
        except UnavailableError:
            assert time.monotonic() < deadline
    probe.close()


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next(server: Connection, gateway: Gateway, project: str) -> None:
    connection = connect(gateway.url)
    asking.prepare(connection)
    gateway.flowing.clear()
    with pytest.raises(UnavailableError):
        asking.ask(connection, project, 50)
    gateway.flowing.set()
    connection.close()


def test_the_store_gives_up_on_a_frozen_server(
    server: Connection, gateway: Gateway, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localfirst_sync.postgres.store.HEAD_BUDGET_MS", 100)
    with PostgresStore(gateway.url, Identity(project, "p", project, 1)) as store:
        assert store.head() == head(server)
        gateway.flowing.clear()
        with pytest.raises(UnavailableError):
            store.head()
        gateway.flowing.set()
        assert store.head() == head(server)
