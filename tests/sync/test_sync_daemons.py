"""Daemons keep nothing: another one goes on where one has ended, and one that is silent, frozen or gone is given up in time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from daemon import daemon, token
from localfirst_schema.entities import WORK_ITEM
from localfirst_schema.errors import UnavailableError
from localfirst_schema.identifiers import new_id, project_id
from localfirst_sync.http.probe import HttpHeadProbe
from localfirst_sync.http.store import HttpStore
from localfirst_sync.ports import BEGINNING, Cursor, HistoryRow, Identity, Staging
from localfirst_sync.postgres import snapshot as copying
from localfirst_sync.round import sync_round
from localfirst_sync.wake import Wake
from sync_backup import replica_rows
from sync_laptop import PROJECT_NAME, Laptop, Reached
from sync_sender import task

IDENTITY = Identity(project_id(PROJECT_NAME), PROJECT_NAME, new_id(), 1)
TOKEN = f"lf_{'0' * 10}_{'0' * 64}"


class Interrupted(UnavailableError):
    """The daemon ends here."""


class Pages:
    """A `Staging` that ends after so many pages."""

    def __init__(self, staging: Staging, pages: int) -> None:
        self._staging = staging
        self._left = pages
        self.begin, self.go_on = staging.begin, staging.go_on

    @property
    def cursor(self) -> Cursor:
        return self._staging.cursor

    @property
    def read_at(self) -> Cursor:
        return self._staging.read_at

    @property
    def place(self) -> tuple[str, str | int] | None:
        return self._staging.place

    def rows(self, table: str, rows: list[tuple[object, ...]]) -> None:
        self._staging.rows(table, rows)
        self._count()

    def history(self, rows: list[HistoryRow]) -> None:
        self._staging.history(rows)
        self._count()

    def _count(self) -> None:
        self._left -= 1
        if not self._left:
            raise Interrupted("the daemon has ended", cause="connection")


def test_another_daemon_goes_on_in_the_middle_of_a_first_fill(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "PAGE", 10)
    secret = token(database_url, PROJECT_NAME)
    with closing(Laptop(tmp_path / "a", PROJECT_NAME, database_url)) as a:
        for number in range(50):
            a.create(WORK_ITEM, **task(f"item {number}"))
        a.sync()
        with daemon(database_url) as first:
            b = Laptop(tmp_path / "b", PROJECT_NAME, Reached(first, secret))
            staging = b.local.begin_bootstrap()
            with pytest.raises(Interrupted):
                b.remote.snapshot(Pages(staging, 3))
            place = staging.place
            assert place is not None
            b.remote.close()
        a.create(WORK_ITEM, **task("meanwhile"))
        a.sync()
        with daemon(database_url) as second, closing(b), closing(Reached(second, secret).opened(b.local.identity())) as other:
            assert b.local.begin_bootstrap().place == place, "what had come is kept"
            sync_round(b.local, other, b.lock)
            assert replica_rows(b) == replica_rows(a)
            assert b.local.cursor() != BEGINNING


def test_what_a_daemon_has_applied_before_it_ended_is_recognised_by_another(database_url: str, tmp_path: Path) -> None:
    secret = token(database_url, PROJECT_NAME)
    with closing(Laptop(tmp_path / "a", PROJECT_NAME, database_url)) as a:
        a.create(WORK_ITEM, **task("once"))
        a.local.begin_round()
        push = a.local.next_push(10)
        assert push is not None
        with daemon(database_url) as first, closing(Reached(first, secret).opened(a.local.identity())) as store:
            store.push(a.local.identity(), push)  # the answer is lost with the daemon
        with daemon(database_url) as second, closing(Reached(second, secret).opened(a.local.identity())) as store:
            done = sync_round(a.local, store, a.lock)
        assert (done.pushed, done.conflicts, len(a.displayed()["work_items"])) == (1, 0, 1)


@contextmanager
def silent() -> Iterator[str]:
    """Somebody who takes connections and says nothing."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def take() -> None:
            while True:
                try:
                    taken.append(listener.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for one in taken:
                one.close()


def test_a_daemon_that_is_silent_is_given_up_in_seconds() -> None:
    with silent() as url:
        began = time.monotonic()
        with closing(HttpStore(url, TOKEN, IDENTITY)) as store, pytest.raises(UnavailableError) as failed:
            store.head()
        assert failed.value.details["cause"] == "timeout"
        assert time.monotonic() - began < 10


def test_the_question_of_a_read_costs_its_budget_and_no_more() -> None:
    with silent() as url, closing(HttpHeadProbe(url, TOKEN, IDENTITY.project_id)) as probe:
        with pytest.raises(UnavailableError):
            probe.head(50)
        began = time.monotonic()
        with pytest.raises(UnavailableError):
            probe.head(50)
        assert time.monotonic() - began < 2


def test_nobody_there_and_somebody_else_there_are_distinguished() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    with closing(HttpStore(f"http://127.0.0.1:{port}", TOKEN, IDENTITY)) as store, pytest.raises(UnavailableError) as failed:
        store.head()
    assert failed.value.details["cause"] == "refused"


def test_a_stream_that_is_cut_is_a_reason_to_look_and_the_next_one_goes_on(database_url: str, tmp_path: Path) -> None:
    secret = token(database_url, PROJECT_NAME)
    with daemon(database_url) as url, closing(Laptop(tmp_path / "a", PROJECT_NAME, Reached(url, secret))) as a:
        a.sync()
        with closing(Wake()) as wake:
            while a.remote.wait(wake, 0.3):
                a.sync()
            events = a.remote._events
            events._line.shut()
            assert a.remote.wait(wake, 10), "it was cut"
            a.sync()
            with closing(Laptop(tmp_path / "b", PROJECT_NAME, database_url)) as b:
                b.create(WORK_ITEM, **task("news"))
                b.sync()
                deadline = time.monotonic() + 15
                while not a.displayed()["work_items"]:
                    assert time.monotonic() < deadline
                    a.remote.wait(wake, 1)
                    a.sync()
